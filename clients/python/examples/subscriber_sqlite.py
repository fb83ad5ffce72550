#!/usr/bin/python3
"""Keeps every loyalty posting in a SQLite file, each exactly once: subscriber_sqlite.py FILE

KITH_SUITE names the suite's data folder. What is done with a block of facts and the position after
it are one transaction: after a crash both are there or neither is, and the next start goes on where
the file stands. End it as you like, kill -9 too.
"""
import sqlite3
import sys

import kith

SCHEMA = """
create table if not exists posting (seq integer primary key, customer text not null,
    programme text not null, number integer not null, name text not null, points integer not null,
    unique (customer, programme, number));
create table if not exists balance (customer text not null, programme text not null,
    points integer not null, primary key (customer, programme));
create table if not exists position (one integer primary key check (one = 1), epoch text not null,
    seq integer not null, block integer not null, chain blob not null);
"""
TYPES = ["points.earned", "points.spent", "points.reversed", "points.granted"]


def act(database: sqlite3.Connection, fact: kith.Fact) -> None:
    """What one fact does here."""
    posted = fact.body
    account = (fact.customer, posted.programme)
    database.execute("insert into posting values (?, ?, ?, ?, ?, ?)",
                     (fact.seq, *account, posted.number, fact.name, posted.points))
    database.execute("insert into balance values (?, ?, ?) on conflict do update "
                     "set points = points + excluded.points", (*account, posted.points))


def cursor_load(database: sqlite3.Connection) -> kith.Cursor:
    """Where to go on; the beginning of the feed at first."""
    row = database.execute("select epoch, seq, block, chain from position").fetchone()
    return kith.Cursor(int(row[0]), *row[1:]) if row else kith.Cursor()


def cursor_keep(database: sqlite3.Connection, cursor: kith.Cursor) -> None:
    # An epoch has 64 bits, SQLite's integers 63 and a sign.
    database.execute("insert or replace into position values (1, ?, ?, ?, ?)",
                     (str(cursor.epoch), *cursor[1:]))


def main() -> None:
    database = sqlite3.connect(sys.argv[1])
    database.executescript(SCHEMA)
    with kith.Client() as client:
        blocks = client.blocks("loyalty", after=cursor_load(database), types=TYPES,
                               consumer="subscriber_sqlite")
        for block in blocks:
            with database:  # one transaction
                for fact in block.facts:
                    act(database, fact)
                cursor_keep(database, block.cursor)


main()
