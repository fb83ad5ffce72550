#!/usr/bin/python3
"""The wall clock jumps, by an hour forward and back: times never go back, nothing is done twice or
left out, and whoever waits for a time-out is not kept.

The library that is loaded into the services tells them the other time; the clock that durations
are measured by stays. Wall time with the sanitizers: 15 s.
"""
# ctest: TIMEOUT 300
import time

import crash  # first: it knows where the others lie
import events
import faulty
import feeds
import suite
from kith.v1 import block_pb2, ingestion_pb2
from suite import require

HOUR_MS = 3600 * 1000
FUTURE_MS = 5 * 60 * 1000
JUMPS = (HOUR_MS, 0, -HOUR_MS, 0, -3 * HOUR_MS, HOUR_MS)


def wall_ms(kith):
    return int(time.time() * 1000) + kith.log.header.clock_ahead_ms


def send(kith, wire, number, at_ms):
    """One event; its outcome. The client's clock goes with the services'."""
    made = events.event(number, f"c{number % 10}", minor=5000, at_ms=at_ms)
    header_at = time.time
    time.time = lambda: header_at() + kith.log.header.clock_ahead_ms / 1000
    try:
        return events.one(wire, made, f"k{number}").outcome
    finally:
        time.time = header_at


def events_are_accepted_by_the_clock_that_never_goes_back():
    """Under the wall clock. An event of now is taken whatever the clock was before; when it has
    gone back, facts keep the later time."""
    with faulty.FaultySuite(suite.config(clock="wall", **crash.TUNING), key=crash.KEY) as kith:
        kith.start_all()
        wire = kith.wire("ingestion")
        number, accepted = 0, 0
        for ahead in JUMPS:
            kith.log.header.clock_ahead_ms = ahead
            for _ in range(20):
                outcome = send(kith, wire, number, wall_ms(kith))
                require(outcome == ingestion_pb2.INGEST_ACCEPTED,
                        f"ahead {ahead} ms, event {number}: {outcome}")
                number += 1
                accepted += 1
            feeds.settle(kith)
        for service in crash.JOURNALS:
            times = [fact.recorded_at for fact in feeds.read(kith, service)]
            require(times == sorted(times), f"{service}: a fact was recorded before the one before")
        facts = feeds.of_type(feeds.read(kith, "ingestion"), block_pb2.FACT_EVENT_ACCEPTED,
                              ingestion_pb2.EventAccepted)
        require(len(facts) == accepted, f"{len(facts)} of {accepted} events")
        found = crash.results(kith, kith.data)
        require(sum(one[2] for one in found["accounts"] if one[0]) == 50 * accepted,
                f"points of {accepted} events of 50: {found['accounts']}")
        for service in kith.services:  # also over a restart with the clock behind
            kith.log.header.clock_ahead_ms = -2 * HOUR_MS
            kith.kill(service)
            kith.start(service)
            kith.ask_status(service)
        require(send(kith, kith.wire("ingestion"), number, wall_ms(kith)) ==
                ingestion_pb2.INGEST_ACCEPTED, "an event after the restart")
        feeds.settle(kith)
        for service in crash.JOURNALS:
            times = [fact.recorded_at for fact in feeds.read(kith, service)]
            require(times == sorted(times), f"{service}: times go back over a restart")
        kith.verify_state()


def what_is_parked_is_woken_by_the_other_clock():
    """A Wait that may last 2 s lasts 2 s, whatever the wall clock does meanwhile."""
    from kith.v1 import feed_pb2, wire_pb2
    with faulty.FaultySuite(crash.configuration(("ingestion",)), key=crash.KEY) as kith:
        kith.start_all()
        wire = kith.wire("ingestion", kind="feed")
        for ahead in (-HOUR_MS, HOUR_MS):
            kith.log.header.clock_ahead_ms = 0
            request = feed_pb2.WaitRequest(
                positions=[wire_pb2.Position(feed="ingestion", shard=0, seq=10**6)],
                timeout_ms=2000)
            begun = time.monotonic()
            wire.send("feed.Wait", request)
            kith.log.header.clock_ahead_ms = ahead
            got = wire.receive(10000)
            took = time.monotonic() - begun
            require(got is not None and 1.5 < took < 8,
                    f"the clock at {ahead} ms: a Wait of 2 s took {took:.1f} s")


if __name__ == "__main__":
    suite.main(events_are_accepted_by_the_clock_that_never_goes_back,
               what_is_parked_is_woken_by_the_other_clock)
