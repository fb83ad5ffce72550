#!/usr/bin/python3
"""What ./run shows, for a smaller operator: scripts/demo with the programs of the build."""
# ctest: TIMEOUT 180
import re
import subprocess

import suite
from suite import require

DEMO = suite.TREE / "scripts" / "demo"
ANSWER_S = 150
SUBSCRIBERS = 400
PARTS = ("A small operator: 400 subscribers", "Five services start", "They take the events in",
         "What it all adds up to", "Revenue by week", "Who belongs where at this moment",
         "Campaign larger_plan", "Does it agree", "Where the files lie", "What to try next")
FIGURES = 13


def demonstration():
    """A suite's surroundings; scripts/demo makes the suite itself, in a folder `shown` in there."""
    kith = suite.Suite(suite.config())
    kith.data = kith.folder / "shown" / "suite"
    return kith


def demo(kith, *words):
    """The page; isolated from what is installed beside Python, as on a machine that has no more."""
    command = ["/usr/bin/python3", "-I", "-S", "-B", DEMO, "--bin", suite.BIN, *words]
    return subprocess.run([str(word) for word in command], env=kith.environment, text=True,
                          capture_output=True, timeout=ANSWER_S, check=False)


def shown(kith, *words):
    done = demo(kith, "--subscribers", SUBSCRIBERS, "--data", kith.folder / "shown", *words)
    require(done.returncode == 0, f"exit {done.returncode}: {done.stdout[-2000:]}{done.stderr}")
    return done.stdout


def figure(page, name):
    found = re.search(rf"^  {name} +([\d,]+)$", page, re.MULTILINE)
    require(found, f"no figure '{name}' in\n{page}")
    return int(found[1].replace(",", ""))


def the_page_is_whole_and_agrees():
    with demonstration() as kith:
        page = shown(kith)
        headings = [line for line in page.splitlines() if line.startswith("== ")]
        require(len(headings) == len(PARTS) and
                all(part in line for part, line in zip(PARTS, headings)), f"the parts: {headings}")
        require(f"yes: {FIGURES} of {FIGURES} figures are equal" in page, page)
        require(figure(page, "customers") == SUBSCRIBERS, page)
        sent = figure(page, "messages sent")
        lines = (kith.data / "outbox" / "outbox-0.ndjson").read_text().splitlines()
        require(len(lines) == sent > 0, f"{len(lines)} lines in the outbox, {sent} sent")
        considered = f"{sent + figure(page, 'messages not sent'):,} considered"
        require(considered in page, f"not {considered}: {page}")
        require(not kith.processes(), f"left running: {kith.processes()}")


def what_it_proposes_works_as_printed():
    with demonstration() as kith:
        page = shown(kith, "--keep")
        try:
            ready = [one["ready"] for one in kith.status().values()]
            require(len(ready) == len(suite.SERVICES) and all(ready), f"services: {ready}")
            proposed = re.search(r"^== What to try next\n((?:  .+\n)+)", page, re.MULTILINE)
            require(proposed, page)
            commands = proposed[1].splitlines()
            require([line.split()[:3] for line in commands[1:]] ==
                    [["kith", "segment", "why"], ["kith", "loyalty", "spend"],
                     ["kith", "campaign", "trigger"]], f"proposed: {commands}")
            done = subprocess.run(["bash", "-e", "-c", "\n".join(commands)], text=True,
                                  env=kith.environment, capture_output=True, timeout=ANSWER_S,
                                  check=False)
            require(done.returncode == 0, f"{commands}: {done.stdout}{done.stderr}")
            require(re.search(r"^decision +(sent|suppressed)$", done.stdout, re.MULTILINE),
                    done.stdout)
            require(page.endswith(f"kith down --data {kith.data}\n"), page[-300:])
        finally:
            kith.cli("down", as_json=False)
        require(not kith.processes(), f"left running: {kith.processes()}")


def what_cannot_be_is_refused_before_anything_starts():
    with demonstration() as kith:
        for words, sentence in (
                (["--bogus"], "unrecognized arguments: --bogus"),
                (["--subscribers", "0"], "'0' is no number from 1 to 10000000"),
                (["--subscribers", "many"], "'many' is no number"),
                (["--months", "49"], "'49' is no number from 1 to 48"),
                (["--seed", "-1"], "'-1' is no number"),
                (["--data", kith.folder], f"{kith.folder} exists already"),
                (["--bin", kith.folder], f"there are no programs in {kith.folder}")):
            done = demo(kith, *words)
            require(done.returncode == 2 and sentence in done.stderr,
                    f"{words}: exit {done.returncode}: {done.stderr}")
            require(not done.stdout, f"{words}: {done.stdout}")


def a_step_that_fails_ends_it():
    with demonstration() as kith:
        (kith.folder / "bin").mkdir()
        fails = kith.folder / "bin" / "kith"
        fails.write_text("#!/bin/sh\necho 'no room' >&2\nexit 1\n")
        fails.chmod(0o755)
        done = demo(kith, "--data", kith.folder / "shown", "--bin", fails.parent)
        require(done.returncode == 1 and "run: this command failed" in done.stderr and
                "no room" in done.stderr, f"exit {done.returncode}: {done.stderr}")


def a_figure_that_differs_is_told():
    with demonstration() as kith:
        (kith.folder / "bin").mkdir()
        program = kith.folder / "bin" / "kith"
        program.write_text(f"""#!/bin/sh
'{suite.BIN}/kith' "$@" || exit
if [ "$1" = gen ]; then
    sed -i 's/"customers": *[0-9]*/"customers": 399/' '{kith.data.parent}/generated/truth.json'
fi
""")
        program.chmod(0o755)
        done = demo(kith, "--subscribers", SUBSCRIBERS, "--months", "1", "--data", kith.data.parent,
                    "--bin", program.parent)
        require(done.returncode == 1 and f"1 of {FIGURES} figures differ" in done.stderr and
                "customers: 400, and the generator counted 399" in done.stdout,
                f"exit {done.returncode}: {done.stdout}{done.stderr}")
        require(not kith.processes(), f"left running: {kith.processes()}")


def help_needs_nothing():
    for command in ([suite.TREE / "run", "--help"], [DEMO, "--help"]):
        done = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                              timeout=ANSWER_S, check=False)
        require(done.returncode == 0 and "--keep" in done.stdout and "--subscribers" in done.stdout,
                f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}")


suite.main(help_needs_nothing, what_cannot_be_is_refused_before_anything_starts,
           a_step_that_fails_ends_it, a_figure_that_differs_is_told, the_page_is_whole_and_agrees,
           what_it_proposes_works_as_printed)
