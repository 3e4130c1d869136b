#!/usr/bin/env bash
# The main job with static policy, shown on a real NATS server: contracts decide what is loaded, signed requests are answered, and what
# must be refused is refused.  demo-static.sh BUILD_DIR [--keep]
#
# Every step checks what it shows: the demo fails when something isn't as it says.
set -euo pipefail
PATH=$PATH:/usr/sbin # nats-server of Debian
build=$(readlink -f "${1:?build folder}")
keep=${2:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/trellis-demo-XXXXXX")
bundle=$work/bundle
. "$(dirname "$(readlink -f "$0")")/demo-common.sh"

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
title "1. An installation: operator, accounts, keys, nats.conf, trellis.toml, policy.toml"
port=$(free_port)
"$trellis" local init --out "$bundle" --static --native --nats-server-url "nats://127.0.0.1:$port" \
  --nats-websocket-url "ws://127.0.0.1:$(free_port)" >"$work/init.txt"
show <"$work/init.txt"
start_nats

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

printf '\n[plugins.unpinned]\npath = "%s"\nisolation = "none"\n' "$plugins/echo-c.so" >>"$bundle/trellis.toml"
add_plugin rogue "$build/examples/rogue.so"
accept "$build/examples/rogue.so"
reload
logged '"plugin refused"' '"unpinned"' || die "the unpinned file wasn't refused"
pass "a file that is neither pinned nor signed, in the host's process  ->  untrusted"
call Rogue.Try '{}' --as clerk >/dev/null || die "Rogue.Try failed"
wait_for 10 logged 'refused by the NATS server' '"rogue"' || die "NATS let the rogue plugin publish"
pass "a plugin that publishes outside its contract  ->  refused by the NATS server, and named in the log"
answers '{"message":"still here"}' Echo.Say '{"message":"still here"}' --as clerk

title "6. The end"
finish "$keep" "  Left running (host $host_pid, nats-server $nats_pid) in $work. Go on with
    $trellis call Echo.Say '{\"message\":\"hi\"}' --as clerk --config $bundle/trellis.toml
    tail -f $work/host.log
    edit $bundle/policy.toml, then: kill -HUP $host_pid
  and end it with
    kill $host_pid $nats_pid; rm -rf $work"
