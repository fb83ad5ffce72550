/*
 * Segmentation's messages in and out of Protocol Buffers: rules and facts.
 * Private records stand in segmentation_record.h, requests in segmentation_request.h.
 *
 * Decoding gives a whole struct or nothing. Spans point into the arena, which the caller
 * resets before; encoding takes room for texts from an arena as well.
 */
#ifndef KITH_SEGMENTATION_CODEC_H
#define KITH_SEGMENTATION_CODEC_H

#include "common/base/arena.h"
#include "services/segmentation/segmentation_core.h"

#define SEGMENTATION_RULES_NAME "segments"
/* Rules for people; with the compiled ones it fits a fact. */
#define SEGMENTATION_RULES_TEXT_BYTES (20 * 1024)

/* ---- rules */

/* Appends the compiled form of `rules->rules` and `rules->history_days`; equal rules give
 * equal bytes. STATUS_LIMIT: past the buffer's limit or the arena's. */
MUST_USE enum status segmentation_rules_encode(const struct segmentation_rules *rules,
                                               struct arena *arena, struct buffer *out);
/* Sets the same two. STATUS_CORRUPT: not rules, past their bounds, or with a window that
 * history does not hold; `rules` is then not to be used. */
MUST_USE enum status segmentation_rules_decode(struct span compiled, struct arena *arena,
                                               struct segmentation_rules *rules);

/* The body of FACT_RULES_CHANGED. */
struct segmentation_rules_fact {
    uint32_t version;
    struct hash128 hash;
    struct span compiled;
    struct span text;
};
void segmentation_rules_fact_encode(const struct segmentation_rules_fact *changed,
                                    struct buffer *out);
/* STATUS_CORRUPT: not such a body, another name, or a hash that does not match. */
MUST_USE enum status segmentation_rules_fact_decode(struct span body, struct arena *arena,
                                                    struct segmentation_rules_fact *changed);

/* ---- facts */

/* The type and the body of the fact that says this move. */
uint32_t segmentation_move_type(const struct segmentation_move *move);
/* `contact` stands in an entry; the body has room for it in `out` (asserted). */
void segmentation_move_encode(const struct segmentation_move *move,
                              const struct segmentation_contact *contact, struct buffer *out);
/* STATUS_CORRUPT: neither an entry nor an exit. */
MUST_USE enum status segmentation_move_decode(const struct fact *fact, struct arena *arena,
                                              struct segmentation_move *move);

#endif
