"""A suite of its own for each part of the benchmarks."""
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request

import processes
from loads import Failure, ask

SOCKET_PATH_MOST = 107
ANSWER_S = 120
CHECKPOINT_INTERVAL_S = 5  # as shipped

PROGRAMMES = """\
programmes:
  - name: points
    earn:
      - {event: purchase, points: 1, unit_minor: 100, rounding: floor}
"""
SEGMENTS = """\
segments:
  - name: spend_1500_in_90d
    rule:
      {sum: purchase, over_days: 90, at_least: "1500.00"}
"""
CAMPAIGNS = """\
channels:
  - {name: outbox, kind: file}
campaigns:
  - name: thanks
    segment: spend_1500_in_90d
    channel: outbox
    on_entry: true
    text: "Dear {customer}, thank you for staying with us."
    cap: {messages: 1, per_days: 30}
"""


class Suite:
    """Gone when the `with` is left. `rules` is the configuration's text behind the services,
    made up from what the services need unless it is given."""

    def __init__(self, options, name, services, rules=None, clock="wall"):
        self.bin = options.bin
        self.services = services
        self.interval_s = min(CHECKPOINT_INTERVAL_S, max(0.1, options.seconds / 6))
        self.folder = options.out.resolve() / name
        longest = self.folder / "run" / "segmentation-0.feed"
        if len(str(longest)) > SOCKET_PATH_MOST:
            raise Failure(f"{longest} is longer than a socket's path may be; give another --out")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        self.folder.chmod(0o700)
        self.config = options.out.resolve() / f"{name}.yaml"
        self.config.write_text(self.config_text(rules, clock))
        self.ports = {}

    def config_text(self, rules, clock):
        own = (f"checkpoint_interval_ms: {int(self.interval_s * 1000)}, "
               f"journal_map_bytes: {32 << 30}, state_map_bytes: {32 << 30}")
        head = (f"version: 1\nsuite: {{clock: {clock}, time_zone: UTC, "
                "restart: {first_delay_ms: 1, most_delay_ms: 1000}}\nservices:\n")
        head += "".join(f"  {service}: {{{own}}}\n" for service in self.services)
        if rules is not None:
            return head + rules
        for service, text in (("loyalty", PROGRAMMES), ("segmentation", SEGMENTS),
                              ("campaign", CAMPAIGNS)):
            head += text if service in self.services else ""
        return head

    def __enter__(self):
        self.cli("up", "-c", self.config, "--detach")
        for service in self.services:
            self.ready_wait(service)
        return self

    def __exit__(self, kind, problem, trace):
        done = self.cli("down", check=False)
        if kind is None and done.returncode != 0:
            raise Failure(f"kith down: {done.stderr}")
        if kind is None:
            shutil.rmtree(self.folder)

    def cli(self, *words, check=True, as_json=False):
        command = [str(self.bin / "kith"), *map(str, words), "--data", str(self.folder)]
        command += ["--json"] if as_json else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(command)}: {done.stderr.strip()}")
        return json.loads(done.stdout.splitlines()[-1]) if as_json else done

    def endpoint(self, service, kind="cmd"):
        return f"ipc://{self.folder}/run/{service}-0.{kind}"

    def journal(self, service):
        return self.folder / service / "0" / "journal.mdb"

    def load_words(self, *words):
        return [self.bin / "kith-bench-load", *words]

    def ready_wait(self, service):
        ask(self.load_words("ready", "--to", self.endpoint(service), "--seconds", 120))

    def status(self):
        return {one["name"]: one for one in self.cli("status", as_json=True)["services"]}

    # -- processes

    def pids(self):
        known = json.loads((self.folder / "run" / "suite.json").read_text())
        return {one["name"]: one["pid"] for one in known["services"]}

    def cpu_us(self):
        return {name: processes.cpu_us(pid) for name, pid in self.pids().items()}

    def anonymous_bytes(self):
        return {name: processes.anonymous_bytes(pid) for name, pid in self.pids().items()}

    def kill(self, service):
        """kill -9; seconds until it is ready again, and how many blocks it had to evolve."""
        pid = self.pids()[service]
        begin = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        self.ready_wait(service)
        seconds = time.monotonic() - begin
        self.ports = {}
        return seconds, self.metrics("kith_recovered_blocks_total")[service]

    # -- numbers

    def ports_find(self):
        end = time.monotonic() + ANSWER_S
        while not self.ports:
            known = {name: one["admin_port"] for name, one in self.status().items()}
            if None not in known.values():
                self.ports = known
            elif time.monotonic() > end:
                raise Failure(f"after {ANSWER_S} s still not everybody answers: {known}")

    def metrics(self, name):
        """{service: this number of its metrics page}"""
        found = {}
        self.ports_find()
        for service, port in self.ports.items():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics",
                                        timeout=ANSWER_S) as page:
                for line in page.read().decode().splitlines():
                    if line.startswith(name + "{"):
                        found[service] = int(float(line.split()[-1]))
        return found

    def checkpoints(self):
        return self.metrics("kith_checkpoints_total")

    def disk_bytes(self):
        """{service: {journal, state}}: the files' sizes, which grow with what is in them; what is
        reserved ahead of need is not counted."""
        return {service: {kind: (self.folder / service / "0" / f"{kind}.mdb").stat().st_size
                          for kind in ("journal", "state")
                          if (self.folder / service / "0" / f"{kind}.mdb").exists()}
                for service in self.services}
