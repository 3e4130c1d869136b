# Shared by the two demos; sourced after $build, $work and $bundle are set. Every step checks what it shows.
trellis=$build/cli/trellis
host=$build/host/trellis-host
plugins=$build/examples
started=$(date +%s%N)
nats_pid='' host_pid=''

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { sed 's/^/    /'; }
pass() { printf '  \033[32m%-4s\033[0m %s\n' ok "$*"; checks=$((checks + 1)); }
die() {
  printf '\n\033[31mdemo failed:\033[0m %s\n' "$*" >&2
  [ -f "$work/host.log" ] && tail -20 "$work/host.log" >&2
  exit 1
}
checks=0

cleanup() {
  [ -z "$host_pid" ] || kill "$host_pid" 2>/dev/null || true
  [ -z "$host_pid" ] || wait "$host_pid" 2>/dev/null || true
  [ -z "$nats_pid" ] || kill "$nats_pid" 2>/dev/null || true
  [ -z "$nats_pid" ] || wait "$nats_pid" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# wait_for SECONDS COMMAND...
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.05
  done
}

logged() { grep -F -- "$1" "$work/host.log" | grep -qF -- "${2:-}"; }
ready_count() { grep -cF '"host ready"' "$work/host.log" || true; }
more_ready_than() { [ "$(ready_count)" -gt "$1" ]; }
reload() {
  local before
  before=$(ready_count)
  kill -HUP "$host_pid"
  wait_for 20 more_ready_than "$before" || die "the host didn't finish reloading"
}

field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; } # of a JSON object on stdin
inspect() { "$trellis" plugin inspect "$@" --format json 2>/dev/null || true; }

add_plugin() { # name file [lines]
  printf '\n[plugins.%s]\npath = "%s"\nsha256 = "%s"\n%s\n' "$1" "$2" "$(inspect "$2" | field sha256)" "${3:-}" >>"$bundle/trellis.toml"
}
answers() { # expected, then the arguments of call
  local expected=$1 answer
  shift
  answer=$(call "$@" 2>&1) || die "$* failed: $answer"
  [ "$answer" = "$expected" ] || die "$* answered $answer instead of $expected"
  pass "$1 $2  ->  $answer"
}
refused() { # what, reason, then the arguments of call
  local what=$1 reason=$2 answer
  shift 2
  if answer=$(call "$@" 2>&1); then die "$what: was answered ($answer)"; fi
  grep -qF -- "$reason" <<<"$answer" || die "$what: expected $reason, got: $answer"
  pass "$what  ->  $reason"
}

start_nats() {
  # Two demos on one machine must not meet on the monitoring port.
  sed -i '/^http:/d' "$bundle/nats/nats.conf"
  nats-server -c "$bundle/nats/nats.conf" >"$work/nats.log" 2>&1 &
  nats_pid=$!
  wait_for 15 grep -q 'Server is ready' "$work/nats.log" || die "nats-server didn't start: $(cat "$work/nats.log")"
  pass "$(nats-server --version) listens on port $port"
}

# The last step: stops the host, or says how to go on. finish KEEP TEXT
finish() {
  if [ "$1" = --keep ]; then
    trap - EXIT
    printf '%s\n' "$2"
  else
    local stop_started status=0
    stop_started=$(date +%s%N)
    kill -TERM "$host_pid"
    wait "$host_pid" || status=$?
    host_pid=''
    [ "$status" = 0 ] || die "the host ended with status $status"
    pass "SIGTERM: drained and stopped in $((($(date +%s%N) - stop_started) / 1000000)) ms"
  fi
  printf '\n\033[1m%d steps as expected\033[0m in %d ms; host ready after %d ms\n' "$checks" \
    $((($(date +%s%N) - started) / 1000000)) "$ready_ms"
}
