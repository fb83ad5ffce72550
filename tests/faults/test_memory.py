#!/usr/bin/python3
"""Memory that is asked for and not given, once or from then on, at any place: while a service
starts, and while it works. It goes on, or it ends and says why; it neither hangs nor runs wild, and
its successor has all that was acknowledged.

Wall time with the sanitizers: 40 s; 20 rounds of --long look at every place of a start.
"""
# ctest: TIMEOUT 300 LONG 900
import signal
import time

import crash
import faulty
import feeds
import suite
from suite import require, wait_until
from wire import Wire

AT_START, AT_WORK = (60 * faulty.ROUNDS, 4 * faulty.ROUNDS) if suite.OPTIONS.long else (12, 6)
COUNT_FROM = 1 << 30
ASK_MS, LOOK_MS = 1000, 5
# What a process dies of when it notices by itself; libzmq and C++ know no other way.
ABORTED = -signal.SIGABRT


def places(draw, last, count):
    """(how many are given before, whether all that follow are refused): one in each of as many
    equal parts, both ways in turns."""
    return [(draw.randrange(i * last // count, (i + 1) * last // count + 1), i % 2 == 1)
            for i in range(count)]


def answers(kith, service, ended):
    """Does it say how it is before it has ended? Asked anew each second: messages may be lost."""
    wire = Wire(f"ipc://{kith.data}/run/{service}-0.cmd")
    try:
        wire.send("service.Status", timeout_ms=ASK_MS)
        end = time.monotonic() + ASK_MS / 1000
        while not ended() and time.monotonic() < end:
            got = wire.receive(LOOK_MS)
            if got is not None:
                return got[0].code == 0
    finally:
        wire.close()
    return False


def wait_for_end_or_answer(kith, service, words):
    """True: it has ended."""
    process = kith.direct[service, 0]
    def ended():
        return process.poll() is not None
    wait_until(lambda: ended() or answers(kith, service, ended),
               what=f"{words}: it ends or answers")
    return ended()


class Sweep:
    def __init__(self, kith, service):
        self.kith = kith
        self.service = service
        self.program = f"/kith-{service}"
        self.ended = self.went_on = self.said_before = 0

    def asked(self, act):
        """How often the service asks for memory meanwhile."""
        self.kith.log.fault("memory", file=self.program, before=COUNT_FROM)
        act()
        count = COUNT_FROM - self.kith.log.left()
        self.kith.log.fault("none")
        return count

    def refuse(self, before, forever):
        """From now on. Returns the words for it."""
        self.said_before = len(self.kith.said(self.service))
        self.kith.log.fault("memory", file=self.program, before=before, forever=forever)
        return f"{self.service}, {before} given before{', none after' if forever else ''}"

    def judge(self, words):
        """It has ended, as one may who has no memory, or it works on."""
        if wait_for_end_or_answer(self.kith, self.service, words):
            self.kith.log.fault("none")
            self.check_end(words)
            self.ended += 1
            self.kith.start(self.service)
        else:
            self.went_on += 1
        self.kith.log.fault("none")
        self.kith.ask_status(self.service)

    def check_end(self, words):
        code = self.kith.code_of(self.service)
        said = self.kith.said(self.service)[self.said_before:]
        require(code == ABORTED or code > 0, f"{words}: it ended with {code}: {said[-2000:]}")
        require(said.strip(), f"{words}: it ended with {code} and without a word")
        # libzmq says "Assertion failed", and nobody can ask more of it.
        require("put back" not in said and "Assertion `" not in said,
                f"{words}: it gives another reason: {said}")

    def tell(self, when, count):
        """Nobody works on without any memory: were nothing refused, nothing would be shown."""
        require(count > 0 and self.ended > 0, f"{self.service}, {when}: asks {count} times, and "
                                              "was never ended")
        print(f"  {self.service}, {when}: asks {count} times; {self.ended} ended, {self.went_on} "
              "went on", flush=True)
        self.ended = self.went_on = 0


def start_and_ask(kith, service):
    kith.start(service)
    kith.ask_status(service)


def a_start_without_memory_ends_or_succeeds():
    draw = faulty.draw("memory at start")
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        kith.start_all()
        life = crash.Life(kith)
        life.part(3, 2)
        for service in kith.services:
            sweep = Sweep(kith, service)
            kith.kill(service)
            count = sweep.asked(lambda one=service: start_and_ask(kith, one))
            for before, forever in places(draw, count, AT_START):
                kith.kill(service)
                words = sweep.refuse(before, forever)
                kith.start(service)
                sweep.judge(words)
            sweep.tell("starting", count)
        life.part(1, 1)
        life.end()
        kith.verify_state()


def work(life):
    life.part(2, 1)


def send(life, service):
    """A batch, or a grant, whose reply may never come."""
    kind = "loyalty" if service == "loyalty" else "ingestion"
    number = len(life.requests[kind])
    (life.grant if kind == "loyalty" else life.ingest)(number)
    request = life.requests[kind][number]
    life.kith.wire(kind).send(request.method, request.body, key=request.key)


def work_until_refused(life, service, words):
    while not life.kith.log.struck():
        send(life, service)
        if wait_for_end_or_answer(life.kith, service, words):
            return


def settle_requests(life):
    """The same keys tell what became of each."""
    for kind, requests in life.requests.items():
        for number, request in enumerate(requests):
            if request.reply is None:
                request.reply = crash.send_again(life, life.kith, kind, number, number + 1)[0]


def work_without_memory_loses_nothing():
    draw = faulty.draw("memory at work")
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        kith.start_all()
        life = crash.Life(kith)
        life.part(3, 1)
        for service in kith.services:
            sweep = Sweep(kith, service)
            count = sweep.asked(lambda: work(life))
            for before, forever in places(draw, count, AT_WORK):
                words = sweep.refuse(before, forever)
                work_until_refused(life, service, words)
                sweep.judge(words)
                settle_requests(life)
                feeds.settle(kith)
            sweep.tell("working", count)
        life.end()
        kith.verify_state()


suite.main(a_start_without_memory_ends_or_succeeds, work_without_memory_loses_nothing)
