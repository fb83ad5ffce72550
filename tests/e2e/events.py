"""Events made by hand and sent without `kith ingest`: where a test must know every byte."""
import collections

import suite
from kith.v1 import event_pb2, ingestion_pb2

WAIT_MS = 60000
DAY_MS = 24 * 3600 * 1000
# 1997-01-01T00:00:00Z
BEGIN_MS = 852076800000
OUTCOMES = ("accepted", "duplicate", "rejected", "invalid")


def event(number, customer, minor=100, at_ms=None, **more):
    """A purchase; each number is one event."""
    at_ms = BEGIN_MS + number * 1000 if at_ms is None else at_ms
    fields = {"source": "test", "id": f"e{number}", "type": "purchase", "customer": customer,
              "occurred_at_ms": at_ms, "schema_version": 1,
              "amount": event_pb2.Money(minor=minor, currency="USD")}
    return event_pb2.Event(**{**fields, **more})


def batch(events):
    """An IngestRequest of events or of their encoded bytes."""
    encoded = (one if isinstance(one, bytes) else one.SerializeToString() for one in events)
    return ingestion_pb2.IngestRequest(items=[ingestion_pb2.IngestItem(event=one)
                                              for one in encoded])


def send(wire, events, size=1000, window=8, key="load"):
    """Sends them in batches, several of which are on their way at a time, and counts outcomes:
    {"accepted": n, ...}."""
    counts = collections.Counter()
    waiting = 0
    for number, first in enumerate(range(0, len(events), size)):
        wire.send("ingestion.Ingest", batch(events[first:first + size]), key=f"{key}.{number}")
        waiting += 1
        if waiting == window:
            counts.update(_outcomes(wire))
            waiting -= 1
    for _ in range(waiting):
        counts.update(_outcomes(wire))
    return dict(counts)


def _outcomes(wire):
    got = wire.receive(WAIT_MS)
    suite.require(got is not None, f"ingestion.Ingest: no reply in {WAIT_MS} ms")
    header, body = got
    suite.require(header.code == 0, f"ingestion.Ingest: {header.code} {header.message}")
    for run in ingestion_pb2.IngestReply.FromString(body).results:
        yield from [OUTCOMES[run.outcome]] * run.count


def one(wire, made, key):
    """Sends one event; returns its IngestRun."""
    reply = wire.call("ingestion.Ingest", batch([made]), ingestion_pb2.IngestReply, key=key)
    return reply.results[0]
