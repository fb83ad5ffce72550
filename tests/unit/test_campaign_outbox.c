/* link: campaign_service campaign_core common_wire */
/*
 * Campaign with a real channel that writes lines into a file: what is intended is written once,
 * whenever the service ends.
 */
#include "tests/unit/campaign_fixture.h"

#include <poll.h>
#include <unistd.h>

#define WAIT_MS 20000

static const char rules[] = "segments:\n"
                            "  - {name: big}\n"
                            "channels:\n"
                            "  - {name: post, kind: file, address: phone}\n"
                            "campaigns:\n"
                            "  - name: thanks\n"
                            "    segment: big\n"
                            "    channel: post\n"
                            "    on_entry: true\n"
                            "    text: \"Dear {customer}\"\n";
static const struct told phone[FIELDS_MAX] = { { "phone", "0700" } };

static char path[192];

static void setup(void)
{
    (void)snprintf(data_folder, sizeof data_folder, "/tmp/kith-campaign-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(data_folder));
    (void)snprintf(path, sizeof path, "%s/outbox/post-0.ndjson", data_folder);
    fixture_open();
    restart(rules, SUITE_CLOCK_WALL);
}

static void teardown(void)
{
    fixture_close();
    ck_assert_int_eq(unlink(path), 0);
    char folder[192] = "";
    (void)snprintf(folder, sizeof folder, "%s/outbox", data_folder);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(rmdir(data_folder), 0);
}

/* Takes outcomes until there are as many facts of this type. */
static void take_until(uint32_t type, size_t count)
{
    while (facts_of(type) < count) {
        struct pollfd descriptor = { .fd = campaign_effects.descriptor(turn.service),
                                     .events = POLLIN };
        ck_assert_int_eq(poll(&descriptor, 1, WAIT_MS), 1);
        (void)campaign_effects.take(turn.service, &turn, 1000);
    }
}

static size_t lines_of(const char *text)
{
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    char line[4096] = "";
    size_t count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        count += strstr(line, text) != NULL;
    }
    ck_assert_int_eq(fclose(file), 0);
    return count;
}

START_TEST(messages_reach_the_file_and_are_told_as_sent)
{
    enter("ann", "big", phone);
    enter("bob", "big", phone);
    settle();
    ck_assert_uint_eq(lines_of("Dear"), 0);
    campaign_effects.synced(turn.service, &turn.view);
    take_until(FACT_DISPATCH_SENT, 2);
    ck_assert_uint_eq(lines_of("Dear ann"), 1);
    ck_assert_uint_eq(lines_of("Dear bob"), 1);
    ck_assert_uint_eq(lines_of("0700"), 2);
}
END_TEST

START_TEST(what_was_written_and_not_told_is_told_after_a_restart_and_not_written_again)
{
    enter("ann", "big", phone);
    settle();
    campaign_effects.synced(turn.service, &turn.view);
    struct pollfd descriptor = { .fd = campaign_effects.descriptor(turn.service),
                                 .events = POLLIN };
    ck_assert_int_eq(poll(&descriptor, 1, WAIT_MS), 1); /* written, and nobody takes it */
    restart(rules, SUITE_CLOCK_WALL);
    take_until(FACT_DISPATCH_SENT, 1);
    ck_assert_uint_eq(lines_of("Dear ann"), 1);
}
END_TEST

START_TEST(what_was_intended_and_not_handed_over_is_written_after_a_restart)
{
    enter("ann", "big", phone);
    settle(); /* durable, and the end comes before the hand-over */
    restart(rules, SUITE_CLOCK_WALL);
    take_until(FACT_DISPATCH_SENT, 1);
    ck_assert_uint_eq(lines_of("Dear ann"), 1);
}
END_TEST

static Suite *suite_of_outbox(void)
{
    Suite *suite = suite_create("campaign_outbox");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, messages_reach_the_file_and_are_told_as_sent);
    tcase_add_test(tcase,
                   what_was_written_and_not_told_is_told_after_a_restart_and_not_written_again);
    tcase_add_test(tcase, what_was_intended_and_not_handed_over_is_written_after_a_restart);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_of_outbox());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
