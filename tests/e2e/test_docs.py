#!/usr/bin/python3
"""What the documents show works as it is written there.

Blocks marked `sh` are run, those of a document one after the other in one shell, from the tree, as
root of a machine where /var/lib/kith, /tmp/life and /tmp/try are empty and `kith` is found. A
document that starts services ends them too. `python` blocks of the protocol are run as programs,
beside a suite that has events; those of other documents, and `c` blocks, consist of lines of one of
the examples, which the tests of the clients run. What is no command is marked `text`, and is looked
at by nobody.
"""
# ctest: TIMEOUT 300
import os
import re
import subprocess
from pathlib import Path

import suite
from suite import require

ANSWER_S = 240
# Lines that scripts/fresh tries, which is what calls this test too, or a test of their own.
TRIED_ELSEWHERE = {"./run", "./test", "./test -R shell", "./test --long", "scripts/fresh",
                   "bench/run", "bench/run --quick", "bench/readers", "bench/large",
                   "bench/restarts", "bench/soak", "bench/peers", "bench/store",
                   "bench/compression"}
# Tests of their own, some of which take hours.
TESTS = re.compile(r"tests/\w+/run\b")
LANGUAGES = {"sh", "text", "python", "c", "yaml", "json"}
DOCUMENTS = [suite.TREE / "README.md", *sorted((suite.TREE / "docs").rglob("*.md"))]
PROTOCOL = suite.TREE / "docs" / "protocol.md"
EXAMPLES = [*(suite.TREE / "clients").rglob("examples/*")]
BUILD = suite.OPTIONS.build.resolve()
# What is tried of an installation: the build in hand, in a place that is nobody's.
STANDS_FOR = {"build/release": str(BUILD), "/usr/local": "/tmp/try/local"}

BEFORE = """\
set -e
for folder in /var/lib/kith /tmp/life /tmp/try; do
    mkdir -p $folder
    mount -t tmpfs -o size=1g,mode=700 kith $folder
done
"""
AFTER = """\
unset -v KITH_SUITE
set +e
left=$(ps -eo comm= | grep '^kith') && { echo "left behind: $left"; exit 97; }
exit 0
"""
# What the programs of protocol.md speak to.
EVENTS = """\
kith gen --subscribers 400 --months 3 --seed 7 --out /tmp/life
kith up -c config/demo.yaml --data /var/lib/kith --detach
kith ingest --data /var/lib/kith /tmp/life/events.ndjson --map /tmp/life/map.yaml
kith report totals --data /var/lib/kith
"""


class Block:
    """A fenced part of a document."""

    def __init__(self, document, line, language, text):
        self.document = document
        self.place = f"{document.relative_to(suite.TREE)}:{line}"
        self.language = language
        self.text = text


def blocks_of(document):
    text = document.read_text()
    return [Block(document, text[:match.start()].count("\n") + 1, match[1], match[2])
            for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def tried(text):
    """The lines of a block that are tried here."""
    lines = [line for line in text.splitlines()
             if re.sub(r" +#.*", "", line).strip() not in TRIED_ELSEWHERE | {""}
             and not TESTS.match(line)]
    text = "".join(f"{line}\n" for line in lines)
    for shown, real in STANDS_FOR.items():
        text = text.replace(shown, real)
    return text


def script_of(document):
    """What is run of a document; empty: nothing."""
    script = ""
    for block in blocks_of(document):
        if block.language == "sh" and tried(block.text):
            script += f"echo 'at {block.place}'\n{tried(block.text)}"
        elif block.language == "python" and document == PROTOCOL:
            script += (f"echo 'at {block.place}'\n/usr/bin/python3 - <<'PYTHON'\n{block.text}"
                       "PYTHON\n")
    if script and document == PROTOCOL:
        script = f"{EVENTS}{script}kith down --data /var/lib/kith\n"
    return script


def environment_of(kith):
    """The suite's, and what a user of the clients has set up by himself."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    sanitize = re.search(r"^KITH_SANITIZE:\w+=(.+)$", cache, re.MULTILINE)
    compiler = re.search(r"^CMAKE_C_COMPILER:\w+=(.+)$", cache, re.MULTILINE)[1]
    tools = kith.folder / "tools"
    tools.mkdir()
    (tools / "cc").write_text(f"#!/bin/sh\nexec '{compiler}' -Werror "
                              f"{f'-fsanitize={sanitize[1]}' if sanitize else ''} \"$@\"\n")
    (tools / "cc").chmod(0o755)
    lib = "/tmp/try/local/lib"
    return dict(kith.environment, PATH=f"{tools}:{suite.BIN}:{kith.environment['PATH']}",
                PYTHONPATH=f"{suite.TREE / 'clients' / 'python'}:{BUILD / 'python'}",
                PYTHONDONTWRITEBYTECODE="1", LD_LIBRARY_PATH=lib,
                PKG_CONFIG_PATH=f"{lib}/pkgconfig")


def own_machine():
    """The words that begin a command with mounts and processes of its own."""
    words = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    # Below a chroot "/" is no mount whose propagation could be changed; who made it saw to it.
    plain = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return words if plain.returncode == 0 else [*words, "--propagation", "unchanged"]


def commands_work():
    if os.geteuid() != 0:
        suite.skip("only root may mount a /var/lib/kith of its own")
    with suite.Suite(suite.config()) as kith:
        environment = environment_of(kith)
        scripts = {document: script for document in DOCUMENTS if (script := script_of(document))}
        require(len(scripts) >= 5, f"only these have commands: {list(scripts)}")
        for document, script in scripts.items():
            done = subprocess.run(
                [*own_machine(), "bash",
                 "-c", BEFORE + script + AFTER], cwd=suite.TREE, env=environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=ANSWER_S, check=False)
            require(done.returncode == 0, f"{document.name}: exit {done.returncode}, after:\n"
                    f"{done.stdout[-3000:]}")


def every_block_says_what_it_is():
    for document in DOCUMENTS:
        for block in blocks_of(document):
            require(block.language in LANGUAGES, f"{block.place}: mark it as sh, text, python or c")
            commands = re.findall(r"^(?:kith [a-z]+|\./\w+|scripts/\w+)\b", block.text,
                                  re.MULTILINE)
            require(block.language != "text" or not commands,
                    f"{block.place}: commands are marked sh, so that they are tried: {commands}")


def code_of_clients_is_that_of_the_examples():
    known = [[line.strip() for line in path.read_text().splitlines()] for path in EXAMPLES
             if path.is_file() and path.suffix in (".py", ".c")]
    for block in (block for document in DOCUMENTS for block in blocks_of(document)):
        if block.language not in ("python", "c") or block.document == PROTOCOL:
            continue
        lines = [line.strip() for line in block.text.splitlines() if line.strip()]
        require(any(all(line in example for line in lines) for example in known),
                f"{block.place} is in none of the examples: {lines[:2]}")


suite.main(every_block_says_what_it_is, code_of_clients_is_that_of_the_examples, commands_work)
