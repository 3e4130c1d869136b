#!/usr/bin/env python3
"""The portal's pages as one C++ file: a lookup from the path below a portal folder to the content.

  embed.py OUTPUT.cpp FILE...

200.html answers every page; everything else is an asset. String literals in short pieces, because compilers need not
take long ones.
"""

import os
import sys


def path_of(name):
    return "/" + name if name == "200.html" else "/_trellis/assets/" + name


def literal(data):
    out = ['"']
    for byte in data:
        char = chr(byte)
        out.append(char if 32 <= byte < 127 and char not in '"\\?' else f"\\{byte:03o}")
    return "".join(out) + '"'


def main(output, names):
    with open(output, "w", encoding="ascii") as file:
        file.write('#include "portal_builtin.h"\n\nnamespace trellis::auth {\n\n')
        file.write("std::optional<std::string_view> builtin_portal_file(std::string_view path) {\n")
        for name in names:
            with open(name, "rb") as source:
                data = source.read()
            file.write(f"  static constexpr char k{names.index(name)}[] =\n")
            for at in range(0, max(len(data), 1), 96):
                file.write(f"    {literal(data[at : at + 96])}\n")
            file.write("    ;\n")
            file.write(f'  if (path == "{path_of(os.path.basename(name))}")\n')
            file.write(f"    return std::string_view(k{names.index(name)}, {len(data)});\n")
        file.write("  return std::nullopt;\n}\n\n} // namespace trellis::auth\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
