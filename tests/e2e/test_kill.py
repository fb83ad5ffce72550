#!/usr/bin/python3
"""kill -9 of every service, again and again, while a life is loaded: afterwards facts, totals,
balances, memberships and messages are those of a run that nobody disturbed.

Each kill falls into a phase:
  commit      strace attaches and kills it as it enters a call that writes or syncs journal.mdb:
              by turns any write, the sync, or the write of a single page, as which the mark that
              ends a commit is written
  checkpoint  the same with state.mdb
  recovery    killed once, and again when /proc shows that its stores are open; its log shows
              that it had not come as far as to serve
  outbox      campaign, between intent and outcome: as it writes or syncs its channel's file
  mail        campaign, while it speaks with the mail server; also when the server has the message
              and has not answered
  any         whatever it does just then; in the short form once, of a service that the seed draws
A kill counts when rows were still to be acknowledged, the victim had come further since the kill
before, and it had work in hand.

Wall time with the sanitizers: 80 s; with --long, 11 minutes.
"""
# ctest: TIMEOUT 900 LONG 3600 ALONE
import itertools
import json
import os
import random
import time

import kill_life
import kill_phases
import suite
from suite import Failure, require, wait_until

# Of each service; campaign is killed twice more.
KILLS = int(os.environ.get("KITH_KILLS", "20")) if suite.OPTIONS.long else 3
ROWS, RATE = (25_000 * KILLS, 3_000) if suite.OPTIONS.long else (100_000, 3_000)
# Draws who is killed at any moment: another one each time, unless it is given.
SEED = int(os.environ.get("KITH_TEST_SEED", random.SystemRandom().randrange(10**6)))
PERIOD_S = 0.8
KEY = bytes(range(32))
# As long as it takes: ctest ends what takes too long.
WAIT = ("--wait", "3000s")
WAIT_S = 3000

# Checkpoints all the time, in small pieces, so that kills find them running.
TUNING = {"memtable_bytes_max": 4 << 20, "checkpoint_interval_ms": 300, "checkpoint_records": 200,
          "journal_map_bytes": 4 << 30, "state_map_bytes": 4 << 30, "turn_bytes_max": 256 << 10}


# ---- when to kill


class Killer:
    """Kills by a plan while files are loaded, and keeps the book."""

    def __init__(self, kith, life):
        self.kith = kith
        self.life = life
        self.phases = kill_phases.Phases(kith)
        self.loader = None
        self.begin = time.monotonic()
        self.last_s = self.begin
        self.seen = dict.fromkeys(kith.services, 0)  # positions when the last kill fell
        self.counts = {}
        self.unknown = [0]  # messages, before each of campaign's deaths

    def rows(self):
        return sum(part.count for part in self.life.parts)

    def load_next(self):
        """As many files as it takes until all have died: one on a fast machine."""
        require(len(self.life.parts) < 5, "five files were loaded before the kills were done")
        self.loader = self.kith.ingest_begin(self.life.next(), rate=RATE)

    def load_end(self):
        if self.loader is not None:
            summary = self.kith.ingest_end(self.loader, timeout_s=WAIT_S)
            require_whole(summary, self.life.parts[-1])

    def has_work(self, status, accepted):
        """It is behind ingestion; or behind segmentation, if that is what it reads."""
        ends = {"ingestion": accepted}
        if [feed.feed for feed in status.feeds] == ["segmentation"]:
            ends["segmentation"] = self.kith.ask_status("segmentation").seq
        return all(feed.applied < ends[feed.feed] for feed in status.feeds if feed.feed in ends)

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
        if (accepted == self.rows() or position == self.seen[service]
                or not self.has_work(status, accepted)):
            return False
        self.seen["ingestion"] = accepted
        self.seen[service] = position
        return True

    def kill(self, service, phase):
        for _ in range(5):
            wait_until(lambda: self.is_due(service), what=f"{service} has work")
            if service == "campaign":
                self.unknown.append(self.kith.unknown())
            where = getattr(self.phases, phase)(service)
            self.last_s = time.monotonic()
            if where is not None and self.loader.poll() is None:
                break
        else:
            raise Failure(f"{service} could not be killed in its {phase}")
        self.counts[phase] = self.counts.get(phase, 0) + 1
        print(f"  {self.last_s - self.begin:6.2f} s  {service:<12}  in {phase:<10}  {where:<27}"
              f"{self.seen['ingestion']:>8} of {self.rows()} rows accepted", flush=True)

    def unknown_check(self):
        """A death leaves no more messages unknown than were on their way; but those by mail were
        on their way when it died in the middle of one."""
        self.unknown.append(self.kith.unknown())
        added = [after - before for before, after in itertools.pairwise(self.unknown)]
        require(all(0 <= one <= kill_life.IN_FLIGHT_MAX for one in added),
                f"messages that each of campaign's deaths left unknown: {added}")
        require(self.unknown[-1] >= self.counts["mail"], f"too few are unknown: {added}")
        print(f"  campaign's deaths left messages unknown: {added[1:]}", flush=True)


def plan(services):
    """(service, phase) of every kill: the services in turn, then what campaign alone does; and in
    the short form one at any moment, somewhere among them."""
    phases = ["commit", "checkpoint", "recovery"] + (["any"] if suite.OPTIONS.long else [])
    cycles = {}
    for shift, service in enumerate(services):
        # Reporting keeps no journal: its checkpoint is all that it commits.
        own = [phase for phase in phases if phase != "commit" or service != "reporting"]
        own = own[shift % len(own):] + own[:shift % len(own)]
        cycles[service] = itertools.cycle(own)
    kills = []
    for _ in range(KILLS):
        kills += [(service, next(cycles[service])) for service in services]
        kills += [("campaign", "outbox"), ("campaign", "mail")]
    if not suite.OPTIONS.long:  # there each is
        draw = random.Random(SEED)
        kills.insert(draw.randrange(len(kills) + 1), (draw.choice(services), "any"))
    return kills


# ---- what comes of it


def told(decision):
    """A decision without what depends on when the service died."""
    kept = {name: value for name, value in decision.items() if name != "detail"}
    if kept["channel"] == "post" and kept["decision"] in ("sent", "unknown"):
        kept["decision"] = "sent or unknown"
    return kept


def results(kith):
    """Everything that must not depend on what was killed when."""
    totals = kith.cli("report", "totals", *WAIT, timeout_s=WAIT_S)
    totals["sent or unknown"] = totals.pop("sent") + totals.pop("unknown")
    segments = [*kill_life.SEGMENTS, *(one["name"] for one in kill_life.OWN_SEGMENTS)]
    return {"totals": totals,
            "daily": kith.cli("report", "daily", "--by", "plan", as_json=False),
            "accounts": kith.accounts(),
            **{f"members of {name}": kith.cli("segment", "list", name, as_json=False).split()
               for name in segments},
            **{f"decisions of {one['name']}": [told(it) for it in kith.decisions(one["name"])]
               for one in kill_life.CAMPAIGNS},
            "outbox": kith.outbox().read_text().splitlines()}


def require_same(name, calm, killed):
    if not isinstance(calm, list):
        require(calm == killed, f"{name} differs:\nundisturbed: {str(calm)[:2000]}\n"
                                f"killed:      {str(killed)[:2000]}")
        return
    for number, (a, b) in enumerate(itertools.zip_longest(calm, killed), 1):
        require(a == b, f"{name}: {number} differs:\nundisturbed: {a}\nkilled:      {b}")
    print(f"  {name}: {len(calm)}, the same in both runs", flush=True)


def require_same_facts(feed, one, other):
    """Both files hold the same facts in the same order."""
    with one.open() as first, other.open() as second:
        for number, (a, b) in enumerate(itertools.zip_longest(first, second), 1):
            require(a == b, f"{feed}'s fact {number} differs:\nundisturbed: {a}\nkilled:      {b}")
    return number


def require_right(truth, found):
    """As kith gen says that the life adds up."""
    for name in ("events", "customers", "revenue_minor", "points_issued"):
        value = found["totals"][name]
        require(value == truth[name], f"totals: {name} is {value}, not {truth[name]}")
    for name in kill_life.SEGMENTS:
        count = len(found[f"members of {name}"])
        require(count == truth["segments"][name], f"{name} has {count} members")
    balances = sum(one[2] for one in found["accounts"] if one[0])
    require(balances == truth["points_issued"], f"balances add up to {balances}")


def require_once(kith):
    """Of each message one, by the file and by the mail server's own record: what is called sent is
    there, and what is there is called sent, or by mail unknown. Returns how many are unknown, and
    how many of these arrived."""
    lines = [json.loads(line) for line in kith.outbox().read_text().splitlines()]
    taken = {"outbox": [line["dispatch"] for line in lines], "post": kith.mail.dispatches()}
    said, arrived = {}, {}
    for campaign in kill_life.CAMPAIGNS:
        for one in kith.decisions(campaign["name"]):
            said.setdefault((campaign["channel"], one["decision"]), set()).add(one["dispatch"])
    for channel, dispatches in taken.items():
        require(len(set(dispatches)) == len(dispatches), f"{channel}: a message came twice")
        sent, unknown = said[channel, "sent"], said.get((channel, "unknown"), set())
        require(sent <= set(dispatches), f"{channel}: {sent - set(dispatches)} did not come")
        require(set(dispatches) <= sent | unknown,
                f"{channel}: {set(dispatches) - sent - unknown} came and are not said to be sent")
        arrived[channel] = len(unknown & set(dispatches))
        print(f"  {channel}: {len(dispatches)} messages, each once; unknown: {len(unknown)}, of "
              f"which {arrived[channel]} arrived", flush=True)
    require(not said.get(("outbox", "unknown")), "a line of a file is unknown")
    return len(said.get(("post", "unknown"), ())), arrived["post"]


def require_whole(summary, part):
    expected = {"rows": part.count, "accepted": part.count, "duplicate": 0, "rejected": 0}
    require({key: summary[key] for key in expected} == expected, f"kith ingest says {summary}")


# ---- the tests


def killed_while_loading(kith, life):
    """Loads what it needs to carry out the plan."""
    print(f"  seed {SEED}", flush=True)
    killer = Killer(kith, life)
    for service, phase in plan(kith.services):
        killer.kill(service, phase)
    killer.load_end()
    print(f"  kills: {json.dumps(killer.counts)}; starts that they caused: "
          f"{sum(kith.caused.values())}", flush=True)
    return killer


def killed_services_change_no_result():
    with kill_life.LifeSuite(KEY, **TUNING) as kith, kill_life.LifeSuite(KEY, **TUNING) as calm:
        kith.up()
        life = kill_life.Life(kith.folder, ROWS)
        killer = killed_while_loading(kith, life)
        found = results(kith)
        require_right(life.truth, found)
        _, arrived = require_once(kith)
        killer.unknown_check()
        require(arrived > 0, "no kill fell between a message's arrival and the server's answer")
        facts = {feed: kith.facts(feed) for feed in ("ingestion", "loyalty", "segmentation")}
        kith.verify_state()
        kith.down()

        calm.up()
        for part in life.parts:
            require_whole(calm.ingest(part, timeout_s=WAIT_S), part)
        for name, value in results(calm).items():
            require_same(name, value, found[name])
        unknown, _ = require_once(calm)
        require(unknown == 0, "a message is unknown and nobody was killed")
        for feed, file in facts.items():
            count = require_same_facts(feed, calm.facts(feed), file)
            print(f"  {feed}: {count} facts, the same in both runs", flush=True)


def a_killed_load_is_finished_by_running_it_again():
    count = 30_000
    with kill_life.LifeSuite(KEY, **TUNING) as kith:
        life = kill_life.Life(kith.folder, count)
        part = life.next()
        kith.up()
        for number in range(1, 4):
            loader = kith.ingest_begin(part, rate=RATE)
            wait_until(lambda: kith.ask_status("ingestion").seq >= number * count // 5,
                       what=f"load {number} has come further")
            require(loader.poll() is None, "the load was over before it was killed")
            loader.kill()
            loader.communicate()
            print(f"  load {number} killed at {kith.ask_status('ingestion').seq} rows", flush=True)
        summary = kith.ingest(part)
        require((summary["accepted"] + summary["duplicate"], summary["rejected"]) == (count, 0),
                f"kith ingest says {summary}")
        require_right(life.truth, results(kith))
        require_once(kith)
        kith.verify_state()


suite.main(killed_services_change_no_result,
           a_killed_load_is_finished_by_running_it_again)
