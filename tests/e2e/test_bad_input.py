#!/usr/bin/python3
"""Bad input: bytes that are no message, messages that make no sense, and customers nobody knows.
Each gets a code, a field and a sentence, or the end of its connection; and nothing else changes.

Services listen on ipc alone until the gateway comes, so what should arrive by TCP is written to
their unix sockets: the same ZMTP, read by the same code.

Wall time with the sanitizers: 25 s.
"""
# ctest: TIMEOUT 300
import itertools
import random
import socket
import struct
import time
import urllib.request
from pathlib import Path

import events
import feeds
import suite
from kith.v1 import (campaign_pb2, event_pb2, feed_pb2, ingestion_pb2, loyalty_pb2, reporting_pb2,
                     segmentation_pb2, service_pb2, wire_pb2)
from suite import require, wait_until
from wire import Wire

OK, INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED = 0, 3, 5, 9, 12
ACCEPTED, REJECTED, INVALID = 0, 2, 3
WARM_UP, REPEATS = 300, 100
MB = 1 << 20
MOST = 10 ** 15
YEAR_1_MS, YEAR_9999_MS = -62135596800000, 253402300799999
INT64_MAX, UINT64_MAX = 2 ** 63 - 1, 2 ** 64 - 1
KINDS = ("cmd", "feed")
BROKEN_UTF8 = (b"\xff", b"a\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"abc\xe2\x82")

# ---- what libzmq drops: by hand, since a library would not send it

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
HUGE = 65 * MB


def connect(kith, service, kind):
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # A socket with Python's timeout does not wait where 100 others wait for accept.
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", suite.ANSWER_S, 0))
    plain.connect(f"{kith.data}/run/{service}-0.{kind}")
    plain.settimeout(suite.ANSWER_S)
    return plain


def handshake(plain):
    plain.sendall(GREETING + b"\x04" + bytes([len(READY)]) + READY)
    heard = b""
    while b"READY" not in heard:
        more = plain.recv(4096)
        require(more != b"", "the service ended a handshake that was right")
        heard += more


def noise(plain, draw):
    plain.sendall(draw.randbytes(draw.randrange(1, 4096)))


def web_page(plain, _draw):
    plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


def half_greeting(plain, draw):
    plain.sendall(GREETING[:draw.randrange(1, len(GREETING))])


def another_mechanism(plain, _draw):
    plain.sendall(GREETING.replace(b"NULL", b"EVIL"))


def noise_in_handshake(plain, draw):
    plain.sendall(GREETING + draw.randbytes(draw.randrange(1, 4096)))


def noise_after_handshake(plain, draw):
    handshake(plain)
    plain.sendall(b"\x07" + draw.randbytes(draw.randrange(1, 4096)))  # such a flag there is not


def length_of_all_memory(plain, _draw):
    handshake(plain)
    plain.sendall(b"\x02" + struct.pack(">Q", INT64_MAX))


def huge_message(plain, _draw):
    """The bytes of 65 MB, or as many as are taken."""
    handshake(plain)
    plain.sendall(b"\x02" + struct.pack(">Q", HUGE))
    piece = bytes(MB)
    for _ in range(HUGE // MB):
        plain.sendall(piece)
    raise suite.Failure("65 MB were taken as a message")


ATTACKS = (noise, web_page, half_greeting, another_mechanism, noise_in_handshake,
           noise_after_handshake, length_of_all_memory, huge_message)


def attack(kith, service, kind, how, draw):
    with connect(kith, service, kind) as plain:
        try:
            how(plain, draw)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the service has hung up


def resident_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise suite.Failure(f"process {pid} has no VmRSS")


def what_is_no_message_is_dropped():
    draw = random.Random(5)
    with suite.Suite(suite.config()) as kith:
        # What is freed must not stay in the sanitizer's quarantine, or memory would grow by it.
        kith.environment["ASAN_OPTIONS"] += \
            ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
        kith.up()
        kith.ingest_batch(1)
        feeds.settle(kith)
        # What the first ones cost, they cost once: buffers, the sanitizer's lists of free memory.
        for service, kind, how in itertools.product(kith.services, KINDS, ATTACKS):
            for _ in range(WARM_UP):
                attack(kith, service, kind, how, draw)
        before = {service: (kith.pid(service), resident_bytes(kith.pid(service)))
                  for service in kith.services}
        for service, kind, how in itertools.product(kith.services, KINDS, ATTACKS):
            for _ in range(REPEATS):
                attack(kith, service, kind, how, draw)
            kith.ask_status(service)
        for service in kith.services:
            pid, bytes_before = before[service]
            require(kith.pid(service) == pid, f"{service} was started again")
            grown = resident_bytes(pid) - bytes_before
            print(f"{service}: {grown / MB:+.1f} MB resident", flush=True)
            require(grown < 5 * MB, f"{service} has grown by {grown / MB:.1f} MB")
        kith.ingest_batch(2)
        feeds.settle(kith)


# ---- what is framed well and makes no sense


class Watch:
    """What bad input must not change: facts, records of the state, the clock, and the totals."""

    def __init__(self, kith):
        self.kith = kith

    def seen(self):
        seen = {}
        for service in self.kith.services:
            status = self.kith.ask_status(service)
            seen[service] = (status.seq, status.now_ms, status.ready)
            if service != "reporting":  # which notes the time of day in each turn
                seen[service] += (status.records_touched,)
        totals = self.kith.wire("reporting").call("reporting.Totals", b"",
                                                  reporting_pb2.TotalsReply)
        totals.ClearField("positions")
        return seen, totals

    def __enter__(self):
        feeds.settle(self.kith)
        self.before = self.seen()
        return self

    def __exit__(self, kind, problem, trace):
        if kind is None:
            feeds.settle(self.kith)
            after = self.seen()
            require(after == self.before, f"bad input changed {self.before} to {after}")


def digests(kith):
    """{(service, table): (records, digest)} of what each service keeps. Which requests there
    were it keeps too: that is not meant here."""
    for service in kith.services:
        kith.cli("stop", service, as_json=False)  # which writes all of the state down
        kith.cli("start", service, as_json=False)
    feeds.settle(kith)
    return {(service, one["table"]): (one["records"], one["digest"])
            for service, answer in kith.verify_state().items()
            for one in answer["tables"] if not one["table"].startswith("shell_")}


def digests_are(kith, before):
    after = digests(kith)
    changed = [f"{service}.{table}" for (service, table), digest in after.items()
               if digest != before[service, table]]
    require(not changed, f"bad input changed {', '.join(changed)}")


def field(number, kind, payload):
    """A field as it stands on the wire; kind 0: a number, 2: bytes."""
    tag = bytes([number << 3 | kind]) if number < 16 else varint(number << 3 | kind)
    return tag + (varint(payload) if kind == 0 else varint(len(payload)) + payload)


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def header(method, **more):
    return wire_pb2.RequestHeader(version=1, request_id=7, method=method, timeout_ms=5000,
                                  **more).SerializeToString()


def command_header(method, key="bad"):
    return header(method, key=key, issued_at_ms=int(time.time() * 1000))


def exchange(wire, frames):
    """Sends frames as they are; returns the ReplyHeader and the body."""
    wire.socket.send_multipart(frames)
    got = wire.receive()
    require(got is not None, f"no answer to {frames!r:.200}")
    return got


def refusal_is_whole(reply, code, where, what):
    """A code, a sentence, and for INVALID_ARGUMENT the field with its rule."""
    require(reply.code == code, f"{what}: code {reply.code}, not {code}: {reply.message}")
    require(len(reply.message) > 10 and reply.message.isprintable(),
            f"{what}: no sentence but {reply.message!r}")
    if code != INVALID_ARGUMENT:
        return
    require(reply.violations and all(one.field and one.rule and one.mend
                                     for one in reply.violations),
            f"{what}: no field, rule and mend: {reply}")
    if where is not None:
        require(any(one.field.startswith(where) for one in reply.violations),
                f"{what}: {where} is not named: {reply}")


def headers():
    """(what, header, code, the field that is named)."""
    plain = header("loyalty.Balance")
    now_ms = int(time.time() * 1000)
    yield "an empty header", b"", INVALID_ARGUMENT, None
    yield "no protobuf", b"\xff\xff\xff\xff", INVALID_ARGUMENT, "header"
    yield "a header that is cut off", plain[:-1], INVALID_ARGUMENT, None
    yield "a wrong wire type", field(1, 2, b"1") + plain, INVALID_ARGUMENT, "header"
    yield "a group", b"\x0b" + plain, INVALID_ARGUMENT, "header"
    yield "field 0", b"\x00\x00" + plain, INVALID_ARGUMENT, "header"
    yield "an unknown field", plain + field(99, 0, 1), INVALID_ARGUMENT, "99"
    yield "a method twice", plain + field(3, 2, b"loyalty.Balance"), INVALID_ARGUMENT, "method"
    yield "a request id twice", plain + field(2, 0, 8), INVALID_ARGUMENT, "request_id"
    yield ("another version", wire_pb2.RequestHeader(version=2, method="loyalty.Balance")
           .SerializeToString(), INVALID_ARGUMENT, "version")
    yield ("no version", wire_pb2.RequestHeader(method="loyalty.Balance").SerializeToString(),
           INVALID_ARGUMENT, "version")
    yield "no method", header(""), INVALID_ARGUMENT, "method"
    yield "a method with a NUL", header("loyalty.\0Balance"), INVALID_ARGUMENT, "method"
    yield "a long method", header("m" * 64), INVALID_ARGUMENT, "method"
    yield "no such method", header("loyalty.Print"), UNIMPLEMENTED, None
    yield "another service's method", header("ingestion.Ingest"), UNIMPLEMENTED, None
    yield ("a timeout past 32 bits", header("loyalty.Balance")[:-3] + field(4, 0, 1 << 40),
           INVALID_ARGUMENT, "timeout_ms")
    yield "a large header", plain + field(7, 2, b"t" * 4096), INVALID_ARGUMENT, "header"
    yield "a trace with a NUL", plain + field(7, 2, b"00-\0"), INVALID_ARGUMENT, "traceparent"
    yield "a command without a key", header("loyalty.Spend"), INVALID_ARGUMENT, "key"
    yield "a long key", command_header("loyalty.Spend", "k" * 65), INVALID_ARGUMENT, "key"
    yield "a key with a NUL", command_header("loyalty.Spend", "a\0b"), INVALID_ARGUMENT, "key"
    for broken in BROKEN_UTF8:
        yield (f"a key of {broken}", header("loyalty.Spend", issued_at_ms=now_ms)
               + field(5, 2, broken), INVALID_ARGUMENT, "key")
    yield "a key of no time", header("loyalty.Spend", key="k"), INVALID_ARGUMENT, "issued_at_ms"
    for at_ms in (now_ms + 400000, YEAR_9999_MS, INT64_MAX, -INT64_MAX, YEAR_1_MS - 1):
        yield (f"a key of {at_ms}", header("loyalty.Spend", key="k", issued_at_ms=at_ms),
               INVALID_ARGUMENT, "issued_at_ms")
    yield ("a key of last month", header("loyalty.Spend", key="k",
                                         issued_at_ms=now_ms - 30 * events.DAY_MS),
           FAILED_PRECONDITION, None)


METHODS = {
    "ingestion": ("ingestion.AdvanceClock", "ingestion.Ingest", "ingestion.QuarantineDrop",
                  "ingestion.QuarantineList", "ingestion.QuarantineRetry",
                  "ingestion.QuarantineShow"),
    "loyalty": ("loyalty.Accounts", "loyalty.Balance", "loyalty.Post", "loyalty.Reverse",
                "loyalty.Spend", "loyalty.Statement"),
    "segmentation": ("segmentation.Count", "segmentation.List", "segmentation.Why"),
    "campaign": ("campaign.Campaigns", "campaign.Decisions", "campaign.Dispatch",
                 "campaign.Settle", "campaign.Trigger"),
    "reporting": ("reporting.Daily", "reporting.Totals"),
}
EVERY = ("service.Status", "consumer.Accept")


def rubbish(draw):
    """Bodies that are no message of any method."""
    yield b"\xff"
    yield b"\x0a\xff\xff\xff\xff\x0f"                       # longer than all there is
    yield b"\x0b\x0b\x0b"                                   # groups
    yield field(15, 2, b"unknown")
    yield field(1, 0, 1) + field(1, 2, b"x") + field(1, 0, 2)  # wrong for one of the two at least
    yield b"\x80" * 11 + b"\x01"
    yield draw.randbytes(2000)
    yield b"\x0a\x00" * 1000 + b"\x07"


def fields_of_requests():
    """(service, method, message, the field that is named)."""
    long, control = "x" * 65, "a\x1fb"
    def post(*postings):
        return loyalty_pb2.PostRequest(postings=postings)

    spend, statement = loyalty_pb2.SpendRequest, loyalty_pb2.StatementRequest
    for points in (0, -1, -INT64_MAX, MOST + 1, INT64_MAX):
        yield "loyalty", "loyalty.Spend", spend(customer="c1", points=points), "points"
        yield "loyalty", "loyalty.Post", post(loyalty_pb2.Posting(customer="c1", points=points)), \
            "postings[0].points"
    # protobuf-c ends a text at its NUL: what follows is seen missing, but not in which field.
    yield "loyalty", "loyalty.Spend", spend(customer="a\0b", points=1), "body"
    for customer in ("", long, control, "a\nb", "\x7f"):
        yield "loyalty", "loyalty.Spend", spend(customer=customer, points=1), "customer"
        yield ("loyalty", "loyalty.Balance", loyalty_pb2.BalanceRequest(customer=customer),
               "customer")
        yield "loyalty", "loyalty.Statement", statement(customer=customer), "customer"
        yield ("segmentation", "segmentation.Why",
               segmentation_pb2.WhyRequest(segment="spend_200_in_90d", customer=customer),
               "customer")
        yield ("segmentation", "segmentation.Count",
               segmentation_pb2.CountRequest(segment=customer), "segment")
    for broken in BROKEN_UTF8:
        yield "loyalty", "loyalty.Balance", field(1, 2, broken), "customer"
        yield ("segmentation", "segmentation.List",
               field(1, 2, b"spend_200_in_90d") + field(2, 2, broken), "after")
    yield "loyalty", "loyalty.Balance", field(1, 2, b"c1") + field(1, 2, b"c2"), "body"
    yield "loyalty", "loyalty.Balance", field(1, 0, 5), "body"
    yield ("loyalty", "loyalty.Balance",
           loyalty_pb2.BalanceRequest(customer="c1", programme=control), "programme")
    yield "loyalty", "loyalty.Statement", statement(customer="c1", limit=1001), "limit"
    yield "loyalty", "loyalty.Reverse", loyalty_pb2.ReverseRequest(posting=0), "posting"
    yield "loyalty", "loyalty.Reverse", b"", "posting"
    yield "loyalty", "loyalty.Accounts", loyalty_pb2.AccountsRequest(after=b"\xff" * 9), "after"
    yield "loyalty", "loyalty.Accounts", loyalty_pb2.AccountsRequest(limit=2 ** 32 - 1), "limit"
    yield ("segmentation", "segmentation.List",
           segmentation_pb2.ListRequest(segment="spend_200_in_90d", limit=1001), "limit")
    daily = reporting_pb2.DailyRequest
    yield "reporting", "reporting.Daily", daily(from_day=INT64_MAX, to_day=INT64_MAX), "from_day"
    yield "reporting", "reporting.Daily", daily(from_day=-INT64_MAX), "from_day"
    yield "reporting", "reporting.Daily", daily(from_day=2, to_day=1), "to_day"
    yield "reporting", "reporting.Daily", daily(limit=1001), "limit"
    yield "reporting", "reporting.Daily", daily(after=b"\xff" * 200), "after"
    yield "reporting", "reporting.Daily", daily(by=control), "by"
    clock = ingestion_pb2.AdvanceClockRequest
    yield "ingestion", "ingestion.AdvanceClock", clock(), "to_ms"
    yield "ingestion", "ingestion.AdvanceClock", clock(to_ms=1, by_ms=1), "to_ms"
    for to_ms in (YEAR_1_MS - 1, YEAR_9999_MS + 1, INT64_MAX, -INT64_MAX):
        yield "ingestion", "ingestion.AdvanceClock", clock(to_ms=to_ms), "to_ms"
    for by_ms in (INT64_MAX, -INT64_MAX, YEAR_9999_MS):
        yield "ingestion", "ingestion.AdvanceClock", clock(by_ms=by_ms), "by_ms"
    listing = ingestion_pb2.QuarantineListRequest
    yield "ingestion", "ingestion.QuarantineList", listing(limit=1001), "limit"
    yield "ingestion", "ingestion.QuarantineShow", listing(), "entry"
    yield "ingestion", "ingestion.QuarantineDrop", b"", "entry"
    yield "ingestion", "ingestion.QuarantineRetry", b"", "entry"
    item = ingestion_pb2.IngestItem(event=events.event(1, "c1").SerializeToString())
    request = ingestion_pb2.IngestRequest
    yield "ingestion", "ingestion.Ingest", request(), "items"
    yield "ingestion", "ingestion.Ingest", request(items=[ingestion_pb2.IngestItem()]), "items[0]"
    yield "ingestion", "ingestion.Ingest", request(items=[item] * 4097), "items"
    yield "ingestion", "ingestion.Ingest", request(items=[item], run=control, run_batch=1), "run"
    yield "ingestion", "ingestion.Ingest", request(items=[item], run="r"), "run_batch"
    yield ("ingestion", "ingestion.Ingest",
           request(items=[item], run="r", run_batch=UINT64_MAX), "run_batch")
    yield "ingestion", "ingestion.Ingest", request(items=[item], run_batch=1), "run"
    yield "ingestion", "ingestion.Ingest", b"\x0a\x05\x0a\xff" + bytes(3), "items[0]"
    for one in METHODS:
        accept = service_pb2.AcceptRequest
        yield one, "consumer.Accept", accept(), "feed"
        yield (one, "consumer.Accept",
               accept(feed="ingestion", reason=control, **{"from": 1}), "reason")
    yield "loyalty", "loyalty.Spend", bytes(MB + 1), "body"


def requests_without_sense_are_refused_by_name_and_change_nothing():
    draw = random.Random(6)
    with suite.Suite(suite.config()) as kith:
        kith.up()
        kith.ingest_batch(1)
        before = digests(kith)
        wires = {service: kith.wire(service) for service in kith.services}
        with Watch(kith):
            for what, bad, code, where in headers():
                reply, _ = exchange(wires["loyalty"], [bad, b""])
                refusal_is_whole(reply, code, where, what)
        with Watch(kith):
            for service, methods in METHODS.items():
                for method, body in itertools.product(methods + EVERY, rubbish(draw)):
                    reply, _ = exchange(wires[service], [command_header(method), body])
                    refusal_is_whole(reply, INVALID_ARGUMENT, None, f"{method} of {body!r:.40}")
        with Watch(kith):
            for service, method, message, where in fields_of_requests():
                body = message if isinstance(message, bytes) else message.SerializeToString()
                reply, _ = exchange(wires[service], [command_header(method), body])
                refusal_is_whole(reply, INVALID_ARGUMENT, where,
                                 f"{method} of {message!r:.200}")
        digests_are(kith, before)


# ---- frames


def dropped(kith, service):
    port = kith.ask_status(service).admin_port
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        for line in page.read().decode().splitlines():
            if line.startswith("kith_dropped_messages_total{"):
                return int(line.rpartition(" ")[2])
    raise suite.Failure(f"{service} does not count what it drops")


def a_message_of_other_than_two_frames_is_dropped_and_counted():
    with suite.Suite(suite.config()) as kith:
        kith.up()
        plain = header("service.Status")
        shapes = ([plain], [b""], [plain, b"", b""], [b"", plain, b""], [b"x"] * 50)
        for service, kind in itertools.product(kith.services, KINDS):
            before = dropped(kith, service)
            wire = kith.wire(service, kind=kind)
            for frames in shapes:
                wire.socket.send_multipart(frames)
            wait_until(lambda at=before: dropped(kith, service) == at + len(shapes),
                       what=f"{service} counts what it dropped")
            require(wire.receive(timeout_ms=0) is None, f"{service} answered to rubbish")
            kith.ask_status(service)


# ---- the feed socket


def feed_requests():
    """(method, message, code, field)."""
    fetch = feed_pb2.FetchRequest
    ours = {"feed": "ingestion", "shard": 0}
    chain = bytes(32)
    for body in (b"\xff", b"\x0b", field(99, 0, 1), b"\x80" * 11 + b"\x01"):
        yield "feed.Fetch", body, INVALID_ARGUMENT, "body"
        yield "feed.Wait", body, INVALID_ARGUMENT, "body"
    yield "feed.Fetch", fetch(feed="loyalty"), NOT_FOUND, None
    yield "feed.Fetch", fetch(), NOT_FOUND, None
    yield "feed.Fetch", fetch(feed="ingestion", shard=9), NOT_FOUND, None
    yield "feed.Fetch", fetch(**ours, consumer="a\0b"), INVALID_ARGUMENT, "body"
    yield "feed.Fetch", fetch(**ours, consumer="a\nb"), INVALID_ARGUMENT, "consumer"
    yield "feed.Fetch", fetch(**ours, consumer="c" * 65), INVALID_ARGUMENT, "consumer"
    yield "feed.Fetch", fetch(**ours, block=1, chain=chain[1:]), INVALID_ARGUMENT, "chain"
    yield "feed.Wait", feed_pb2.WaitRequest(
        positions=[wire_pb2.Position(feed="ingestion")] * 65), INVALID_ARGUMENT, "positions"
    yield "feed.Write", b"", UNIMPLEMENTED, None


def a_feed_is_asked_in_its_own_words():
    with suite.Suite(suite.config()) as kith:
        kith.up()
        kith.ingest_batch(1)
        wire = kith.wire("ingestion", kind="feed")
        with Watch(kith):
            for method, message, code, where in feed_requests():
                body = message if isinstance(message, bytes) else message.SerializeToString()
                reply, _ = exchange(wire, [header(method), body])
                refusal_is_whole(reply, code, where, f"{method} of {message!r:.200}")
        require(len(feeds.read(kith, "ingestion")) == 10, "the feed is not as it was")


# ---- events


def bad_events():
    """(an encoded Event, the field that is named)."""
    def bad(where, **more):
        return events.event(0, "c1", **more).SerializeToString(), where

    money, attribute = event_pb2.Money, event_pb2.Attribute
    good = events.event(0, "c1").SerializeToString()
    yield b"", "source"
    yield b"\xff\xff", "bytes"
    yield good[:-1], None
    yield good + field(99, 0, 1), None
    yield good + field(2, 2, b"twice"), "id"
    yield good + field(5, 2, b"no number"), "occurred_at_ms"
    yield bad("event", attributes=[attribute(name=f"a{i}", text="t" * 1024) for i in range(17)])
    for at_ms in (YEAR_1_MS - 1, YEAR_1_MS - 366 * events.DAY_MS, -INT64_MAX,
                  YEAR_9999_MS + 1, INT64_MAX):
        yield bad("occurred_at_ms", at_ms=at_ms)
    for minor in (-1, -INT64_MAX, MOST + 1, INT64_MAX):
        yield bad("amount.minor", minor=minor)
    yield bad("amount", amount=None)
    yield bad("amount.currency", amount=money(minor=1))
    for currency in ("US", "usd", "USDX", "U\0D", "€"):
        yield bad("amount.currency", amount=money(minor=1, currency=currency))
    for name in ("source", "id", "customer"):
        for text in ("", "x" * 65, "a\0b", "a\x1fb", "a\x7fb"):
            made = events.event(0, "c1")
            setattr(made, name, text)
            yield made.SerializeToString(), name
    for text in ("", "Purchase", "a b", "a\0b", "x" * 65):
        yield bad("type", type=text)
    for broken in BROKEN_UTF8:
        for number, name in ((1, "source"), (2, "id"), (4, "customer")):
            made = events.event(0, "c1")
            made.ClearField(name)
            yield made.SerializeToString() + field(number, 2, broken), name
        made = events.event(0, "c1").SerializeToString()
        yield made + field(8, 2, field(1, 2, b"a") + field(2, 2, broken)), "attributes[0].text"
    yield bad("attributes", attributes=[attribute(name=f"a{i}", flag=True) for i in range(65)])
    yield (good + field(8, 2, b"\x0a\x01a\x20\x01") * 10000, "event")
    yield bad("attributes[1].name", attributes=[attribute(name="a", flag=True)] * 2)
    yield bad("attributes[0].name", attributes=[attribute(flag=True)])
    yield bad("attributes[0].name", attributes=[attribute(name="A B", flag=True)])
    yield bad("attributes[0]", attributes=[attribute(name="a")])
    yield bad("attributes[0].text", attributes=[attribute(name="a", text="t" * 1025)])
    yield bad("attributes[0].text", attributes=[attribute(name="a", text="a\0b")])
    yield bad("attributes[0].at_ms", attributes=[attribute(name="a", at_ms=YEAR_1_MS - 1)])
    yield bad("attributes[0].money.minor",
              attributes=[attribute(name="a", money=money(minor=MOST + 1, currency="USD"))])


def ingest_item(kith, encoded, key):
    """Sends one item; returns its IngestRun."""
    run = events.one(kith.wire("ingestion"), encoded, key)
    require(run.count == 1, f"one item: {run}")
    return run


def events_without_sense_are_invalid_and_nothing_is_kept():
    with suite.Suite(suite.config()) as kith:
        kith.up()
        kith.ingest_batch(1)
        before = digests(kith)
        feeds_before = len(feeds.read(kith, "ingestion"))
        for i, (encoded, where) in enumerate(bad_events()):
            run = ingest_item(kith, encoded, f"bad.{i}")
            what = f"event {encoded!r:.300}"
            require(run.outcome == INVALID and run.first_seq == 0, f"{what}: {run}")
            require(run.violations and all(one.field and one.rule and one.mend
                                           for one in run.violations), f"{what}: {run}")
            require(where is None or any(one.field.startswith(where) for one in run.violations),
                    f"{what}: {where} is not named: {run}")
        require(len(feeds.read(kith, "ingestion")) == feeds_before, "an invalid event is a fact")
        totals = kith.cli("report", "totals")
        require((totals["events"], totals["quarantined"]) == (10, 0), f"totals: {totals}")
        digests_are(kith, before)


def the_year_9999_is_quarantined_and_the_clock_stays():
    with suite.Suite(suite.config()) as kith:
        kith.up()
        kith.ingest_batch(1)
        feeds.settle(kith)
        now = {service: kith.ask_status(service).now_ms for service in kith.services}
        late = events.event(1, "c1", at_ms=YEAR_9999_MS)
        run = ingest_item(kith, late, "late")
        require(run.outcome == REJECTED, f"an event of the year 9999: {run}")
        early = events.event(2, "c1", at_ms=YEAR_1_MS)
        require(ingest_item(kith, early, "early").outcome == ACCEPTED, "the year 1 is a year")
        feeds.settle(kith)
        after = {service: kith.ask_status(service).now_ms for service in kith.services}
        require(after == now, f"the clock was moved from {now} to {after}")
        totals = kith.cli("report", "totals")
        require((totals["events"], totals["quarantined"]) == (11, 1), f"totals: {totals}")
        kept = kith.wire("ingestion").call("ingestion.QuarantineList", b"",
                                           ingestion_pb2.QuarantineListReply)
        require([one.reason for one in kept.entries] == [ingestion_pb2.QUARANTINE_FUTURE]
                and "9999-12-31" in kept.entries[0].explanation, f"the quarantine: {kept}")


# ---- customers nobody knows


UNKNOWN = (
    ("loyalty", "loyalty.Balance", loyalty_pb2.BalanceRequest(customer="nobody"), False),
    ("loyalty", "loyalty.Statement", loyalty_pb2.StatementRequest(customer="nobody"), False),
    ("loyalty", "loyalty.Spend", loyalty_pb2.SpendRequest(customer="nobody", points=1), True),
    ("segmentation", "segmentation.Why",
     segmentation_pb2.WhyRequest(segment="spend_200_in_90d", customer="nobody"), False),
    ("campaign", "campaign.Trigger",
     campaign_pb2.TriggerRequest(campaign="thanks", customer="nobody"), True),
)


def an_unknown_customer_is_not_found():
    with suite.Suite(suite.config()) as kith:
        kith.up()
        kith.ingest_batch(1)
        feeds.settle(kith)
        for service, method, message, is_command in UNKNOWN:
            wire = Wire(kith.wire(service).endpoint)
            before = kith.ask_status(service).seq
            replies = []
            for _ in range(2):  # a command's refusal is kept: the retry gets the same
                sent = command_header(method, "nobody") if is_command else header(method)
                reply, body = exchange(wire, [sent, message.SerializeToString()])
                refusal_is_whole(reply, NOT_FOUND, None, method)
                require(body == b"", f"{method} answers {body!r}")
                replies.append(reply)
            require(replies[0] == replies[1], f"{method}: {replies}")
            require(kith.ask_status(service).seq == before, f"{method} made a fact")
            wire.close()
        known = kith.wire("loyalty").call("loyalty.Balance",
                                          loyalty_pb2.BalanceRequest(customer="c1"),
                                          loyalty_pb2.BalanceReply)
        require(known.available == 1, f"who is known: {known}")


if __name__ == "__main__":
    suite.main(what_is_no_message_is_dropped,
               a_message_of_other_than_two_frames_is_dropped_and_counted,
               requests_without_sense_are_refused_by_name_and_change_nothing,
               a_feed_is_asked_in_its_own_words,
               events_without_sense_are_invalid_and_nothing_is_kept,
               the_year_9999_is_quarantined_and_the_clock_stays,
               an_unknown_customer_is_not_found)
