"""Signing domains, request and device proofs, device derivations, derived identifiers."""

import hmac
import json
import re
import struct

import keys
from canonical import b64u, canonical, sha256, unb64u

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


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
    return {"sessionKey": key, "inboxPrefix": "_INBOX." + key[:16],
            "operationsBucket": "trellis_operations_" + key[:16]}


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
            "proofInputLength": len(text), "digestHex": sha256(text).hex(),
            "proof": b64u(keys.sign(seed, sha256(text)))}


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
