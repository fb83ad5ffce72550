#!/usr/bin/python3
"""Each service stands alone: they start in any order, and while one of them is stopped the others
go on, wait without burning processor time, and catch up when it is back.

Wall time with the sanitizers: 65 s; with --long, 8 minutes.
"""
# ctest: TIMEOUT 300 LONG 1800 ALONE
import itertools
import json
import time
from datetime import datetime, timedelta, timezone

import suite
from suite import require, wait_until

DOWN_S = 60 if suite.OPTIONS.long else 5
# What a waiting process may take of a second; measured with the sanitizers: 0 to 6.
CPU_MS_PER_S = 20 if suite.IS_SANITIZED else 10
ROWS, RATE = 6000, 3000
CHECKPOINT_MS = 100
QUIET_S = 5 * CHECKPOINT_MS / 1000
KEY = bytes(range(32))


# ---- any order


def totals(kith):
    from kith.v1 import reporting_pb2
    return kith.wire("reporting").call("reporting.Totals", b"", reporting_pb2.TotalsReply)


def outbox(kith):
    """The lines of the campaign's channel."""
    path = kith.data / "outbox" / "outbox-0.ndjson"
    return path.read_text().splitlines() if path.exists() else []


def started_in(order):
    """Accounts and messages of a suite whose services were started in this order, each when the
    one before was there. Ten events wait for the others from the first moment that ingestion is
    there, ten more come when all are, and bring their customers into the segment."""
    with suite.Suite(suite.config().replace('"200.00"', '"2.00"'), key=KEY) as kith:
        for service in order:
            kith.start(service)
            require(kith.ask_status(service).ready, f"{service} is not ready alone")
            if service == "ingestion":
                kith.ingest_batch(1)
        kith.ingest_batch(2)
        def is_counted():
            found = totals(kith)
            return (found.events, found.points_issued, found.sent) == (20, 20, 10)
        wait_until(is_counted, what=f"all is counted, started as {' '.join(order)}")
        return kith.accounts(), outbox(kith)


def covering(orders):
    """Some of them, in which each service is first and last once at least, and comes right after
    each of the others."""
    def shows(order):
        return {("first", order[0]), ("last", order[-1]), *itertools.pairwise(order)}
    wanted = set().union(*map(shows, orders))
    chosen = []
    while wanted:
        chosen.append(max(orders, key=lambda order: len(shows(order) & wanted)))
        wanted -= shows(chosen[-1])
    return chosen


def services_start_in_any_order():
    orders = list(itertools.permutations(suite.SERVICES))
    if not suite.OPTIONS.long:
        orders = covering(orders)
    found = suite.together(started_in, orders)
    accounts, lines = found[0]
    require(len([one for one in accounts if one[0]]) == 10, f"accounts: {accounts}")
    require(len(lines) == 10, f"messages: {lines}")
    for order, own in zip(orders, found):
        require(own == found[0], f"started as {' '.join(order)}: {own}\nas {' '.join(orders[0])}: "
                                 f"{found[0]}")
    print(f"  {len(orders)} orders, the same accounts and messages", flush=True)


# ---- one is stopped


class Load:
    """What was loaded so far, file by file, and what it must add up to."""

    def __init__(self, kith):
        self.kith = kith
        self.files = []
        self.loader = None

    def begin(self):
        """Starts the next file; returns when the first of its rows are in."""
        before = self.accepted()
        rows = suite.Rows(self.kith.folder / f"rows{len(self.files)}.csv", ROWS,
                          seed=len(self.files), days=timedelta(days=70),
                          begin=datetime.now(timezone.utc) - timedelta(days=80))
        self.files.append(rows)
        self.loader = self.kith.ingest_begin(rows, "--wait", f"{DOWN_S + 60}s", rate=RATE)
        wait_until(lambda: self.accepted() > before, what="rows are accepted")

    def end(self):
        summary = self.kith.ingest_end(self.loader)
        require(summary["accepted"] == ROWS, f"kith ingest says {summary}")

    def is_running(self):
        return self.loader.poll() is None

    def accepted(self):
        return self.kith.ask_status("ingestion").seq

    def sum_of(self, name):
        """A figure by customer, over all files."""
        added = {}
        for rows in self.files:
            for customer, value in getattr(rows, name).items():
                added[customer] = added.get(customer, 0) + value
        return added

    def require_results(self):
        spent, points = self.sum_of("spent_minor"), self.sum_of("points")
        found = self.kith.cli("report", "totals")
        wanted = {"events": ROWS * len(self.files), "revenue_minor": sum(spent.values()),
                  "points_issued": sum(points.values())}
        require({name: found[name] for name in wanted} == wanted, f"totals: {found}, not {wanted}")
        balances = sorted(one[2] for one in self.kith.accounts() if one[0])
        require(balances == sorted(value for value in points.values() if value > 0),
                "balances are not what the files add up to")
        members = self.kith.cli("segment", "list", "spend_200_in_90d", as_json=False).split()
        require(members == sorted(one for one, minor in spent.items() if minor >= 20000),
                "members are not those who spent 200.00 in 90 days")
        # Whoever entered is thanked, once, and nobody else is.
        dispatches = [json.loads(line)["dispatch"] for line in outbox(self.kith)]
        require(len(set(dispatches)) == len(dispatches) == found["sent"] == len(members)
                and found["suppressed"] == found["unknown"] == 0,
                f"{len(dispatches)} messages for {len(members)} members: {found}")


def positions(kith, others):
    return {one: [(feed.feed, feed.applied) for feed in kith.ask_status(one).feeds]
            for one in others}


def require_others_went_on(kith, stopped, others):
    """With the wall clock a stopped service holds nobody up: the others come to the end of all
    that those feeds hold which are still served."""
    def are_at_end():
        ends = {one: kith.ask_status(one).seq for one in others}
        return all(applied == ends[feed] for one in others
                   for feed, applied in positions(kith, [one])[one] if feed != stopped)
    wait_until(are_at_end, what=f"with {stopped} stopped the others come to the feeds' ends")


def settle(kith, others):
    """Returns when nobody has come further for a while, checkpoints included."""
    newest, since_s = None, 0

    def is_quiet():
        nonlocal newest, since_s
        seen = [positions(kith, others), [kith.ask_status(one).checkpoint_seq for one in others]]
        if seen != newest:
            newest, since_s = seen, time.monotonic()
        return time.monotonic() - since_s >= QUIET_S
    wait_until(is_quiet, what=f"{' '.join(others)} are quiet")


def waiting_costs(pids):
    """{name: ms of processor time per second} over DOWN_S."""
    begin = {name: suite.cpu_ms(pid) for name, pid in pids.items()}
    suite.pass_time(DOWN_S)
    return {name: round((suite.cpu_ms(pid) - begin[name]) / DOWN_S, 1)
            for name, pid in pids.items()}


def stop_one(kith, load, stopped, clock):
    others = [one for one in kith.services if one != stopped]
    load.begin()
    kith.cli("stop", stopped, as_json=False)
    if stopped != "ingestion":
        load.end()
    if clock == "wall":
        require_others_went_on(kith, stopped, others)
    settle(kith, others)
    pids = {one: kith.pid(one) for one in others} | {"supervisor": kith.supervisor_pid()}
    if stopped == "ingestion":
        require(load.is_running(), "the load ended although ingestion was stopped")
        pids["loader"] = load.loader.pid
    costs = waiting_costs(pids)
    print(f"  clock {clock}, {stopped} stopped for {DOWN_S} s, ms of processor a second: {costs}",
          flush=True)
    for name, cost in costs.items():
        require(cost <= CPU_MS_PER_S, f"{name} takes {cost} ms a second to wait for {stopped}")
    kith.cli("start", stopped, as_json=False)
    if stopped == "ingestion":
        load.end()
    load.require_results()


def stopped_one_by_one(clock):
    with suite.Suite(suite.config(clock=clock, checkpoint_interval_ms=CHECKPOINT_MS)) as kith:
        kith.up()
        load = Load(kith)
        for stopped in kith.services:
            stop_one(kith, load, stopped, clock)
        kith.verify_state()


def the_others_go_on_and_wait_and_the_stopped_one_catches_up():
    suite.together(stopped_one_by_one, ["wall", "event"])


suite.main(services_start_in_any_order,
           the_others_go_on_and_wait_and_the_stopped_one_catches_up)
