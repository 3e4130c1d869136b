#!/usr/bin/env python3
"""Writes schema_idna_tables.cpp: what RFC 5892 and RFC 5893 need to know of each character of a U-label.

Run by hand when a newer Unicode version is wanted (that of this Python is used); the result is committed.
"""
import sys
import unicodedata

PVALID = {0xDF, 0x3C2, 0x6FD, 0x6FE, 0xF0B, 0x3007}  # RFC 5892 section 2.6
DISALLOWED = {0x640, 0x7FA, 0x302E, 0x302F, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035, 0x303B}
CONTEXT = {0xB7, 0x375, 0x5F3, 0x5F4, 0x30FB, 0x200C, 0x200D, *range(0x660, 0x66A), *range(0x6F0, 0x6FA)}
IGNORABLE = [(0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
             (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F),
             (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A),
             (0xE0000, 0xE0FFF)]
BLOCKS = [(0x20D0, 0x20FF), (0x1D100, 0x1D1FF), (0x1D200, 0x1D24F)]  # RFC 5892 section 2.7
OLD_HANGUL = [(0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF)]


def inside(c, ranges):
    return any(first <= c <= last for first, last in ranges)


def is_stable(text):
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded == text


def is_pvalid(c):
    if c in PVALID:
        return True
    if c in DISALLOWED or c in CONTEXT or c < 0x80 or 0xD800 <= c <= 0xDFFF:
        return False
    text = chr(c)
    if inside(c, IGNORABLE) or inside(c, BLOCKS) or inside(c, OLD_HANGUL) or not is_stable(text):
        return False
    return unicodedata.category(text) in {"Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"}


def kind(c):
    if not is_pvalid(c):
        return None
    text = chr(c)
    bidi = unicodedata.bidirectional(text)
    if unicodedata.combining(text) == 9:
        return "virama"
    if unicodedata.category(text) == "Mc":
        return "spacing"
    if unicodedata.category(text) == "Mn":
        return "mark"
    return {"R": "right", "AL": "right", "AN": "arabic_number", "ON": "neutral"}.get(bidi, "left")


def ranges():
    """[first, last, stride, kind]; a stride of 2 covers the many scripts that alternate upper and lower case."""
    out = []
    for c in range(0x80, 0x110000):
        k = kind(c)
        if k is None:
            continue
        at = out[-1] if out else None
        if at and at[3] == k and c == at[1] + at[2]:
            at[1] = c
        elif at and at[3] == k and at[0] == at[1] and c == at[1] + 2:
            at[1], at[2] = c, 2
        else:
            out.append([c, c, 1, k])
    return out


def main():
    entries = [f"{{0x{first:X}, 0x{last:X}, {stride}, {k}}}," for first, last, stride, k in ranges()]
    print("// Written by schema_idna_tables.py from Unicode", unicodedata.unidata_version + ". Don't edit.")
    print('#include "contracts/schema_idna.h"\n')
    print("namespace trellis::schema {\nnamespace {\n\nusing enum LabelCharacter;\n")
    print("// clang-format off\nconstexpr LabelRange kRanges[] = {")
    line = " "
    for entry in entries:
        if len(line) + len(entry) > 118:
            print(line)
            line = " "
        line += " " + entry
    print(line + "\n};\n// clang-format on\n\n} // namespace\n")
    print("std::span<const LabelRange> label_ranges() { return kRanges; }\n\n} // namespace trellis::schema")


if __name__ == "__main__":
    sys.exit(main())
