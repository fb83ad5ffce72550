#include "common/base/record.h"

#include <assert.h>
#include <string.h>

/* Where the next `size` bytes go. */
static uint8_t *writer_advance(struct record_writer *writer, size_t size)
{
    assert((size_t)(writer->end - writer->at) >= size);
    uint8_t *at = writer->at;
    writer->at += size;
    return at;
}

/* Where the next `size` bytes stand. */
static const uint8_t *reader_advance(struct record_reader *reader, size_t size)
{
    assert((size_t)(reader->end - reader->at) >= size);
    const uint8_t *at = reader->at;
    reader->at += size;
    return at;
}

struct record_writer record_writer_of(uint8_t *out, size_t size, uint8_t version)
{
    struct record_writer writer = { .end = out + size };
    writer.begin = out;
    writer.at = out;
    record_write8(&writer, version);
    return writer;
}

void record_write8(struct record_writer *writer, uint8_t value)
{
    *writer_advance(writer, sizeof value) = value;
}

void record_write16(struct record_writer *writer, uint16_t value)
{
    be16_put(writer_advance(writer, sizeof value), value);
}

void record_write32(struct record_writer *writer, uint32_t value)
{
    be32_put(writer_advance(writer, sizeof value), value);
}

void record_write64(struct record_writer *writer, uint64_t value)
{
    be64_put(writer_advance(writer, sizeof value), value);
}

void record_write_signed(struct record_writer *writer, int64_t value)
{
    record_write64(writer, (uint64_t)value);
}

void record_write_time(struct record_writer *writer, int64_t at_ms)
{
    be_time_put(writer_advance(writer, sizeof at_ms), at_ms);
}

void record_write_bytes(struct record_writer *writer, struct span bytes)
{
    uint8_t *at = writer_advance(writer, bytes.size);
    if (bytes.size > 0) {
        memcpy(at, bytes.data, bytes.size);
    }
}

struct span record_written(const struct record_writer *writer)
{
    return span_of(writer->begin, (size_t)(writer->at - writer->begin));
}

struct record_reader record_reader_of(struct span value, uint8_t version)
{
    assert(value.size >= 1 && value.data[0] == version);
    return (struct record_reader){ .at = value.data + 1, .end = value.data + value.size };
}

uint8_t record_read8(struct record_reader *reader)
{
    return *reader_advance(reader, sizeof(uint8_t));
}

uint16_t record_read16(struct record_reader *reader)
{
    return be16_get(reader_advance(reader, sizeof(uint16_t)));
}

uint32_t record_read32(struct record_reader *reader)
{
    return be32_get(reader_advance(reader, sizeof(uint32_t)));
}

uint64_t record_read64(struct record_reader *reader)
{
    return be64_get(reader_advance(reader, sizeof(uint64_t)));
}

int64_t record_read_signed(struct record_reader *reader)
{
    return (int64_t)record_read64(reader);
}

int64_t record_read_time(struct record_reader *reader)
{
    return be_time_get(reader_advance(reader, sizeof(int64_t)));
}

struct span record_read_bytes(struct record_reader *reader, size_t size)
{
    return span_of(reader_advance(reader, size), size);
}

struct span record_read_rest(struct record_reader *reader)
{
    return record_read_bytes(reader, (size_t)(reader->end - reader->at));
}

void record_read_into(struct record_reader *reader, void *out, size_t size)
{
    const uint8_t *at = reader_advance(reader, size);
    if (size > 0) {
        memcpy(out, at, size);
    }
}

void record_read_end(const struct record_reader *reader)
{
    assert(reader->at == reader->end);
}
