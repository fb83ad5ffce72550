#!/usr/bin/python3
"""shellcheck over all shell scripts, found by their first line."""
import re
import subprocess

import checklib


def is_shell(path):
    with path.open("rb") as file:
        return re.match(rb"#! ?/(usr/)?bin/(env )?(ba|da)?sh\b", file.readline(100)) is not None


def main():
    options = checklib.arguments(__doc__)
    names = checklib.files(options.root)
    scripts = [str(name) for name in names
               if name.suffix in ("", ".sh", ".bash") and is_shell(options.root / name)]
    if not scripts:
        checklib.finish([], "no scripts")
    command = [checklib.tool("shellcheck"), "--external-sources", "--format=gcc", *scripts]
    done = subprocess.run(command, cwd=options.root, capture_output=True, text=True, check=False)
    problems = (done.stdout + done.stderr).splitlines()
    if done.returncode == 0:
        problems = []
    checklib.finish(problems, f"{len(scripts)} scripts")


main()
