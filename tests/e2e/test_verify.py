#!/usr/bin/python3
"""State is what its journal says, rot is found and never served, and a producer that was put back
from an older copy stops its consumers with an alarm until somebody leads them out."""
import random
import shutil
import subprocess
import threading
import urllib.error
import urllib.request

import events
import feeds
import lmdb_pages
import suite
from kith.v1 import block_pb2, loyalty_pb2
from suite import require
from wire import Refused, Wire

KEY = bytes(range(32))
SEED = random.SystemRandom().randrange(10**6)
CONSUMERS = ("loyalty", "segmentation", "reporting")
JOURNALS = ("ingestion", "loyalty", "segmentation", "campaign")
DATA_LOSS = 15
EXIT_ROT = 70
CUSTOMERS = [f"c{i:03d}" for i in range(100)]
FLIPS = 4


def made(first, last):
    """Events that earn, and bring members: each customer spends some 20 dollars a day."""
    return [events.event(i, CUSTOMERS[i % 100], 1000 + 7 * i % 2500, events.BEGIN_MS + i * 600000)
            for i in range(first, last)]


def points_of(*parts):
    points = dict.fromkeys(CUSTOMERS, 0)
    for part in parts:
        for event in part:
            points[event.customer] += event.amount.minor // 100
    return points


def load(kith, part, key):
    counts = events.send(kith.wire("ingestion"), part, size=50, key=key)
    require(counts == {"accepted": len(part)}, f"{key}: {counts}")
    return feeds.settle(kith)


def file_of(kith, service, name):
    return kith.data / service / "0" / f"{name}.mdb"


# ---- digests


def tables_of(verified):
    """{table: (records, digest)} of a service's own tables. The shell's own also say how the feeds
    were read, which goes on."""
    return {one["table"]: (one["records"], one["digest"]) for one in verified["tables"]
            if not one["table"].startswith("shell_")}


def states_are_what_their_journals_say():
    """Beside the running services while they take more in, when all is quiet, and stopped."""
    text = suite.config(checkpoint_interval_ms=100, checkpoint_records=500)
    with suite.Suite(text, key=KEY) as kith:
        kith.up()
        part = made(0, 12000)
        wire = Wire(f"ipc://{kith.data}/run/ingestion-0.cmd")
        loader = threading.Thread(target=events.send, args=(wire, part, 20, 8))
        loader.start()
        rounds = 0
        while loader.is_alive():
            kith.verify_state()
            rounds += 1
        loader.join()
        wire.close()
        print(f"  {rounds} times while loading", flush=True)
        feeds.settle(kith)
        for customer in CUSTOMERS[:20]:
            kith.wire("loyalty").call("loyalty.Spend", loyalty_pb2.SpendRequest(
                customer=customer, points=3), loyalty_pb2.PostReply, key=f"spend-{customer}")
        ends = feeds.settle(kith)
        for service in JOURNALS:
            suite.wait_until(lambda: kith.ask_status(service).checkpoint_seq == ends[service, 0],
                             what=f"{service}'s checkpoint is at {ends[service, 0]}")
        suite.wait_until(lambda: records_of(kith, "reporting") > 0,
                         what="reporting has a checkpoint")

        live = {service: tables_of(one) for service, one in kith.verify_state().items()}
        for service in suite.SERVICES:
            kith.cli("stop", service, as_json=False)
            stopped = kith.cli("verify", "state", service)
            kith.cli("start", service, as_json=False)
            require(stopped["ok"], f"{service}, stopped: {stopped}")
            require(tables_of(stopped) == live[service] or service == "reporting",
                    f"{service}: live {live[service]}, stopped {tables_of(stopped)}")
        for service in JOURNALS:
            verified = kith.cli("verify", "journal", service)
            require(verified["ok"] and verified["facts"] == ends[service, 0],
                    f"{service}: {verified}, its end is {ends[service, 0]}")


def records_of(kith, service):
    return sum(records for records, _digest in
               tables_of(kith.cli("verify", "state", service)).values())


# ---- rot


class Flipped:
    """A bit of a stopped service's file, turned over for a while."""

    def __init__(self, draw, path, record, in_key=False):
        at, size = ((record.key_at, len(record.key)) if in_key else
                    (record.value_at, len(record.value)))
        self.path, self.offset, self.bit = path, at + draw.randrange(size), draw.randrange(8)
        self.name = f"{path.parent.parent.name}/{path.name}, byte {self.offset}, bit {self.bit}"

    def __enter__(self):
        lmdb_pages.flip(self.path, self.offset, self.bit)
        return self

    def __exit__(self, *_):
        lmdb_pages.flip(self.path, self.offset, self.bit)


def block_of(record):
    """How a journal's record is named: its key is first seq and number of the block."""
    seq, number = (int.from_bytes(record.key[at:at + 8], "big") for at in (0, 8))
    return f"block {number} at seq {seq}"


def loaded_and_down(kith):
    """A suite with some thousand facts in each service, and a tail that no checkpoint has."""
    kith.up()
    load(kith, made(0, 4000), "load")
    kith.down()


def serve_and_fail(kith, service, words):
    """The service must not come up, and say why."""
    command = [str(suite.BIN / f"kith-{service}"), "serve", "--config", str(kith.config),
               "--data", str(kith.data)]
    done = subprocess.run(command, env=kith.environment, capture_output=True, text=True,
                          timeout=60, check=False)
    require(done.returncode not in (0, -6, -11), f"{service}: exit {done.returncode}")
    require(words in done.stderr, f"{service} ends without naming '{words}': {done.stderr}")


def rot_in_a_journal_is_found_and_not_served():
    print(f"  seed {SEED}", flush=True)
    draw = random.Random(SEED)
    with suite.Suite(suite.config(), key=KEY) as kith:
        loaded_and_down(kith)
        for service in JOURNALS:
            path = file_of(kith, service, "journal")
            blocks = [one for one in lmdb_pages.Pages(path).records() if one.table == "blocks"]
            for record in draw.sample(blocks, FLIPS):
                with Flipped(draw, path, record) as flipped:
                    verify_fails(kith, "journal", service, flipped, block_of(record))
            # A block that says it is another: whatever is missing then is named.
            with Flipped(draw, path, draw.choice(blocks), in_key=True) as flipped:
                verify_fails(kith, "journal", service, flipped, "block ")
            # The newest block is read at each start.
            with Flipped(draw, path, blocks[-1]):
                serve_and_fail(kith, service, block_of(blocks[-1]))
            # An old one is not, but nobody gets it.
            with Flipped(draw, path, blocks[len(blocks) // 3]):
                rotten_feed_is_refused(kith, service, block_of(blocks[len(blocks) // 3]))
            require(kith.cli("verify", "journal", service)["ok"], f"{service} is whole again")


def verify_fails(kith, what, service, flipped, words):
    done = kith.cli("verify", what, service, check=False)
    require(done.returncode == 1, f"{flipped.name}: exit {done.returncode}: {done.stdout}")
    require(words in done.stdout + done.stderr,
            f"{flipped.name}: '{words}' is not named: {done.stdout}{done.stderr}")


def rotten_feed_is_refused(kith, service, words):
    kith.start(service)
    try:
        facts = feeds.read(kith, service)
        raise suite.Failure(f"{service}: {len(facts)} facts were read over a rotten block")
    except Refused as refused:
        require(refused.code == DATA_LOSS and words in refused.reply.message,
                f"{service}: '{words}' is not named: {refused}")
    kith.stop(service)


def a_rotten_reply_is_not_made_up():
    """The stored reply to a key lies in a block that has rotted: whoever retries gets no other
    answer, and it is said where the rot is."""
    print(f"  seed {SEED}", flush=True)
    draw = random.Random(SEED)
    with suite.Suite(suite.config(services=("ingestion",)), key=KEY) as kith:
        kith.start("ingestion")
        for i in range(40):
            events.one(kith.wire("ingestion"), events.event(i, "anna"), key=f"k{i}")
        kith.stop("ingestion")
        path = file_of(kith, "ingestion", "journal")
        blocks = [one for one in lmdb_pages.Pages(path).records() if one.table == "blocks"]
        rotten = blocks[10]
        with Flipped(draw, path, rotten):
            kith.start("ingestion")
            refusal = rotten_retry(kith, int.from_bytes(rotten.key[:8], "big") - 1)
            if refusal is not None:
                require(refusal.code == DATA_LOSS and block_of(rotten) in refusal.message,
                        f"{block_of(rotten)} is not named: {refusal}")
                kith.stop("ingestion")
                return
            code = kith.direct.pop(("ingestion", 0)).wait(timeout=60)
            said = (kith.folder / "ingestion-0.log").read_text()
            require(code > 0 and block_of(rotten) in said,
                    f"it ends with {code} and does not name {block_of(rotten)}: {said[-800:]}")


def rotten_retry(kith, i):
    """The refusal; None if the service ended instead."""
    kith.wire("ingestion").send("ingestion.Ingest", events.batch([events.event(i, "anna")]),
                                key=f"k{i}")
    reply = reply_or_end(kith, "ingestion")
    require(reply is None or reply[0].code != 0, f"key k{i} was answered from a rotten block")
    return reply[0] if reply else None


def reply_or_end(kith, service):
    """The service's next reply; None when it has ended without."""
    wire, process = kith.wire(service), kith.direct[service, 0]
    replies = []

    def is_over():
        replies.append(wire.receive(0))
        return replies[-1] is not None or process.poll() is not None

    suite.wait_until(is_over, what=f"{service} answers or ends")
    return replies[-1]


def rot_in_a_state_is_found_and_not_served():
    print(f"  seed {SEED}", flush=True)
    draw = random.Random(SEED)
    with suite.Suite(suite.config(), key=KEY) as kith:
        loaded_and_down(kith)
        names = {}
        for service in suite.SERVICES:
            path = file_of(kith, service, "state")
            records = [one for one in lmdb_pages.Pages(path).records() if one.table == "data"]
            for record in draw.sample(records, FLIPS):
                with Flipped(draw, path, record) as flipped:
                    verify_fails(kith, "state", service, flipped,
                                 f"key {lmdb_pages.key_told(record.key)}: wrong checksum")
            with Flipped(draw, path, draw.choice(records), in_key=True) as flipped:
                verify_fails(kith, "state", service, flipped, "table")
            names[service] = records
        for service in JOURNALS:
            require(kith.cli("verify", "state", service)["ok"], f"{service} is whole again")
        rotten_account_is_not_told(kith, draw, names["loyalty"])
        rotten_heading_is_refused(kith, draw)


def rotten_account_is_not_told(kith, draw, records):
    """The balance that is asked for lies in a rotten record: the service ends and names it."""
    customer = draw.choice(CUSTOMERS)
    own = feeds.customer_id(KEY, customer)
    mine = [one for one in records if len(one.key) == 21 and one.key[5:] == own]
    require(len(mine) == 1, f"{customer} has {len(mine)} records with the key of an account")
    for flip in range(FLIPS):
        with Flipped(draw, file_of(kith, "loyalty", "state"), mine[0]) as flipped:
            kith.start("loyalty")
            kith.wire("loyalty").send("loyalty.Balance",
                                      loyalty_pb2.BalanceRequest(customer=customer))
            told = reply_or_end(kith, "loyalty")
            require(told is None, f"{flipped.name}: the balance is said to be {told}")
            code = kith.direct.pop(("loyalty", 0)).wait(timeout=suite.ANSWER_S)
            said = (kith.folder / "loyalty-0.log").read_text()
            words = f"table account, key {mine[0].key[1:].hex()}: wrong checksum"
            require(code == EXIT_ROT and words in said.splitlines()[-1],
                    f"{flipped.name}, flip {flip}: exit {code}: {said[-600:]}")


def rotten_heading_is_refused(kith, draw):
    """What the file says of itself: whose it is, and where it stands."""
    for service in suite.SERVICES:
        path = file_of(kith, service, "state")
        for record in lmdb_pages.Pages(path).records():
            if record.table == "meta":
                with Flipped(draw, path, record):
                    serve_and_fail(kith, service, str(path))


# ---- an older copy


def put_back(kith):
    """Ingestion's folder comes back from a copy that is 2,000 events old. Returns its end."""
    kith.up()
    load(kith, made(0, 2000), "first")
    kith.cli("stop", "ingestion", as_json=False)
    shutil.copytree(kith.data / "ingestion", kith.folder / "copy")
    kith.cli("start", "ingestion", as_json=False)
    load(kith, made(2000, 4000), "second")
    kith.cli("stop", "ingestion", as_json=False)
    shutil.rmtree(kith.data / "ingestion")
    shutil.copytree(kith.folder / "copy", kith.data / "ingestion")
    kith.cli("start", "ingestion", as_json=False)
    return kith.ask_status("ingestion").seq


def readiness(kith, service):
    """(HTTP code, text) of readyz."""
    url = f"http://127.0.0.1:{kith.ask_status(service).admin_port}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=10) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def all_are_ready(kith):
    suite.wait_until(lambda: all(one["ready"] for one in kith.status().values()),
                     what="all services are ready again")
    for service in suite.SERVICES:
        require(readiness(kith, service)[0] == 200, f"readyz of {service}")


def alarms_are_up(kith):
    for service in CONSUMERS:
        suite.wait_until(lambda: readiness(kith, service)[0] == 503,
                         what=f"{service} stops the feed and readyz says so")
        said = readiness(kith, service)[1]
        require("feed ingestion/0" in said and "DATA_LOSS" in said, f"readyz of {service}: {said}")
        shown = kith.status()[service, 0]
        require(not shown["ready"] and "DATA_LOSS" in shown["not_ready"],
                f"kith status of {service}: {shown}")
    require(readiness(kith, "ingestion")[0] == 200, "ingestion itself is well")


def questions_are_answered(kith, points):
    """As of what was folded before; and nobody claims that it is all there is."""
    require(feeds.balances(kith.wire("loyalty"), CUSTOMERS) == points, "balances stand")
    require(kith.cli("report", "totals", "--stale")["events"] == 4000, "totals stand")
    require(kith.cli("loyalty", "balance", "c001", "--stale")["available"] == points["c001"],
            "kith loyalty balance")
    require(kith.cli("segment", "count", "spend_200_in_90d", "--stale")["count"] == 100,
            "kith segment count")
    # Acknowledged, but behind the feed that stands still.
    events.one(kith.wire("ingestion"), events.event(9999, "c001", 100000), key="unseen")
    for question in (["report", "totals"], ["loyalty", "balance", "c001"],
                     ["segment", "count", "spend_200_in_90d"]):
        done = kith.cli(*question, "--wait", "1s", check=False)
        require(done.returncode == 3, f"{question} without --stale claims to hold what was "
                                      f"acknowledged: exit {done.returncode} {done.stdout}")
        require("ingestion" in done.stderr, f"{question} says: {done.stderr}")


def campaign_goes_on(kith):
    """Segmentation's feed has begun anew, and campaign, which would write to all again, does not:
    it goes on behind what it has heard of already."""
    suite.wait_until(lambda: readiness(kith, "campaign")[0] == 503,
                     what="campaign stops the feed and readyz says so")
    said = readiness(kith, "campaign")[1]
    require("feed segmentation/0" in said and "DATA_LOSS" in said, f"readyz of campaign: {said}")
    end = feeds.wait(kith, "segmentation", 0, {("ingestion", 0): kith.ask_status("ingestion").seq})
    kith.cli("consumer", "accept", "campaign", "segmentation", "--from", end, "--reason",
             "segmentation was rebuilt")


def rebuilding_leads_out():
    """Everybody begins anew from the copy, campaign aside; what it lacked is sent again."""
    with suite.Suite(suite.config(checkpoint_interval_ms=200), key=KEY) as kith:
        put_back(kith)
        alarms_are_up(kith)
        questions_are_answered(kith, points_of(made(0, 4000)))
        for service in CONSUMERS:
            kith.cli("consumer", "rebuild", service)
        campaign_goes_on(kith)
        all_are_ready(kith)
        feeds.settle(kith)
        unseen = [events.event(9999, "c001", 100000)]
        require(kith.cli("report", "totals")["events"] == 2001, "what the copy holds, and one")
        require(feeds.balances(kith.wire("loyalty"), CUSTOMERS) ==
                points_of(made(0, 2000), unseen), "balances follow from what the copy holds")
        load(kith, made(2000, 4000), "again")
        results_are_right(kith, 4001, points_of(made(0, 4000), unseen))
        kith.verify_state()


def accepting_leads_out():
    """Everybody goes on with what comes after the copy's end, and keeps what it has folded."""
    with suite.Suite(suite.config(checkpoint_interval_ms=200), key=KEY) as kith:
        end = put_back(kith)
        alarms_are_up(kith)
        for service in CONSUMERS:
            kith.cli("consumer", "accept", service, "ingestion", "--from", end, "--reason",
                     "put back from the copy of Monday")
        all_are_ready(kith)
        load(kith, made(5000, 6000), "third")
        points = points_of(made(0, 4000), made(5000, 6000))
        results_are_right(kith, 5000, points)
        for service in ("loyalty", "segmentation"):
            accepted = feeds.of_type(feeds.read(kith, service), block_pb2.FACT_CONSUMER_ACCEPTED,
                                     block_pb2.ConsumerAccepted)
            said = [(one.feed, getattr(one, "from"), one.reason) for one in accepted]
            require(said == [("ingestion", end, "put back from the copy of Monday")],
                    f"{service} has journalled {said}")
            require(kith.cli("verify", "state", service)["ok"], f"verify state {service}")
        for service in CONSUMERS:
            kith.cli("restart", service, as_json=False)
        all_are_ready(kith)
        load(kith, made(6000, 6100), "fourth")
        results_are_right(kith, 5100, points_of(made(0, 4000), made(5000, 6100)))


def results_are_right(kith, count, points):
    totals = kith.cli("report", "totals")
    require((totals["events"], totals["points_issued"]) == (count, sum(points.values())),
            f"{count} events and {sum(points.values())} points, not {totals}")
    require(feeds.balances(kith.wire("loyalty"), CUSTOMERS) == points, "balances")
    verified = kith.cli("loyalty", "verify")
    require((verified["ok"], verified["sum"]) == (True, 0), f"loyalty verify: {verified}")
    require(kith.cli("segment", "count", "spend_200_in_90d")["count"] == 100, "all are members")
    # To each the one message, however often they were loaded.
    lines = (kith.data / "outbox" / "outbox-0.ndjson").read_text().splitlines()
    require(len(lines) == 100, f"{len(lines)} messages to 100 members")


suite.main(states_are_what_their_journals_say,
           rot_in_a_journal_is_found_and_not_served,
           a_rotten_reply_is_not_made_up,
           rot_in_a_state_is_found_and_not_served,
           rebuilding_leads_out,
           accepting_leads_out)
