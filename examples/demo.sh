#!/usr/bin/env bash
# The main job, shown on a real NATS server: contracts decide what is loaded, signed requests are answered, and what
# must be refused is refused.  demo.sh BUILD_DIR [--keep]
#
# Every step checks what it shows: the demo fails when something isn't as it says.
set -euo pipefail
PATH=$PATH:/usr/sbin # nats-server of Debian
build=$(readlink -f "${1:?build folder}")
keep=${2:-}
trellis=$build/cli/trellis
host=$build/host/trellis-host
plugins=$build/examples
work=$(mktemp -d "${TMPDIR:-/tmp}/trellis-demo-XXXXXX")
bundle=$work/bundle
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
accept() { # file
  printf '\n[[accept]]\ncontract = "%s"\ndigest = "%s"\n' "$(inspect "$1" | field id)" "$(inspect "$1" | field digest)" >>"$bundle/policy.toml"
}
add_caller() { # name capabilities
  local key
  key=$("$trellis" keys new --out "$bundle/callers/$1.seed" --format json | field sessionKey)
  printf '\n[[callers]]\nname = "%s"\nsession_key = "%s"\ncapabilities = [%s]\n[callers.uses]\n"acme.echo@v1" = ["*"]\n"acme.shout@v1" = ["*"]\n"acme.inventory@v1" = ["*"]\n"test.rogue@v1" = ["*"]\n' \
    "$1" "$key" "$2" >>"$bundle/policy.toml"
}

call() { "$trellis" call "$@" --config "$bundle/trellis.toml"; }
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

title "1. An installation: operator, accounts, keys, nats.conf, trellis.toml, policy.toml"
port=$(free_port)
"$trellis" local init --out "$bundle" --native --nats-server-url "nats://127.0.0.1:$port" \
  --nats-websocket-url "ws://127.0.0.1:$(free_port)" >"$work/init.txt"
# Two demos on one machine must not meet on the monitoring port.
sed -i '/^http:/d' "$bundle/nats/nats.conf"
show <"$work/init.txt"
nats-server -c "$bundle/nats/nats.conf" >"$work/nats.log" 2>&1 &
nats_pid=$!
wait_for 15 grep -q 'Server is ready' "$work/nats.log" || die "nats-server didn't start: $(cat "$work/nats.log")"
pass "$(nats-server --version) listens on port $port"

title "2. What three plugins ask for: read from the files, nothing of them has run"
for plugin in echo-c echo-cpp inventory; do
  printf '  \033[1m%s.so\033[0m\n' "$plugin"
  "$trellis" plugin inspect "$plugins/$plugin.so" --known "$plugins/echo-c.so" | show
done

title "3. The host runs; inventory isn't approved and stays out"
add_plugin echo "$plugins/echo-c.so"
add_plugin shout "$plugins/echo-cpp.so"
add_plugin inventory "$plugins/inventory.so" $'[plugins.inventory.config.shelves]\nbolt = 5'
accept "$plugins/echo-c.so"
accept "$plugins/echo-cpp.so"
add_caller clerk '"acme.inventory::stock.take"'
add_caller visitor ''
host_started=$(date +%s%N)
"$host" --config "$bundle/trellis.toml" 2>"$work/host.log" &
host_pid=$!
wait_for 20 more_ready_than 0 || die "the host didn't become ready"
ready_ms=$((($(date +%s%N) - host_started) / 1000000))
logged '"plugin pending"' '"inventory"' || die "inventory isn't pending"
pass "ready after $ready_ms ms; inventory is pending: its digest isn't accepted"
answers '{"message":"hello"}' Echo.Say '{"message":"hello"}' --as clerk
refused "Inventory.Get before its approval" trellis.request.unavailable Inventory.Get '{"sku":"bolt"}' --as clerk

title "4. The operator accepts its digest in policy.toml and reloads; nothing restarts"
accept "$plugins/inventory.so"
reload
logged '"plugin running"' '"inventory"' || die "inventory isn't running"
pass "inventory runs"
answers '{"message":"HELLO"}' Shout.Say '{"message":"hello"}' --as clerk
answers '{"sku":"bolt","available":5,"label":"shelf bolt"}' Inventory.Get '{"sku":"bolt"}' --as clerk
answers '{"sku":"bolt","available":3}' Inventory.Take '{"sku":"bolt","quantity":2}' --as clerk
refused "more than there is: the contract's own error" OutOfStock Inventory.Take '{"sku":"bolt","quantity":9}' --as clerk

title "5. Refused"
refused "input that breaks the schema" ValidationError Inventory.Take '{"sku":"bolt","quantity":0}' --as clerk
refused "a caller without the capability" insufficient_permissions Inventory.Take '{"sku":"bolt","quantity":1}' --as visitor
refused "a forged proof" invalid_signature Echo.Say '{"message":"x"}' --as clerk --forge
refused "the same request a second time" invalid_signature Echo.Say '{"message":"x"}' --as clerk --replay
refused "a proof of 31 seconds ago" iat_out_of_range Echo.Say '{"message":"x"}' --as clerk --expired
refused "a reply subject in somebody else's inbox" reply_subject_mismatch Echo.Say '{"message":"x"}' --as clerk --reply-outside

printf '\n[plugins.unpinned]\npath = "%s"\n' "$plugins/echo-c.so" >>"$bundle/trellis.toml"
add_plugin rogue "$build/examples/rogue.so"
accept "$build/examples/rogue.so"
reload
logged '"plugin refused"' '"unpinned"' || die "the unpinned file wasn't refused"
pass "a plugin file that is neither pinned nor signed  ->  untrusted"
call Rogue.Try '{}' --as clerk >/dev/null || die "Rogue.Try failed"
wait_for 10 logged 'refused by the NATS server' '"rogue"' || die "NATS let the rogue plugin publish"
pass "a plugin that publishes outside its contract  ->  refused by the NATS server, and named in the log"
answers '{"message":"still here"}' Echo.Say '{"message":"still here"}' --as clerk

title "6. The end"
if [ "$keep" = --keep ]; then
  trap - EXIT
  cat <<TEXT
  Left running (host $host_pid, nats-server $nats_pid) in $work. Go on with
    $trellis call Echo.Say '{"message":"hi"}' --as clerk --config $bundle/trellis.toml
    tail -f $work/host.log
    edit $bundle/policy.toml, then: kill -HUP $host_pid
  and end it with
    kill $host_pid $nats_pid; rm -rf $work
TEXT
else
  stop_started=$(date +%s%N)
  kill -TERM "$host_pid"
  status=0
  wait "$host_pid" || status=$?
  host_pid=''
  [ "$status" = 0 ] || die "the host ended with status $status"
  pass "SIGTERM: drained and stopped in $((($(date +%s%N) - stop_started) / 1000000)) ms"
fi
printf '\n\033[1m%d steps as expected\033[0m in %d ms; host ready after %d ms\n' "$checks" \
  $((($(date +%s%N) - started) / 1000000)) "$ready_ms"
