#!/usr/bin/python3
"""kill -9 of every service, again and again, while a file is loaded: afterwards facts, totals,
balances and memberships are those of a run that nobody disturbed.

Each kill falls into a phase:
  commit      strace attaches and kills it as it enters a call that writes or syncs journal.mdb:
              by turns any write, the sync, or the write of a single page, as which the mark that
              ends a commit is written
  checkpoint  the same with state.mdb
  recovery    killed once, and again when /proc shows that its stores are open; its log shows
              that it had not come as far as to serve
  any         whatever it does just then
A kill counts when rows were still to be acknowledged, the victim had come further since the kill
before, and it had work in hand.

Wall time with the sanitizers: 60 s; with --long, 25 minutes.
"""
# ctest: TIMEOUT 900 LONG 3600 ALONE
import itertools
import json
import os
import subprocess
import time

import suite
from suite import Failure, require, wait_until

ROWS, KILLS, RATE = (1_000_000, 20, 10_000) if suite.OPTIONS.long else (100_000, 3, 10_000)
PERIOD_S = 0.5
# Asked as often as can be: a recovery lasts a few milliseconds.
TIGHT_S = 0.0001
KEY = bytes(range(32))
CALLS = ("writev,pwrite64", "fdatasync", "pwrite64")

CONFIG = suite.config(
    # Checkpoints all the time, in small pieces, so that kills find them running.
    memtable_bytes_max=4 << 20, checkpoint_interval_ms=300, checkpoint_records=200,
    journal_map_bytes=4 << 30, state_map_bytes=4 << 30, turn_bytes_max=256 << 10)


# ---- kills that hit a phase


def kill_in_call(kith, service, file, call):
    """Kills the service as it enters one of these calls on one of its files."""
    pid = kith.pid(service)
    path = kith.data / service / "0" / file
    command = ["strace", "-qq", "-o", "/dev/null", "-p", str(pid), "-P", str(path),
               "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tracer:
        try:
            tracer.wait(timeout=suite.ANSWER_S)
        except subprocess.TimeoutExpired:
            tracer.terminate()
            raise Failure(f"{service} made no {call} of {file}") from None
    kith.died(service)


def has_open(pid, file):
    try:
        return any(os.path.basename(os.readlink(one.path)) == file
                   for one in os.scandir(f"/proc/{pid}/fd"))
    except OSError:  # it is gone, or a file was closed just now
        return False


def log_size(kith, service):
    return (kith.data / "log" / f"{service}-0.log").stat().st_size


def has_served_since(kith, service, size):
    with open(kith.data / "log" / f"{service}-0.log", "rb") as log:
        log.seek(size)
        return b"serving" in log.read()


def new_pid(kith, service, old):
    return wait_until(lambda: kith.pid(service) not in (0, old) and kith.pid(service),
                      what=f"{service} was started again", poll_s=TIGHT_S)


def recovery_kill(kith, service):
    """Kills it, and then its successor before that serves. False: that was too late."""
    old = kith.pid(service)
    size = log_size(kith, service)
    kith.kill(service, pid=old)
    pid = new_pid(kith, service, old)
    wait_until(lambda: has_open(pid, "state.mdb"), what=f"{service} opens its stores",
               poll_s=TIGHT_S)
    kith.kill(service, pid=pid)
    new_pid(kith, service, pid)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), what="it is gone")
    return not has_served_since(kith, service, size)


# ---- when to kill


class Killer:
    """Kills by a plan while files are loaded, and keeps the book."""

    def __init__(self, kith):
        self.kith = kith
        self.files = []
        self.loader = None
        self.begin = time.monotonic()
        self.last_s = self.begin
        self.seen = dict.fromkeys(kith.services, 0)  # positions when the last kill fell
        self.calls = itertools.cycle(CALLS)
        self.counts = {}

    def load_next(self):
        """One file is enough, but for a machine so slow that it is in before all have died."""
        number = len(self.files)
        require(number < 5, "five files were loaded before the kills were done")
        self.files.append(suite.Rows(self.kith.folder / f"rows{number}.csv", ROWS, seed=number,
                                     customers=ROWS // 20,
                                     begin=suite.Rows.BEGIN + number * suite.Rows.DAYS))
        self.loader = self.kith.ingest_begin(self.files[-1], rate=RATE)

    def load_end(self):
        if self.loader is not None:
            require_whole(self.kith.ingest_end(self.loader), self.files[-1])

    def is_due(self, service):
        """Rows are to come, the victim has moved since the last kill, and it is behind."""
        if self.loader is None or self.loader.poll() is not None:
            self.load_end()
            self.load_next()
        if time.monotonic() < self.last_s + PERIOD_S:
            return False
        accepted = self.kith.ask_status("ingestion").seq
        status = self.kith.ask_status(service)
        position = sum(feed.applied for feed in status.feeds) if status.feeds else status.seq
        if (accepted == ROWS * len(self.files) or position == self.seen[service]
                or any(feed.feed == "ingestion" and feed.applied == accepted
                       for feed in status.feeds)):
            return False
        self.seen["ingestion"] = accepted
        self.seen[service] = position
        return True

    def hit(self, service, phase):
        """Kills it there. Returns what to print; None if it did not fall into the phase."""
        file = {"commit": "journal.mdb", "checkpoint": "state.mdb"}.get(phase)
        if file is not None:
            call = next(self.calls)
            kill_in_call(self.kith, service, file, call)
            return f"{phase}, entering {call}"
        if phase == "recovery":
            return phase if recovery_kill(self.kith, service) else None
        self.kith.kill(service)
        return phase

    def kill(self, service, phase):
        for _ in range(5):
            wait_until(lambda: self.is_due(service), what=f"{service} has work")
            where = self.hit(service, phase)
            self.last_s = time.monotonic()
            if where is not None and self.loader.poll() is None:
                break
        else:
            raise Failure(f"{service} could not be killed in its {phase}")
        self.counts[phase] = self.counts.get(phase, 0) + 1
        print(f"  {self.last_s - self.begin:6.2f} s  {service:<12}  in {where:<30}"
              f"{self.seen['ingestion']:>8} of {ROWS * len(self.files)} rows accepted",
              flush=True)


def plan(services):
    """(service, phase) of every kill, the services in turn."""
    phases = ["commit", "checkpoint", "recovery"] + (["any"] if suite.OPTIONS.long else [])
    cycles = {}
    for shift, service in enumerate(services):
        # Reporting keeps no journal: its checkpoint is all that it commits.
        own = [phase for phase in phases if phase != "commit" or service != "reporting"]
        own = own[shift % len(own):] + own[:shift % len(own)]
        cycles[service] = itertools.cycle(own)
    return [(service, next(cycles[service])) for _ in range(KILLS) for service in services]


# ---- what comes of it


def results(kith):
    """Everything that must not depend on what was killed when."""
    wait = ("--wait", "3000s")  # as long as it takes: ctest ends what takes too long
    return {"totals": kith.cli("report", "totals", *wait, timeout_s=3000),
            "daily": kith.cli("report", "daily", "--by", "channel", as_json=False),
            "accounts": kith.accounts(),
            "members": kith.cli("segment", "list", "spend_200_in_90d", as_json=False)}


def require_same_facts(feed, one, other):
    """Both files hold the same facts in the same order."""
    with one.open() as first, other.open() as second:
        for number, (a, b) in enumerate(itertools.zip_longest(first, second), 1):
            require(a == b, f"{feed}'s fact {number} differs:\nundisturbed: {a}\nkilled:      {b}")
    return number


def require_right(files, found):
    """As the files themselves add up."""
    points = {}
    for rows in files:
        for customer, value in rows.points.items():
            points[customer] = points.get(customer, 0) + value
    totals = found["totals"]
    wanted = {"events": sum(rows.count for rows in files),
              "revenue_minor": sum(sum(rows.spent_minor.values()) for rows in files),
              "points_issued": sum(points.values())}
    for name, value in wanted.items():
        require(totals[name] == value, f"totals: {name} is {totals[name]}, not {value}")
    balances = sorted(one[2] for one in found["accounts"] if one[0])
    require(balances == sorted(value for value in points.values() if value > 0),
            "balances are not what the files add up to")


def require_whole(summary, rows):
    expected = {"rows": rows.count, "accepted": rows.count, "duplicate": 0, "rejected": 0}
    require({key: summary[key] for key in expected} == expected, f"kith ingest says {summary}")


def killed_while_loading(kith):
    """Loads what it needs to carry out the plan; returns the files."""
    killer = Killer(kith)
    for service, phase in plan(kith.services):
        killer.kill(service, phase)
    killer.load_end()
    for phase in ("commit", "checkpoint", "recovery"):
        require(killer.counts.get(phase), f"no kill fell into a {phase}")
    print(f"  kills: {json.dumps(killer.counts)}; starts that they caused: "
          f"{sum(kith.caused.values())}", flush=True)
    return killer.files


def killed_services_change_no_result():
    with suite.Suite(CONFIG, key=KEY) as kith, suite.Suite(CONFIG, key=KEY) as calm:
        kith.up()
        files = killed_while_loading(kith)
        found = results(kith)
        require_right(files, found)
        feeds = [service for service in kith.services if service != "reporting"]
        facts = {feed: kith.tail(feed) for feed in feeds}
        kith.verify_state()
        kith.down()

        calm.up()
        for rows in files:
            require_whole(calm.ingest(rows), rows)
        for name, value in results(calm).items():
            require(found[name] == value, f"{name} differs:\nundisturbed: {str(value)[:2000]}\n"
                                          f"killed:      {str(found[name])[:2000]}")
        for feed in feeds:
            count = require_same_facts(feed, calm.tail(feed), facts[feed])
            print(f"  {feed}: {count} facts, the same in both runs", flush=True)


def a_killed_load_is_finished_by_running_it_again():
    count = 30_000
    with suite.Suite(CONFIG) as kith:
        rows = suite.Rows(kith.folder / "rows.csv", count, seed=4)
        kith.up()
        for number in range(1, 4):
            loader = kith.ingest_begin(rows, rate=RATE)
            wait_until(lambda: kith.ask_status("ingestion").seq >= number * count // 5,
                       what=f"load {number} has come further")
            require(loader.poll() is None, "the load was over before it was killed")
            loader.kill()
            loader.communicate()
            print(f"  load {number} killed at {kith.ask_status('ingestion').seq} rows", flush=True)
        require_whole(kith.ingest(rows), rows)
        require_right([rows], results(kith))
        kith.verify_state()


suite.main(killed_services_change_no_result,
           a_killed_load_is_finished_by_running_it_again)
