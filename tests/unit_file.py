#!/usr/bin/env python3
"""systemd understands the unit file. Usage: unit_file.py UNIT HOST; skipped where systemd-analyze isn't installed."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77


def main():
    if not shutil.which("systemd-analyze"):
        return SKIPPED
    unit = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        # The host is where it was built, not where it will be installed.
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=" + sys.argv[2], unit.read_text(encoding="utf-8"))
        copy = pathlib.Path(folder) / unit.name
        copy.write_text(text, encoding="utf-8")
        run = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    # It also reads the units of this machine; only what it says about ours counts.
    complaints = [line for line in (run.stdout + run.stderr).splitlines() if unit.name in line]
    print("\n".join(complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
