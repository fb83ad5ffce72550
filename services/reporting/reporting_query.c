#include "services/reporting/reporting_query.h"

#include <assert.h>
#include <string.h>

/* The key of the last row, and room for the byte that leads past it. */
struct page_key {
    uint8_t bytes[REPORTING_DAY_KEY_BYTES + 1];
    size_t size;
};

struct daily_page {
    uint16_t attribute;
    int64_t to_day;
    uint32_t left; /* rows that still fit */
    bool more;
    struct page_key last;
    struct buffer *out;
};

void reporting_query_totals(const struct view *view, const struct reporting_positions *positions,
                            struct buffer *out)
{
    struct reporting_total total = { 0 };
    reporting_total_load(view, &total);
    reporting_totals_reply_encode(&total, positions, out);
}

static void page_key_set(struct page_key *page_key, struct span key)
{
    assert(key.size <= REPORTING_DAY_KEY_BYTES);
    memcpy(page_key->bytes, key.data, key.size);
    page_key->size = key.size;
}

static bool daily_visit(void *argument, struct span key, struct span value)
{
    struct daily_page *page = argument;
    struct reporting_day_key day_key = { 0 };
    enum status status = reporting_day_key_decode(key, &day_key);
    assert(status == STATUS_OK);
    if (day_key.attribute != page->attribute || day_key.day > page->to_day) {
        return false;
    }
    if (page->left == 0) {
        page->more = true;
        return false;
    }
    page->left -= 1;
    page_key_set(&page->last, key);
    struct reporting_day day = { 0 };
    reporting_day_decode(value, &day);
    reporting_daily_row_append(&day_key, &day, page->out);
    return true;
}

/* Where the page begins: at the first day, or behind the last row of the page before, whose
 * key with a zero byte is the first place after it. */
static enum status page_begin(const struct reporting_daily_request *request, uint16_t attribute,
                              struct page_key *from)
{
    if (request->after.size == 0) {
        struct reporting_day_key key = { .attribute = attribute, .day = request->from_day };
        struct reporting_day_key_bytes bytes = reporting_day_key_encode(&key);
        page_key_set(from, span_of(bytes.bytes, bytes.size));
        return STATUS_OK;
    }
    struct reporting_day_key after = { 0 };
    if (reporting_day_key_decode(request->after, &after) != STATUS_OK ||
        after.attribute != attribute || after.day < request->from_day) {
        return STATUS_MALFORMED;
    }
    page_key_set(from, request->after);
    from->bytes[from->size] = 0;
    from->size += 1;
    return STATUS_OK;
}

enum status reporting_query_daily(const struct view *view,
                                  const struct reporting_daily_request *request,
                                  const struct reporting_positions *positions, struct buffer *out,
                                  struct refusal *refusal)
{
    uint16_t attribute = REPORTING_ATTRIBUTE_NONE;
    if (request->by.size > 0 && !reporting_attribute_load(view, request->by, &attribute)) {
        return refusal_set(
            refusal, STATUS_NOT_FOUND,
            "nothing is split by '%.*s'; services.reporting.attributes names what is",
            (int)request->by.size, (const char *)request->by.data);
    }
    struct page_key from = { .size = 0 };
    if (page_begin(request, attribute, &from) != STATUS_OK) {
        refusal_violation(refusal, "after",
                          "a key that a DailyReply for the same days gave as next",
                          "leave it away to begin with the first row");
        return STATUS_MALFORMED;
    }
    struct daily_page page = {
        .attribute = attribute, .to_day = request->to_day, .left = request->limit, .out = out
    };
    view_scan(view, REPORTING_TABLE_DAY, span_of(from.bytes, from.size), daily_visit, &page);
    struct span next = span_of(page.last.bytes, page.more ? page.last.size : 0);
    reporting_daily_end_append(next, positions, out);
    return STATUS_OK;
}
