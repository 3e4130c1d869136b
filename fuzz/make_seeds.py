#!/usr/bin/env python3
"""Writes what each fuzz target starts from: valid inputs, taken from the vectors, contracts and docs of the project.

From nothing libFuzzer doesn't find a manifest that is valid in all its parts within a short run, and what lies behind the
first checks would never be reached.

Usage: make_seeds.py OUT_FOLDER PROJECT_FOLDER [VECTORS_FOLDER...]; folders that aren't there are passed over.
"""
import base64
import hashlib
import json
import pathlib
import re
import shutil
import sys

EACH = 200  # seeds of a target at most: all of them run before the first one is changed
LARGEST = 20_000  # bytes
NKEY = re.compile(r"[A-Z2-7]{56,58}\Z")
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+\Z")
TOML = re.compile(r"^```toml\n(.*?)^```", re.M | re.S)
C_TEXT = re.compile(r'"untrusted comment: (?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*')
RECORDS = ("jobs-", "operations-", "state-", "transfer-", "object-", "kv-", "health", "builtin-")


def parts(value):
    """A JSON value and everything in it, texts that are JSON themselves included."""
    yield value
    if isinstance(value, str) and value[:1] in "{[":
        try:
            yield from parts(json.loads(value))
        except ValueError:
            pass
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(part)


def text_of(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def halves(schema, value):
    """The schema target cuts its input in the middle."""
    left, right = text_of(schema).encode(), text_of(value).encode()
    size = max(len(left), len(right))
    return left.ljust(size) + right.ljust(size)


def of_any_file(part):
    """What a value of any vector file is a seed of."""
    if isinstance(part, dict):
        if part.get("format") == "trellis.contract.v1":
            yield "manifest", text_of(part)
        if {"type", "message"} <= part.keys():
            yield "envelope", text_of(part)
        if {"v", "sessionKey"} <= part.keys():
            yield "connect_token", text_of(part)
    if isinstance(part, str):
        if NKEY.match(part) or "BEGIN NATS" in part:
            yield "nkeys", part
        if JWT.match(part):
            claims = base64.urlsafe_b64decode(part.split(".")[1] + "==")
            yield "jwt", part
            yield "jwt", claims
            yield "callout", text_of(json.loads(claims).get("nats"))
        if part.startswith(("/", "http://", "https://")):
            yield "redirect", part
            yield "http_text", part


def of_vectors(name, document):
    cases = document["cases"] if isinstance(document, dict) else document
    for part in parts(cases):
        yield from of_any_file(part)
        if isinstance(part, dict) and name.startswith(RECORDS):
            yield "records", text_of(part)
        if isinstance(part, dict) and "schema" in part and "tests" in part:
            yield from (("schema", halves(part["schema"], test["data"])) for test in part["tests"])
        if isinstance(part, dict) and name == "canonical-json" and isinstance(part.get("text"), str):
            yield "json", part["text"]
        if isinstance(part, dict) and name == "http-config" and isinstance(part.get("text"), str):
            yield "config_jsonc", part["text"]


def of_project(project):
    for folder in ("plugins", "examples", "cli", "sdk"):
        for path in sorted((project / folder).rglob("*.json")):
            yield from (seed for part in parts(json.loads(path.read_text())) for seed in of_any_file(part))
    for page in sorted((project / "docs").glob("*.md")):
        yield from (("toml", block) for block in TOML.findall(page.read_text()))
    for text in C_TEXT.findall((project / "sdk/artifact/trust_test.cpp").read_text()):
        yield "minisign", "".join(json.loads(line) for line in re.findall(r'"(?:[^"\\]|\\.)*"', text))
    yield "elf", b"\x01"  # the file that the target makes itself, unchanged


def kinds_first(seeds):
    """One record of each set of members before the second of any, so that the limit keeps all kinds."""
    seen, first, rest = set(), [], []
    for seed in seeds:
        target, text = seed
        kind = (target, tuple(json.loads(text))) if target == "records" else seed
        (rest if kind in seen else first).append(seed)
        seen.add(kind)
    return first + rest


def main():
    out, project = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    seeds = list(of_project(project))
    for folder in (pathlib.Path(path) for path in sys.argv[3:]):
        for path in sorted(folder.rglob("*.json")):
            seeds += of_vectors(path.stem, json.loads(path.read_text()))

    shutil.rmtree(out, ignore_errors=True)
    count = {}
    for target, seed in kinds_first(seeds):
        data = seed if isinstance(seed, bytes) else seed.encode("utf-8", "surrogatepass")
        path = out / target / hashlib.sha256(data).hexdigest()[:16]
        if len(data) > LARGEST or path.exists() or count.get(target, 0) == EACH:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        count[target] = count.get(target, 0) + 1
    print("seeds: " + ", ".join(f"{target} {n}" for target, n in sorted(count.items())))


if __name__ == "__main__":
    main()
