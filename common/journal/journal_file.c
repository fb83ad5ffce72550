#include "common/journal/journal_file.h"

#include "common/base/hash.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define STORED_FORMAT 1
#define CHECKSUM_BYTES 8
/* Before the header: format, commit, chain and three sizes. */
#define STORED_PREFIX_BYTES (4 + 8 + 32 + 3 * 4)
/* Before the service's name: format, commit, epoch, shard. */
#define META_PREFIX_BYTES (4 + 8 + 8 + 4)

enum status journal_status_of(int lmdb)
{
    switch (lmdb) {
    case MDB_SUCCESS:
        return STATUS_OK;
    case MDB_NOTFOUND:
    case ENOENT:
        return STATUS_NOT_FOUND;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_VALSIZE:
        return STATUS_CORRUPT;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_READERS_FULL:
    case ENOSPC:
    case EDQUOT:
        return STATUS_LIMIT;
    default:
        return STATUS_INTERNAL;
    }
}

/* ---- blocks */

struct block_key block_key_of(uint64_t first_seq, uint64_t number)
{
    struct block_key key = { { 0 } };
    be64_put(key.bytes, first_seq);
    be64_put(key.bytes + 8, number);
    return key;
}

size_t stored_block_size(const struct block *block)
{
    return STORED_PREFIX_BYTES + block->header_bytes.size + block->public_part.size +
           block->private_part.size + CHECKSUM_BYTES;
}

static uint8_t *span_put(uint8_t *out, struct span bytes)
{
    if (bytes.size > 0) {
        memcpy(out, bytes.data, bytes.size);
    }
    return out + bytes.size;
}

void stored_block_encode(const struct block *block, uint64_t commit, uint8_t *out)
{
    struct block_key key = block_key_of(block->header.first_seq, block->header.number);
    uint8_t *at = out;
    be32_put(at, STORED_FORMAT);
    be64_put(at + 4, commit);
    at = span_put(at + 12, span_of(block->chain.bytes, sizeof block->chain.bytes));
    be32_put(at, (uint32_t)block->header_bytes.size);
    be32_put(at + 4, (uint32_t)block->public_part.size);
    be32_put(at + 8, (uint32_t)block->private_part.size);
    at = span_put(at + 12, block->header_bytes);
    at = span_put(at, block->public_part);
    at = span_put(at, block->private_part);
    be64_put(at,
             checksum_of(span_of(key.bytes, sizeof key.bytes), span_of(out, (size_t)(at - out))));
}

static bool checksum_is_right(struct span key, struct span value)
{
    size_t size = value.size - CHECKSUM_BYTES;
    return be64_get(value.data + size) == checksum_of(key, span_of(value.data, size));
}

/* Cuts `bytes` into the parts whose sizes its prefix tells. */
static bool parts_cut(struct span bytes, struct block *block)
{
    const uint8_t *at = bytes.data + 12 + sizeof block->chain.bytes;
    size_t header = be32_get(at);
    size_t public_part = be32_get(at + 4);
    size_t private_part = be32_get(at + 8);
    if (STORED_PREFIX_BYTES + header + public_part + private_part + CHECKSUM_BYTES != bytes.size) {
        return false;
    }
    at += 12;
    memcpy(block->chain.bytes, bytes.data + 12, sizeof block->chain.bytes);
    block->header_bytes = span_of(at, header);
    block->public_part = span_of(at + header, public_part);
    block->private_part = span_of(at + header + public_part, private_part);
    return true;
}

static bool header_fits(const struct block *block, struct span key)
{
    struct block_key expected = block_key_of(block->header.first_seq, block->header.number);
    return span_equal(span_of(expected.bytes, sizeof expected.bytes), key) &&
           block->header.public_bytes == block->public_part.size &&
           block->header.private_bytes == block->private_part.size;
}

enum status stored_block_decode(struct block_key key, MDB_val value, struct block *block,
                                uint64_t *commit, const char **fault)
{
    struct span key_bytes = span_of(key.bytes, sizeof key.bytes);
    struct span bytes = span_of(value.mv_data, value.mv_size);
    if (bytes.size < STORED_PREFIX_BYTES + CHECKSUM_BYTES || !checksum_is_right(key_bytes, bytes)) {
        *fault = "its checksum is wrong";
        return STATUS_CORRUPT;
    }
    struct block decoded = { 0 };
    if (be32_get(bytes.data) != STORED_FORMAT || !parts_cut(bytes, &decoded)) {
        *fault = "its parts do not fill it";
        return STATUS_CORRUPT;
    }
    if (block_header_decode(decoded.header_bytes, &decoded.header) != STATUS_OK ||
        !header_fits(&decoded, key_bytes)) {
        *fault = "its header is not that of the block";
        return STATUS_CORRUPT;
    }
    *block = decoded;
    *commit = be64_get(bytes.data + 4);
    return STATUS_OK;
}

/* ---- borders */

bool journal_border_find(const struct journal *journal, const struct journal_position *at,
                         struct journal_position *border)
{
    for (size_t i = 0; i < JOURNAL_BORDERS; i++) {
        const struct journal_position *known = &journal->borders[i];
        if (known->block == at->block && known->seq == at->seq) {
            *border = *known;
            return true;
        }
    }
    return false;
}

void journal_border_note(struct journal *journal, const struct journal_position *border)
{
    struct journal_position known = { 0 };
    if (!journal_border_find(journal, border, &known)) {
        journal->borders[journal->border_next] = *border;
        journal->border_next = (journal->border_next + 1) % JOURNAL_BORDERS;
    }
}

/* ---- meta */

static struct span meta_key(void)
{
    return span_of_text(JOURNAL_META_KEY);
}

void journal_meta_encode(const struct journal_meta *meta, struct buffer *out)
{
    uint8_t prefix[META_PREFIX_BYTES] = { 0 };
    be32_put(prefix, JOURNAL_FORMAT);
    be64_put(prefix + 4, meta->commit);
    be64_put(prefix + 12, meta->epoch);
    be32_put(prefix + 20, meta->shard);
    enum status status = buffer_append(out, span_of(prefix, sizeof prefix));
    assert(status == STATUS_OK);
    status = buffer_append(out, meta->service);
    assert(status == STATUS_OK);
    uint8_t checksum[CHECKSUM_BYTES] = { 0 };
    be64_put(checksum, checksum_of(meta_key(), buffer_span(out)));
    status = buffer_append(out, span_of(checksum, sizeof checksum));
    assert(status == STATUS_OK);
}

enum status journal_meta_decode(MDB_val value, struct journal_meta *meta)
{
    struct span bytes = span_of(value.mv_data, value.mv_size);
    /* A newer format may be longer, and is told from rot by its checksum alone. */
    if (bytes.size < META_PREFIX_BYTES + CHECKSUM_BYTES || !checksum_is_right(meta_key(), bytes)) {
        return STATUS_CORRUPT;
    }
    uint32_t format = be32_get(bytes.data);
    if (format != JOURNAL_FORMAT) {
        return format > JOURNAL_FORMAT ? STATUS_REFUSED : STATUS_CORRUPT;
    }
    meta->commit = be64_get(bytes.data + 4);
    meta->epoch = be64_get(bytes.data + 12);
    meta->shard = be32_get(bytes.data + 20);
    meta->service =
        span_of(bytes.data + META_PREFIX_BYTES, bytes.size - META_PREFIX_BYTES - CHECKSUM_BYTES);
    return STATUS_OK;
}
