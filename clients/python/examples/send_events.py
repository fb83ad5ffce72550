#!/usr/bin/python3
"""Sends two events, and shows what became of each. KITH_SUITE names the suite's data folder."""
from datetime import datetime, timezone

import kith

now = datetime.now(timezone.utc)
events = [
    kith.event(source="till", id="4711", type="purchase", customer="S0118", occurred_at=now,
               amount=kith.Money(1250, "EUR"), attributes={"channel": "shop"}),
    kith.event(source="till", id="4712", type="rating", customer="S0119", occurred_at=now,
               attributes={"stars": 5}),
]
with kith.Client() as client:
    for event, result in zip(events, client.ingest(events)):
        print(event.id, result.outcome.name.lower(), result.seq or result.violations)
