"""One function per kind: recomputes those members of `expected` that arithmetic alone decides.

A function gets a case's input (and expected, to see which way a case goes) and returns the members that it computed;
__main__ compares them. Kinds without a function here are decided by rules that need more than arithmetic.
"""

import base64
import hashlib
import hmac
import json
import re
import struct

import keys
import subjects
from canonical import NonCanonicalNumber, b64u, canonical, digest, parse, sha256, unb64u
from manifest import merge, texts_of

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def manifest_of(given):
    return parse(given["manifestText"]) if "manifestText" in given else given["manifest"]


# ---------------------------------------------------------------- contracts

def canonical_json(given, expected):
    del expected
    try:
        text = canonical(parse(given["text"]))
    except NonCanonicalNumber:
        return {"error": "non_canonical_number"}
    return {"canonical": text, "digest": digest(text)}


def contract_digest(given, expected):
    del expected
    _, projection, value = texts_of(manifest_of(given))
    return {"projection": projection, "digest": value}


def validate(given, expected):
    if not expected["valid"]:
        return {}
    normalized, _, value = texts_of(manifest_of(given))
    return {"normalized": normalized, "digest": value}


def install(given, expected):
    return {"digest": texts_of(manifest_of(given))[2]} if expected["valid"] else {}


def schemas(given, expected):
    del expected
    merged = merge(given["left"], given["right"])
    return {"compatible": merged is not None} | ({} if merged is None else {"merged": canonical(merged)})


def expand(given, expected):
    del expected
    subject, missing = subjects.expand(given["mode"], given["template"], parse(given["payloadText"]))
    return {"subject": subject} if missing is None else {"error": "missing_template_value", "path": missing}


def wildcard(given, expected):
    del expected
    return {"subject": subjects.wildcard(given["template"])}


def token(given, expected):
    del expected
    encoded = subjects.encode(given["value"])
    decoded = subjects.decode(encoded)
    return {"token": encoded, "decoded": decoded, "roundTrips": decoded == given["value"]}


def analyze(given, expected):
    return {"contract": {"id": given["contract"]["id"], "kind": given["contract"]["kind"],
                         "digest": texts_of(given["contract"])[2]}} if "contract" in expected else {}


def approval_plan(given, expected):
    """Permissions of a user: only the digest in `approval` is arithmetic."""
    if "approval" not in expected:
        return {}
    return {"approval": expected["approval"] | {"contractDigest": texts_of(given["contract"])[2]}}


# ---------------------------------------------------------------- proofs

def domain(seed, name, value):
    text = name + ":" + value
    hashed = sha256(text)
    return {"sessionKey": b64u(keys.public_key(unb64u(seed))), "signedString": text, "digestHex": hashed.hex(),
            "sig": b64u(keys.sign(unb64u(seed), hashed))}


def session_key(given, expected):
    del expected
    seed = unb64u(given["seed"])
    if len(seed) != 32:
        return {"error": "invalid_seed_length"}
    key = b64u(keys.public_key(seed))
    return {"sessionKey": key, "inboxPrefix": "_INBOX." + key[:16], "operationsBucket": "trellis_operations_" + key[:16]}


def connect_token(given, **signed):
    key, iat, contract = signed["sessionKey"], given["iat"], given["contractDigest"]
    typescript = {"v": 1, "sessionKey": key, "iat": iat, "contractDigest": contract, "sig": signed["sig"]}
    return typescript, {n: typescript[n] for n in sorted(typescript)}


def nats_connect(given, expected):
    del expected
    out = domain(given["seed"], "nats-connect", "%s:%s" % (compact(given["iat"]), given["contractDigest"]))
    typescript, alphabetical = connect_token(given, **out)
    return out | {"tokenTypescriptOrder": compact(typescript), "tokenAlphabeticalOrder": compact(alphabetical)}


def login_text(request):
    presented = request["contract"] if "contract" in request else request["contractDigest"]
    return ":".join([request["redirectTo"], request.get("provider", ""), canonical(presented, True),
                     canonical(request.get("context"), True)])


def oauth_init(given, expected):
    del expected
    return domain(given["seed"], "oauth-init", login_text(given))


def bind_flow(given, expected):
    del expected
    return domain(given["seed"], "bind-flow", given["flowId"])


def bootstrap_client(given, expected):
    del expected
    return domain(given["seed"], "bootstrap-client", canonical(given["iat"]))


def logout_text(request):
    signed = ("iat", "providerLogout", "federatedProviderLogout", "returnTo", "responseMode")
    return canonical({n: request[n] for n in signed if n in request}, True)


def logout_session(given, expected):
    del expected
    return domain(given["seed"], "logout-session", logout_text(given)) | {"canonicalPayload": logout_text(given)}


def domain_signature(given, expected):
    del expected
    kind = given["kind"]
    if kind == "auth-start":
        out = domain(given["seed"], "oauth-init", login_text(given["request"]))
    elif kind == "logout":
        out = domain(given["seed"], "logout-session", logout_text(given["request"]))
    elif kind == "bind-flow":
        out = domain(given["seed"], kind, given["flowId"])
    elif kind == "bootstrap-client":
        out = domain(given["seed"], kind, canonical(given["iat"]))
    else:
        out = domain(given["seed"], kind, canonical(given["iat"]) + ":" + given["contractDigest"])
    out["signedText"] = out.pop("signedString")
    return out


def lenient(text, size):
    """Both alphabets, padding and stray trailing bits are taken; None when it can't be `size` bytes."""
    bare = text.rstrip("=").replace("+", "-").replace("/", "_")
    if not re.fullmatch("[A-Za-z0-9_-]*", bare) or len(bare) % 4 == 1:
        return None
    raw = unb64u(bare)
    return raw if len(raw) == size else None


def verified(key, hashed, sig):
    key, sig = lenient(key, 32), lenient(sig, 64)
    return key is not None and sig is not None and keys.verify(key, hashed, sig)


def domain_verify(given, expected):
    del expected
    hashed = sha256(given["prefix"] + ":" + given["value"])
    return {"valid": verified(given["sessionKey"], hashed, given["sig"])}


def lp(*parts):
    raw = [p if isinstance(p, bytes) else p.encode() for p in parts]
    return b"".join(struct.pack(">I", len(p)) + p for p in raw)


def rpc_proof(given, expected):
    del expected
    payload = bytes.fromhex(given["payloadHex"]) if "payloadHex" in given else given["payloadUtf8"].encode()
    seed = unb64u(given["seed"])
    key = b64u(keys.public_key(seed))
    text = lp(key, given["subject"], sha256(payload), canonical(given["iat"]), given["requestId"])
    return {"sessionKey": key, "payloadHash": b64u(sha256(payload)), "proofInputHex": text.hex(),
            "proofInputLength": len(text), "digestHex": sha256(text).hex(), "proof": b64u(keys.sign(seed, sha256(text)))}


def rpc_proof_verify(given, expected):
    del expected
    payload = lenient(given["payloadHash"], 32)
    if payload is None:
        return {"valid": False}
    text = lp(given["sessionKey"], given["subject"], payload, canonical(given["iat"]), given["requestId"])
    return {"valid": verified(given["sessionKey"], sha256(text), given["proof"])}


def client_request(given, expected):
    """rpc-wire: the proof covers exactly the payload that `expected` shows."""
    if "payload" not in expected:
        return {}
    proof = rpc_proof({"seed": given["sessionSeed"], "subject": expected["subject"], "requestId": given["requestId"],
                       "payloadUtf8": expected["payload"], "iat": given["iat"]}, None)
    return {"payloadSha256": proof["payloadHash"],
            "replyPrefix": "_INBOX." + proof["sessionKey"][:16] + ".",
            "headers": {"session-key": proof["sessionKey"], "proof": proof["proof"], "iat": canonical(given["iat"]),
                        "request-id": given["requestId"]}}


# ---------------------------------------------------------------- devices

def hkdf(root, info):
    prk = hmac.new(bytes(32), root, "sha256").digest()
    return hmac.new(prk, info.encode() + b"\1", "sha256").digest()


def instance(prefix, key):
    return prefix + b64u(sha256(key))[:22]


def qr_mac(activation, key, nonce):
    return b64u(hmac.new(activation, ("trellis-device-qr/v1" + key + nonce).encode(), "sha256").digest()[:8])


def confirmation_code(activation, key, nonce):
    raw = hmac.new(activation, ("trellis-device-confirm/v1" + key + nonce).encode(), "sha256").digest()[:5]
    bits = int.from_bytes(raw, "big")
    return "".join(CROCKFORD[bits >> shift & 31] for shift in range(35, -1, -5))


def code_matches(given):
    def plain(code):
        return code.strip().upper().replace("O", "0").replace("I", "1").replace("L", "1")
    activation = unb64u(given.get("activationKey") or given["activationKeyBase64url"])
    code = confirmation_code(activation, given["publicIdentityKey"], given["nonce"])
    return plain(given["confirmationCode"]) == plain(code)


def confirmation_verify(given, expected):
    del expected
    return {"valid": code_matches(given)}


def device(root, nonce):
    seed, activation = hkdf(root, "trellis/device-identity/v1"), hkdf(root, "trellis/device-activate/v1")
    key = b64u(keys.public_key(seed))
    payload = {"v": 1, "publicIdentityKey": key, "nonce": nonce, "qrMac": qr_mac(activation, key, nonce)}
    return seed, activation, key, payload


def device_derivation(given, expected):
    del expected
    seed, activation, key, payload = device(unb64u(given["rootSecret"]), given["nonce"])
    return {"identitySeed": b64u(seed), "publicIdentityKey": key, "activationKey": b64u(activation),
            "qrMac": payload["qrMac"], "encodedPayload": b64u(compact(payload).encode()),
            "confirmationCode": confirmation_code(activation, key, given["nonce"]), "instanceId": instance("dev_", key)}


def device_proof(seed, key, flow, nonce, iat, contract):
    text = lp(flow, key, nonce, canonical(iat), contract)
    return {"proofInputHex": text.hex(), "digestHex": sha256(text).hex(), "sig": b64u(keys.sign(seed, sha256(text)))}


def device_wait(given, expected):
    out = device_proof(unb64u(given["identitySeed"]), given["publicIdentityKey"], given.get("flowId", "connect-info"),
                       given.get("nonce", "connect-info"), given["iat"], given["contractDigest"])
    return {n: v for n, v in out.items() if n in expected}


def device_full(given, expected):
    del expected
    seed, activation, key, payload = device(bytes.fromhex(given["rootSecretHex"]), given["nonce"])
    common = {"publicIdentityKey": key, "contractDigest": given["contractDigest"], "iat": given["iat"]}
    wait = device_proof(seed, key, given["flowId"], given["nonce"], given["iat"], given["contractDigest"])
    info = device_proof(seed, key, "connect-info", "connect-info", given["iat"], given["contractDigest"])
    connect = domain(b64u(seed), "nats-connect", canonical(given["iat"]) + ":" + given["contractDigest"])
    return {"identitySeedHex": seed.hex(), "identitySeedBase64url": b64u(seed), "publicIdentityKey": key,
            "activationKeyHex": activation.hex(), "activationKeyBase64url": b64u(activation),
            "instanceId": instance("dev_", key), "qrMac": payload["qrMac"], "payload": payload,
            "payloadJson": compact(payload), "payloadBase64url": b64u(compact(payload).encode()),
            "confirmationCode": confirmation_code(activation, key, given["nonce"]),
            "waitProofInputHex": wait["proofInputHex"], "waitProofDigestHex": wait["digestHex"],
            "waitRequest": common | {"flowId": given["flowId"], "nonce": given["nonce"], "sig": wait["sig"]},
            "connectInfoRequest": common | {"sig": info["sig"]},
            "natsAuthToken": {"v": 1, "sessionKey": key, "iat": given["iat"], "sig": connect["sig"],
                              "contractDigest": given["contractDigest"]}}


def mac(given, expected):
    del expected
    activation = unb64u(given["activationKeyBase64url"])
    if not activation:
        return {"error": "empty_secret"}
    return {"qrMac": qr_mac(activation, given["publicIdentityKey"], given["nonce"]),
            "confirmationCode": confirmation_code(activation, given["publicIdentityKey"], given["nonce"])}


def wait_signature(given, expected):
    del expected
    r = given["request"]
    text = lp(r["flowId"], r["publicIdentityKey"], r["nonce"], canonical(r["iat"]), r["contractDigest"])
    return {"valid": verified(r["publicIdentityKey"], sha256(text), r["sig"])}


def instance_ids(given, expected):
    del expected
    return {"deviceInstanceId": instance("dev_", given["key"]), "serviceInstanceId": instance("svc_", given["key"])}


def principal_ids(given, expected):
    del expected
    key = given["sessionKey"]
    return {"serviceTrellisId": b64u(sha256("service:" + key))[:22], "serviceInstanceId": instance("svc_", key),
            "deviceInstanceId": instance("dev_", key)}


def connection_key(given, expected):
    del expected
    return {"key": ".".join([given["sessionKey"], "b64_" + b64u(given["scopeId"].encode()), given["userNkey"]])}


def hash_of(given, expected):
    del expected
    return {"hash": b64u(sha256(given["value"]))}


def identity_id(given, expected):
    del expected
    return {"identityId": "idn_" + b64u((given["provider"] + ":" + given["subject"]).encode())}


# ---------------------------------------------------------------- nkeys, JWT, xkey

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
    return {"signatureHex": sig.hex(), "connectSigBase64url": b64u(sig), "connectSigBase64": base64.b64encode(sig).decode()}


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


KINDS = {
    "canonical-json": {"canonical-json": canonical_json},
    "contract-digest": {"digest": contract_digest},
    "manifest-validation": {"validate": validate, "install": install},
    "compatibility": {"schemas": schemas},
    "event-subjects": {"expand": expand, "wildcard": wildcard, "token": token},
    "authority-plan": {"analyze": analyze},
    "permissions": {"user": approval_plan},
    "auth-proofs": {"session-key": session_key, "nats-connect": nats_connect, "oauth-init": oauth_init,
                    "bind-flow": bind_flow, "bootstrap-client": bootstrap_client, "logout-session": logout_session,
                    "domain-verify": domain_verify, "rpc-proof": rpc_proof, "rpc-proof-verify": rpc_proof_verify,
                    "device-derivation": device_derivation, "device-wait": device_wait,
                    "device-connect-info": device_wait, "device-confirmation-verify": confirmation_verify,
                    "principal-ids": principal_ids, "connection-key": connection_key, "hash-key": hash_of},
    "nkeys-jwt": {"nkey-from-seed": nkey_from_seed, "nkey-decode-public": decode_public,
                  "nkey-decode-seed": decode_seed, "nonce-signature": nonce_signature, "user-jwt": jwt,
                  "authorization-response": jwt, "account-jwt": jwt, "operator-jwt": jwt, "jwt-verify": jwt_verify,
                  "xkey-seal": xkey_seal, "xkey-open": xkey_open},
    "device-activation": {"full": device_full, "mac": mac, "verifyConfirmationCode": confirmation_verify,
                          "instanceIds": instance_ids, "verifyWaitSignature": wait_signature},
    "http-derivations": {"domainSignature": domain_signature, "identityId": identity_id, "tokenHash": hash_of},
    "rpc-wire": {"client_request": client_request},
}
