#!/usr/bin/python3
"""Power loss: everything that was acknowledged is there, whatever the disk kept of the rest.

A life of a suite is written down; its disk is cut at places all over it, torn at 512 bytes, and the
services are started on what is left. crash.py says what is judged.

Wall time with the sanitizers: 40 s for 150 images of services and 6 of the suite; tests/faults/run
--long ROUNDS judges 500 of services and 25 of the suite in each round.
"""
# ctest: TIMEOUT 300 LONG 14400 ALONE
import time

import crash
import faulty
import feeds
import suite
import write_log
from suite import require

CUTS, WHOLE = (100, 25) if suite.OPTIONS.long else (30, 6)


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


def what_a_recovery_finds_is_on_disk_before_it_is_told():
    """Killed when the page that makes a commit count was written and not synced. Its successor
    finds the commit, since the machine still has the page, and tells it to who asks again; then
    the power goes."""
    with faulty.FaultySuite(crash.configuration(("ingestion",)), is_logging=True,
                            key=crash.KEY) as kith:
        kith.start_all()
        life = crash.Life(kith)
        life.part(3, 0)
        kith.log.fault("kill", file="ingestion/0/journal.mdb")
        life.ingest(3)
        last = life.requests["ingestion"][3]
        kith.wire("ingestion").send(last.method, last.body, key=last.key)
        kith.code_of("ingestion")
        require(kith.log.struck() == 1, "it was not killed where it was meant to be")
        kith.log.fault("none")
        kith.start("ingestion")
        kith.wire("ingestion").call(last.method, last.body, key=last.key)
        end = kith.log.header.used
        kith.kill("ingestion")
        disk = write_log.Disk(kith.log)
        disk.go_to(sum(record.place < end for record in disk.records))
        left, words = disk.image(faulty.draw("recovery"), write_log.NOTHING)
        with faulty.Revived(kith, left, ("ingestion",)) as revived:
            revived.start("ingestion")
            there = crash.done(feeds.read(revived, "ingestion"))
            require(last.key in there, f"{words}: {last.key} was told and is not there: {there}")


suite.main(what_a_recovery_finds_is_on_disk_before_it_is_told,
           what_was_acknowledged_outlives_a_power_cut)
