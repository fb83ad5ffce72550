/* How values and views are written and read by the files of the store; nobody else's. */
#ifndef KITH_SEGMENTATION_STORE_BYTES_H
#define KITH_SEGMENTATION_STORE_BYTES_H

#include "services/segmentation/segmentation_store.h"

#include <assert.h>
#include <string.h>

#define RECORD_VERSION 1

/* A value being written or read, front to back. */
struct writer {
    uint8_t *at;
};
struct reader {
    const uint8_t *at;
};

static inline void put8(struct writer *writer, uint8_t value)
{
    *writer->at = value;
    writer->at += 1;
}

static inline void put32(struct writer *writer, uint32_t value)
{
    be32_put(writer->at, value);
    writer->at += 4;
}

static inline void put64(struct writer *writer, uint64_t value)
{
    be64_put(writer->at, value);
    writer->at += 8;
}

/* Amounts and times in two's complement: values need no order of bytes. */
static inline void put_signed(struct writer *writer, int64_t value)
{
    put64(writer, (uint64_t)value);
}

static inline void put_bytes(struct writer *writer, struct span bytes)
{
    if (bytes.size > 0) {
        memcpy(writer->at, bytes.data, bytes.size);
    }
    writer->at += bytes.size;
}

static inline uint8_t get8(struct reader *reader)
{
    uint8_t value = *reader->at;
    reader->at += 1;
    return value;
}

static inline uint32_t get32(struct reader *reader)
{
    uint32_t value = be32_get(reader->at);
    reader->at += 4;
    return value;
}

static inline uint64_t get64(struct reader *reader)
{
    uint64_t value = be64_get(reader->at);
    reader->at += 8;
    return value;
}

static inline int64_t get_signed(struct reader *reader)
{
    return (int64_t)get64(reader);
}

/* Past the version byte, which only this version writes. */
static inline struct reader reader_of(struct span value)
{
    assert(value.size >= 1 && value.data[0] == RECORD_VERSION);
    return (struct reader){ .at = value.data + 1 };
}

static inline bool record_get(const struct view *view, enum segmentation_table table,
                              const struct segmentation_key *key, struct span *value)
{
    return view_get(view, (uint8_t)table, segmentation_key_span(key), value);
}

static inline void record_put(const struct change *change, enum segmentation_table table,
                              const struct segmentation_key *key, struct span value)
{
    change_put(change, (uint8_t)table, segmentation_key_span(key), value);
}

static inline void record_delete(const struct change *change, enum segmentation_table table,
                                 const struct segmentation_key *key)
{
    change_delete(change, (uint8_t)table, segmentation_key_span(key));
}

#endif
