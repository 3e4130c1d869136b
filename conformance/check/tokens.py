"""NATS keys, JWTs and sealed payloads."""

import base64
import hashlib
import json

import keys
from canonical import b64u, unb64u
from proofs import compact


def nkey_from_seed(given, expected):
    del expected
    prefix, seed = keys.PREFIX[given["type"]], bytes.fromhex(given["rawSeedHex"])
    public = keys.nkey_public(prefix, seed)
    return {"seed": keys.encode_seed(prefix, seed), "publicKey": public, "prefixByte": prefix,
            "rawPublicKeyHex": keys.decode_public(public)[1].hex()}


def decode_public(given, expected):
    del expected
    ok = keys.decode_public(given["text"]) is not None
    return {"ok": ok} | ({"publicKey": given["text"]} if ok else {})


def decode_seed(given, expected):
    del expected
    found = keys.decode_seed(given["text"])
    return {"ok": False} if found is None else {"ok": True, "prefixByte": found[0], "rawSeedHex": found[1].hex()}


def nonce_signature(given, expected):
    del expected
    sig = keys.sign(keys.decode_seed(given["seed"])[1], given["nonce"].encode())
    return {"signatureHex": sig.hex(), "connectSigBase64url": b64u(sig),
            "connectSigBase64": base64.b64encode(sig).decode()}


HEADER = '{"typ":"JWT","alg":"ed25519-nkey"}'


def jwt(given, expected):
    """From the expected claims text: its jti, the signature over it, the token around it."""
    claims = json.loads(expected["claimsJson"])
    jti = claims.pop("jti")
    unsigned = compact(claims)
    prefix, seed = keys.decode_seed(given.get("signingSeed") or given["operatorSeed"])
    chunks = b64u(HEADER.encode()) + "." + b64u(expected["claimsJson"].encode())
    sig = b64u(keys.sign(seed, chunks.encode()))
    out = {"headerJson": HEADER, "jti": base64.b64encode(hashlib.sha512(unsigned.encode()).digest()).decode(),
           "signatureBase64url": sig, "token": chunks + "." + sig}
    if jti != out["jti"] or claims["iss"] != keys.nkey_public(prefix, seed):
        raise ValueError("claimsJson has another jti or iss")
    return out


def jwt_verify(given, expected):
    del expected
    chunks = given["token"].split(".")
    if len(chunks) != 3:
        return {"valid": False}
    try:
        header, claims = (json.loads(unb64u(c)) for c in chunks[:2])
        issuer = keys.decode_public(claims["iss"])
        sig = unb64u(chunks[2])
    except (ValueError, KeyError, TypeError):
        return {"valid": False}
    kind, algorithm = header.get("typ"), header.get("alg")
    if kind not in ("JWT", "jwt") or algorithm not in ("ed25519-nkey", "ed25519") or issuer is None:
        return {"valid": False}
    text = chunks[1] if algorithm == "ed25519" else ".".join(chunks[:2])
    return {"valid": keys.verify(issuer[1], text.encode(), sig)}


def xkey_seal(given, expected):
    del expected
    seed = keys.decode_seed(given["senderSeed"])[1]
    sealed = keys.seal(seed, keys.decode_public(given["recipientPublic"])[1], bytes.fromhex(given["nonceHex"]),
                       bytes.fromhex(given["plaintextHex"]))
    return {"senderPublic": keys.nkey_public(keys.PREFIX["curve"], seed), "sealedHex": sealed.hex(),
            "sealedLength": len(sealed)}


def xkey_open(given, expected):
    del expected
    sender, seed = keys.decode_public(given["senderPublic"]), keys.decode_seed(given["recipientSeed"])
    if sender is None or sender[0] != keys.PREFIX["curve"]:
        return {"ok": False}
    plain = keys.open_sealed(seed[1], sender[1], bytes.fromhex(given["sealedHex"]))
    return {"ok": False} if plain is None else {"ok": True, "plaintextHex": plain.hex()}
