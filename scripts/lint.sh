#!/usr/bin/env bash
# Format, clippy with warnings as errors, bash syntax, and shellcheck where it is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo fmt --check
cargo clippy --all-targets --locked -- -D warnings

scripts=()
while IFS= read -r script; do scripts+=("$script"); done < <(
  find scripts lab .ci -type f \( -name '*.sh' -o -path '.ci/run' -o -path 'lab/runc-within-bounds' \) | LC_ALL=C sort
)
for script in "${scripts[@]}"; do bash -n "$script"; done
echo "bash -n: ${#scripts[@]} scripts" >&2
if command -v shellcheck >/dev/null; then
  shellcheck -x --severity=warning "${scripts[@]}"
  echo "shellcheck: ${#scripts[@]} scripts" >&2
else
  echo "shellcheck is not installed: its checks were left out (Debian and Ubuntu: apt-get install shellcheck)" >&2
fi
