#!/usr/bin/python3
"""A year and a half of real purchases: every figure that is known of them, whichever way they come
in. Needs the data sets; see KITH_DATA in ./test --help."""
# ctest: TIMEOUT 300
import json
import random
import shutil
import time
from collections import Counter

import cdnow
import feeds
import suite
from kith.v1 import block_pb2
from suite import require

KEY = bytes(range(32))
SEED = 19970101


def ingest(kith, file, *words):
    return kith.cli("ingest", file, "--map", cdnow.MAP, *words, timeout_s=900)


def counted(said):
    return tuple(said[name] for name in ("rows", "accepted", "duplicate", "rejected"))


def totals_are_known(kith):
    totals = kith.cli("report", "totals")
    wanted = {"events": cdnow.ROWS, "customers": cdnow.CUSTOMERS,
              "revenue_minor": cdnow.REVENUE_MINOR, "points_issued": cdnow.POINTS,
              "points_spent": 0, "points_outstanding": cdnow.POINTS}
    require(wanted.items() <= totals.items(), f"{totals}, wanted {wanted}")
    return totals


def members(kith):
    return kith.cli("segment", "list", cdnow.SEGMENT, as_json=False).split()


def balances_are_those_of_the_rows(kith):
    oracle = cdnow.balances(cdnow.rows())
    require(len(oracle) == cdnow.CUSTOMERS and sum(oracle.values()) == cdnow.POINTS, "the oracle")
    told = feeds.balances(kith.wire("loyalty"), oracle)
    wrong = {one: (told[one], oracle[one]) for one in oracle if told[one] != oracle[one]}
    require(not wrong, f"{len(wrong)} balances differ from the rows (told, right): "
                       f"{dict(list(wrong.items())[:5])}")


def verified(kith):
    """The ledger, every journal, every state."""
    ledger = kith.cli("loyalty", "verify", timeout_s=600)
    require((ledger["ok"], ledger["sum"]) == (True, 0), f"loyalty verify: {ledger}")
    for service in ("ingestion", "loyalty", "segmentation"):
        journal = kith.cli("verify", "journal", service, timeout_s=600)
        require(journal["ok"], f"verify journal {service}: {journal}")
    kith.verify_state()


def all_figures_are_the_known_ones():
    """Loaded as it stands, which is by customer: most events come late. Then once more, and once
    more under another name, which changes nothing; then a day passes."""
    file = cdnow.path()
    with suite.Suite(cdnow.CONFIG) as kith:
        kith.up()
        said = counted(ingest(kith, file))
        require(said == (cdnow.ROWS, cdnow.ROWS, 0, 0), f"rows, accepted, ...: {said}")
        totals = totals_are_known(kith)
        customer, points = cdnow.LARGEST
        told = kith.cli("loyalty", "balance", customer)
        require((told["customer"], told["available"]) == (customer, points), f"{told}")
        balances_are_those_of_the_rows(kith)
        count = kith.cli("segment", "count", cdnow.SEGMENT)["count"]
        listed = members(kith)
        require(count == cdnow.MEMBERS == len(listed), f"{count} members, {len(listed)} listed")
        require(listed == sorted(set(listed)), "listed ascending, each once")
        verified(kith)

        copy = kith.folder / "another-name.txt"
        shutil.copy(file, copy)
        for again in (file, copy):
            said = counted(ingest(kith, again))
            require(said == (cdnow.ROWS, 0, cdnow.ROWS, 0), f"{again.name} again: {said}")
            after = kith.cli("report", "totals")
            require(after == totals, f"{again.name} again: totals or positions: {after}")
            require(members(kith) == listed, f"{again.name} again: members")

        kith.cli("clock", "advance", "--by", "P1D")
        count = kith.cli("segment", "count", cdnow.SEGMENT)["count"]
        require(count == cdnow.MEMBERS_A_DAY_LATER, f"{count} members a day later")
        require(set(members(kith)) < set(listed), "time alone lets nobody in")
        verified(kith)


SAMPLE_MAP = """\
version: 1
source: cdnow
format: columns
header: false
event:
  type: purchase
  id: row
  customer: 1
  occurred_at: {column: 3, format: yyyymmdd}
  amount: {column: 5, currency: USD, digits: 2}
"""


def facts_by_batches(file, map_of, rows, size):
    """All three feeds after a load in the order of time, in batches of `size`, and the names
    that `kith tail` gives to the facts of segmentation."""
    with suite.Suite(cdnow.CONFIG, key=KEY) as kith:
        kith.up()
        begin = time.monotonic()
        said = counted(kith.cli("ingest", file, "--map", map_of(kith), "--order", "time",
                                "--batch", size, timeout_s=900))
        feeds.settle(kith)
        print(f"  {rows} rows in batches of {size}: {time.monotonic() - begin:.1f} s", flush=True)
        require(said == (rows, rows, 0, 0), f"batches of {size}: {said}")
        facts = {feed: feeds.read(kith, feed) for feed in ("ingestion", "loyalty", "segmentation")}
        with open(kith.tail("segmentation"), encoding="utf-8") as lines:
            facts["names"] = Counter(json.loads(line)["type"] for line in lines)
        return facts


def same_in_batches_of(sizes, *load):
    """Each record has its own now, so that the lists are equal to the last byte."""
    first = facts_by_batches(*load, sizes[0])
    for size in sizes[1:]:
        for feed, facts in facts_by_batches(*load, size).items():
            require(facts == first[feed], f"batches of {size} and of {sizes[0]}, {feed}: "
                                          f"{first_difference(facts, first[feed])}")
    return first


def batches_cannot_be_seen_in_the_facts():
    """One row a batch is slow under the sanitizers: all rows only with --long."""
    sizes = (1000, 7, 1) if suite.OPTIONS.long else (1000, 7)
    facts = same_in_batches_of(sizes, cdnow.path(), lambda kith: cdnow.MAP, cdnow.ROWS)
    moves = [sum(fact.type == kind for fact in facts["segmentation"]) for kind in
             (block_pb2.FACT_SEGMENT_ENTERED, block_pb2.FACT_SEGMENT_EXITED)]
    require(moves == [cdnow.ENTERED, cdnow.EXITED], f"entries and exits: {moves}")
    names = {"rules.changed": 1, "segment.entered": cdnow.ENTERED, "segment.exited": cdnow.EXITED}
    require(facts["names"] == names, f"kith tail names them {facts['names']}")


def one_row_a_batch_cannot_be_seen_in_the_facts():
    """A tenth of the customers, in another file with other columns."""
    sample = cdnow.path().with_name("CDNOW_sample.txt")

    def sample_map(kith):
        file = kith.folder / "sample.yaml"
        file.write_text(SAMPLE_MAP)
        return file

    same_in_batches_of((1000, 1), sample, sample_map, cdnow.SAMPLE_ROWS)


def first_difference(one, other):
    for a, b in zip(one, other):
        if a != b:
            return f"{a} and {b}"
    return f"{len(one)} and {len(other)} facts"


def rows_in_any_order_give_the_same():
    """Shuffled: the same balances of all customers, and the same members."""
    lines = cdnow.path().read_bytes().splitlines(keepends=True)
    rows = lines[1:]
    random.Random(SEED).shuffle(rows)
    with suite.Suite(cdnow.CONFIG) as kith:
        file = kith.folder / "shuffled.txt"
        file.write_bytes(b"".join(lines[:1] + rows))
        kith.up()
        said = counted(ingest(kith, file))
        require(said == (cdnow.ROWS, cdnow.ROWS, 0, 0), f"shuffled with seed {SEED}: {said}")
        totals_are_known(kith)
        balances_are_those_of_the_rows(kith)
        require(members(kith) == members_of_the_rows(), f"shuffled with seed {SEED}: members")
        verified(kith)


def members_of_the_rows():
    """Who spent 200.00 in the 90 days up to the last one."""
    rows = cdnow.rows()
    now_ms = max(cdnow.day_ms(row) for row in rows)
    spent = {}
    for row in rows:
        if cdnow.day_ms(row) > now_ms - 90 * 24 * 3600 * 1000:
            spent[row.customer] = spent.get(row.customer, 0) + row.minor
    return sorted(customer for customer, minor in spent.items() if minor >= 20000)


suite.main(all_figures_are_the_known_ones,
           batches_cannot_be_seen_in_the_facts,
           one_row_a_batch_cannot_be_seen_in_the_facts,
           rows_in_any_order_give_the_same)
