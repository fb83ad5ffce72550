#!/usr/bin/python3
"""libkith as other systems get it: installed, its examples compiled out of the tree by pkg-config
alone, and run against real suites."""
# ctest: TIMEOUT 300
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import events
import feeds
import suite
from kith.v1 import campaign_pb2, loyalty_pb2
from suite import require

EXAMPLES = suite.TREE / "clients" / "c" / "examples"
BUILD = suite.OPTIONS.build.resolve()
WARNINGS = ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
POSTINGS = (16, 17, 18)
SERVICES = ("ingestion", "loyalty")

CAMPAIGN = """\
channels:
  - {name: outbox, kind: file, address: phone}
campaigns:
  - name: hello
    segment: spend_200_in_90d
    channel: outbox
    text: "Hello, {customer}"
  - name: past
    segment: spend_200_in_90d
    channel: outbox
    text: "You should not read this"
    valid: {from: "1990-01-01T00:00:00Z", until: "1990-02-01T00:00:00Z"}
"""


# ---- installing and compiling


def run(*words, environment=None, check=True, timeout_s=suite.ANSWER_S):
    done = subprocess.run([str(word) for word in words], env=environment, capture_output=True,
                          text=True, timeout=timeout_s, check=False)
    if check:
        require(done.returncode == 0, f"{words}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


def cached(name):
    """A value of the build's CMakeCache.txt."""
    found = re.search(rf"^{name}:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)
    return found.group(1) if found else ""


class Library:
    """libkith in a folder of its own, and the examples beside it."""

    def __init__(self, folder):
        self.folder = folder
        self.prefix = folder / "prefix"
        run("cmake", "--install", BUILD, "--prefix", self.prefix, "--component", "client")
        pc = next(self.prefix.rglob("kith.pc"))
        self.lib = pc.parent.parent
        self.environment = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent))
        self.made = {}

    def flags(self, *words):
        return shlex.split(run("pkg-config", *words, environment=self.environment).stdout)

    def compile(self, source, name, libraries):
        """The program, made by the compiler and with the sanitizers of the build."""
        sanitize = cached("KITH_SANITIZE")
        words = [cached("CMAKE_C_COMPILER"), *WARNINGS, *self.flags("--cflags", "kith"), source,
                 "-o", self.folder / name, *libraries]
        run(*words, *([f"-fsanitize={sanitize}"] if sanitize else []))
        return self.folder / name

    def example(self, name):
        if name not in self.made:
            self.made[name] = self.compile(EXAMPLES / f"{name}.c", name,
                                           self.flags("--libs", "kith"))
        return self.made[name]

    def begin(self, kith, name, *words):
        """The example, started in the suite's environment, so that sanitizers are heard."""
        return subprocess.Popen([str(self.example(name)), *map(str, words)],
                                env=dict(kith.environment, LD_LIBRARY_PATH=str(self.lib)),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, kith, name, *words):
        """(exit code, stdout, stderr)"""
        process = self.begin(kith, name, *words)
        out, error = process.communicate(timeout=suite.ANSWER_S)
        return process.returncode, out, error


@contextmanager
def library():
    folder = Path(tempfile.mkdtemp(prefix="kith-client-c-", dir="/tmp"))
    try:
        yield Library(folder)
    finally:
        shutil.rmtree(folder)


def endpoint(kith, service, kind="cmd"):
    return f"ipc://{kith.data}/run/{service}-0.{kind}"


# ---- what is installed


def the_installed_library_shows_its_own_names_only():
    with library() as lib:
        shared = lib.lib / "libkith.so"
        require(shared.is_symlink(), "libkith.so names the newest version")
        soname = re.search(r"SONAME.*\[(.+)\]", run("readelf", "-d", shared).stdout).group(1)
        require(re.fullmatch(r"libkith\.so\.\d+\.\d+", soname), f"soname {soname}")
        require((lib.lib / soname).exists(), f"{soname} is there to be found")
        names = [line.split()[-1] for line in
                 run("nm", "-D", "--defined-only", shared).stdout.splitlines()]
        shown = {name for name in names if not name.startswith("kith__v1__")}
        header = (lib.prefix / "include" / "kith.h").read_text()
        promised = set(re.findall(r"\b(kith_\w+)\(", re.sub(r"/\*.*?\*/", "", header,
                                                            flags=re.DOTALL)))
        require(shown - {"__odr_asan_gen_names"} >= promised, f"missing: {promised - shown}")
        extra = {name for name in shown - promised if not name.startswith("__odr_asan")}
        require(not extra, f"shown, and promised nowhere: {extra}")
        installed = {path.name for path in (lib.prefix / "include" / "kith" / "v1").iterdir()}
        require("loyalty.pb-c.h" in installed, f"messages: {installed}")
        require(not any("private" in name for name in installed), f"private ones: {installed}")
        text = next(lib.prefix.rglob("kith.pc")).read_text()
        require(str(suite.TREE) not in text and str(lib.prefix) not in text, "kith.pc may be moved")


def the_static_library_is_whole():
    with library() as lib, suite.Suite(suite.config(SERVICES)) as kith:
        kith.up()
        program = lib.compile(EXAMPLES / "read_balance.c", "static",
                              [lib.lib / "libkith.a",
                               *lib.flags("--libs", "libprotobuf-c", "libzmq", "libsodium")])
        done = run(program, endpoint(kith, "loyalty"), "nobody", environment=kith.environment,
                   check=False)
        require(done.returncode == 1 and done.stderr.startswith("NOT_FOUND: "), f"{done}")


# ---- the examples


def send(lib, kith, number, customer, cents):
    return lib.run(kith, "send_events", endpoint(kith, "ingestion"), number, customer, cents)


def events_are_sent_and_balances_read():
    with library() as lib, suite.Suite(suite.config(SERVICES)) as kith:
        kith.up()
        for number, said in ((1, "accepted 1 duplicate 0 rejected 0 invalid 0 seq 1"),
                             (2, "accepted 1 duplicate 0 rejected 0 invalid 0 seq 2"),
                             (1, "accepted 0 duplicate 1 rejected 0 invalid 0 seq 1")):
            code, out, error = send(lib, kith, f"e{number}", "Zoë", 350 * number)
            require((code, out) == (0, said + "\n"), f"{out}{error}, expected {said}")
        code, out, error = send(lib, kith, "e1", "Zoë", 351)
        require((code, out[:46]) == (0, "accepted 0 duplicate 0 rejected 1 invalid 0 se"),
                f"{out}{error}: the id was used with other bytes")
        code, out, error = send(lib, kith, "e3", "Zoë", -1)
        require((code, out[:43]) == (0, "accepted 0 duplicate 0 rejected 0 invalid 1"),
                f"{out}{error}: no purchase is below nothing")
        feeds.settle(kith)
        ask = endpoint(kith, "loyalty")
        require(lib.run(kith, "read_balance", ask, "Zoë") == (0, "points 10\n", ""),
                "3 and 7 points")
        code, out, error = lib.run(kith, "read_balance", ask, "nobody")
        require((code, out) == (1, "") and error.startswith("NOT_FOUND: "), f"{error}")
        code, _, error = lib.run(kith, "read_balance", ask, "x" * 65)
        require(error.startswith("INVALID_ARGUMENT: customer must be 1 to 64 bytes"), f"{error}")
        code, _, error = lib.run(kith, "read_balance", "inproc://here", "c")
        require(error.startswith("INVALID_ARGUMENT: endpoint 'inproc://here'"), f"{error}")


def an_event_outlives_the_service_that_was_away():
    with library() as lib, suite.Suite(suite.config(SERVICES)) as kith:
        kith.start("ingestion")
        require(send(lib, kith, "e1", "c1", 100)[0] == 0, "it is taken")
        kith.kill("ingestion")
        sender = lib.begin(kith, "send_events", endpoint(kith, "ingestion"), "e2", "c1", 100)
        kith.start("ingestion")
        out, error = sender.communicate(timeout=suite.ANSWER_S)
        require(out == "accepted 1 duplicate 0 rejected 0 invalid 0 seq 2\n", f"{out}{error}")


def a_campaign_writes_once_to_whom_it_may():
    text = suite.config(("ingestion", "loyalty", "segmentation"), common=CAMPAIGN)
    text = text.replace("\nservices:\n", "\nservices:\n  campaign: {}\n")
    with library() as lib, suite.Suite(text) as kith:
        for service in ("ingestion", "loyalty", "segmentation", "campaign"):
            kith.start(service)
        phone = events.event_pb2.Attribute(name="phone", text="+41 44 1", personal=True)
        made = [events.event(1, "big", type="profile_changed", attributes=[phone], amount=None),
                events.event(2, "big", minor=30000), events.event(3, "small", minor=100)]
        require(events.send(kith.wire("ingestion"), made) == {"accepted": 3}, "three events")
        feeds.settle(kith)
        ask = endpoint(kith, "campaign")
        for campaign, key, said in (("hello", "order-1", "sent"), ("hello", "order-1", "sent"),
                                    ("past", "order-2", "suppressed NOT_VALID")):
            code, out, error = lib.run(kith, "trigger_campaign", ask, campaign, "big", key)
            require((code, out.strip()) == (0, said), f"{campaign}: {out}{error}")
        page = kith.wire("campaign").call("campaign.Decisions",
                                          campaign_pb2.DecisionsRequest(campaign="hello"),
                                          campaign_pb2.DecisionsReply)
        require(len(page.decisions) == 1, f"the same key is the same message: {page}")
        code, _, error = lib.run(kith, "trigger_campaign", ask, "hello", "small", "order-3")
        require(code == 1 and error.startswith("NOT_FOUND: ") and "small" in error, f"{error}")
        code, _, error = lib.run(kith, "trigger_campaign", ask, "no_such", "big", "order-4")
        require(code == 1 and "no_such" in error, f"{error}")


# ---- subscribing


def postings(kith):
    """The lines that the subscriber should print, read without it."""
    return [f"{fact.seq} {fact.subject} {loyalty_pb2.PointsPosted.FromString(fact.body).points}"
            for fact in feeds.read(kith, "loyalty") if fact.type in POSTINGS]


def subscribe(lib, kith, count):
    code, out, error = lib.run(kith, "subscribe", endpoint(kith, "loyalty", "feed"),
                               kith.folder / "cursor", count)
    return code, out.splitlines(), error


def load(kith, first, count):
    made = [events.event(i, f"c{i % 7}", minor=100 * (1 + i % 5)) for i in range(first, first + count)]
    require(events.send(kith.wire("ingestion"), made, size=20, key=f"load{first}") ==
            {"accepted": count}, "all are new")
    feeds.settle(kith)


def a_subscriber_goes_on_where_it_was():
    with library() as lib, suite.Suite(suite.config(SERVICES)) as kith:
        kith.start("ingestion")
        kith.start("loyalty")
        load(kith, 0, 100)
        seen = []
        for count in (1, 2, 17, 30):  # ends within blocks
            code, lines, error = subscribe(lib, kith, count)
            require(code == 0 and len(lines) == count, f"{lines}: {error}")
            seen += lines
        kith.kill("loyalty")
        kith.start("loyalty")
        load(kith, 100, 100)
        code, lines, error = subscribe(lib, kith, 150)
        require(code == 0, f"{error}")
        expected = postings(kith)
        require(len(expected) == 200 and seen + lines == expected, "each posting once, in order")
        code, lines, error = subscribe(lib, kith, 1)
        require((code, lines) == (1, []) and error.startswith("DEADLINE_EXCEEDED: feed loyalty/0"),
                f"nothing new: {lines} {error}")


def a_subscriber_waits_for_a_service_that_is_away():
    with library() as lib, suite.Suite(suite.config(SERVICES)) as kith:
        kith.start("ingestion")
        kith.start("loyalty")
        load(kith, 0, 10)
        kith.kill("loyalty")
        code, lines, error = subscribe(lib, kith, 1)
        require((code, lines) == (1, []) and error.startswith("UNAVAILABLE: feed loyalty/0"),
                f"{lines} {error}")
        reader = lib.begin(kith, "subscribe", endpoint(kith, "loyalty", "feed"),
                           kith.folder / "cursor", 10)
        kith.start("loyalty")
        out, error = reader.communicate(timeout=suite.ANSWER_S)
        require(out.splitlines() == postings(kith), f"{out}{error}")


def another_journal_is_not_taken_for_the_one_that_was_read():
    """Made anew it has another epoch; put back from an older copy it ends too early, or goes on
    with other blocks."""
    with library() as lib, suite.Suite(suite.config(SERVICES)) as kith:
        folder = kith.data / "loyalty" / "0"
        copy = kith.folder / "copy"
        kith.start("ingestion")
        kith.start("loyalty")
        load(kith, 0, 20)
        kith.stop("loyalty")
        shutil.copytree(folder, copy)
        kith.start("loyalty")
        load(kith, 20, 40)
        require(subscribe(lib, kith, 60)[0] == 0, "60 are read")
        cursor = (kith.folder / "cursor").read_text()

        kith.stop("loyalty")
        shutil.rmtree(folder)
        shutil.copytree(copy, folder)
        kith.stop("ingestion")  # so that the journal stays at its older end
        kith.start("loyalty")
        loss_is_told(lib, kith, "")

        kith.stop("loyalty")
        shutil.rmtree(folder)
        kith.start("ingestion")
        kith.start("loyalty")
        feeds.settle(kith)
        loss_is_told(lib, kith, "epoch")
        require((kith.folder / "cursor").read_text() == cursor, "the cursor stays where it was")


def loss_is_told(lib, kith, word):
    code, lines, error = subscribe(lib, kith, 1)
    require((code, lines) == (1, []) and error.startswith("DATA_LOSS: feed loyalty/0: ") and
            word in error, f"{lines} {error}")


suite.main(the_installed_library_shows_its_own_names_only,
           the_static_library_is_whole,
           events_are_sent_and_balances_read,
           an_event_outlives_the_service_that_was_away,
           a_campaign_writes_once_to_whom_it_may,
           a_subscriber_goes_on_where_it_was,
           a_subscriber_waits_for_a_service_that_is_away,
           another_journal_is_not_taken_for_the_one_that_was_read)
