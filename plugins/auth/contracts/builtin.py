#!/usr/bin/env python3
"""The built-in contracts as one C file: a JSON array of the manifests given, in section .trellis.contract.

  builtin.py OUTPUT.c MANIFEST.json...

The host reads the section without loading the plugin (ARCHITECTURE section 3); the control plane reads the same bytes
as its built-in contracts, so that what was inspected is what is served. Bytes instead of one string literal, because
compilers need not take literals of this length; instead of .incbin, because that would hide the file from ccache.
"""

import json
import sys

LIMIT = 4 * 1024 * 1024  # of a contract section
HIDDEN = 'extern __attribute__((visibility("hidden")))'  # no symbol of the plugin


def manifest(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main(output, paths):
    array = [manifest(path) for path in paths]
    text = json.dumps(array, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    if len(text) > LIMIT:
        sys.exit(f"{len(text)} bytes of manifests are more than a contract section may hold ({LIMIT})")
    rows = [text[at : at + 32] for at in range(0, len(text), 32)]
    with open(output, "w", encoding="ascii") as file:
        file.write('#include "trellis/plugin.h"\n\n')
        file.write(f"{HIDDEN} const unsigned char trellis_auth_builtin_manifests[];\n")
        file.write(f"{HIDDEN} const size_t trellis_auth_builtin_manifests_size;\n\n")
        file.write('__attribute__((section(".trellis.contract"), used TRELLIS_RETAIN))\n')
        file.write(f"const unsigned char trellis_auth_builtin_manifests[{len(text)}] = {{\n")
        for row in rows:
            file.write(",".join(str(byte) for byte in row) + ",\n")
        file.write("};\n")
        file.write(f"const size_t trellis_auth_builtin_manifests_size = {len(text)};\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
