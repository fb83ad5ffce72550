#!/usr/bin/python3
"""A disk that fails: a write or a sync that gives EIO, or takes half. Whoever asked gets neither
yes nor no, the service ends with 75, its successor knows what became of it, and the same key
settles it. Who lives by its feeds folds again what it had not made durable. Each call of a commit
in turn, in each file.

Wall time with the sanitizers: 35 s.
"""
# ctest: TIMEOUT 300
import errno
import itertools
import json

import crash
import events
import faulty
import feeds
import suite
from kith.v1 import block_pb2, campaign_pb2, ingestion_pb2
from suite import require
from wire import Wire

EXIT_UNKNOWN = 75
JOURNAL_CALLS = [("write", 0), ("write", 1), ("sync", 0), ("sync", 1), ("short write", 0),
                 ("short write", 1)]
STATE_CALLS = [("write", 0), ("sync", 0), ("sync", 1), ("short write", 0)]


def fail_and_recover(kith, life, service, kind, before):
    """A command during which the journal fails."""
    kith.log.fault(kind, file=f"{service}/0/journal.mdb", error=errno.EIO, before=before)
    number = len(life.requests[service])
    (life.ingest if service == "ingestion" else life.grant)(number)
    request = life.requests[service][number]
    wire = kith.wire(service)
    wire.send(request.method, request.body, key=request.key)
    process = kith.direct[service, 0]
    suite.wait_until(lambda: process.poll() is not None, what=f"{service} ends, {kind} {before}")
    require(wire.receive(0) is None, f"{service}, {kind} {before}: {request.key} was answered")
    code = kith.code_of(service)
    require(code == EXIT_UNKNOWN and kith.log.struck() == 1,
            f"{service}, {kind} {before}: exit {code}: {kith.said(service)[-500:]}")
    kith.log.fault("none")
    kith.start(service)
    request.reply = kith.wire(service).call(request.method, request.body, key=request.key)


def a_journal_that_fails_ends_its_service_without_a_word():
    with faulty.FaultySuite(crash.configuration(("ingestion", "loyalty")), key=crash.KEY) as kith:
        kith.start_all()
        life = crash.Life(kith)
        life.part(2, 1)
        for service in ("ingestion", "loyalty"):
            for kind, before in JOURNAL_CALLS:
                fail_and_recover(kith, life, service, kind, before)
                feeds.settle(kith)
        life.part(1, 1)
        life.end()
        kith.verify_state()


class Newcomers:
    """One after the other spends enough to be in the segment: segmentation has an entry to tell,
    and campaign a message to send. Nobody waits for either."""

    def __init__(self, kith):
        self.kith = kith
        self.names = []

    def one(self):
        number = len(self.names)
        self.names.append(f"n{number}")
        made = events.event(number, self.names[-1], minor=25000)
        outcome = events.one(self.kith.wire("ingestion"), made, f"k{number}").outcome
        require(outcome == ingestion_pb2.INGEST_ACCEPTED, f"event {number}: {outcome}")

    def check(self):
        """Each has entered once, in their order, and has one message, by what the journal says and
        by the channel's file."""
        feeds.settle(self.kith)
        moves = [(fact.type, fact.subject) for fact in feeds.read(self.kith, "segmentation")
                 if fact.type != block_pb2.FACT_RULES_CHANGED]
        require(moves == [(block_pb2.FACT_SEGMENT_ENTERED, name) for name in self.names],
                f"{len(moves)} entries and exits of {len(self.names)} who came: {moves[-3:]}")
        facts = feeds.read(self.kith, "campaign")
        wanted = sorted(self.dispatches())
        for kind in (block_pb2.FACT_DISPATCH_INTENDED, block_pb2.FACT_DISPATCH_SENT):
            told = feeds.of_type(facts, kind, campaign_pb2.Dispatch)
            require(sorted(one.dispatch.hex() for one in told) == wanted,
                    f"{len(told)} facts {kind} of {len(wanted)} messages")
        require(len(facts) == 2 * len(wanted) + 1, f"{len(facts)} facts of campaign")
        lines = (self.kith.data / "outbox" / "outbox-0.ndjson").read_text().splitlines()
        there = sorted(json.loads(line)["dispatch"] for line in lines)
        require(there == wanted, f"{len(there)} lines of {len(wanted)} messages")

    def dispatches(self):
        """By what makes their name: whoever entered, and with which fact."""
        for fact in feeds.read(self.kith, "segmentation"):
            if fact.type == block_pb2.FACT_SEGMENT_ENTERED:
                yield feeds.dispatch_id("thanks", fact.subject, f"entry/{fact.seq}")


def a_journal_that_fails_is_made_up_for_from_the_feeds():
    """Segmentation's and campaign's."""
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        kith.start_all()
        newcomers = Newcomers(kith)
        newcomers.one()
        newcomers.check()
        for service, (kind, before) in itertools.product(("segmentation", "campaign"),
                                                         JOURNAL_CALLS):
            kith.log.fault(kind, file=f"{service}/0/journal.mdb", error=errno.EIO, before=before)
            newcomers.one()
            code = kith.code_of(service)
            require(code == EXIT_UNKNOWN and kith.log.struck() == 1,
                    f"{service}, {kind} {before}: exit {code}: {kith.said(service)[-500:]}")
            kith.log.fault("none")
            kith.start(service)
            kith.ask_status(service)
            newcomers.check()
        found = crash.results(kith, kith.data)
        accounts = sorted(one[:1] + one[2:] for one in found["accounts"] if one[0])
        wanted = sorted((feeds.customer_id(crash.KEY, name), 250, 1) for name in newcomers.names)
        require(accounts == wanted, f"accounts: {crash.difference(wanted, accounts)}")
        kith.verify_state()


def a_state_that_fails_loses_nothing():
    """A checkpoint that cannot be written ends the service; the journal has it all."""
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        kith.start_all()
        life = crash.Life(kith)
        life.part(2, 1)
        for service in kith.services:
            for kind, before in STATE_CALLS:
                kith.log.fault(kind, file=f"{service}/0/state.mdb", error=errno.EIO, before=before)
                life.ingest(len(life.requests["ingestion"]))
                request = life.requests["ingestion"][-1]
                kith.wire("ingestion").send(request.method, request.body, key=request.key)
                code = kith.code_of(service)
                require(code == EXIT_UNKNOWN and kith.log.struck() == 1,
                        f"{service}, {kind} {before}: exit {code}: {kith.said(service)[-500:]}")
                kith.log.fault("none")
                kith.start(service)
                kith.ask_status(service)
                crash.send_again(life, kith, "ingestion", -1, None)
        life.end()
        kith.verify_state()


def a_disk_that_fails_for_ever_is_told():
    """The service does not come up, or ends with its first checkpoint, and says why."""
    with faulty.FaultySuite(crash.configuration(("ingestion",)), key=crash.KEY) as kith:
        kith.start_all()
        kith.ingest_batch(1)
        for name, words in (("journal.mdb", ("journal.mdb",)),
                            ("state.mdb", ("state.mdb", "a commit failed"))):
            kith.kill("ingestion")
            kith.log.fault("sync", file=name, error=errno.EIO, forever=True)
            kith.start("ingestion")
            wire = Wire(f"ipc://{kith.data}/run/ingestion-0.cmd")
            wire.send("ingestion.Ingest", suite.batch(2), key="never")
            code = kith.code_of("ingestion")
            require(wire.receive(0) is None or name == "state.mdb", f"{name}: a batch was answered")
            wire.close()
            said = kith.said("ingestion").splitlines()[-1]
            require(code > 0, f"{name}: exit {code}")
            require(any(one in said for one in words), f"{name}: {words} is not said: {said}")
            kith.log.fault("none")
            kith.start("ingestion")
            kith.wire("ingestion").call("ingestion.Ingest", suite.batch(2), key="never")
        kith.ingest_batch(3)
        require(len(feeds.read(kith, "ingestion")) == 30, "three batches of 10 events, each once")


def an_outbox_that_fails_gets_each_line_once():
    """The channel's file is no promise to whoever asked: its message waits and is written again."""
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        kith.start_all()
        life = crash.Life(kith)
        life.part(1, 0)
        struck = 0
        for kind in ("write", "sync", "short write"):
            kith.log.fault(kind, file="outbox-0.ndjson", error=errno.EIO)
            life.part(6, 0)
            feeds.settle(kith)
            struck += kith.log.struck()
            kith.log.fault("none")
        require(struck >= 1, "nothing was written to the outbox")
        life.end()
        lines = (kith.data / "outbox" / "outbox-0.ndjson").read_text().splitlines()
        sent = len(crash.results(kith, kith.data)["outbox"])
        require(sent == len(lines) > 0, f"{len(lines)} lines, {sent} messages")
        print(f"  {sent} messages, each once; {struck} calls failed", flush=True)


suite.main(a_journal_that_fails_ends_its_service_without_a_word,
           a_journal_that_fails_is_made_up_for_from_the_feeds,
           a_state_that_fails_loses_nothing,
           a_disk_that_fails_for_ever_is_told,
           an_outbox_that_fails_gets_each_line_once)
