"""The client: questions, commands, subscriptions."""

import enum
import os
import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import zmq
from google.protobuf.message import Message
from kith.errors import BadReply, Code, Error, FeedStopped, NoAnswer, OutcomeUnknown, TooLong
from kith.errors import Violation
from kith.event import ITEMS_MAX
from kith.feed import Block, Cursor, Fact, Reader
from kith.v1 import campaign_pb2, event_pb2, feed_pb2, ingestion_pb2, loyalty_pb2, service_pb2
from kith.v1 import wire_pb2
from kith.wire import Connection, M, Reply, decode, is_unsettled, refusal, require

TIMEOUT_S = 30.0
# A request that is not answered is sent again after 1 s, then 2, 4 and each 8 s.
WAIT_FIRST_S = 1.0
WAIT_MOST_S = 8.0
# Between an attempt that failed at once and the next.
PAUSE_FIRST_S = 0.02
PAUSE_MOST_S = 1.0
# What is kept back is kept for so long at most, and who waits for longer asks again; an answer
# that is later by PARKED_LATE_S will not come.
PARKED_MS = 30000
PARKED_LATE_S = 5.0

Item = event_pb2.Event | ingestion_pb2.RawRow | bytes


class Attempt(NamedTuple):
    """Names one attempt at a command. The same attempt with the same content is done once, however
    often it is sent: keep it where a crash of yours cannot take it if you must be able to."""

    key: str
    issued_at_ms: int

    @classmethod
    def new(cls, key: str | None = None) -> "Attempt":
        """Made now. `key`: 1 to 64 bytes of your own, such as an order's number."""
        return cls(key or uuid.uuid4().hex, time.time_ns() // 1_000_000)


class Outcome(enum.IntEnum):
    """What became of an item of a batch."""

    ACCEPTED = ingestion_pb2.INGEST_ACCEPTED
    DUPLICATE = ingestion_pb2.INGEST_DUPLICATE
    REJECTED = ingestion_pb2.INGEST_REJECTED
    INVALID = ingestion_pb2.INGEST_INVALID


class Result(NamedTuple):
    """`seq`: of the event; of the first one for a duplicate, of the quarantine's fact for what was
    rejected, None for what is invalid, which `violations` explain."""

    outcome: Outcome
    seq: int | None
    violations: tuple[Violation, ...]


class Decision(NamedTuple):
    """What became of a triggered message. `state`: "sent", "suppressed", "unknown" (handed over,
    and nobody can say more) or "pending". `reason`: why suppressed, such as "cap_reached"."""

    dispatch: bytes
    state: str
    reason: str | None
    detail: str


def _name(kind: object, number: int, prefix: str) -> str:
    return kind.Name(number)[len(prefix) :].lower()  # type: ignore[attr-defined]


def _decision(reply: campaign_pb2.DispatchReply) -> Decision:
    require(reply, "dispatch", "state")
    reason = None
    if reply.state == campaign_pb2.DISPATCH_IS_SUPPRESSED:
        require(reply, "reason")
        reason = _name(campaign_pb2.SuppressedReason, reply.reason, "SUPPRESSED_")
    state = _name(campaign_pb2.DispatchState, reply.state, "DISPATCH_IS_")
    return Decision(reply.dispatch, state, reason, reply.detail)


def _item(one: Item) -> ingestion_pb2.IngestItem:
    if isinstance(one, bytes):
        return ingestion_pb2.IngestItem(event=one)
    if isinstance(one, ingestion_pb2.RawRow):
        return ingestion_pb2.IngestItem(raw=one)
    return ingestion_pb2.IngestItem(event=one.SerializeToString())


def _results(reply: ingestion_pb2.IngestReply, count: int) -> list[Result]:
    """One for each item. The counts are added up before anything is made of them."""
    if sum(run.count for run in reply.results) != count:
        raise BadReply(f"a batch of {count} was answered with another number of results")
    results = []
    for run in reply.results:
        require(run, "count", "outcome")
        violations = tuple(Violation(one.field, one.rule, one.mend) for one in run.violations)
        for i in range(run.count):
            seq = run.first_seq + i if run.HasField("first_seq") else None
            results.append(Result(Outcome(run.outcome), seq, violations))
    return results


class Client:
    """`where`: a suite's data folder, or one endpoint ("ipc:///...", "tcp://...") to which all
    goes; None: what KITH_SUITE says, as for the command line. `timeout`: how many seconds a call
    may take in all, sending again included.

    A client belongs to one thread. It connects when it is first needed, and again when a service
    was started anew; close() or `with` ends it."""

    def __init__(self, where: str | Path | None = None, timeout: float = TIMEOUT_S) -> None:
        where = where or os.environ.get("KITH_SUITE")
        if not where:
            raise Error(Code.INVALID_ARGUMENT, "which suite? Name its folder, or set KITH_SUITE")
        self._timeout = timeout
        self._endpoint: str | None = None
        self._folder = Path(where)
        if "://" in str(where):
            self._endpoint = str(where)
        elif not (self._folder / "run").is_dir():
            raise Error(Code.NOT_FOUND, f"{where} is no data folder of a suite: it has no run/")
        self._context = zmq.Context()
        self._connections: dict[str, Connection] = {}

    def close(self) -> None:
        """Ends all connections, those of subscriptions too."""
        self._context.destroy(linger=0)
        self._connections.clear()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- any method

    def ask(
        self,
        method: str,
        request: Message,
        reply: type[M],
        *,
        service: str | None = None,
        shard: int = 0,
        timeout: float | None = None,
    ) -> M:
        """A question: "loyalty.Balance". `service` where the method's name does not tell it."""
        connection = self._connection(service or method.partition(".")[0], shard, "cmd")
        header = wire_pb2.RequestHeader(method=method)
        return decode(reply, self._converse(connection, header, request, timeout).body)

    def command(
        self,
        method: str,
        request: Message,
        reply: type[M],
        *,
        attempt: Attempt | None = None,
        service: str | None = None,
        shard: int = 0,
        timeout: float | None = None,
    ) -> M:
        """A command: "loyalty.Spend". Sent again with the same key until it is answered or the time
        is over; then OutcomeUnknown, which carries the attempt."""
        attempt = attempt or Attempt.new()
        connection = self._connection(service or method.partition(".")[0], shard, "cmd")
        header = wire_pb2.RequestHeader(
            method=method, key=attempt.key, issued_at_ms=attempt.issued_at_ms
        )
        try:
            return decode(reply, self._converse(connection, header, request, timeout).body)
        except NoAnswer as problem:
            raise OutcomeUnknown(problem.sentence, attempt) from problem
        except BadReply as problem:
            problem.attempt = attempt
            raise

    # -- ingestion

    def ingest(
        self,
        events: Iterable[Item],
        *,
        attempt: Attempt | None = None,
        run: str | None = None,
        run_batch: int | None = None,
        shard: int = 0,
        timeout: float | None = None,
    ) -> list[Result]:
        """One batch, at most 4,096 events and 1 MiB; batches() cuts more into such. One result for
        each, in their order. With `run`, batches of that run are taken in the order of
        `run_batch`, from 1."""
        request = ingestion_pb2.IngestRequest(items=[_item(one) for one in events])
        if len(request.items) > ITEMS_MAX:
            raise TooLong(
                f"a batch of {len(request.items)} items, at most {ITEMS_MAX} are taken", "items"
            )
        if run is not None:
            request.run = run
            request.run_batch = run_batch or 0
        reply = self.command(
            "ingestion.Ingest",
            request,
            ingestion_pb2.IngestReply,
            attempt=attempt,
            shard=shard,
            timeout=timeout,
        )
        return _results(reply, len(request.items))

    # -- loyalty

    def balance(
        self, customer: str, programme: str | None = None, *, shard: int = 0
    ) -> loyalty_pb2.BalanceReply:
        """`available`, `earned`, `spent` points, and the `positions` that they include."""
        request = loyalty_pb2.BalanceRequest(customer=customer)
        if programme is not None:
            request.programme = programme
        reply = self.ask("loyalty.Balance", request, loyalty_pb2.BalanceReply, shard=shard)
        require(reply, "customer", "programme", "available")
        return reply

    def spend(
        self,
        customer: str,
        points: int,
        programme: str | None = None,
        *,
        attempt: Attempt | None = None,
        shard: int = 0,
        timeout: float | None = None,
    ) -> loyalty_pb2.PostReply:
        """Takes points away; FAILED_PRECONDITION if there are not so many."""
        request = loyalty_pb2.SpendRequest(customer=customer, points=points)
        if programme is not None:
            request.programme = programme
        reply = self.command(
            "loyalty.Spend",
            request,
            loyalty_pb2.PostReply,
            attempt=attempt,
            shard=shard,
            timeout=timeout,
        )
        require(reply, "posting", "balance")
        return reply

    # -- campaign

    def trigger(
        self,
        campaign: str,
        customer: str,
        *,
        attempt: Attempt | None = None,
        wait: bool = True,
        shard: int = 0,
        timeout: float | None = None,
    ) -> Decision:
        """Lets a campaign write to a customer, and waits until it is decided and handed over.
        "pending" only without `wait`, or when the time was over."""
        end = time.monotonic() + (self._timeout if timeout is None else timeout)
        request = campaign_pb2.TriggerRequest(campaign=campaign, customer=customer)
        reply = self.command(
            "campaign.Trigger",
            request,
            campaign_pb2.DispatchReply,
            attempt=attempt,
            shard=shard,
            timeout=timeout,
        )
        decision = _decision(reply)
        left = end - time.monotonic()
        if not wait or decision.state != "pending" or left <= 0:
            return decision
        try:
            return self.dispatch(decision.dispatch, shard=shard, timeout=left)
        except NoAnswer:  # to the question; the command was taken
            return decision

    def dispatch(
        self, dispatch: bytes, *, shard: int = 0, timeout: float | None = None
    ) -> Decision:
        """What became of a triggered message; waits while it is pending, up to the time-out."""
        timeout = self._timeout if timeout is None else timeout
        request = campaign_pb2.DispatchRequest(dispatch=dispatch)
        connection = self._connection("campaign", shard, "cmd")
        header = wire_pb2.RequestHeader(method="campaign.Dispatch")
        end = time.monotonic() + timeout
        left = timeout
        while True:
            answer = self._converse(connection, header, request, left, min(left, PARKED_MS / 1000))
            decision = _decision(decode(campaign_pb2.DispatchReply, answer.body))
            left = end - time.monotonic()
            if decision.state != "pending" or left < WAIT_FIRST_S:
                return decision
            time.sleep(PAUSE_FIRST_S)  # a service that has no place free answers at once
            left -= PAUSE_FIRST_S

    # -- every service

    def status(self, service: str, shard: int = 0) -> service_pb2.StatusReply:
        """What a service says about itself."""
        return self.ask(
            "service.Status",
            service_pb2.StatusRequest(),
            service_pb2.StatusReply,
            service=service,
            shard=shard,
        )

    def wait(
        self,
        service: str,
        feed: str,
        seq: int,
        *,
        shard: int = 0,
        feed_shard: int = 0,
        timeout: float | None = None,
    ) -> bool:
        """Until `service` has taken in `feed` up to `seq`: what it answers then includes that.
        False when the time was over."""
        timeout = self._timeout if timeout is None else timeout
        request = feed_pb2.WaitRequest()
        request.positions.add(feed=feed, shard=feed_shard, seq=seq)
        connection = self._connection(service, shard, "feed")
        header = wire_pb2.RequestHeader(method="feed.Wait")
        end = time.monotonic() + timeout
        left = timeout
        while True:
            request.timeout_ms = min(PARKED_MS, max(0, int(left * 1000)))
            parked_s = request.timeout_ms / 1000 + PARKED_LATE_S
            answer = self._converse(connection, header, request, left + PARKED_LATE_S, parked_s)
            reply = decode(feed_pb2.WaitReply, answer.body)
            require(reply, "end", "reached")
            left = end - time.monotonic()
            if reply.reached or left <= 0:
                return reply.reached

    # -- feeds

    def subscribe(
        self,
        feed: str,
        *,
        after: Cursor | tuple[int, int] = Cursor(),
        types: Collection[str] | None = None,
        follow: bool = True,
        consumer: str | None = None,
        shard: int = 0,
        patience: float | None = None,
    ) -> Iterator[Fact]:
        """The facts of a feed in their order, each once. `after`: (epoch, seq) of the last one that
        you had. See blocks() for the rest, and for a cursor that is checked more sharply."""
        found = self.blocks(
            feed,
            after=after,
            types=types,
            follow=follow,
            consumer=consumer,
            shard=shard,
            patience=patience,
        )
        return (fact for block in found for fact in block.facts)

    def blocks(
        self,
        feed: str,
        *,
        after: Cursor | tuple[int, int] = Cursor(),
        types: Collection[str] | None = None,
        follow: bool = True,
        consumer: str | None = None,
        shard: int = 0,
        patience: float | None = None,
    ) -> Iterator[Block]:
        """The blocks of a feed in their order: facts, and the cursor to keep with what you did with
        them. Also blocks without any fact that was asked for.

        `types`: names of facts, such as ["points.earned"]; None: all. `follow`: wait for more, for
        ever; otherwise it ends where the feed ended when it was first asked. `consumer`: your
        name, shown in `kith status` with how far behind you are. `patience`: NoAnswer after so
        many seconds without an answer; None: a service that is down is waited for."""
        reader = Reader(feed, shard, after, types, consumer)
        connection = Connection(self._context, self._address(feed, shard, "feed"))
        return self._follow(reader, connection, follow, patience)

    def _follow(
        self, reader: Reader, connection: Connection, follow: bool, patience: float | None
    ) -> Iterator[Block]:
        end: tuple[int, int] | None = None
        parked_ms = PARKED_MS if follow else 0
        if patience is not None:  # half of it is for an answer that comes late
            parked_ms = min(parked_ms, int(patience * 500))
        try:
            while end is None or follow or not reader.is_at_end(*end):
                reply = self._fetch(reader, connection, parked_ms, patience)
                blocks = reader.take(reply)
                end = end or (reply.end, reply.end_block)
                if not (blocks or follow or reader.is_at_end(*end)):
                    raise BadReply(f"{reader.feed} has more, and sends none of it")
                yield from blocks
        finally:
            connection.close()

    def _fetch(
        self, reader: Reader, connection: Connection, wait_ms: int, patience: float | None
    ) -> feed_pb2.FetchReply:
        header = wire_pb2.RequestHeader(method="feed.Fetch")
        parked_s = wait_ms / 1000 + PARKED_LATE_S
        limit = float("inf") if patience is None else patience
        try:
            answer = self._converse(connection, header, reader.request(wait_ms), limit, parked_s)
        except Error as problem:
            if problem.code in (Code.DATA_LOSS, Code.OUT_OF_RANGE):
                raise FeedStopped(problem.sentence, problem.code) from problem
            raise
        return decode(feed_pb2.FetchReply, answer.body)

    # -- how it is sent

    def _address(self, service: str, shard: int, kind: str) -> str:
        if self._endpoint is not None:
            return self._endpoint
        return f"ipc://{self._folder}/run/{service}-{shard}.{kind}"

    def _connection(self, service: str, shard: int, kind: str) -> Connection:
        address = self._address(service, shard, kind)
        if address not in self._connections:
            self._connections[address] = Connection(self._context, address)
        return self._connections[address]

    def _converse(
        self,
        connection: Connection,
        header: wire_pb2.RequestHeader,
        request: Message,
        timeout: float | None,
        wait_s: float = WAIT_FIRST_S,
    ) -> Reply:
        """Sends the same bytes until they are answered for good. `wait_s`: how long the first
        sending is waited for."""
        timeout = self._timeout if timeout is None else timeout
        end = time.monotonic() + timeout
        body = request.SerializeToString()
        pause_s, refused, is_unknown = PAUSE_FIRST_S, None, False
        while True:
            left = end - time.monotonic()
            if left <= 0:
                break
            header.timeout_ms = max(1, int(min(left, wait_s) * 1000))
            reply = connection.ask(header, body, min(left, wait_s))
            pause_s = min(2 * pause_s, PAUSE_MOST_S)
            wait_s = max(wait_s, min(2 * wait_s, WAIT_MOST_S))
            after_s = pause_s
            if reply is None:
                is_unknown = True
            elif reply.header.code == Code.OK:
                return reply
            else:
                refused = refusal(reply.header)
                if not is_unsettled(refused.code):
                    raise refused
                is_unknown = is_unknown or refused.code != Code.RESOURCE_EXHAUSTED
                after_s = max(after_s, (refused.retry_after_ms or 0) / 1000)
            if after_s >= end - time.monotonic():
                break
            time.sleep(after_s)
        if refused is not None and not is_unknown:
            raise refused
        raise NoAnswer(f"{connection.endpoint}: no answer to {header.method} in {timeout:g} s")
