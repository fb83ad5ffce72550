#!/usr/bin/python3
"""No C file names a data set: what is special about one belongs into config and scripts.

The names are those of the folders in $KITH_DATA (default: ../shared/data beside the tree).
"""
import os
import re
from pathlib import Path

import checklib


def main():
    options = checklib.arguments(__doc__)
    data = Path(os.environ.get("KITH_DATA") or options.root / ".." / "shared" / "data")
    if not data.is_dir():
        checklib.skip(f"no data sets at {data}; set KITH_DATA")
    sets = sorted(path.name for path in data.iterdir() if path.is_dir())
    if not sets:
        checklib.skip(f"no folders in {data}")
    pattern = re.compile("|".join(re.sub(r"[_-]", "[_-]?", re.escape(s).replace(r"\-", "-"))
                                  for s in sets), re.IGNORECASE)
    problems = []
    names = checklib.files(options.root, ".c", ".h")
    for name in names:
        for number, line in enumerate(checklib.read(options.root / name).splitlines(), 1):
            match = pattern.search(line)
            if match:
                problems.append(f"{name}:{number}: names the data set {match.group(0)}")
    checklib.finish(problems, f"{len(names)} files, {len(sets)} data sets",
                    "Let config or a script say it.")


main()
