/* link: common_rules */
#include "common/rules/campaigns.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- templates */

static bool anna_value(void *context, struct span name, struct span *value)
{
    static const char *const known[][2] = { { "customer", "c7" },
                                            { "name", "Anna {braces}" },
                                            { "empty", "" } };
    (void)context;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (span_equal(name, span_of_text(known[i][0]))) {
            *value = span_of_text(known[i][1]);
            return true;
        }
    }
    return false;
}
static const struct campaign_values anna = { .value = anna_value };

struct filled {
    const char *text;
    const char *filled;
};

static const struct filled filled_rows[] = {
    { "", "" },
    { "plain", "plain" },
    { "{customer}", "c7" },
    { "Dear {name}, {customer}!", "Dear Anna {braces}, c7!" },
    { "{name}{name}", "Anna {braces}Anna {braces}" },
    { "<{empty}>", "<>" },
    { "{{customer}}", "{customer}" },
    { "{{{customer}}}", "{c7}" },
    { "}}{{", "}{" },
    { "two\nlines", "two\nlines" },
};

START_TEST(a_template_is_filled)
{
    const struct filled *row = &filled_rows[_i];
    size_t at = 4711;
    struct buffer out;
    struct span missing = { 0 };
    buffer_init(&out, 1000);
    ck_assert_int_eq(campaign_template_check(row->text, &at), STATUS_OK);
    ck_assert_uint_eq(at, 4711);
    ck_assert_int_eq(campaign_template_fill(row->text, &anna, &out, &missing), STATUS_OK);
    ck_assert_msg(span_equal(buffer_span(&out), span_of_text(row->filled)), "%.*s", (int)out.size,
                  (const char *)out.data);
    buffer_release(&out);
}
END_TEST

struct broken {
    const char *text;
    size_t at;
};

static const struct broken broken_rows[] = {
    { "{", 0 },         { "}", 0 },      { "a {name", 2 }, { "a name} b", 6 },    { "{}", 0 },
    { "{{}", 2 },       { "{a{b}}", 0 }, { "{Name}", 0 },  { "{first name}", 0 }, { "{name}}", 6 },
    { "{{{name}}", 8 }, { "{n\nm}", 0 },
};

START_TEST(a_lone_brace_or_a_name_of_no_attribute_is_malformed)
{
    size_t at = 4711;
    ck_assert_int_eq(campaign_template_check(broken_rows[_i].text, &at), STATUS_MALFORMED);
    ck_assert_uint_eq(at, broken_rows[_i].at);
}
END_TEST

START_TEST(a_name_of_64_bytes_is_one_and_of_65_is_none)
{
    char text[80] = { 0 };
    size_t at = 0;
    char name[LIMIT_ID_BYTES + 2] = { 0 };
    memset(name, 'n', LIMIT_ID_BYTES);
    (void)snprintf(text, sizeof text, "{%s}", name);
    ck_assert_int_eq(campaign_template_check(text, &at), STATUS_OK);
    name[LIMIT_ID_BYTES] = 'n';
    (void)snprintf(text, sizeof text, "{%s}", name);
    ck_assert_int_eq(campaign_template_check(text, &at), STATUS_MALFORMED);
}
END_TEST

START_TEST(an_attribute_that_is_not_known_is_named)
{
    static const char text[] = "Dear {name} of {town}";
    struct buffer out;
    struct span missing = { 0 };
    buffer_init(&out, 1000);
    ck_assert_int_eq(campaign_template_fill(text, &anna, &out, &missing), STATUS_NOT_FOUND);
    ck_assert(span_equal(missing, span_of_text("town")));
    ck_assert_ptr_eq(missing.data, text + 16);
    buffer_release(&out);
}
END_TEST

START_TEST(a_text_that_fits_exactly_is_filled_and_a_byte_more_is_the_limit)
{
    struct buffer out;
    struct span missing = { 0 };
    buffer_init(&out, 5);
    ck_assert_int_eq(campaign_template_fill("it {customer}", &anna, &out, &missing), STATUS_OK);
    buffer_clear(&out);
    ck_assert_int_eq(campaign_template_fill("its {customer}", &anna, &out, &missing), STATUS_LIMIT);
    ck_assert_uint_le(out.size, 5);
    ck_assert_ptr_null(missing.data);
    buffer_release(&out);
}
END_TEST

/* ---- finding and needs */

static struct campaigns *campaigns_make(void)
{
    struct campaigns *campaigns = memory_allocate(sizeof *campaigns);
    campaigns->channel_count = 2;
    (void)snprintf(campaigns->channels[0].address, LIMIT_ID_BYTES, "phone");
    return campaigns;
}

static void campaign_add(struct campaigns *campaigns, const char *name, const char *segment,
                         const char *text)
{
    struct campaign_rule *campaign = &campaigns->campaigns[campaigns->campaign_count];
    (void)snprintf(campaign->name, sizeof campaign->name, "%s", name);
    (void)snprintf(campaign->segment, sizeof campaign->segment, "%s", segment);
    (void)snprintf(campaign->text, sizeof campaign->text, "%s", text);
    campaigns->campaign_count++;
}

START_TEST(a_campaign_is_found_by_its_whole_name)
{
    struct campaigns *campaigns = campaigns_make();
    campaign_add(campaigns, "thanks", "big", "");
    campaign_add(campaigns, "thanks2", "big", "");
    ck_assert_ptr_eq(campaigns_find(campaigns, span_of_text("thanks2")), &campaigns->campaigns[1]);
    ck_assert_ptr_eq(campaigns_find(campaigns, span_of_text("thanks")), &campaigns->campaigns[0]);
    ck_assert_ptr_null(campaigns_find(campaigns, span_of_text("thank")));
    ck_assert_ptr_null(campaigns_find(campaigns, span_of_text("")));
    free(campaigns);
}
END_TEST

START_TEST(a_channel_is_found_by_its_whole_name)
{
    struct campaigns *campaigns = campaigns_make();
    (void)snprintf(campaigns->channels[0].name, LIMIT_ID_BYTES, "post2");
    (void)snprintf(campaigns->channels[1].name, LIMIT_ID_BYTES, "post");
    ck_assert_uint_eq(campaigns_channel_find(campaigns, span_of_text("post2")), 0);
    ck_assert_uint_eq(campaigns_channel_find(campaigns, span_of_text("post")), 1);
    ck_assert_uint_eq(campaigns_channel_find(campaigns, span_of_text("pos")), 2);
    ck_assert_uint_eq(campaigns_channel_find(campaigns, span_of_text("")), 2);
    free(campaigns);
}
END_TEST

START_TEST(a_channel_is_another_with_another_kind_or_folder_and_the_same_otherwise)
{
    struct campaign_channel channel = { .name = "post", .in_flight_max = 4 };
    struct hash128 before = campaign_channel_identity(&channel);
    (void)snprintf(channel.name, sizeof channel.name, "mail");
    (void)snprintf(channel.address, sizeof channel.address, "phone");
    channel.in_flight_max = 1;
    ck_assert(hash128_equal(campaign_channel_identity(&channel), before));
    channel.kind = CAMPAIGN_CHANNEL_SMTP;
    ck_assert(!hash128_equal(campaign_channel_identity(&channel), before));
    channel.kind = CAMPAIGN_CHANNEL_FILE;
    (void)snprintf(channel.folder, sizeof channel.folder, "/a");
    ck_assert(!hash128_equal(campaign_channel_identity(&channel), before));
}
END_TEST

START_TEST(needs_are_the_addresses_and_the_names_of_one_segments_campaigns)
{
    struct campaigns *campaigns = campaigns_make();
    struct span needs[CAMPAIGNS_NEEDS_MAX];
    campaign_add(campaigns, "a", "big", "{customer}, {name} of {town}: {{plan}}");
    campaign_add(campaigns, "b", "small", "{colour}");
    campaign_add(campaigns, "c", "big", "{name} {plan}");
    campaigns->campaigns[2].channel = 1;
    (void)snprintf(campaigns->campaigns[2].subject, CAMPAIGNS_SUBJECT_BYTES, "{greeting}");

    static const char *const wanted[] = { "phone", "name", "town", "greeting", "plan" };
    ck_assert_uint_eq(campaigns_needs(campaigns, span_of_text("big"), needs), 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert(span_equal(needs[i], span_of_text(wanted[i])));
    }
    ck_assert_uint_eq(campaigns_needs(campaigns, span_of_text("small"), needs), 2);
    ck_assert_uint_eq(campaigns_needs(campaigns, span_of_text("none"), needs), 0);
    free(campaigns);
}
END_TEST

START_TEST(needs_past_their_bound_are_counted_as_one_more)
{
    struct campaigns *campaigns = campaigns_make();
    struct span needs[CAMPAIGNS_NEEDS_MAX];
    campaign_add(campaigns, "a", "big", "{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}{m}{n}{o}");
    ck_assert_uint_eq(campaigns_needs(campaigns, span_of_text("big"), needs), CAMPAIGNS_NEEDS_MAX);
    campaign_add(campaigns, "b", "big", "{p}{q}{r}{a}");
    ck_assert_uint_eq(campaigns_needs(campaigns, span_of_text("big"), needs),
                      CAMPAIGNS_NEEDS_MAX + 1);
    free(campaigns);
}
END_TEST

/* ---- addresses */

static const char *const good_addresses[] = { "a@b", "anna.b+c@mail.example",
                                              "o'neil@x-y.example" };
static const char *const bad_addresses[] = {
    "",
    "@",
    "a@",
    "@b",
    "ab",
    "a@b@c",
    "a b@c",
    "a@b c",
    "a@b,d@e",
    "<a@b>",
    "a@b>",
    "\"a\"@b",
    "a@b\r\nTo: x",
    "a@b\n",
    "a@b\tc",
    "a@b;c@d",
    "a@[127.0.0.1]",
    "group:a@b",
    "a\\@b",
    "\xc3\xa4@b",
    "a@b\x7f",
};

START_TEST(one_plain_address_is_valid)
{
    ck_assert(campaign_mail_address_is_valid(span_of_text(good_addresses[_i])));
}
END_TEST

START_TEST(what_is_no_single_plain_address_is_not)
{
    ck_assert(!campaign_mail_address_is_valid(span_of_text(bad_addresses[_i])));
}
END_TEST

START_TEST(an_address_with_a_zero_or_of_255_bytes_is_none)
{
    char address[256] = { 0 };
    ck_assert(!campaign_mail_address_is_valid(span_of("a\0b@c", 5)));
    memset(address, 'a', 255);
    address[1] = '@';
    ck_assert(campaign_mail_address_is_valid(span_of(address, 254)));
    ck_assert(!campaign_mail_address_is_valid(span_of(address, 255)));
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
    Suite *suite = suite_create("campaigns");
    TCase *tests = tcase_create("campaigns");
    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, a_template_is_filled, 0, COUNT_OF(filled_rows));
    tcase_add_loop_test(tests, a_lone_brace_or_a_name_of_no_attribute_is_malformed, 0,
                        COUNT_OF(broken_rows));
    tcase_add_test(tests, a_name_of_64_bytes_is_one_and_of_65_is_none);
    tcase_add_test(tests, an_attribute_that_is_not_known_is_named);
    tcase_add_test(tests, a_text_that_fits_exactly_is_filled_and_a_byte_more_is_the_limit);
    tcase_add_test(tests, a_campaign_is_found_by_its_whole_name);
    tcase_add_test(tests, a_channel_is_found_by_its_whole_name);
    tcase_add_test(tests, a_channel_is_another_with_another_kind_or_folder_and_the_same_otherwise);
    tcase_add_test(tests, needs_are_the_addresses_and_the_names_of_one_segments_campaigns);
    tcase_add_test(tests, needs_past_their_bound_are_counted_as_one_more);
    tcase_add_loop_test(tests, one_plain_address_is_valid, 0, COUNT_OF(good_addresses));
    tcase_add_loop_test(tests, what_is_no_single_plain_address_is_not, 0, COUNT_OF(bad_addresses));
    tcase_add_test(tests, an_address_with_a_zero_or_of_255_bytes_is_none);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
