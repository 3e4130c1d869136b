#!/usr/bin/env bash
# Runs the benches of a release build: run.sh BUILD_DIR [NAME...]. One JSON object per line on stdout.
set -euo pipefail
build=$(readlink -f "${1:?build folder}")
shift
export TRELLIS_BUILD_DIR=$build # where the live fixtures find the host and the plugins
status=0
for bench in "$build"/bench/bench-*; do
  [ -x "$bench" ] && [ -f "$bench" ] && [[ $bench != *.so ]] || continue
  name=${bench##*/bench-}
  wanted=$([ $# -eq 0 ] && echo yes || true)
  for word; do [[ $name == *"$word"* ]] && wanted=yes; done
  [ -n "$wanted" ] || continue
  echo "bench $name" >&2
  "$bench" || status=1
done
exit "$status"
