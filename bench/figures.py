"""One round of measuring: what every part does with a suite, and what it finds out."""
import json
import shutil
import subprocess
import time
from pathlib import Path

import report
from loads import FORMS, Failure, Load, ask, ask_beside, send_words

TREE = Path(__file__).resolve().parent.parent
CHECKPOINTS_LEAST = 3  # that each service ends within a figure's time
LOOK_S = 1
PROFILE_S = 5
PROFILED_S = PROFILE_S + 2  # the load that is looked at outlasts the look
# Items a second that the limit's table has room for.
LIMIT_RATES_MOST = {"ingest": 4000000, "post": 32000000, "spend": 4000000}


def costs_find(suite, words):
    """The first costs of the suite's services under this load, or None where there is no perf, and
    how many items it took."""
    with Load(suite.load_words(*words)) as load:
        names = [f"{name}={pid}" for name, pid in suite.pids().items()]
        done = subprocess.run([str(TREE / "bench" / "profile"), "--json", "--seconds",
                               str(PROFILE_S), *names], capture_output=True, text=True, check=False)
        items = load.result()["items"]
    return json.loads(done.stdout) if done.returncode == 0 else None, items


class Span:
    """What a suite's services do from here on."""

    def __init__(self, suite):
        self.suite = suite
        self.checkpoints_before = suite.checkpoints()
        self.cpu_before = suite.cpu_us()
        self.begin = time.monotonic()

    def seconds(self):
        return time.monotonic() - self.begin

    def checkpoints(self, workers):
        now = self.suite.checkpoints()
        return {one: now[one] - self.checkpoints_before[one] for one in workers}

    def cpu(self, items):
        """Microseconds of the processors for each of so many items."""
        now = self.suite.cpu_us()
        return {one: (now[one] - self.cpu_before[one]) / max(1, items) for one in now}


class Round:
    """What one round has measured, in the order of measuring; report.py shows it."""

    def __init__(self, options):
        self.options = options
        self.runs = 0
        self.limits = {}    # (method, form): rate
        self.figures = []
        self.restarts = []  # {customers, service, seconds, most, blocks}
        self.memory = []    # {suite, service, idle, loaded}
        self.soak = []      # {service, first, second, behind}: the most in each half; facts
        self.disk = []      # {suite, service, journal, state}: bytes an event
        self.checks = []
        self.suite_rate = None  # of events through all services, once it is known
        self.profiles = options.profile

    def say(self, text):
        print(f"bench: {text}", flush=True)

    def run_name(self):
        """Identifiers begin with it: no two loads on one store send the same event."""
        self.runs += 1
        return f"r{self.runs}"

    def check(self, sentence, holds):
        if not holds:
            raise Failure(f"not so: {sentence}")
        self.checks.append(sentence)
        self.say(sentence)

    def add(self, name, **found):
        self.figures.append({"name": name, **found})
        self.say(report.sentence(self.figures[-1]))

    # -- the limit

    def limit(self, method, form):
        """The rate that kith-bench-limit has for these requests; measured once a round."""
        if (method, form) in self.limits:
            return self.limits[method, form]
        folder = self.options.out.resolve() / "limit"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        keys = int(LIMIT_RATES_MOST[method] * self.options.short_seconds)
        if form == "single":
            keys //= 10
        elif method == "post":
            keys //= FORMS[form][0]  # one for each batch
        server = subprocess.Popen([str(self.options.bin / "kith-bench-limit"), str(folder),
                                   str(max(100000, keys))], stdout=subprocess.PIPE, text=True)
        try:
            endpoint = server.stdout.readline().strip().rstrip("\0")
            words = send_words(form, method, self.options.short_seconds, self.options.customers,
                               "--to", endpoint, "--run", self.run_name())
            found = ask_beside([self.options.bin / "kith-bench-load", *words], server,
                               "kith-bench-limit")
        finally:
            server.kill()
            server.wait()
        shutil.rmtree(folder)
        self.limits[method, form] = found["rate"]
        self.say(f"limit, {method}, {form}: {found['rate']:,.0f} items/s")
        return found["rate"]

    # -- one load

    def short_phase(self, suite, words):
        """A load whatever the checkpoints."""
        span = Span(suite)
        found = ask(suite.load_words(*words, "--seconds", self.options.short_seconds))
        found["cpu"] = span.cpu(found["items"])
        return found

    def phase(self, suite, words, workers):
        """A load of at least the length that is asked for, which goes on until each of `workers`
        has ended its checkpoints within it, if that does not take for ever."""
        options = self.options
        span = Span(suite)

        def is_enough():
            if span.seconds() < options.seconds or span.seconds() >= options.most_seconds:
                return span.seconds() >= options.most_seconds
            return min(span.checkpoints(workers).values()) >= options.checkpoints

        seconds = options.most_seconds if options.checkpoints else options.seconds
        with Load(suite.load_words(*words, "--seconds", seconds)) as load:
            while options.checkpoints and not load.has_ended(LOOK_S):
                if is_enough():
                    load.stop()
                    break
            found = load.result()
        found["checkpoints"] = span.checkpoints(workers)
        found["cpu"] = span.cpu(found["items"])
        found["cpu"]["load"] = found["cpu_us"] / max(1, found["items"])
        return found

    def profile(self, suite, words):
        """({service: its first costs}, items that this took)"""
        if not self.profiles:
            return {}, 0
        costs, items = costs_find(suite, [*words, "--seconds", PROFILED_S])
        if costs is None:
            self.say("no profile: there is no perf, or it may not sample")
            self.profiles = False
        return costs or {}, items

    def measure(self, suite, name, work, *more):
        """One figure: a phase and then its profile. `work` is {method, form, workers} and, where
        there are such, wanted; limit, or beside and beside_name; watches, words for the phase
        alone. Returns (what the load said, items accepted in both)."""
        service = "ingestion" if work["method"] == "ingest" else "loyalty"

        def words():
            return send_words(work["form"], work["method"], self.options.seconds,
                              self.options.customers, "--to", suite.endpoint(service), "--run",
                              self.run_name(), *more)

        found = self.phase(suite, [*words(), *work.get("watches", ())], work["workers"])
        if found["other"] != 0:
            raise Failure(f"{name}: {found['other']} of the items were not accepted")
        costs, profiled = self.profile(suite, words())
        kept = {key: found[key] for key in ("answer", "checkpoints", "seconds", "cpu")}
        # At a rate that was asked for, the times are the figure.
        rate = {"load" if "--rate" in more else "rate": found["rate"]}
        beside = {key: work[key] for key in ("beside", "beside_name") if key in work}
        if work.get("limit"):
            beside = {"beside": self.limit(*work["limit"]), "beside_name": "limit"}
        self.add(name, wanted=work.get("wanted", ""), costs=costs, **rate, **kept, **beside)
        return found, found["items"] + profiled

    # -- what lies beside a load

    def preload(self, suite, count, readers=()):
        """So many events, each of another customer in order, and all of them folded by readers."""
        words = ["send", "--to", suite.endpoint("ingestion"), "--run", self.run_name(), "--batch",
                 1000, "--connections", 4, "--in-flight", 4, "--sequential", "--customers", count,
                 "--items", count, "--seconds", 3600]
        for reader in readers:
            words += ["--reader", f"{reader}={suite.endpoint(reader, 'feed')}"]
        found = ask(suite.load_words(*words))
        if found["other"] != 0:
            raise Failure(f"{found['other']} of the first {count} events were not accepted")
        self.say(f"{found['items']:,} events of as many customers are there, after "
                 f"{found['seconds']:.0f} s")
        return found["items"]

    def memory_idle(self, suite, name):
        for service, size in suite.anonymous_bytes().items():
            self.memory.append({"suite": name, "service": service, "idle": size, "loaded": 0})

    def memory_loaded(self, suite, name):
        sizes = suite.anonymous_bytes()
        for one in self.memory:
            if one["suite"] == name:
                one["loaded"] = sizes[one["service"]]

    def disk_note(self, suite, name, events):
        for service, files in suite.disk_bytes().items():
            self.disk.append({"suite": name, "service": service,
                              "journal": files.get("journal", 0) / events,
                              "state": files.get("state", 0) / events})
