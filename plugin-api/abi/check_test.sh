#!/usr/bin/env bash
# Proves that check.sh refuses what it is there to refuse: copies of the header with one thing wrong each.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# A copy of the header in which `from`, a line or several, is `to`. `minor`: what version the copy says it is.
changed() { # minor from to
  rm -rf "$work/trellis"
  cp -r "$here/../trellis" "$work/trellis"
  TEXT_FROM=$2 TEXT_TO=$3 MINOR=$1 python3 - "$work/trellis/plugin.h" <<'P'
import os, re, sys
path = sys.argv[1]
text = open(path, encoding="utf-8").read()
assert text.count(os.environ["TEXT_FROM"]) == 1, "the header has this text no more: " + os.environ["TEXT_FROM"]
text = text.replace(os.environ["TEXT_FROM"], os.environ["TEXT_TO"])
text = re.sub(r"(#define TRELLIS_ABI_MINOR) \d+", r"\1 " + os.environ["MINOR"], text)
open(path, "w", encoding="utf-8").write(text)
P
}
say() { printf '%s %s\n' "$1" "$2"; [ "$1" = ok ] || failed=1; }
refused() { if "$here/check.sh" "$work" >/dev/null 2>&1; then say FAILED "passed: $1"; else say ok "refused: $1"; fi; }

# Against its own minor nothing may differ; against an older one, only the end of a struct. `older_only` tries a change
# as the header of a minor that has a baseline equal to it, so that only the older baselines can object.
older_only() { # name from to: verdict of the older baselines
  changed "$next" "$2" "$3"
  mkdir -p "$work/abi"
  cp "$here"/{check.sh,only_grown.awk,surface.c} "$here"/baseline-*.xml "$work/abi/"
  "$work/abi/check.sh" --write
  "$work/abi/check.sh" >"$work/words" 2>&1
}
grows() { if older_only "$@"; then say ok "grows: $1"; else say FAILED "refused: $1"; cat "$work/words"; fi; }
breaks() { if older_only "$@"; then say FAILED "passed: $1"; else say ok "refused: $1"; fi; }

latest=$(sed -n 's/^#define TRELLIS_ABI_MINOR \([0-9]*\).*/\1/p' "$here/../trellis/plugin.h")
next=$((latest + 1))

end_of_host='void *context);
} trellis_host;'
changed "$latest" "$end_of_host" "void *context);
  void *more;
} trellis_host;"
refused "a field more in the same minor version"
changed "$next" "$end_of_host" "$end_of_host"
refused "a new minor version without a baseline"

grows "a field at the end of a struct that the host makes" "$end_of_host" "void *context);
  void *more;
} trellis_host;"
grows "a field at the end of a struct that the plugin makes" 'const void *(*get_extension)(void *self, trellis_str id);
} trellis_plugin;' 'const void *(*get_extension)(void *self, trellis_str id);
  trellis_str more;
} trellis_plugin;'
breaks "a field in the middle" '  uint32_t abi_minor;
  void *self;' '  uint32_t abi_minor;
  void *inserted;
  void *self;'
breaks "a field that is gone" '  trellis_rpc_fn rpc;      /* for TRELLIS_SURFACE_RPC */
' ''
breaks "two fields that changed places" '  trellis_str type;    /* "UnexpectedError", "ValidationError", a type that the contract declares ... */
  trellis_str message; /* for people */' '  trellis_str message;
  trellis_str type;'
breaks "a field of another type" '  uint32_t timeout_ms;     /* 0: 3000 */' '  int32_t timeout_ms;'
breaks "another parameter" 'trellis_status (*release)(void *self, trellis_call call);' \
  'trellis_status (*release)(void *self, trellis_call call, int more);'
breaks "another return value" 'trellis_status (*config)(void *self, trellis_sink out);' 'void (*config)(void *self, trellis_sink out);'
breaks "another function type" 'typedef void (*trellis_rpc_fn)(void *self, const trellis_request *request);' \
  'typedef void (*trellis_rpc_fn)(void *self, const trellis_error *request);'
breaks "a frozen type that grew" '  size_t size; /* bytes */' '  size_t size;
  size_t capacity;'
breaks "a status of another width" 'typedef int32_t trellis_status;' 'typedef int64_t trellis_status;'
breaks "a handle of another width" 'typedef uint64_t trellis_call;' 'typedef uint32_t trellis_call;'
exit "$failed"
