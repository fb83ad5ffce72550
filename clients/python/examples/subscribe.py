#!/usr/bin/python3
"""Shows points as they are earned and spent: subscribe.py [EPOCH SEQ] goes on after that position.
KITH_SUITE names the suite's data folder; Ctrl-C ends it."""
import sys

import kith

after = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (0, 0)
with kith.Client() as client:
    for fact in client.subscribe("loyalty", after=after, types=["points.earned", "points.spent"]):
        print(fact.epoch, fact.seq, fact.name, fact.customer, fact.body.points, flush=True)
