#!/usr/bin/python3
"""The wall clock jumps, by an hour, over the ends of windows, by years, in the nights when clocks
are changed: times never go back, nothing is done twice or left out, and whoever waits for a
time-out is not kept.

The library that is loaded into the services tells them the other time; the clock that durations
are measured by stays. Wall time with the sanitizers: 20 s.
"""
# ctest: TIMEOUT 300
import collections
import itertools
import json
import time
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import crash  # first: it knows where the others lie
import events
import faulty
import feeds
import suite
from kith.v1 import block_pb2, campaign_pb2, event_pb2, ingestion_pb2, reporting_pb2
from suite import Failure, require, wait_until
from wire import Refused

MINUTE_MS = 60 * 1000
HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS
JUMPS = (HOUR_MS, 0, -HOUR_MS, 0, -3 * HOUR_MS, HOUR_MS)
# As suite.config() has it: 200.00 in 90 days.
WINDOW_MS = 90 * DAY_MS
THRESHOLD = 20000
KEYS_KEPT_MS = 7 * DAY_MS
FAILED_PRECONDITION = 9
ZONE = ZoneInfo("Europe/Zurich")


def wall_ms(kith):
    return int(time.time() * 1000) + kith.log.header.clock_ahead_ms


def clock_set(kith, at_ms):
    kith.log.header.clock_ahead_ms = at_ms - int(time.time() * 1000)


def by_clock(ahead_ms, function, *words):
    """Calls it while the client's clock is so much ahead: what it sends is dated by that."""
    real = time.time
    time.time = lambda: real() + ahead_ms / 1000
    try:
        return function(*words)
    finally:
        time.time = real


def send(kith, wire, number, at_ms):
    """One event; its outcome. The client's clock goes with the services'."""
    made = events.event(number, f"c{number % 10}", minor=5000, at_ms=at_ms)
    return by_clock(kith.log.header.clock_ahead_ms, events.one, wire, made, f"k{number}").outcome


def times_never_go_back(kith):
    for service in crash.JOURNALS:
        times = [fact.recorded_at for fact in feeds.read(kith, service)]
        require(times == sorted(times), f"{service}: a fact was recorded before the one before")


# ---- hours


def events_are_accepted_by_the_clock_that_never_goes_back():
    """Under the wall clock. An event of now is taken whatever the clock was before; when it has
    gone back, facts keep the later time."""
    with faulty.FaultySuite(suite.config(clock="wall", **crash.TUNING), key=crash.KEY) as kith:
        kith.start_all()
        wire = kith.wire("ingestion")
        number, accepted = 0, 0
        for ahead in JUMPS:
            kith.log.header.clock_ahead_ms = ahead
            for _ in range(20):
                outcome = send(kith, wire, number, wall_ms(kith))
                require(outcome == ingestion_pb2.INGEST_ACCEPTED,
                        f"ahead {ahead} ms, event {number}: {outcome}")
                number += 1
                accepted += 1
            feeds.settle(kith)
        times_never_go_back(kith)
        facts = feeds.of_type(feeds.read(kith, "ingestion"), block_pb2.FACT_EVENT_ACCEPTED,
                              ingestion_pb2.EventAccepted)
        require(len(facts) == accepted, f"{len(facts)} of {accepted} events")
        found = crash.results(kith, kith.data)
        require(sum(one[2] for one in found["accounts"] if one[0]) == 50 * accepted,
                f"points of {accepted} events of 50: {found['accounts']}")
        restart_all(kith, -2 * HOUR_MS)  # also over a restart with the clock behind
        require(send(kith, kith.wire("ingestion"), number, wall_ms(kith)) ==
                ingestion_pb2.INGEST_ACCEPTED, "an event after the restart")
        feeds.settle(kith)
        times_never_go_back(kith)
        kith.verify_state()


def restart_all(kith, ahead_ms):
    for service in kith.services:
        kith.log.header.clock_ahead_ms = ahead_ms
        kith.kill(service)
        kith.start(service)
        kith.ask_status(service)


# ---- windows and years


class Window:
    """Who is in suite.config()'s segment, by what was acknowledged and by a clock that shows the
    latest time that there has been."""

    def __init__(self):
        self.now_ms = 0
        self.spent = collections.defaultdict(list)  # customer: [(when, minor)]
        self.moves = collections.defaultdict(list)  # customer: ["in", "out", ...]

    def time_to(self, at_ms):
        self.now_ms = max(self.now_ms, at_ms)
        for customer in self.spent:
            self._judge(customer)

    def buys(self, customer, at_ms, minor):
        """It happened at `at_ms`, whatever the time is when it is told."""
        self.spent[customer].append((at_ms, minor))
        self._judge(customer)

    def _judge(self, customer):
        spent = sum(minor for at_ms, minor in self.spent[customer]
                    if at_ms > self.now_ms - WINDOW_MS)
        is_in = self.moves[customer][-1:] == ["in"]
        if (spent >= THRESHOLD) != is_in:
            self.moves[customer].append("out" if is_in else "in")

    def count(self, move):
        return sum(moves.count(move) for moves in self.moves.values())

    def accounts(self):
        """{16 bytes: (points, postings)}"""
        return {feeds.customer_id(crash.KEY, customer): (sum(minor // 100 for _, minor in bought),
                                                         len(bought))
                for customer, bought in self.spent.items()}


def moves_told(kith):
    moves = collections.defaultdict(list)
    for fact in feeds.read(kith, "segmentation"):
        if fact.type in (block_pb2.FACT_SEGMENT_ENTERED, block_pb2.FACT_SEGMENT_EXITED):
            move = "in" if fact.type == block_pb2.FACT_SEGMENT_ENTERED else "out"
            moves[fact.subject].append(move)
    return moves


def refused_if_dated_by(kith, ahead_ms, made, key):
    """Keys are kept for 7 days of the service's clock: what is older might have been done."""
    try:
        outcome = by_clock(ahead_ms, events.one, kith.wire("ingestion"), made, key).outcome
    except Refused as refused:
        require(refused.code == FAILED_PRECONDITION and "7 days" in refused.reply.message,
                f"{key}: {refused}")
        return
    raise Failure(f"{key} is dated long before the service's now and has outcome {outcome}")


class Jumps:
    """A suite whose clock jumps, and what must have come of it."""

    def __init__(self, kith):
        self.kith = kith
        self.window = Window()
        self.newest_ms = 0  # how far ahead the services' clocks have been
        self.numbers = itertools.count()

    def buy(self, customer, minor):
        """Dated by the clock as it is, also when it has gone back; taken in any case."""
        number, at_ms = next(self.numbers), wall_ms(self.kith)
        made = events.event(number, customer, minor=minor, at_ms=at_ms)
        ahead_ms = self.kith.log.header.clock_ahead_ms
        if ahead_ms < self.newest_ms - KEYS_KEPT_MS:
            refused_if_dated_by(self.kith, ahead_ms, made, f"k{number}")
        outcome = by_clock(self.newest_ms, events.one, self.kith.wire("ingestion"), made,
                           f"k{number}").outcome
        require(outcome == ingestion_pb2.INGEST_ACCEPTED, f"event {number}: {outcome}")
        self.window.buys(customer, at_ms, minor)

    def to(self, ahead_ms):
        """Time alone first; then people buy."""
        self.kith.log.header.clock_ahead_ms = ahead_ms
        self.newest_ms = max(self.newest_ms, ahead_ms)
        self.window.time_to(wall_ms(self.kith))
        wait_until(self.has_told, what=f"{ahead_ms / DAY_MS:+.2f} days: {self.window.moves} are "
                                       f"told; {moves_told(self.kith)} are")
        self.buy(f"s{ahead_ms // HOUR_MS}", 25000)
        self.buy("again", 10000)
        feeds.settle(self.kith)
        require(self.has_told(), f"{ahead_ms / DAY_MS:+.2f} days: {moves_told(self.kith)}, "
                                 f"expected {self.window.moves}")

    def has_told(self):
        """Who asks wakes the service; its now is there when all that was due by then is told."""
        if self.kith.ask_status("segmentation").now_ms < self.window.now_ms:
            return False
        told = moves_told(self.kith)
        return told == {name: moves for name, moves in self.window.moves.items() if moves}


def a_window_ends_once_however_often_the_clock_passes_its_end():
    """An hour before the end of 90 days and after it, back, and over it again; a year ahead, back,
    two years back over a restart, and ahead again. What is dated before the service's now counts
    where a window still holds it, and earns its points in any case."""
    with faulty.FaultySuite(suite.config(clock="wall", **crash.TUNING), key=crash.KEY) as kith:
        kith.start_all()
        jumps = Jumps(kith)
        for ahead_ms in (0, WINDOW_MS - HOUR_MS, WINDOW_MS + HOUR_MS, WINDOW_MS - HOUR_MS,
                         WINDOW_MS + HOUR_MS, YEAR_MS, 0, YEAR_MS):
            jumps.to(ahead_ms)
        restart_all(kith, -2 * YEAR_MS)
        for ahead_ms in (-2 * YEAR_MS, YEAR_MS, 2 * YEAR_MS):
            jumps.to(ahead_ms)
        window = jumps.window
        times_never_go_back(kith)
        found = crash.results(kith, kith.data)
        accounts = {one[0]: (one[2], one[3]) for one in found["accounts"] if one[0]}
        require(accounts == window.accounts(), f"{accounts}, expected {window.accounts()}")
        require(len(found["outbox"]) == window.count("in"),
                f"{len(found['outbox'])} messages for {window.count('in')} entries")
        totals = crash.ask(kith, "reporting", "reporting.Totals", b"", reporting_pb2.TotalsReply)
        require((totals.segment_entries, totals.segment_exits) ==
                (window.count("in"), window.count("out")), f"totals: {totals}")
        kith.verify_state()
        print(f"  {window.count('in')} entries, {window.count('out')} exits, "
              f"{sum(points for points, _ in accounts.values())} points", flush=True)


# ---- nights when clocks are changed


def stamp(at_ms):
    return datetime.fromtimestamp(at_ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_ms(day, hour):
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=ZONE).timestamp() * 1000)


def next_changes():
    """The next two instants at which the zone's clocks are changed, one to summer time and one back
    from it, with the days on which they are."""
    found, day = [], date.today() + timedelta(days=2)
    while len(found) < 2:
        begin_ms, end_ms = local_ms(day, 0), local_ms(day + timedelta(days=1), 0)
        if end_ms - begin_ms != DAY_MS:
            offset = datetime.fromtimestamp(begin_ms / 1000, ZONE).utcoffset()
            hours = range(begin_ms, end_ms, HOUR_MS)
            found.append((day, next(at_ms for at_ms in hours if offset !=
                                    datetime.fromtimestamp(at_ms / 1000, ZONE).utcoffset())))
        day += timedelta(days=1)
    return found


def nights_configuration(first_ms, from_ms, until_ms):
    lines = ["version: 1", "suite: {clock: wall, time_zone: Europe/Zurich}", "services:"]
    lines += [f"  {name}: {{checkpoint_interval_ms: 100, checkpoint_records: 60}}"
              for name in suite.SERVICES]
    lines += ["programmes:", "  - name: points", "    earn:",
              "      - {event: purchase, points: 1, unit_minor: 100, rounding: floor}",
              "segments:", "  - name: gold", "    rule: {attribute: tier, equals: gold}",
              "channels:", "  - {name: outbox, kind: file}",
              "campaigns:", "  - name: nightly", "    segment: gold", "    channel: outbox",
              f"    schedule: {{first: \"{stamp(first_ms)}\", every_days: 1}}", "    text: Hush",
              "  - name: by_day", "    segment: gold", "    channel: outbox", "    on_entry: true",
              f"    valid: {{from: \"{stamp(from_ms)}\", until: \"{stamp(until_ms)}\"}}",
              "    text: Hello"]
    return "\n".join(lines) + "\n"


class Nights:
    """Members who are written to at each of a schedule's instants, and when they enter; and what
    must have come of it by a clock that shows the latest time that there has been."""

    def __init__(self, kith, first_ms, from_ms, until_ms):
        self.kith = kith
        self.first_ms, self.from_ms, self.until_ms = first_ms, from_ms, until_ms
        self.now_ms = 0
        self.done_ms = None  # the schedule's newest instant that has been
        self.members = []
        self.dispatches = set()
        self.decided = []  # of by_day: (customer, state)

    def clock_set(self, at_ms):
        clock_set(self.kith, at_ms)
        self.now_ms = max(self.now_ms, at_ms)
        if self.now_ms >= self.first_ms:
            # Of instants that were slept through, the newest is made up for.
            newest_ms = self.now_ms - (self.now_ms - self.first_ms) % DAY_MS
            if newest_ms != self.done_ms:
                self.dispatches |= {feeds.dispatch_id("nightly", customer,
                                                      f"schedule/{stamp(newest_ms)}")
                                    for customer in self.members}
                self.done_ms = newest_ms
        self.check()

    def enter(self):
        """One customer more; who is written to, if it is the time for it."""
        number = len(self.members)
        customer = f"g{number}"
        made = event_pb2.Event(source="test", id=f"g{number}", type="profile_changed",
                               customer=customer, occurred_at_ms=wall_ms(self.kith),
                               schema_version=1, attributes=[
                                   event_pb2.Attribute(name="tier", text="gold")])
        ahead_ms = self.now_ms - int(time.time() * 1000)
        by_clock(ahead_ms, events.one, self.kith.wire("ingestion"), made, f"k{number}")
        feeds.settle(self.kith)
        self.members.append(customer)
        entered = [fact.seq for fact in feeds.read(self.kith, "segmentation")
                   if fact.subject == customer and fact.type == block_pb2.FACT_SEGMENT_ENTERED]
        require(len(entered) == 1, f"{customer} entered {len(entered)} times")
        if self.from_ms <= self.now_ms < self.until_ms:
            self.dispatches.add(feeds.dispatch_id("by_day", customer, f"entry/{entered[0]}"))
            self.decided.append((customer, campaign_pb2.DISPATCH_IS_SENT))
        else:
            self.decided.append((customer, campaign_pb2.DISPATCH_IS_SUPPRESSED))
        self.check()

    def sent(self):
        path = self.kith.data / "outbox" / "outbox-0.ndjson"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line)["dispatch"] for line in lines]

    def check(self):
        """Who asks wakes the service; its now is there when all that was due by then is decided."""
        local = datetime.fromtimestamp(wall_ms(self.kith) / 1000, ZONE).isoformat(" ", "minutes")
        wait_until(lambda: self.kith.ask_status("campaign").now_ms >= self.now_ms,
                   what=f"{local}: campaign's time has passed")
        feeds.settle(self.kith)
        found = self.sent()
        require(len(set(found)) == len(found), f"{local}: a message was sent twice")
        require(set(found) == self.dispatches, f"{local}: {len(found)} messages were sent, "
                                               f"expected {len(self.dispatches)}")


def in_the_nights_when_clocks_are_changed_each_is_written_to_once():
    """Whoever sets a machine's clock back with those on the wall lets it pass an hour twice: a
    schedule's instant in it comes once. What is valid by day is not sent before the day has come
    nor after it, and the day does not come again either."""
    (_, spring_ms), (day, autumn_ms) = next_changes()
    first_ms = spring_ms + 30 * MINUTE_MS
    from_ms, until_ms = local_ms(day, 8), local_ms(day, 20)
    text = nights_configuration(first_ms, from_ms, until_ms)
    with faulty.FaultySuite(text, key=crash.KEY) as kith:
        kith.start_all()
        nights = Nights(kith, first_ms, from_ms, until_ms)
        nights.clock_set(spring_ms - DAY_MS)
        for _ in range(3):
            nights.enter()
        for change_ms in (spring_ms, autumn_ms):
            for minutes in (-40, 40, -20, 40):
                nights.clock_set(change_ms + minutes * MINUTE_MS)
            nights.enter()
        for at_ms in (from_ms, until_ms):
            for minutes in (-20, 20, -40):  # an hour back
                nights.clock_set(at_ms + minutes * MINUTE_MS)
                nights.enter()
        reply = kith.wire("campaign").call(
            "campaign.Decisions", campaign_pb2.DecisionsRequest(campaign="by_day", limit=100),
            campaign_pb2.DecisionsReply)
        found = [(one.customer, one.state) for one in reply.decisions]
        require(found == nights.decided, f"by day: {found}, expected {nights.decided}")
        times_never_go_back(kith)
        kith.verify_state()
        print(f"  {len(nights.dispatches)} messages, each once", flush=True)


def what_was_slept_through_is_not_sent_when_it_is_valid_no_more():
    """The machine sleeps from before a schedule's instant until after the campaign's last: nobody
    is written to, since it is now that must be valid."""
    (_, change_ms), _ = next_changes()
    due_ms = change_ms - DAY_MS
    text = nights_configuration(due_ms, due_ms - HOUR_MS, due_ms + HOUR_MS)
    valid = next(line for line in text.splitlines() if "valid:" in line)
    text = text.replace("    text: Hush", f"{valid}\n    text: Hush")
    with faulty.FaultySuite(text, key=crash.KEY) as kith:
        kith.start_all()
        nights = Nights(kith, due_ms + DAY_MS, 0, 0)  # its first is valid no more
        nights.clock_set(due_ms - 2 * HOUR_MS)
        nights.enter()
        nights.clock_set(due_ms + 4 * HOUR_MS)


# ---- what waits


def what_is_parked_is_woken_by_the_other_clock():
    """A Wait that may last 2 s lasts 2 s, whatever the wall clock does meanwhile."""
    from kith.v1 import feed_pb2, wire_pb2
    with faulty.FaultySuite(crash.configuration(("ingestion",)), key=crash.KEY) as kith:
        kith.start_all()
        wire = kith.wire("ingestion", kind="feed")
        for ahead in (-HOUR_MS, HOUR_MS):
            kith.log.header.clock_ahead_ms = 0
            request = feed_pb2.WaitRequest(
                positions=[wire_pb2.Position(feed="ingestion", shard=0, seq=10**6)],
                timeout_ms=2000)
            begun = time.monotonic()
            wire.send("feed.Wait", request)
            kith.log.header.clock_ahead_ms = ahead
            got = wire.receive(10000)
            took = time.monotonic() - begun
            require(got is not None and 1.5 < took < 8,
                    f"the clock at {ahead} ms: a Wait of 2 s took {took:.1f} s")


if __name__ == "__main__":
    suite.main(events_are_accepted_by_the_clock_that_never_goes_back,
               a_window_ends_once_however_often_the_clock_passes_its_end,
               in_the_nights_when_clocks_are_changed_each_is_written_to_once,
               what_was_slept_through_is_not_sent_when_it_is_valid_no_more,
               what_is_parked_is_woken_by_the_other_clock)
