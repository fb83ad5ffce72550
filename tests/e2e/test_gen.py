#!/usr/bin/python3
"""The life that `kith gen` makes up: the same bytes each time, in the order of time, in little
memory; and its truth is what a suite says and what an oracle says, in any order of the days."""
# ctest: TIMEOUT 600 LONG 5400
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import gen_oracle
import suite
from suite import require

CONFIG = suite.TREE / "config" / "demo.yaml"
SUBSCRIBERS = 20_000 if suite.OPTIONS.long else 1_000
MONTHS = 3
SEED = 7
FILES = ("events.ndjson", "map.yaml", "truth.json")


@contextmanager
def scratch():
    folder = Path(tempfile.mkdtemp(prefix="kith-gen-"))
    yield folder
    shutil.rmtree(folder)  # not after a failure: then it is looked at


def gen_words(folder, subscribers, months, seed=SEED, **more):
    words = [suite.BIN / "kith", "gen", "--subscribers", subscribers, "--months", months,
             "--seed", seed, "--out", folder, "--json"]
    for name, value in more.items():
        words += [f"--{name}", value]
    return [str(word) for word in words]


def gen(folder, subscribers, months, seed=SEED, **more):
    """Writes the folder and returns the summary, whose folder holds three files and no more."""
    done = subprocess.run(gen_words(folder, subscribers, months, seed, **more), capture_output=True,
                          text=True, check=False)
    require(done.returncode == 0, f"kith gen: exit {done.returncode}: {done.stderr}")
    require(sorted(os.listdir(folder)) == sorted(FILES), f"in the folder: {os.listdir(folder)}")
    return json.loads(done.stdout)


def refused(*words, code=1, **more):
    """What kith gen says when it does not do it."""
    done = subprocess.run([suite.BIN / "kith", "gen", *map(str, words)], capture_output=True,
                          text=True, check=False, **more)
    require(done.returncode == code, f"gen {words}: exit {done.returncode}: {done.stderr}")
    require(done.stdout == "", f"gen {words}: on stdout: {done.stdout}")
    return done.stderr


def truth(folder):
    return json.loads((folder / "truth.json").read_text())


# ---- a suite says the same


def suite_says_the_truth(folder, events, way):
    right = truth(folder)
    with suite.Suite(CONFIG) as kith:
        kith.up()
        said = kith.cli("ingest", events, "--map", folder / "map.yaml", timeout_s=2400)
        counted = {name: said[name] for name in ("rows", "accepted", "duplicate", "rejected")}
        wanted = {"rows": right["events"], "accepted": right["events"],
                  "duplicate": 0, "rejected": 0}
        require(counted == wanted, f"{way}: {counted}, wanted {wanted}")
        totals = kith.cli("report", "totals", "--wait", "600s", timeout_s=700)
        for name in ("events", "customers", "revenue_minor", "points_issued"):
            require(totals[name] == right[name],
                    f"{way}: {name} {totals[name]}, truth {right[name]}")
        for name, count in right["segments"].items():
            said = kith.cli("segment", "count", name)["count"]
            require(said == count, f"{way}: {name} has {said} members, truth {count}")
            require(0 < count < right["customers"], f"{name}: {count} members tell nobody apart")


def a_suite_says_the_truth():
    with scratch() as folder:
        gen(folder / "life", SUBSCRIBERS, MONTHS)
        events = folder / "life" / "events.ndjson"
        suite_says_the_truth(folder / "life", events, "in the order of time")


def a_suite_says_the_truth_of_shuffled_days():
    """Days in any order, and the lines of each day in any order."""
    with scratch() as folder:
        gen(folder / "life", SUBSCRIBERS // 2, MONTHS)
        days = {}
        with (folder / "life" / "events.ndjson").open() as lines:
            for line in lines:
                at = line.index('"at":"') + 6
                days.setdefault(line[at:at + 10], []).append(line)
        draw = random.Random(SEED)
        order = list(days.values())
        draw.shuffle(order)
        events = folder / "shuffled.ndjson"
        with events.open("w") as out:
            for lines in order:
                draw.shuffle(lines)
                out.writelines(lines)
        suite_says_the_truth(folder / "life", events, f"shuffled with seed {SEED}")


# ---- an oracle says the same


def the_truth_is_what_an_oracle_counts():
    """Of whole months, of the first events only, and of each call."""
    cases = [(300, 5, {}), (300, 2, {"detail": "calls"}), (40, 24, {}), (1, 1, {}), (2, 4, {}),
             (300, 4, {"events": 1}), (300, 4, {"events": 300}), (300, 4, {"events": 9_999}),
             (300, 4, {"events": 31_416}), (300, 2, {"events": 20_000, "detail": "calls"}),
             (50, 1, {"events": 10**9})]
    with scratch() as folder:
        for number, (subscribers, months, more) in enumerate(cases):
            for seed in (1, 2):
                life = folder / f"{number}-{seed}"
                gen(life, subscribers, months, seed=seed, **more)
                right = gen_oracle.truth(gen_oracle.read(life / "events.ndjson"), CONFIG)
                require(truth(life) == right, f"{subscribers} x {months}, seed {seed}, {more}: "
                                              f"{truth(life)}, oracle {right}")


def cuts_within_a_visit(path):
    """How many events to take so that the next one belongs to the same visit as the last one and
    decides about a segment: two such places of each kind."""
    events = gen_oracle.read(path)
    found = {"rating": [], "profile_changed": [], "complaint": []}
    for i in range(len(events) * 2 // 3, len(events)):
        before, event = events[i - 1], events[i]
        decides = (event.type == "complaint" or event.category == "low"
                   or event.attributes.get("status") == "left")
        if decides and before.customer == event.customer and event.at_ms - before.at_ms < 60_000:
            found[event.type].append(i)
    require(all(found.values()), f"no visit of the kind: {found}")
    return [cut for cuts in found.values() for cut in cuts[:2]]


def the_truth_may_end_within_a_visit():
    with scratch() as folder:
        gen(folder / "whole", 800, 2)
        for cut in cuts_within_a_visit(folder / "whole" / "events.ndjson"):
            life = folder / str(cut)
            gen(life, 800, 2, events=cut)
            right = gen_oracle.truth(gen_oracle.read(life / "events.ndjson"), CONFIG)
            require(truth(life) == right, f"--events {cut}: {truth(life)}, oracle {right}")


def lines_come_in_the_order_of_time():
    with scratch() as folder:
        for detail in ("days", "calls"):
            said = gen(folder / detail, 500, 3, detail=detail)
            events = gen_oracle.read(folder / detail / "events.ndjson")
            times = [event.at_ms for event in events]
            require(times == sorted(times), f"{detail}: not in the order of time")
            require(events[-1].at == said["until"], f"{detail}: until {said['until']}")
            ids = {event.id for event in events}
            require(len(ids) == len(events), f"{detail}: an id stands twice")
            lives_are_whole(events, detail)


def lives_are_whole(events, detail):
    """Everybody begins with a registration, and nobody does anything after leaving."""
    known, left = set(), set()
    for event in events:
        is_first = event.customer not in known
        known.add(event.customer)
        require(is_first == (event.type == "customer_registered"),
                f"{detail}: {event.customer} does not begin with a registration")
        require(event.customer not in left, f"{detail}: {event.customer} acts after leaving")
        if event.attributes.get("status") == "left":
            left.add(event.customer)
    require(len(known) == 500 and 0 < len(left) < 250, f"{detail}: {len(known)}, {len(left)} left")


def about_forty_events_a_month():
    with scratch() as folder:
        said = gen(folder / "life", 2000, 6)
        rate = said["events"] / 12000
        require(36 <= rate <= 44, f"{rate} a subscriber and month")


def calls_add_up_to_days():
    """The same use, written in two ways."""
    with scratch() as folder:
        sums = {}
        for detail in ("days", "calls"):
            gen(folder / detail, 200, 2, detail=detail)
            sums[detail] = {}
            for event in gen_oracle.read(folder / detail / "events.ndjson"):
                if event.type == "usage":
                    key = (event.customer, event.category, event.at[:10])
                    one = [event.minor, *(event.attributes.get(name, 0)
                                          for name in ("seconds", "messages", "megabytes"))]
                    before = sums[detail].get(key, [0, 0, 0, 0])
                    sums[detail][key] = [a + b for a, b in zip(before, one)]
        require(sums["days"] == sums["calls"], "days and calls differ")
        require(len(sums["days"]) > 10_000, f"only {len(sums['days'])} days of use")


# ---- bytes


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def the_same_seed_gives_the_same_bytes():
    with scratch() as folder:
        for name, seed in (("one", 5), ("again", 5), ("other", 6)):
            gen(folder / name, 700, 2, seed=seed)
        one, again, other = (contents(folder / name) for name in ("one", "again", "other"))
        require(one == again, "the same arguments, other bytes")
        require(all(one[name] != other[name] for name in FILES), "another seed, the same bytes")


def the_first_events_are_those_of_the_whole():
    with scratch() as folder:
        gen(folder / "whole", 400, 3)
        whole = (folder / "whole" / "events.ndjson").read_bytes().splitlines(keepends=True)
        for count in (1, 2, 399, 5_000, len(whole) - 1, len(whole), len(whole) + 1):
            said = gen(folder / str(count), 400, 3, events=count)
            part = (folder / str(count) / "events.ndjson").read_bytes()
            require(part == b"".join(whole[:count]), f"--events {count}: no beginning of the whole")
            told = truth(folder / str(count))["events"]
            require(said["events"] == told == min(count, len(whole)), f"--events {count}: {said}")


# ---- memory


def peak_kib(words):
    """The most that a process had resident, as far as it was seen while it ran."""
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen(words, stdout=nowhere, stderr=nowhere)
    peak = 0

    def over():
        nonlocal peak
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                peak = max(peak, int(line.split()[1]))
        return process.poll() is not None
    suite.wait_until(over, timeout_s=300, what="kith gen is done", poll_s=0.005)
    require(process.returncode == 0, f"{words}: exit {process.returncode}")
    return peak


def memory_does_not_grow_with_subscribers():
    with scratch() as folder:
        few = peak_kib(gen_words(folder / "few", 1_000, 12))
        many = peak_kib(gen_words(folder / "many", 50_000, 1, events=500_000))
        require(few > 1000 and abs(many - few) <= 2048, f"1,000: {few} KiB, 50,000: {many} KiB")


# ---- what is refused


def folders_in_use_are_refused():
    with scratch() as folder:
        life = folder / "life"
        life.mkdir()
        gen(life, 10, 1)  # empty is as good as new
        before = contents(life)
        said = refused("--subscribers", 10, "--months", 1, "--out", life)
        require("holds files already" in said and str(life) in said, said)
        require(contents(life) == before, "a refused gen changed something")
        said = refused("--subscribers", 10, "--months", 1, "--out", life / "map.yaml")
        require("is a file" in said, said)
        said = refused("--subscribers", 10, "--months", 1, "--out", folder / "no" / "such")
        require("cannot be made: No such file" in said, said)


def wrong_use_is_told():
    with scratch() as folder:
        right = {"--subscribers": 10, "--months": 1, "--out": folder / "life"}
        wrong = [("--subscribers", 0, "1 to 10000000"),
                 ("--subscribers", 10_000_001, "1 to 10000000"), ("--months", 0, "1 to 48"),
                 ("--months", 49, "1 to 48"), ("--events", 0, "at least 1"),
                 ("--detail", "hours", "days or calls"), ("--seed", "x", "--seed")]
        for name, value, sentence in wrong:
            words = [word for pair in {**right, name: value}.items() for word in pair]
            said = refused(*words, code=2)
            require(sentence in said, f"{name} {value}: {said}")
        for name in right:
            words = [word for pair in right.items() if pair[0] != name for word in pair]
            require(f"{name} is missing" in refused(*words, code=2), f"without {name}")
        require(not (folder / "life").exists(), "wrong use left a folder")


def a_full_disk_leaves_whole_lines():
    """A bound on the size of files stands in for the disk."""
    bound = 3_000_000

    def bounded():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bound, bound))
    with scratch() as folder:
        gen(folder / "whole", 1000, 1)
        said = refused("--subscribers", 1000, "--months", 1, "--seed", SEED, "--out",
                       folder / "life", preexec_fn=bounded, restore_signals=False)
        part = (folder / "life" / "events.ndjson").read_bytes()
        require((folder / "whole" / "events.ndjson").read_bytes().startswith(part), "other bytes")
        require(bound // 2 < len(part) <= bound and part.endswith(b"}\n"),
                f"{len(part)} bytes are left")
        lines = part.count(b"\n")
        require(f"ends behind {lines} whole lines" in said and "events.ndjson" in said, said)
        require(not (folder / "life" / "truth.json").exists(), "there is a truth of a part")


suite.main(a_suite_says_the_truth, a_suite_says_the_truth_of_shuffled_days,
           the_truth_is_what_an_oracle_counts, the_truth_may_end_within_a_visit,
           lines_come_in_the_order_of_time, about_forty_events_a_month, calls_add_up_to_days,
           the_same_seed_gives_the_same_bytes, the_first_events_are_those_of_the_whole,
           memory_does_not_grow_with_subscribers, folders_in_use_are_refused, wrong_use_is_told,
           a_full_disk_leaves_whole_lines)
