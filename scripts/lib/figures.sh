# shellcheck shell=bash
# Peak memory of a program, and bench.json as tables.

# with_peak FILE COMMAND…: runs it and writes the KiB of its largest resident set. VmHWM never falls, so the last look is the peak;
# `time -v` would answer for the programs that it starts, too. Looks are the shell's own: ten programs a second to look with cost `up` a
# second on two busy cores.
with_peak() {
  local file=$1 pid peak=0 seen code=0
  shift
  "$@" &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    seen=$(peak_of "$pid")
    if [ "${seen:-0}" -gt "$peak" ]; then peak=$seen; fi
    sleep 0.5
  done
  wait "$pid" || code=$?
  echo "$peak" >"$file"
  return "$code"
}
peak_of() { # PID
  local key value
  while read -r key value _; do
    if [ "$key" = VmHWM: ]; then echo "$value"; fi
  done 2>/dev/null <"/proc/$1/status" || true
}

# print_figures BENCH.JSON
print_figures() {
  jq -r '
    def s: (. / 100 | round / 10 | tostring | if test("[.]") then . else . + ".0" end) + " s";
    def left($n): tostring | . + (" " * ([$n - length, 0] | max));
    def right($n): tostring | (" " * ([$n - length, 0] | max)) + .;
    def row($name; $goal; $measured; $met; $spread): "  \($name | left(44)) \($goal | right(10)) \($measured | right(11))   \([(if $met == null then empty elif $met then "met" else "MISSED" end), ($spread // empty)] | join("  "))";
    def row($name; $goal; $measured; $met): row($name; $goal; $measured; $met; null);
    # the smallest and the largest of several, for the eye; nothing of one alone
    def spread(write): if length > 1 then "(\(min | write) .. \(max | write), n=\(length))" else null end;
    def times: "\(. * 100 | round / 100)x";
    def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2] + .[length / 2 - 1]) / 2 end;
    .kind_load.create_ms as $create
    | def floor_ms: $create + ([.up.critical[].own_ms] | add // 0);
    def stages: .stages[] | "  \(.stage | left(44)) \("" | right(10)) \(.ms | s | right(11))";
    "",
    "stages of the serial sequence (run 1)", (.runs[0].serial | stages),
    "stages of `up` (run 1; they run side by side)", (.runs[0].up | stages),
    "its critical path: what is not in this list makes no run shorter",
    (.runs[0].up.critical[] | "  \(.stage | left(44)) \("" | right(10)) \(.to_ms - .from_ms | s | right(11))   \(if .bound then "of which \(.bound_ms | s) for \(.bound)" else "" end)\(if .own_ms > 0 then "; controllers starting up: \(.own_ms | s)" else "" end)"),
    "  those controllers, with `kind create` alone, are the floor",
    "stages of `up` that loads its images (small node image)", (.with_images_to_load | stages),
    def way($way; $kind): first(.forward[]? | select(.way == $way and .connections == $kind)) // null;
    def load($kind): (way("kubectl"; $kind)) as $k | .forward[]? | select(.connections == $kind)
      | "  \(.way | left(12)) \(.requests_per_second | right(12)) \(.p50_ms | right(9)) ms \(.p99_ms | right(9)) ms \(.errors | right(8))   \(if $k then "\(.requests_per_second / $k.requests_per_second * 100 | round / 100)x" else "" end)";
    "",
    "the way to the gateway        requests/s        p50          p99   errors   of kubectl",
    " 8 connections kept open", load("kept"),
    " a new connection for every request, 8 at a time", load("new"),
    "",
    row("figure (\(.runs | length) pair(s), \(.machine.cpus) CPUs)"; "goal"; "measured"; null),
    row("serial sequence to the prediction"; ""; (.serial_ms | s); null; [.runs[].serial.total_ms] | spread(s)),
    row("`up` to the prediction, kept images"; ""; (.up_ms | s); null; [.runs[].up.total_ms] | spread(s)),
    row("ratio"; ">= 3x"; (.ratio | times); .ratio >= 3; [.runs[] | .serial.total_ms / .up.total_ms] | spread(times)),
    ([.runs[] | floor_ms] as $floors | [.runs[] | .up.total_ms / floor_ms] as $above
      | row("floor: kind create + controllers of the path"; ""; ($floors | median | s); null; $floors | spread(s)),
        row("`up` against its floor"; "<= 1.25x"; ($above | median | times); ($above | median) <= 1.25; $above | spread(times))),
    row("`up` with the baked node image"; ""; (.baked.total_ms | s); null),
    row("`up` with images to load"; ""; (.with_images_to_load.total_ms | s); null),
    row("  of that, the longest group of images"; ""; ([.with_images_to_load.stages[] | select(.stage | startswith("images/")).ms] | max // 0 | s); null),
    (.with_images_to_load.images_ms as $ours | .kind_load // empty | select($ours)
      | row("all groups into the node: `up`, installing"; ""; ($ours | s); null),
        row("  `kind load image-archive`, idle node"; ""; (.total_ms | s); null),
        row("  load vs kind load"; ">= 1x"; (.total_ms / $ours | times); .total_ms >= $ours)),
    row("second `up`"; "<= 3 s"; (.second_up_ms | s); .second_up_ms <= 3000; [.runs[].second_up.total_ms] | spread(s)),
    row("`reset`"; ""; (.reset_ms | s); null),
    (way("kubectl"; "kept") as $k | way("tunnel"; "kept") as $t | way("mapped"; "kept") as $m | way("kubectl"; "new") as $kn | way("tunnel"; "new") as $tn
      | select($k and $t and $kn and $tn)
      | row("tunnel, connections kept: requests/s"; ">= 1.2x"; "\($t.requests_per_second / $k.requests_per_second * 100 | round / 100)x"; $t.requests_per_second >= 1.2 * $k.requests_per_second),
        row("tunnel, connections kept: p99"; "<= \($k.p99_ms) ms"; "\($t.p99_ms) ms"; $t.p99_ms <= $k.p99_ms),
        row("tunnel, new connections: p50"; "<= \($kn.p50_ms) ms"; "\($tn.p50_ms) ms"; $tn.p50_ms <= $kn.p50_ms),
        row("tunnel, new connections: p99"; "<= \($kn.p99_ms) ms"; "\($tn.p99_ms) ms"; $tn.p99_ms <= $kn.p99_ms),
        (select($m) | row("mapped, connections kept: requests/s"; ">= 5x"; "\($m.requests_per_second / $k.requests_per_second * 100 | round / 100)x"; $m.requests_per_second >= 5 * $k.requests_per_second))),
    (.serve // empty | if .not_measured then "  serve vs nginx: \(.not_measured)" else
        ([.rounds[] | select(.side == "serve").mb_per_second] as $ours | [.rounds[] | select(.side == "nginx").mb_per_second] as $theirs
          | row("serve vs nginx, \(.clients) clients: throughput"; ">= 0.9x"; (.ratio | times); .ratio >= 0.9; [$ours, $theirs] | transpose | map(.[0] / .[1]) | spread(times))),
        row("  slowest/fastest client"; "<= 1.5x"; (.slowest_to_fastest | times); .slowest_to_fastest <= 1.5;
          [.rounds[] | select(.side == "serve").slowest_to_fastest] | spread(times)),
        row("  peak memory after the last round, first = 1"; "<= 1.2x"; (.peak_kib / .peak_after_first_kib | times); .peak_kib <= 1.2 * .peak_after_first_kib) end),
    row("`--help`"; "<= 10 ms"; "\(.help_ms) ms"; .help_ms <= 10),
    row("peak memory of `up`"; "<= 80 MB"; "\(.peak_kib * 1024 / 1e6 | round) MB"; .peak_kib * 1024 <= 80e6),
    row("peak memory of `up` that loads its images"; "<= 80 MB"; "\(.with_images_to_load.peak_kib * 1024 / 1e6 | round) MB"; .with_images_to_load.peak_kib * 1024 <= 80e6),
    row("release program"; "<= 15 MB"; "\(.binary_bytes / 1e5 | round / 10) MB"; .binary_bytes <= 15e6)
  ' "$1"
}
