#!/usr/bin/python3
"""yamllint over all YAML files, with the rules of .yamllint."""
import subprocess

import checklib


def main():
    options = checklib.arguments(__doc__)
    names = [str(name) for name in checklib.files(options.root, ".yaml", ".yml")]
    if not names:
        checklib.finish([], "no YAML files")
    command = [checklib.tool("yamllint"), "--strict", "--format=parsable", *names]
    done = subprocess.run(command, cwd=options.root, capture_output=True, text=True, check=False)
    problems = [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()
    checklib.finish(problems, f"{len(names)} files")


main()
