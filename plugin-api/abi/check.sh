#!/usr/bin/env bash
# Compares the ABI's layouts with the stored baseline.  check.sh [--write]  writes a new one (a new minor version).
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -g -O0 -std=c11 -fPIC -shared surface.c -o "$work/surface.so"
if [ "${1:-}" = --write ]; then
  abidw --no-comp-dir-path --no-corpus-path --short-locs "$work/surface.so" >baseline.xml
else
  abidiff --no-added-syms "$work/surface.so" "$work/surface.so" >/dev/null # libabigail itself works here
  abidiff baseline.xml "$work/surface.so"
fi
