"""Messages to customers: who gets one, who does not and why, each exactly once.

What must come is worked out here from the events, by rules written down a second time; the judges
are the outbox's file, a real mail server, and the decisions that can be asked for.
"""
# ctest: TIMEOUT 300
import collections
import json
import random
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from types import SimpleNamespace

import suite
from suite import require

import events
import mail_server
from kith.v1 import event_pb2

DAY_MS = events.DAY_MS
BEGIN_MS = events.BEGIN_MS

WINDOW_DAYS = 30
THRESHOLD = 10000
CAP_DAYS = 20
VALID_DAYS = (5, 80)
NEWS_FIRST_DAY = 10
NEWS_EVERY_DAYS = 14


def stamp(at_ms):
    seconds, rest = divmod(at_ms, 1000)
    text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:03d}Z" if rest else f"{text}Z"


def day(number):
    return BEGIN_MS + number * DAY_MS


SEGMENTS = f"""\
segments:
  - name: big
    rule: {{sum: purchase, over_days: {WINDOW_DAYS}, at_least: "{THRESHOLD // 100}.00"}}
  - name: gold
    rule: {{attribute: tier, equals: gold}}
"""

OUTBOX_CAMPAIGNS = f"""\
channels:
  - {{name: outbox, kind: file, address: phone}}
campaigns:
  - name: thanks
    segment: big
    channel: outbox
    on_entry: true
    text: "Dear {{first_name}}, thank you! {{{{{{customer}}}}}}"
    cap: {{messages: 1, per_days: {CAP_DAYS}}}
    valid: {{from: "{stamp(day(VALID_DAYS[0]))}", until: "{stamp(day(VALID_DAYS[1]))}"}}
  - name: news
    segment: gold
    channel: outbox
    schedule: {{first: "{stamp(day(NEWS_FIRST_DAY))}", every_days: {NEWS_EVERY_DAYS}}}
    text: "News for {{customer}}"
  - name: nudge
    segment: big
    channel: outbox
    text: "Still there, {{customer}}?"
    cap: {{messages: 1, per_days: 5}}
"""


def configuration(clock, campaigns, shards=1, services=suite.SERVICES):
    lines = ["version: 1", f"suite: {{clock: {clock}, time_zone: UTC, "
             "restart: {first_delay_ms: 20, most_delay_ms: 1000}}", "services:"]
    for name in services:
        own = f"shards: {shards}" if name != "ingestion" else ""
        lines.append(f"  {name}: {{{own}}}")
    lines += ["programmes:", "  - name: points", "    earn:",
              "      - {event: purchase, points: 1, unit_minor: 100, rounding: floor}"]
    return "\n".join(lines) + "\n" + SEGMENTS + campaigns


# ---- what happens


def told(number, customer, at_ms, **attributes):
    """A profile_changed; phone and email are personal."""
    return event_pb2.Event(
        source="test", id=f"e{number}", type="profile_changed", customer=customer,
        occurred_at_ms=at_ms, schema_version=1,
        attributes=[event_pb2.Attribute(name=name, text=text, personal=name in ("phone", "email"))
                    for name, text in attributes.items()])


def history(seed, customers=300, days=90, count=5000):
    """Events of a made-up quarter, one each second at most, in the order of time."""
    draw = random.Random(seed)
    times = sorted(draw.sample(range(1, days * 24 * 3600), count + customers))
    made = []
    names = [f"c{i:03d}" for i in range(customers)]
    for number, second in enumerate(times):
        at_ms = BEGIN_MS + second * 1000
        if number < customers:
            about = {"tier": draw.choice(("gold", "basic"))}
            if draw.random() < 0.9:
                about["phone"] = f"+41 44 {number:03d}"
            if draw.random() < 0.9:
                about["first_name"] = f"Jürg \"{number}\""
            made.append(told(number, names[number], at_ms, **about))
            continue
        customer = names[int(customers * draw.random() ** 1.5)]
        what = draw.random()
        if what < 0.9:
            made.append(events.event(number, customer, draw.randrange(100, 9000), at_ms))
        elif what < 0.96:
            made.append(told(number, customer, at_ms, tier=draw.choice(("gold", "basic"))))
        else:
            made.append(told(number, customer, at_ms, phone=f"+1 {number}"))
    return made


class Oracle:
    """What campaigns must make of a history, told event by event."""

    def __init__(self):
        self.profile = collections.defaultdict(dict)
        self.contact = collections.defaultdict(dict)  # as of the newest entry that needs it
        self.purchases = collections.defaultdict(list)
        self.gold = set()
        self.sent_at = collections.defaultdict(list)
        self.thanks = []  # in their order
        self.news = []
        self.next_news = day(NEWS_FIRST_DAY)
        self.entries = 0

    def spent(self, customer, now_ms):
        begin = now_ms - WINDOW_DAYS * DAY_MS
        return sum(minor for at_ms, minor in self.purchases[customer] if at_ms > begin)

    def is_big(self, customer, now_ms):
        return self.spent(customer, now_ms) >= THRESHOLD

    def take(self, made):
        self.time_to(made.occurred_at_ms)
        customer = made.customer
        if made.type == "purchase":
            was_big = self.is_big(customer, made.occurred_at_ms)
            self.purchases[customer].append((made.occurred_at_ms, made.amount.minor))
            if not was_big and self.is_big(customer, made.occurred_at_ms):
                self.entry(customer, made.occurred_at_ms)
            return
        for attribute in made.attributes:
            self.profile[customer][attribute.name] = attribute.text
        is_gold = self.profile[customer].get("tier") == "gold"
        if is_gold and customer not in self.gold:
            self.entries += 1
            self.learn(customer, "phone")
        (self.gold.add if is_gold else self.gold.discard)(customer)

    def learn(self, customer, *names):
        for name in names:
            if name in self.profile[customer]:
                self.contact[customer][name] = self.profile[customer][name]

    def time_to(self, now_ms):
        while self.next_news <= now_ms:
            step = f"schedule/{stamp(self.next_news)}"
            for customer in self.gold:
                reason = None if "phone" in self.contact[customer] else "no_address"
                self.news.append(self.line(customer, self.next_news, reason, step,
                                           f"News for {customer}"))
            self.next_news += NEWS_EVERY_DAYS * DAY_MS

    def entry(self, customer, now_ms):
        self.entries += 1
        self.learn(customer, "phone", "first_name")
        contact = self.contact[customer]
        capped = [at for at in self.sent_at[customer] if at > now_ms - CAP_DAYS * DAY_MS]
        if not day(VALID_DAYS[0]) <= now_ms < day(VALID_DAYS[1]):
            reason = "not_valid"
        elif capped:
            reason = "cap_reached"
        elif "phone" not in contact:
            reason = "no_address"
        elif "first_name" not in contact:
            reason = "missing_attribute"
        else:
            reason = None
            self.sent_at[customer].append(now_ms)
        text = f"Dear {contact.get('first_name')}, thank you! {{{customer}}}"
        self.thanks.append(self.line(customer, now_ms, reason, "entry/", text))

    def line(self, customer, at_ms, reason, step, text):
        return SimpleNamespace(customer=customer, at=stamp(at_ms), reason=reason, step=step,
                               text=text, to=self.contact[customer].get("phone"))

    def outbox(self):
        return sorted((name, one.customer, one.to, one.text, one.at)
                      for name, lines in (("thanks", self.thanks), ("news", self.news))
                      for one in lines if one.reason is None)


# ---- asking


def lines(kith, *words):
    return [json.loads(line) for line in kith.cli(*words, "--json", as_json=False).splitlines()]


def decisions(kith, campaign):
    """Of one campaign, each dispatch once, numbers from 1 (of each shard)."""
    found = lines(kith, "campaign", "decisions", campaign)
    require(len({one["dispatch"] for one in found}) == len(found), "a dispatch is decided once")
    for one in found:
        require((one["decision"] == "suppressed") == (one["reason"] is not None),
                f"one reason where it was suppressed: {one}")
    return found


def outbox(kith, shards=1):
    found = []
    for shard in range(shards):
        path = kith.data / "outbox" / f"outbox-{shard}.ndjson"
        written = path.read_text().splitlines() if path.exists() else []
        found += [json.loads(line) for line in written]
    require(len({one["dispatch"] for one in found}) == len(found), "a line for each dispatch")
    return found


def trigger(kith, campaign, customer, key, *words):
    """(exit code, its JSON object or None, what it said)"""
    done = kith.cli("campaign", "trigger", campaign, "--customer", customer, "--key", key,
                    "--json", *words, as_json=False, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def load(kith, made):
    counts = events.send(kith.wire("ingestion"), made)
    require(counts == {"accepted": len(made)}, f"all are accepted: {counts}")


# ---- history, by the clock of its events


def decisions_check(found, expected, trigger_name):
    told_of = [(one["customer"], one["decision"], one["reason"], one["at"], one["trigger"],
                one["channel"]) for one in found]
    wanted = [(one.customer, "suppressed" if one.reason else "sent", one.reason, one.at,
               trigger_name, "outbox") for one in expected]
    require(told_of == wanted, f"decisions differ: {first_difference(told_of, wanted)}")
    for one, by_oracle in zip(found, expected):
        require(one["step"].startswith(by_oracle.step), f"{one['step']} for {by_oracle.step}")
        detail = "first_name" if one["reason"] == "missing_attribute" else None
        require(one["detail"] == detail, f"its detail: {one}")


def first_difference(found, wanted):
    for i, (one, other) in enumerate(zip(found, wanted)):
        if one != other:
            return f"at {i}: {one}, expected {other}"
    return f"{len(found)}, expected {len(wanted)}"


def history_comes_to_what_the_rules_say():
    """Entries, schedules, caps, validity and missing words over a quarter; then by command."""
    made = history(seed=20261)
    oracle = Oracle()
    for one in made:
        oracle.take(one)
    reasons = collections.Counter(one.reason for one in oracle.thanks)
    require(all(reasons[reason] >= 3 for reason in
                (None, "not_valid", "cap_reached", "no_address", "missing_attribute")),
            f"the history has some of each: {reasons}")
    with suite.Suite(configuration("event", OUTBOX_CAMPAIGNS)) as kith:
        kith.up()
        load(kith, made)
        thanks = decisions(kith, "thanks")
        require([one["number"] for one in thanks] == list(range(1, len(thanks) + 1)), "numbers")
        decisions_check(thanks, oracle.thanks, "entry")
        decisions_check(sorted(decisions(kith, "news"),
                               key=lambda one: (one["at"], one["customer"])),
                        sorted(oracle.news, key=lambda one: (one.at, one.customer)), "schedule")
        found = sorted((one["campaign"], one["customer"], one["to"], one["text"], one["at"])
                       for one in outbox(kith))
        require(found == oracle.outbox(),
                f"the outbox differs: {first_difference(found, oracle.outbox())}")
        totals_check(kith, oracle)
        by_command(kith, oracle, made[-1].occurred_at_ms)
        time_goes_on(kith, oracle)
        shown_to_people(kith)
        kith.verify_state()


def totals_check(kith, oracle):
    everything = oracle.thanks + oracle.news
    totals = kith.cli("report", "totals")
    told_of = [totals[name] for name in ("segment_entries", "sent", "suppressed", "unknown")]
    sent = sum(one.reason is None for one in everything)
    require(told_of == [oracle.entries, sent, len(everything) - sent, 0], f"totals: {told_of}")
    figures = {one["campaign"]: one for one in lines(kith, "campaign", "list")}
    require(list(figures) == ["thanks", "news", "nudge"] or len(figures) == 3, f"{figures}")
    require(sum(one["sent"] for one in figures.values()) == sent, f"figures: {figures}")
    require(all(one["open"] == one["planned"] == 0 for one in figures.values()), f"{figures}")


def by_command(kith, oracle, now_ms):
    """kith campaign trigger: each answer that it has."""
    known = [name for name in oracle.contact if "phone" in oracle.contact[name]]
    big = next(name for name in known if oracle.is_big(name, now_ms))
    small = next(name for name in known if not oracle.is_big(name, now_ms))
    before = len(outbox(kith))
    code, first, said = trigger(kith, "nudge", big, "k1")
    require((code, first["decision"], first["reason"]) == (0, "sent", None), f"{first} {said}")
    require(trigger(kith, "nudge", big, "k1")[:2] == (0, first), "the same key, the same line")
    written = outbox(kith)[before:]
    require([(one["dispatch"], one["customer"], one["text"]) for one in written] ==
            [(first["dispatch"], big, f"Still there, {big}?")], f"one line: {written}")
    for customer, campaign, key, reason in ((big, "nudge", "k2", "cap_reached"),
                                            (small, "nudge", "k3", "not_in_segment"),
                                            (big, "thanks", "k4", "not_valid")):
        code, got, said = trigger(kith, campaign, customer, key)
        require((code, got["decision"], got["reason"]) == (0, "suppressed", reason),
                f"{campaign} for {customer}: {got} {said}")
        require(trigger(kith, campaign, customer, key)[:2] == (0, got), "and again")
    for customer, campaign, key, words in (("nobody", "nudge", "k5", "nobody"),
                                           (big, "no_such", "k6", "no_such"),
                                           (small, "nudge", "k1", "key")):
        code, got, said = trigger(kith, campaign, customer, key)
        require((code, got) == (1, None) and words in said, f"{customer}: {code} {got} {said}")
    nudged = decisions(kith, "nudge")
    require([(one["customer"], one["reason"], one["trigger"], one["step"]) for one in nudged] ==
            [(big, None, "command", "command/k1"), (big, "cap_reached", "command", "command/k2"),
             (small, "not_in_segment", "command", "command/k3")], f"nudges: {nudged}")
    require(len(outbox(kith)) == before + 1, "nothing else was written")


def time_goes_on(kith, oracle):
    """Time alone lets a schedule's instant come."""
    before = len(oracle.news)
    to_ms = oracle.next_news
    kith.cli("clock", "advance", "--to", stamp(to_ms))
    oracle.time_to(to_ms)
    require(len(decisions(kith, "news")) == len(oracle.news) > before, "one more instant of news")


def shown_to_people(kith):
    """Without --json: a table with a line for each; tail names the facts and hides the message."""
    table = kith.cli("campaign", "decisions", "nudge", as_json=False).splitlines()
    require(len(table) == 4 and table[0].startswith("NUMBER"), f"a table: {table}")
    facts = [json.loads(line) for line in open(kith.tail("campaign"), encoding="utf-8")]
    kinds = collections.Counter(one["type"] for one in facts)
    require(kinds["dispatch.intended"] == kinds["dispatch.sent"] > 0, f"{kinds}")
    require(kinds["dispatch.suppressed"] > 0 and kinds["dispatch.unknown"] == 0, f"{kinds}")
    require(not any("message" in one or "text" in one for one in facts
                    if one["type"].startswith("dispatch.")), "the message is the customer's")
    require(not any("+41" in json.dumps(one) for one in facts), "and so is the address")


def shards_share_the_customers():
    """Two shards of each service: the same decisions, whatever shard they are made on."""
    made = history(seed=20262, customers=80, count=900)
    oracle = Oracle()
    for one in made:
        oracle.take(one)
    with suite.Suite(configuration("event", OUTBOX_CAMPAIGNS, shards=2)) as kith:
        kith.up()
        load(kith, made)
        found = sorted((one["customer"], one["at"], one["reason"] or "")
                       for one in decisions(kith, "thanks"))
        wanted = sorted((one.customer, one.at, one.reason or "") for one in oracle.thanks)
        require(found == wanted, f"thanks: {first_difference(found, wanted)}")
        found = sorted((one["campaign"], one["customer"], one["to"], one["text"], one["at"])
                       for one in outbox(kith, shards=2))
        require(found == oracle.outbox(),
                f"the outbox differs: {first_difference(found, oracle.outbox())}")
        totals_check(kith, oracle)
        kith.verify_state()


# ---- now, by the clock on the wall


WALL_OUTBOX = """\
channels:
  - {name: outbox, kind: file, address: phone}
campaigns:
  - name: thanks
    segment: big
    channel: outbox
    on_entry: true
    text: "Dear {first_name}"
  - name: welcome
    segment: gold
    channel: outbox
    on_entry: true
    text: "Welcome"
    cap: {messages: 1, per_days: 30}
"""


def now_ms():
    return int(time.time() * 1000)


def each_gets_one_message_under_the_wall_clock():
    """A few hundred enter: a line for each, also after a kill; a second entry is capped."""
    begin = now_ms() - 3600 * 1000
    made = []
    for i in range(400):
        made.append(told(3 * i, f"c{i:03d}", begin + i, phone=f"+41 {i}", first_name=f"N{i}",
                         tier="gold" if i % 4 == 0 else "basic"))
        made.append(events.event(3 * i + 1, f"c{i:03d}", THRESHOLD - i % 2, begin + 1000 + i))
    with suite.Suite(configuration("wall", WALL_OUTBOX)) as kith:
        kith.up()
        load(kith, made[:500])
        kith.kill("campaign")
        events.send(kith.wire("ingestion"), made[500:], key="rest")
        thanks = decisions(kith, "thanks")
        spenders = [f"c{i:03d}" for i in range(0, 400, 2)]
        require(sorted(one["customer"] for one in thanks) == spenders,
                "each of those who spent enough once")
        require(all(one["decision"] == "sent" for one in thanks), "and each is sent")
        texts = collections.Counter((one["campaign"], one["to"], one["text"])
                                    for one in outbox(kith))
        wanted = collections.Counter([("thanks", f"+41 {i}", f"Dear N{i}")
                                      for i in range(0, 400, 2)] +
                                     [("welcome", f"+41 {i}", "Welcome") for i in range(0, 400, 4)])
        require(texts == wanted, f"the outbox: {texts - wanted} too many, {wanted - texts} missing")
        events.one(kith.wire("ingestion"), told(5000, "c000", now_ms(), tier="basic"), "out")
        events.one(kith.wire("ingestion"), told(5001, "c000", now_ms(), tier="gold"), "in")
        mine = [one["reason"] for one in decisions(kith, "welcome") if one["customer"] == "c000"]
        require(mine == [None, "cap_reached"], f"its second entry is capped: {mine}")
        totals = kith.cli("report", "totals")
        require((totals["sent"], totals["suppressed"], totals["unknown"]) == (300, 1, 0),
                f"totals: {totals}")
        kith.verify_state()


# ---- e-mail


def smtp_campaigns(port, in_flight_max=4):
    return f"""\
channels:
  - {{name: mail, kind: smtp, address: email, url: "smtp://127.0.0.1:{port}",
     from: care@operator.example, in_flight_max: {in_flight_max}}}
campaigns:
  - name: thanks
    segment: gold
    channel: mail
    on_entry: true
    subject: "For {{customer}}"
    text: "Dear {{first_name}}"
"""


@contextmanager
def mail_suite(in_flight_max=4):
    kith = suite.Suite("services: {}\n")
    server = mail_server.MailServer(kith.folder)
    kith.config.write_text(configuration("wall", smtp_campaigns(server.port, in_flight_max)))
    kith.services = list(suite.SERVICES)
    with kith:
        try:
            kith.up()
            yield kith, server
        finally:
            server.stop()


def gold(number, customer, **more):
    return told(number, customer, now_ms(), tier="gold", first_name=f"N{number}",
                email=f"{customer}@example.org", **more)


def messages_check(kith, server):
    """What the server took is what is called sent, each once, with the dispatch as its name."""
    sent = [one for one in decisions(kith, "thanks") if one["decision"] == "sent"]
    names = [message["headers"]["Message-ID"] for message in server.messages()]
    require(len(set(names)) == len(names), f"a message came twice: {names}")
    require(sorted(name.strip("<>").split("@")[0] for name in names) ==
            sorted(one["dispatch"] for one in sent), f"{names} for {sent}")
    by_customer = {one["customer"]: one for one in sent}
    for message in server.messages():
        customer = message["to"][0].split("@")[0]
        require(message["headers"]["Subject"] == f"For {customer}", f"{message}")
        require(message["from"] == "care@operator.example", f"{message}")
        require(by_customer[customer]["dispatch"] in message["headers"]["Message-ID"], f"{message}")


def a_mail_server_gets_each_message_once():
    with mail_suite() as (kith, server):
        server.start()
        made = [gold(i, f"c{i:03d}") for i in range(60)] + [gold(60, "nobody")]
        load(kith, made)
        found = decisions(kith, "thanks")
        require(len(found) == 61, f"{len(found)} decisions")
        refused = [one for one in found if one["decision"] != "sent"]
        require([(one["customer"], one["decision"], one["reason"]) for one in refused] ==
                [("nobody", "suppressed", "channel_refused")] and "550" in refused[0]["detail"],
                f"the server refused one address: {refused}")
        messages_check(kith, server)
        texts = {message["text"].strip() for message in server.messages()}
        require(texts == {f"Dear N{i}" for i in range(60)}, f"{texts}")
        totals = kith.cli("report", "totals")
        require((totals["sent"], totals["suppressed"], totals["unknown"]) == (60, 1, 0),
                f"totals: {totals}")
        kith.verify_state()


def a_message_waits_for_a_server_that_is_down():
    with mail_suite() as (kith, server):
        load(kith, [gold(i, f"c{i}") for i in range(3)])
        code, got, said = trigger(kith, "thanks", "c0", "k1", "--wait", "1s")
        require((code, got["decision"], got["reason"]) == (3, "pending", None), f"{got} {said}")
        require("same --key" in said, f"it says how to ask again: {said}")
        done = kith.cli("campaign", "decisions", "thanks", "--wait", "1s", as_json=False,
                        check=False)
        require(done.returncode == 3 and "campaign/0 lags" in done.stderr, f"{done}")
        figures = lines(kith, "campaign", "list", "--stale")[0]
        require(figures["sent"] == 0 and figures["open"] + figures["planned"] == 4, f"{figures}")
        status = suite.wait_until(lambda: kith.status()["campaign", 0]["not_ready"],
                                  what="status says why nothing moves")
        require(str(server.port) in status, f"it says who is not reached: {status}")
        server.start()
        code, after, said = trigger(kith, "thanks", "c0", "k1")
        require((code, after["decision"], after["dispatch"]) == (0, "sent", got["dispatch"]),
                f"{after} {said}")
        require(len(decisions(kith, "thanks")) == 4, "all are decided")
        require(len(server.messages()) == 4, "and there")
        messages_check_once(server)
        suite.wait_until(lambda: kith.status()["campaign", 0]["ready"], what="campaign is ready")


def messages_check_once(server):
    names = [message["headers"]["Message-ID"] for message in server.messages()]
    require(len(set(names)) == len(names), f"a message came twice: {names}")


def who_left_while_a_message_waited_gets_none():
    """What counts is the moment at which the channel has a place free."""
    with mail_suite(in_flight_max=1) as (kith, server):
        server.behave("421-mail")
        server.start()
        load(kith, [gold(1, "first"), gold(2, "second"), gold(3, "third")])
        suite.wait_until(lambda: lines(kith, "campaign", "list", "--stale")[0]["planned"] == 2,
                         what="one message is with the channel, two wait")
        events.one(kith.wire("ingestion"), told(4, "second", now_ms(), tier="basic"), "out")
        kith.cli("segment", "count", "gold")  # segmentation has it
        end = kith.ask_status("segmentation").seq
        suite.wait_until(lambda: [one.applied for one in kith.ask_status("campaign").feeds
                                  if one.feed == "segmentation"] == [end],
                         what="campaign has heard of it")
        server.behave("ok")
        found = [(one["customer"], one["decision"], one["reason"])
                 for one in decisions(kith, "thanks")]
        require(found == [("first", "sent", None), ("second", "suppressed", "not_in_segment"),
                          ("third", "sent", None)], f"{found}")
        messages_check(kith, server)
        kith.verify_state()


def campaign_starts_and_stops_like_the_others():
    """kith status, stop, start; rebuilding it is refused; without it the suite is as it was."""
    with suite.Suite(configuration("event", OUTBOX_CAMPAIGNS)) as kith:
        kith.up()
        names = [name for name, _ in kith.status()]
        require(names == list(suite.SERVICES), f"in the order of the flow: {names}")
        kith.cli("stop", "campaign", as_json=False)
        require(kith.status()["campaign", 0]["state"] == "stopped", "it is stopped")
        kith.cli("start", "campaign", as_json=False)
        suite.wait_until(lambda: kith.status()["campaign", 0]["ready"], what="it is ready again")
        done = kith.cli("consumer", "rebuild", "campaign", as_json=False, check=False)
        require(done.returncode == 1 and "write to them again" in done.stderr, f"{done}")
    without = [name for name in suite.SERVICES if name != "campaign"]
    with suite.Suite(configuration("event", "", services=without)) as kith:
        kith.up()
        load(kith, history(seed=1, customers=20, count=200))
        totals = kith.cli("report", "totals")
        require([totals[name] for name in ("sent", "suppressed", "unknown")] == [0, 0, 0] and
                totals["segment_entries"] > 0, f"{totals}")
        done = kith.cli("campaign", "list", as_json=False, check=False)
        require(done.returncode == 1 and "no campaign service" in done.stderr, f"{done}")


suite.main(history_comes_to_what_the_rules_say, shards_share_the_customers,
           each_gets_one_message_under_the_wall_clock, a_mail_server_gets_each_message_once,
           a_message_waits_for_a_server_that_is_down, who_left_while_a_message_waited_gets_none,
           campaign_starts_and_stops_like_the_others)
