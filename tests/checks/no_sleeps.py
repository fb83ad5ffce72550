#!/usr/bin/python3
"""Tests do not sleep for a fixed time: they wait for what they expect, up to a bound.

A loop that polls may pause, by a constant with a name that says so.
"""
import re

import checklib

CALL = re.compile(r"\b(?:u|nano|thrd_)?sleep\s*\(\s*\d*\.?\d")
SHELL = re.compile(r"(?:^|[;&|]|\bdo\b|\bthen\b)\s*sleep\s+\d*\.?\d")


def main():
    options = checklib.arguments(__doc__)
    problems, count = [], 0
    for name in checklib.files(options.root, ".c", ".h", ".py", ".sh", ".bash", ".bats", ""):
        if name.parts[0] != "tests":
            continue
        count += 1
        text = checklib.read(options.root / name)
        pattern = CALL if name.suffix in (".c", ".h", ".py") else SHELL
        if name.suffix in (".c", ".h"):
            text = checklib.code_only(text)
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                problems.append(f"{name}:{number}: a fixed sleep: {line.strip()}")
    checklib.finish(problems, f"{count} files", "Wait for the thing itself, with a deadline.")


main()
