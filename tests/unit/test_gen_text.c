/* link: kith_parts */
#include "cli/gen_text.h"
#include "cli/row_event.h"
#include "common/event/event_codec.h"
#include "ingest_fixture.h"

#include <inttypes.h>

#define SEED 42
#define TEXT_BYTES 8192

/* A world, its map, and what becomes of one line of it. */
struct fixture {
    struct gen_world world;
    struct gen_date date;
    struct gen_slot slot;
    char text[GEN_LINE_BYTES + 1];
    struct map *map;
    struct zone *zone;
    struct row_mapper *mapper;
    struct arena arena;
    struct event event;
};

static void fixture_open(struct fixture *fixture)
{
    struct gen_settings settings = { .subscribers = GEN_SUBSCRIBERS_MAX,
                                     .months = GEN_MONTHS_MAX,
                                     .seed = SEED };
    struct buffer map;
    *fixture = (struct fixture){ .slot = { .count = 1 } };
    gen_world_init(&fixture->world, &settings);
    fixture->date = gen_date_of(&fixture->world, 59); /* 2022-03-01 */
    gen_person_sketch(&fixture->world, 6, &fixture->slot.person);
    gen_person_complete(&fixture->world, &fixture->slot.person);
    buffer_init(&map, TEXT_BYTES);
    gen_map_write(SEED, &map);
    ck_assert_int_eq(buffer_append(&map, span_of("", 1)), STATUS_OK);
    fixture->map = map_of((const char *)map.data);
    buffer_release(&map);
    ck_assert_int_eq(zone_open(&fixture->zone, "UTC", NULL), STATUS_OK);
    row_mapper_open(&fixture->mapper, fixture->map, fixture->zone);
    arena_init(&fixture->arena, 64 * 1024);
}

static void fixture_close(struct fixture *fixture)
{
    row_mapper_close(&fixture->mapper);
    zone_close(&fixture->zone);
    arena_release(&fixture->arena);
    map_close(&fixture->map);
}

/* Writes the event and reads it through the map. */
static void line_make(struct fixture *fixture, const struct gen_event *event)
{
    struct gen_line line = { .slot = &fixture->slot,
                             .event = event,
                             .date = &fixture->date,
                             .at_ms = INT64_C(1646136245007),
                             .number = 1234567 };
    size_t size = gen_line_write(&fixture->world, &line, fixture->text);
    fixture->text[size] = '\0';
    struct row_reader *reader = reader_of(fixture->map, span_of(fixture->text, size));
    struct row row = { .number = 0 };
    struct row_origin origin = { .digest = "00112233445566778899aabbccddeeff" };
    struct row_event made = { .is_event = false };
    ck_assert_int_eq((int)row_reader_next(reader, &row, NULL), ROW_READ);
    row_mapper_apply(fixture->mapper, &row, &origin, &made);
    ck_assert_msg(made.is_event, "%s: %.*s", fixture->text, (int)made.reason.size,
                  (const char *)made.reason.data);
    arena_reset(&fixture->arena);
    ck_assert_int_eq(event_decode(made.encoded, &fixture->arena, &fixture->event, NULL), STATUS_OK);
    row_reader_close(&reader);
}

static const struct attribute *attribute_find(const struct fixture *fixture, const char *name)
{
    for (size_t i = 0; i < fixture->event.attribute_count; i++) {
        if (span_is(fixture->event.attributes[i].name, name)) {
            return &fixture->event.attributes[i];
        }
    }
    return NULL;
}

struct line_case {
    struct gen_event event;
    const char *line; /* between the time and the end */
};

START_TEST(events_are_written_like_this_and_read_back)
{
    static const struct line_case cases[] = {
        { { .type = GEN_USAGE,
            .category = GEN_DATA,
            .megabytes = 812,
            .has_amount = true,
            .amount_minor = 81 },
          "\"usage\",AT,\"category\":\"data\",\"megabytes\":812,\"amount\":0.81" },
        { { .type = GEN_USAGE,
            .category = GEN_ROAMING,
            .seconds = 61,
            .megabytes = 4,
            .has_amount = true,
            .amount_minor = 102 },
          "\"usage\",AT,\"category\":\"roaming\",\"seconds\":61,\"megabytes\":4,\"amount\":1.02" },
        { { .type = GEN_USAGE,
            .category = GEN_MESSAGES,
            .messages = 9,
            .has_amount = true,
            .amount_minor = 0 },
          "\"usage\",AT,\"category\":\"message\",\"messages\":9,\"amount\":0.00" },
        { { .type = GEN_BILL_ISSUED, .bill_month = 11, .has_amount = true, .amount_minor = 5999 },
          "\"bill_issued\",AT,\"bill\":\"B00000007-202212\",\"amount\":59.99" },
        { { .type = GEN_BILL_PAID, .bill_month = 12, .has_amount = true, .amount_minor = 123456 },
          "\"bill_paid\",AT,\"bill\":\"B00000007-202301\",\"amount\":1234.56" },
        { { .type = GEN_RECHARGE, .channel = GEN_VOUCHER, .has_amount = true, .amount_minor = 700 },
          "\"recharge\",AT,\"channel\":\"voucher\",\"amount\":7.00" },
        { { .type = GEN_PURCHASE, .category = GEN_MUSIC, .has_amount = true, .amount_minor = 499 },
          "\"purchase\",AT,\"category\":\"music\",\"amount\":4.99" },
        { { .type = GEN_CONTACT, .category = GEN_BY_HOTLINE },
          "\"service_contact\",AT,\"category\":\"hotline\"" },
        { { .type = GEN_RATING, .category = GEN_RATED_LOW, .score = 2 },
          "\"rating\",AT,\"category\":\"low\",\"score\":2" },
        { { .type = GEN_COMPLAINT, .category = GEN_OF_NETWORK },
          "\"complaint\",AT,\"category\":\"network\"" },
        { { .type = GEN_REFERRAL, .referred = 99 }, "\"referral\",AT,\"referred\":\"S00000100\"" },
        { { .type = GEN_CONTRACT_ENDED, .category = GEN_FOR_MOVING },
          "\"contract_ended\",AT,\"category\":\"moving\"" },
    };
    struct fixture fixture;
    fixture_open(&fixture);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gen_event event = cases[i].event;
        char expected[GEN_LINE_BYTES];
        const char *rest = strstr(cases[i].line, ",AT") + 3;
        event.subject = 6;
        (void)snprintf(expected, sizeof expected,
                       "{\"id\":\"1234567\",\"type\":%.*s,\"customer\":\"S00000007\","
                       "\"at\":\"2022-03-01T12:04:05.007Z\"%s}\n",
                       (int)(rest - 3 - cases[i].line), cases[i].line, rest);
        line_make(&fixture, &event);
        ck_assert_str_eq(fixture.text, expected);
        ck_assert(span_is(fixture.event.source, "gen-42"));
        ck_assert(span_is(fixture.event.id, "1234567"));
        ck_assert(span_is(fixture.event.customer, "S00000007"));
        ck_assert_int_eq(fixture.event.occurred_at_ms, INT64_C(1646136245007));
        ck_assert(fixture.event.has_amount == event.has_amount);
        ck_assert_int_eq(fixture.event.amount.minor, event.amount_minor);
        /* What stands in a line and not in the map would be lost. */
        size_t values = 0;
        for (const char *at = rest; *at != '\0'; at++) {
            values += *at == ':' ? 1 : 0;
        }
        ck_assert_uint_eq(fixture.event.attribute_count + (event.has_amount ? 1 : 0), values);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_names_a_person_is_personal)
{
    static const char *const personal[] = { "first_name", "email", "phone" };
    static const char *const open[] = {
        "status", "plan", "region", "handset", "age_band", "household", "preferred_channel",
        "consent"
    };
    struct fixture fixture;
    struct gen_event event = { .type = GEN_REGISTERED, .subject = 6 };
    fixture_open(&fixture);
    line_make(&fixture, &event);
    for (size_t i = 0; i < sizeof personal / sizeof personal[0]; i++) {
        const struct attribute *attribute = attribute_find(&fixture, personal[i]);
        ck_assert_ptr_nonnull(attribute);
        ck_assert(attribute->personal);
    }
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        const struct attribute *attribute = attribute_find(&fixture, open[i]);
        ck_assert_ptr_nonnull(attribute);
        ck_assert(!attribute->personal);
    }
    ck_assert_int_eq(attribute_find(&fixture, "since_year")->kind, ATTRIBUTE_INTEGER);
    ck_assert_int_eq(attribute_find(&fixture, "household_size")->kind, ATTRIBUTE_INTEGER);
    ck_assert(span_is(attribute_find(&fixture, "email")->text, "s00000007@example.net"));
    ck_assert(span_is(attribute_find(&fixture, "phone")->text, "+999000000007"));
    event = (struct gen_event){ .type = GEN_REFERRAL, .subject = 6, .referred = 8 };
    line_make(&fixture, &event);
    ck_assert(attribute_find(&fixture, "referred")->personal);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_change_tells_the_new_plan_or_that_somebody_left)
{
    struct fixture fixture;
    struct gen_event event = { .type = GEN_PROFILE_CHANGED, .subject = 6 };
    fixture_open(&fixture);
    struct gen_person *person = &fixture.slot.person;
    person->plans[1] = GEN_UNLIMITED;
    person->handsets[1] = GEN_HANDSET_TOP;
    person->change_day = fixture.date.day;
    line_make(&fixture, &event);
    ck_assert(span_is(attribute_find(&fixture, "plan")->text, "unlimited"));
    ck_assert(span_is(attribute_find(&fixture, "handset")->text, "top"));
    ck_assert_uint_eq(fixture.event.attribute_count, 2);
    person->leave_day = fixture.date.day;
    line_make(&fixture, &event);
    ck_assert(span_is(attribute_find(&fixture, "status")->text, "left"));
    ck_assert_uint_eq(fixture.event.attribute_count, 1);
    fixture_close(&fixture);
}
END_TEST

START_TEST(the_longest_line_finds_room)
{
    struct fixture fixture;
    struct gen_event event = { .type = GEN_REGISTERED, .subject = GEN_SUBSCRIBERS_MAX - 1 };
    fixture_open(&fixture);
    struct gen_person *person = &fixture.slot.person;
    person->number = GEN_SUBSCRIBERS_MAX - 1;
    person->plans[0] = GEN_UNLIMITED;
    person->plans[1] = GEN_UNLIMITED;
    person->region = GEN_CENTRE;
    person->has_company = true;
    person->consents = false;
    person->channel = GEN_EMAIL;
    line_make(&fixture, &event);
    /* The id may have 20 digits and has 7 here. */
    ck_assert_uint_le(strlen(fixture.text) + 13, GEN_LINE_BYTES);
    fixture_close(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gen_text");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, events_are_written_like_this_and_read_back);
    tcase_add_test(cases, what_names_a_person_is_personal);
    tcase_add_test(cases, a_change_tells_the_new_plan_or_that_somebody_left);
    tcase_add_test(cases, the_longest_line_finds_room);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
