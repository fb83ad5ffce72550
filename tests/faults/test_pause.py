#!/usr/bin/python3
"""Services that stand still (SIGSTOP, the freezer of cgroups) and go on: nothing is lost, nothing
comes twice, and the others lose nothing but the time.

Wall time with the sanitizers: 25 s; a pause is 2 s long, 30 s with --long.
"""
# ctest: TIMEOUT 300 LONG 1800
import os
import signal
import time
from pathlib import Path

import crash
import faulty
import feeds
import suite
from suite import require, wait_until

PAUSE_S = 30 if suite.OPTIONS.long else 2
CONVERGE_S = 30
FREEZER = Path("/sys/fs/cgroup/freezer")


def loaded(kith, life, service):
    """What goes on while one stands still: a client has its replies, unless it is ingestion that
    it asks. Returns how many requests are without a reply."""
    begun = time.monotonic()
    while time.monotonic() < begun + PAUSE_S:
        if service == "ingestion":
            suite.pass_time(PAUSE_S / 4)
        else:
            life.more(1)


def stopped_and_continued():
    """Each alone, while all that the others can do goes on."""
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        kith.start_all()
        life = crash.Life(kith)
        life.part(2, 1)
        for service in kith.services:
            os.kill(kith.pid(service), signal.SIGSTOP)
            try:
                loaded(kith, life, service)
            finally:
                os.kill(kith.pid(service), signal.SIGCONT)
            begun = time.monotonic()
            feeds.settle(kith)
            took = time.monotonic() - begun
            require(took < CONVERGE_S, f"{service}: all was settled after {took:.0f} s only")
            print(f"  {service} stood still for {PAUSE_S} s, and all was settled after {took:.1f} s",
                  flush=True)
        life.end()
        kith.verify_state()


def a_request_to_who_stands_still_is_answered_late_or_not_decided():
    """Its time-out is over before its turn comes: it is not decided, and the retry is. One that can
    wait is answered."""
    with faulty.FaultySuite(crash.configuration(("ingestion",)), key=crash.KEY) as kith:
        kith.start_all()
        life = crash.Life(kith)
        life.part(1, 0)
        wire = kith.wire("ingestion")
        life.ingest(1)
        life.ingest(2)
        hasty, patient = life.requests["ingestion"][1:]
        os.kill(kith.pid("ingestion"), signal.SIGSTOP)
        try:
            wire.send(hasty.method, hasty.body, key=hasty.key, timeout_ms=200)
            sent = wire.send(patient.method, patient.body, key=patient.key, timeout_ms=600000)
            suite.pass_time(PAUSE_S)
        finally:
            os.kill(kith.pid("ingestion"), signal.SIGCONT)
        answers = {}
        while sent not in answers:
            header, body = wire.receive()
            answers[header.request_id] = (header.code, body)
        require(answers[sent][0] == 0, f"the patient one: {answers[sent]}")
        for request in (hasty, patient):
            request.reply = wire.call(request.method, request.body, key=request.key)
        require(patient.reply == answers[sent][1], "the retry has another reply")
        facts = feeds.read(kith, "ingestion")
        require(crash.done(facts) == {"i0", "i1", "i2"} and len(facts) == 3 * crash.BATCH,
                f"{len(facts)} facts of three batches")


def freezer_make(name):
    group = FREEZER / name
    try:
        group.mkdir()
    except OSError as problem:
        print(f"  no freezer here ({problem}): SIGSTOP of all instead", flush=True)
        return None
    return group


def all_stand_still():
    """As when the machine sleeps, or a container is frozen and thawed."""
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        kith.start_all()
        life = crash.Life(kith)
        life.part(2, 1)
        pids = [kith.pid(service) for service in kith.services]
        group = freezer_make(f"kith-{os.getpid()}")
        try:
            if group is None:
                for pid in pids:
                    os.kill(pid, signal.SIGSTOP)
            else:
                for pid in pids:
                    (group / "cgroup.procs").write_text(str(pid))
                (group / "freezer.state").write_text("FROZEN")
                wait_until(lambda: (group / "freezer.state").read_text() == "FROZEN\n",
                           what="all are frozen")
            suite.pass_time(PAUSE_S)
        finally:
            if group is None:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
            else:
                (group / "freezer.state").write_text("THAWED")
                for pid in pids:
                    (FREEZER / "cgroup.procs").write_text(str(pid))
                wait_until(lambda: not (group / "cgroup.procs").read_text(), what="all have left")
                group.rmdir()
        life.part(2, 1)
        life.end()
        kith.verify_state()


suite.main(stopped_and_continued,
           a_request_to_who_stands_still_is_answered_late_or_not_decided,
           all_stand_still)
