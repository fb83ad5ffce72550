#!/usr/bin/python3
"""Suites beside each other do not meet, and what may run once is not started twice."""
import os
import subprocess
from pathlib import Path

import suite
from suite import require

ANSWER_S = 60


def two_suites_do_not_meet():
    with suite.Suite(suite.config()) as one, suite.Suite(suite.config()) as other:
        one.up()
        other.up()
        few = suite.Rows(one.folder / "rows.csv", count=500, seed=1, customers=40)
        many = suite.Rows(other.folder / "rows.csv", count=900, seed=2, customers=70)
        loader = one.ingest_begin(few)
        require(other.ingest(many)["accepted"] == 900, "all rows of the other are accepted")
        require(one.ingest_end(loader)["accepted"] == 500, "all rows of the one are accepted")
        totals = [kith.cli("report", "totals") for kith in (one, other)]
        require([one_of["events"] for one_of in totals] == [500, 900],
                f"each has its own events and no others: {totals}")
        pids = [{facts["pid"] for facts in kith.file().values()} for kith in (one, other)]
        require(not pids[0] & pids[1], f"they share processes: {pids}")
        ports = [{facts["admin_port"] for facts in kith.status().values()} for kith in (one, other)]
        require(not ports[0] & ports[1], f"they share ports: {ports}")

        one.down()
        require(other.cli("report", "totals") == totals[1], "one's end is the other's loss")
        require(all(facts["ready"] for facts in other.status().values()), "the other is ready")
        require(other.status().keys() == {(name, 0) for name in suite.SERVICES}, "all are up")


def a_second_up_is_refused():
    with suite.Suite(suite.config()) as kith:
        kith.up()
        before = kith.file()
        for detach in (["--detach"], []):
            again = kith.cli("up", "-c", kith.config, *detach, as_json=False, check=False)
            require(again.returncode == 1, f"exit {again.returncode}: {again.stderr}")
            require("runs already" in again.stderr and str(kith.data) in again.stderr,
                    f"the second up says: {again.stderr}")
        require(kith.file() == before, "the second up touched the first")
        require(all(facts["ready"] for facts in kith.status().values()), "the first goes on")


def serve_again(kith, service):
    """The service's own program, a second time."""
    command = [str(suite.BIN / f"kith-{service}"), "serve", "--config", str(kith.config), "--data",
               str(kith.data)]
    return subprocess.run(command, env=kith.environment, capture_output=True, text=True,
                          timeout=ANSWER_S, check=False)


def a_service_runs_once():
    with suite.Suite(suite.config()) as kith:
        kith.up()
        rows = suite.Rows(kith.folder / "rows.csv", count=200, seed=3, customers=20)
        kith.ingest(rows)
        before = kith.file()
        totals = kith.cli("report", "totals")
        for service in suite.SERVICES:
            again = serve_again(kith, service)
            require(again.returncode == 1, f"{service}: exit {again.returncode}: {again.stderr}")
            require("another process serves this shard" in again.stderr and
                    f"{service}-0.pid" in again.stderr, f"{service} says: {again.stderr}")
        # The sockets are still those of the first ones.
        require(kith.file() == before, "a service was replaced")
        require(kith.cli("report", "totals") == totals, "the first ones answer as before")


def a_suite_stands_alone_after_its_supervisor_died():
    """kill -9 of the supervisor: its services may outlive it, but the next up gets them ended or
    waits for them, and never runs two of one."""
    with suite.Suite(suite.config()) as kith:
        kith.up()
        rows = suite.Rows(kith.folder / "rows.csv", count=200, seed=3, customers=20)
        kith.ingest(rows)
        totals = kith.cli("report", "totals")
        os.kill(int((kith.data / "run" / "supervisor.lock").read_text()), 9)
        suite.wait_until(lambda: kith.cli("up", "-c", kith.config, "--detach", as_json=False,
                                          check=False).returncode == 0,
                         what="the suite comes up again")
        require(kith.cli("report", "totals") == totals, "all is as it was")
        kept = list(kith.processes())
        require(len(kept) == 1 + len(suite.SERVICES), f"one supervisor and the services: {kept}")


def a_path_that_is_too_long_is_told():
    """A socket's path has at most 107 bytes; whoever is cut off would meet others' sockets."""
    with suite.Suite(suite.config()) as kith:
        deep = kith.folder / ("d" * 50) / ("e" * 50)
        deep.mkdir(parents=True)
        command = [str(suite.BIN / "kith"), "up", "-c", str(kith.config), "--detach", "--data",
                   str(deep)]
        done = subprocess.run(command, env=kith.environment, capture_output=True, text=True,
                              timeout=ANSWER_S, check=False)
        require(done.returncode == 1, f"exit {done.returncode}: {done.stderr}")
        require("107" in done.stderr and "shorter" in done.stderr, f"it says: {done.stderr}")
        running = [words for pid in Path("/proc").iterdir() if pid.name.isdigit()
                   for words in [command_line(pid)] if str(deep).encode() in words]
        require(not running, f"something was started: {running}")

        # What fits runs, up to the last byte.
        longest = max(len(f"/run/{service}-0.feed") for service in suite.SERVICES)
        exact = kith.folder / ("f" * (107 - longest - len(str(kith.folder)) - 1))
        kith.data = exact
        kith.up()
        require(all(facts["ready"] for facts in kith.status().values()), "at the bound it runs")


def command_line(process):
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


suite.main(two_suites_do_not_meet,
           a_second_up_is_refused,
           a_service_runs_once,
           a_suite_stands_alone_after_its_supervisor_died,
           a_path_that_is_too_long_is_told)
