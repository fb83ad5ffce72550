#include "services/loyalty/loyalty_query.h"

#include <assert.h>
#include <string.h>

/* ---- statement */

struct statement_page {
    const struct view *view;
    struct loyalty_account_key account;
    uint32_t left; /* lines that still fit */
    bool more;
    struct buffer *out;
};

static bool statement_visit(void *argument, struct span key, struct span value)
{
    struct statement_page *page = argument;
    struct loyalty_entry_key entry_key = { 0 };
    enum status status = loyalty_entry_key_decode(key, &entry_key);
    assert(status == STATUS_OK);
    if (entry_key.account.programme != page->account.programme ||
        !customer_id_equal(entry_key.account.customer, page->account.customer)) {
        return false;
    }
    if (page->left == 0) {
        page->more = true;
        return false;
    }
    page->left -= 1;
    struct loyalty_entry entry = { 0 };
    loyalty_entry_decode(page->view, value, &entry);
    loyalty_statement_line_append(&entry, entry_key.number, page->out);
    return true;
}

void loyalty_query_statement(const struct view *view, struct loyalty_account_key account,
                             const struct loyalty_statement_request *request, struct buffer *out)
{
    struct statement_page page = {
        .view = view, .account = account, .left = request->limit, .out = out
    };
    if (request->after_number < UINT64_MAX) {
        struct loyalty_entry_key from = { .account = account, .number = request->after_number + 1 };
        struct loyalty_entry_key_bytes bytes = loyalty_entry_key_encode(from);
        view_scan(view, LOYALTY_TABLE_ENTRY, span_of(bytes.bytes, sizeof bytes.bytes),
                  statement_visit, &page);
    }
    loyalty_statement_end_append(page.more, out);
}

/* ---- accounts */

/* The key of a page: a table and a key of it, and room for the byte that leads past it. */
#define PAGE_KEY_BYTES (1 + LOYALTY_ACCOUNT_KEY_BYTES)

struct page_key {
    uint8_t bytes[PAGE_KEY_BYTES + 1];
    size_t size; /* 0: before the first account */
};

struct accounts_page {
    const struct view *view;
    uint32_t left;
    bool more;
    struct page_key last;
    uint32_t programme; /* the last one's name, since accounts lie in a programme's order */
    struct loyalty_name name;
    struct buffer *out;
};

static void page_key_set(struct page_key *page_key, enum loyalty_table table, struct span key)
{
    assert(key.size < PAGE_KEY_BYTES);
    page_key->bytes[0] = (uint8_t)table;
    memcpy(page_key->bytes + 1, key.data, key.size);
    page_key->size = 1 + key.size;
}

static const struct loyalty_name *programme_name(struct accounts_page *page, uint32_t programme)
{
    if (page->name.size == 0 || page->programme != programme) {
        page->name = loyalty_programme_name_load(page->view, programme);
        page->programme = programme;
    }
    return &page->name;
}

/* Makes room for one more row. False: the page is full, and there is more. */
static bool row_begin(struct accounts_page *page, enum loyalty_table table, struct span key)
{
    if (page->left == 0) {
        page->more = true;
        return false;
    }
    page->left -= 1;
    page_key_set(&page->last, table, key);
    return true;
}

static bool own_visit(void *argument, struct span key, struct span value)
{
    struct accounts_page *page = argument;
    struct loyalty_own_key own_key = { 0 };
    enum status status = loyalty_own_key_decode(key, &own_key);
    assert(status == STATUS_OK);
    if (!row_begin(page, LOYALTY_TABLE_OWN, key)) {
        return false;
    }
    struct loyalty_own own = { 0 };
    loyalty_own_decode(value, &own);
    struct loyalty_account_row row = {
        .programme = programme_name(page, own_key.programme),
        .own = own_key.kind,
        .balance = own.balance,
        .postings = own.postings,
    };
    loyalty_account_row_append(&row, page->out);
    return true;
}

static bool account_visit(void *argument, struct span key, struct span value)
{
    struct accounts_page *page = argument;
    struct loyalty_account_key account_key = { 0 };
    enum status status = loyalty_account_key_decode(key, &account_key);
    assert(status == STATUS_OK);
    if (!row_begin(page, LOYALTY_TABLE_ACCOUNT, key)) {
        return false;
    }
    struct loyalty_account account = { 0 };
    loyalty_account_decode(value, &account);
    struct loyalty_account_row row = {
        .programme = programme_name(page, account_key.programme),
        .customer = &account_key.customer,
        .balance = account.balance,
        .postings = account.postings,
    };
    loyalty_account_row_append(&row, page->out);
    return true;
}

/* Reads what a page before said; the key then gets a zero byte, and with it the first place
 * after its account. */
static enum status page_key_read(struct span after, struct page_key *page_key)
{
    *page_key = (struct page_key){ 0 };
    if (after.size == 0) {
        return STATUS_OK;
    }
    bool own = after.data[0] == LOYALTY_TABLE_OWN && after.size == 1 + LOYALTY_OWN_KEY_BYTES;
    bool account =
        after.data[0] == LOYALTY_TABLE_ACCOUNT && after.size == 1 + LOYALTY_ACCOUNT_KEY_BYTES;
    if (!own && !account) {
        return STATUS_MALFORMED;
    }
    memcpy(page_key->bytes, after.data, after.size);
    page_key->size = after.size + 1;
    return STATUS_OK;
}

enum status loyalty_query_accounts(const struct view *view,
                                   const struct loyalty_accounts_request *request, uint64_t seq,
                                   struct buffer *out, struct refusal *refusal)
{
    struct page_key from = { 0 };
    if (page_key_read(request->after, &from) != STATUS_OK) {
        refusal_violation(refusal, "after", "a key that an AccountsReply gave as next",
                          "leave it away to begin with the first account");
        return STATUS_MALFORMED;
    }
    struct accounts_page page = { .view = view, .left = request->limit, .out = out };
    struct span rest = span_of(from.bytes + 1, from.size > 0 ? from.size - 1 : 0);
    if (from.size == 0 || from.bytes[0] == LOYALTY_TABLE_OWN) {
        view_scan(view, LOYALTY_TABLE_OWN, rest, own_visit, &page);
        rest = span_of(NULL, 0);
    }
    if (!page.more) {
        view_scan(view, LOYALTY_TABLE_ACCOUNT, rest, account_visit, &page);
    }
    struct span next = span_of(page.last.bytes, page.more ? page.last.size : 0);
    loyalty_accounts_end_append(next, seq, out);
    return STATUS_OK;
}
