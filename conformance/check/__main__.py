"""python3 conformance/check [FOLDER]: recomputes, without the C++ code, what arithmetic alone decides in vector files.

Prints each value that differs and, last, how many cases it covered. Exit status 1 when anything differs. Needs Python
3.9 or newer, and nothing else. Whoever adds a case writes its input, leaves the computed members empty and copies them
from here.
"""

import json
import pathlib
import sys

sys.dont_write_bytecode = True  # a check leaves nothing behind

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from values import KINDS  # noqa: E402  (the path has to be there first)


def differences(case, compute):
    given, expected = case["input"], case["expected"]
    try:
        computed = compute(given, expected)
    except Exception as error:  # a malformed case is a finding like any other
        return ["%s: %s" % (type(error).__name__, error)]
    return ["%s: expected %s, computed %s" % (name, json.dumps(expected.get(name)), json.dumps(value))
            for name, value in computed.items() if name not in expected or expected[name] != value]


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent
    covered, wrong = 0, 0
    for topic, kinds in KINDS.items():
        path = folder / (topic + ".json")
        if not path.exists():
            continue
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
            if case["kind"] not in kinds:
                continue
            covered += 1
            found = differences(case, kinds[case["kind"]])
            wrong += bool(found)
            for text in found:
                print("%s: %s: %s" % (topic, case["name"], text))
    print("check: %d cases recomputed, %d differ" % (covered, wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
