#!/usr/bin/env bash
# Builds the frozen plugin of one minor version from the sources and the header in its folder:  build.sh 1.0
#
# Run once, while that minor is the newest; the result is committed and never built again: a binary that changes proves
# nothing about the ones that others have. So this refuses a folder that has one, unless --again is given.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/${1:?which minor version: 1.0}"
[ ! -f service.so ] || [ "${2:-}" = --again ] || { echo "$1 is frozen" >&2; exit 1; }
[ "$(uname -m)" = x86_64 ] || { echo "frozen binaries are for x86-64" >&2; exit 1; }
"${CC:-gcc}" -std=gnu11 -Os -fPIC -shared -fvisibility=hidden -ffunction-sections -fno-asynchronous-unwind-tables \
  -Wall -Wextra -I. service.c -o service.so -pthread -s \
  -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,max-page-size=4096
sha256sum service.so >SHA256SUMS
