"""What those benchmarks share that load a suite: their options, and rounds that are kept."""
import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import build
import medians
import page
import report
from figures import CHECKPOINTS_LEAST, Round
from loads import Failure

# A phase that waits for checkpoints lasts at most so many times what was asked for.
MOST_TIMES = 2
SERVICE_PROGRAMS = ("kith-ingestion", "kith-loyalty", "kith-segmentation", "kith-campaign",
                    "kith-reporting")


def parser_make(text):
    parser = argparse.ArgumentParser(description=text,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="half a second each, whatever the checkpoints, few customers, no "
                             "profile, writes no document")
    parser.add_argument("--seconds", type=float,
                        help="of each phase at least (60; 0.5 with --quick)")
    parser.add_argument("--most-seconds", type=float,
                        help=f"of one that waits for checkpoints ({MOST_TIMES:g} times that)")
    parser.add_argument("--customers", type=int, help="1000000; 20000 with --quick")
    parser.add_argument("--known", type=int, help="events that ingestion knows before it is "
                        "measured (10 times the customers)")
    parser.add_argument("--no-profile", action="store_true", help="do not look where time goes")
    build.options_add(parser)
    return parser


def options_fill(options):
    options.seconds = options.seconds or (0.5 if options.quick else 60)
    options.most_seconds = options.most_seconds or MOST_TIMES * options.seconds
    options.checkpoints = 0 if options.quick else CHECKPOINTS_LEAST
    options.customers = options.customers or (20000 if options.quick else 1000000)
    options.known = options.known or 10 * options.customers
    options.short_seconds = min(options.seconds, 10)
    options.profile = not (options.quick or options.no_profile)


# ---- rounds


def origin(options, names):
    """What two rounds must have in common to be rounds of one measurement."""
    digest = hashlib.sha256()
    for program in (*build.PROGRAMS, *SERVICE_PROGRAMS):
        digest.update((options.bin / program).read_bytes())
    asked = [options.seconds, options.most_seconds, options.customers, options.known, names]
    return {"programs": digest.hexdigest(), "machine": list(os.uname()), "asked": asked}


def kept_read(path, own):
    """The rounds that an earlier run kept, and the seconds that they took."""
    if not path.exists():
        raise Failure(f"there is no {path} to go on from; leave --resume out")
    kept = json.loads(path.read_text())
    if kept["origin"] != own:
        raise Failure(f"{path} is of other programs, another machine or other options; "
                      "leave --resume out to begin anew")
    return kept["rounds"], kept["took_s"]


def round_measure(options, parts):
    found = Round(options)
    for part in parts:
        part(found)
    return {"figures": found.figures, "restarts": found.restarts, "memory": found.memory,
            "soak": found.soak, "disk": found.disk, "checks": found.checks}


def rounds_measure(options, parts, name):
    """As many as are wanted, with those that were kept; each is kept as soon as it is there."""
    path = options.out / f"{name}.json"
    own = origin(options, [part.__name__ for part in parts])
    rounds, took_s = kept_read(path, own) if options.resume else ([], 0.0)
    while len(rounds) < options.rounds:
        begin = time.monotonic()
        options.profile = options.profile and not rounds  # once is enough
        rounds.append(round_measure(options, parts))
        took_s += time.monotonic() - begin
        path.write_text(json.dumps({"origin": own, "took_s": took_s, "rounds": rounds}, indent=1))
        if not options.quick:
            print(f"bench: round {len(rounds)} of {options.rounds} is kept in {path}", flush=True)
    return medians.combine(rounds[:options.rounds]), took_s


def run(options, name, parts, part_write):
    """Measures the parts, prints the tables, and writes what `part_write` makes of them as the part
    `name` of the page."""
    build.build(options, ["programs", "bench"])
    with tempfile.TemporaryDirectory(prefix="kb", dir="/tmp") as folder:
        if options.quick:
            options.out = Path(folder)
        options.out.mkdir(parents=True, exist_ok=True)
        found, took_s = rounds_measure(options, parts, name)
    print()
    print(report.table(found))
    print(f"\nbench: took {took_s:.0f} s")
    if options.document is not None:
        page.write(options.document, f"bench/{name}", part_write(found, options, took_s))
        print(f"bench: wrote {options.document}")


def main(measure):
    try:
        measure()
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(1)
