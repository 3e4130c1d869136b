#!/usr/bin/env bash
# Compares the ABI's layouts with those of every published minor version.
#   check.sh [HEADERS]  HEADERS: the folder with trellis/*.h; default: this project's
#   check.sh --write    stores the baseline of the header's minor (when a new one begins, and while it isn't published)
# The header's own minor has to be equal to its baseline; older ones may have grown at the ends of their structs.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
headers=$here/..
case "${1:-}" in --write | '') ;; *) headers=$1 ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${CC:-gcc}" -g -O0 -std=c11 -fPIC -shared -I"$headers" "$here/surface.c" -o "$work/surface.so"
minor=$(sed -n 's/^#define TRELLIS_ABI_MINOR \([0-9]*\).*/\1/p' "$headers/trellis/plugin.h")
own=$here/baseline-1.$minor.xml

if [ "${1:-}" = --write ]; then
  abidw --no-comp-dir-path --no-corpus-path --short-locs "$work/surface.so" >"$own"
  exit
fi

abidiff "$work/surface.so" "$work/surface.so" >/dev/null # libabigail itself works here
[ -f "$own" ] || { echo "abi: version 1.$minor has no baseline; write one: plugin-api/abi/check.sh --write" >&2; exit 1; }
status=0
abidiff "$own" "$work/surface.so" >&2 || { echo "abi: the header differs from its own version, 1.$minor" >&2; status=1; }
for baseline in "$here"/baseline-1.*.xml; do
  [ "$baseline" = "$own" ] && continue
  abidiff --leaf-changes-only --harmless --redundant --no-added-syms "$baseline" "$work/surface.so" >"$work/changes" || true
  awk -v frozen='^trellis_(str|sink|error_sink|header)$' -f "$here/only_grown.awk" "$work/changes" >&2 ||
    { echo "abi: the header breaks $(basename "$baseline" .xml)" >&2; status=1; }
done
exit "$status"
