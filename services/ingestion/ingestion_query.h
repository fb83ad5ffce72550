/*
 * Questions about the quarantine, answered from a view. Replies are written to `out`,
 * whose limit is at least LIMIT_BODY_BYTES.
 */
#ifndef KITH_INGESTION_QUERY_H
#define KITH_INGESTION_QUERY_H

#include "services/ingestion/ingestion_codec.h"

/* Open entries after the one named, oldest first, without their contents. A page ends
 * early when the reply is half full: who wants more asks again until a page is empty. */
void ingestion_query_list(const struct view *view, const struct ingestion_list_request *request,
                          struct arena *arena, struct buffer *out);
/* One entry with its content. STATUS_NOT_FOUND: no open entry has this number. */
MUST_USE enum status ingestion_query_show(const struct view *view, uint64_t number,
                                          struct arena *arena, struct buffer *out,
                                          struct refusal *refusal);
/* STATUS_NOT_FOUND in the same words. */
MUST_USE enum status ingestion_query_entry(const struct view *view, uint64_t number,
                                           struct ingestion_entry *entry, struct refusal *refusal);

#endif
