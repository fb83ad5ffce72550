"""kill -9 that falls where it is meant to."""
import itertools
import os
import subprocess
from pathlib import Path

import suite
from suite import Failure, wait_until

# Asked as often as can be: a recovery lasts a few milliseconds.
TIGHT_S = 0.0001
# What is killed is killed as it enters one of these, by turns.
STORE_CALLS = ("writev,pwrite64", "fdatasync", "pwrite64")
OUTBOX_CALLS = ("write", "fdatasync")
MAIL_CALLS = ("recvfrom", "sendto")
# What the mail server holds back its answer for, while the kill falls.
HELD_BACK_MS = 300


def trace_until_killed(kith, service, threads, path, call):
    """strace kills the service as one of its threads enters one of these calls. `threads` are
    words for strace."""
    command = ["strace", "-qq", "-o", "/dev/null", *threads, *(["-P", str(path)] if path else []),
               "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tracer:
        try:
            tracer.wait(timeout=suite.ANSWER_S)
        except subprocess.TimeoutExpired:
            tracer.terminate()
            raise Failure(f"{service} made no {call} of {path or 'a connection'}") from None
    kith.died(service)


def workers(pid):
    """The threads of a process that bear its name, without the first: ZeroMQ names its own."""
    tasks = Path(f"/proc/{pid}/task")
    name = (tasks / str(pid) / "comm").read_text()
    return [task.name for task in tasks.iterdir()
            if task.name != str(pid) and (task / "comm").read_text() == name]


def has_open(pid, file):
    try:
        return any(os.path.basename(os.readlink(one.path)) == file
                   for one in os.scandir(f"/proc/{pid}/fd"))
    except OSError:  # it is gone, or a file was closed just now
        return False


def log_size(kith, service):
    return (kith.data / "log" / f"{service}-0.log").stat().st_size


def has_served_since(kith, service, size):
    with open(kith.data / "log" / f"{service}-0.log", "rb") as log:
        log.seek(size)
        return b"serving" in log.read()


def new_pid(kith, service, old):
    return wait_until(lambda: kith.pid(service) not in (0, old) and kith.pid(service),
                      what=f"{service} was started again", poll_s=TIGHT_S)


class Phases:
    """Each method kills a service in the phase of its name, and returns what to print; None if
    it did not fall into the phase."""

    def __init__(self, kith):
        self.kith = kith
        self.store_calls = itertools.cycle(STORE_CALLS)
        self.outbox_calls = itertools.cycle(OUTBOX_CALLS)
        self.mail_kills = itertools.cycle([self.mail_held_back,
                                           *(lambda call=call: self.mail_entering(call)
                                             for call in MAIL_CALLS)])

    def in_file(self, service, path, call):
        pid = self.kith.pid(service)
        trace_until_killed(self.kith, service, ["-f", "-p", str(pid)], path, call)
        return f"entering {call}"

    def commit(self, service):
        path = self.kith.data / service / "0" / "journal.mdb"
        return self.in_file(service, path, next(self.store_calls))

    def checkpoint(self, service):
        path = self.kith.data / service / "0" / "state.mdb"
        return self.in_file(service, path, next(self.store_calls))

    def recovery(self, service):
        """Kills it, and then its successor before that serves."""
        kith, old, size = self.kith, self.kith.pid(service), log_size(self.kith, service)
        kith.kill(service, pid=old)
        pid = new_pid(kith, service, old)
        wait_until(lambda: has_open(pid, "state.mdb"), what=f"{service} opens its stores",
                   poll_s=TIGHT_S)
        kith.kill(service, pid=pid)
        new_pid(kith, service, pid)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), what="it is gone")
        return None if has_served_since(kith, service, size) else ""

    def any(self, service):
        self.kith.kill(service)
        return ""

    # What campaign alone does, between the intent and the outcome.

    def outbox(self, service):
        return self.in_file(service, self.kith.outbox(), next(self.outbox_calls))

    def mail(self, _service):
        return next(self.mail_kills)()

    def mail_entering(self, call):
        threads = workers(self.kith.pid("campaign"))
        words = [word for thread in threads for word in ("-p", thread)]
        trace_until_killed(self.kith, "campaign", words, None, call)
        return f"entering {call}"

    def mail_held_back(self):
        """The server has the message, and its answer is still to come."""
        kith, pid, size = self.kith, self.kith.pid("campaign"), self.kith.mail.size()
        kith.mail.behave(f"delay {HELD_BACK_MS}")
        wait_until(lambda: kith.mail.size() > size, what="the mail server has a message",
                   poll_s=TIGHT_S)
        # The first may have come before the server was told; it answers one after the other.
        size = kith.mail.size()
        wait_until(lambda: kith.mail.size() > size, what="the mail server has another one",
                   poll_s=TIGHT_S)
        kith.kill("campaign", pid=pid)
        kith.mail.behave("ok")
        return "before the server's answer"
