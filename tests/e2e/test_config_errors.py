#!/usr/bin/python3
"""What is wrong in a configuration is told with file, line and mend before anything starts; what
is wrong in a row of a file is kept with its reason, and the rest goes in."""
# ctest: TIMEOUT 240
import json
import re
import shutil
import time

import suite
from suite import require

GOOD = """\
version: 1
suite: {clock: event}
services:
  ingestion: {}
  loyalty: {}
  segmentation: {}
  reporting: {}
  campaign: {}
programmes:
  - name: points
    earn:
      - {event: purchase, points: 1, unit_minor: 100, rounding: floor}
segments:
  - name: big
    rule:
      sum: purchase
      over_days: 90
      at_least: "200.00"
channels:
  - {name: outbox, kind: file, address: phone}
  - {name: mail, kind: smtp, address: email, url: "smtp://127.0.0.1:1", from: a@b.example}
campaigns:
  - name: thanks
    segment: big
    channel: outbox
    text: Dear {customer}
    schedule: {first: "2026-01-01T10:00:00Z", every_days: 7}
    cap: {messages: 1, per_days: 30}
    valid: {from: "2026-01-01T00:00:00Z", until: "2027-01-01T00:00:00Z"}
"""
# The refusal itself takes milliseconds; a loaded machine starts the checkers slowly.
REFUSED_WITHIN_S = 10


def changed(before, after):
    require(GOOD.count(before) == 1, f"{before!r} does not stand once in the good configuration")
    return GOOD.replace(before, after)


def broken_configurations():
    """(name, text, line of the fault, what the sentence must speak of)"""
    loyalty = "  loyalty: {}"
    end = GOOD.count("\n") + 1
    return [
        ("unknown key", changed(loyalty, "  loyalty: {shrads: 2}"), 5, "shrads.*shards"),
        ("unknown key at the top", GOOD + "programms: []\n", end, "programms.*programmes"),
        ("doubled key", GOOD + "version: 1\n", end, "version.*doubled"),
        ("doubled service", changed(loyalty, loyalty + "\n" + loyalty), 6, "loyalty.*doubled"),
        ("number with letters", changed(loyalty, "  loyalty: {shards: 12abc}"), 5, "12abc"),
        ("number with a sign", changed(loyalty, "  loyalty: {shards: -1}"), 5, "shards"),
        ("leading zero", changed(loyalty, "  loyalty: {shards: 010}"), 5, "010"),
        ("number past its bound", changed(loyalty, "  loyalty: {shards: 65}"), 5, "65.*64"),
        ("anchor", changed(loyalty, "  loyalty: &all {}"), 5, "anchor"),
        ("alias", changed(loyalty, "  loyalty: *all"), 5, "alias"),
        ("alias of itself", changed(loyalty, "  loyalty: &all [*all]"), 5, "anchor|alias"),
        ("tag", changed(loyalty, "  loyalty: !!map {}"), 5, "tag"),
        ("100,000 deep", GOOD + "deep: " + "[" * 100000 + "\n", end, "8 levels"),
        ("100,000 deep, closed", GOOD + "deep: " + "[" * 100000 + "]" * 100000 + "\n", end,
         "8 levels"),
        ("40,000 mappings deep", GOOD + "deep: " + "{a: " * 40000 + "\n", end, "8 levels"),
        ("a second document", GOOD + "---\nversion: 1\n", end, "second document"),
        ("a tab", changed(loyalty, "\tloyalty: {}"), 5, "tab"),
        ("no version", changed("version: 1\n", ""), 1, "version.*missing"),
        ("a later version", changed("version: 1\n", "version: 2\n"), 1, "version.*2"),
        ("nothing at all", "", 1, "nothing"),
        ("a zero byte", changed(loyalty, "  loyalty: {}\0"), 5, "zero byte"),
        ("no UTF-8", changed(loyalty, "  loyalty: {} # \udcff"), 5, "UTF-8"),
        ("300 KiB", GOOD + "#" * 300 * 1024 + "\n", 1, "256 KiB"),
        ("a service that is none", changed(loyalty, "  loyality: {}"), 5, "loyality"),
        ("two ingestion shards by the event clock",
         changed("  ingestion: {}", "  ingestion: {shards: 2}"), 4, "one ingestion shard"),
        ("a clock that is none", changed("clock: event", "clock: evnt"), 2, "evnt"),
        ("a zone that is none", changed("clock: event", "clock: event, time_zone: Mars/Base"), 2,
         "Mars/Base"),
        ("a file that is not there", GOOD + "include: [nowhere.yaml]\n", end, "nowhere.yaml"),
        # Loyalty's own part.
        ("unknown key of a programme", changed("rounding: floor", "roundng: floor"), 12,
         "roundng.*rounding"),
        ("unknown rounding", changed("rounding: floor", "rounding: up"), 12, "up"),
        ("a unit of nothing", changed("unit_minor: 100", "unit_minor: 0"), 12, "unit_minor"),
        ("no unit", changed("unit_minor: 100, ", ""), 12, "unit_minor.*missing"),
        ("a unit past 64 bits", changed("unit_minor: 100", "unit_minor: 99999999999999999999"), 12,
         "unit_minor"),
        ("a type with blanks", changed("event: purchase", "event: big purchase"), 12,
         "big purchase"),
        ("a programme twice", changed("segments:", "  - name: points\nsegments:"), 13, "points"),
        # Segmentation's own part.
        ("unknown key of a rule", changed("over_days", "over_dayz"), (16, 17), "over_dayz"),
        ("no threshold", changed('      at_least: "200.00"\n', ""), (15, 16), "sum.*at_least"),
        ("an amount that is none", changed('"200.00"', '"2OO.00"'), 18, "2OO.00"),
        ("an amount with three digits", changed('"200.00"', '"200.001"'), 18, "200.001"),
        ("a window of no days", changed("over_days: 90", "over_days: 0"), 17, "over_days"),
        ("a window past its bound", changed("over_days: 90", "over_days: 100000"), 17,
         "over_days"),
        ("a segment without rule", changed("segments:", "segments:\n  - name: empty"), 14,
         "rule.*missing"),
        ("a segment twice", changed("segments:", "segments:\n  - name: big\n    rule:\n"
                                    "      {count: purchase, over_days: 9, at_least: 1}"),
         (16, 17), "big"),
        ("two rules in one", changed("      sum: purchase",
                                     "      sum: purchase\n      count: purchase"),
         (15, 16, 17), "sum|count"),
        # Campaign's own part.
        ("a channel of no kind", changed("kind: file", "kind: post"), 20, "post.*file, smtp"),
        ("a channel twice", changed("name: mail", "name: outbox"), 21, "outbox"),
        ("a channel with a path for a name", changed("{name: outbox", "{name: ../outbox"), 20,
         r"\.\./outbox"),
        ("an e-mail server that is none", changed("smtp://127.0.0.1:1", "http://127.0.0.1"), 21,
         "smtp://"),
        ("an e-mail server with a login", changed("smtp://127", "smtp://me:word@127"), 21, "login"),
        ("a sender with a name", changed("from: a@b.example", "from: Us <a@b.example>"), 21,
         "from.*address"),
        ("e-mails to nobody", changed("address: email, ", ""), 21, "address.*missing"),
        ("unknown key of a channel", changed("address: phone", "adress: phone"), 20,
         "adress.*address"),
        ("unknown key of a campaign", changed("schedule:", "shedule:"), 27, "shedule.*schedule"),
        ("a campaign twice", GOOD + "  - name: thanks\n    segment: big\n", end, "thanks"),
        ("a campaign for nobody", changed("segment: big", "segment: bog"), 24, "bog.*segments"),
        ("a campaign by no channel", changed("channel: outbox", "channel: inbox"), 25,
         "inbox.*channels"),
        ("a campaign without words", changed("    text: Dear {customer}\n", ""), 23,
         "text.*missing"),
        ("a brace that stands alone", changed("Dear {customer}", "Dear {customer"), 26, "brace"),
        ("a name that is no attribute", changed("Dear {customer}", "Dear {First Name}"), 26,
         "First Name"),
        ("a text of 801 bytes", changed("Dear {customer}", "x" * 801), 26, "801.*800"),
        ("17 attributes in the words",
         changed("Dear {customer}", "all " + "".join(f"{{a{i}}}" for i in range(17))), 23,
         "16 attributes"),
        ("a subject without e-mail", changed("    text:", "    subject: Hi\n    text:"), 26,
         "subject.*smtp"),
        ("a schedule that begins never", changed('first: "2026-01-01T', 'first: "2026-02-30T'), 27,
         "2026-02-30"),
        ("a cap of nothing", changed("messages: 1,", "messages: 0,"), 28, "messages"),
        ("half a cap", changed(", per_days: 30", ""), 28, "per_days.*missing"),
        ("an end before the begin", changed('until: "2027', 'until: "2025'), 29, "until"),
    ]


def problems_of(name, done, took_s, file, lines, words):
    """What is wrong with how a broken configuration was refused."""
    lines = lines if isinstance(lines, tuple) else (lines,)
    found = re.search(rf"{re.escape(file.name)}:(\d+): (.+)", done.stderr)
    if done.returncode != 1:
        yield f"{name}: exit {done.returncode}, not 1: {done.stdout}{done.stderr}"
    elif found is None:
        yield f"{name}: no FILE:LINE: {done.stderr}"
    elif int(found[1]) not in lines or not re.search(words, found[2]):
        yield f"{name}: expected line {lines} and /{words}/, got {found[0]}"
    if took_s > REFUSED_WITHIN_S:
        yield f"{name}: took {took_s:.1f} s"


def a_broken_configuration_is_refused_and_starts_nothing():
    problems = []
    with suite.Suite(GOOD) as kith:
        require(kith.cli("config", "check", kith.config, as_json=False), "the good one is good")
        for name, text, lines, words in broken_configurations():
            file = kith.folder / "broken.yaml"
            file.write_bytes(text.encode(errors="surrogateescape"))
            for command in (["config", "check", file], ["up", "-c", file, "--detach"]):
                begin = time.monotonic()
                done = kith.cli(*command, as_json=False, check=False)
                said = f"kith {command[0]}, {name}"
                problems += problems_of(said, done, time.monotonic() - begin, file, lines, words)
            left = [str(path) for path in kith.data.iterdir()], kith.processes()
            if any(left):
                problems.append(f"{name}: something was begun: {left}")
                kith.cli("down", as_json=False)
                shutil.rmtree(kith.data)
                kith.data.mkdir(mode=0o700)
    require(not problems, "\n".join(problems))



# ---- rows

HEADER = b"kind,customer,at,amount,channel\n"
AT = b"1997-01-01T00:00:00Z"
# (name, the row, the reason's kind, what its sentence must speak of)
BROKEN_ROWS = [
    ("too few columns", b"purchase,c1," + AT, "unreadable", "3 columns.*5"),
    ("too many columns", b"purchase,c1," + AT + b",1.00,web,more", "unreadable", "6 columns.*5"),
    ("no such day", b"purchase,c1,1997-02-29T00:00:00Z,1.00,web", "unreadable", "at .*time"),
    ("a date in words", b"purchase,c1,yesterday,1.00,web", "unreadable", "at .*time"),
    ("year 0", b"purchase,c1,0000-01-01T00:00:00Z,1.00,web", "unreadable", "at .*time"),
    ("year 10000", b"purchase,c1,10000-01-01T00:00:00Z,1.00,web", "unreadable", "at .*time"),
    ("an amount in words", b"purchase,c1," + AT + b",ten,web", "unreadable", "amount"),
    ("half a cent", b"purchase,c1," + AT + b",1.005,web", "unreadable", "amount.*2 digits"),
    ("an amount past 64 bits", b"purchase,c1," + AT + b",99999999999999999999.00,web",
     "unreadable", "amount.*10.15"),
    ("a cent past the most", b"purchase,c1," + AT + b",10000000000000.01,web", "unreadable",
     "amount.*10.15"),
    ("a negative amount", b"purchase,c1," + AT + b",-1.00,web", "unreadable", "negative"),
    ("no amount", b"purchase,c1," + AT + b",,web", "unreadable", "amount.*missing"),
    ("a NUL", b"purchase,c\0x," + AT + b",1.00,web", "unreadable", "customer.*UTF-8|control"),
    ("no UTF-8", b"purchase,c\xff\xfe," + AT + b",1.00,web", "unreadable", "customer.*UTF-8"),
    ("an id of 65 bytes", b"purchase," + b"c" * 65 + b"," + AT + b",1.00,web", "unreadable",
     "customer.*64"),
    ("no customer", b"purchase,," + AT + b",1.00,web", "unreadable", "customer"),
    ("a type with blanks", b"Big Sale,c1," + AT + b",1.00,web", "unreadable", "type"),
    ("a text of 1,025 bytes", b"purchase,c1," + AT + b",1.00," + b"w" * 1025, "unreadable",
     "1024"),
    ("a row of 20 KiB", b"purchase,c1," + AT + b",1.00," + b"w" * 20480, "unreadable", "16384"),
    ("words behind a quote", b'purchase,"c1"x,' + AT + b",1.00,web", "unreadable", "quote"),
    ("in the future", b"purchase,c1,2999-01-01T00:00:00Z,1.00,web", "future", "2999-01-01"),
    # Last: were it not for the bound it would swallow what follows.
    ("a quote that is not closed", b'purchase,"c1,' + AT + b",1.00,web", "unreadable",
     "not closed"),
]
GOOD_ROW = b"purchase,c%d,1997-01-01T00:%02d:00Z,10.00,web\n"


def ingest(kith, file, map_file):
    said = kith.cli("ingest", file, "--map", map_file)
    require(said["rows"] == said["accepted"] + said["duplicate"] + said["rejected"],
            f"rows that nobody accounts for: {said}")
    return tuple(said[name] for name in ("rows", "accepted", "duplicate", "rejected"))


def quarantine(kith):
    """All open entries, in order."""
    lines = kith.cli("quarantine", "list", "--json", as_json=False).splitlines()
    return [json.loads(line) for line in lines]


def rows_write(file, rows):
    """Good rows between the broken ones; returns how many."""
    lines = [HEADER]
    for i, row in enumerate(rows):
        lines += [row + b"\n", GOOD_ROW % (i, i)]
    lines += [GOOD_ROW % (i, i % 60) for i in range(len(rows), 1000)]
    file.write_bytes(b"".join(lines))
    return len(lines) - 1 - len(rows)


def broken_rows_are_kept_with_their_reasons():
    with suite.Suite(suite.config(clock="wall")) as kith:
        kith.up()
        file, map_file = kith.folder / "rows.csv", kith.folder / "map.yaml"
        map_file.write_text(suite.MAP)
        good, broken = rows_write(file, [row[1] for row in BROKEN_ROWS]), len(BROKEN_ROWS)
        said = ingest(kith, file, map_file)
        require(said == (good + broken, good, 0, broken), f"{good} good, {broken} broken: {said}")
        totals = kith.cli("report", "totals")
        require((totals["events"], totals["revenue_minor"], totals["quarantined"]) ==
                (good, good * 1000, broken), f"{good} good rows of 10.00: {totals}")

        entries = quarantine(kith)
        require(len(entries) == broken, f"{broken} entries, not {len(entries)}")
        problems = []
        for entry, (name, row, reason, words) in zip(entries, BROKEN_ROWS):
            shown = kith.cli("quarantine", "show", entry["entry"])
            problems += entry_problems(entry, shown, name, row, reason, words)
        require(not problems, "\n".join(problems))

        again = ingest(kith, file, map_file)
        require(again == (good + broken, 0, good + broken, 0), f"once more: {again}")
        require(quarantine(kith) == entries, "once more: the quarantine is another")
        require(kith.cli("report", "totals") == totals, "once more: totals or positions")


def entry_problems(entry, shown, name, row, reason, words):
    said = {key: shown[key] for key in entry}
    if said != entry:
        yield f"{name}: listed {entry}, shown {said}"
    if entry["reason"] != reason or not re.search(words, entry["explanation"]):
        yield f"{name}: expected {reason} and /{words}/, got {entry}"
    if reason == "future":
        if shown["event"]["occurred_at"][:4] != "2999":
            yield f"{name}: shown {shown}"
    elif row.isascii() and b"\0" not in row and row[:64].decode() not in shown["content"]:
        yield f"{name}: the row is not kept: {shown['content'][:200]}"


def the_quarantine_can_be_emptied():
    """By a mended map, by a mended event, or by giving up; and what left it does not come back."""
    with suite.Suite(suite.config(clock="wall")) as kith:
        kith.up()
        file, map_file = kith.folder / "rows.csv", kith.folder / "map.yaml"
        map_file.write_text(suite.MAP)
        # A shop that writes days as 19970102, and one row that is beyond help.
        file.write_bytes(HEADER + b"".join(b"purchase,c%d,199701%02d,10.00,web\n" % (i, i + 1)
                                           for i in range(20)) +
                         b"purchase,c1,yesterday,10.00,web\n")
        require(ingest(kith, file, map_file) == (21, 0, 0, 21), "no row is readable by this map")
        entries = [entry["entry"] for entry in quarantine(kith)]

        refused = kith.cli("quarantine", "retry", entries[0], check=False)
        require(refused.returncode == 1 and "--map" in refused.stderr,
                f"a row needs a mended map: {refused}")
        require(len(quarantine(kith)) == 21, "what was refused stays")
        mended = kith.folder / "mended.yaml"
        mended.write_text(suite.MAP.replace("format: rfc3339", "format: yyyymmdd"))
        one = kith.cli("quarantine", "retry", entries[0], "--map", mended)
        require((one["retried"], one["accepted"], one["refused"]) == (1, 1, 0), f"one: {one}")
        rest = kith.cli("quarantine", "retry", "--all", "--map", mended, check=False)
        said = json.loads(rest.stdout.splitlines()[-1])
        require(rest.returncode == 1 and
                (said["retried"], said["accepted"], said["refused"]) == (20, 19, 1), f"{rest}")
        left = quarantine(kith)
        require([entry["entry"] for entry in left] == entries[-1:], f"one is left, not {left}")

        unsure = kith.cli("quarantine", "drop", entries[-1], check=False)
        require(unsure.returncode == 2 and "--yes" in unsure.stderr, f"{unsure}")
        kith.cli("quarantine", "drop", entries[-1], "--yes")
        require(quarantine(kith) == [], "the quarantine is empty")
        gone = kith.cli("quarantine", "drop", entries[-1], "--yes", check=False)
        require(gone.returncode == 1 and str(entries[-1]) in gone.stderr, f"{gone}")

        totals = kith.cli("report", "totals")
        require((totals["events"], totals["revenue_minor"]) == (20, 20000), f"{totals}")
        require(kith.cli("loyalty", "balance", "c7")["available"] == 10, "points come with it")
        # The same rows again, by the old map and by the mended one.
        for again, by in ((ingest(kith, file, map_file), "old"),
                          (ingest(kith, file, mended), "mended")):
            require(again == (21, 0, 21, 0), f"by the {by} map: {again}")
        require(quarantine(kith) == [], "nothing came back")
        require(kith.cli("report", "totals") == totals, "nothing was counted twice")


suite.main(a_broken_configuration_is_refused_and_starts_nothing,
           broken_rows_are_kept_with_their_reasons,
           the_quarantine_can_be_emptied)
