/* link: common_config */
#include "common/base/time_text.h"
#include "common/config/campaigns_config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Segments `big` and `small`, on the first four lines, then `text`. */
static enum status config_try(const char *text, struct campaigns *campaigns,
                              struct refusal *refusal)
{
    static char whole[YAML_FILE_BYTES_MAX];
    struct yaml_tree *tree = NULL;
    refusal_init(refusal);
    (void)snprintf(whole, sizeof whole, "segments:\n  - name: big\n  - name: small\n%s", text);
    enum status status = yaml_tree_parse(&tree, "s.yaml", whole, strlen(whole), refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal->message);
    struct yaml_node *root = yaml_tree_root(tree);
    struct suite_config config = { .tree = tree,
                                   .segments = config_child(root, "segments"),
                                   .channels = config_child(root, "channels"),
                                   .campaigns = config_child(root, "campaigns") };
    status = campaigns_config_read(&config, campaigns, refusal);
    yaml_tree_close(&tree);
    return status;
}

static const char usual[] =
    "channels:\n"
    "  - {name: outbox, kind: file, address: phone}\n"
    "  - {name: bare, kind: file, folder: /srv/out, in_flight_max: 7}\n"
    "  - {name: mail, kind: smtp, address: email, url: 'smtp://127.0.0.1:25', from: a@b.example}\n"
    "campaigns:\n"
    "  - name: thanks\n"
    "    segment: big\n"
    "    channel: outbox\n"
    "    text: Dear {customer}\n"
    "  - name: news for all\n"
    "    segment: small\n"
    "    channel: mail\n"
    "    on_entry: true\n"
    "    schedule: {first: \"2026-01-01T10:00:00Z\", every_days: 7}\n"
    "    subject: Hello {name}\n"
    "    text: |\n"
    "      Dear {name},\n"
    "\n"
    "      äöü {{}}\n"
    "    cap: {messages: 1, per_days: 30}\n"
    "    valid: {from: 2026-01-01T00:00:00+01:00, until: \"2027-01-01T00:00:00Z\"}\n"
    "  - name: once\n"
    "    segment: big\n"
    "    channel: bare\n"
    "    text: x\n"
    "    schedule: {first: 1997-01-01T00:00:00Z}\n"
    "    valid: {until: 1998-01-01T00:00:00Z}\n";

static int64_t ms_of(const char *text)
{
    int64_t at_ms = 0;
    ck_assert_int_eq(time_parse(span_of_text(text), &at_ms), STATUS_OK);
    return at_ms;
}

START_TEST(channels_are_read_with_their_defaults)
{
    static struct campaigns campaigns;
    struct refusal refusal;
    ck_assert_msg(config_try(usual, &campaigns, &refusal) == STATUS_OK, "%s", refusal.message);
    ck_assert_uint_eq(campaigns.channel_count, 3);
    const struct campaign_channel *channels = campaigns.channels;
    ck_assert_str_eq(channels[0].name, "outbox");
    ck_assert_int_eq(channels[0].kind, CAMPAIGN_CHANNEL_FILE);
    ck_assert_str_eq(channels[0].address, "phone");
    ck_assert_str_eq(channels[0].folder, "");
    ck_assert_uint_eq(channels[0].in_flight_max, CAMPAIGNS_IN_FLIGHT_MAX);
    ck_assert_str_eq(channels[1].address, "");
    ck_assert_str_eq(channels[1].folder, "/srv/out");
    ck_assert_uint_eq(channels[1].in_flight_max, 7);
    ck_assert_int_eq(channels[2].kind, CAMPAIGN_CHANNEL_SMTP);
    ck_assert_str_eq(channels[2].url, "smtp://127.0.0.1:25");
    ck_assert_str_eq(channels[2].from, "a@b.example");
    ck_assert_uint_eq(channels[2].in_flight_max, 4);
}
END_TEST

START_TEST(campaigns_are_read_with_their_defaults)
{
    static struct campaigns campaigns;
    struct refusal refusal;
    ck_assert_msg(config_try(usual, &campaigns, &refusal) == STATUS_OK, "%s", refusal.message);
    ck_assert_uint_eq(campaigns.campaign_count, 3);
    const struct campaign_rule *thanks = &campaigns.campaigns[0];
    ck_assert_str_eq(thanks->name, "thanks");
    ck_assert_str_eq(thanks->segment, "big");
    ck_assert_uint_eq(thanks->channel, 0);
    ck_assert(!thanks->on_entry);
    ck_assert(!thanks->schedule.is_set);
    ck_assert_str_eq(thanks->subject, "");
    ck_assert_str_eq(thanks->text, "Dear {customer}");
    ck_assert_uint_eq(thanks->cap_messages, 0);
    ck_assert_uint_eq(thanks->cap_days, 0);
    ck_assert_int_eq(thanks->valid_from_ms, INT64_MIN);
    ck_assert_int_eq(thanks->valid_until_ms, INT64_MAX);

    const struct campaign_rule *news = &campaigns.campaigns[1];
    ck_assert_str_eq(news->name, "news for all");
    ck_assert_uint_eq(news->channel, 2);
    ck_assert(news->on_entry);
    ck_assert(news->schedule.is_set);
    ck_assert_int_eq(news->schedule.first_ms, ms_of("2026-01-01T10:00:00Z"));
    ck_assert_uint_eq(news->schedule.every_days, 7);
    ck_assert_str_eq(news->subject, "Hello {name}");
    ck_assert_str_eq(news->text, "Dear {name},\n\näöü {{}}\n");
    ck_assert_uint_eq(news->cap_messages, 1);
    ck_assert_uint_eq(news->cap_days, 30);
    ck_assert_int_eq(news->valid_from_ms, ms_of("2025-12-31T23:00:00Z"));
    ck_assert_int_eq(news->valid_until_ms, ms_of("2027-01-01T00:00:00Z"));

    const struct campaign_rule *once = &campaigns.campaigns[2];
    ck_assert_uint_eq(once->channel, 1);
    ck_assert(once->schedule.is_set);
    ck_assert_uint_eq(once->schedule.every_days, 0);
    ck_assert_int_eq(once->valid_from_ms, INT64_MIN);
}
END_TEST

START_TEST(no_lists_and_empty_ones_are_no_campaigns)
{
    static struct campaigns campaigns;
    struct refusal refusal;
    campaigns.channel_count = 4711;
    campaigns.campaign_count = 4711;
    ck_assert_int_eq(config_try("", &campaigns, &refusal), STATUS_OK);
    ck_assert_uint_eq(campaigns.channel_count, 0);
    ck_assert_uint_eq(campaigns.campaign_count, 0);
    ck_assert_int_eq(config_try("channels: []\ncampaigns: []\n", &campaigns, &refusal), STATUS_OK);
    ck_assert_uint_eq(campaigns.channel_count, 0);
}
END_TEST

struct fault_row {
    const char *text;
    const char *message; /* how it begins, behind the file's name */
};

/* Line 5 is the channel's. */
#define C "channels:\n  - "
/* Line 7 is where the campaign begins. */
#define M C "{name: out, kind: file}\ncampaigns:\n  - "
/* A campaign that lacks nothing, without its end: more follows on the same line. */
#define G M "{name: a, segment: big, channel: out, text: x"
#define S "{name: m, kind: smtp, address: e, from: a@b, url: "

static const struct fault_row fault_rows[] = {
    { C "out\n", ":5: " },
    { C "{kind: file}\n", ":5: name: is missing" },
    { C "{name: out}\n", ":5: kind: is missing" },
    { C "{name: out, kind: post}\n", ":5: kind: 'post' is not known" },
    { C "{name: ../out, kind: file}\n", ":5: name: '../out' cannot be one" },
    { C "{name: out, kind: file, adress: x}\n",
      ":5: adress: unknown key; did you mean 'address'?" },
    { C "{name: out, kind: file, address: my phone}\n", ":5: address: 'my phone' cannot be one" },
    { C "{name: out, kind: file, url: 'smtp://x'}\n", ":5: url: goes with kind: smtp only" },
    { C "{name: out, kind: file, from: a@b}\n", ":5: from: goes with kind: smtp only" },
    { C "{name: out, kind: file, folder: out}\n", ":5: folder: must begin with '/'" },
    { C "{name: out, kind: file, in_flight_max: 0}\n", ":5: in_flight_max: 0 is not in 1..32" },
    { C "{name: out, kind: file, in_flight_max: 33}\n", ":5: in_flight_max: 33 is not in 1..32" },
    { C "{name: out, kind: file}\n  - {name: out, kind: file}\n",
      ":6: name: 'out' is a channel above" },
    { C "{name: m, kind: smtp, address: e, from: a@b}\n", ":5: url: is missing" },
    { C "{name: m, kind: smtp, address: e, url: 'smtp://h'}\n", ":5: from: is missing" },
    { C "{name: m, kind: smtp, from: a@b, url: 'smtp://h'}\n", ":5: address: is missing" },
    { C S "'smtp://h', folder: /x}\n", ":5: folder: goes with kind: file only" },
    { C S "'http://h'}\n", ":5: url: must begin with smtp://" },
    { C S "'smtp://user:word@h'}\n", ":5: url: holds a login" },
    { C S "'smtp://'}\n", ":5: url: is none of a server" },
    { C S "'smtp://h:0'}\n", ":5: url: is none of a server" },
    { C S "'smtp://h:65536'}\n", ":5: url: is none of a server" },
    { C S "'smtp://h:'}\n", ":5: url: is none of a server" },
    { C S "'smtp://h:25x'}\n", ":5: url: is none of a server" },
    { C S "'smtp://[::1'}\n", ":5: url: is none of a server" },
    { C S "'smtp://h/a b'}\n", ":5: url: is none of a server" },
    { C S "'smtp://h?x=1'}\n", ":5: url: is none of a server" },
    { C "{name: m, kind: smtp, address: e, url: 'smtp://h', from: Anna <a@b>}\n",
      ":5: from: is no e-mail address" },

    { M "thanks\n", ":7: " },
    { M "{segment: big, channel: out, text: x}\n", ":7: name: is missing" },
    { M "{name: a, channel: out, text: x}\n", ":7: segment: is missing" },
    { M "{name: a, segment: big, text: x}\n", ":7: channel: is missing" },
    { M "{name: a, segment: big, channel: out}\n", ":7: text: is missing" },
    { M "{name: a, segment: bag, channel: out, text: x}\n",
      ":7: segment: 'bag' is none of the segments" },
    { M "{name: a, segment: big, channel: in, text: x}\n",
      ":7: channel: 'in' is none of the channels" },
    { G ", on_enter: true}\n", ":7: on_enter: unknown key; did you mean 'on_entry'?" },
    { G ", on_entry: yes}\n", ":7: on_entry: 'yes' is neither of two" },
    { G "}\n  - {name: a, segment: big, channel: out, text: x}\n",
      ":8: name: 'a' is a campaign above" },
    { G ", subject: x}\n", ":7: subject: goes with a channel of kind: smtp only" },
    { M "{name: a, segment: big, channel: out, text: ''}\n", ":7: text: has 0 bytes" },
    { M "{name: a, segment: big, channel: out, text: [x]}\n", ":7: text: must be one text" },
    { M "{name: a, segment: big, channel: out, text: \"a\\tb\"}\n", ":7: text: holds a tab" },
    { M "{name: a, segment: big, channel: out, text: 'Dear {name'}\n",
      ":7: text: at '{name' a brace stands alone" },
    { M "{name: a, segment: big, channel: out, text: '{First Name}'}\n",
      ":7: text: at '{First Name}' a brace stands alone or names no attribute" },
    { G ", schedule: {every_days: 1}}\n", ":7: first: is missing" },
    { G ", schedule: {first: tomorrow}}\n", ":7: first: 'tomorrow' is no time" },
    { G ", schedule: {first: '2026-01-01T00:00:00Z', every_days: 4001}}\n",
      ":7: every_days: 4001 is not in 0..4000" },
    { G ", schedule: {first: '2026-01-01T00:00:00Z', every: 1}}\n", ":7: every: unknown key" },
    { G ", cap: {messages: 1}}\n", ":7: per_days: is missing" },
    { G ", cap: {per_days: 1}}\n", ":7: messages: is missing" },
    { G ", cap: {messages: 17, per_days: 1}}\n", ":7: messages: 17 is not in 1..16" },
    { G ", cap: {messages: 0, per_days: 1}}\n", ":7: messages: 0 is not in 1..16" },
    { G ", cap: {messages: 1, per_days: 4001}}\n", ":7: per_days: 4001 is not in 1..4000" },
    { G ", valid: {from: '2026-02-30T00:00:00Z'}}\n",
      ":7: from: '2026-02-30T00:00:00Z' is no time" },
    { G ", valid: {from: '2026-01-01T00:00:00Z', until: '2026-01-01T00:00:00Z'}}\n",
      ":7: valid: from is not before until" },
    { G ", valid: {till: '2026-01-01T00:00:00Z'}}\n", ":7: till: unknown key" },
};

START_TEST(each_fault_is_told_with_its_line)
{
    static struct campaigns campaigns;
    const struct fault_row *row = &fault_rows[_i];
    struct refusal refusal;
    ck_assert_int_eq(config_try(row->text, &campaigns, &refusal), STATUS_MALFORMED);
    const char *rest = strchr(refusal.message, ':');
    ck_assert_ptr_nonnull(rest);
    ck_assert_msg(strncmp(rest, row->message, strlen(row->message)) == 0,
                  "wanted \"%s\", got \"%s\"", row->message, refusal.message);
}
END_TEST

static const char *const good_urls[] = { "smtp://h", "smtps://mail.example:465", "smtp://[::1]:25",
                                         "smtp://127.0.0.1:65535/our.name", "smtp://h/our.name" };

START_TEST(the_url_of_a_server_is_taken)
{
    static struct campaigns campaigns;
    struct refusal refusal;
    char text[256] = { 0 };
    (void)snprintf(text, sizeof text, C S "'%s'}\n", good_urls[_i]);
    ck_assert_msg(config_try(text, &campaigns, &refusal) == STATUS_OK, "%s", refusal.message);
    ck_assert_str_eq(campaigns.channels[0].url, good_urls[_i]);
}
END_TEST

/* ---- bounds */

/* A configuration of so many channels and campaigns. */
static const char *many(int channels, int campaigns)
{
    static char text[64 * 1024];
    int size = snprintf(text, sizeof text, "channels:\n");
    for (int i = 0; i < channels; i++) {
        size +=
            snprintf(text + size, sizeof text - (size_t)size, "  - {name: c%d, kind: file}\n", i);
    }
    size += snprintf(text + size, sizeof text - (size_t)size, "campaigns:\n");
    for (int i = 0; i < campaigns; i++) {
        size += snprintf(text + size, sizeof text - (size_t)size,
                         "  - {name: a%d, segment: big, channel: c0, text: x}\n", i);
    }
    return text;
}

START_TEST(lists_of_the_most_entries_are_taken_and_one_more_is_not)
{
    static struct campaigns campaigns;
    struct refusal refusal;
    ck_assert_int_eq(config_try(many(CAMPAIGNS_CHANNELS_MAX, CAMPAIGNS_MAX), &campaigns, &refusal),
                     STATUS_OK);
    ck_assert_uint_eq(campaigns.channel_count, CAMPAIGNS_CHANNELS_MAX);
    ck_assert_uint_eq(campaigns.campaign_count, CAMPAIGNS_MAX);
    ck_assert_int_eq(config_try(many(CAMPAIGNS_CHANNELS_MAX + 1, 1), &campaigns, &refusal),
                     STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, ":13: channels: has more than 8 entries"));
    ck_assert_int_eq(config_try(many(1, CAMPAIGNS_MAX + 1), &campaigns, &refusal),
                     STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, ":39: campaigns: has more than 32 entries"));
}
END_TEST

START_TEST(a_text_of_800_bytes_is_taken_and_of_801_is_not)
{
    static struct campaigns campaigns;
    struct refusal refusal;
    char text[1024] = { 0 };
    (void)snprintf(text, sizeof text, M "{name: a, segment: big, channel: out, text: '%0800d'}\n",
                   7);
    ck_assert_msg(config_try(text, &campaigns, &refusal) == STATUS_OK, "%s", refusal.message);
    ck_assert_uint_eq(strlen(campaigns.campaigns[0].text), CAMPAIGNS_TEMPLATE_BYTES);
    (void)snprintf(text, sizeof text, M "{name: a, segment: big, channel: out, text: '%0801d'}\n",
                   7);
    ck_assert_int_eq(config_try(text, &campaigns, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, ":7: text: has 801 bytes"));
}
END_TEST

START_TEST(sixteen_attributes_of_a_segment_are_taken_and_one_more_is_not)
{
    static struct campaigns campaigns;
    struct refusal refusal;
    static const char begin[] =
        "channels:\n  - {name: out, kind: file, address: phone}\ncampaigns:\n"
        "  - {name: a, segment: big, channel: out, text: '{a}{b}{c}{d}{e}{f}{g}{h}'}\n"
        "  - {name: b, segment: big, channel: out, text: '{i}{j}{k}{l}{m}{n}{o}'}\n"
        "  - {name: c, segment: small, channel: out, text: '{p}'}\n";
    char text[1024] = { 0 };
    ck_assert_msg(config_try(begin, &campaigns, &refusal) == STATUS_OK, "%s", refusal.message);
    (void)snprintf(text, sizeof text, "%s  - {name: d, segment: big, channel: out, text: '{p}'}\n",
                   begin);
    ck_assert_int_eq(config_try(text, &campaigns, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, ":10: segment: the campaigns of 'big'"));
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
    Suite *suite = suite_create("campaigns_config");
    TCase *tests = tcase_create("campaigns_config");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, channels_are_read_with_their_defaults);
    tcase_add_test(tests, campaigns_are_read_with_their_defaults);
    tcase_add_test(tests, no_lists_and_empty_ones_are_no_campaigns);
    tcase_add_loop_test(tests, each_fault_is_told_with_its_line, 0, COUNT_OF(fault_rows));
    tcase_add_loop_test(tests, the_url_of_a_server_is_taken, 0, COUNT_OF(good_urls));
    tcase_add_test(tests, lists_of_the_most_entries_are_taken_and_one_more_is_not);
    tcase_add_test(tests, a_text_of_800_bytes_is_taken_and_of_801_is_not);
    tcase_add_test(tests, sixteen_attributes_of_a_segment_are_taken_and_one_more_is_not);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
