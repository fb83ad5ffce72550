#!/usr/bin/python3
"""What the documents show works as it is written there.

Blocks marked `sh` are run, those of a document one after the other in one shell, from the tree,
as root of a machine where /var/lib/kith is empty and `kith` is found. Lines of `python` and `c`
blocks stand in one of the examples, which the tests of the clients run. What is not a command is
marked `text`, and so is looked at by nobody.
"""
# ctest: TIMEOUT 300
import re
import subprocess
from pathlib import Path

import suite
from suite import require

ANSWER_S = 240
# Tried by scripts/fresh, which is what tries this test too.
TRIED_ELSEWHERE = {"./run", "./run --keep", "./test", "scripts/fresh", "bench/run"}
LANGUAGES = {"sh", "text", "python", "c", "yaml", "json"}
DOCUMENTS = [suite.TREE / "README.md", *sorted((suite.TREE / "docs").rglob("*.md"))]
EXAMPLES = [*(suite.TREE / "clients").rglob("examples/*")]

BEFORE = """\
set -e
mkdir -p /var/lib/kith
mount -t tmpfs -o size=2g,mode=700 kith /var/lib/kith
"""
AFTER = """\
unset -v KITH_SUITE
set +e
left=$(ps -eo comm= | grep '^kith') && { echo "left behind: $left"; exit 97; }
exit 0
"""


class Block:
    """A fenced part of a document."""

    def __init__(self, document, line, language, text):
        self.place = f"{document.relative_to(suite.TREE)}:{line}"
        self.language = language
        self.text = text


def blocks_of(document):
    found = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL):
        line = document.read_text()[:match.start()].count("\n") + 1
        found.append(Block(document, line, match[1], match[2]))
    return found


def commands_work():
    with suite.Suite(suite.config()) as kith:
        environment = dict(kith.environment, PATH=f"{suite.BIN}:{kith.environment['PATH']}")
        tried = 0
        for document in DOCUMENTS:
            blocks = [block for block in blocks_of(document) if block.language == "sh"]
            script = "".join(f"echo 'at {block.place}'\n{block.text}" for block in blocks
                             if block.text.strip() not in TRIED_ELSEWHERE)
            if not script:
                continue
            done = subprocess.run(
                ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "bash",
                 "-c", BEFORE + script + AFTER], cwd=suite.TREE, env=environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=ANSWER_S, check=False)
            require(done.returncode == 0, f"{document.name}: exit {done.returncode}, after:\n"
                    f"{done.stdout[-3000:]}")
            tried += len(blocks)
        require(tried >= 3, f"only {tried} blocks were tried")


def every_block_says_what_it_is():
    for document in DOCUMENTS:
        for block in blocks_of(document):
            require(block.language in LANGUAGES, f"{block.place}: mark it as sh, text, python or c")
            commands = re.findall(r"^(?:kith [a-z]+|\./\w+|scripts/\w+)\b", block.text, re.MULTILINE)
            require(block.language != "text" or not commands,
                    f"{block.place}: commands are marked sh, so that they are tried: {commands}")


def code_of_clients_is_that_of_the_examples():
    known = [[line.strip() for line in path.read_text().splitlines()] for path in EXAMPLES
             if path.is_file() and path.suffix in (".py", ".c")]
    for block in blocks_of(suite.TREE / "docs" / "clients.md"):
        if block.language not in ("python", "c"):
            continue
        lines = [line.strip() for line in block.text.splitlines() if line.strip()]
        require(any(all(line in example for line in lines) for example in known),
                f"{block.place} is in none of the examples: {lines[:2]}")


suite.main(every_block_says_what_it_is, code_of_clients_is_that_of_the_examples, commands_work)
