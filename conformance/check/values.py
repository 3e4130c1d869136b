"""The kinds that this check recomputes: one function each.

A function gets a case's input (and expected, to see which way a case goes) and returns those members of `expected` that
arithmetic alone decides; __main__ compares them. Kinds without a function here are decided by rules that need more.
"""

import proofs
import subjects
import tokens
from canonical import NonCanonicalNumber, canonical, digest, parse
from manifest import merge, texts_of


def manifest_of(given):
    return parse(given["manifestText"]) if "manifestText" in given else given["manifest"]


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


KINDS = {
    "canonical-json": {
        "canonical-json": canonical_json,
    },
    "contract-digest": {
        "digest": contract_digest,
    },
    "manifest-validation": {
        "validate": validate,
        "install": install,
    },
    "compatibility": {
        "schemas": schemas,
    },
    "event-subjects": {
        "expand": expand,
        "wildcard": wildcard,
        "token": token,
    },
    "authority-plan": {
        "analyze": analyze,
    },
    "permissions": {
        "user": approval_plan,
    },
    "auth-proofs": {
        "session-key": proofs.session_key,
        "nats-connect": proofs.nats_connect,
        "oauth-init": proofs.oauth_init,
        "bind-flow": proofs.bind_flow,
        "bootstrap-client": proofs.bootstrap_client,
        "logout-session": proofs.logout_session,
        "domain-verify": proofs.domain_verify,
        "rpc-proof": proofs.rpc_proof,
        "rpc-proof-verify": proofs.rpc_proof_verify,
        "device-derivation": proofs.device_derivation,
        "device-wait": proofs.device_wait,
        "device-connect-info": proofs.device_wait,
        "device-confirmation-verify": proofs.confirmation_verify,
        "principal-ids": proofs.principal_ids,
        "connection-key": proofs.connection_key,
        "hash-key": proofs.hash_of,
    },
    "nkeys-jwt": {
        "nkey-from-seed": tokens.nkey_from_seed,
        "nkey-decode-public": tokens.decode_public,
        "nkey-decode-seed": tokens.decode_seed,
        "nonce-signature": tokens.nonce_signature,
        "user-jwt": tokens.jwt,
        "authorization-response": tokens.jwt,
        "account-jwt": tokens.jwt,
        "operator-jwt": tokens.jwt,
        "jwt-verify": tokens.jwt_verify,
        "xkey-seal": tokens.xkey_seal,
        "xkey-open": tokens.xkey_open,
    },
    "device-activation": {
        "full": proofs.device_full,
        "mac": proofs.mac,
        "verifyConfirmationCode": proofs.confirmation_verify,
        "instanceIds": proofs.instance_ids,
        "verifyWaitSignature": proofs.wait_signature,
    },
    "http-derivations": {
        "domainSignature": proofs.domain_signature,
        "identityId": proofs.identity_id,
        "tokenHash": proofs.hash_of,
    },
    "rpc-wire": {
        "client_request": proofs.client_request,
    },
}
