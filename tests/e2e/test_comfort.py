#!/usr/bin/python3
"""What makes kith pleasant: completion, help with examples, tables that fit, colour, kith top."""
import json
import os
import pty
import re
import subprocess
import struct
import termios
import fcntl

import suite
from suite import require

ANSWER_S = 60
COLUMNS = 80
KITH = str(suite.BIN / "kith")


def kith_text(*words):
    done = subprocess.run([KITH, *words], capture_output=True, text=True, timeout=ANSWER_S,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def commands():
    """The names that `kith` lists, with one word or two."""
    code, text, _ = kith_text()
    require(code == 2, f"kith alone is wrong use, not {code}")
    listed = text.split("\n\n")[1]
    return [line[2:20].strip() for line in listed.splitlines()]


def complete(*words):
    """What bash proposes for the last of the words."""
    script = ('source <("$0" completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kith; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, KITH, "kith", *words], capture_output=True,
                          text=True, timeout=ANSWER_S, check=True)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def bash_completes():
    names = commands()
    first = sorted({name.split()[0] for name in names})
    require(sorted(complete("")) == first, f"first words: {complete('')}")
    require(complete("rep") == ["report"], "a word that is begun")
    seconds = sorted(name.split()[1] for name in names if name.startswith("loyalty "))
    require(sorted(complete("loyalty", "")) == seconds, "second words of a group")
    require("--order" in complete("ingest", "--"), "options of a command")
    require("--by" in complete("--data", "/tmp", "report", "daily", "--"),
            "options behind the common ones")
    require("--by" not in complete("report", "totals", "--"), "options of another command")
    for name in names:
        require("--help" in complete(*name.split(), "--"), f"{name} has --help")


def every_command_helps_with_examples():
    for name in commands():
        code, text, errors = kith_text(*name.split(), "--help")
        require(code == 0 and not errors, f"{name} --help: exit {code}, {errors}")
        require(text.startswith("usage: kith " + name.split()[0]), f"{name}: {text[:60]}")
        examples = re.search(r"^examples?:\n((?:  .+\n)+)", text, re.MULTILINE)
        require(examples, f"{name} --help has no examples")
        for line in examples[1].splitlines():
            require(len(line) <= 100, f"{name}: an example of {len(line)} columns: {line}")


def on_a_terminal(words, environment, columns=COLUMNS):
    """What a command prints to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen([KITH, *words], stdout=theirs, stderr=subprocess.DEVNULL,
                               env=environment)
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    require(process.wait(timeout=ANSWER_S) == 0, f"{words}: exit {process.returncode}")
    return said.decode()


ESCAPE = re.compile(r"\033\[[0-9;]*[A-Za-z]")


def tables_fit_and_colour_is_for_terminals():
    with suite.Suite(suite.config()) as kith:
        kith.up()
        rows = suite.Rows(kith.folder / "rows.csv", count=300, seed=5, customers=30)
        kith.ingest(rows)
        for words in (["status"], ["report", "totals"], ["report", "daily"],
                      ["segment", "count", "spend_200_in_90d"],
                      ["loyalty", "verify"], ["top", "--rounds", "1", "--every", "100ms"]):
            data = ["--data", str(kith.data)]
            shown = on_a_terminal([*words, *data], dict(kith.environment, TERM="xterm"))
            for line in ESCAPE.sub("", shown).splitlines():
                require(len(line) <= COLUMNS, f"{words}: a line of {len(line)}: {line}")
            plain = subprocess.run([KITH, *words, *data], capture_output=True, text=True,
                                   env=kith.environment, timeout=ANSWER_S, check=True)
            require("\033" not in plain.stdout + plain.stderr, f"{words}: colour in a pipe")
        shown = on_a_terminal(["status", "--data", str(kith.data)],
                              dict(kith.environment, TERM="xterm"))
        require("\033[1m" in shown, "a terminal gets colour")
        shown = on_a_terminal(["status", "--data", str(kith.data)],
                              dict(kith.environment, TERM="xterm", NO_COLOR="1"))
        require("\033[1m" not in shown, "NO_COLOR is respected")


def top_shows_rates():
    with suite.Suite(suite.config()) as kith:
        kith.up()
        process = subprocess.Popen([KITH, "top", "--every", "200ms", "--json", "--data",
                                    str(kith.data)], stdout=subprocess.PIPE, text=True,
                                   env=kith.environment)
        rows = suite.Rows(kith.folder / "rows.csv", count=4000, seed=6, customers=300)
        loader = kith.ingest_begin(rows)
        seen = {"facts": set(), "folded": set()}
        names = set()
        while not (seen["facts"] and seen["folded"]):
            board = json.loads(process.stdout.readline())
            for service in board["services"]:
                names.add(service["name"])
                if (service["facts_per_s"] or 0) > 0:
                    seen["facts"].add(service["name"])
                if (service["folded_per_s"] or 0) > 0:
                    seen["folded"].add(service["name"])
                require(service["memory_mb"] is not None and service["lag"] is not None,
                        f"memory and lag are known: {service}")
                require(service["applied"] or service["name"] == "ingestion", "positions")
        require(names == set(suite.SERVICES), f"all services are shown: {names}")
        require("ingestion" in seen["facts"], "ingestion writes facts")
        kith.ingest_end(loader)
        process.terminate()
        require(process.wait(timeout=ANSWER_S) == 0, "ends in order when it is told to")
        process.stdout.close()


suite.main(bash_completes, every_command_helps_with_examples,
           tables_fit_and_colour_is_for_terminals, top_shows_rates)
