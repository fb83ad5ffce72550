"""Feeds and questions as somebody outside sees them: read whole, waited for, asked by the thousand.

Shares no code with the suite: it follows proto/kith/v1/feed.proto and block.proto, and checks
numbers, chain and hashes of every block that it reads.
"""
import collections
import hashlib

import suite
from kith.v1 import block_pb2, campaign_pb2, feed_pb2, loyalty_pb2, wire_pb2

WAIT_MS = 30000
NOT_FOUND = 5

Fact = collections.namedtuple("Fact", "seq type version recorded_at cause customer subject body")


def each(kith, feed, shard=0):
    """All facts of a feed, in their order, one after the other."""
    wire = kith.wire(feed, shard, "feed")
    seq, block, chain, end_block = 0, 0, None, 1
    while block < end_block:
        request = feed_pb2.FetchRequest(feed=feed, shard=shard, **{"from": seq})
        if chain is not None:
            request.block, request.chain = block, chain
        reply = wire.call("feed.Fetch", request, feed_pb2.FetchReply)
        end_block = reply.end_block
        chain = chain or reply.chain_before
        for sent in reply.blocks:
            block, chain = block + 1, _chain(chain, sent.header)
            for fact in _facts(sent, block, seq + 1):
                seq = fact.seq
                yield fact


def read(kith, feed, shard=0):
    """All facts of a feed, in their order."""
    return list(each(kith, feed, shard))


def _chain(before, header):
    return hashlib.blake2b(before + header, digest_size=32).digest()


def _facts(sent, number, first_seq):
    header = block_pb2.BlockHeader.FromString(sent.header)
    public = block_pb2.PublicPart.FromString(sent.public_part)
    digest = hashlib.blake2b(sent.public_part, digest_size=32).digest()
    place = f"block {header.number} at seq {header.first_seq}"
    suite.require((header.number, header.first_seq) == (number, first_seq),
                  f"{place}: block {number} at seq {first_seq} should come next")
    suite.require(digest == header.public_hash, f"{place}: its public part has another hash")
    suite.require(len(public.facts) == header.count, f"{place}: {header.count} facts announced")
    for i, fact in enumerate(public.facts):
        yield Fact(first_seq + i, fact.type, fact.version, fact.recorded_at_ms, fact.cause,
                   fact.customer, fact.subject.bytes.decode(), fact.body)


def of_type(facts, kind, body):
    """The decoded bodies of the facts of a type."""
    return [body.FromString(fact.body) for fact in facts if fact.type == kind]


def wait(kith, service, shard, positions, timeout_ms=WAIT_MS):
    """Waits at the service until it has folded the positions; returns its own end."""
    asked = [wire_pb2.Position(feed=feed, shard=at, seq=seq) for (feed, at), seq in
             positions.items()]
    reply = kith.wire(service, shard, "feed").call(
        "feed.Wait", feed_pb2.WaitRequest(positions=asked, timeout_ms=timeout_ms),
        feed_pb2.WaitReply, timeout_ms=2 * timeout_ms)
    reached = {f"{one.feed}/{one.shard}": one.seq for one in reply.inputs}
    suite.require(reply.reached, f"{service}/{shard} has folded {reached} after {timeout_ms} ms, "
                                 f"wanted {positions}")
    return reply.end.seq


def wait_decided(kith, shard):
    """Waits until campaign has decided all, and its channels have answered; returns its end."""
    reply = kith.wire("campaign", shard).call("campaign.Settle", b"", campaign_pb2.SettleReply,
                                              timeout_ms=WAIT_MS)
    suite.require(reply.settled, f"campaign/{shard}: {reply.planned} messages are planned and "
                                 f"{reply.open} open after {WAIT_MS} ms")
    return next(one.seq for one in reply.positions if one.feed == "campaign")


def settle(kith, **shards):
    """Waits until every service has folded all there is, and campaign has nothing left to do.
    Returns {(feed, shard): its end}. `shards`: of services that have several."""
    ends = {}
    for service in (name for name in suite.SERVICES if name in kith.services):
        own = {}
        for shard in range(shards.get(service, 1)):
            own[service, shard] = wait(kith, service, shard, ends)
            if service == "campaign":
                own[service, shard] = wait_decided(kith, shard)
        if service != "reporting":
            ends.update(own)
    return ends


def ask_all(wire, method, requests, reply, window=16):
    """The answers to many questions, in order; None for each that is NOT_FOUND."""
    answers, waiting = {}, {}
    for i, request in enumerate(requests):
        waiting[wire.send(method, request)] = i
        if len(waiting) >= window:
            _answer_take(wire, method, reply, waiting, answers)
    while waiting:
        _answer_take(wire, method, reply, waiting, answers)
    return [answers[i] for i in range(len(answers))]


def _answer_take(wire, method, reply, waiting, answers):
    got = wire.receive(WAIT_MS)
    suite.require(got is not None, f"{method}: no answer in {WAIT_MS} ms")
    header, body = got
    suite.require(header.code in (0, NOT_FOUND), f"{method}: {header.code} {header.message}")
    answers[waiting.pop(header.request_id)] = reply.FromString(body) if header.code == 0 else None


def balances(wire, customers):
    """{customer: points}; 0 for who has no account."""
    customers = list(customers)
    replies = ask_all(wire, "loyalty.Balance",
                      (loyalty_pb2.BalanceRequest(customer=one) for one in customers),
                      loyalty_pb2.BalanceReply)
    return {customer: reply.available if reply else 0
            for customer, reply in zip(customers, replies)}


def customer_id(suite_key, customer):
    """The 16 bytes that stand for a customer in every journal: common/base/id.h."""
    hashed = hashlib.blake2b(digest_size=16, key=suite_key)
    for part in (b"customer", customer.encode()):
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.digest()


def dispatch_id(campaign, customer, step):
    """The name of a message, as a line of an outbox shows it: docs/protocol.md."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in (campaign.encode(), customer.encode(), step.encode()):
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.hexdigest()


def partition(suite_key, customer):
    return int.from_bytes(customer_id(suite_key, customer)[:2], "big") >> 6
