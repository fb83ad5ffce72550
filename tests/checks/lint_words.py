#!/usr/bin/python3
"""codespell over what people read: documents, messages, config."""
import subprocess

import checklib

# Words of ours that codespell takes for mistakes, in small letters, one a line.
WORDS = "tests/checks/codespell-words.txt"


def main():
    options = checklib.arguments(__doc__)
    names = [n for n in checklib.files(options.root)
             if n.suffix in (".md", ".proto", ".yaml", ".yml") or n.parts[0] == "docs"]
    if not names:
        checklib.finish([], "no documents")
    command = [checklib.tool("codespell")]
    if (options.root / WORDS).is_file():
        command += ["--ignore-words", WORDS]
    command += [str(name) for name in names]
    done = subprocess.run(command, cwd=options.root, capture_output=True, text=True, check=False)
    problems = [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()
    checklib.finish(problems, f"{len(names)} files", f"A word of ours goes into {WORDS}.")


main()
