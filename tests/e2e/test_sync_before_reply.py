#!/usr/bin/python3
"""Acknowledged means durable: strace watches 100 batches go through kith-ingestion, and each reply
is written to the client's socket only when the journal's commit is on disk.

What a commit is for LMDB: pages written to journal.mdb, fdatasync, then the page that makes them
count, written through a descriptor that was opened with O_DSYNC.

Wall time with the sanitizers: 2 s.
"""
# ctest: TIMEOUT 120
import re

import suite
from suite import Failure, require

BATCHES = 100
CALLS = ("openat,fdatasync,fsync,msync,pwrite64,pwritev,pwritev2,writev,write,"
         "recvfrom,read,recvmsg,sendto,sendmsg")
WRITES = {"pwrite64", "pwritev", "pwritev2", "writev", "write"}
SYNCS = {"fdatasync", "fsync", "msync"}
RECEIVES = {"recvfrom", "read", "recvmsg"}
SENDS = {"sendto", "sendmsg", "write", "writev"}

LINE = re.compile(r"(\d+) +[\d.]+ (.*)")
BEGUN = re.compile(r"(\w+)\((.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|\?)(.*)$")
WHOLE = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)(.*)$")
DESCRIPTOR = re.compile(r"(\d+)<(.*?)>[,)]|(\d+)<(.*?)>$")


def events(lines):
    """(True on entry or False on return, thread, call, arguments, result) in strace's order."""
    begun = {}
    for line in lines:
        thread, text = LINE.fullmatch(line).groups()
        match = BEGUN.match(text)
        if match:
            begun[thread] = match.group(2)
            yield True, thread, match.group(1), match.group(2), None
            continue
        match = RESUMED.match(text)
        if match:
            arguments = begun.pop(thread, "") + match.group(2)
            yield False, thread, match.group(1), arguments, match.group(3)
            continue
        match = WHOLE.match(text)
        if match:
            call, arguments, result, rest = match.groups()
            yield True, thread, call, arguments, None
            yield False, thread, call, arguments, result + (rest if call == "openat" else "")


class Order:
    """Follows one trace. Raises Failure where a reply leaves before what it promises is on disk."""

    def __init__(self):
        self.synced_descriptors = set()  # opened with O_DSYNC: on disk when the write returns
        self.begun = {}                  # thread: the write or sync of the journal that it is in
        self.unsynced = 0                # writes that no sync has covered
        self.awaited = {}                # socket: what was seen since its request came
        self.replies = 0

    def opened(self, arguments, result):
        if "/journal.mdb\"" in arguments and re.search(r"O_D?SYNC", arguments):
            self.synced_descriptors.add(result.split("<")[0])

    def journal_entered(self, thread, call, descriptor):
        self.begun[thread] = (call, descriptor, self.unsynced)

    def journal_returned(self, thread, result):
        call, descriptor, covered = self.begun.pop(thread)
        if call in SYNCS:
            require(result == "0", f"{call} of the journal returned {result}, and all went on")
            self.unsynced -= covered
            kind = "syncs" if covered else None
        elif descriptor in self.synced_descriptors:
            kind = "marks"
        else:
            self.unsynced += 1
            kind = "writes"
        for seen in self.awaited.values():
            if kind:
                seen.append(kind)

    def request(self, socket):
        require(socket not in self.awaited, "a second request came before the reply")
        self.awaited[socket] = []

    def reply(self, socket):
        seen = self.awaited.pop(socket, None)
        if seen is None:
            return
        self.replies += 1
        which = f"reply {self.replies}"
        require("writes" in seen, f"{which} left before anything was written to the journal")
        require(not self.begun, f"{which} left while the journal's {list(self.begun.values())} ran")
        require(self.unsynced == 0 and "syncs" in seen, f"{which} left before the journal's sync")
        after = seen[len(seen) - seen[::-1].index("syncs"):]
        require("marks" in after, f"{which} left before the commit was marked as whole")

    def take(self, entered, thread, call, arguments, result):
        if call == "openat" and not entered:
            self.opened(arguments, result)
            return
        match = DESCRIPTOR.match(arguments)
        if not match:
            return
        number, name = match.group(1) or match.group(3), match.group(2) or match.group(4)
        if name.endswith("/journal.mdb") and call in WRITES | SYNCS:
            if entered:
                self.journal_entered(thread, call, number)
            else:
                self.journal_returned(thread, result)
        elif "ingestion-0.cmd" in name:
            if call in RECEIVES and not entered and "ingestion.Ingest" in arguments:
                self.request(name)
            elif call in SENDS and entered and "PING" not in arguments and "PONG" not in arguments:
                self.reply(name)


def check(lines):
    """How many replies the trace has, each after its sync."""
    order = Order()
    for event in events(lines):
        order.take(*event)
    require(not order.awaited, "a request got no reply")
    return order.replies


# ---- the checker itself

OPENED = ['9 1.0 openat(AT_FDCWD</>, "/d/journal.mdb", O_RDWR|O_CREAT, 0600) = 6</d/journal.mdb>',
          '9 1.0 openat(AT_FDCWD</>, "/d/journal.mdb", O_WRONLY|O_DSYNC) = 7</d/journal.mdb>']
SOCKET = '22<UNIX-STREAM:[2->1,"/d/run/ingestion-0.cmd"]>'
REQUEST = f'8 1.1 recvfrom({SOCKET}, "\\20ingestion.Ingest", 8192, 0, NULL, NULL) = 17'
WRITE = '9 1.2 writev(6</d/journal.mdb>, [{iov_base="x", iov_len=1}], 1) = 1'
SYNC = '9 1.3 fdatasync(6</d/journal.mdb>) = 0'
SYNC_BEGUN = '9 1.3 fdatasync(6</d/journal.mdb> <unfinished ...>'
SYNC_DONE = '9 1.4 <... fdatasync resumed>) = 0'
MARK = '9 1.4 pwrite64(7</d/journal.mdb>, "y", 1, 0) = 1'
REPLY = f'8 1.5 sendto({SOCKET}, "\\1\\4", 2, 0, NULL, 0) = 2'
PING = f'8 1.5 sendto({SOCKET}, "\\4\\7\\4PING", 7, 0, NULL, 0) = 7'

GOOD = [[REQUEST, WRITE, SYNC, MARK, REPLY],
        [REQUEST, WRITE, SYNC_BEGUN, SYNC_DONE, MARK, REPLY],
        [REQUEST, WRITE, PING, SYNC, MARK, REPLY, REQUEST, WRITE, SYNC, MARK, REPLY]]
BAD = [("replied first", [REQUEST, REPLY, WRITE, SYNC, MARK]),
       ("replied before the sync", [REQUEST, WRITE, REPLY, SYNC, MARK]),
       ("replied during the sync", [REQUEST, WRITE, SYNC_BEGUN, REPLY, SYNC_DONE, MARK]),
       ("replied before the mark", [REQUEST, WRITE, SYNC, REPLY, MARK]),
       ("never synced", [REQUEST, WRITE, MARK, REPLY]),
       ("synced too early", [REQUEST, SYNC, WRITE, MARK, REPLY]),
       ("wrote again after the sync", [REQUEST, WRITE, SYNC, MARK, WRITE, REPLY]),
       ("wrote nothing", [REQUEST, SYNC, MARK, REPLY]),
       ("the sync failed", [REQUEST, WRITE, SYNC.replace("= 0", "= -1 EIO (I/O)"), MARK, REPLY]),
       ("the second reply was early", GOOD[0] + [REQUEST, WRITE, REPLY, SYNC, MARK]),
       ("no reply at all", [REQUEST, WRITE, SYNC, MARK])]


def must_fail(name, lines):
    try:
        check(lines)
    except Failure:
        return
    raise Failure(f"the checker let a trace pass that {name}")


def the_checker_tells_a_reply_that_came_too_early():
    for lines in GOOD:
        require(check(OPENED + lines) == lines.count(REPLY), f"not all replies seen in {lines}")
    for name, lines in BAD:
        must_fail(name, OPENED + lines)


# ---- the service


def traced_batches(kith):
    """The lines of strace for BATCHES batches, one at a time."""
    trace = kith.folder / "strace.txt"
    kith.start("ingestion", prefix=["strace", "-D", "-f", "-yy", "-ttt", "-s", 160, "-o", trace,
                                    "-e", f"trace={CALLS}"])
    kith.ask_status("ingestion")
    for number in range(1, BATCHES + 1):
        kith.ingest_batch(number)
    kith.stop("ingestion")
    suite.wait_until(lambda: not kith.processes(), what="the tracer has ended")
    return trace.read_text(errors="replace").splitlines()


def moved_before_the_sync(lines):
    """The trace of a service that replies first: each reply stands before its sync."""
    moved, sync = [], None
    for line in lines:
        if "fdatasync(" in line and "journal.mdb" in line:
            sync = len(moved)
        if "sendto(" in line and "ingestion-0.cmd" in line and sync is not None:
            moved.insert(sync, line)
            sync = None
        else:
            moved.append(line)
    return moved


def each_reply_leaves_after_the_journals_sync():
    # The leak checker cannot work under a tracer.
    with suite.Suite(suite.config(services=("ingestion",)), detect_leaks=False) as kith:
        lines = traced_batches(kith)
        replies = check(lines)
        require(replies == BATCHES, f"{replies} replies in the trace, not {BATCHES}")
        must_fail("replies first", moved_before_the_sync(lines))
        print(f"  {replies} replies, each after write, sync and mark of the journal", flush=True)


suite.main(the_checker_tells_a_reply_that_came_too_early,
           each_reply_leaves_after_the_journals_sync)
