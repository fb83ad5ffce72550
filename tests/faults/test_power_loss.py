#!/usr/bin/python3
"""Power loss: everything that was acknowledged is there, whatever the disk kept of the rest.

A life of a suite is written down; its disk is cut at places all over it, torn at 512 bytes, and the
services are started on what is left. crash.py says what is judged.

Wall time with the sanitizers: 40 s for 100 images of services and 6 of the suite; tests/faults/run
--long ROUNDS judges 500 of services and 25 of the suite in each round.
"""
# ctest: TIMEOUT 300 LONG 14400 ALONE
import time

import crash
import faulty
import suite

CUTS, WHOLE = (100, 25) if suite.OPTIONS.long else (20, 6)


def what_was_acknowledged_outlives_a_power_cut():
    print(f"  seed {faulty.SEED}", flush=True)
    for number in range(faulty.ROUNDS):
        draw = faulty.draw("power", number)
        with faulty.FaultySuite(crash.configuration(), is_logging=True, key=crash.KEY) as kith:
            life = crash.live(kith, draw)
            promises = crash.Promises(life)
            begun = time.monotonic()
            suite.together(lambda one, life=life, promises=promises:
                           crash.judge_all(life, promises, one),
                           crash.images(life, draw, promises, CUTS))
            took = time.monotonic() - begun
            count = CUTS * len(kith.services)
            print(f"  round {number}: {len(life.records)} records, {len(promises.places())} "
                  f"promises; {count} images of services in {took:.0f} s", flush=True)
            suite.together(lambda one, life=life, promises=promises:
                           crash.judge_suite(life, promises, one),
                           crash.images(life, draw, promises, WHOLE))


suite.main(what_was_acknowledged_outlives_a_power_cut)
