#!/bin/sh
# Runs cargo or go for meson, with everything they write in the build folder and nothing from the network:
#   language_tool.sh STATE FOLDER [--copy FROM TO] -- COMMAND...
# STATE: where they keep what they build. FROM is relative to cargo's target folder. Neither needs a HOME.
set -eu
state=$1 folder=$2
shift 2
from= to=
if [ "$1" = --copy ]; then from=$2 to=$3; shift 3; fi
shift # --
export CARGO_TARGET_DIR="$state/cargo" CARGO_HOME="$state/cargo-home" CARGO_TERM_COLOR=never
export GOCACHE="$state/go" GOPATH="$state/go-path" GOENV=off GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-buildvcs=false CGO_ENABLED=1
unset RUSTFLAGS CFLAGS CXXFLAGS LDFLAGS || true # those of the C++ build are not theirs
mkdir -p "$state"
(cd "$folder" && "$@")
[ -z "$from" ] || cp "$CARGO_TARGET_DIR/$from" "$to"
