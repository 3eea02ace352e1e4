# shellcheck shell=bash disable=SC2153
# Runs the documents' blocks on the cluster NAME with PORT, in a folder of their own, with this program and kubectl on the PATH.

# documents [--alone] [FILE…]
documents() {
  part "the documents' commands"
  local alone=() files=() folder=$WORK/documents
  if [ "${1:-}" = --alone ]; then
    alone=(--alone)
    shift
  fi
  if [ $# -gt 0 ]; then files=("$@"); else files=("$ROOT/docs/tutorial.md" "$ROOT/README.md"); fi
  mkdir -p "$folder/bin" "$folder/here"
  ln -sf "$PROGRAM" "$folder/bin/quickstart"
  # the lab has built one for the node; a function of that name is of no use to a reader's shell
  if ! type -P kubectl >/dev/null; then ln -sf "$LAB/bin/kubernetes/kubectl" "$folder/bin/kubectl"; fi
  expect_true "the comparison notices what differs" python3 "$ROOT/scripts/lib/docs.py" --self-test
  local code=0
  (cd "$folder/here" && PATH=$folder/bin:$PATH QUICKSTART_NAME=$NAME DOCS_PORT=$PORT \
    python3 "$ROOT/scripts/lib/docs.py" ${alone[@]+"${alone[@]}"} "${files[@]}") || code=$?
  if [ "$code" = 0 ]; then ok "every block did and said what is written"; else bad "the documents" "see FAIL above"; fi
}
