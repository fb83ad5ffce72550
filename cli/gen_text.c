#include "cli/gen_text.h"

#include "common/base/time_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAP_BYTES 4096
#define DIGITS_MOST 20
#define NUMBER_DIGITS 8
#define MS_PER_HOUR 3600000
#define MS_PER_MINUTE 60000

/* A constant text with its size, so that writing it is a copy. */
struct word {
    const char *text;
    size_t size;
};
#define WORD(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static const struct word types[GEN_TYPE_COUNT] = {
    [GEN_REGISTERED] = WORD("customer_registered"),
    [GEN_PROFILE_CHANGED] = WORD("profile_changed"),
    [GEN_USAGE] = WORD("usage"),
    [GEN_BILL_ISSUED] = WORD("bill_issued"),
    [GEN_BILL_PAID] = WORD("bill_paid"),
    [GEN_RECHARGE] = WORD("recharge"),
    [GEN_PURCHASE] = WORD("purchase"),
    [GEN_CONTACT] = WORD("service_contact"),
    [GEN_RATING] = WORD("rating"),
    [GEN_COMPLAINT] = WORD("complaint"),
    [GEN_REFERRAL] = WORD("referral"),
    [GEN_CONTRACT_ENDED] = WORD("contract_ended"),
};
static const struct word categories[GEN_CATEGORY_COUNT] = {
    [GEN_NO_CATEGORY] = WORD(""),        [GEN_VOICE] = WORD("voice"),
    [GEN_MESSAGES] = WORD("message"),    [GEN_DATA] = WORD("data"),
    [GEN_ROAMING] = WORD("roaming"),     [GEN_DATA_PACK] = WORD("data_pack"),
    [GEN_MUSIC] = WORD("music"),         [GEN_GAMES] = WORD("games"),
    [GEN_RINGTONE] = WORD("ringtone"),   [GEN_NEWS] = WORD("news"),
    [GEN_INSURANCE] = WORD("insurance"), [GEN_NEW_HANDSET] = WORD("handset"),
    [GEN_AT_HALL] = WORD("hall"),        [GEN_BY_HOTLINE] = WORD("hotline"),
    [GEN_ON_WEB] = WORD("web"),          [GEN_RATED_LOW] = WORD("low"),
    [GEN_RATED_MIDDLE] = WORD("middle"), [GEN_RATED_HIGH] = WORD("high"),
    [GEN_OF_NETWORK] = WORD("network"),  [GEN_OF_BILL] = WORD("bill"),
    [GEN_OF_SERVICE] = WORD("service"),  [GEN_FOR_PRICE] = WORD("price"),
    [GEN_FOR_NETWORK] = WORD("network"), [GEN_FOR_MOVING] = WORD("moving"),
};
static const struct word plans[GEN_PLAN_COUNT] = {
    [GEN_PREPAID] = WORD("prepaid"),     [GEN_BASIC] = WORD("basic"),
    [GEN_UNLIMITED] = WORD("unlimited"), [GEN_FAMILY] = WORD("family"),
    [GEN_BUSINESS] = WORD("business"),
};
static const struct word regions[GEN_REGION_COUNT] = {
    [GEN_NORTH] = WORD("north"), [GEN_EAST] = WORD("east"),     [GEN_SOUTH] = WORD("south"),
    [GEN_WEST] = WORD("west"),   [GEN_CENTRE] = WORD("centre"),
};
static const struct word handsets[GEN_HANDSET_COUNT] = {
    [GEN_HANDSET_BASIC] = WORD("basic"),
    [GEN_HANDSET_SMART] = WORD("smart"),
    [GEN_HANDSET_TOP] = WORD("top"),
};
static const struct word ages[GEN_AGE_COUNT] = {
    [GEN_AGE_18] = WORD("18-24"), [GEN_AGE_25] = WORD("25-34"), [GEN_AGE_35] = WORD("35-49"),
    [GEN_AGE_50] = WORD("50-64"), [GEN_AGE_65] = WORD("65+"),
};
static const struct word channels[GEN_CHANNEL_COUNT] = {
    [GEN_SMS] = WORD("sms"),   [GEN_EMAIL] = WORD("email"), [GEN_APP] = WORD("app"),
    [GEN_SHOP] = WORD("shop"), [GEN_WEB] = WORD("web"),     [GEN_VOUCHER] = WORD("voucher"),
};

#define NAMES 32
static const struct word names[NAMES] = {
    WORD("Ada"),   WORD("Ahmed"), WORD("Aiko"),  WORD("Amara"), WORD("Ana"),   WORD("Bilal"),
    WORD("Chen"),  WORD("Clara"), WORD("Diego"), WORD("Elif"),  WORD("Emma"),  WORD("Fatima"),
    WORD("Hugo"),  WORD("Ines"),  WORD("Ivan"),  WORD("Jonas"), WORD("Kofi"),  WORD("Lea"),
    WORD("Li"),    WORD("Luca"),  WORD("Maria"), WORD("Mei"),   WORD("Nadia"), WORD("Noah"),
    WORD("Olga"),  WORD("Omar"),  WORD("Priya"), WORD("Ravi"),  WORD("Sara"),  WORD("Tomas"),
    WORD("Yusuf"), WORD("Zoe"),
};

/* ---- writing; each moves `out` on and returns it */

static char *put(char *out, struct word word)
{
    memcpy(out, word.text, word.size);
    return out + word.size;
}
#define PUT(out, literal) put((out), (struct word)WORD(literal))

static char *put_number(char *out, uint64_t number)
{
    char digits[DIGITS_MOST];
    size_t begin = sizeof digits;
    do {
        digits[--begin] = (char)('0' + (int)(number % 10));
        number /= 10;
    } while (number > 0);
    memcpy(out, digits + begin, sizeof digits - begin);
    return out + sizeof digits - begin;
}

/* With zeros before it. */
static char *put_digits(char *out, uint32_t number, size_t digits)
{
    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = (char)('0' + (int)(number % 10));
        number /= 10;
    }
    return out + digits;
}

static char *put_customer(char *out, uint32_t number)
{
    out = PUT(out, "S");
    return put_digits(out, number + 1, NUMBER_DIGITS);
}

/* `key` with its quotes and the comma before it: `,"plan":"`. */
static char *put_text(char *out, struct word key, struct word value)
{
    out = put(out, key);
    out = put(out, value);
    return PUT(out, "\"");
}
#define PUT_TEXT(out, key, value) put_text((out), (struct word)WORD(",\"" key "\":\""), (value))

static char *put_count(char *out, struct word key, uint64_t value)
{
    out = put(out, key);
    return put_number(out, value);
}
#define PUT_COUNT(out, key, value) put_count((out), (struct word)WORD(",\"" key "\":"), (value))

static char *put_time(char *out, const struct gen_world *world, const struct gen_line *line)
{
    int64_t day_ms = world->begun_at_ms + (int64_t)line->date->day * MS_PER_DAY;
    uint32_t ms = (uint32_t)(line->at_ms - day_ms);
    uint32_t year = GEN_YEAR_FIRST + (uint32_t)line->date->month / 12;
    out = put_digits(out, year, 4);
    out = PUT(out, "-");
    out = put_digits(out, (uint32_t)line->date->month % 12 + 1, 2);
    out = PUT(out, "-");
    out = put_digits(out, (uint32_t)line->date->month_day, 2);
    out = PUT(out, "T");
    out = put_digits(out, ms / MS_PER_HOUR, 2);
    out = PUT(out, ":");
    out = put_digits(out, ms / MS_PER_MINUTE % 60, 2);
    out = PUT(out, ":");
    out = put_digits(out, ms / 1000 % 60, 2);
    out = PUT(out, ".");
    out = put_digits(out, ms % 1000, 3);
    return PUT(out, "Z");
}

static char *put_amount(char *out, int64_t minor)
{
    out = PUT(out, ",\"amount\":");
    out = put_number(out, (uint64_t)minor / 100);
    out = PUT(out, ".");
    return put_digits(out, (uint32_t)((uint64_t)minor % 100), 2);
}

/* ---- attributes */

/* Addresses of example.net and numbers of +999 are nobody's and never will be. */
static char *put_personal(char *out, const struct gen_person *person)
{
    uint32_t number = person->number;
    out = PUT_TEXT(out, "first_name", names[(person->key >> 40) % NAMES]);
    out = PUT(out, ",\"email\":\"s");
    out = put_digits(out, number + 1, NUMBER_DIGITS);
    out = PUT(out, "@example.net\",\"phone\":\"+9990");
    out = put_digits(out, number + 1, NUMBER_DIGITS);
    return PUT(out, "\"");
}

static char *put_profile(char *out, const struct gen_person *person, int32_t day)
{
    out = PUT(out, ",\"status\":\"active\"");
    out = PUT_TEXT(out, "plan", plans[gen_person_plan(person, day)]);
    out = PUT_TEXT(out, "region", regions[person->region]);
    out = PUT_COUNT(out, "since_year", (uint64_t)person->since_year);
    out = PUT_TEXT(out, "handset", handsets[gen_person_handset(person, day)]);
    out = PUT_TEXT(out, "age_band", ages[person->age]);
    out = PUT(out, ",\"household\":\"H");
    out = put_digits(out, person->household + 1, NUMBER_DIGITS);
    out = PUT(out, "\"");
    out = PUT_COUNT(out, "household_size", person->household_size);
    if (person->has_company) {
        out = PUT(out, ",\"company\":\"K");
        out = put_digits(out, person->company + 1, NUMBER_DIGITS);
        out = PUT(out, "\"");
    }
    out = PUT_TEXT(out, "preferred_channel", channels[person->channel]);
    out = person->consents ? PUT(out, ",\"consent\":true") : PUT(out, ",\"consent\":false");
    return put_personal(out, person);
}

static char *put_change(char *out, const struct gen_person *person, int32_t day)
{
    if (day == person->leave_day) {
        return PUT(out, ",\"status\":\"left\"");
    }
    out = PUT_TEXT(out, "plan", plans[gen_person_plan(person, day)]);
    return PUT_TEXT(out, "handset", handsets[gen_person_handset(person, day)]);
}

static char *put_usage(char *out, const struct gen_event *event)
{
    if (event->seconds > 0) {
        out = PUT_COUNT(out, "seconds", event->seconds);
    }
    if (event->messages > 0) {
        out = PUT_COUNT(out, "messages", event->messages);
    }
    if (event->megabytes > 0) {
        out = PUT_COUNT(out, "megabytes", event->megabytes);
    }
    return out;
}

static char *put_bill(char *out, const struct gen_event *event)
{
    out = PUT(out, ",\"bill\":\"B");
    out = put_digits(out, event->subject + 1, NUMBER_DIGITS);
    out = PUT(out, "-");
    out = put_digits(out, GEN_YEAR_FIRST + (uint32_t)event->bill_month / 12, 4);
    out = put_digits(out, (uint32_t)event->bill_month % 12 + 1, 2);
    return PUT(out, "\"");
}

static char *put_referral(char *out, const struct gen_event *event)
{
    out = PUT(out, ",\"referred\":\"");
    out = put_customer(out, event->referred);
    return PUT(out, "\"");
}

static char *put_own(char *out, const struct gen_line *line)
{
    const struct gen_event *event = line->event;
    switch (event->type) {
    case GEN_REGISTERED:
        return put_profile(out, &line->slot->person, line->date->day);
    case GEN_PROFILE_CHANGED:
        return put_change(out, &line->slot->person, line->date->day);
    case GEN_USAGE:
        return put_usage(out, event);
    case GEN_BILL_ISSUED:
    case GEN_BILL_PAID:
        return put_bill(out, event);
    case GEN_RECHARGE:
        return PUT_TEXT(out, "channel", channels[event->channel]);
    case GEN_RATING:
        return PUT_COUNT(out, "score", event->score);
    case GEN_REFERRAL:
        return put_referral(out, event);
    case GEN_PURCHASE:
    case GEN_CONTACT:
    case GEN_COMPLAINT:
    case GEN_CONTRACT_ENDED:
        return out;
    case GEN_TYPE_COUNT:
        break;
    }
    assert(false);
    return out;
}

size_t gen_line_write(const struct gen_world *world, const struct gen_line *line, char *out)
{
    const struct gen_event *event = line->event;
    char *begin = out;
    out = PUT(out, "{\"id\":\"");
    out = put_number(out, line->number);
    out = PUT(out, "\",\"type\":\"");
    out = put(out, types[event->type]);
    out = PUT(out, "\",\"customer\":\"");
    out = put_customer(out, event->subject);
    out = PUT(out, "\",\"at\":\"");
    out = put_time(out, world, line);
    out = PUT(out, "\"");
    if (event->category != GEN_NO_CATEGORY) {
        out = PUT_TEXT(out, "category", categories[event->category]);
    }
    out = put_own(out, line);
    if (event->has_amount) {
        out = put_amount(out, event->amount_minor);
    }
    out = PUT(out, "}\n");
    assert(out - begin <= GEN_LINE_BYTES);
    return (size_t)(out - begin);
}

/* ---- the map */

void gen_map_write(uint64_t seed, struct buffer *out)
{
    static const char form[] =
        "# How a line of events.ndjson becomes an event; made by `kith gen`.\n"
        "version: 1\n"
        "source: gen-%" PRIu64 "\n"
        "format: ndjson\n"
        "event:\n"
        "  type: {column: type}\n"
        "  id: [id]\n"
        "  customer: customer\n"
        "  occurred_at: {column: at, format: rfc3339}\n"
        "  amount: {column: amount, currency: USD, digits: 2}\n"
        "  attributes:\n"
        "    # Of a profile.\n"
        "    - {name: status, column: status}\n"
        "    - {name: plan, column: plan}\n"
        "    - {name: region, column: region}\n"
        "    - {name: since_year, column: since_year, type: integer}\n"
        "    - {name: handset, column: handset}\n"
        "    - {name: age_band, column: age_band}\n"
        "    - {name: household, column: household}\n"
        "    - {name: household_size, column: household_size, type: integer}\n"
        "    - {name: company, column: company}\n"
        "    - {name: preferred_channel, column: preferred_channel}\n"
        "    - {name: consent, column: consent, type: flag}\n"
        "    - {name: first_name, column: first_name, personal: true}\n"
        "    - {name: email, column: email, personal: true}\n"
        "    - {name: phone, column: phone, personal: true}\n"
        "    # Of what happens.\n"
        "    - {name: category, column: category}\n"
        "    - {name: seconds, column: seconds, type: integer}\n"
        "    - {name: messages, column: messages, type: integer}\n"
        "    - {name: megabytes, column: megabytes, type: integer}\n"
        "    - {name: bill, column: bill}\n"
        "    - {name: channel, column: channel}\n"
        "    - {name: score, column: score, type: integer}\n"
        "    # Whom a referral brought: somebody's identifier.\n"
        "    - {name: referred, column: referred, personal: true}\n";
    char text[MAP_BYTES];
    int size = snprintf(text, sizeof text, form, seed);
    assert(size > 0 && (size_t)size < sizeof text);
    enum status status = buffer_append(out, span_of(text, (size_t)size));
    assert(status == STATUS_OK);
}
