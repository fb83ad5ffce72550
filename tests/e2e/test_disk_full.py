#!/usr/bin/python3
"""A full disk: new commands are refused with a sentence, nothing that was acknowledged is lost,
and everything goes on by itself when there is room.

The data folder is a tmpfs of 64 MB in a mount namespace of the test's own. Wall time with the
sanitizers: 20 s.
"""
# ctest: TIMEOUT 300
import ctypes
import os
import shutil
import signal
import subprocess
import time

import events
import feeds
import suite
from kith.v1 import block_pb2, ingestion_pb2, loyalty_pb2, reporting_pb2
from suite import require, wait_until
from wire import Refused

MB = 1 << 20
DISK_BYTES = 64 * MB
RESOURCE_EXHAUSTED = 8
CLONE_NEWNS = 0x00020000
CUSTOMERS = 500
BATCH = 500


def namespace_enter():
    """What is mounted from here on only this test and its children see, and goes with them."""
    if os.geteuid() != 0:
        suite.skip("only root may mount a small disk")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        suite.skip(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    # Below a chroot "/" is no mount of its own, and then it is whoever made that who saw to it.
    subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False)


class SmallDisk(suite.Suite):
    """A suite whose data folder is a disk of its own."""

    def __init__(self, config):
        super().__init__(config)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs"]
        done = subprocess.run([*mount, str(self.data)], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            shutil.rmtree(self.folder)
            suite.skip(f"a tmpfs cannot be mounted: {done.stderr.strip()}")

    def _end(self):
        problems = super()._end()
        if (self.data / "log").is_dir():
            shutil.copytree(self.data / "log", self.folder / "log")
        subprocess.run(["umount", "--lazy", str(self.data)], check=False)
        return problems

    def free_bytes(self):
        facts = os.statvfs(self.data)
        return facts.f_bavail * facts.f_frsize

    def fill(self, name, size=DISK_BYTES):
        """Another program's file: `size` bytes, or all that the disk has left."""
        with open(self.data / name, "wb", buffering=0) as file:
            left = size
            while left > 0:
                try:
                    left -= file.write(bytes(min(left, 64 << 10)))
                except OSError:
                    return

    def clear(self, name):
        (self.data / name).unlink()


def batch(number):
    return events.batch([events.event(number * BATCH + i, f"c{i % CUSTOMERS}", minor=100)
                         for i in range(BATCH)])


def ingest(kith, number):
    """Sends a batch, which is new: its reply is the promise that it will not be lost."""
    reply = kith.wire("ingestion").call("ingestion.Ingest", batch(number),
                                        ingestion_pb2.IngestReply, key=f"batch.{number}")
    require([(run.count, run.outcome) for run in reply.results] == [(BATCH, 0)],
            f"batch {number}: {reply}")


def ingest_until_refused(kith, number):
    """Returns the number of the batch that was refused."""
    for at in range(number, number + 2000):
        try:
            ingest(kith, at)
        except Refused as refused:
            reply = refused.reply
            require(reply.code == RESOURCE_EXHAUSTED and "disk is full" in reply.message
                    and reply.retry_after_ms > 0, f"the refusal of batch {at}: {reply}")
            return at
    raise suite.Failure("a disk of 64 MB is never full")


def says_full(kith, service):
    status = kith.ask_status(service)
    return not status.ready and "disk is full" in status.not_ready


def stands_still(kith, service):
    """Waits until it folds no more, for want of room: with each checkpoint that is written some
    comes back. Returns how far it has come."""
    seen = []

    def the_same_again():
        seen.append(kith.ask_status(service).feeds[0].applied if says_full(kith, service) else None)
        return seen[-1] is not None and seen[-3:] == 3 * seen[-1:]
    wait_until(the_same_again, what=f"{service} stands still on a full disk", poll_s=1)
    return seen[-1]


def questions_are_answered(kith):
    for service in kith.services:
        kith.ask_status(service)
    kith.wire("loyalty").call("loyalty.Balance", loyalty_pb2.BalanceRequest(customer="c0"),
                              loyalty_pb2.BalanceReply)
    kith.wire("reporting").call("reporting.Totals", b"", reporting_pb2.TotalsReply)


def all_is_there(kith, batches):
    """Each event that was acknowledged stands in the feed once, and all others know of it."""
    feeds.settle(kith)
    accepted = feeds.of_type(feeds.read(kith, "ingestion"), block_pb2.FACT_EVENT_ACCEPTED,
                             ingestion_pb2.EventAccepted)
    require([one.id for one in accepted] == [f"e{i}" for i in range(batches * BATCH)],
            f"{len(accepted)} events in the feed, {batches * BATCH} were acknowledged")
    totals = kith.cli("report", "totals")
    require((totals["events"], totals["points_issued"]) == (batches * BATCH, batches * BATCH),
            f"{batches * BATCH} events of one point each: {totals}")
    points = feeds.balances(kith.wire("loyalty"), [f"c{i}" for i in range(CUSTOMERS)])
    require(set(points.values()) == {batches * BATCH // CUSTOMERS}, f"balances: {points}")
    verdict = kith.cli("loyalty", "verify")
    require(verdict["ok"], f"kith loyalty verify: {verdict}")


def a_suite_stops_at_its_reserve_and_goes_on_when_there_is_room():
    with SmallDisk(suite.config()) as kith:
        kith.fill("ballast", 8 * MB)
        kith.up()
        for number in range(4):
            ingest(kith, number)
        refused = ingest_until_refused(kith, 4)
        print(f"refused after {refused} batches, {kith.free_bytes() / MB:.1f} MB are free",
              flush=True)
        require(refused > 4, f"only {refused} batches had room on a disk of 64 MB")
        require(kith.free_bytes() > 4 * MB, "the reserve is not there when commands are refused")
        require(says_full(kith, "ingestion"), "ingestion does not say that the disk is full")
        feeds.settle(kith)  # what was taken is folded all the same
        questions_are_answered(kith)

        # Others take even the reserve. Nobody dies of it; who is killed comes back.
        kith.fill("filler")
        require(kith.free_bytes() == 0, f"{kith.free_bytes()} bytes are free")
        questions_are_answered(kith)
        for service in reversed(kith.services):
            kith.kill(service)
            kith.ask_status(service)
        questions_are_answered(kith)
        require(ingest_until_refused(kith, refused) == refused, "a full disk took a batch")
        for service in kith.services:
            wait_until(lambda one=service: says_full(kith, one),
                       what=f"{service} says that the disk is full")

        # Only the reserve is there again, and then room.
        kith.clear("filler")
        require(ingest_until_refused(kith, refused) == refused, "the reserve took a batch")
        kith.clear("ballast")
        wait_until(lambda: all(kith.ask_status(one).ready for one in kith.services),
                   what="all are ready when there is room")
        for number in range(refused, refused + 3):
            ingest(kith, number)  # the first one with the key that was refused
        all_is_there(kith, refused + 3)


def a_loader_waits_for_room():
    """`kith ingest` needs no help: it waits, and loads the rest."""
    with SmallDisk(suite.config()) as kith:
        kith.fill("ballast", 14 * MB)
        kith.up()
        rows = suite.Rows(kith.folder / "rows.csv", count=5000, seed=3)
        loader = kith.ingest_begin(rows)
        wait_until(lambda: says_full(kith, "ingestion"), what="the disk is full")
        require(loader.poll() is None, "the loader gave up on a full disk")
        kith.clear("ballast")
        summary = kith.ingest_end(loader)
        require(summary["accepted"] == rows.count, f"{rows.count} rows: {summary}")
        feeds.settle(kith)
        totals = kith.cli("report", "totals")
        require(totals["revenue_minor"] == sum(rows.spent_minor.values())
                and totals["points_issued"] == sum(rows.points.values()), f"totals: {totals}")


def who_folds_a_feed_stops_before_the_disk_is_full():
    """Loyalty has much to fold and only what it has reserved: it stops in time, waits without
    work, and goes on."""
    with SmallDisk(suite.config(services=("ingestion", "loyalty"))) as kith:
        kith.start("ingestion")
        kith.start("loyalty")
        ingest(kith, 0)
        feeds.settle(kith)
        os.kill(kith.pid("loyalty"), signal.SIGSTOP)
        batches = 80
        for number in range(1, batches):
            ingest(kith, number)
        kith.fill("filler")
        os.kill(kith.pid("loyalty"), signal.SIGCONT)
        reached = stands_still(kith, "loyalty")
        require(kith.ask_status("loyalty").feeds[0].lag > 0, "loyalty had room for all of it")
        before, begun = suite.cpu_ms(kith.pid("loyalty")), time.monotonic()
        suite.pass_time(2)
        used = (suite.cpu_ms(kith.pid("loyalty")) - before) / (time.monotonic() - begun) / 1000
        require(used < 0.2, f"loyalty waits for room with {used:.0%} of a processor")
        require(kith.ask_status("loyalty").feeds[0].applied == reached,
                "loyalty has folded on without room")

        kith.kill("loyalty")
        kith.start("loyalty")
        kith.ask_status("loyalty")
        kith.clear("filler")
        feeds.settle(kith)
        points = feeds.balances(kith.wire("loyalty"), [f"c{i}" for i in range(CUSTOMERS)])
        require(set(points.values()) == {batches * BATCH // CUSTOMERS}, f"balances: {points}")


if __name__ == "__main__":
    namespace_enter()
    suite.main(a_suite_stops_at_its_reserve_and_goes_on_when_there_is_room,
               a_loader_waits_for_room,
               who_folds_a_feed_stops_before_the_disk_is_full)
