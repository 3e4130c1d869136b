#!/usr/bin/env python3
"""A text file as a C++ function: embed_text.py OUTPUT.cpp INPUT NAMESPACE FUNCTION. Bytes, because literals have a largest length."""

import sys


def main(output, path, namespace, function):
    with open(path, "rb") as file:
        data = file.read()
    rows = [data[at : at + 32] for at in range(0, len(data), 32)]
    with open(output, "w", encoding="ascii") as file:
        file.write("#include <string_view>\n\nnamespace {\n")
        file.write(f"constexpr unsigned char kText[{len(data)}] = {{\n")
        for row in rows:
            file.write(",".join(str(byte) for byte in row) + ",\n")
        file.write(f"}};\n}} // namespace\n\nnamespace {namespace} {{\n")
        file.write(f"std::string_view {function}();\n")
        file.write(f"std::string_view {function}() {{\n")
        file.write(f"  return {{reinterpret_cast<const char *>(kText), sizeof kText}};\n}}\n}} // namespace {namespace}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
