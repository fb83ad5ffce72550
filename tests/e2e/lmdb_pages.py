"""Where the records of an LMDB file lie, byte by byte, for tests that damage one.

Written from the layout of LMDB 0.9's pages (mdb.c: MDB_meta, MDB_page, MDB_node), so that it sees
the file as it is and not as the library would show it.
"""

import dataclasses
import struct

PAGE = 4096
PAGE_HEADER = 16
MAGIC = 0xBEEFC0DE
P_BRANCH, P_LEAF, P_OVERFLOW = 0x01, 0x02, 0x04
F_BIGDATA, F_SUBDATA = 0x01, 0x02
NO_PAGE = 0xFFFFFFFFFFFFFFFF
TREE = struct.Struct("<IHHQQQQQ")  # pad, flags, depth, branch, leaf, overflow, entries, root


@dataclasses.dataclass
class Record:
    table: str
    key: bytes
    value: bytes
    key_at: int  # offset in the file
    value_at: int


def key_told(key):
    """How a record of a state is named by its key, without its table: that stands first, or behind
    the subject in what is clustered (common/store/store_record.h)."""
    return (key[1:17] + key[18:] if key[0] == 0 else key[1:]).hex()


class Pages:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.meta = max((self.meta_at(page) for page in (0, 1)), key=lambda meta: meta["commit"])

    def meta_at(self, page):
        at = page * PAGE + PAGE_HEADER
        magic, _version = struct.unpack_from("<II", self.bytes, at)
        if magic != MAGIC:
            raise ValueError("no LMDB file")
        main_root = TREE.unpack_from(self.bytes, at + 24 + TREE.size)[-1]
        last, commit = struct.unpack_from("<QQ", self.bytes, at + 24 + 2 * TREE.size)
        return {"root": main_root, "last": last, "commit": commit}

    def nodes(self, page):
        """The nodes of a page: (offset, flags, size or child, key offset, key size)."""
        at = page * PAGE
        lower, _upper = struct.unpack_from("<HH", self.bytes, at + 12)
        for i in range((lower - PAGE_HEADER) // 2):
            node = at + struct.unpack_from("<H", self.bytes, at + PAGE_HEADER + 2 * i)[0]
            low, high, flags, key_size = struct.unpack_from("<HHHH", self.bytes, node)
            yield flags, low | high << 16, node + 8, key_size

    def leaves(self, page):
        """(flags, key offset, key size, value offset, value size) of a tree, in order."""
        if page == NO_PAGE:
            return
        kind = struct.unpack_from("<H", self.bytes, page * PAGE + 10)[0]
        for flags, size, key_at, key_size in self.nodes(page):
            if kind & P_BRANCH:
                yield from self.leaves(size | flags << 32)
                continue
            value_at = key_at + key_size
            if flags & F_BIGDATA:
                value_at = struct.unpack_from("<Q", self.bytes, value_at)[0] * PAGE + PAGE_HEADER
            yield flags, key_at, key_size, value_at, size

    def records(self):
        """All records of all named tables."""
        for flags, key_at, key_size, value_at, _size in self.leaves(self.meta["root"]):
            if not flags & F_SUBDATA:
                continue
            table = self.bytes[key_at:key_at + key_size].decode()
            root = TREE.unpack_from(self.bytes, value_at)[-1]
            for _flags, at, size, data_at, data_size in self.leaves(root):
                yield Record(table, self.bytes[at:at + size],
                             self.bytes[data_at:data_at + data_size], at, data_at)


def commit_number(path):
    """The number of the newest commit, from the file's first two pages alone."""
    numbers = []
    with open(path, "rb") as file:
        for page in (0, 1):
            file.seek(page * PAGE + PAGE_HEADER + 24 + 2 * TREE.size + 8)
            numbers.append(struct.unpack("<Q", file.read(8))[0])
    return max(numbers)


def flip(path, offset, bit):
    """Turns one bit of a file over."""
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))
