"""Ed25519, X25519 and NaCl boxes in plain Python (slow, only for checking), nkeys, and the NATS JWT form.

Written after RFC 8032 and RFC 7748. Python's standard library has none of them, and a dependency would make the check
something that people don't run.
"""

import base64
import hashlib
import hmac
import struct

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def _add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m, n = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar, point):
    out = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            out = _add(out, point)
        point = _add(point, point)
        scalar >>= 1
    return out


def _x_of(y, sign):
    if y >= P:
        return None
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if xx == 0:
        return None if sign else 0
    x = pow(xx, (P + 3) // 8, P)
    if x * x % P != xx:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != xx:
        return None
    return P - x if x & 1 != sign else x


_BY = 4 * pow(5, P - 2, P) % P
_BX = _x_of(_BY, 0)
BASE = (_BX, _BY, 1, _BX * _BY % P)


def _encode(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _secret(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & (1 << 254) - 8 | 1 << 254
    return a, h[32:]


def _hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def public_key(seed):
    return _encode(_times(_secret(seed)[0], BASE))


def sign(seed, message):
    a, prefix = _secret(seed)
    public = _encode(_times(a, BASE))
    r = _hash(prefix, message)
    point = _encode(_times(r, BASE))
    return point + ((r + _hash(point, public, message) * a) % L).to_bytes(32, "little")


def verify(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r, s = _decode(public), _decode(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    left = _times(s, BASE)
    right = _add(r, _times(_hash(signature[:32], public, message), a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def x25519(scalar, u=9):
    k = int.from_bytes(scalar, "little") & (1 << 254) - 8 | 1 << 254
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = (x2 + z2) % P, (x2 - z2) % P, (x3 + z3) % P, (x3 - z3) % P
        da, cb, aa, bb = d * a % P, c * b % P, a * a % P, b * b % P
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, (aa - bb) * (aa + 121665 * (aa - bb)) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


_QUARTERS = [(0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11),
             (0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)]


def _rounds(words):
    for _ in range(10):
        for a, b, c, d in _QUARTERS:
            for to, one, two, turn in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
                v = words[one] + words[two] & 0xFFFFFFFF
                words[to] ^= (v << turn | v >> 32 - turn) & 0xFFFFFFFF
    return words


def _words(key, middle):
    s, k, n = struct.unpack("<4I", b"expand 32-byte k"), struct.unpack("<8I", key), struct.unpack("<4I", middle)
    return [s[0], *k[:4], s[1], *n, s[2], *k[4:], s[3]]


def _hsalsa20(key, middle):
    w = _rounds(_words(key, middle))
    return struct.pack("<8I", w[0], w[5], w[10], w[15], *w[6:10])


def _xsalsa20(key, nonce, length):
    sub, out, counter = _hsalsa20(key, nonce[:16]), b"", 0
    while len(out) < length:
        start = _words(sub, nonce[16:] + struct.pack("<Q", counter))
        out += struct.pack("<16I", *(a + b & 0xFFFFFFFF for a, b in zip(start, _rounds(list(start)))))
        counter += 1
    return out[:length]


def _poly1305(key, data):
    r, s, acc = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF, key[16:], 0
    for i in range(0, len(data), 16):
        acc = (acc + int.from_bytes(data[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return (acc + int.from_bytes(s, "little") & 2**128 - 1).to_bytes(16, "little")


def _box_key(secret, public):
    return _hsalsa20(x25519(secret, int.from_bytes(public, "little") & (1 << 255) - 1), bytes(16))


def seal(secret, public, nonce, plain):
    stream = _xsalsa20(_box_key(secret, public), nonce, 32 + len(plain))
    body = bytes(a ^ b for a, b in zip(plain, stream[32:]))
    return b"xkv1" + nonce + _poly1305(stream[:32], body) + body


def open_sealed(secret, public, sealed):
    """None when it isn't one, or wasn't made for us by that sender."""
    if len(sealed) <= 28 or sealed[:4] != b"xkv1":
        return None
    nonce, tag, body = sealed[4:28], sealed[28:44], sealed[44:]
    stream = _xsalsa20(_box_key(secret, public), nonce, 32 + len(body))
    if not hmac.compare_digest(_poly1305(stream[:32], body), tag):
        return None
    return bytes(a ^ b for a, b in zip(body, stream[32:]))


# ---------------------------------------------------------------- nkeys

PREFIX = {"operator": 0x70, "account": 0x00, "user": 0xA0, "server": 0x68, "cluster": 0x10, "curve": 0xB8}
SEED = 0x90


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def _armoured(raw):
    return base64.b32encode(raw + struct.pack("<H", crc16(raw))).decode().rstrip("=")


def encode_public(prefix, key):
    return _armoured(bytes([prefix]) + key)


def encode_seed(prefix, seed):
    return _armoured(bytes([SEED | prefix >> 5, (prefix & 31) << 3]) + seed)


def _unarmoured(text):
    if not text or set(text) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"):
        return None
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        return None
    if len(raw) < 4 or struct.pack("<H", crc16(raw[:-2])) != raw[-2:] or _armoured(raw[:-2]) != text:
        return None
    return raw[:-2]


def decode_public(text):
    """(prefix, key) or None."""
    raw = _unarmoured(text)
    if raw is None or len(raw) != 33 or raw[0] not in (*PREFIX.values(), 0x78):
        return None
    return raw[0], raw[1:]


def decode_seed(text):
    """(prefix, seed) or None."""
    raw = _unarmoured(text)
    if raw is None or len(raw) != 34 or raw[0] & 0xF8 != SEED:
        return None
    prefix = (raw[0] & 7) << 5 | raw[1] >> 3
    return (prefix, raw[2:]) if prefix in PREFIX.values() else None


def nkey_public(prefix, seed):
    return encode_public(prefix, x25519(seed) if prefix == PREFIX["curve"] else public_key(seed))
