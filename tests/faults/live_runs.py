"""Where the records of permanent tables lie in a state file: the runs that live, their blocks and
their filters, byte by byte. Written from common/store/run_list.h and run_block.h."""
import hashlib
import struct

LISTED = struct.Struct(">BBQQIQ")  # slot, level, records, chain, filter's lines, filter's chain
FORMAT_BYTES = 4
CHECKSUM_BYTES = 8
FILTER_TABLE = 255
MERGE_FROM = 4
SHELL_REQUEST, INGESTION_EVENT = 2, 16
LOYALTY_ENTRY, LOYALTY_POSTING, LOYALTY_REVERSAL = 18, 19, 25


class LiveRuns:
    """Of lmdb_pages.Pages; levels, by the name of a run's table, the newest first."""

    def __init__(self, pages):
        records = list(pages.records())
        listed = [one.value[FORMAT_BYTES:-CHECKSUM_BYTES] for one in records
                  if one.table == "meta" and one.key == b"runs"]
        self.levels = {f"runs.{slot}": level for slot, level, *_ in
                       (LISTED.iter_unpack(listed[0]) if listed else ())}
        live = [one for one in records if one.table in self.levels]
        self.blocks = [one for one in live if one.key[0] != FILTER_TABLE]
        self.filters = [one for one in live if one.key[0] == FILTER_TABLE]

    def is_merged(self):
        """No level has so many runs that a merge would begin, and so none is under way."""
        levels = list(self.levels.values())
        return all(levels.count(level) < MERGE_FROM for level in levels)

    def keys(self):
        """(whole key, the block that it lies in) of all records."""
        return [(key, block) for block in self.blocks for key in keys_of(block)]


def keys_of(block):
    """The whole keys of a block's records; the last one's is the block's own."""
    at, end = 0, len(block.value) - CHECKSUM_BYTES
    while at < end:
        value_size, key_size = struct.unpack_from(">HB", block.value, at)
        at += 3 + value_size
        yield block.value[at:at + key_size] if at < end else block.key
        at += key_size


def event_key(source, name):
    """The whole key under which ingestion knows an event (services/ingestion/ingestion_key.h)."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in (source.encode(), name.encode()):
        hashed.update(len(part).to_bytes(8, "big") + part)
    return bytes([INGESTION_EVENT]) + hashed.digest()


def request_key(key):
    """That of what became of a request with this key (common/service/shell_internal.h)."""
    return bytes([SHELL_REQUEST]) + hashlib.blake2b(key.encode(), digest_size=16).digest()
