#!/usr/bin/env bash
# The main job, shown on a real NATS server with a control plane: the first administrator signs in, reviews what plugins
# ask for, accepts it, and calls them; what must be refused is refused.  demo.sh BUILD_DIR [--keep]
#
# Every step checks what it shows: the demo fails when something isn't as it says.
set -euo pipefail
PATH=$PATH:/usr/sbin # nats-server of Debian
here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "${1:?build folder}")
keep=${2:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/trellis-demo-XXXXXX")
bundle=$work/bundle
. "$here/demo-common.sh"
export XDG_CONFIG_HOME=$work/config
password='a long enough pass phrase'

# What a person would do in a browser.
browser() { python3 "$here/browser.py" "$@"; }
login_url() { sed -nE 's/.*"loginUrl":"([^"]+)".*/\1/p' "$1" | tail -1; }
ended_or_asks() { ! kill -0 "$1" 2>/dev/null || [ -n "$(login_url "$2")" ]; }
# Runs a command of ours that may ask somebody to sign in, and does so. Its output goes to $work/out.
signing_in() {
  local status=0 pid
  : >"$work/err" # the command's own redirection may come after the first look at the file
  "$@" --format json >"$work/out" 2>"$work/err" &
  pid=$!
  wait_for 30 ended_or_asks "$pid" "$work/err" || die "$* neither ends nor asks for a login"
  if [ -n "$(login_url "$work/err")" ]; then browser sign-in "$(login_url "$work/err")" admin "$password" >"$work/page" 2>&1 || status=1; fi
  if [ "$status" != 0 ]; then
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    cat "$work/page" >>"$work/err"
    return 1
  fi
  wait "$pid"
}
compact() { python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin), separators=(",", ":")))'; }
call() { # prints the answer, or what went wrong
  if signing_in "$trellis" call "$@"; then compact <"$work/out"; else cat "$work/out" "$work/err"; return 1; fi
}
plan_of() { "$trellis" plan list --deployment "$1" --format json | python3 -c 'import json, sys; print(json.load(sys.stdin)["entries"][-1]["planId"])'; }
accept() { # plugin
  local plan newest
  plan=$(plan_of "$1")
  "$trellis" plan accept "$plan" | show
  if ! wait_for 10 logged '"plugin running"' "\"$1\""; then
    # A contract that it uses may have become known since that plan was made: then there is another one.
    newest=$(plan_of "$1")
    [ "$newest" = "$plan" ] || "$trellis" plan accept "$newest" | show
    wait_for 20 logged '"plugin running"' "\"$1\"" || die "$1 doesn't run"
  fi
  pass "$1 runs; the host was neither reloaded nor restarted"
}

title "1. An installation: operator, accounts, keys, nats.conf with auth callout, trellis.toml"
port=$(free_port) http_port=$(free_port)
origin=http://localhost:$http_port
"$trellis" local init --out "$bundle" --native --nats-server-url "nats://127.0.0.1:$port" \
  --nats-websocket-url "ws://127.0.0.1:$(free_port)" --trellis-port "$http_port" --public-origin "$origin" \
  --auth-plugin "$build/plugins/auth/auth.so" >"$work/init.txt"
show <"$work/init.txt"
start_nats

title "2. The host starts with three plugins; none of their code is loaded before it is accepted"
add_plugin echo "$plugins/echo-c.so"
add_plugin shout "$plugins/echo-cpp.so"
add_plugin inventory "$plugins/inventory.so" $'[plugins.inventory.config.shelves]\nbolt = 5'
host_started=$(date +%s%N)
"$host" --config "$bundle/trellis.toml" >"$work/host.out" 2>"$work/host.log" &
host_pid=$!
bootstrap_url() { sed -nE 's/.*"bootstrapUrl":"([^"]+)".*/\1/p' "$work/host.out" "$work/host.log" | tail -1; }
has_bootstrap_url() { [ -n "$(bootstrap_url)" ]; }
wait_for 30 has_bootstrap_url || die "the control plane didn't come up"
ready_ms=$((($(date +%s%N) - host_started) / 1000000))
pass "the control plane serves after $ready_ms ms and shows a link for the first administrator"
for plugin in echo shout inventory; do
  wait_for 20 logged '"plugin pending"' "\"$plugin\"" || die "$plugin isn't pending"
done
pass "echo, shout and inventory are pending: authority_update_required"

title "3. The first administrator: a password through the link, then trellis login"
browser set-password "$(bootstrap_url)" "$password" || die "no password"
pass "user admin has a password"
signing_in "$trellis" login "$origin" || die "login failed: $(cat "$work/err")"
show <"$work/page"
"$trellis" whoami | show
pass "signed in: the session may call what its contract delegates, on a NATS connection with exactly those permissions"

title "4. What waits for a decision, and what it asks for"
"$trellis" plan list | show
"$trellis" plan show "$(plan_of inventory)" | tee "$work/review" | show
grep -q 'acme.echo@v1' "$work/review" || die "the review doesn't say what inventory uses"
pass "a plan is reviewed before any of its code runs"

title "5. Accepted: the host picks the plugins up by itself"
accept echo
accept shout
accept inventory

answers '{"message":"hello"}' Echo.Say '{"message":"hello"}'
answers '{"message":"HELLO"}' Shout.Say '{"message":"hello"}'
answers '{"sku":"bolt","available":5,"label":"shelf bolt"}' Inventory.Get '{"sku":"bolt"}'

title "6. Refused"
refused "a capability that the user doesn't have" insufficient_capabilities Inventory.Take '{"sku":"bolt","quantity":1}'
refused "input that breaks the schema" ValidationError Echo.Say '{"message":1}'
refused "a forged proof" invalid_signature Echo.Say '{"message":"x"}' --forge
refused "the same request a second time" invalid_signature Echo.Say '{"message":"x"}' --replay
refused "a proof of 31 seconds ago" iat_out_of_range Echo.Say '{"message":"x"}' --expired

add_plugin rogue "$build/examples/rogue.so"
printf '\n[plugins.unpinned]\npath = "%s"\nisolation = "none"\n' "$plugins/echo-c.so" >>"$bundle/trellis.toml"
"$trellis" host reload --config "$bundle/trellis.toml" >/dev/null || die "reload failed"
wait_for 20 logged '"plugin refused"' '"unpinned"' || die "the unpinned file wasn't refused"
pass "a file that is neither pinned nor signed, in the host's process  ->  untrusted"
wait_for 20 logged '"plugin pending"' '"rogue"' || die "rogue isn't pending"
accept rogue
call Rogue.Try '{}' >/dev/null || die "Rogue.Try failed: $(cat "$work/err")"
wait_for 10 logged 'refused by the NATS server' '"rogue"' || die "NATS let the rogue plugin publish"
pass "a plugin that publishes outside its contract  ->  refused by the NATS server, and named in the log"

"$trellis" svc echo disable >/dev/null || die "svc disable failed"
wait_for 20 logged '"plugin refused"' 'service_deployment_disabled' || die "echo still runs"
refused "a service whose deployment the operator disabled" trellis.request.unavailable Echo.Say '{"message":"x"}'
"$trellis" svc echo enable >/dev/null || die "svc enable failed"
echo_answers() { call Echo.Say '{"message":"back"}'; }
wait_for 20 echo_answers || die "echo didn't come back"
pass "enabled again: it answers"

"$trellis" logout | show
refused_login() { ! "$trellis" whoami >"$work/out" 2>&1; }
refused_login || die "still signed in"
pass "logged out: the session is gone here and there"

title "7. The end"
finish "$keep" "  Left running (host $host_pid, nats-server $nats_pid) in $work; user admin, password '$password'. Go on with
    export XDG_CONFIG_HOME=$XDG_CONFIG_HOME
    $trellis login $origin
    $trellis call Echo.Say '{\"message\":\"hi\"}'
    $trellis host status --config $bundle/trellis.toml
    tail -f $work/host.log
  and end it with
    kill $host_pid $nats_pid; rm -rf $work"
