"""Feeds: blocks of facts, checked one by one, so that nothing is missed or read twice."""

import hashlib
from collections.abc import Collection
from typing import NamedTuple

from google.protobuf.message import Message
from kith.errors import BadReply, FeedStopped
from kith.v1 import (
    block_pb2,
    campaign_pb2,
    feed_pb2,
    ingestion_pb2,
    loyalty_pb2,
    segmentation_pb2,
)
from kith.wire import decode, require

HASH_BYTES = 32
CHAIN_BEGIN = bytes(HASH_BYTES)
BLOCK_VERSION = 1
FACT_VERSION = 1
FETCH_BYTES = 512 * 1024

BODIES: dict[int, type[Message]] = {
    block_pb2.FACT_EVENT_ACCEPTED: ingestion_pb2.EventAccepted,
    block_pb2.FACT_EVENT_QUARANTINED: ingestion_pb2.EventQuarantined,
    block_pb2.FACT_QUARANTINE_CLOSED: ingestion_pb2.QuarantineClosed,
    block_pb2.FACT_CLOCK_ADVANCED: ingestion_pb2.ClockAdvanced,
    block_pb2.FACT_POINTS_EARNED: loyalty_pb2.PointsPosted,
    block_pb2.FACT_POINTS_SPENT: loyalty_pb2.PointsPosted,
    block_pb2.FACT_POINTS_REVERSED: loyalty_pb2.PointsPosted,
    block_pb2.FACT_POINTS_GRANTED: loyalty_pb2.PointsPosted,
    block_pb2.FACT_SEGMENT_ENTERED: segmentation_pb2.SegmentEntered,
    block_pb2.FACT_SEGMENT_EXITED: segmentation_pb2.SegmentExited,
    block_pb2.FACT_DISPATCH_INTENDED: campaign_pb2.Dispatch,
    block_pb2.FACT_DISPATCH_SENT: campaign_pb2.Dispatch,
    block_pb2.FACT_DISPATCH_SUPPRESSED: campaign_pb2.Dispatch,
    block_pb2.FACT_DISPATCH_UNKNOWN: campaign_pb2.Dispatch,
    block_pb2.FACT_RULES_CHANGED: block_pb2.RulesChanged,
    block_pb2.FACT_CONSUMER_ACCEPTED: block_pb2.ConsumerAccepted,
}
# FACT_POINTS_EARNED is "points.earned", as `kith tail` writes it.
NAMES: dict[int, str] = {
    number: block_pb2.FactType.Name(number)[len("FACT_") :].lower().replace("_", ".", 1)
    for number in BODIES
}
NUMBERS: dict[str, int] = {name: number for number, name in NAMES.items()}


class Cursor(NamedTuple):
    """How far a feed was read: up to `seq`, and all of `block`, the chain after which is `chain`.
    Cursor() is the beginning. `block` 0 and no `chain`, as in Cursor(epoch, seq): after `seq`,
    wherever in a block that is; the chain is then checked from there on only."""

    epoch: int = 0
    seq: int = 0
    block: int = 0
    chain: bytes = b""


class Fact(NamedTuple):
    """One fact. (epoch, seq) is its position: the same for ever, and for no other fact."""

    epoch: int
    seq: int
    name: str  # "points.earned"
    recorded_at_ms: int
    cause: int  # ingestion's seq that it goes back to
    customer: str | None  # the identifier's text; None: about nobody, or sealed
    customer_id: bytes  # 16 bytes; empty: about nobody
    body: Message  # kith.v1: PointsPosted for "points.earned"


class Block(NamedTuple):
    """The facts of one block that were asked for, perhaps none, and where reading goes on."""

    facts: list[Fact]
    cursor: Cursor


def blake2b(*parts: bytes) -> bytes:
    """BLAKE2b-256 over the parts, one after the other."""
    return hashlib.blake2b(b"".join(parts), digest_size=HASH_BYTES).digest()


def _mask(types: Collection[int]) -> int:
    return sum({1 << number % 64 for number in types})


def wanted_numbers(types: Collection[str] | None) -> frozenset[int]:
    """The numbers of facts by their names; all that are known for None."""
    if types is None:
        return frozenset(BODIES)
    if isinstance(types, str):
        raise TypeError("types: a list of names, such as ['points.earned']")
    strange = [name for name in types if name not in NUMBERS]
    if strange or not types:
        raise ValueError(f"no such facts: {strange}; there are: {', '.join(NUMBERS)}")
    return frozenset(NUMBERS[name] for name in types)


def _fact(epoch: int, seq: int, fact: block_pb2.Fact) -> Fact:
    customer = None
    if fact.HasField("subject") and not fact.subject.key_id:
        try:
            customer = fact.subject.bytes.decode()
        except UnicodeDecodeError as problem:
            raise BadReply(f"the customer of fact {seq} is no text") from problem
    body = decode(BODIES[fact.type], fact.body)
    return Fact(
        epoch,
        seq,
        NAMES[fact.type],
        fact.recorded_at_ms,
        fact.cause,
        customer,
        fact.customer,
        body,
    )


class Reader:
    """Follows one feed: says what to ask for next and checks what came. Knows no sockets."""

    def __init__(
        self,
        feed: str,
        shard: int = 0,
        after: Cursor | tuple[int, int] = Cursor(),
        types: Collection[str] | None = None,
        consumer: str | None = None,
    ) -> None:
        cursor = Cursor(*after)
        if cursor.block and len(cursor.chain) != HASH_BYTES:
            raise ValueError(f"a cursor with a block has a chain of {HASH_BYTES} bytes")
        if cursor.seq == 0 and cursor.block == 0:
            cursor = cursor._replace(chain=CHAIN_BEGIN)
        self.feed = feed
        self.shard = shard
        self.cursor = cursor
        self.end: int | None = None  # of the journal, as the newest reply said
        self.end_block: int | None = None
        self._consumer = consumer
        self._wanted = wanted_numbers(types)

    def is_at_end(self, seq: int, block: int) -> bool:
        """Whether all up to (seq, block) was read. Where the block is not known yet, no."""
        if self._is_anchored():
            return self.cursor.block >= block
        return self.cursor.seq >= seq

    def request(self, max_wait_ms: int) -> feed_pb2.FetchRequest:
        """What to ask for next."""
        request = feed_pb2.FetchRequest(
            feed=self.feed,
            shard=self.shard,
            epoch=self.cursor.epoch,
            max_bytes=FETCH_BYTES,
            max_wait_ms=max_wait_ms,
            types_folded=sorted(self._wanted),
            types_ignored=sorted(set(BODIES) - self._wanted),
            **{"from": self.cursor.seq},
        )
        if self._is_anchored():
            request.block, request.chain = self.cursor.block, self.cursor.chain
        if self._consumer is not None:
            request.consumer = self._consumer
            request.durable_position = self.cursor.seq
        return request

    def take(self, reply: feed_pb2.FetchReply) -> list[Block]:
        """The blocks of a reply. Raises FeedStopped; the cursor then stands before the reply."""
        require(reply, "epoch", "end", "end_block", "chain_before")
        known = self.cursor
        if known.epoch not in (0, reply.epoch):
            self._stop(f"its epoch is {reply.epoch:016x}, it was {known.epoch:016x}")
        if len(reply.chain_before) != HASH_BYTES:
            raise BadReply("chain_before is 32 bytes")
        if self._is_anchored() and reply.chain_before != known.chain:
            self._stop(f"the chain after block {known.block} is another one")
        if reply.end < known.seq:
            self._stop(f"it ends at {reply.end} and was read up to {known.seq}")
        cursor = known._replace(epoch=reply.epoch)
        before = reply.chain_before
        blocks = []
        for sent in reply.blocks:
            block = self._block(cursor, before, sent)
            blocks.append(block)
            cursor, before = block.cursor, block.cursor.chain
        self.cursor, self.end, self.end_block = cursor, reply.end, reply.end_block
        return blocks

    def _is_anchored(self) -> bool:
        return bool(self.cursor.chain)

    def _block(self, cursor: Cursor, before: bytes, sent: feed_pb2.FeedBlock) -> Block:
        header = decode(block_pb2.BlockHeader, sent.header)
        require(header, "version", "number", "first_seq", "count")
        if header.version != BLOCK_VERSION:
            self._stop(f"block {header.number} is of format {header.version}: upgrade this program")
        if cursor.chain:
            is_next = (header.number, header.first_seq) == (cursor.block + 1, cursor.seq + 1)
        else:
            is_next = header.number > 0 and 0 < header.first_seq <= cursor.seq + 1
        if not is_next:
            self._stop(
                f"block {header.number} at {header.first_seq} is not what follows "
                f"block {cursor.block}, seq {cursor.seq}"
            )
        facts = self._facts(cursor, header, sent)
        seq = max(cursor.seq, header.first_seq + header.count - 1)
        chain = blake2b(before, sent.header)
        return Block(facts, Cursor(cursor.epoch, seq, header.number, chain))

    def _facts(
        self, cursor: Cursor, header: block_pb2.BlockHeader, sent: feed_pb2.FeedBlock
    ) -> list[Fact]:
        if header.types & ~_mask(BODIES):
            self._stop(f"block {header.number} has facts that this program is too old for")
        if not sent.HasField("public_part"):
            if header.types & _mask(self._wanted):
                self._stop(f"block {header.number} was left out, and has what was asked for")
            return []
        if blake2b(sent.public_part) != header.public_hash:
            self._stop(f"the facts of block {header.number} are not those of its header")
        public = decode(block_pb2.PublicPart, sent.public_part)
        if len(public.facts) != header.count:
            self._stop(f"block {header.number} has {len(public.facts)} facts, not {header.count}")
        facts = []
        for seq, fact in enumerate(public.facts, header.first_seq):
            self._check_kind(seq, fact)
            if fact.type in self._wanted and seq > cursor.seq:
                facts.append(_fact(cursor.epoch, seq, fact))
        return facts

    def _check_kind(self, seq: int, fact: block_pb2.Fact) -> None:
        version = fact.version if fact.HasField("version") else FACT_VERSION
        is_new = fact.type in self._wanted and version > FACT_VERSION
        if fact.type not in BODIES or is_new:
            self._stop(
                f"fact {seq} is of type {fact.type}, version {version}: this program is too old"
            )

    def _stop(self, sentence: str) -> None:
        raise FeedStopped(f"{self.feed}/{self.shard}: {sentence}")
