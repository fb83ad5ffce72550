/*
 * Records of state: a version byte, then big-endian numbers and bytes, front to back.
 *
 * A record was written by this very program and its checksum is right when it gets here, so
 * one that does not read as it was written is a fault of ours: reading and writing past the
 * end, another version, and bytes left over are asserted against.
 *
 * All of it is inline: a posting reads and writes some forty fields.
 */
#ifndef KITH_BASE_RECORD_H
#define KITH_BASE_RECORD_H

#include "common/base/bytes.h"

/* ---- writing */

struct record_writer {
    uint8_t *begin;
    uint8_t *at;
    const uint8_t *end;
};

/* Where the next `size` bytes go. */
static inline uint8_t *record_writer_advance(struct record_writer *writer, size_t size)
{
    assert((size_t)(writer->end - writer->at) >= size);
    uint8_t *at = writer->at;
    writer->at += size;
    return at;
}

static inline void record_write8(struct record_writer *writer, uint8_t value)
{
    *record_writer_advance(writer, sizeof value) = value;
}

static inline void record_write16(struct record_writer *writer, uint16_t value)
{
    be16_put(record_writer_advance(writer, sizeof value), value);
}

static inline void record_write32(struct record_writer *writer, uint32_t value)
{
    be32_put(record_writer_advance(writer, sizeof value), value);
}

static inline void record_write64(struct record_writer *writer, uint64_t value)
{
    be64_put(record_writer_advance(writer, sizeof value), value);
}

/* In two's complement: values need no order of bytes. */
static inline void record_write_signed(struct record_writer *writer, int64_t value)
{
    record_write64(writer, (uint64_t)value);
}

/* Offset by 2^63, as be_time_put does. */
static inline void record_write_time(struct record_writer *writer, int64_t at_ms)
{
    be_time_put(record_writer_advance(writer, sizeof at_ms), at_ms);
}

/* Without their size, which the caller writes or knows. */
static inline void record_write_bytes(struct record_writer *writer, struct span bytes)
{
    uint8_t *at = record_writer_advance(writer, bytes.size);
    if (bytes.size > 0) {
        memcpy(at, bytes.data, bytes.size);
    }
}

/* Writes into the `size` bytes at `out`, and `version` first. */
static inline struct record_writer record_writer_of(uint8_t *out, size_t size, uint8_t version)
{
    struct record_writer writer = { .end = out + size };
    writer.begin = out;
    writer.at = out;
    record_write8(&writer, version);
    return writer;
}

/* All that was written so far. */
static inline struct span record_written(const struct record_writer *writer)
{
    return span_of(writer->begin, (size_t)(writer->at - writer->begin));
}

/* ---- reading */

struct record_reader {
    const uint8_t *at;
    const uint8_t *end;
};

/* Past the version byte, which is `version`. */
static inline struct record_reader record_reader_of(struct span value, uint8_t version)
{
    assert(value.size >= 1 && value.data[0] == version);
    return (struct record_reader){ .at = value.data + 1, .end = value.data + value.size };
}

/* Where the next `size` bytes stand. */
static inline const uint8_t *record_reader_advance(struct record_reader *reader, size_t size)
{
    assert((size_t)(reader->end - reader->at) >= size);
    const uint8_t *at = reader->at;
    reader->at += size;
    return at;
}

static inline uint8_t record_read8(struct record_reader *reader)
{
    return *record_reader_advance(reader, sizeof(uint8_t));
}

static inline uint16_t record_read16(struct record_reader *reader)
{
    return be16_get(record_reader_advance(reader, sizeof(uint16_t)));
}

static inline uint32_t record_read32(struct record_reader *reader)
{
    return be32_get(record_reader_advance(reader, sizeof(uint32_t)));
}

static inline uint64_t record_read64(struct record_reader *reader)
{
    return be64_get(record_reader_advance(reader, sizeof(uint64_t)));
}

static inline int64_t record_read_signed(struct record_reader *reader)
{
    return (int64_t)record_read64(reader);
}

static inline int64_t record_read_time(struct record_reader *reader)
{
    return be_time_get(record_reader_advance(reader, sizeof(int64_t)));
}

/* A part of the record itself: it lives as long as that does. */
static inline struct span record_read_bytes(struct record_reader *reader, size_t size)
{
    return span_of(record_reader_advance(reader, size), size);
}

static inline struct span record_read_rest(struct record_reader *reader)
{
    return record_read_bytes(reader, (size_t)(reader->end - reader->at));
}

static inline void record_read_into(struct record_reader *reader, void *out, size_t size)
{
    const uint8_t *at = record_reader_advance(reader, size);
    if (size > 0) {
        memcpy(out, at, size);
    }
}

/* There is nothing left. */
static inline void record_read_end(const struct record_reader *reader)
{
    assert(reader->at == reader->end);
}

#endif
