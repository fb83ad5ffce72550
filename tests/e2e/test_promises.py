#!/usr/bin/python3
"""Promises that a program could seem to keep: each test here fails on the sham of it."""
import itertools
import os
import subprocess
import time
import urllib.request
from pathlib import Path

import zmq

import events
import feeds
import lmdb_pages
import suite
from kith.v1 import (block_pb2, event_pb2, feed_pb2, ingestion_pb2, loyalty_pb2, segmentation_pb2,
                     wire_pb2)
from suite import require
from wire import Refused, Wire

KEY = bytes(range(32))
NEVER_MS = 3600000
OK, INVALID_ARGUMENT, ALREADY_EXISTS, FAILED_PRECONDITION = 0, 3, 6, 9


def config_change(kith, before, after):
    text = kith.config.read_text()
    require(before in text, f"the configuration has no {before!r} to change")
    kith.config.write_text(text.replace(before, after))


def kinds(facts):
    return [fact.type for fact in facts]


# ---- recovery decides nothing again


def facts_stay_as_they_were_under_other_rules():
    """kill -9 with all of the journal still to be evolved, then other programmes in the file: who
    decided again at recovery would give twice the points to what is long past."""
    text = suite.config(services=("ingestion", "loyalty"), checkpoint_interval_ms=NEVER_MS)
    with suite.Suite(text, key=KEY) as kith:
        kith.start("ingestion")
        kith.start("loyalty")
        customers = [f"c{i}" for i in range(40)]
        made = [events.event(i, customers[i % 40], 250) for i in range(2000)]
        require(events.send(kith.wire("ingestion"), made, size=50) == {"accepted": 2000},
                "all events are new")
        feeds.settle(kith)
        before = feeds.read(kith, "loyalty")
        points = feeds.balances(kith.wire("loyalty"), customers)
        require(set(points.values()) == {100}, f"50 events of 2 points each, not {points}")
        require(kith.ask_status("loyalty").checkpoint_seq == 0, "nothing may be checkpointed yet")

        kith.kill("loyalty")
        config_change(kith, "unit_minor: 100", "unit_minor: 50")
        kith.start("loyalty")
        feeds.settle(kith)
        after = feeds.read(kith, "loyalty")
        require(after[:len(before)] == before, "facts that stood in the journal have changed")
        require(kinds(after[len(before):]) == [block_pb2.FACT_RULES_CHANGED],
                f"new rules are one fact, not {kinds(after[len(before):])}")
        require(feeds.balances(kith.wire("loyalty"), customers) == points,
                "points of the past were decided again")

        events.one(kith.wire("ingestion"), events.event(5000, "c0", 250), key="later")
        feeds.settle(kith)
        newest = feeds.read(kith, "loyalty")[len(after):]
        posted = feeds.of_type(newest, block_pb2.FACT_POINTS_EARNED, loyalty_pb2.PointsPosted)
        require([one.points for one in posted] == [5],
                f"what comes later earns by the new rules: {posted}")

        kith.stop("loyalty")
        kith.start("loyalty")
        feeds.settle(kith)
        require(feeds.read(kith, "loyalty") == after + newest, "the same rules are no new fact")


# ---- keys and replies outlive the process


def ask_raw(wire, request_id, method, body, key):
    """Both frames of the reply, as bytes."""
    wire.ids = itertools.count(request_id)
    try:
        wire.call(method, body, key=key)
    except Refused:
        pass
    return wire.raw


def replies_are_the_same_bytes_after_a_kill():
    text = suite.config(services=("ingestion", "loyalty"))
    with suite.Suite(text, key=KEY) as kith:
        kith.start("ingestion")
        kith.start("loyalty")
        first = events.event(1, "anna", 1000)
        other = events.event(1, "anna", 2000)
        # Accepted, duplicate, rejected (the id again with another content), invalid.
        mixed = events.batch([first, first, other, events.event(2, "x" * 65)])
        commands = [("ingestion", "ingestion.Ingest", mixed, "load"),
                    ("loyalty", "loyalty.Spend",
                     loyalty_pb2.SpendRequest(customer="anna", points=4), "spend"),
                    ("loyalty", "loyalty.Spend",
                     loyalty_pb2.SpendRequest(customer="anna", points=7), "too much")]
        replies = []
        for service, method, body, key in commands:
            replies.append(ask_raw(kith.wire(service), 77, method, body, key))
            feeds.settle(kith)
        codes = [wire_pb2.ReplyHeader.FromString(header).code for header, _body in replies]
        require(codes == [OK, OK, FAILED_PRECONDITION], f"replies with {codes}")

        for service in ("ingestion", "loyalty"):
            kith.kill(service)
            kith.start(service)
        # What was refused for want of points stays refused for this key.
        events.one(kith.wire("ingestion"), events.event(3, "anna", 5000), key="more")
        ends = feeds.settle(kith)
        for (service, method, body, key), before in zip(commands, replies):
            for attempt in ("first", "second"):
                again = ask_raw(kith.wire(service), 77, method, body, key)
                require(again == before, f"{method} with key '{key}': the {attempt} retry after "
                                         f"the kill got {again}, at first it was {before}")
        require(feeds.settle(kith) == ends, "a retry made a new fact")
        require(feeds.balances(kith.wire("loyalty"), ["anna"]) == {"anna": 56}, "one spend of 4")
        try:
            kith.wire("loyalty").call("loyalty.Spend", loyalty_pb2.SpendRequest(
                customer="anna", points=5), key="spend")
            raise suite.Failure("a key was taken for another request")
        except Refused as refused:
            require(refused.code == ALREADY_EXISTS, f"the key with another body: {refused}")


class Gag:
    """No byte leaves the process: each sendto() of it is told to try again later."""

    def __init__(self, pid):
        command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=sendto", "-e",
                   "inject=sendto:error=EAGAIN", "-p", str(pid)]
        try:
            self.tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        except FileNotFoundError:
            suite.skip("strace is missing: scripts/setup test")
        try:
            suite.wait_until(lambda: self.holds(pid), what=f"strace attaches to {pid}")
        except suite.Failure:
            self.tracer.kill()
            suite.skip(f"strace may not trace here: {self.tracer.communicate()[1]}")

    @staticmethod
    def holds(pid):
        tasks = Path(f"/proc/{pid}/task").glob("*/status")
        return all("\nTracerPid:\t0\n" not in task.read_text() for task in tasks)

    def end(self):
        self.tracer.communicate(timeout=suite.ANSWER_S)


def a_reply_that_never_left_is_there_for_the_retry():
    """The process dies after the sync and before the reply's first byte."""
    text = suite.config(services=("ingestion", "loyalty"))
    with suite.Suite(text, key=KEY, detect_leaks=False) as kith:
        kith.start("ingestion")
        kith.start("loyalty")
        events.one(kith.wire("ingestion"), events.event(1, "anna", 1000), key="begin")
        feeds.settle(kith)
        spend = loyalty_pb2.SpendRequest(customer="anna", points=4)
        cases = [("loyalty", "loyalty.Spend", spend),
                 ("ingestion", "ingestion.Ingest", events.batch([events.event(2, "anna", 500)]))]
        for service, method, body in cases:
            journal = kith.data / service / "0" / "journal.mdb"
            wire = Wire(f"ipc://{kith.data}/run/{service}-0.cmd")
            before = lmdb_pages.commit_number(journal)
            wire.call("service.Status")
            end = kith.ask_status(service).seq
            gag = Gag(kith.pid(service))
            wire.send(method, body, key="unheard")
            suite.wait_until(lambda: lmdb_pages.commit_number(journal) > before,
                             what=f"{service} has synced the command")
            kith.kill(service)
            gag.end()
            require(wire.receive(0) is None, f"{method}: a reply came, so this tested nothing")

            kith.start(service)
            require(kith.ask_status(service).seq == end + 1, f"{method} was synced as one fact")
            first = ask_raw(wire, 5, method, body, "unheard")
            require(wire_pb2.ReplyHeader.FromString(first[0]).code == OK,
                    f"{method}: the retry got {first}")
            require(ask_raw(wire, 5, method, body, "unheard") == first,
                    f"{method}: two retries, two replies")
            require(kith.ask_status(service).seq == end + 1, f"{method} was decided twice")
            wire.close()
        feeds.settle(kith)
        require(feeds.balances(kith.wire("loyalty"), ["anna"]) == {"anna": 11}, "10 - 4 + 5")


# ---- waiting

CONNECTIONS = 50
FETCHES = 20
IDLE_MS = 5000
# A hundredth of a processor; the sanitizers cost up to ten times as much.
IDLE_SHARE = 0.01 * 10
WAKE_MS = 5000


def metric(kith, service, name):
    port = kith.ask_status(service).admin_port
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        for line in page.read().decode().splitlines():
            if line.startswith(f"kith_{name}{{"):
                return float(line.split()[-1])
    raise suite.Failure(f"{service} has no metric {name}")


def parked_open(kith):
    """1,000 Fetches at ingestion and 20 Waits at loyalty, all for what is not there yet."""
    end = kith.ask_status("ingestion").seq
    fetch = feed_pb2.FetchRequest(feed="ingestion", shard=0, max_wait_ms=30000, **{"from": end})
    wait = feed_pb2.WaitRequest(timeout_ms=30000, positions=[
        wire_pb2.Position(feed="ingestion", shard=0, seq=end + 1)])
    before = {service: metric(kith, service, "parked_requests")
              for service in ("ingestion", "loyalty")}
    wires = [Wire(f"ipc://{kith.data}/run/ingestion-0.feed") for _ in range(CONNECTIONS)]
    waiting = Wire(f"ipc://{kith.data}/run/loyalty-0.feed")
    for _ in range(FETCHES):
        for wire in wires:
            wire.send("feed.Fetch", fetch, timeout_ms=60000)
        waiting.send("feed.Wait", wait, timeout_ms=60000)
    for service, count in (("ingestion", CONNECTIONS * FETCHES), ("loyalty", FETCHES)):
        suite.wait_until(lambda: metric(kith, service, "parked_requests") >=
                         before[service] + count - 1, what=f"{count} are parked at {service}")
    return [*wires, waiting]


def waiting_costs_nothing_and_ends_at_once():
    """Parked is not asked again and again: nothing runs until there is something to say."""
    with suite.Suite(suite.config(services=("ingestion", "loyalty", "reporting"),
                                  checkpoint_interval_ms=100), key=KEY) as kith:
        for service in kith.services:
            kith.start(service)
        events.one(kith.wire("ingestion"), events.event(1, "anna", 1000), key="begin")
        feeds.settle(kith)
        wires = parked_open(kith)
        poller = zmq.Poller()
        for wire in wires:
            poller.register(wire.socket, zmq.POLLIN)
        pids = {service: kith.pid(service) for service in kith.services}
        before = {service: suite.cpu_ms(pid) for service, pid in pids.items()}
        require(not poller.poll(IDLE_MS), "somebody was woken though nothing happened")
        used = {service: suite.cpu_ms(pid) - before[service] for service, pid in pids.items()}
        require(sum(used.values()) < IDLE_MS * IDLE_SHARE,
                f"processor time in {IDLE_MS} idle ms: {used} ms")

        begin = time.monotonic()
        events.one(kith.wire("ingestion"), events.event(2, "anna", 1000), key="wake")
        for wire in wires:
            for _ in range(FETCHES):
                left_ms = WAKE_MS - (time.monotonic() - begin) * 1000
                got = wire.receive(max(0, left_ms))
                require(got is not None, f"{wire.endpoint}: not all are awake after {WAKE_MS} ms")
                require(got[0].code == OK, f"{wire.endpoint}: {got[0]}")
        took_ms = (time.monotonic() - begin) * 1000
        print(f"  idle: {used} ms of {IDLE_MS}; {CONNECTIONS * FETCHES + FETCHES} woken after "
              f"{took_ms:.0f} ms", flush=True)
        for wire in wires:
            wire.close()


# ---- partitions


def shards_share_the_customers_and_change_no_balance():
    """Two shards of loyalty against one: partitions that stand in the protocol alone would give
    each shard everybody, or nobody."""
    one_shard = suite.config()
    two_shards = one_shard.replace("  loyalty: {}", "  loyalty: {shards: 2}")
    require(one_shard != two_shards, "the configuration has two shards")
    results = []
    for text, shards in ((one_shard, 1), (two_shards, 2)):
        with suite.Suite(text, key=KEY) as kith:
            kith.up()
            rows = suite.Rows(kith.folder / "rows.csv", count=6000, seed=4, customers=800)
            require(kith.ingest(rows)["accepted"] == 6000, "all rows are accepted")
            feeds.settle(kith, loyalty=shards)
            customers = sorted({line.split(",")[1] for line in
                                rows.path.read_text().splitlines()[1:]})
            held = [feeds.balances(kith.wire("loyalty", shard), customers)
                    for shard in range(shards)]
            owner_check(customers, held, kith, shards)
            results.append({
                "balances": {one: sum(shard[one] for shard in held) for one in customers},
                "totals": {name: value for name, value in kith.cli("report", "totals").items()
                           if name != "positions"},
                "spent": spend_in_each(kith, held, customers),
                "verified": {name: kith.cli("loyalty", "verify")[name] for name in ("ok", "sum")},
                "segment": kith.cli("segment", "count", "spend_200_in_90d")["count"]})
    require(results[0] == results[1], f"one shard: {differences(results[0], results[1])}")
    require(results[0]["verified"] == {"ok": True, "sum": 0}, f"{results[0]['verified']}")


def differences(one, two):
    return "; ".join(f"{name}: {one[name]} against {two[name]}" for name in one
                     if one[name] != two[name])


def owner_check(customers, held, kith, shards):
    """Each customer lives on the shard that owns the partition, and on no other."""
    for shard, balances in enumerate(held):
        mine = {one for one in customers
                if feeds.partition(KEY, one) * shards // 1024 == shard}
        require(mine, f"no customer falls to shard {shard}")
        theirs = {one: points for one, points in balances.items() if points and one not in mine}
        require(not theirs, f"shard {shard} holds points of others: {theirs}")
        accounts = kith.wire("loyalty", shard).call(
            "loyalty.Accounts", loyalty_pb2.AccountsRequest(limit=1000), loyalty_pb2.AccountsReply)
        known = {account.customer for account in accounts.accounts if account.customer}
        require(known <= {feeds.customer_id(KEY, one) for one in mine},
                f"shard {shard} has accounts of others' customers")
        require(bool(known), f"shard {shard} has no account at all")


def spend_in_each(kith, held, customers):
    """Through `kith`, for customers at both ends of the partitions; what the statements say."""
    by_partition = sorted((one for one in customers if sum(shard[one] for shard in held) > 100),
                          key=lambda one: feeds.partition(KEY, one))
    said = []
    for customer in (by_partition[0], by_partition[-1]):
        spent = kith.cli("loyalty", "spend", customer, 30, "--key", f"spend-{customer}")
        balance = kith.cli("loyalty", "balance", customer)["available"]
        lines = kith.cli("loyalty", "statement", customer, as_json=False).splitlines()
        said.append((customer, spent["balance"], balance, len(lines)))
    return said


# ---- why


def why_is_answered_by_the_rules_that_decided():
    """The threshold in the file changes: at no moment may a membership of the old rules be
    explained by the new ones."""
    text = suite.config(services=("ingestion", "segmentation"))
    with suite.Suite(text, key=KEY) as kith:
        kith.start("ingestion")
        kith.start("segmentation")
        made = [events.event(i, f"c{i:04d}", 25000 if i % 2 else 35000) for i in range(3000)]
        events.send(kith.wire("ingestion"), made)
        feeds.settle(kith)
        before = feeds.read(kith, "segmentation")
        why = why_ask(kith, "c0001")
        require((why.member, why.rules_version) == (True, 1), f"a member by rules 1: {why}")
        clause = why.clauses[0]
        require("200.00" in clause.text and clause.value == "250.00" and clause.holds,
                f"why under rules 1: {why}")

        kith.stop("segmentation")
        config_change(kith, '"200.00"', '"300.00"')
        kith.start("segmentation")
        why_is_of_rules_2(kith, "c0001")
        events.one(kith.wire("ingestion"), events.event(9000, "c0002", 100), key="later")
        suite.wait_until(lambda: why_is_of_rules_2(kith, "c0001"),
                         what="c0001 is taken over to the new rules")
        feeds.settle(kith)
        after = feeds.read(kith, "segmentation")
        require(after[:len(before)] == before, "facts of the old rules have changed")
        news = after[len(before):]
        require(kinds(news)[0] == block_pb2.FACT_RULES_CHANGED, "first stands the new rule")
        exits = feeds.of_type(news, block_pb2.FACT_SEGMENT_EXITED, segmentation_pb2.SegmentExited)
        require(len(exits) == 1500 == len(news) - 1,
                f"half of the members go, and nothing else: {len(exits)} of {len(news)} facts")
        require({one.rules_version for one in exits} == {2}, "they go by rules 2")
        entered = feeds.of_type(after, block_pb2.FACT_SEGMENT_ENTERED,
                                segmentation_pb2.SegmentEntered)
        require({one.rules_version for one in entered} == {1}, "they came by rules 1")


def why_ask(kith, customer):
    return kith.wire("segmentation").call(
        "segmentation.Why",
        segmentation_pb2.WhyRequest(segment="spend_200_in_90d", customer=customer),
        segmentation_pb2.WhyReply)


def why_is_of_rules_2(kith, customer):
    """Whatever the moment, verdict, version and clause belong together."""
    why = why_ask(kith, customer)
    wanted = {1: ("200.00", True), 2: ("300.00", False)}[why.rules_version]
    clause = why.clauses[0]
    require(wanted[0] in clause.text and (why.member, clause.holds) == (wanted[1], wanted[1]),
            f"verdict, version and clause do not belong together: {why}")
    return why.rules_version == 2


# ---- bounds


def padded(number, size, measure):
    """An event with attributes until measure(event) is exactly `size`."""
    made = events.event(number, "anna")
    while measure(made) < size:
        made.attributes.add(name=f"a{len(made.attributes):02d}", text="x" * 900)
    last = made.attributes[-1]
    while measure(made) > size:
        last.text = last.text[:-1]
    require(measure(made) == size and len(made.attributes) <= 64 and last.text,
            f"no event of exactly {size} bytes was found")
    return made


def padded_event(number, size):
    return padded(number, size, lambda made: made.ByteSize())


def padded_batch(size):
    """A request of exactly so many encoded bytes."""
    made = [padded_event(100 + i, 16384) for i in range(size // 16400)]
    before = events.batch(made).ByteSize()
    last = padded(99, size - before, lambda made: events.batch([made]).ByteSize())
    return events.batch([*made, last])


def refusal_of(wire, method, body, key, field):
    """The call must be refused as wrong, and name the field."""
    try:
        wire.call(method, body, key=key)
    except Refused as refused:
        fields = [violation.field for violation in refused.reply.violations]
        require(refused.code == INVALID_ARGUMENT, f"{field}: code {refused.code}")
        require(field in fields or (not fields and field in refused.reply.message),
                f"{field} is not named: {refused}")
        return
    raise suite.Failure(f"{field}: what is past the bound was taken")


def invalid_of(kith, made, field, key):
    """One event past a bound, beside one that is well: it alone is refused, by name."""
    good = events.event(int(key), "anna")
    reply = kith.wire("ingestion").call("ingestion.Ingest", events.batch([made, good]),
                                        ingestion_pb2.IngestReply, key=key)
    outcomes = [(run.outcome, run.count) for run in reply.results]
    require(outcomes == [(ingestion_pb2.INGEST_INVALID, 1), (ingestion_pb2.INGEST_ACCEPTED, 1)],
            f"{field}: {reply}")
    violation = reply.results[0].violations[0]
    require(violation.field == field and violation.rule and violation.mend, f"{field}: {reply}")


def texts(count, length):
    return [event_pb2.Attribute(name=f"a{i:02d}", text="x" * length) for i in range(count)]


def bounds_are_kept_where_bytes_come_in():
    """At the bound it is taken, past it refused with the field's name, and the service lives."""
    with suite.Suite(suite.config(services=("ingestion", "loyalty")), key=KEY) as kith:
        kith.start("ingestion")
        kith.start("loyalty")
        wire = kith.wire("ingestion")
        pids = [kith.pid("ingestion"), kith.pid("loyalty")]
        many = [events.event(10000 + i, "anna") for i in range(4097)]

        # What is at the bound.
        for name, body, key in (
                ("4,096 items", events.batch(many[:4096]), "most items"),
                ("a key of 64 bytes", events.batch([events.event(1, "anna")]), "k" * 64),
                ("a body of 1 MiB", padded_batch(1024 * 1024), "largest body"),
                ("an event of 16 KiB", events.batch([padded_event(2, 16384)]), "largest event"),
                ("64 attributes", events.batch([events.event(3, "anna", attributes=texts(64, 1))]),
                 "most attributes"),
                ("a text of 1,024 bytes",
                 events.batch([events.event(4, "anna", attributes=texts(1, 1024))]), "text")):
            reply = wire.call("ingestion.Ingest", body, ingestion_pb2.IngestReply, key=key)
            outcomes = {run.outcome for run in reply.results}
            require(outcomes == {ingestion_pb2.INGEST_ACCEPTED}, f"{name}: {reply}")

        # And what is past it.
        refusal_of(wire, "ingestion.Ingest", events.batch(many), "p1", "items")
        refusal_of(wire, "ingestion.Ingest", padded_batch(1024 * 1024 + 1), "p2", "body")
        refusal_of(wire, "ingestion.Ingest", events.batch([events.event(5, "a")]), "k" * 65, "key")
        refusal_of(kith.wire("loyalty"), "loyalty.Spend",
                   loyalty_pb2.SpendRequest(customer="a" * 65, points=1), "p3", "customer")
        refusal_of(kith.wire("loyalty"), "loyalty.Spend",
                   loyalty_pb2.SpendRequest(customer="anna", points=10**15 + 1), "p4", "points")
        invalid_of(kith, padded_event(6, 16385), "event", key="30001")
        invalid_of(kith, events.event(7, "anna", attributes=texts(65, 1)), "attributes", "30002")
        invalid_of(kith, events.event(8, "anna", attributes=texts(1, 1025)),
                   "attributes[0].text", key="30003")
        invalid_of(kith, events.event(9, "a" * 65), "customer", key="30004")
        header_of_5_kib(wire)
        message_of_3_mib(wire)

        require(pids == [kith.pid("ingestion"), kith.pid("loyalty")], "a service was replaced")
        for service in ("ingestion", "loyalty"):
            require(kith.ask_status(service).ready, f"{service} is not ready any more")


def header_of_5_kib(wire):
    header = wire_pb2.RequestHeader(version=1, request_id=4711, method="service.Status",
                                    traceparent="x" * 5120)
    wire.socket.send_multipart([header.SerializeToString(), b""])
    reply, _body = wire.receive()
    require((reply.request_id, reply.code) == (4711, INVALID_ARGUMENT), f"a large header: {reply}")
    require(reply.violations[0].field == "header", f"a large header: {reply}")


def message_of_3_mib(wire):
    """Past what the socket takes the connection ends; the caller comes back on a new one."""
    unheard = wire.send("ingestion.Ingest", b"x" * (3 * 1024 * 1024), key="huge")
    while True:
        asked = wire.send("service.Status")
        got = wire.receive(2000)
        if got is None:
            continue
        require(got[0].request_id != unheard, f"a message of 3 MiB was answered: {got[0]}")
        if got[0].request_id == asked:
            return


suite.main(facts_stay_as_they_were_under_other_rules,
           replies_are_the_same_bytes_after_a_kill,
           a_reply_that_never_left_is_there_for_the_retry,
           waiting_costs_nothing_and_ends_at_once,
           shards_share_the_customers_and_change_no_balance,
           why_is_answered_by_the_rules_that_decided,
           bounds_are_kept_where_bytes_come_in)
