#include "services/ingestion/ingestion_query.h"

#include "common/base/limits.h"

#include <assert.h>
#include <inttypes.h>

struct page {
    uint32_t left;
    struct arena *arena;
    struct buffer *out;
};

static bool page_visit(void *argument, const struct ingestion_entry *entry)
{
    struct page *page = argument;
    if (page->left == 0 || page->out->size >= LIMIT_BODY_BYTES / 2) {
        return false;
    }
    page->left -= 1;
    arena_reset(page->arena);
    ingestion_list_entry_encode(entry, span_of(NULL, 0), page->arena, page->out);
    return true;
}

void ingestion_query_list(const struct view *view, const struct ingestion_list_request *request,
                          struct arena *arena, struct buffer *out)
{
    struct page page = { .left = request->limit, .arena = arena, .out = out };
    ingestion_entries_walk(view, request->after_entry, page_visit, &page);
    ingestion_list_total_encode(ingestion_counters_load(view).entries_open, out);
}

enum status ingestion_query_entry(const struct view *view, uint64_t number,
                                  struct ingestion_entry *entry, struct refusal *refusal)
{
    if (!ingestion_entry_load(view, number, entry)) {
        return refusal_set(
            refusal, STATUS_NOT_FOUND,
            "the quarantine has no open entry %" PRIu64 ": it is closed, or never was", number);
    }
    return STATUS_OK;
}

enum status ingestion_query_show(const struct view *view, uint64_t number, struct arena *arena,
                                 struct buffer *out, struct refusal *refusal)
{
    struct ingestion_entry entry = { .number = 0 };
    enum status status = ingestion_query_entry(view, number, &entry, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    struct buffer content = { .limit = LIMIT_EVENT_BYTES };
    status = ingestion_entry_content_load(view, &entry, &content);
    assert(status == STATUS_OK);
    ingestion_list_entry_encode(&entry, buffer_span(&content), arena, out);
    ingestion_list_total_encode(ingestion_counters_load(view).entries_open, out);
    buffer_release(&content);
    return STATUS_OK;
}
