#!/usr/bin/env python3
"""The host stays small: its own code has at most 3,500 lines, without blank lines, comments and tests.

What isn't the host's alone belongs in a library of the SDK. Usage: host_budget.py FOLDER; fails above the budget.
"""
import pathlib
import sys

BUDGET = 3500


def code_lines(text):
    count, inside_comment = 0, False
    for line in text.splitlines():
        line = line.strip()
        if inside_comment:
            inside_comment = "*/" not in line
            continue
        if line.startswith("/*"):
            inside_comment = "*/" not in line
            continue
        if line and not line.startswith("//"):
            count += 1
    return count


def is_own(path):
    return path.suffix in (".h", ".cpp") and not path.stem.endswith(("_test", "_testing"))


def main():
    files = [path for path in sorted(pathlib.Path(sys.argv[1]).iterdir()) if is_own(path)]
    sizes = {path.name: code_lines(path.read_text(encoding="utf-8")) for path in files}
    total = sum(sizes.values())
    if not sizes:
        sys.exit("no sources there")
    for name, size in sorted(sizes.items(), key=lambda entry: -entry[1]):
        print(f"{size:6} {name}")
    print(f"{total:6} of {BUDGET}")
    return 1 if total > BUDGET else 0


if __name__ == "__main__":
    sys.exit(main())
