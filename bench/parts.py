"""The parts of a round: each starts a suite, loads it, and counts again what was acknowledged."""
import json
import statistics
import time

import suites
from feeds import crowds
from figures import TREE, Span
from loads import FORMS, Failure, Load, ask, send_words
from suites import Suite

SERVICES = ("ingestion", "loyalty", "segmentation", "campaign", "reporting")
READERS = SERVICES[1:]
# Who has work to do for an event: there is little for campaign, which only hears of entries.
WORKERS = ("ingestion", "loyalty", "segmentation", "reporting")
SOAK_LOOK_S = 1
RESTART_SHARE = 0.9  # of the highest rate, so that nobody is far behind when it is killed
SINGLE = "single, 64 in flight"
INGEST_WANTED = {"1,000": "700 k/s", "single": "80 k/s, p99 5 ms"}
POST_WANTED = {"1,000": "400 k/s", "single": "60 k/s"}


def form_name(form):
    return SINGLE if form == "single" else f"batches of {form}"


def count_text(count):
    return f"{count / 1000000:g} million" if count >= 100000 else f"{count:,}"


def limits_measure(found, forms):
    """Before there is a suite, which would take part of the machine."""
    for form in forms:
        found.limit("ingest", form)


# ---- ingestion alone


def ingest(found):
    """`found` is the Round, here and below."""
    options = found.options
    name = "ingestion alone"
    limits_measure(found, FORMS)
    with Suite(options, "ingest", ("ingestion",)) as suite:
        found.memory_idle(suite, name)
        events = found.preload(suite, options.known)
        for form in FORMS:
            known = f", from {count_text(events)} known" if form == "1,000" else ""
            work = {"method": "ingest", "form": form, "workers": ("ingestion",),
                    "wanted": INGEST_WANTED.get(form), "limit": ("ingest", form)}
            _, accepted = found.measure(
                suite, f"events into ingestion alone, {form_name(form)}{known}", work)
            events += accepted
        found.memory_loaded(suite, name)
        found.disk_note(suite, name, events)
        replay(found, suite, events)


def counted_again(found, suite, events):
    """What one consumer says who reads everything after kill -9."""
    suite.kill("ingestion")
    counted = ask(suite.load_words("count", "--feed", suite.endpoint("ingestion", "feed"), "--run",
                                   "ingestion"))
    found.check(f"{events:,} events were acknowledged, and after kill -9 the feed has "
                f"{counted['events']:,}", counted["events"] == events)
    return counted


def replay(found, suite, events):
    """One consumer reads everything; beside it, LMDB alone walks the same journal."""
    counted = counted_again(found, suite, events)
    scan = ask([found.options.bin / "kith-bench-scan", suite.journal("ingestion")])
    found.add("events read from ingestion's feed by one consumer, from the first",
              rate=counted["rate"], wanted="3 M/s", beside=events / scan["seconds"],
              beside_name="LMDB's cursor")


def ingest_large(found):
    options = found.options
    limits_measure(found, ["1,000"])
    with Suite(options, "large", ("ingestion",)) as suite:
        events = found.preload(suite, options.known_large)
        work = {"method": "ingest", "form": "1,000", "workers": ("ingestion",),
                "wanted": "400 k/s", "limit": ("ingest", "1,000")}
        _, accepted = found.measure(suite, "events into ingestion alone, batches of 1,000, from "
                                    f"{count_text(events)} known", work)
        counted_again(found, suite, events + accepted)


# ---- the ledger


def post_method(form):
    return "spend" if form == "single" else "post"


def ledger_with(found, customers, works):
    """`works` is {form: what is known of its figure}. Returns {form: postings a second}."""
    rates = {}
    name = f"ledger, {count_text(customers)} accounts"
    for work in works.values():
        if "limit" in work:
            found.limit(*work["limit"])
    with Suite(found.options, "ledger", ("ingestion", "loyalty")) as suite:
        found.memory_idle(suite, name)
        postings = found.preload(suite, customers, ["loyalty"])
        for form, known in works.items():
            method = post_method(form)
            said, accepted = found.measure(
                suite, f"postings, loyalty.{method.capitalize()}, {form_name(form)}, "
                f"{count_text(customers)} accounts",
                {"method": method, "form": form, "workers": ("loyalty",), **known}, "--customers",
                customers)
            rates[form] = said["rate"]
            postings += accepted
        found.memory_loaded(suite, name)
        suite.kill("loyalty")
        verified = suite.cli("loyalty", "verify", as_json=True)
        found.check(f"{postings:,} postings were acknowledged or earned, and after kill -9 the "
                    f"ledger adds up from {verified['postings']:,}",
                    verified["ok"] and verified["postings"] == postings)
    return rates


def ledger_works(forms):
    return {form: {"wanted": POST_WANTED.get(form), "limit": (post_method(form), form)}
            for form in forms}


def ledger(found):
    ledger_with(found, found.options.customers, ledger_works(FORMS))


def ledger_large(found):
    """Beside each figure stands that with fewer accounts."""
    options = found.options
    forms = ("1,000", "single")
    rates = ledger_with(found, options.customers, ledger_works(forms))
    fewer = f"{count_text(options.customers)} accounts"
    ledger_with(found, options.customers_large,
                {form: {"wanted": "60 %", "beside": rates[form], "beside_name": fewer}
                 for form in forms})


# ---- all services


def reader_words(suite):
    words = []
    for reader in READERS:
        words += ["--reader", f"{reader}={suite.endpoint(reader, 'feed')}"]
    return words


def half_load(found, suite, rate):
    """The times of single events while the suite runs at half of what it can."""
    ends = {name: one["seq"] for name, one in suite.status().items()}
    watches = []
    for feed in ("loyalty", "segmentation"):
        watches += ["--watch", f"{feed}={suite.endpoint(feed, 'feed')}@{ends[feed]}"]
    work = {"method": "ingest", "form": "100", "workers": WORKERS, "watches": watches}
    said, events = found.measure(suite, "half load: event sent to its acknowledgement", work,
                                 "--rate", rate)
    found.add("half load: event acknowledged to points at a subscriber", load=said["rate"],
              wanted="p99 10 ms", answer=said["loyalty_from_acknowledged"])
    found.add("half load: event acknowledged to segment entry at a subscriber", load=said["rate"],
              wanted="p99 10 ms", answer=said["segmentation_from_acknowledged"])
    if said["segmentation_from_due"]["count"] == 0:
        raise Failure("nobody entered the segment; give more --customers or less time")
    earned = said["loyalty_from_due"]["count"]
    found.check(f"at half load {said['items']:,} events earned points, and {earned:,} such facts "
                "reached the subscriber", said["items"] == earned)
    return events


def restart(found, suite, service, customers):
    """The service is killed when about a checkpoint interval of load lies behind a checkpoint, and
    the next one has not ended: so its journal is as far ahead of its state as it gets. Returns
    (seconds until it is ready again, blocks that it evolved, events of the load)."""
    words = send_words("1,000", "ingest", suites.ANSWER_S, customers, "--to",
                       suite.endpoint("ingestion"), "--run", found.run_name(), "--rate",
                       RESTART_SHARE * found.suite_rate)
    with Load(suite.load_words(*words)) as load:
        before = suite.checkpoints()[service]
        end = time.monotonic() + suites.ANSWER_S / 2
        # One that has nothing to do makes no checkpoint.
        while service in WORKERS and suite.checkpoints()[service] == before:
            if load.has_ended(0.1) or time.monotonic() > end:
                break
        load.has_ended(0.8 * suite.interval_s)
        load.stop()
        events = load.result()["items"]
    seconds, blocks = suite.kill(service)
    found.say(f"{service}: killed, ready again after {seconds:.2f} s, {blocks} blocks evolved")
    return seconds, blocks, events


def restarts(found, suite, customers):
    """Each service several times over. Returns the events of all loads."""
    events = 0
    for service in SERVICES:
        seconds, blocks, taken = zip(*(restart(found, suite, service, customers)
                                       for _ in range(found.options.times)))
        events += sum(taken)
        found.restarts.append({"customers": customers, "service": service,
                               "seconds": statistics.median(seconds), "most": max(seconds),
                               "blocks": statistics.median(blocks)})
    return events


def everything_counted(found, suite, events):
    for service in SERVICES:
        suite.kill(service)
    totals = suite.cli("report", "totals", "--wait", "1h", as_json=True)
    found.check(f"{events:,} events were acknowledged, and after kill -9 of every service the "
                f"report has {totals['events']:,}", totals["events"] == events)
    verified = suite.cli("loyalty", "verify", as_json=True)
    found.check("the ledger adds up to zero", verified["ok"] and verified["sum"] == 0)


def rate_find(found, suite, customers, limit=None):
    """The figure of all services together, whose rate the others are shares of. Returns how many
    events it took."""
    more = "" if customers == found.options.customers else f", {count_text(customers)} customers"
    work = {"method": "ingest", "form": "1,000", "workers": WORKERS, "wanted": "80 k/s",
            "limit": limit}
    said, events = found.measure(
        suite, f"events through all services, nobody falling behind, batches of 1,000{more}", work,
        "--customers", customers, *reader_words(suite))
    found.suite_rate = said["rate"]
    return events


def whole(found):
    options = found.options
    name = "all services"
    limits_measure(found, ["1,000"])
    with Suite(options, "suite", SERVICES) as suite:
        found.memory_idle(suite, name)
        events = found.preload(suite, options.customers, READERS)
        events += rate_find(found, suite, options.customers, ("ingest", "1,000"))
        events += half_load(found, suite, found.suite_rate / 2)
        found.memory_loaded(suite, name)
        everything_counted(found, suite, events)
        found.disk_note(suite, name, events)


def restarts_with(found, customers):
    with Suite(found.options, "restart", SERVICES) as suite:
        events = found.preload(suite, customers, READERS)
        events += rate_find(found, suite, customers)
        events += restarts(found, suite, customers)
        everything_counted(found, suite, events)


def restarts_few(found):
    restarts_with(found, found.options.customers)


def restarts_many(found):
    restarts_with(found, 10 * found.options.customers)


# ---- memory over time


def half_load_watch(found, suite):
    """Half load for many minutes: anonymous memory is looked at all the time."""
    options = found.options
    words = send_words("100", "ingest", options.minutes * 60, options.customers, "--to",
                       suite.endpoint("ingestion"), "--run", found.run_name(), "--rate",
                       found.suite_rate / 2)
    samples = {service: [] for service in SERVICES}
    with Load(suite.load_words(*words)) as load:
        while not load.has_ended(SOAK_LOOK_S):
            for service, size in suite.anonymous_bytes().items():
                samples[service].append(size)
        said = load.result()
        behind = {service: one["lag"] for service, one in suite.status().items()}
    for service, sizes in samples.items():
        half = len(sizes) // 2
        found.soak.append({"service": service, "first": max(sizes[:half], default=0),
                           "second": max(sizes[half:], default=0), "behind": behind[service]})
    found.add(f"{options.minutes:g} minutes at half load: event sent to its acknowledgement",
              load=said["rate"], answer=said["answer"], seconds=said["seconds"])
    return said["items"]


def soak(found):
    with Suite(found.options, "soak", SERVICES) as suite:
        events = found.preload(suite, found.options.customers, READERS)
        events += rate_find(found, suite, found.options.customers)
        events += half_load_watch(found, suite)
        everything_counted(found, suite, events)


# ---- from a file to the report

FILE_EVENTS_LEAST = 10000
FILE_EVENTS_MOST = 20000000
EVENTS_A_SUBSCRIBER = 60  # of `kith gen`, in a month and a half
DEMO = TREE / "config" / "demo.yaml"


def file_events(found):
    """As many as the suite took in a phase, so that this one lasts as long."""
    rate = found.suite_rate or FILE_EVENTS_LEAST
    return int(min(max(rate * found.options.seconds, FILE_EVENTS_LEAST), FILE_EVENTS_MOST))


def from_file(found):
    """`kith gen` makes an operator's life up, `kith ingest` loads it, and the report has it all, by
    the demonstration's rules and campaigns."""
    rules = DEMO.read_text().partition("\nprogrammes:")
    with Suite(found.options, "file", SERVICES, rules[1] + rules[2], clock="event") as suite:
        life = suite.folder / "life"
        events = file_events(found)
        suite.cli("gen", "--subscribers", max(100, events // EVENTS_A_SUBSCRIBER), "--months", 3,
                  "--events", events, "--out", life)
        truth = json.loads((life / "truth.json").read_text())
        span = Span(suite)
        suite.cli("ingest", life / "events.ndjson", "--map", life / "map.yaml")
        totals = suite.cli("report", "totals", "--wait", "1h", as_json=True)
        seconds = span.seconds()
        found.check(f"the generator made {truth['events']:,} events with a revenue of "
                    f"{truth['revenue_minor']:,} and {truth['points_issued']:,} points, and the "
                    f"report has {totals['events']:,}, {totals['revenue_minor']:,} and "
                    f"{totals['points_issued']:,}",
                    all(truth[name] == totals[name]
                        for name in ("events", "revenue_minor", "points_issued")))
        found.add("events through all services, from file to report, `kith ingest`",
                  rate=events / seconds, wanted="80 k/s", seconds=seconds,
                  checkpoints=span.checkpoints(WORKERS), cpu=span.cpu(events))


PARTS = {"ingest": ingest, "crowds": crowds, "ledger": ledger, "suite": whole, "file": from_file}
LARGE = [ingest_large, ledger_large]
RESTARTED = [restarts_few, restarts_many]
