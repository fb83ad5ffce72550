#include "services/reporting/reporting_codec.h"

#include "common/base/time_text.h"
#include "common/wire/message.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/reporting.pb-c.h"

#include <string.h>

/* Repeated fields, written one by one. */
#define FIELD_TOTALS_POSITIONS 10
#define FIELD_DAILY_ROWS 1
#define FIELD_DAILY_POSITIONS 3

/* The days that a time can be of. */
#define DAY_LEAST (LIMIT_TIME_LEAST_MS / MS_PER_DAY)
#define DAY_MOST (LIMIT_TIME_MOST_MS / MS_PER_DAY)

/* ---- facts */

static bool posted_is_valid(const Kith__V1__PointsPosted *message)
{
    bool whole = message->has_points && message->has_counter && message->has_occurred_at_ms;
    return whole && message->points != 0 && message->points >= -LIMIT_AMOUNT &&
           message->points <= LIMIT_AMOUNT &&
           (message->counter == KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED ||
            message->counter == KITH__V1__LEDGER_ACCOUNT__LEDGER_SPENT) &&
           message->occurred_at_ms >= LIMIT_TIME_LEAST_MS &&
           message->occurred_at_ms <= LIMIT_TIME_MOST_MS;
}

enum status reporting_points_decode(const struct fact *fact, struct arena *arena,
                                    struct reporting_points *points)
{
    if (!fact->has_customer) {
        return STATUS_CORRUPT;
    }
    const Kith__V1__PointsPosted *message =
        pb_unpack(&kith__v1__points_posted__descriptor, arena, fact->body);
    if (message == NULL || !posted_is_valid(message)) {
        return STATUS_CORRUPT;
    }
    *points = (struct reporting_points){
        .customer = fact->customer,
        .spending = message->counter == KITH__V1__LEDGER_ACCOUNT__LEDGER_SPENT,
        .points = message->points,
        .occurred_at_ms = message->occurred_at_ms,
    };
    return STATUS_OK;
}

/* ---- requests */

enum status reporting_totals_decode(struct span body, struct arena *arena, struct refusal *refusal)
{
    const void *message =
        request_unpack(&kith__v1__totals_request__descriptor, body, arena, refusal);
    return message == NULL ? STATUS_MALFORMED : STATUS_OK;
}

static bool days_check(const Kith__V1__DailyRequest *message, struct refusal *refusal)
{
    int64_t from = message->has_from_day ? message->from_day : DAY_LEAST;
    int64_t to = message->has_to_day ? message->to_day : DAY_MOST;
    if (from < DAY_LEAST || from > DAY_MOST) {
        refusal_violation(refusal, "from_day", "a day of the years 1 to 9999",
                          "count it in days since 1970-01-01");
        return false;
    }
    if (to < DAY_LEAST || to > DAY_MOST) {
        refusal_violation(refusal, "to_day", "a day of the years 1 to 9999",
                          "count it in days since 1970-01-01");
        return false;
    }
    if (from > to) {
        refusal_violation(refusal, "to_day", "not before from_day", "exchange the two");
        return false;
    }
    return true;
}

enum status reporting_daily_decode(struct span body, struct arena *arena,
                                   struct reporting_daily_request *request, struct refusal *refusal)
{
    const Kith__V1__DailyRequest *message =
        request_unpack(&kith__v1__daily_request__descriptor, body, arena, refusal);
    if (message == NULL) {
        return STATUS_MALFORMED;
    }
    bool valid = days_check(message, refusal);
    if (message->by != NULL) {
        valid = request_id_check(message->by, "by",
                                 "name an attribute of services.reporting.attributes", refusal) &&
                valid;
    }
    uint32_t limit = 0;
    valid = request_limit_check(message->limit, &limit, refusal) && valid;
    if (!valid) {
        return STATUS_MALFORMED;
    }
    *request = (struct reporting_daily_request){
        .by = pb_text(message->by),
        .from_day = message->has_from_day ? message->from_day : DAY_LEAST,
        .to_day = message->has_to_day ? message->to_day : DAY_MOST,
        .after = pb_span(message->after),
        .limit = limit,
    };
    return STATUS_OK;
}

/* ---- replies */

static void positions_append(uint32_t field, const struct reporting_positions *positions,
                             struct buffer *out)
{
    for (size_t i = 0; i < positions->count; i++) {
        const struct turn_position *position = &positions->items[i];
        message_position_append(field, position->feed, position->seq, out);
    }
}

void reporting_totals_reply_encode(const struct reporting_total *total,
                                   const struct reporting_positions *positions, struct buffer *out)
{
    Kith__V1__TotalsReply message = KITH__V1__TOTALS_REPLY__INIT;
    message.has_events = true;
    message.events = total->events;
    message.has_customers = true;
    message.customers = total->customers;
    message.has_revenue_minor = true;
    message.revenue_minor = total->revenue_minor;
    message.has_points_issued = true;
    message.points_issued = total->points_issued;
    message.has_points_spent = true;
    message.points_spent = total->points_spent;
    message.has_points_outstanding = true;
    message.points_outstanding = reporting_core_outstanding(total);
    message.has_quarantined = true;
    message.quarantined = total->quarantined;
    message.has_segment_entries = true;
    message.segment_entries = total->segment_entries;
    message.has_segment_exits = true;
    message.segment_exits = total->segment_exits;
    message.has_sent = true;
    message.sent = total->sent;
    message.has_suppressed = true;
    message.suppressed = total->suppressed;
    message.has_unknown = true;
    message.unknown = total->unknown;
    message_append(&message.base, out);
    positions_append(FIELD_TOTALS_POSITIONS, positions, out);
}

void reporting_daily_row_append(const struct reporting_day_key *key,
                                const struct reporting_day *day, struct buffer *out)
{
    char value[REPORTING_VALUE_BYTES + 1] = { 0 };
    memcpy(value, key->value.text, key->value.size);
    Kith__V1__DailyRow message = KITH__V1__DAILY_ROW__INIT;
    message.has_day = true;
    message.day = key->day;
    message.value = key->value.present ? value : NULL;
    message.has_events = true;
    message.events = day->events;
    message.has_revenue_minor = true;
    message.revenue_minor = day->revenue_minor;
    message.has_points_issued = true;
    message.points_issued = day->points_issued;
    message.has_points_spent = true;
    message.points_spent = day->points_spent;
    message_element_append(FIELD_DAILY_ROWS, &message.base, out);
}

void reporting_daily_end_append(struct span next, const struct reporting_positions *positions,
                                struct buffer *out)
{
    Kith__V1__DailyReply message = KITH__V1__DAILY_REPLY__INIT;
    message.has_next = next.size > 0;
    message.next = pb_bytes(next);
    message_append(&message.base, out);
    positions_append(FIELD_DAILY_POSITIONS, positions, out);
}
