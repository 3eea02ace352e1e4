#!/usr/bin/env bash
# Forty participants at once: `quickstart serve` against nginx with the same file on the same machine, in turns. What both sides have in
# common (the clients, the loopback, the page cache) cancels out; goals: throughput 0.9 of nginx's, slowest/fastest at most 1.5, flat memory.
#
#   SERVE_CLIENTS=40 SERVE_MB=256 SERVE_ROUNDS=3 scripts/serve-load.sh [BUNDLE]
#
# nginx is taken from PATH, from SERVE_NGINX, or as Debian's package unpacked into a folder; where none can be had this ends with exit code 3.
# Result: a table, and target/serve-load.json (SERVE_RESULT=FILE: another place). Nothing is installed, nothing leaves this machine.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

CLIENTS=${SERVE_CLIENTS:-40}
MB=${SERVE_MB:-256}
ROUNDS=${SERVE_ROUNDS:-3}
BUNDLE=${1:-$LAB_BUNDLE}
RESULT=${SERVE_RESULT:-$ROOT/target/serve-load.json}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/quickstart-serve.XXXXXX")
SECRET=load-$$-$RANDOM
PIDS=()

clean_up() {
  local code=$? pid
  trap - EXIT
  trap '' INT TERM
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do kill "$pid" 2>/dev/null || true; done
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$WORK"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

for number in "$CLIENTS" "$MB" "$ROUNDS"; do
  case $number in '' | *[!0-9]* | 0) fail 2 "SERVE_CLIENTS, SERVE_MB and SERVE_ROUNDS are numbers, 1 or more, not $number" ;; esac
done
need curl jq awk
[ -r /proc/self/status ] || fail 3 "this reads the memory of processes from /proc: Linux only"
[ -s "$BUNDLE" ] || fail 3 "there is no bundle at $BUNDLE: name one, or \`make lab\` makes one"
BYTES=$((MB * 1024 * 1024))
size=$(wc -c <"$BUNDLE")
if [ "$BYTES" -gt "$size" ]; then BYTES=$size; fi

# Debian's own program, in a folder of ours, where it is not installed.
find_nginx() {
  NGINX=${SERVE_NGINX:-$(command -v nginx || true)}
  if [ -n "$NGINX" ]; then return; fi
  if has apt-get && has dpkg-deb; then
    say "nginx is not installed: its Debian package is unpacked into $WORK"
    (cd "$WORK" && apt-get download nginx && dpkg-deb -x nginx_*.deb nginx) >"$WORK/apt" 2>&1 || { tail -n 3 "$WORK/apt" >&2; return; }
    NGINX=$WORK/nginx/usr/sbin/nginx
  fi
}
find_nginx
{ [ -n "$NGINX" ] && "$NGINX" -v 2>/dev/null; } || fail 3 "NOT MEASURED: there is no nginx to compare with; install it, or name it with SERVE_NGINX=FILE"
[ -n "${SERVE_PROGRAM:-}" ] || build_program
PROGRAM=${SERVE_PROGRAM:-$PROGRAM}

# As Debian configures it, without logs.
start_nginx() {
  local port=$1
  mkdir -p "$WORK/www" "$WORK/tmp"
  ln -sf "$(cd "$(dirname "$BUNDLE")" && pwd)/$(basename "$BUNDLE")" "$WORK/www/bundle"
  cat >"$WORK/nginx.conf" <<CONF
worker_processes auto; daemon off; pid $WORK/nginx.pid; error_log $WORK/nginx.log;
$(if is_root; then echo "user $(id -un);"; fi)
events { worker_connections 768; }
http { sendfile on; tcp_nopush on; access_log off; client_body_temp_path $WORK/tmp; proxy_temp_path $WORK/tmp; fastcgi_temp_path $WORK/tmp;
  uwsgi_temp_path $WORK/tmp; scgi_temp_path $WORK/tmp; server { listen 127.0.0.1:$port; root $WORK/www; } }
CONF
  "$NGINX" -e "$WORK/nginx.log" -c "$WORK/nginx.conf" &
  NGINX_PID=$!
  PIDS+=("$NGINX_PID")
}

start_serve() {
  "$PROGRAM" serve "$BUNDLE" --listen "127.0.0.1:$1" --code "$SECRET" >"$WORK/serve" 2>"$WORK/serve.log" &
  SERVE=$!
  PIDS+=("$SERVE")
}

answers() { # URL
  local left=600
  until curl -sf --noproxy '*' -u "x:$SECRET" -r 0-0 -o /dev/null "$1"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { tail -n 5 "$WORK"/*.log >&2; fail 1 "nobody answers at $1"; }
    sleep 0.1
  done
}

# round SIDE NUMBER URL PID…: all clients at once; each writes its bytes and seconds. CPU time is that of clients and server together:
# on a machine that others use too it says more than the clock.
round() {
  local side=$1 number=$2 url=$3 began before spent TIMEFORMAT='%U %S'
  shift 3
  rm -f "$WORK"/client-*
  before=$(ticks "$@")
  began=$(now)
  { time fetch_all "$url" 2>&3; } 3>&2 2>"$WORK/spent" || fail 1 "a client of $side failed"
  spent=$(awk -v ticks="$(($(ticks "$@") - before))" -v hertz="$(getconf CLK_TCK)" '{ printf "%.3f", $1 + $2 + ticks / hertz }' "$WORK/spent")
  awk -v side="$side" -v number="$number" -v began="$began" -v ended="$(now)" -v peak="$(peak "$SERVE")" -v spent="$spent" '
    { bytes += $1; if ($2 > slowest) slowest = $2; if (!fastest || $2 < fastest) fastest = $2 }
    END { printf "{\"side\":\"%s\",\"round\":%d,\"mb_per_second\":%.0f,\"cpu_ms_per_gb\":%.0f,\"slowest_to_fastest\":%.3f,\"serve_peak_kib\":%d}\n",
      side, number, bytes / 1e6 / (ended - began), spent * 1e12 / bytes, slowest / fastest, peak }' "$WORK"/client-* | tee -a "$WORK/rounds" >&2
}

fetch_all() { # URL
  local client clients=()
  for ((client = 0; client < CLIENTS; client++)); do
    curl -sf --noproxy '*' -u "x:$SECRET" -r "0-$((BYTES - 1))" -o /dev/null -w '%{size_download} %{time_total}\n' "$1" >"$WORK/client-$client" &
    clients+=($!)
  done
  for client in "${clients[@]}"; do wait "$client" || return 1; done
}

# CPU time of processes so far, in ticks of the clock.
ticks() {
  local pid
  for pid in "$@"; do sed 's/.*) //' "/proc/$pid/stat"; done | awk '{ all += $12 + $13 } END { print all + 0 }'
}
peak() { awk '/^VmHWM:/ { print $2 }' "/proc/$1/status"; }
free_port() { # FROM
  local port=$1
  while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

ours=$(free_port 17474)
theirs=$(free_port $((ours + 1)))
say "$CLIENTS clients fetch $((BYTES / 1024 / 1024)) MiB each of $BUNDLE, $ROUNDS rounds in turns"
start_serve "$ours"
start_nginx "$theirs"
answers "http://127.0.0.1:$ours/bundle"
answers "http://127.0.0.1:$theirs/bundle"
idle=$(peak "$SERVE")
workers=()
for stat in /proc/[0-9]*/stat; do
  case $(sed 's/.*) //' "$stat" 2>/dev/null || true) in ?" $NGINX_PID "*) workers+=("$(basename "$(dirname "$stat")")") ;; esac
done
[ "${#workers[@]}" -gt 0 ] || fail 1 "nginx has no workers"
round warm-up 0 "http://127.0.0.1:$theirs/bundle" "${workers[@]}"
for ((number = 1; number <= ROUNDS; number++)); do
  round serve "$number" "http://127.0.0.1:$ours/bundle" "$SERVE"
  round nginx "$number" "http://127.0.0.1:$theirs/bundle" "${workers[@]}"
done

mkdir -p "$(dirname "$RESULT")"
jq -s --argjson clients "$CLIENTS" --argjson bytes "$BYTES" --argjson idle "$idle" '
  def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
  def of($side; $key): map(select(.side == $side) | .[$key]);
  {clients: $clients, bytes_each: $bytes, rounds: map(select(.side != "warm-up")),
   serve_mb_per_second: (of("serve"; "mb_per_second") | median), nginx_mb_per_second: (of("nginx"; "mb_per_second") | median),
   serve_cpu_ms_per_gb: (of("serve"; "cpu_ms_per_gb") | median), nginx_cpu_ms_per_gb: (of("nginx"; "cpu_ms_per_gb") | median),
   slowest_to_fastest: (of("serve"; "slowest_to_fastest") | median), nginx_slowest_to_fastest: (of("nginx"; "slowest_to_fastest") | median),
   idle_kib: $idle, peak_kib: (of("serve"; "serve_peak_kib") | max), peak_after_first_kib: (of("serve"; "serve_peak_kib")[0])}
  | .ratio = (.serve_mb_per_second / .nginx_mb_per_second * 1000 | round / 1000)
  | .cpu_ratio = (.serve_cpu_ms_per_gb / .nginx_cpu_ms_per_gb * 1000 | round / 1000)' "$WORK/rounds" >"$RESULT"
jq -r '
  def left($n): tostring | . + (" " * ([$n - length, 0] | max));
  def row($name; $goal; $measured; $met): "  \($name | left(44)) \($goal | left(10)) \($measured | tostring | left(12)) \(if $met then "met" else "MISSED" end)";
  "serve, nginx in MB/s (medians)                \(.serve_mb_per_second), \(.nginx_mb_per_second)",
  row("throughput against nginx"; ">= 0.9"; .ratio; .ratio >= 0.9),
  row("CPU time per byte, clients included, of nginx"; "<= 1.1"; .cpu_ratio; .cpu_ratio <= 1.1),
  row("slowest/fastest client (nginx: \(.nginx_slowest_to_fastest))"; "<= 1.5"; .slowest_to_fastest; .slowest_to_fastest <= 1.5),
  row("peak memory after the last round, first = 1"; "<= 1.2"; (.peak_kib / .peak_after_first_kib * 100 | round / 100); .peak_kib <= 1.2 * .peak_after_first_kib),
  "  peak memory of serve: \(.peak_kib / 1024 | round) MiB, before the first client \(.idle_kib / 1024 | round) MiB"' "$RESULT"
