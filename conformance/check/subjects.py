"""Event subject templates: expansion, wildcard form, token encoding."""

import re

from canonical import number

_SPACE = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_ESCAPED = re.compile("[\0.*>~" + _SPACE + "]")
_TOKEN = re.compile(r"\{([^}]+)\}")


def encode(text):
    out = _ESCAPED.sub(lambda m: "~%X~" % ord(m[0]), text)
    return "_" + out if not out or out[0] == "$" else out


def decode(token):
    out = re.sub(r"~([0-9A-F]{1,6})~", lambda m: chr(int(m[1], 16)) if int(m[1], 16) < 0x110000 else m[0], token)
    return out[1:] if out.startswith("_$") else out


def text_of(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "0" if value == 0 else number(value)


def lookup(value, pointer):
    """None when it is missing or null."""
    segments = [s.replace("~1", "/").replace("~0", "~") for s in pointer.split("/")]
    if segments[0] == "":
        segments = segments[1:]
    for segment in segments:
        if segment in ("__proto__", "constructor", "prototype"):
            return None
        if isinstance(value, list):
            index = int(segment) if re.fullmatch("0|[1-9][0-9]*", segment) else len(value)
            value = value[index] if index < len(value) else None
        elif isinstance(value, dict):
            value = value.get(segment)
        else:
            return None
    return value


def wildcard(template):
    return _TOKEN.sub("*", template)


def expand(mode, template, payload):
    """(subject, None), or (None, pointer of the first missing value)"""
    if mode == "publish":
        for pointer in _TOKEN.findall(template):
            if lookup(payload, pointer) is None:
                return None, pointer

    def fill(match):
        value = lookup(payload, match[1])
        return "*" if mode == "filter" and value in (None, "*") else encode(text_of(value))
    return _TOKEN.sub(fill, template), None
