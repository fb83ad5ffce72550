/*
 * Records of state: a version byte, then big-endian numbers and bytes, front to back.
 *
 * A record was written by this very program and its checksum is right when it gets here, so
 * one that does not read as it was written is a fault of ours: reading and writing past the
 * end, another version, and bytes left over are asserted against.
 */
#ifndef KITH_BASE_RECORD_H
#define KITH_BASE_RECORD_H

#include "common/base/bytes.h"

struct record_writer {
    uint8_t *begin;
    uint8_t *at;
    const uint8_t *end;
};

/* Writes into the `size` bytes at `out`, and `version` first. */
struct record_writer record_writer_of(uint8_t *out, size_t size, uint8_t version);
void record_write8(struct record_writer *writer, uint8_t value);
void record_write16(struct record_writer *writer, uint16_t value);
void record_write32(struct record_writer *writer, uint32_t value);
void record_write64(struct record_writer *writer, uint64_t value);
/* In two's complement: values need no order of bytes. */
void record_write_signed(struct record_writer *writer, int64_t value);
/* Offset by 2^63, as be_time_put does. */
void record_write_time(struct record_writer *writer, int64_t at_ms);
/* Without their size, which the caller writes or knows. */
void record_write_bytes(struct record_writer *writer, struct span bytes);
/* All that was written so far. */
struct span record_written(const struct record_writer *writer);

struct record_reader {
    const uint8_t *at;
    const uint8_t *end;
};

/* Past the version byte, which is `version`. */
struct record_reader record_reader_of(struct span value, uint8_t version);
uint8_t record_read8(struct record_reader *reader);
uint16_t record_read16(struct record_reader *reader);
uint32_t record_read32(struct record_reader *reader);
uint64_t record_read64(struct record_reader *reader);
int64_t record_read_signed(struct record_reader *reader);
int64_t record_read_time(struct record_reader *reader);
/* A part of the record itself: it lives as long as that does. */
struct span record_read_bytes(struct record_reader *reader, size_t size);
struct span record_read_rest(struct record_reader *reader);
void record_read_into(struct record_reader *reader, void *out, size_t size);
/* There is nothing left. */
void record_read_end(const struct record_reader *reader);

#endif
