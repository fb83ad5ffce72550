/*
 * BLAKE2b for identity and chains (libsodium), XXH3 for checksums (xxHash).
 */
#ifndef KITH_BASE_HASH_H
#define KITH_BASE_HASH_H

#include "common/base/bytes.h"

struct hash128 {
    uint8_t bytes[16];
};
struct hash256 {
    uint8_t bytes[32];
};

/* BLAKE2b-128 of the parts one after the other, each with its length before it, so
 * that ("a", "bc") and ("ab", "c") differ. `key` may be empty. */
struct hash128 hash128_of(struct span key, const struct span *parts, size_t count);
struct hash128 hash128_of_span(struct span bytes);
struct hash256 hash256_of_span(struct span bytes);
/* The chain of blocks: BLAKE2b-256(previous, header). */
struct hash256 hash_chain(struct hash256 previous, struct span header);
bool hash128_equal(struct hash128 a, struct hash128 b);
bool hash256_equal(struct hash256 a, struct hash256 b);

/* XXH3-64 over key and value; detects rot, not malice. */
uint64_t checksum_of(struct span key, struct span value);

/* A digest fed piece by piece (files, tables). */
struct hash_stream {
    _Alignas(64) unsigned char opaque[512];
};
void hash_stream_init(struct hash_stream *stream);
void hash_stream_add(struct hash_stream *stream, struct span bytes);
struct hash128 hash_stream_end128(struct hash_stream *stream);

#endif
