#include "services/loyalty/loyalty_request.h"

#include "common/wire/message.h"
#include "kith/v1/loyalty.pb-c.h"
#include "services/loyalty/loyalty_codec.h"

/* Repeated fields, written one by one. */
#define FIELD_BALANCE_POSITIONS 7
#define FIELD_STATEMENT_LINES 1
#define FIELD_ACCOUNTS 1

/* ---- requests */

static bool customer_check(const char *customer, struct refusal *refusal)
{
    return request_id_check(customer, "customer", "name the customer as its source does", refusal);
}

static bool programme_check(const char *programme, struct refusal *refusal)
{
    return programme == NULL ||
           request_id_check(
               programme, "programme",
               "leave it away for the first programme, or name one of the configuration", refusal);
}

enum status loyalty_spend_decode(struct span body, struct arena *arena,
                                 struct loyalty_spend_request *request, struct refusal *refusal)
{
    const Kith__V1__SpendRequest *message =
        request_unpack(&kith__v1__spend_request__descriptor, body, arena, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    bool valid = customer_check(message->customer, refusal);
    valid = programme_check(message->programme, refusal) && valid;
    if (message->points < 1 || message->points > LIMIT_AMOUNT) {
        refusal_violation(refusal, "points", "1 to 1000000000000000",
                          "give the number of points to take from the account");
        valid = false;
    }
    if (!valid) {
        return STATUS_MALFORMED;
    }
    *request = (struct loyalty_spend_request){
        .customer = pb_text(message->customer),
        .programme = pb_text(message->programme),
        .points = message->points,
    };
    return STATUS_OK;
}

enum status loyalty_reverse_decode(struct span body, struct arena *arena, uint64_t *posting,
                                   struct refusal *refusal)
{
    const Kith__V1__ReverseRequest *message =
        request_unpack(&kith__v1__reverse_request__descriptor, body, arena, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    if (message->posting == 0) {
        refusal_violation(refusal, "posting", "1 or more",
                          "give the posting's number as the statement shows it");
        return STATUS_MALFORMED;
    }
    *posting = message->posting;
    return STATUS_OK;
}

enum status loyalty_balance_decode(struct span body, struct arena *arena,
                                   struct loyalty_balance_request *request, struct refusal *refusal)
{
    const Kith__V1__BalanceRequest *message =
        request_unpack(&kith__v1__balance_request__descriptor, body, arena, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    bool valid = customer_check(message->customer, refusal);
    valid = programme_check(message->programme, refusal) && valid;
    if (!valid) {
        return STATUS_MALFORMED;
    }
    *request = (struct loyalty_balance_request){
        .customer = pb_text(message->customer),
        .programme = pb_text(message->programme),
    };
    return STATUS_OK;
}

enum status loyalty_statement_decode(struct span body, struct arena *arena,
                                     struct loyalty_statement_request *request,
                                     struct refusal *refusal)
{
    const Kith__V1__StatementRequest *message =
        request_unpack(&kith__v1__statement_request__descriptor, body, arena, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    uint32_t limit = 0;
    bool valid = customer_check(message->customer, refusal);
    valid = programme_check(message->programme, refusal) && valid;
    valid = request_limit_check(message->limit, &limit, refusal) && valid;
    if (!valid) {
        return STATUS_MALFORMED;
    }
    *request = (struct loyalty_statement_request){
        .customer = pb_text(message->customer),
        .programme = pb_text(message->programme),
        .after_number = message->after_number,
        .limit = limit,
    };
    return STATUS_OK;
}

enum status loyalty_accounts_decode(struct span body, struct arena *arena,
                                    struct loyalty_accounts_request *request,
                                    struct refusal *refusal)
{
    const Kith__V1__AccountsRequest *message =
        request_unpack(&kith__v1__accounts_request__descriptor, body, arena, refusal);
    uint32_t limit = 0;
    if (message == NULL || !request_limit_check(message->limit, &limit, refusal)) {
        return STATUS_MALFORMED;
    }
    *request = (struct loyalty_accounts_request){
        .after = pb_span(message->after),
        .limit = limit,
    };
    return STATUS_OK;
}

/* ---- replies */

void loyalty_post_reply_encode(const struct loyalty_posting *posting, uint64_t seq,
                               struct buffer *out)
{
    struct loyalty_name programme = posting->programme;
    bool named = posting->subject.key_id == 0 && posting->subject.size > 0 &&
                 posting->subject.size <= LIMIT_ID_BYTES;
    struct loyalty_name customer = { 0 };
    if (named) {
        customer = loyalty_name_of(span_of(posting->subject.bytes, posting->subject.size));
    }
    Kith__V1__PostReply message = KITH__V1__POST_REPLY__INIT;
    message.has_posting = true;
    message.posting = seq;
    message.customer = named ? customer.text : NULL;
    message.programme = programme.text;
    message.has_points = true;
    message.points = posting->points;
    message.has_balance = true;
    message.balance = posting->balance_after;
    message_append(&message.base, out);
}

void loyalty_balance_reply_encode(const struct loyalty_found *found, struct span customer,
                                  struct buffer *out)
{
    struct loyalty_name programme = found->programme;
    struct loyalty_name name = loyalty_name_of(customer);
    Kith__V1__BalanceReply message = KITH__V1__BALANCE_REPLY__INIT;
    message.customer = name.text;
    message.programme = programme.text;
    message.has_available = true;
    message.available = found->account.balance;
    message.has_earned = true;
    message.earned = found->account.earned;
    message.has_spent = true;
    message.spent = found->account.spent;
    message.has_postings = true;
    message.postings = found->account.postings;
    message_append(&message.base, out);
}

void loyalty_balance_positions_append(const struct turn_position *positions, size_t count,
                                      struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        message_position_append(FIELD_BALANCE_POSITIONS, positions[i].feed, positions[i].seq, out);
    }
}

void loyalty_statement_line_append(const struct loyalty_entry *entry, uint64_t number,
                                   struct buffer *out)
{
    Kith__V1__StatementLine message = KITH__V1__STATEMENT_LINE__INIT;
    message.has_posting = true;
    message.posting = entry->posting;
    message.has_number = true;
    message.number = number;
    message.has_type = true;
    message.type = loyalty_posting_type(entry->kind);
    message.has_points = true;
    message.points = entry->points;
    message.has_balance_after = true;
    message.balance_after = entry->balance_after;
    message.has_occurred_at_ms = true;
    message.occurred_at_ms = entry->occurred_at_ms;
    message.has_recorded_at_ms = true;
    message.recorded_at_ms = entry->recorded_at_ms;
    message.has_reverses = entry->reverses != 0;
    message.reverses = entry->reverses;
    message.has_reversed_by = entry->reversed_by != 0;
    message.reversed_by = entry->reversed_by;
    message_element_append(FIELD_STATEMENT_LINES, &message.base, out);
}

void loyalty_statement_end_append(bool more, struct buffer *out)
{
    Kith__V1__StatementReply message = KITH__V1__STATEMENT_REPLY__INIT;
    message.has_more = true;
    message.more = more;
    message_append(&message.base, out);
}

void loyalty_account_row_append(const struct loyalty_account_row *row, struct buffer *out)
{
    struct loyalty_name programme = *row->programme;
    Kith__V1__Account message = KITH__V1__ACCOUNT__INIT;
    message.programme = programme.text;
    if (row->customer != NULL) {
        message.has_customer = true;
        message.customer = pb_bytes(span_of(row->customer->bytes, sizeof row->customer->bytes));
    } else {
        message.has_own = true;
        message.own = (Kith__V1__LedgerAccount)row->own;
    }
    message.has_balance = true;
    message.balance = row->balance;
    message.has_postings = true;
    message.postings = row->postings;
    message_element_append(FIELD_ACCOUNTS, &message.base, out);
}

void loyalty_accounts_end_append(struct span next, uint64_t seq, struct buffer *out)
{
    Kith__V1__AccountsReply message = KITH__V1__ACCOUNTS_REPLY__INIT;
    message.has_next = next.size > 0;
    message.next = pb_bytes(next);
    message.has_seq = true;
    message.seq = seq;
    message_append(&message.base, out);
}
