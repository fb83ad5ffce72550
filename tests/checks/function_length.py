#!/usr/bin/python3
"""No function is longer than 70 lines, from its first line to its closing brace.

In our form a function's braces stand alone at the left margin, and nothing else does so.
"""
import re

import checklib

LINES_MAX = 70


def functions(text):
    """(first line, last line, name) of each function."""
    lines = checklib.code_only(text).split("\n")
    opened = None
    for index, line in enumerate(lines):
        if line.rstrip() == "{" and opened is None:
            first = index
            while first > 0 and starts_before(lines[first - 1]):
                first -= 1
            opened = first
        elif line.startswith("}") and opened is not None:
            head = " ".join(lines[opened:index])
            match = re.search(r"(\w+)\s*\(\s*(\w*)", head)
            name = match.group(1) if match else "?"
            if match and name in ("START_TEST", "START_LOOP_TEST"):
                name = match.group(2)
            yield opened + 1, index + 1, name
            opened = None
    if opened is not None:
        yield opened + 1, len(lines), "(a function that does not end)"


def starts_before(line):
    """Whether a line above the brace still belongs to the function's head."""
    line = line.rstrip()
    return bool(line) and not line.startswith(("#", "}")) and not line.endswith(";")


def main():
    options = checklib.arguments(__doc__)
    problems, count = [], 0
    for name in checklib.files(options.root, ".c", ".h"):
        for first, last, function in functions(checklib.read(options.root / name)):
            count += 1
            if last - first + 1 > LINES_MAX:
                problems.append(f"{name}:{first}: {function} has {last - first + 1} lines, "
                                f"more than {LINES_MAX}")
    checklib.finish(problems, f"{count} functions", "Split it where its steps have names.")


main()
