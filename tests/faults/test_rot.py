#!/usr/bin/python3
"""Files that rot or are cut short under a service that runs, and the same files at its next start:
what is wrong is named and never served, and the others go on. tests/e2e/test_verify.py does the
same to files of services that are stopped.

Wall time with the sanitizers: 20 s. `verify` is shown 6 bits of each kind of record, drawn from all
that live; with --long 250 of each, for each round of tests/faults/run.
"""
# ctest: TIMEOUT 300 LONG 3600
import dataclasses
import itertools
import json
import mmap
import os
import subprocess

import crash
import events
import faulty
import feeds
import live_runs
import lmdb_pages
import suite
from kith.v1 import ingestion_pb2, loyalty_pb2, service_pb2
from suite import require, wait_until
from wire import Refused

DATA_LOSS = 15
NOT_FOUND = 5
EXIT_ROT = 70
FLIPS = 250 * faulty.ROUNDS if suite.OPTIONS.long else 6
# What a service said before it ended may still be on its way.
LAST_WORDS_MS = 50
# A checkpoint makes a run, and four of a level are merged: so many lead to the third level.
BATCHES_MOST = 64


def alive(kith, *without):
    for service in kith.services:
        if service not in without:
            require(kith.direct[service, 0].poll() is None, f"{service} has died, too")
            kith.ask_status(service)


def file_of(kith, service, name):
    return kith.data / service / "0" / f"{name}.mdb"


def records_of(kith, service, name, table):
    return [one for one in lmdb_pages.Pages(file_of(kith, service, name)).records()
            if one.table == table]


def lived(kith):
    kith.start_all()
    life = crash.Life(kith)
    life.part(10, 2)
    life.checkpoint()
    return life


def flip(draw, path, record):
    """Turns over one bit of its value; returns the record, and what turns it back."""
    at, bit = record.value_at + draw.randrange(len(record.value)), draw.randrange(8)
    lmdb_pages.flip(path, at, bit)
    return record, lambda: lmdb_pages.flip(path, at, bit)


def flip_key(draw, path, record, wanted=b""):
    """Turns over one bit of its key; returns the record as it then is, and what turns it back. If
    a bit can, it makes the key one below `wanted`: who looks for that is led past the record."""
    turned = []
    for i, bit in itertools.product(range(len(record.key)), range(8)):
        key = bytearray(record.key)
        key[i] ^= 1 << bit
        turned.append((bytes(key), record.key_at + i, bit))
    leading_past = [one for one in turned if one[0] < wanted]
    key, at, bit = draw.choice(leading_past or turned)
    lmdb_pages.flip(path, at, bit)
    return dataclasses.replace(record, key=key), lambda: lmdb_pages.flip(path, at, bit)


def a_block_that_rots_under_its_service_is_not_served():
    draw = faulty.draw("block")
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        lived(kith)
        for service in crash.JOURNALS:
            path = file_of(kith, service, "journal")
            blocks = records_of(kith, service, "journal", "blocks")
            rotten = blocks[len(blocks) // 2]
            seq, number = (int.from_bytes(rotten.key[at:at + 8], "big") for at in (0, 8))
            _, back = flip(draw, path, rotten)
            try:
                facts = feeds.read(kith, service)
                raise suite.Failure(f"{service}: {len(facts)} facts over a rotten block")
            except Refused as refused:
                require(refused.code == DATA_LOSS
                        and f"block {number} at seq {seq}" in refused.reply.message,
                        f"{service}: the rotten block is not named: {refused}")
            alive(kith)
            back()
            require(feeds.read(kith, service), f"{service} is whole again")


def an_account_that_rots_under_its_service_is_not_told():
    draw = faulty.draw("account")
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        lived(kith)
        kith.kill("loyalty")  # what it has in memory does not rot
        kith.start("loyalty")
        kith.ask_status("loyalty")
        own = feeds.customer_id(crash.KEY, "c1")
        mine = [one for one in records_of(kith, "loyalty", "state", "data")
                if len(one.key) == 21 and one.key[5:] == own]
        require(len(mine) == 1, f"c1 has {len(mine)} records")
        _, back = flip(draw, file_of(kith, "loyalty", "state"), mine[0])
        wire = kith.wire("loyalty")
        wire.send("loyalty.Balance", loyalty_pb2.BalanceRequest(customer="c1"))
        process = kith.direct["loyalty", 0]
        wait_until(lambda: process.poll() is not None, what="loyalty ends")
        require(wire.receive(0) is None, "a balance was told from a rotten record")
        code = kith.code_of("loyalty")
        require(code == EXIT_ROT and "wrong checksum" in kith.said("loyalty").splitlines()[-1],
                f"exit {code}: {kith.said('loyalty')[-400:]}")
        alive(kith, "loyalty")
        back()
        kith.start("loyalty")
        kith.wire("loyalty").call("loyalty.Balance", loyalty_pb2.BalanceRequest(customer="c1"),
                                  loyalty_pb2.BalanceReply)


def start_fails(kith, service):
    """Exit code and last words of a start that must come to nothing."""
    kith.start(service)
    code = kith.code_of(service)
    return code, kith.said(service).strip().splitlines()[-1]


# ---- permanent tables


def runs_of(kith, service):
    """Of a file that may be written to: where a commit came meanwhile it is read again."""
    path = file_of(kith, service, "state")

    def read_whole():
        pages = lmdb_pages.Pages(path)
        return pages if pages.meta["commit"] == lmdb_pages.commit_number(path) else None

    return live_runs.LiveRuns(wait_until(read_whole, what=f"{service} leaves its file alone"))


def are_merged(kith, service):
    return runs_of(kith, service).is_merged()


def rested(kith, service):
    """Stopped with all that it has in its file, and started with nothing to merge: what a run
    holds is not in memory too, and stays where it lies."""
    kith.stop(service)
    while not are_merged(kith, service):
        kith.start(service)
        kith.ask_status(service)
        wait_until(lambda: are_merged(kith, service), what=f"{service} merges its runs")
        kith.stop(service)
    kith.start(service)
    kith.ask_status(service)


def ask(kith, service, method, body=b"", key=None):
    """(code, message, body); None when the service has ended instead."""
    wire, process = kith.wire(service), kith.direct[service, 0]
    wire.send(method, body, key=key)
    wait_until(lambda: wire.socket.poll(0) or process.poll() is not None,
               what=f"{service} answers or ends")
    got = wire.receive(LAST_WORDS_MS)
    return None if got is None else (got[0].code, got[0].message, got[1])


class Question:
    """What can be answered from certain records of permanent tables alone, which are known by their
    whole keys; `key` makes that of the request."""

    def __init__(self, method, body, records, key=lambda: None):
        self.service = method.partition(".")[0]
        self.method = method
        self.body = body
        self.records = records
        self.key = key

    def ask(self, kith):
        return ask(kith, self.service, self.method, self.body, self.key())


def new_keys(prefix):
    numbers = itertools.count()
    return lambda: f"{prefix}{next(numbers)}"


def is_not_answered(kith, draw, question, wanted, in_key):
    """One bit of the block that holds the record `wanted` is wrong, in its value or in its key."""
    service, path = question.service, file_of(kith, question.service, "state")
    found = [block for key, block in runs_of(kith, service).keys() if key == wanted]
    require(len(found) == 1, f"{service}: {wanted.hex()} lies in {len(found)} blocks")
    rotten, back = (flip_key(draw, path, found[0], wanted) if in_key else
                    flip(draw, path, found[0]))
    words = f"{question.method}, block {found[0].key.hex()} that is now {rotten.key.hex()}"
    told = question.ask(kith)
    alive(kith, service)
    if told is None:
        code, said = kith.code_of(service), kith.said(service).splitlines()[-1]
        named = [f"key {lmdb_pages.key_told(key)}: wrong checksum" for key in (wanted, rotten.key)]
        require(code == EXIT_ROT and any(one in said for one in named),
                f"{words}: exit {code}: {said}")
    else:
        require(told[0] == DATA_LOSS, f"{words}: was answered: {told}")
        kith.kill(service)
    back()
    kith.start(service)
    kith.ask_status(service)


def are_not_answered(kith, draw, questions):
    """Each, while what it needs is rotten; returns what is said as long as all is well."""
    service = questions[0].service
    told = [one.ask(kith) for one in questions]
    rested(kith, service)
    for question in questions:
        for wanted, in_key in itertools.product(question.records, (False, True)):
            is_not_answered(kith, draw, question, wanted, in_key)
    require([one.ask(kith) for one in questions] == told, f"{service} is whole again")
    return told


def a_duplicate_is_not_accepted_over_a_rotten_run():
    draw = faulty.draw("duplicate")
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        life = lived(kith)
        sent = ingestion_pb2.IngestRequest.FromString(life.requests["ingestion"][3].body)
        number = 3 * crash.BATCH + 4
        again = Question("ingestion.Ingest", events.batch([sent.items[4].event]),
                         [live_runs.event_key("test", f"e{number}")], new_keys("again"))
        code, message, body = are_not_answered(kith, draw, [again])[0]
        require(code == 0, message)
        runs = ingestion_pb2.IngestReply.FromString(body).results
        require([events.OUTCOMES[one.outcome] for one in runs] == ["duplicate"],
                f"e{number} sent again: {runs}")
        a_filter_is_refused_at_the_next_start(kith, draw, again)


def a_filter_is_refused_at_the_next_start(kith, draw, question):
    """While its service runs it has a copy in memory."""
    service, path = question.service, file_of(kith, question.service, "state")
    piece = draw.choice(runs_of(kith, service).filters)
    told = question.ask(kith)
    _, back = flip(draw, path, piece)
    require(question.ask(kith) == told, f"{service} answers from memory")
    kith.kill(service)
    code, said = start_fails(kith, service)
    require(code in (1, EXIT_ROT) and filter_told(piece) in said and str(path) in said,
            f"not '{filter_told(piece)}' but exit {code}: {said}")
    alive(kith, service)
    back()
    kith.start(service)
    require(question.ask(kith) == told, f"{service} is whole again")


def a_posting_is_not_made_up_over_a_rotten_run():
    """Asked for again, looked at, and taken back twice."""
    draw = faulty.draw("posting")
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        life = lived(kith)
        taken, kept = life.requests["loyalty"]
        posting = loyalty_pb2.PostBatchReply.FromString(taken.reply).results[0].first_posting
        reverse = loyalty_pb2.ReverseRequest(posting=posting)
        kith.wire("loyalty").call("loyalty.Reverse", reverse, loyalty_pb2.PostReply, key="reverse")
        life.checkpoint()
        own, keys = feeds.customer_id(crash.KEY, "c1"), dict(runs_of(kith, "loyalty").keys())
        entries = [key for key in keys
                   if key[0] == live_runs.LOYALTY_ENTRY and key[5:21] == own]
        seq = posting.to_bytes(8, "big")
        retry = Question(kept.method, kept.body, [live_runs.request_key(kept.key)],
                         lambda: kept.key)
        statement = Question("loyalty.Statement",
                             loyalty_pb2.StatementRequest(customer="c1", limit=100),
                             [min(entries)])
        twice = Question("loyalty.Reverse", reverse,
                         [bytes([table]) + seq for table in (live_runs.LOYALTY_POSTING,
                                                             live_runs.LOYALTY_REVERSAL)],
                         new_keys("twice"))
        told = are_not_answered(kith, draw, [retry, statement, twice])
        require(told[0] == (0, "", kept.reply), f"{kept.key} asked again: {told[0]}")
        lines = loyalty_pb2.StatementReply.FromString(told[1][2]).lines
        require(len(lines) == len(entries), f"{len(lines)} lines of {len(entries)} entries")
        require(told[2][0] not in (0, NOT_FOUND), f"{posting} taken back twice: {told[2]}")


def has_checkpoint_or_ended(kith, service):
    told = ask(kith, service, "service.Status")
    status = service_pb2.StatusReply.FromString(told[2]) if told else None
    return status is None or status.checkpoint_seq >= status.seq


def more_until_it_ends(kith, life):
    """Batches one by one, each with a checkpoint, until ingestion has ended."""
    for _ in range(BATCHES_MOST):
        life.ingest(len(life.requests["ingestion"]))
        request = life.requests["ingestion"][-1]
        told = ask(kith, "ingestion", request.method, request.body, request.key)
        if told is None:
            return
        require(told[0] == 0, f"{request.key}: {told}")
        request.reply = told[2]
        wait_until(lambda: has_checkpoint_or_ended(kith, "ingestion"),
                   what="ingestion has a checkpoint or ends")
    raise suite.Failure(f"a rotten run was not met in {BATCHES_MOST} batches")


def ends_by_rot(kith, service, words):
    code, said = kith.code_of(service), kith.said(service).splitlines()[-1]
    require(code == EXIT_ROT and words in said, f"exit {code}, not '{words}': {said}")


def a_merge_makes_nothing_good_that_is_broken():
    """It ends the service, at each start anew; what was acknowledged is there when the bit is."""
    draw = faulty.draw("merge")
    services = ("ingestion", "loyalty")
    with faulty.FaultySuite(crash.configuration(services), key=crash.KEY) as kith:
        life = lived(kith)
        rested(kith, "ingestion")
        runs = runs_of(kith, "ingestion")
        # The oldest of the newest level: the next merge of that level takes it.
        level = runs.levels[next(iter(runs.levels))]
        oldest = [name for name in runs.levels if runs.levels[name] == level][-1]
        rotten = draw.choice([one for one in runs.blocks if one.table == oldest])
        _, back = flip(draw, file_of(kith, "ingestion", "state"), rotten)
        more_until_it_ends(kith, life)
        words = f"key {lmdb_pages.key_told(rotten.key)}: wrong checksum"
        for _ in range(2):
            ends_by_rot(kith, "ingestion", words)
            alive(kith, "ingestion")
            kith.start("ingestion")
        ends_by_rot(kith, "ingestion", words)
        back()
        kith.start("ingestion")
        kith.ask_status("ingestion")
        life.send("ingestion", sum(one.reply is not None for one in life.requests["ingestion"]))
        life.end()
        require(verify(kith, "state", "ingestion")["ok"], "ingestion is whole again")


# ---- short files


def a_file_that_is_cut_short_ends_its_service_alone():
    """Cut while it is open, behind the two pages that say where all others are: at half of its
    length there may be nothing behind that anybody needs. Whoever then needs what is gone ends,
    and at its next start the service says which file it is."""
    for name in ("journal", "state"):
        with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
            lived(kith)
            path = file_of(kith, "loyalty", name)
            whole = path.read_bytes()
            os.truncate(path, 2 * mmap.PAGESIZE)
            if name == "journal":
                with_rest_gone(kith)
            else:
                kith.kill("loyalty")
            alive(kith, "loyalty")
            code, said = start_fails(kith, "loyalty")
            require(code in (1, EXIT_ROT) and str(path) in said, f"{name}: exit {code}: {said}")
            path.write_bytes(whole)
            kith.start("loyalty")
            kith.ask_status("loyalty")
            feeds.settle(kith)


def with_rest_gone(kith):
    """The feed is asked for, of which the end is gone."""
    wire = kith.wire("loyalty", kind="feed")
    from kith.v1 import feed_pb2
    wire.send("feed.Fetch", feed_pb2.FetchRequest(feed="loyalty", shard=0, **{"from": 0}))
    process = kith.direct["loyalty", 0]
    wait_until(lambda: process.poll() is not None or wire.socket.poll(0), what="it answers or ends")
    if process.poll() is None:
        header, _ = wire.receive(0)
        require(header.code != 0, "a feed was read of which half is gone")
        kith.kill("loyalty")
        return
    code = kith.code_of("loyalty")
    require(code == EXIT_ROT and "was cut short" in kith.said("loyalty"),
            f"loyalty ended with {code}: {kith.said('loyalty')[-400:]}")


# ---- stopped


def block_told(record):
    return f"block {int.from_bytes(record.key[8:], 'big')} "


def record_told(record):
    return f"key {lmdb_pages.key_told(record.key)}: wrong checksum"


def filter_told(piece):
    number = int.from_bytes(piece.key[1:], "big")
    return f"the filter of {piece.table} is broken at piece {number}"


def kinds_of_rot(kith):
    """(service, file, records, what turns a bit of one, how it is named)"""
    for service in crash.JOURNALS:
        yield service, "journal", records_of(kith, service, "journal", "blocks"), flip, block_told
    for service in crash.JOURNALS:
        yield service, "state", records_of(kith, service, "state", "data"), flip, record_told
    for service in ("ingestion", "loyalty"):
        runs = runs_of(kith, service)
        yield service, "state", runs.blocks, flip, record_told
        yield service, "state", runs.blocks, flip_key, record_told
        yield service, "state", runs.filters, flip, filter_told


def every_flipped_bit_is_found():
    """Of live records, whatever the bit: named by `verify`, with the place."""
    print(f"  seed {faulty.SEED}", flush=True)
    draw = faulty.draw("flips")
    count = 0
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        lived(kith)
        for service in kith.services:
            kith.kill(service)
        for service, name, records, turn, told in kinds_of_rot(kith):
            for _ in range(FLIPS):
                record = draw.choice(records)
                rotten, back = turn(draw, file_of(kith, service, name), record)
                found = verify(kith, name, service)
                require(not found["ok"], f"{service}, {name}, {record.key.hex()}: not found")
                require(told(rotten) in found["reason"],
                        f"{service}, {name}: not '{told(rotten)}' but {found}")
                back()
                count += 1
            require(verify(kith, name, service)["ok"], f"{service}, {name} is whole again")
        print(f"  {count} flipped bits, all found", flush=True)


def verify(kith, name, service):
    done = subprocess.run([suite.BIN / f"kith-{service}", f"verify-{name}", "--config",
                           kith.config, "--data", kith.data, "--json"], env=kith.environment,
                          capture_output=True, text=True, timeout=60, check=False)
    require(done.returncode in (0, 1), f"verify-{name}: exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


suite.main(a_block_that_rots_under_its_service_is_not_served,
           an_account_that_rots_under_its_service_is_not_told,
           a_duplicate_is_not_accepted_over_a_rotten_run,
           a_posting_is_not_made_up_over_a_rotten_run,
           a_merge_makes_nothing_good_that_is_broken,
           a_file_that_is_cut_short_ends_its_service_alone,
           every_flipped_bit_is_found)
