#!/usr/bin/python3
"""Messages that are lost, come twice and overtake each other: on the way of commands, and of every
feed to its consumers. Each event counts once, and every consumer is what its producers' journals
say.

Wall time with the sanitizers: 20 s.
"""
# ctest: TIMEOUT 300 LONG 3600
import contextlib
import time

import crash
import faulty
import feeds
import mangler
import suite
from kith.v1 import block_pb2, ingestion_pb2
from suite import require
from wire import Refused

ROUNDS = faulty.ROUNDS if suite.OPTIONS.long else 1
BATCHES = 60
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
            require(refused.code == 4, f"{request.key}: {refused}")
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


def mangled(draw, kith):
    with contextlib.ExitStack() as stack:
        manglers = start_all_mangled(kith, stack, draw)
        life, counts = crash.Life(kith), {}
        for number in range(BATCHES):
            life.ingest(number)
            request = life.requests["ingestion"][-1]
            request.reply = insist(kith.wire("ingestion"), request, counts)
        for one in life.requests["ingestion"][::7]:
            require(insist(kith.wire("ingestion"), one, counts) == one.reply,
                    f"{one.key}: its retry has another reply")
        for one in manglers:
            one.heal()
        begun = time.monotonic()
        feeds.settle(kith)
        took = time.monotonic() - begun
        require(took < CONVERGE_S, f"settled {took:.0f} s after the last loss only")
        events_are_once(feeds.read(kith, "ingestion"), life.requests["ingestion"])
        found = crash.results(kith, kith.data)
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
            found = mangled(faulty.draw("messages", number), kith)
        for name, value in expected.items():
            require(found[name] == value, f"{name}: {crash.difference(value, found[name])}")


suite.main(what_is_lost_doubled_and_late_changes_no_result)
