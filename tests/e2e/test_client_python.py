#!/usr/bin/python3
"""The Python client: what it promises, whoever answers; its examples, as a newcomer runs them."""
# ctest: TIMEOUT 300 LONG 900
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import suite
from suite import require

CLIENT = suite.TREE / "clients" / "python"
EXAMPLES = CLIENT / "examples"
sys.path.insert(0, str(CLIENT))

import feeds  # noqa: E402
import kith  # noqa: E402
import zmq  # noqa: E402
from kith.feed import Reader  # noqa: E402
from kith.v1 import campaign_pb2, feed_pb2, ingestion_pb2, loyalty_pb2, wire_pb2  # noqa: E402
from kith.wire import decode  # noqa: E402

AT_MS = 1_000_000_000_000
SEED = int(os.environ.get("KITH_TEST_SEED", "1"))
KILLS = 60 if suite.OPTIONS.long else 12
FLIPS = 20000 if suite.OPTIONS.long else 1500


def purchases(number, count=10, source="shop"):
    """Purchases of 1.00 by customers c0, c1, ..., other ones for each number."""
    return [kith.event(source=source, id=f"{number}.{i}", type="purchase", customer=f"c{i}",
                       occurred_at=AT_MS + number, amount=kith.Money(100, "USD"))
            for i in range(count)]


def refused(kind, action, *words):
    """What `action` raised, which must be of that kind and say the words."""
    try:
        done = action()
    except kind as problem:
        missing = [word for word in words if word not in str(problem)]
        require(not missing, f"{problem!r} does not say {missing}")
        require(problem.sentence and not problem.sentence.startswith("b'"), f"{problem!r}")
        return problem
    raise suite.Failure(f"{kind.__name__} was expected, not {done}")


# ---- a suite


def questions_and_commands_are_answered():
    with suite.Suite(suite.config()) as server:
        server.up()
        with kith.Client(server.data) as client:
            results = client.ingest(purchases(1))
            require([(one.outcome, one.seq) for one in results] ==
                    [(kith.Outcome.ACCEPTED, seq) for seq in range(1, 11)], f"{results}")
            broken = kith.event(source="shop", id="x", type="Pur chase", customer="c0",
                                occurred_at=AT_MS)
            results = client.ingest([*purchases(1, 2), b"\xff", broken])
            require([one.outcome.name for one in results] ==
                    ["DUPLICATE", "DUPLICATE", "INVALID", "INVALID"], f"{results}")
            require([one.seq for one in results] == [1, 2, None, None], f"{results}")
            require(results[3].violations[0].field == "type", f"{results[3]}")

            require(client.wait("loyalty", "ingestion", 10), "loyalty folds the batch")
            require(client.balance("c0").available == 1, f"{client.balance('c0')}")
            require(client.status("loyalty").name == "loyalty", "it says its name")
            require(not client.wait("loyalty", "ingestion", 1000, timeout=0.2), "there are no 1000")

            problem = refused(kith.Refused, lambda: client.balance("nobody"), "NOT_FOUND")
            require(problem.code == kith.Code.NOT_FOUND and problem.field is None, f"{problem!r}")
            problem = refused(kith.Refused, lambda: client.balance("\n"), "customer")
            require((problem.code, problem.field) == (kith.Code.INVALID_ARGUMENT, "customer"),
                    f"{problem!r}")


def a_command_is_done_once():
    with suite.Suite(suite.config()) as server:
        server.up()
        with kith.Client(server.data) as client:
            client.ingest(purchases(1))
            client.ingest(purchases(2))
            client.wait("loyalty", "ingestion", 20)
            attempt = kith.Attempt.new("order-17")
            first = client.spend("c0", 1, attempt=attempt)
            server.kill("loyalty")
            again = client.spend("c0", 1, attempt=attempt)
            require(again == first, f"{first} and then {again}")
            require(client.balance("c0").available == 1, "spent once")
            problem = refused(kith.Refused, lambda: client.spend("c0", 2, attempt=attempt))
            require(problem.code == kith.Code.ALREADY_EXISTS, f"{problem!r}")
            problem = refused(kith.Refused, lambda: client.spend("c0", 9))
            require(problem.code == kith.Code.FAILED_PRECONDITION, f"{problem!r}")
            old = attempt._replace(key="older", issued_at_ms=attempt.issued_at_ms - 8 * 86400000)
            problem = refused(kith.Refused, lambda: client.spend("c0", 1, attempt=old))
            require(problem.code == kith.Code.FAILED_PRECONDITION, f"{problem!r}")
            problem = refused(kith.Refused, lambda: client.ingest(purchases(4), run="r",
                                                                  run_batch=2))
            require(problem.code == kith.Code.ABORTED, f"{problem!r}")


def the_longest_batch_is_taken_and_a_longer_one_is_not_sent():
    with suite.Suite(suite.config(["ingestion"])) as server:
        server.up()
        with kith.Client(server.data) as client:
            most = purchases(1, 4096)
            require(len(client.ingest(most)) == 4096, "4,096 events are a batch")
            seq = client.status("ingestion").seq
            problem = refused(kith.TooLong, lambda: client.ingest(most + purchases(2, 1)), "4096")
            require(problem.field == "items", f"{problem!r}")
            wordy = [kith.event(source="shop", id=str(i), type="complaint", customer="c0",
                                occurred_at=AT_MS + 1, attributes={
                                    f"text_{j}": "x" * 1024 for j in range(14)})
                     for i in range(80)]
            require(refused(kith.TooLong, lambda: client.ingest(wordy)).field == "body", "1 MiB")
            attempt = kith.Attempt.new("k" * 5000)
            problem = refused(kith.TooLong, lambda: client.ingest(purchases(3), attempt=attempt))
            require(problem.field == "header", f"{problem!r}")
            require(client.status("ingestion").seq == seq, "none of them arrived")

            cut = list(kith.batches(most + wordy))
            require(len(cut) == 3 and sum(cut, []) == most + wordy, f"{len(cut)} batches")
            for batch in cut:
                require(len(client.ingest(batch)) == len(batch), "each of them is taken")


# ---- feeds


def a_feed_is_read_whole_and_goes_on_anywhere():
    with suite.Suite(suite.config()) as server:
        server.up()
        with kith.Client(server.data) as client:
            for number in range(1, 9):
                client.ingest(purchases(number))
                client.wait("loyalty", "ingestion", 10 * number)
            true = feeds.read(server, "loyalty")
            facts = list(client.subscribe("loyalty", follow=False))
            require([(one.seq, one.customer or "", one.body.SerializeToString()) for one in facts]
                    == [(one.seq, one.subject, one.body) for one in true], "all facts as they are")
            require({one.name for one in facts} == {"points.earned", "rules.changed"}, "names")
            for fact in facts:
                rest = client.subscribe("loyalty", after=(fact.epoch, fact.seq), follow=False)
                require(list(rest) == facts[fact.seq:], f"goes on after {fact.seq}")
            blocks = list(client.blocks("loyalty", follow=False))
            require(len(blocks) > 2, "there are several blocks")
            for at, block in enumerate(blocks):
                rest = list(client.blocks("loyalty", after=block.cursor, follow=False))
                require(rest == blocks[at + 1:], f"goes on after {block.cursor}")
            few = list(client.blocks("loyalty", types=["rules.changed"], follow=False))
            require([block.cursor for block in few] == [block.cursor for block in blocks] and
                    [len(block.facts) for block in few] == [1] + [0] * (len(few) - 1),
                    "a filter leaves facts out, and no position")
            stopped_where_it_differs(client, blocks[1].cursor)
            follows_what_comes(client, facts)


def stopped_where_it_differs(client, cursor):
    wrong = {
        "epoch": cursor._replace(epoch=cursor.epoch ^ 1),
        "chain": cursor._replace(chain=bytes(32)),
        "block": cursor._replace(block=cursor.block + 1),
        "seq": cursor._replace(seq=cursor.seq - 1),
        "ends": kith.Cursor(cursor.epoch, 1000),
    }
    for what, after in wrong.items():
        problem = refused(kith.FeedStopped,
                          lambda: list(client.subscribe("loyalty", after=after, follow=False)))
        require(problem.code in (kith.Code.DATA_LOSS, kith.Code.OUT_OF_RANGE), f"{what}: {problem}")


def follows_what_comes(client, facts):
    """Waits where there is nothing yet, shows who reads, and goes on after a kill."""
    following = client.subscribe("loyalty", after=(facts[-1].epoch, facts[-1].seq), consumer="me",
                                 patience=60)
    client.ingest(purchases(100))
    seen = [next(following).seq for _ in range(10)]
    require(seen == list(range(facts[-1].seq + 1, facts[-1].seq + 11)), f"{seen}")
    consumers = [one.consumer for one in client.status("loyalty").consumers]
    require("me" in consumers, f"{consumers}")
    following.close()


def a_reply_with_a_flipped_bit_gives_no_other_fact():
    print(f"seed {SEED}", flush=True)
    draw = random.Random(SEED)
    with suite.Suite(suite.config()) as server:
        server.up()
        with kith.Client(server.data) as client:
            for number in range(1, 4):
                client.ingest(purchases(number))
                client.wait("loyalty", "ingestion", 10 * number)
        request = Reader("loyalty").request(0)
        reply = server.wire("loyalty", 0, "feed").call("feed.Fetch", request)
    true = facts_of(reply)
    require(len(true) == 31, f"{len(true)} facts")
    stopped = 0
    for _ in range(FLIPS):
        flipped = bytearray(reply)
        flipped[draw.randrange(len(reply))] ^= 1 << draw.randrange(8)
        try:
            facts = facts_of(bytes(flipped))
        except kith.Error:
            stopped += 1
            continue
        # An epoch is taken as it comes the first time; what the chain alone tells, the next
        # Fetch finds out.
        facts = [fact._replace(epoch=true[0].epoch) for fact in facts]
        require(facts == true[:len(facts)], "a flipped bit made another fact")
    require(stopped > FLIPS / 2, f"only {stopped} of {FLIPS} were noticed at once")


def facts_of(reply):
    blocks = Reader("loyalty").take(decode(feed_pb2.FetchReply, reply))
    return [fact for block in blocks for fact in block.facts]


# ---- a service that is none


@contextmanager
def fake(answer):
    """A ROUTER that answers with answer(RequestHeader, body): frames, None for nothing. Gives its
    endpoint and the requests that came."""
    folder = tempfile.mkdtemp(prefix="k", dir="/tmp")
    came, is_over = [], threading.Event()
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    router.bind(f"ipc://{folder}/s")

    def run():
        while not is_over.is_set():
            if not router.poll(20):
                continue
            peer, first, body = router.recv_multipart()
            header = wire_pb2.RequestHeader.FromString(first)
            came.append((header, body))
            frames = answer(header, body)
            if frames is not None:
                router.send_multipart([peer, *frames])

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"ipc://{folder}/s", came
    finally:
        is_over.set()
        thread.join()
        router.close()
        context.term()
        shutil.rmtree(folder)


def replied(header, body=b"", **more):
    if not isinstance(body, bytes):
        body = body.SerializeToString()
    reply = wire_pb2.ReplyHeader(**{"request_id": header.request_id, "code": 0, **more})
    return [reply.SerializeToString(), body]


def a_retry_is_the_same_to_the_byte():
    def third_time(header, body):
        if len(came) < 3:
            return None if len(came) == 1 else replied(header, code=8, retry_after_ms=30)
        return replied(header, loyalty_pb2.PostReply(posting=7, balance=1))

    with fake(third_time) as (endpoint, came), kith.Client(endpoint) as client:
        require(client.spend("c0", 1).posting == 7, "the third is answered")
        sent = {(header.key, header.issued_at_ms, header.method, body) for header, body in came}
        require(len(came) == 3 and len(sent) == 1, f"{came}")
        require(len({header.request_id for header, _ in came}) == 3, "each has its own number")

    with fake(lambda header, body: None) as (endpoint, came), kith.Client(endpoint) as client:
        begin = time.monotonic()
        attempt = kith.Attempt.new()
        problem = refused(kith.OutcomeUnknown,
                          lambda: client.spend("c0", 1, attempt=attempt, timeout=0.5))
        require(problem.attempt == attempt and time.monotonic() - begin < 5, f"{problem!r}")

    with fake(lambda header, body: replied(header, code=8, retry_after_ms=4000000000)) as (
            endpoint, came), kith.Client(endpoint, timeout=1) as client:
        begin = time.monotonic()
        problem = refused(kith.Refused, lambda: client.spend("c0", 1))
        require(problem.code == kith.Code.RESOURCE_EXHAUSTED and len(came) == 1, f"{problem!r}")
        require(time.monotonic() - begin < 1, "nobody waits for 46 days")


STRANGE_OUTCOME = ingestion_pb2.IngestReply.FromString(b"\x0a\x06\x08\x01\x10\x07\x18\x01")
RESULTS_MANY = ingestion_pb2.IngestReply(results=[{"count": 4294967295, "outcome": 0}])
LATIN_1 = b"\x0a\x02\xff\xfe"
# What a peer may answer to whatever it is asked; none of it may be believed.
HOSTILE = {
    "nothing": lambda header: [b"", b""],
    "one frame": lambda header: replied(header)[:1],
    "three frames": lambda header: replied(header) + [b""],
    "a thousand frames": lambda header: replied(header) + [b"x"] * 1000,
    "a header that is none": lambda header: [b"\xff\xff\xff", b""],
    "a header with text that is none": lambda header: [
        replied(header, code=5)[0] + b"\x1a\x02\xff\xfe", b""],
    "no code": lambda header: [b"\x08" + bytes([header.request_id]), b""],
    "a code of the future": lambda header: replied(header, code=77, message="later"),
    "another's number": lambda header: replied(header, request_id=header.request_id + 1),
    "a body that is none": lambda header: replied(header, b"\xff" * 100),
    "a body that ends a group": lambda header: replied(header, b"\x0c"),
    "a body that is empty": lambda header: replied(header),
    "a body with text that is none": lambda header: replied(header, LATIN_1),
    "a body over the bound": lambda header: replied(header, bytes(3 << 20)),
    "an outcome of the future": lambda header: replied(header, STRANGE_OUTCOME),
    "four thousand million results": lambda header: replied(header, RESULTS_MANY),
    "a refusal without a word": lambda header: replied(header, code=9),
    "a violation without a word": lambda header: replied(header, code=3, violations=[{}]),
    "the wrong epoch": lambda header: replied(header, feed_pb2.FetchReply(
        epoch=2, end=9, end_block=9, chain_before=bytes(32))),
    "a short chain": lambda header: replied(header, feed_pb2.FetchReply(
        epoch=1, end=9, end_block=9, chain_before=b"x")),
    "more and none of it": lambda header: replied(header, feed_pb2.FetchReply(
        epoch=1, end=9, end_block=9, chain_before=bytes(32))),
    "a block that is none": lambda header: replied(header, feed_pb2.FetchReply(
        epoch=1, end=9, end_block=9, chain_before=bytes(32), blocks=[{"header": b"\xff"}])),
    "a block without anything": lambda header: replied(header, feed_pb2.FetchReply(
        epoch=1, end=9, end_block=9, chain_before=bytes(32), blocks=[{}])),
}
CALLS = {
    "balance": lambda client: client.balance("c0"),
    "spend": lambda client: client.spend("c0", 1),
    "ingest": lambda client: client.ingest(purchases(1, 1)),
    "trigger": lambda client: client.trigger("hello", "c0"),
    "wait": lambda client: client.wait("loyalty", "ingestion", 1),
    "read": lambda client: list(client.subscribe("loyalty", follow=False, patience=0.4)),
    "go on": lambda client: list(client.subscribe("loyalty", after=(1, 5), follow=False,
                                                  patience=0.4)),
}


def whatever_a_peer_answers_is_a_clean_exception():
    kith.client.PARKED_LATE_S = 0.4
    for what, hostile in HOSTILE.items():
        with fake(lambda header, body: hostile(header)) as (endpoint, _):
            for name, call in CALLS.items():
                with kith.Client(endpoint, timeout=0.4) as client:
                    begin = time.monotonic()
                    problem = refused(kith.Error, lambda: call(client))
                    require(time.monotonic() - begin < 20, f"{name}, {what}: {problem!r} so late")


def a_suite_that_is_not_there_is_said():
    refused(kith.Error, lambda: kith.Client("/nonexistent"), "/nonexistent", "data folder")
    with kith.Client("ipc:///tmp/" + "k" * 200, timeout=1) as client:
        refused(kith.NoAnswer, lambda: client.balance("c0"), "too long")
    try:
        Reader("loyalty", types=["points"])
    except ValueError as problem:
        require("points.earned" in str(problem), f"{problem} does not say what there is")
    else:
        raise suite.Failure("a filter for facts that do not exist")


# ---- the examples


def example(name, folder, *words, **more):
    """The Popen of an example, as a newcomer starts it."""
    environment = {**os.environ, "KITH_SUITE": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
                   "PYTHONPATH": f"{CLIENT}:{suite.OPTIONS.build.resolve() / 'python'}"}
    return subprocess.Popen([sys.executable, str(EXAMPLES / name), *map(str, words)],
                            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, **more)


def said(process, code=0):
    out, errors = process.communicate(timeout=suite.ANSWER_S)
    require(process.returncode == code, f"exit {process.returncode}: {out}{errors}")
    return out + errors


def the_examples_do_what_they_say():
    with suite.Suite(suite.config()) as server:
        server.up()
        lines = said(example("send_events.py", server.data)).splitlines()
        require(lines == ["4711 accepted 1", "4712 accepted 2"], f"{lines}")
        feeds.settle(server)
        require("12 points" in said(example("balance.py", server.data, "S0118")), "12 points")
        require("no such customer" in said(example("balance.py", server.data, "S9"), 1), "nobody")
        reader = example("subscribe.py", server.data)
        words = reader.stdout.readline().split()
        require(words[1:] == ["2", "points.earned", "S0118", "12"], f"{words}")
        reader.send_signal(signal.SIGINT)
        reader.communicate(timeout=suite.ANSWER_S)


def a_triggered_message_is_waited_for():
    """Against a campaign service that is none: pending at first, also when it is asked for the
    first time what became of it, then suppressed."""
    def campaign(header, body):
        pending = campaign_pb2.DispatchReply(dispatch=bytes(16), state=0)
        if header.method == "campaign.Trigger":
            asked = campaign_pb2.TriggerRequest.FromString(body)
            return replied(header, pending, code=0 if asked.campaign == "hello" else 5)
        require(not header.key and 5000 < header.timeout_ms <= 30000, "a question that is parked")
        if [one.method for one, _ in came].count("campaign.Dispatch") == 1:
            return replied(header, pending)
        return replied(header, campaign_pb2.DispatchReply(
            dispatch=bytes(16), state=campaign_pb2.DISPATCH_IS_SUPPRESSED, detail="1 in 7 days",
            reason=campaign_pb2.SUPPRESSED_CAP_REACHED))

    with fake(campaign) as (endpoint, came):
        run = Path(endpoint[len("ipc://"):]).parent / "run"
        run.mkdir()
        os.link(endpoint[len("ipc://"):], run / "campaign-0.cmd")
        line = said(example("trigger.py", run.parent, "hello", "c0", "mine"))
        require(line == "suppressed cap_reached 1 in 7 days\n", f"{line}")
        require(came[0][0].key == "mine", f"{came}")
        with kith.Client(run.parent) as client:
            require(client.trigger("hello", "c0", wait=False).state == "pending", "not waited for")
            refused(kith.Refused, lambda: client.trigger("bye", "c0"), "NOT_FOUND")


def who_waits_for_longer_than_a_wait_is_kept_asks_again():
    def loyalty(header, body):
        require(feed_pb2.WaitRequest.FromString(body).timeout_ms == 30000, "as long as it is kept")
        reply = feed_pb2.WaitReply(reached=len(came) > 1)
        reply.end.seq = 1
        return replied(header, reply)

    with fake(loyalty) as (endpoint, came):
        run = Path(endpoint[len("ipc://"):]).parent / "run"
        run.mkdir()
        os.link(endpoint[len("ipc://"):], run / "loyalty-0.feed")
        with kith.Client(run.parent) as client:
            require(client.wait("loyalty", "ingestion", 1, timeout=60.0), "it is asked again")


def the_installed_package_is_whole():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["cmake", f"-DCMAKE_INSTALL_PREFIX={folder}", "-P",
                        suite.OPTIONS.build.resolve() / "clients/python/cmake_install.cmake"],
                       check=True, stdout=subprocess.DEVNULL)
        packages = f"{folder}/lib/python3/dist-packages"
        environment = {**os.environ, "PYTHONPATH": packages}
        words = "import kith, kith.v1.loyalty_pb2 as found; print(found.__file__)"
        out = subprocess.run([sys.executable, "-c", words], env=environment, cwd=folder, text=True,
                             capture_output=True, check=True).stdout
        require(out.startswith(packages), out)


# ---- the subscriber


def pour(client, is_over):
    """Events while the subscriber dies and lives, points spent in between. Returns how many."""
    number = 0
    while not is_over.is_set():
        number += 1
        client.ingest(purchases(number))
        if number % 7 == 0:
            try:
                client.spend(f"c{number % 10}", 1)
            except kith.Refused:
                pass  # loyalty has not come so far
        is_over.wait(0.01)
    return number


def a_subscriber_that_is_killed_keeps_each_posting_once():
    print(f"seed {SEED}", flush=True)
    draw = random.Random(SEED)
    with suite.Suite(suite.config()) as server:
        server.up()
        file = server.folder / "postings.sqlite"
        is_over, poured = threading.Event(), []
        sender = threading.Thread(target=lambda: poured.append(pour_all(server, is_over)))
        sender.start()
        try:
            stages = kill_again_and_again(server, file, draw)
        finally:
            is_over.set()
            sender.join()
        require(poured and poured[0] is not None, "the sender failed")
        ends = feeds.settle(server)
        catch_up(server, file, ends["loyalty", 0])
        compare(file, feeds.read(server, "loyalty"))
        require(len(stages) > KILLS / 3, f"the kills found it at {sorted(stages)} only")


def pour_all(server, is_over):
    with kith.Client(server.data) as client:
        return pour(client, is_over)


def kill_again_and_again(server, file, draw):
    """Each time as soon as it came a bit further, now and then with the service. Returns the
    positions at which it was found dead."""
    stages = set()
    for i in range(KILLS):
        process = example("subscriber_sqlite.py", server.data, file)
        goal = position(file) + draw.randrange(1, 60)
        if i % 5 == 4:
            server.kill("loyalty")
        suite.wait_until(lambda: position(file) >= goal or process.poll() is not None,
                         what=f"the subscriber comes to {goal}", poll_s=0.002)
        require(process.poll() is None, f"it ended by itself: {process.poll()}")
        process.kill()
        process.communicate()
        stages.add(position(file))
    return stages


def catch_up(server, file, end):
    process = example("subscriber_sqlite.py", server.data, file)
    suite.wait_until(lambda: position(file) >= end or process.poll() is not None,
                     what=f"the subscriber comes to {end}")
    process.kill()
    process.communicate()
    require(position(file) == end, f"it stands at {position(file)} of {end}")


def rows(file, question):
    database = sqlite3.connect(file, timeout=suite.ANSWER_S)
    try:
        return database.execute(question).fetchall()
    finally:
        database.close()


def position(file):
    try:
        found = rows(file, "select seq from position")
    except sqlite3.OperationalError:  # not made yet
        return 0
    return found[0][0] if found else 0


def compare(file, true):
    kinds = {16: "points.earned", 17: "points.spent", 18: "points.reversed", 19: "points.granted"}
    wanted, balances, last = [], {}, {}
    for fact in true:
        if fact.type in kinds:
            body = loyalty_pb2.PointsPosted.FromString(fact.body)
            require(body.number == last.get(fact.subject, 0) + 1, f"the feed itself at {fact.seq}")
            last[fact.subject] = body.number
            wanted.append((fact.seq, fact.subject, body.number, kinds[fact.type], body.points))
            balances[fact.subject] = body.balance_after
    # In the order in which they were written, which is the feed's.
    kept = rows(file, "select seq, customer, number, name, points from posting order by rowid")
    require(len(wanted) > 100 and kept == wanted, f"{len(kept)} postings of {len(wanted)}")
    require(dict(rows(file, "select customer, points from balance")) == balances, "balances")


suite.main(
    questions_and_commands_are_answered,
    a_command_is_done_once,
    the_longest_batch_is_taken_and_a_longer_one_is_not_sent,
    a_feed_is_read_whole_and_goes_on_anywhere,
    a_reply_with_a_flipped_bit_gives_no_other_fact,
    a_retry_is_the_same_to_the_byte,
    whatever_a_peer_answers_is_a_clean_exception,
    a_suite_that_is_not_there_is_said,
    the_examples_do_what_they_say,
    a_triggered_message_is_waited_for,
    who_waits_for_longer_than_a_wait_is_kept_asks_again,
    the_installed_package_is_whole,
    a_subscriber_that_is_killed_keeps_each_posting_once,
)
