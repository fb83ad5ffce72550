"""A suite lives while all that it writes and tells is written down; then its disk is cut off at
many places, and services are started on what is left.

What is judged, for one service alone on what is left of its files:
  - it comes up by itself, and its state is what its journal says (verify-state);
  - its facts are the first of those that it told in its life, to the byte, and at least all that it
    had told anybody of before the cut: as a reply, to a reader of its feed, or as its position;
  - a request that was acknowledged gets the same reply again, to the byte; one that was not is
    taken, and then stands there once;
and for all at the same instant: nobody has folded what its producer does not have.
For the whole suite: with what was not acknowledged sent again it comes to the results of the life.
"""
import collections
import contextlib
import json
import random

import faulty  # first: it knows where the others lie
import events
import feeds
import suite
import write_log
from kith.v1 import (block_pb2, campaign_pb2, feed_pb2, ingestion_pb2, loyalty_pb2, service_pb2,
                     wire_pb2)
from suite import Failure, require

CUSTOMERS = 120
BATCH = 15
POINTS = 5
JOURNALS = ("ingestion", "loyalty", "segmentation", "campaign")
KEY = bytes(range(32))
# Batches that a service is waited for to write something.
TRIES_MOST = 30
# Small checkpoints all the time.
TUNING = {"checkpoint_interval_ms": 100, "checkpoint_records": 60}
AGAIN = 4  # of those that were acknowledged



class Request:
    def __init__(self, method, body, key):
        self.method = method
        self.body = body.SerializeToString()
        self.key = key
        self.sent_at = None  # a place in the log
        self.reply = None


def configuration(services=suite.SERVICES):
    return suite.config(services=services, **TUNING)


# ---- a life


class Life:
    """Requests sent to a suite, with what was said to each, and all that came of them."""

    def __init__(self, kith):
        self.kith = kith
        self.requests = {service: [] for service in ("ingestion", "loyalty")}
        self.facts = {}
        self.results = None
        self.records = []
        self.begin = {}

    def ingest(self, number):
        made = [events.event(number * BATCH + i, f"c{(number * 7 + i * i) % CUSTOMERS}",
                             minor=3000 + (number * 1301 + i * 577) % 9000,
                             at_ms=events.BEGIN_MS + (number * BATCH + i) * 400000)
                for i in range(BATCH)]
        body = events.batch(made)
        self.requests["ingestion"].append(Request("ingestion.Ingest", body, f"i{number}"))

    def grant(self, number):
        """To one of the first batch's customers, whom loyalty knows by now."""
        posting = loyalty_pb2.Posting(kind=loyalty_pb2.POSTING_GRANT,
                                      customer=f"c{(number % BATCH) ** 2 % CUSTOMERS}", points=POINTS,
                                      reference=f"g{number}")
        body = loyalty_pb2.PostRequest(postings=[posting])
        self.requests["loyalty"].append(Request("loyalty.Post", body, f"g{number}"))

    def send(self, service, first, window=3):
        """Sends what has no reply yet, several at a time; takes the replies in their order."""
        wire, waiting = self.kith.wire(service), collections.deque()
        for request in self.requests[service][first:]:
            request.sent_at = self.kith.log.header.used
            waiting.append((wire.send(request.method, request.body, key=request.key), request))
            if len(waiting) == window:
                self._take(wire, waiting)
        while waiting:
            self._take(wire, waiting)

    def _take(self, wire, waiting):
        number, request = waiting.popleft()
        got = wire.receive()
        require(got is not None, f"{request.key}: no reply")
        require(got[0].request_id == number and got[0].code == 0, f"{request.key}: {got[0]}")
        request.reply = got[1]

    def part(self, batches, grants):
        """Some more of it."""
        begun = {service: len(requests) for service, requests in self.requests.items()}
        self.more(batches)
        if "loyalty" not in self.kith.services:
            return
        feeds.settle(self.kith)
        for _ in range(grants):
            self.grant(len(self.requests["loyalty"]))
        self.send("loyalty", begun["loyalty"], window=2)

    def more(self, batches):
        begun = len(self.requests["ingestion"])
        for _ in range(batches):
            self.ingest(len(self.requests["ingestion"]))
        self.send("ingestion", begun)

    def checkpoint(self):
        """Waits until each service that keeps a journal has one of what it holds by now."""
        for service in (one for one in self.kith.services if one in JOURNALS):
            seq = self.kith.ask_status(service).seq
            suite.wait_until(lambda one=service, seq=seq:
                             self.kith.ask_status(one).checkpoint_seq >= seq,
                             what=f"{service} has a checkpoint")

    def end(self):
        """What it all came to."""
        feeds.settle(self.kith)
        for service in self.kith.services:
            if service in JOURNALS:
                self.facts[service] = feeds.read(self.kith, service)
        self.results = results(self.kith, self.kith.data)
        self.records = list(self.kith.log.records())
        check_told_once(self)


def check_told_once(life):
    """The life itself went well: each event stands there once, each grant too."""
    accepted = feeds.of_type(life.facts["ingestion"], block_pb2.FACT_EVENT_ACCEPTED,
                             ingestion_pb2.EventAccepted)
    count = len(life.requests["ingestion"]) * BATCH
    require([one.id for one in accepted] == [f"e{i}" for i in range(count)],
            f"{len(accepted)} events in the feed, sent were {count}")
    if "loyalty" in life.facts:
        found = granted(life.facts["loyalty"])
        require(found == [request.key for request in life.requests["loyalty"]],
                f"these were granted: {found}")


def done(facts):
    """The keys of requests of which the facts say that they were done."""
    accepted = feeds.of_type(facts, block_pb2.FACT_EVENT_ACCEPTED, ingestion_pb2.EventAccepted)
    return {f"i{(int(one.id[1:]) - BATCH + 1) // BATCH}" for one in accepted
            if int(one.id[1:]) % BATCH == BATCH - 1} | set(granted(facts))


def granted(facts):
    posted = feeds.of_type(facts, block_pb2.FACT_POINTS_GRANTED, loyalty_pb2.PointsPosted)
    return [one.reference for one in posted]


def ask(kith, service, method, body, reply):
    return kith.wire(service).call(method, body, reply)


def results(kith, data):
    """What must come out the same, whatever happened on the way."""
    from kith.v1 import reporting_pb2
    found = {}
    if "loyalty" in kith.services:
        accounts, after = [], None
        while True:
            page = ask(kith, "loyalty", "loyalty.Accounts",
                       loyalty_pb2.AccountsRequest(limit=1000, after=after),
                       loyalty_pb2.AccountsReply)
            accounts += [(one.customer, one.own, one.balance, one.postings)
                         for one in page.accounts]
            after = page.next
            if not after:
                break
        found["accounts"] = accounts
        require(sum(one[2] for one in accounts) == 0, "the ledger does not add up to zero")
    if "campaign" in kith.services:
        lines = (data / "outbox" / "outbox-0.ndjson").read_text().splitlines()
        found["outbox"] = sorted(json.loads(line)["dispatch"] for line in lines)
        require(len(set(found["outbox"])) == len(lines), "a message stands in the file twice")
    if "reporting" in kith.services:
        totals = ask(kith, "reporting", "reporting.Totals", b"", reporting_pb2.TotalsReply)
        totals.ClearField("positions")
        found["totals"] = str(totals)
    return found


def die(life, draw, victim):
    """The victim dies between a write that would end a commit and its sync, and is started again:
    what recovery makes of it is in the log too."""
    kith = life.kith
    own = ("state",) if victim in ("ingestion", "reporting") else ("journal", "state")
    before = 0 if victim == "ingestion" else draw.randrange(3)
    kith.log.fault("kill", file=f"{victim}/0/{draw.choice(own)}.mdb", before=before)
    process = kith.direct[victim, 0]
    if victim == "ingestion":
        # It dies of its own checkpoint, and the reply may have left it or not.
        life.ingest(len(life.requests["ingestion"]))
        request = life.requests["ingestion"][-1]
        request.sent_at = kith.log.header.used
        kith.wire("ingestion").send(request.method, request.body, key=request.key)
    tries = 0
    while victim != "ingestion" and process.poll() is None and tries < TRIES_MOST:
        life.more(1)
        tries += 1
    if tries == TRIES_MOST:
        # It has nothing to write: campaign, when all who could enter a segment are in it.
        kith.log.fault("none")
        kith.kill(victim)
    else:
        kith.code_of(victim)
    kith.log.fault("none")
    kith.start(victim)
    kith.ask_status(victim)
    life.send("ingestion", sum(one.reply is not None for one in life.requests["ingestion"]))


def live(kith, draw, batches=24, grants=8, kills=True):
    """A life in parts; between them each service dies once."""
    life = Life(kith)
    kith.start_all()
    parts = list(kith.services) if kills else [None]
    draw.shuffle(parts)
    for victim in parts:
        life.part(batches // len(parts), grants // len(parts) + 1)
        if victim == parts[len(parts) // 2]:
            life.checkpoint()
            life.part(1, 1)
        if victim is not None:
            die(life, draw, victim)
    life.end()
    for service in kith.services:
        kith.kill(service)
    life.records = list(kith.log.records())
    return life


# ---- what was promised


class Promises:
    """How far each service had told others that it was, by the place in the log."""

    def __init__(self, life):
        self.seqs = {service: [] for service in JOURNALS}  # [(place, seq)]
        self.replies = {service: [] for service in life.requests}  # [(place, body)]
        for one in write_log.told(life.records):
            if len(one.frames) == 2 and one.service in self.seqs:
                self._note(one)

    def _note(self, one):
        header = wire_pb2.ReplyHeader.FromString(one.frames[0])
        if header.code != 0:
            return
        if one.kind == "cmd" and one.service in self.replies:
            self.replies[one.service].append((one.place, one.frames[1]))
        if one.kind == "feed":
            self.seqs[one.service].append((one.place, self._end(one.frames[1])))

    @staticmethod
    def _end(body):
        """A Fetch tells its end in field 2 as a number, a Wait in field 1 as a message."""
        with contextlib.suppress(Exception):
            reply = feed_pb2.FetchReply.FromString(body)
            if reply.HasField("end_block"):
                return reply.end
        with contextlib.suppress(Exception):
            return feed_pb2.WaitReply.FromString(body).end.seq
        return 0

    def seq(self, service, place):
        return max((seq for at, seq in self.seqs[service] if at < place), default=0)

    def acknowledged(self, life, service, place):
        """How many requests had their reply sent before, counted in their order."""
        told = {body for at, body in self.replies[service] if at < place}
        count = 0
        for request in life.requests[service]:
            if request.reply not in told:
                break
            count += 1
        return count

    def places(self):
        return sorted({place for told in (*self.seqs.values(), *self.replies.values())
                       for place, _ in told})


# ---- cuts


def cuts(draw, records, promises, count):
    """Indices of records, in order: half of them right behind a promise, some at the very
    beginning, the others anywhere."""
    index_of = {record.place: i for i, record in enumerate(records)}
    behind = [index_of[place] + 1 for place in promises.places()]
    chosen = []
    for i in range(count):
        if i % 20 == 0:
            chosen.append(draw.randrange(min(200, len(records))))
        elif i % 2 == 0 and behind:
            chosen.append(draw.choice(behind))
        else:
            chosen.append(draw.randrange(len(records)))
    return sorted(chosen)


class Image:
    """What is left at one cut, and the words that name it."""

    def __init__(self, disk, draw, number):
        self.place = disk.place()
        self.seed = draw.getrandbits(32)
        self.left, how = disk.image(random.Random(self.seed))
        self.words = f"image {number}, cut before record {disk.at}: {how}"

    def of(self, service):
        return {path: content for path, content in self.left.items()
                if path.startswith(f"{service}/") or path.startswith("outbox/")}


def images(life, draw, promises, count):
    disk = write_log.Disk(life.kith.log, life.begin)
    for number, index in enumerate(cuts(draw, disk.records, promises, count)):
        disk.go_to(index)
        yield Image(disk, draw, number)


# ---- judging one service


def judge(life, promises, image, service):
    """Starts the service on its part of the image. Returns {(feed): how far it has folded it},
    and its own end under its own name."""
    with faulty.Revived(life.kith, image.of(service), (service,)) as kith:
        known = known_facts(kith, service) if service == "campaign" else None
        kith.start(service)
        status = kith.status(service)
        found = {feed.feed: feed.applied for feed in status.feeds}
        if service in JOURNALS:
            facts = feeds.read(kith, service)
            check_facts(life, promises, image, service, facts[:known])
            found[service] = len(facts[:known])
        if service in life.requests:
            retry(life, promises, image, kith, service)
        if service == "campaign":
            check_outbox(kith, facts)
        kith.kill(service)
        if service in JOURNALS:
            code, answer = kith.verify("state", service)
            require(code == 0, f"verify-state: {answer}")
    return found


def check_outbox(kith, facts):
    """What is said to be sent is there, each once, and nothing but whole lines."""
    lines = (kith.data / "outbox" / "outbox-0.ndjson").read_text().splitlines()
    there = [json.loads(line)["dispatch"] for line in lines]
    require(len(set(there)) == len(there), "a message stands in the outbox twice")
    sent = {one.dispatch.hex() for one in feeds.of_type(facts, block_pb2.FACT_DISPATCH_SENT,
                                                        campaign_pb2.Dispatch)}
    require(sent <= set(there), f"{sent - set(there)} are said to be sent and are not in the outbox")


def known_facts(kith, service):
    """How many facts its journal has; when it is up it may settle what was open."""
    if not (kith.data / service / "0" / "journal.mdb").exists():
        return 0
    code, answer = kith.verify("journal", service)
    return json.loads(answer)["facts"] if code == 0 else 0


def check_facts(life, promises, image, service, facts):
    lived = life.facts[service]
    for one, other in zip(facts, lived):
        require(one == other, f"fact {one.seq} is another than it was: {one}, was {other}")
    require(len(facts) <= len(lived), f"{len(facts)} facts, it never had more than {len(lived)}")
    promised = promises.seq(service, image.place)
    require(len(facts) >= promised, f"{len(facts)} facts, {promised} were told to others")
    count = promises.acknowledged(life, service, image.place) if service in life.requests else 0
    missing = {request.key for request in life.requests.get(service, [])[:count]} - done(facts)
    require(not missing, f"{sorted(missing)} were acknowledged and are not there")


def send_again(life, kith, service, first, last):
    """The replies to these requests."""
    replies = []
    for request in life.requests[service][first:last]:
        replies.append(kith.wire(service).call(request.method, request.body, key=request.key))
    return replies


def retry(life, promises, image, kith, service):
    count = promises.acknowledged(life, service, image.place)
    first = max(0, count - AGAIN)
    again = send_again(life, kith, service, first, count)
    for request, reply in zip(life.requests[service][first:count], again):
        require(reply == request.reply, f"{request.key} was acknowledged, and has another reply")
    sent = sum(request.sent_at < image.place for request in life.requests[service])
    send_again(life, kith, service, count, sent)
    facts = feeds.read(kith, service)
    if service == "ingestion":
        require(len(facts) >= sent * BATCH, f"{len(facts)} facts of {sent * BATCH} events")
        require(facts == life.facts[service][:len(facts)], "facts differ after the retry")
    else:
        once = granted(facts)
        require(len(set(once)) == len(once), f"a grant was posted twice: {once}")
        wanted = {request.key for request in life.requests[service][:sent]}
        require(wanted <= set(once), f"{wanted - set(once)} were granted and are not there")


def judge_all(life, promises, image):
    """Each service alone, and then their positions together. Raises Failure with all there is to
    know."""
    found = {}
    for service in life.kith.services:
        try:
            found[service] = judge(life, promises, image, service)
        except (Failure, TimeoutError, OSError, ValueError) as problem:
            raise Failure(f"{image.words}: {service}: {problem}") from problem
        except Exception as problem:
            raise Failure(f"{image.words}: {service}: {problem!r}") from problem
    for service, positions in found.items():
        for feed, applied in positions.items():
            end = found[feed][feed]
            require(feed == service or applied <= end,
                    f"{image.words}: {service} has folded {feed} to {applied}, which ends at {end}")


# ---- judging the suite


def judge_suite(life, promises, image):
    """All services on one image: with everything sent again they come to the same."""
    services = life.kith.services
    with faulty.Revived(life.kith, image.left, services) as kith:
        for service in services:
            kith.start(service)
        try:
            for service in (one for one in life.requests if one in services):
                first = max(0, promises.acknowledged(life, service, image.place) - 1)
                send_again(life, kith, service, first, None)
                feeds.settle(kith)
            found = results(kith, kith.data)
        except Exception as problem:
            raise Failure(f"{image.words}: the suite: {problem!r}") from problem
        for name, value in life.results.items():
            require(found[name] == value, f"{image.words}: the suite: {name}: "
                                          f"{difference(value, found[name])}")


def difference(lived, found):
    """In few words."""
    if isinstance(lived, list):
        lived, found = ([one for one in lived if one not in found],
                        [one for one in found if one not in lived])
    return f"lived: {str(lived)[:400]}; found: {str(found)[:400]}"
