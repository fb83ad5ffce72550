#include "common/base/hash.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>
#include <xxhash.h>

/* libsodium's hash works without sodium_init(), which only picks faster code for the same
 * result. Its calls fail for wrong sizes alone, and ours are fixed. */

static void state_init(crypto_generichash_state *state, struct span key, size_t hash_size)
{
    assert(key.size <= crypto_generichash_KEYBYTES_MAX);
    int result = crypto_generichash_init(state, key.data, key.size, hash_size);
    assert(result == 0);
}

static void state_add(crypto_generichash_state *state, struct span bytes)
{
    if (bytes.size > 0) {
        int result = crypto_generichash_update(state, bytes.data, bytes.size);
        assert(result == 0);
    }
}

static void state_end(crypto_generichash_state *state, uint8_t *hash, size_t hash_size)
{
    int result = crypto_generichash_final(state, hash, hash_size);
    assert(result == 0);
}

struct hash128 hash128_of(struct span key, const struct span *parts, size_t count)
{
    crypto_generichash_state state;
    struct hash128 hash = { { 0 } };
    state_init(&state, key, sizeof hash.bytes);
    for (size_t i = 0; i < count; i++) {
        uint8_t size[8] = { 0 };
        be64_put(size, parts[i].size);
        state_add(&state, span_of(size, sizeof size));
        state_add(&state, parts[i]);
    }
    state_end(&state, hash.bytes, sizeof hash.bytes);
    return hash;
}

struct hash128 hash128_of_span(struct span bytes)
{
    crypto_generichash_state state;
    struct hash128 hash = { { 0 } };
    state_init(&state, span_of(NULL, 0), sizeof hash.bytes);
    state_add(&state, bytes);
    state_end(&state, hash.bytes, sizeof hash.bytes);
    return hash;
}

struct hash256 hash256_of_span(struct span bytes)
{
    crypto_generichash_state state;
    struct hash256 hash = { { 0 } };
    state_init(&state, span_of(NULL, 0), sizeof hash.bytes);
    state_add(&state, bytes);
    state_end(&state, hash.bytes, sizeof hash.bytes);
    return hash;
}

struct hash256 hash_chain(struct hash256 previous, struct span header)
{
    crypto_generichash_state state;
    struct hash256 hash = { { 0 } };
    state_init(&state, span_of(NULL, 0), sizeof hash.bytes);
    state_add(&state, span_of(previous.bytes, sizeof previous.bytes));
    state_add(&state, header);
    state_end(&state, hash.bytes, sizeof hash.bytes);
    return hash;
}

bool hash128_equal(struct hash128 a, struct hash128 b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool hash256_equal(struct hash256 a, struct hash256 b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

uint64_t checksum_of(struct span key, struct span value)
{
    /* The key's hash seeds the value's, so that a byte that moves from one to the other
     * is seen, and no state has to be set up for a record of a few bytes. */
    XXH64_hash_t seed = XXH3_64bits(key.data, key.size);
    return XXH3_64bits_withSeed(value.data, value.size, seed);
}

static_assert(sizeof(crypto_generichash_state) <= sizeof(struct hash_stream),
              "a stream holds libsodium's state");
static_assert(_Alignof(crypto_generichash_state) <= _Alignof(struct hash_stream),
              "a stream is aligned like libsodium's state");

static crypto_generichash_state *stream_state(struct hash_stream *stream)
{
    return (crypto_generichash_state *)(void *)stream->opaque;
}

void hash_stream_init(struct hash_stream *stream)
{
    state_init(stream_state(stream), span_of(NULL, 0), sizeof(struct hash128));
}

void hash_stream_add(struct hash_stream *stream, struct span bytes)
{
    state_add(stream_state(stream), bytes);
}

struct hash128 hash_stream_end128(struct hash_stream *stream)
{
    struct hash128 hash = { { 0 } };
    state_end(stream_state(stream), hash.bytes, sizeof hash.bytes);
    return hash;
}
