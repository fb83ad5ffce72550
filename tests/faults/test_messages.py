#!/usr/bin/python3
"""Messages that are lost, come twice and overtake each other: on the way of commands to ingestion,
loyalty and campaign, and of every feed to its consumers. Each event counts once, each posting and
each triggered message too, and every consumer is what its producers' journals say.

Wall time with the sanitizers: 20 s.
"""
# ctest: TIMEOUT 300 LONG 3600
import collections
import contextlib
import json
import time

import crash
import faulty
import feeds
import mangler
import suite
from kith.v1 import (block_pb2, campaign_pb2, event_pb2, ingestion_pb2, loyalty_pb2,
                     reporting_pb2)
from suite import require
from wire import Refused

ROUNDS = faulty.ROUNDS if suite.OPTIONS.long else 1
BATCHES = 60
COMMANDS = 24
DEADLINE_EXCEEDED, FAILED_PRECONDITION = 4, 9
PATIENCE_MS = 300
CONVERGE_S = 30


def insist(wire, request, counts):
    """Asks with the same key until there is an answer, as every client must."""
    end = time.monotonic() + suite.ANSWER_S
    while time.monotonic() < end:
        try:
            return wire.call(request.method, request.body, key=request.key, timeout_ms=PATIENCE_MS)
        except TimeoutError:
            counts["again"] = counts.get("again", 0) + 1
        except Refused as refused:
            # It lay too long on its way and was not decided.
            require(refused.code == DEADLINE_EXCEEDED, f"{request.key}: {refused}")
    raise suite.Failure(f"{request.key}: no answer in {suite.ANSWER_S} s")


def mangle(kith, stack, service, kind, draw):
    path = kith.data / "run" / f"{service}-0.{kind}"
    suite.wait_until(path.exists, what=f"{service} is bound")
    return stack.enter_context(mangler.Mangler(path, draw))


def start_all_mangled(kith, stack, draw):
    """Each service is behind a mangler before its consumers start."""
    manglers = []
    for service in kith.services:
        kith.start(service)
        kith.ask_status(service)
        kith.disconnect(service)
        for kind in ("cmd", "feed"):
            manglers.append(mangle(kith, stack, service, kind, draw))
    return manglers


def events_are_once(facts, requests):
    accepted = feeds.of_type(facts, block_pb2.FACT_EVENT_ACCEPTED, ingestion_pb2.EventAccepted)
    found = sorted(int(one.id[1:]) for one in accepted)
    require(found == list(range(len(requests) * crash.BATCH)),
            f"{len(found)} events in the journal, {len(set(found))} different, sent were "
            f"{len(requests) * crash.BATCH}")


def ingest(kith, life, batches, counts):
    for _ in range(batches):
        life.ingest(len(life.requests["ingestion"]))
        request = life.requests["ingestion"][-1]
        request.reply = insist(kith.wire("ingestion"), request, counts)


def heal(kith, manglers):
    """Returns how long it takes until all is settled."""
    for one in manglers:
        one.heal()
    begun = time.monotonic()
    feeds.settle(kith)
    took = time.monotonic() - begun
    require(took < CONVERGE_S, f"settled {took:.0f} s after the last loss only")
    return took


# ---- commands to loyalty and campaign


class Commands:
    """Postings and triggered messages, each under a key of its own, and what accounts and the
    outbox come to by what was sent and by what was acknowledged."""

    def __init__(self, kith, life, draw, counts):
        self.kith, self.life, self.draw, self.counts = kith, life, draw, counts
        self.sent = []  # (service, request)
        self.posted = []  # (posting's name, customer, points)
        self.points = collections.Counter()
        self.postings = collections.Counter()
        self.triggered = []  # (customer, key)

    def ask(self, service, method, body, reply):
        request = crash.Request(method, body, f"{method}.{len(self.sent)}")
        request.reply = insist(self.kith.wire(service), request, self.counts)
        self.sent.append((service, request))
        return reply.FromString(request.reply)

    def post(self, customer):
        """A grant, a spend and a spend of more than anybody has."""
        amounts = [self.draw.randrange(1, 50), -self.draw.randrange(1, 20), -10**9]
        body = loyalty_pb2.PostRequest(postings=[
            loyalty_pb2.Posting(kind=loyalty_pb2.POSTING_GRANT if points > 0 else
                                loyalty_pb2.POSTING_SPEND, customer=customer, points=abs(points),
                                reference=f"r{len(self.sent)}") for points in amounts])
        reply = self.ask("loyalty", "loyalty.Post", body, loyalty_pb2.PostBatchReply)
        runs = [(run.count, run.code) for run in reply.results]
        require(runs == [(2, 0), (1, FAILED_PRECONDITION)], f"{customer}: {reply}")
        for i, points in enumerate(amounts[:2]):
            self.note(reply.results[0].first_posting + i, customer, points)

    def spend(self, customer):
        points = self.draw.randrange(1, 20)
        reply = self.ask("loyalty", "loyalty.Spend",
                         loyalty_pb2.SpendRequest(customer=customer, points=points),
                         loyalty_pb2.PostReply)
        self.note(reply.posting, customer, -points)

    def reverse(self):
        """One of those that were acknowledged, and that none has taken back so far."""
        name, customer, points = self.posted.pop(self.draw.randrange(len(self.posted)))
        reply = self.ask("loyalty", "loyalty.Reverse", loyalty_pb2.ReverseRequest(posting=name),
                         loyalty_pb2.PostReply)
        require((reply.customer, reply.points) == (customer, -points),
                f"posting {name} of {points} points is taken back as {reply}")
        self.count(customer, -points)

    def note(self, name, customer, points):
        self.posted.append((name, customer, points))
        self.count(customer, points)

    def count(self, customer, points):
        self.points[customer] += points
        self.postings[customer] += 1

    def trigger(self, customer):
        reply = self.ask("campaign", "campaign.Trigger",
                         campaign_pb2.TriggerRequest(campaign="thanks", customer=customer),
                         campaign_pb2.DispatchReply)
        key = self.sent[-1][1].key
        named = feeds.dispatch_id("thanks", customer, f"command/{key}")
        require(reply.dispatch.hex() == named, f"{key}: {reply}, {named} is its name")
        self.triggered.append((customer, key))

    def all(self):
        """While events come in."""
        members = sorted(line["customer"] for line in outbox(self.kith))
        for number in range(COMMANDS):
            customer = self.draw.choice(members)
            self.post(customer)
            (self.spend, self.trigger)[number % 2](customer)
            if number % 3 == 0:
                self.reverse()
            if number % 4 == 0:
                ingest(self.kith, self.life, 1, self.counts)
        for service, request in self.sent[::5]:
            require(insist(self.kith.wire(service), request, self.counts) == request.reply,
                    f"{request.key}: its retry has another reply")

    def earn(self):
        """What the life's events come to, by the one rule."""
        for request in self.life.requests["ingestion"]:
            for item in ingestion_pb2.IngestRequest.FromString(request.body).items:
                made = event_pb2.Event.FromString(item.event)
                self.count(made.customer, made.amount.minor // 100)

    def check(self):
        self.earn()
        accounts = {one[0]: (one[2], one[3]) for one in
                    crash.results(self.kith, self.kith.data)["accounts"] if one[0]}
        wanted = {feeds.customer_id(crash.KEY, name): (self.points[name], self.postings[name])
                  for name in self.points}
        require(accounts == wanted, "accounts: " +
                crash.difference(sorted(wanted.items()), sorted(accounts.items())))
        entries = [feeds.dispatch_id("thanks", fact.subject, f"entry/{fact.seq}")
                   for fact in feeds.read(self.kith, "segmentation")
                   if fact.type == block_pb2.FACT_SEGMENT_ENTERED]
        commands = [feeds.dispatch_id("thanks", customer, f"command/{key}")
                    for customer, key in self.triggered]
        found = sorted(line["dispatch"] for line in outbox(self.kith))
        wanted = sorted(entries + commands)
        require(found == wanted, f"messages: {crash.difference(wanted, found)}")
        totals = crash.ask(self.kith, "reporting", "reporting.Totals", b"",
                           reporting_pb2.TotalsReply)
        require((totals.points_outstanding, totals.sent) == (self.points.total(), len(wanted)),
                f"totals: {totals}, expected {self.points.total()} points, {len(wanted)} messages")
        print(f"  {len(self.sent)} commands: {len(commands)} messages triggered, "
              f"{sum(self.postings.values())} postings, {self.points.total()} points", flush=True)


def outbox(kith):
    lines = (kith.data / "outbox" / "outbox-0.ndjson").read_text().splitlines()
    return [json.loads(line) for line in lines]


# ---- a mangled life and a calm one


def mangled(number, kith):
    with contextlib.ExitStack() as stack:
        manglers = start_all_mangled(kith, stack, faulty.draw("messages", number))
        life, counts = crash.Life(kith), {}
        ingest(kith, life, BATCHES, counts)
        for one in life.requests["ingestion"][::7]:
            require(insist(kith.wire("ingestion"), one, counts) == one.reply,
                    f"{one.key}: its retry has another reply")
        took = heal(kith, manglers)
        events_are_once(feeds.read(kith, "ingestion"), life.requests["ingestion"])
        found = crash.results(kith, kith.data)
        for one in manglers:
            one.mangle()
        commands = Commands(kith, life, faulty.draw("commands", number), counts)
        commands.all()
        took = max(took, heal(kith, manglers))
        events_are_once(feeds.read(kith, "ingestion"), life.requests["ingestion"])
        commands.check()
        kith.verify_state()
        for kind in ("cmd", "feed"):
            own = [one.counts for one in manglers if one.path.endswith(kind)]
            totals = {name: sum(counts[name] for counts in own) for name in own[0]}
            require(min(totals.values()) > 0, f"too little was mangled: {totals}")
            print(f"  {kind}: {totals}", flush=True)
        print(f"  {counts.get('again', 0)} requests sent again, settled after {took:.1f} s",
              flush=True)
        return found


def calm(kith):
    kith.start_all()
    life = crash.Life(kith)
    life.more(BATCHES)
    feeds.settle(kith)
    return crash.results(kith, kith.data)


def what_is_lost_doubled_and_late_changes_no_result():
    print(f"  seed {faulty.SEED}", flush=True)
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        expected = calm(kith)
    for number in range(ROUNDS):
        with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
            found = mangled(number, kith)
        for name, value in expected.items():
            require(found[name] == value, f"{name}: {crash.difference(value, found[name])}")


suite.main(what_is_lost_doubled_and_late_changes_no_result)
