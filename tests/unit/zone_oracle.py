#!/usr/bin/python3
"""What Python's zoneinfo says about time zones, for test_zone.c to compare with.

A line for each question: the zone, what is asked, the question, the answer; in milliseconds.
  offset NUMBER   how far local clocks are ahead of UTC at this instant
  instant NUMBER  the first instant at which local clocks show this or later
"""
import random
import sys
import zoneinfo
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1)
SECOND = timedelta(seconds=1)
FIRST_YEAR, LAST_YEAR = 1850, 2110
# Zones whose every change since 1850 is looked at from both sides; the others by chance.
CLOSELY = """Europe/Madrid Europe/Dublin Europe/London Europe/Lisbon America/New_York
America/Santiago America/St_Johns America/Nuuk America/Caracas Asia/Gaza Asia/Kathmandu
Asia/Jerusalem Asia/Tehran Africa/Casablanca Africa/Monrovia Antarctica/Troll
Australia/Lord_Howe Pacific/Apia Pacific/Kwajalein Pacific/Chatham Pacific/Kiritimati
Etc/GMT+12 UTC""".split()


def offset_s(zone, at_s):
    moment = (EPOCH + timedelta(seconds=at_s)).replace(tzinfo=timezone.utc)
    return moment.astimezone(zone).utcoffset() // SECOND


def change_between(zone, low, high):
    """The instant in (low, high] at which the offset of `low` ends."""
    before = offset_s(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if offset_s(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def instant_of(zone, local_s):
    local = EPOCH + timedelta(seconds=local_s)
    first = local_s - local.replace(tzinfo=zone, fold=0).utcoffset() // SECOND
    if first + offset_s(zone, first) == local_s:
        return first
    # Skipped: in a gap fold=0 counts with the offset before it, fold=1 with the one after it.
    later = local_s - local.replace(tzinfo=zone, fold=1).utcoffset() // SECOND
    return change_between(zone, min(first, later), max(first, later))


def changes(zone, first, last):
    step = 7 * 86400
    before = offset_s(zone, first)
    for low in range(first, last, step):
        after = offset_s(zone, low + step)
        if before != after:
            yield change_between(zone, low, low + step)
        before = after


def questions(name, chance):
    zone = zoneinfo.ZoneInfo(name)
    first = (datetime(FIRST_YEAR, 1, 1) - EPOCH) // SECOND
    last = (datetime(LAST_YEAR, 1, 1) - EPOCH) // SECOND
    instants = [chance.randrange(first, last) for _ in range(25)]
    locals_ = [at + chance.randrange(-86400, 86400) for at in instants]
    if name in CLOSELY:
        for at in changes(zone, first, last):
            before, after = offset_s(zone, at - 1), offset_s(zone, at)
            instants += [at - 1, at, at + 1]
            edges = [at + before, at + after, at + (before + after) // 2]
            locals_ += [edge + step for edge in edges for step in (-1, 0, 1)]
    for at in instants:
        yield "offset", at, offset_s(zone, at)
    for local in locals_:
        yield "instant", local, instant_of(zone, local)


def main():
    chance = random.Random(1)
    # Names in small letters are files of the host, not zones; "Factory" is none either.
    names = [name for name in sorted(zoneinfo.available_timezones()) if name[0].isupper()]
    for name in names:
        for what, asked, answer in questions(name, chance):
            sys.stdout.write(f"{name} {what} {asked * 1000} {answer * 1000}\n")


main()
