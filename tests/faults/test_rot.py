#!/usr/bin/python3
"""Files that rot or are cut short under a service that runs, and the same files at its next start:
what is wrong is named and never served, and the others go on. tests/e2e/test_verify.py does the
same to files of services that are stopped.

Wall time with the sanitizers: 15 s; with --long each bit of a thousand live records in turn.
"""
# ctest: TIMEOUT 300 LONG 3600
import json
import mmap
import os
import subprocess

import crash
import faulty
import feeds
import lmdb_pages
import suite
from kith.v1 import loyalty_pb2
from suite import require, wait_until
from wire import Refused

DATA_LOSS = 15
EXIT_ROT = 70
FLIPS = 250 * faulty.ROUNDS if suite.OPTIONS.long else 10


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
    """Turns over one bit of its value; returns what turns it back."""
    at, bit = record.value_at + draw.randrange(len(record.value)), draw.randrange(8)
    lmdb_pages.flip(path, at, bit)
    return lambda: lmdb_pages.flip(path, at, bit)


def a_block_that_rots_under_its_service_is_not_served():
    draw = faulty.draw("block")
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        lived(kith)
        for service in crash.JOURNALS:
            path = file_of(kith, service, "journal")
            blocks = records_of(kith, service, "journal", "blocks")
            rotten = blocks[len(blocks) // 2]
            seq, number = (int.from_bytes(rotten.key[at:at + 8], "big") for at in (0, 8))
            back = flip(draw, path, rotten)
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
        back = flip(draw, file_of(kith, "loyalty", "state"), mine[0])
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


def every_flipped_bit_is_found():
    """Of live records, whatever the bit: named by `verify`, with the place."""
    print(f"  seed {faulty.SEED}", flush=True)
    draw = faulty.draw("flips")
    with faulty.FaultySuite(crash.configuration(), key=crash.KEY) as kith:
        lived(kith)
        for service in kith.services:
            kith.kill(service)
        files = [(service, "journal", "blocks") for service in crash.JOURNALS]
        files += [(service, "state", "data") for service in crash.JOURNALS]
        for service, name, table in files:
            records = records_of(kith, service, name, table)
            for _ in range(FLIPS):
                record = draw.choice(records)
                back = flip(draw, file_of(kith, service, name), record)
                found = verify(kith, name, service)
                require(not found["ok"], f"{service}, {name}, {record.key.hex()}: not found")
                place = (lmdb_pages.key_told(record.key) if name == "state" else
                         f"block {int.from_bytes(record.key[8:], 'big')} ")
                require(place in found["reason"], f"{service}, {name}: not '{place}' but {found}")
                back()
            require(verify(kith, name, service)["ok"], f"{service}, {name} is whole again")
        print(f"  {FLIPS * len(files)} flipped bits, all found", flush=True)


def verify(kith, name, service):
    done = subprocess.run([suite.BIN / f"kith-{service}", f"verify-{name}", "--config",
                           kith.config, "--data", kith.data, "--json"], env=kith.environment,
                          capture_output=True, text=True, timeout=60, check=False)
    require(done.returncode in (0, 1), f"verify-{name}: exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


suite.main(a_block_that_rots_under_its_service_is_not_served,
           an_account_that_rots_under_its_service_is_not_told,
           a_file_that_is_cut_short_ends_its_service_alone,
           every_flipped_bit_is_found)
