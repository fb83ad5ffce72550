"""Suites whose services are watched and disturbed: every process is loaded with libkith_faults,
which writes down what it writes (write_log.py), lets calls fail and sets the clock.

Imports the fixtures of tests/e2e; a script that imports this has them on its path.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import suite
import write_log
from suite import require, wait_until

LIBRARY = suite.OPTIONS.build.resolve() / "lib" / "libkith_faults.so"
# What the long form repeats: tests/faults/run --long ROUNDS sets it.
ROUNDS = int(os.environ.get("KITH_FAULTS_ROUNDS", "1")) if suite.OPTIONS.long else 1
# The short form is the same each time; the long one looks elsewhere.
SEED = int(os.environ.get("KITH_TEST_SEED", random.SystemRandom().randrange(10**6)
                          if suite.OPTIONS.long else 1))
# In memory: what is looked at a thousand times and thrown away need not wear out a disk.
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")
TIGHT_S = 0.001


def draw(*words):
    """A source of chance of its own for each purpose; all go back to the one printed seed."""
    return random.Random(f"{SEED} {words}")


def preload(environment, log):
    """The environment with the library in it."""
    made = dict(environment)
    made["LD_PRELOAD"] = str(LIBRARY)
    made["KITH_FAULTS_LOG"] = str(log.path)
    # The sanitizer's library wants to be first; here ours is, and calls on to it.
    made["ASAN_OPTIONS"] = made["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
    return made


class FaultySuite(suite.Suite):
    """`programs`: a folder with other programs for some of the services. `is_logging`: writes are
    recorded; faults and the clock work without."""

    def __init__(self, config, programs=None, is_logging=False, **more):
        super().__init__(config, **more)
        self.programs = programs
        self.keeps_images = True  # of what failed
        self.log = write_log.WriteLog(self.folder / "writes.log", self.data,
                                      is_logging=is_logging)
        self.environment = preload(self.environment, self.log)

    def start(self, service, shard=0, prefix=()):
        if self.programs is None or not (self.programs / f"kith-{service}").exists():
            super().start(service, shard, prefix)
            return
        kept, suite.BIN = suite.BIN, self.programs
        try:
            super().start(service, shard, prefix)
        finally:
            suite.BIN = kept

    def start_all(self):
        for service in self.services:
            self.start(service)
        for service in self.services:
            self.ask_status(service)

    def verify_state(self):
        """Of every service, beside them; there is no supervisor who knows the configuration."""
        for service in self.services:
            verified = self.cli("verify", "state", service, "-c", self.config)
            require(verified["ok"], f"verify state {service}: {verified}")

    def code_of(self, service, timeout_s=suite.ANSWER_S):
        """How a service that start() started has ended by itself."""
        self._wires_close(service, 0)
        return self.direct.pop((service, 0)).wait(timeout=timeout_s)

    def disconnect(self, service):
        """Who asks it next connects anew."""
        self._wires_close(service, 0)

    def said(self, service):
        return (self.folder / f"{service}-0.log").read_text(errors="replace")

    def __exit__(self, *problem):
        try:
            super().__exit__(*problem)
        finally:
            self.log.close()


class Revived:
    """One or more services of a suite, started on what is left of its files."""

    def __init__(self, kith, left, services):
        self.kith = kith
        self.folder = Path(tempfile.mkdtemp(prefix="kf", dir=MEMORY))
        self.data = self.folder / "data"
        self.data.mkdir(mode=0o700)
        shutil.copy(kith.data / "suite.key", self.data)
        for path, content in left.items():
            (self.data / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.data / path).write_bytes(content)
        self.environment = {name: value for name, value in kith.environment.items()
                            if name not in ("LD_PRELOAD", "KITH_FAULTS_LOG")}
        self.processes = {}
        self.wires = {}
        self.services = services

    def command(self, verb, service):
        folder = self.kith.programs or suite.BIN
        program = folder / f"kith-{service}"
        program = program if program.exists() else suite.BIN / f"kith-{service}"
        return [str(program), verb, "--config", str(self.kith.config), "--data", str(self.data)]

    def start(self, service):
        with open(self.folder / f"{service}.log", "ab") as log:
            self.processes[service] = subprocess.Popen(
                self.command("serve", service), env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)

    def said(self, service):
        return (self.folder / f"{service}.log").read_text(errors="replace")[-1500:]

    def has_socket(self, service, kind):
        process = self.processes[service]
        require(process.poll() is None,
                f"{service} ends with {process.returncode}: {self.said(service)}")
        return (self.data / "run" / f"{service}-0.{kind}").exists()

    def wire(self, service, _shard=0, kind="cmd"):
        """Only when it is bound: ZeroMQ looks for it again after a tenth of a second."""
        from wire import Wire
        if (service, kind) not in self.wires:
            wait_until(lambda: self.has_socket(service, kind), what=f"{service} binds",
                       poll_s=TIGHT_S)
            path = f"ipc://{self.data}/run/{service}-0.{kind}"
            self.wires[service, kind] = Wire(path)
        return self.wires[service, kind]

    def status(self, service):
        from kith.v1 import service_pb2
        return self.wire(service).call("service.Status", b"", service_pb2.StatusReply)

    def verify(self, what, service):
        """Exit code and answer of verify-journal or verify-state."""
        done = subprocess.run([*self.command(f"verify-{what}", service), "--json"],
                              env=self.environment, capture_output=True, text=True, timeout=60,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def kill(self, service):
        for kind in ("cmd", "feed"):
            wire = self.wires.pop((service, kind), None)
            if wire is not None:
                wire.close()
        process = self.processes.pop(service)
        process.kill()
        process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        for service in list(self.processes):
            self.kill(service)
        if kind is None or not self.kith.keeps_images:
            shutil.rmtree(self.folder)
        else:
            print(f"kept: {self.folder}", flush=True)
