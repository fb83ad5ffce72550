#!/usr/bin/python3
"""All C files have the form of .clang-format."""
import subprocess

import checklib


def main():
    options = checklib.arguments(__doc__)
    program = checklib.tool_of_version("clang-format", 14)
    names = [str(name) for name in checklib.files(options.root, ".c", ".h")]
    if not names:
        checklib.finish([], "no C files")
    command = [program, "--dry-run", "--Werror", "--style=file", *names]
    result = subprocess.run(command, cwd=options.root, capture_output=True, text=True, check=False)
    wrong = [line for line in result.stderr.splitlines() if "error:" in line]
    if result.returncode != 0 and not wrong:
        wrong = result.stderr.splitlines() or ["clang-format failed without a word"]
    checklib.finish(wrong, f"{len(names)} files", "Try: clang-format -i <file>")


main()
