"""python3 conformance/check/random_cases.py SEED FOLDER: writes vector files of random inputs, with what this check
computes as the expected values: canonical JSON, digests, schema merges, subjects.

Fixed cases hold what somebody thought of; these look for the rest. Run them like any folder (TRELLIS_VECTORS=FOLDER). A
difference found this way becomes a case of its own in conformance/.
"""

import json
import pathlib
import random
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from values import KINDS  # noqa: E402

LETTERS = ["a", "é", "\u2028", "\uffff", "\ue000", "😀", "\U0010ffff", "\x7f", " ", "0", "\\u0000", "\\u001f", "\\n",
           '\\"', "\\\\", "\\/", "\\ud83d", "\\ude00", "\\uD7FF", "\\t"]
NAMES = ["A", "B", "😀", "\uff21", "0", "10", "__proto__", ""]
SCHEMAS = ["S1", "S2", "s/3", "😀", "7"]
CAPABILITIES = ["a", "b", "😀", "\uff21", "admin", "x::y"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.subjects = 0

    def some(self, probability=0.5):
        return self.random.random() < probability

    def pick(self, items):
        return self.random.choice(items)

    def picks(self, items, most=3):
        return [self.pick(items) for _ in range(self.random.randrange(most + 1))]

    def maybe(self, **members):
        """Each member with even odds; values are made only when they are taken."""
        return {name: make() for name, make in members.items() if self.some()}

    # ------------------------------------------------------------ JSON texts
    def number(self):
        below = self.random.randrange
        kind = below(6)
        if kind == 0:
            value = struct.unpack("<d", struct.pack("<Q", self.random.getrandbits(64)))[0]
            return repr(value) if abs(value) < 1e308 else "0"
        return [str(2**below(50, 70) + below(-3, 4)), "%.*e" % (below(20), self.random.uniform(-9, 9)),
                "%d.%de%s%d" % (below(99), below(10**6), self.pick(["", "+", "-"]), below(310)),
                "%d.%09d" % (below(99), below(10**9)), "0." + "0" * below(8) + str(below(1, 10**17))][kind - 1]

    def string(self, most=4):
        return '"' + "".join(self.picks(LETTERS, most)) + '"'

    def text(self, depth=4):
        kind = self.random.randrange(3) if depth else 0
        if kind == 0:
            return self.pick([self.number, self.string, lambda: self.pick(["null", "true", "false"])])()
        blank = self.pick(["", " ", "\n", "\t"])
        if kind == 1:
            return "[" + ",".join(blank + self.text(depth - 1) for _ in range(self.random.randrange(5))) + blank + "]"
        members = (self.string(2) + blank + ":" + self.text(depth - 1) for _ in range(self.random.randrange(6)))
        return "{" + ",".join(members) + blank + "}"

    # ------------------------------------------------------------ manifests
    def map(self, make, names=None):
        return {name: make() for name in self.picks(names or NAMES)}

    def ref(self):
        return {"schema": self.pick(SCHEMAS)} | self.maybe(unknown=lambda: 1)

    def docs(self):
        return {"markdown": "m"} | self.maybe(summary=lambda: "s", unknown=lambda: 1)

    def lists(self, *names):
        return self.maybe(**{name: lambda: self.picks(CAPABILITIES) for name in names})

    def surface(self, word, **required):
        self.subjects += 1
        subject = "%s.v1.X.%d" % (word, self.subjects)
        return {"version": "v1", "subject": subject, **required} | self.maybe(docs=self.docs)

    def schema(self, depth=3):
        if depth == 0 or self.some(0.3):
            return self.pick([True, False, {"type": "string"}, {"type": ["string", "null"]}, {"title": "\u2028"}])
        properties = self.map(lambda: self.schema(depth - 1), ["p", "q", "😀", "\uff21"])
        return {"type": "object"} | self.maybe(properties=lambda: properties, additionalProperties=self.some,
                                               required=lambda: self.random.sample(["p", "q"], 2))

    def use(self):
        def selector(*lists):
            return lambda: self.maybe(**{name: lambda: self.picks(["R", "😀", "\uff21"]) for name in lists})
        return {"contract": "c"} | self.maybe(rpc=selector("call"), operations=selector("call"),
                                              events=selector("publish", "subscribe"), feeds=selector("subscribe"))

    def manifest(self):
        def rpc():
            return self.surface("rpc", input=self.ref(), output=self.ref()) | self.maybe(
                capabilities=lambda: self.lists("call"), internal=self.some,
                errors=lambda: [{"type": t} for t in self.picks(["E1", "E2", "😀"])])

        def operation():
            return self.surface("operations", input=self.ref(), output=self.ref()) | self.maybe(
                capabilities=lambda: self.lists("call", "observe", "cancel", "control", "other"), cancel=self.some,
                progress=self.ref, signals=lambda: self.map(lambda: {"input": self.ref()} | self.maybe(docs=self.docs)))

        def error():
            return {"type": self.pick(["E1", "E2", "😀"])} | self.maybe(schema=self.ref)

        sections = self.maybe(
            rpc=lambda: self.map(rpc), operations=lambda: self.map(operation),
            events=lambda: self.map(lambda: self.surface("events", event=self.ref()) | self.maybe(
                capabilities=lambda: self.lists("publish", "subscribe"), params=list)),
            feeds=lambda: self.map(
                lambda: self.surface("feeds", input={"schema": "ghost"}, event=self.ref()) | self.maybe(
                    capabilities=lambda: self.lists("subscribe"))),
            errors=lambda: self.map(error, ["k", "5", "3", "zz"]), docs=self.docs,
            jobs=lambda: self.map(lambda: {"payload": self.ref()} | self.maybe(result=self.ref, dlq=self.some)),
            uses=lambda: {g: self.map(self.use, ["a1", "a2"]) for g in ("required", "optional", "flat") if self.some()},
            resources=lambda: self.maybe(
                kv=lambda: self.map(lambda: {"purpose": "p", "schema": self.ref()} | self.maybe(docs=self.docs))))
        members = {"format": "trellis.contract.v1", "id": "x@v1", "displayName": "X", "description": "X",
                   "kind": self.pick(["service", "app", "device", "agent"]),
                   "schemas": {name: self.schema() for name in SCHEMAS}} | sections
        order = list(members)
        self.random.shuffle(order)
        return {name: members[name] for name in order}

    # ------------------------------------------------------------ subjects
    def expansion(self):
        values = ["x", "", "$", "*", "a.b", None, 0, -1.5, 1e-7, 1e21, True, " \t", "~2E~", "_$", "\u00a0é😀"]
        payload = self.maybe(a=lambda: self.pick(values), b=lambda: {"c": self.pick(values)}, d=lambda: ["z"])
        pointers = self.picks(["/a", "/b/c", "/d/0", "a", "/a/b", "/d/01", "/__proto__"])
        tokens = ["{%s}" % pointer for pointer in pointers]
        return {"mode": self.pick(["publish", "filter"]), "template": ".".join(["events", "v1", *tokens]),
                "payloadText": json.dumps(payload)}


def main():
    maker, folder = Maker(sys.argv[1]), pathlib.Path(sys.argv[2])
    inputs = {
        ("canonical-json", "canonical-json"): lambda: {"text": maker.text()},
        ("contract-digest", "digest"): lambda: {"manifestText": json.dumps(maker.manifest())},
        ("compatibility", "schemas"): lambda: {"left": maker.schema(), "right": maker.schema()},
        ("event-subjects", "expand"): maker.expansion,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for (topic, kind), make in inputs.items():
        cases = []
        for number in range(500):
            given = make()
            cases.append({"name": "%s-%d" % (sys.argv[1], number), "kind": kind, "input": given,
                          "expected": KINDS[topic][kind](given, {})})
        (folder / (topic + ".json")).write_text(json.dumps({"cases": cases}), encoding="utf-8")


if __name__ == "__main__":
    main()
