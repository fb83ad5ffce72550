#!/usr/bin/python3
"""Each header compiles by itself, twice in a row; each .c file includes what it uses.

Both without banned.h, which the build puts before every file and which would lend them its own
includes.
"""
import subprocess

import checklib

# Only what a missing include causes; other warnings are the build's to give.
FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-Werror=implicit-function-declaration", "-fsyntax-only",
         "-x", "c"]


def main():
    options = checklib.arguments(__doc__)
    root = options.root
    # gcc's -fsyntax-only is quick, and the compiler is the one that the builds use.
    # Examples of the C client include it as it is installed: <kith.h>.
    command = [checklib.tool("gcc", "clang"), *FLAGS, f"-I{root}", "-isystem", f"{root}/clients/c"]
    if options.build is not None:
        command += [f"-I{options.build}/generated", "-isystem", f"{options.build}/proto"]
    places = ("common", "services", "clients", "cli", "tests")
    names = [n for n in checklib.files(root, ".c", ".h") if n.parts[0] in places]
    names = [n for n in names if n.name != "banned.h"]

    def look(name):
        text = f'#include "{name}"\n' * (2 if name.suffix == ".h" else 1)
        done = subprocess.run([*command, "-"], input=text, cwd=root, capture_output=True,
                              text=True, check=False)
        if done.returncode == 0:
            return None
        first = [line for line in done.stderr.splitlines() if "error:" in line]
        said = (first or done.stderr.splitlines() or ["no word from the compiler"])[0]
        return f"{name}: does not stand alone: {said.replace(str(root) + '/', '')}"

    problems = [problem for problem in checklib.parallel(look, names) if problem]
    checklib.finish(problems, f"{len(names)} files", "Include what the file uses.")


main()
