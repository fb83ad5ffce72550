"""The log of what services wrote, synced and told: made here, filled by preload/write_log.c, read
here, and turned into what a disk may hold after a power cut.

What a power cut leaves of a file: all that a sync covered, and of what was written since any part,
torn at 512 bytes. All files are cut at one instant, a place in the log.
"""
import collections
import ctypes
import dataclasses
import mmap
import struct

SECTOR = 512
MAGIC = 0x314C524B46544948
BEGIN = 4096
PATH_BYTES, NAME_BYTES = 256, 32
RUNNING = -(1 << 63)
WRITE, SYNC, TRUNCATE, FOLDER, SEND, MARK, RENAME, REMOVE, CREATE = range(1, 10)
FAULTS = {"none": 0, "sync": 1, "write": 2, "short write": 3, "kill": 4,
          "memory": 5}

RECORD = struct.Struct("<IIIIQQQQqII")


class _Fault(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_uint32), ("error", ctypes.c_uint32),
                ("forever", ctypes.c_uint32), ("before", ctypes.c_int32),
                ("struck", ctypes.c_uint32), ("file", ctypes.c_char * NAME_BYTES)]


class _Header(ctypes.Structure):
    _fields_ = [("magic", ctypes.c_uint64), ("capacity", ctypes.c_uint64),
                ("used", ctypes.c_uint64), ("lost", ctypes.c_uint64),
                ("clock_ahead_ms", ctypes.c_int64), ("syncs_swallowed", ctypes.c_uint32),
                ("is_logging", ctypes.c_uint32), ("root", ctypes.c_char * PATH_BYTES),
                ("fault", _Fault)]


@dataclasses.dataclass
class Record:
    place: int
    kind: int
    path: str  # below the root; of a socket its name
    process: int
    stream: int
    offset: int
    file_size: int
    covers: int
    result: int
    data: bytes


class WriteLog:
    """One log, mapped: what is set here, processes that are loaded with it see at once."""

    def __init__(self, path, root, capacity=1 << 30, is_logging=True):
        self.path = path
        with open(path, "w+b") as file:
            file.truncate(capacity)
            self.memory = mmap.mmap(file.fileno(), capacity)
        self.header = _Header.from_buffer(self.memory)
        self.header.capacity = capacity
        self.header.used = BEGIN
        self.header.root = str(root).encode()
        self.header.is_logging = is_logging
        self.header.magic = MAGIC

    def fault(self, kind, file="", error=0, before=0, forever=False):
        """From the call after `before` others on, one call fails, or all do."""
        fault = self.header.fault
        fault.kind = FAULTS["none"]
        fault.struck = 0
        fault.file, fault.error = file.encode(), error
        fault.before, fault.forever = before, forever
        fault.kind = FAULTS[kind]

    def struck(self):
        return self.header.fault.struck

    def left(self):
        """How many calls go well before the fault strikes; below 0 once it has."""
        return self.header.fault.before

    def close(self):
        self.header = None
        self.memory.close()

    def records(self):
        """All records, in the order of the log."""
        if self.header.lost:
            raise ValueError(f"{self.header.lost} records had no room in the log")
        root = self.header.root.decode()
        at = BEGIN
        while at < self.header.used:
            (size, kind, whole, process, stream, offset, file_size, covers, result, path_size,
             data_size) = RECORD.unpack_from(self.memory, at)
            if size == 0:
                break  # killed between taking the room and writing its size: nothing is known
            if whole:
                begin = at + RECORD.size
                path = self.memory[begin:begin + path_size].decode()
                data = self.memory[begin + path_size:begin + path_size + data_size]
                if kind == SEND:
                    path = path.rsplit("/", 1)[-1]
                else:
                    path = path[len(root):].strip("/")
                yield Record(at, kind, path, process, stream, offset, file_size, covers, result,
                             data)
            at += size


# ---- a disk


class _File:
    """What is on disk of a file, and what was written and is not."""

    def __init__(self, is_new):
        self.bytes = bytearray()
        self.pending = []  # records, in their order
        self.is_new = is_new  # its folder was not synced since it was made or renamed
        self.was = None  # its name before
        self.instead_of = None  # what bore its name before

    def covered(self, before):
        """A sync: what was written before is on disk."""
        rest = []
        for record in self.pending:
            if record.place < before:
                apply(self.bytes, record)
            else:
                rest.append(record)
        self.pending = rest

    def marked(self, place):
        """One write is on disk, whatever becomes of the others."""
        for i, record in enumerate(self.pending):
            if record.place == place:
                apply(self.bytes, self.pending.pop(i))
                return


def apply(target, record, begin=0, end=None):
    """Puts bytes [begin, end) of a write where they belong; cuts at a truncation."""
    if record.kind == TRUNCATE:
        del target[record.offset:]
        target.extend(bytes(record.offset - len(target)))
        return
    data = record.data[begin:end]
    at = record.offset + begin
    if len(target) < at + len(data):
        target.extend(bytes(at + len(data) - len(target)))
    target[at:at + len(data)] = data


def _sectors(record):
    """The pieces of a write that reach the disk whole or not at all: [(begin, end)]."""
    cuts = []
    at, end = 0, len(record.data)
    while at < end:
        following = min(end, at + SECTOR - (record.offset + at) % SECTOR)
        cuts.append((at, following))
        at = following
    return cuts


# How much of what was not synced a cut leaves: of writes, or of their sectors.


def _all(_draw, pending):
    """As after a kill."""
    return [(record, 0, None) for record in pending]


def _nothing(_draw, _pending):
    return []


def _first_ones(draw, pending):
    """In their order, until one is torn."""
    count = draw.randrange(len(pending))
    torn = pending[count]
    kept = [(record, 0, None) for record in pending[:count]]
    return kept + [(torn, *piece) for piece in _sectors(torn) if draw.random() < 0.5]


def _last_ones(draw, pending):
    """The newest overtook the others."""
    return [(record, 0, None) for record in pending[draw.randrange(len(pending)):]]


def _some_sectors(draw, pending):
    part = draw.choice((0.1, 0.5, 0.9))
    return [(record, *piece) for record in pending for piece in _sectors(record)
            if draw.random() < part]


def _all_but_one(draw, pending):
    lost = draw.randrange(len(pending))
    return [(record, 0, None) for i, record in enumerate(pending) if i != lost]


NOTHING = _nothing
MODES = (_all, _nothing, _first_ones, _last_ones, _some_sectors, _all_but_one)


class Disk:
    """Plays a log. `begin`: what the files held before, {path: bytes}."""

    def __init__(self, log, begin=None):
        self.records = list(log.records())
        self.root_size = len(log.header.root)
        self.at = 0
        self.files = {}
        self.folders = {}  # path: is new
        for path, content in (begin or {}).items():
            self.files[path] = _File(False)
            self.files[path].bytes[:] = content

    def place(self):
        return self.records[self.at].place if self.at < len(self.records) else 1 << 62

    def go_to(self, index):
        """Everything before the record of that index has happened."""
        while self.at < index:
            self._take(self.records[self.at])
            self.at += 1

    def _take(self, record):
        if record.kind == FOLDER:
            self.folders[record.path] = True
        elif record.kind == SYNC and self._is_folder(record.path):
            self._folder_synced(record.path)
        elif record.kind == SYNC:
            self._file(record).covered(record.covers)
        elif record.kind == MARK:
            self._file(record).marked(record.covers)
        elif record.kind == RENAME:
            self._renamed(record.path, record.data.decode()[self.root_size:].strip("/"))
        elif record.kind == CREATE:
            self.files[record.path] = _File(True)
        elif record.kind == REMOVE:
            self.files.pop(record.path, None)
        elif record.kind in (WRITE, TRUNCATE):
            if record.result != RUNNING and record.kind == WRITE:
                record.data = record.data[:max(record.result, 0)]
            self._file(record).pending.append(record)

    def _is_folder(self, path):
        return path not in self.files and (
            path == "" or path in self.folders or any(one.startswith(path + "/")
                                                      for one in self.files))

    def _folder_synced(self, folder):
        """Whatever lies right in it is there from now on."""
        for path, file in self.files.items():
            if path.rpartition("/")[0] == folder:
                file.is_new, file.was, file.instead_of = False, None, None
        for path in self.folders:
            if path.rpartition("/")[0] == folder:
                self.folders[path] = False

    def _renamed(self, path, name):
        file = self.files.pop(path)
        file.is_new, file.was, file.instead_of = True, path, self.files.get(name)
        self.files[name] = file

    def _file(self, record):
        if record.path not in self.files:
            self.files[record.path] = _File(False)
        return self.files[record.path]

    def image(self, draw, mode=None):
        """{path: bytes} of what may be left, and words that say how it came about."""
        mode = mode or draw.choice(MODES)
        lost = self._lost(draw)
        left = {}
        for path, file in self.files.items():
            if path in lost and file.was is not None:
                left[file.was] = self._content(draw, mode, file)
                file = file.instead_of
            elif path in lost:
                file = None
            if file is not None:
                left[path] = self._content(draw, mode, file)
        for folder in (one for one in lost if one in self.folders):
            left = {path: content for path, content in left.items()
                    if not path.startswith(folder + "/")}
        words = mode.__name__.strip("_").replace("_", " ")
        return left, f"{words} of what was not synced" + (f", without {lost}" if lost else "")

    def _content(self, draw, mode, file):
        content = bytearray(file.bytes)
        if file.pending:
            for record, begin, end in mode(draw, file.pending):
                apply(content, record, begin, end)
            self._grow(draw, file, content)
        return bytes(content)

    @staticmethod
    def _grow(draw, file, content):
        """Sometimes a file has its new size and not what should stand there."""
        size = max((record.offset + len(record.data) for record in file.pending), default=0)
        if size > len(content) and draw.random() < 0.3:
            content.extend(bytes(size - len(content)))

    def _lost(self, draw):
        """What was made and is in no folder that was synced since, may be gone."""
        new = [path for path, is_new in self.folders.items() if is_new]
        new += [path for path, file in self.files.items() if file.is_new]
        return [path for path in new if draw.random() < 0.5]


# ---- what was told


Told = collections.namedtuple("Told", "place service kind frames")


def told(log_records):
    """Every message that left a service, with its place in the log: the last of its bytes."""
    streams = {}
    for record in log_records:
        if record.kind != SEND or record.result <= 0:
            continue
        stream = streams.setdefault((record.process, record.stream, record.path), _Stream())
        for frames in stream.feed(record.data[:record.result]):
            service, kind = record.path.split("-")[0], record.path.rsplit(".", 1)[-1]
            yield Told(record.place, service, kind, frames)


class _Stream:
    """ZMTP 3: a greeting of 64 bytes, then frames; commands are left out."""

    def __init__(self):
        self.bytes = bytearray()
        self.greeted = False
        self.frames = []

    def feed(self, data):
        self.bytes += data
        if not self.greeted:
            if len(self.bytes) < 64:
                return
            del self.bytes[:64]
            self.greeted = True
        while True:
            frame = self._frame()
            if frame is None:
                return
            flags, content = frame
            if flags & 4:
                continue
            self.frames.append(content)
            if not flags & 1:
                yield self.frames
                self.frames = []

    def _frame(self):
        if len(self.bytes) < 2:
            return None
        flags, head = self.bytes[0], 2
        size = self.bytes[1]
        if flags & 2:
            if len(self.bytes) < 9:
                return None
            size, head = struct.unpack_from(">Q", self.bytes, 1)[0], 9
        if len(self.bytes) < head + size:
            return None
        content = bytes(self.bytes[head:head + size])
        del self.bytes[:head + size]
        return flags, content
