"""What ingestion gives those who wait one by one, and those who read its feed: short phases beside
the long ones of parts.py, to see how one number changes with another."""
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from loads import CROWDS, Load, ask, send_words
from report import rate_text
from suites import Suite

MANY_READERS = 8


def ingest_words(found, suite, form, *more):
    return send_words(form, "ingest", found.options.short_seconds, found.options.customers, "--to",
                      suite.endpoint("ingestion"), "--run", found.run_name(), *more)


def crowds(found):
    """Single requests: the more wait, the more go into one commit; one alone waits for a sync."""
    with Suite(found.options, "crowds", ("ingestion",)) as suite:
        for crowd in CROWDS:
            said = found.short_phase(suite, ingest_words(found, suite, crowd))
            found.add(f"single events, {crowd} in flight", rate=said["rate"], answer=said["answer"],
                      seconds=said["seconds"], cpu=said["cpu"])


# ---- readers of a feed


def count_words(suite):
    return suite.load_words("count", "--feed", suite.endpoint("ingestion", "feed"), "--run",
                            "ingestion")


def read_again(suite, stopped):
    """Reads the feed from its first fact to its end, again and again. Returns the rate."""
    events, seconds = 0, 0.0
    while seconds == 0.0 or not stopped.is_set():
        counted = ask(count_words(suite))
        events += counted["events"]
        seconds += counted["seconds"]
    return events / seconds


def half_phase(found, suite, rate, name, wanted=""):
    said = found.short_phase(suite, ingest_words(found, suite, "100", "--rate", rate))
    found.add(name, load=said["rate"], answer=said["answer"], wanted=wanted,
              seconds=said["seconds"], cpu=said["cpu"])


def many_read(found, suite, count):
    """So many at once from the first fact to the last; nobody writes."""
    before = suite.cpu_us()["ingestion"]
    with ExitStack() as stack:
        loads = [stack.enter_context(Load(count_words(suite))) for _ in range(count)]
        counted = [load.result() for load in loads]
    cpu_us = suite.cpu_us()["ingestion"] - before
    events = sum(one["events"] for one in counted)
    rate = events / max(one["seconds"] for one in counted)
    found.add(f"feed, {count} reader{'s at once, together' if count > 1 else ' and no writer'}",
              rate=rate, cpu={"ingestion": cpu_us / events})


def readers(found):
    options = found.options
    with Suite(options, "readers", ("ingestion",)) as suite:
        found.preload(suite, options.customers)
        most = ask(suite.load_words(*ingest_words(found, suite, "100"), "--seconds",
                                    options.seconds))["rate"]
        found.say(f"the writer's most, batches of 100: {rate_text(most)}")
        half_phase(found, suite, most / 2, "writer at half of its most, nobody reads")
        stopped = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(read_again, suite, stopped)
            try:
                half_phase(found, suite, most / 2, "the same while one reads from the first, all "
                           "the time", "p99 10 % more at most")
            finally:
                stopped.set()
            found.add("what that one reads", rate=reader.result())
        many_read(found, suite, 1)
        many_read(found, suite, MANY_READERS)
