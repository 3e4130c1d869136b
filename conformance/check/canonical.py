"""Canonical JSON and digests, written from the rules and from nothing else.

The point of this folder is a second opinion: it shares no code and no library with the C++ implementation, so a value
that both produce is a value of the rules. Python's own float repr gives the shortest round-trip digits; the rest is
text handling.
"""

import base64
import hashlib
import json
import re
from decimal import Decimal


class NonCanonicalNumber(Exception):
    """Negative zero or a number beyond the doubles."""


class NegativeZero(float):
    """Keeps "-0" apart from 0, which Python's int would lose."""


def _parse_int(text):
    return NegativeZero("-0.0") if text == "-0" else float(text)


def parse(text):
    """JSON text to values: doubles only, the last of equal members wins, members in document order."""
    return json.loads(text, parse_int=_parse_int, parse_float=float)


def utf16_key(text):
    """Sorting by this is sorting by UTF-16 code units."""
    return text.encode("utf-16-be", "surrogatepass")


_ARRAY_INDEX = re.compile(r"^(0|[1-9][0-9]{0,9})$")


def document_order(names):
    """Names that are array indexes come first, ascending; the others in the order of the text."""
    index = [n for n in names if _ARRAY_INDEX.match(n) and int(n) < 4294967295]
    return sorted(index, key=int) + [n for n in names if n not in set(index)]


def number(value):
    value = float(value)
    if value != value or value in (float("inf"), float("-inf")):
        raise NonCanonicalNumber("not finite")
    if value == 0:
        if str(value).startswith("-"):
            raise NonCanonicalNumber("negative zero")
        return "0"
    sign, digits, exponent = Decimal(repr(abs(value))).normalize().as_tuple()
    del sign
    digits = "".join(map(str, digits))
    k, n = len(digits), len(digits) + exponent
    if k <= n <= 21:
        text = digits + "0" * (n - k)
    elif 0 < n <= 21:
        text = digits[:n] + "." + digits[n:]
    elif -6 < n <= 0:
        text = "0." + "0" * -n + digits
    else:
        text = digits[0] + ("." + digits[1:] if k > 1 else "") + "e" + ("+" if n > 0 else "-") + str(abs(n - 1))
    return ("-" if value < 0 else "") + text


_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def string(text):
    out = []
    for c in text:
        if c in _SHORT:
            out.append(_SHORT[c])
        elif ord(c) < 0x20 or 0xD800 <= ord(c) <= 0xDFFF:
            out.append("\\u%04x" % ord(c))
        else:
            out.append(c)
    return '"' + "".join(out) + '"'


def canonical(value, zero_for_negative_zero=False):
    """zero_for_negative_zero: as the signed texts of logins and logouts want it."""
    def write(v):
        if v is None or v is True or v is False:
            return {None: "null", True: "true", False: "false"}[v]
        if isinstance(v, str):
            return string(v)
        if isinstance(v, (int, float)):
            return "0" if zero_for_negative_zero and v == 0 else number(v)
        if isinstance(v, list):
            return "[" + ",".join(map(write, v)) + "]"
        return "{" + ",".join(string(n) + ":" + write(v[n]) for n in sorted(v, key=utf16_key)) + "}"
    return write(value)


def b64u(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64u(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode("utf-8")).digest()


def digest(text):
    return b64u(sha256(text))
