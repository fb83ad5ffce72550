/*
 * A channel in a folder of its own, messages for it, and waiting for what becomes of them.
 */
#ifndef KITH_TESTS_UNIT_CHANNEL_FIXTURE_H
#define KITH_TESTS_UNIT_CHANNEL_FIXTURE_H

#include "services/campaign/channel_internal.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 60000

struct fixture {
    char folder[64];
    int wake;
    struct campaign_channel rule;
    struct channel_timing timing;
    struct channel *channel;
};

static inline void fixture_init(struct fixture *fixture, enum campaign_channel_kind kind)
{
    *fixture = (struct fixture){ .folder = "/tmp/kith-channel-XXXXXX",
                                 .rule = { .name = "out", .kind = kind, .in_flight_max = 32 },
                                 .timing = { .delay_first_ms = 1,
                                             .delay_most_ms = 10,
                                             .attempt_most_ms = 30000,
                                             .put_off_first_ms = 10,
                                             .put_off_most = 16 } };
    ck_assert_ptr_nonnull(mkdtemp(fixture->folder));
    fixture->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ck_assert_int_ge(fixture->wake, 0);
}

static inline const char *fixture_path(const struct fixture *fixture, const char *name,
                                       char out[128])
{
    (void)snprintf(out, 128, "%s/%s", fixture->folder, name);
    return out;
}

/* Closes the channel and removes the folder, whose files are named here. */
static inline void fixture_release(struct fixture *fixture)
{
    static const char *const files[] = { "outbox/out-3.ndjson", "messages.ndjson", "behave",
                                         "tries" };
    char path[128] = { 0 };
    channel_close(&fixture->channel);
    ck_assert_ptr_null(fixture->channel);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)unlink(fixture_path(fixture, files[i], path));
    }
    (void)rmdir(fixture_path(fixture, "outbox", path));
    ck_assert_int_eq(rmdir(fixture->folder), 0);
    ck_assert_int_eq(close(fixture->wake), 0);
}

static inline enum status fixture_try(struct fixture *fixture, struct refusal *refusal)
{
    struct channel_options options = {
        .channel = &fixture->rule, .data = fixture->folder, .shard = 3, .wake = fixture->wake
    };
    refusal_init(refusal);
    return channel_open_timed(&fixture->channel, &options, &fixture->timing, refusal);
}

static inline void fixture_open(struct fixture *fixture)
{
    struct refusal refusal;
    ck_assert_msg(fixture_try(fixture, &refusal) == STATUS_OK, "%s", refusal.message);
}

/* ---- messages */

static inline struct hash128 dispatch_of(uint8_t number)
{
    struct hash128 dispatch = { { 0xd1, [15] = number } };
    return dispatch;
}

/* The message `number`; its texts are literals. */
static inline struct channel_intent intent_of(uint8_t number)
{
    return (struct channel_intent){ .dispatch = dispatch_of(number),
                                    .campaign = span_of_text("thanks"),
                                    .customer = span_of_text("c7"),
                                    .address = span_of_text("anna@mail.example"),
                                    .text = span_of_text("Dear Anna"),
                                    .at_ms = INT64_C(883612800000) };
}

static inline void message_send(struct fixture *fixture, uint8_t number)
{
    struct channel_intent intent = intent_of(number);
    channel_send(fixture->channel, &intent);
}

static inline void message_recover(struct fixture *fixture, uint8_t number)
{
    struct channel_intent intent = intent_of(number);
    channel_recover(fixture->channel, &intent);
}

/* ---- waiting */

static inline int64_t now_ms(void)
{
    struct timespec now = { 0 };
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The next outcome, once the channel has woken us. */
static inline struct channel_outcome outcome_wait(struct fixture *fixture)
{
    struct channel_outcome outcome = { .detail = "" };
    int64_t end_ms = now_ms() + ANSWER_MS;
    while (!channel_outcome_take(fixture->channel, &outcome)) {
        struct pollfd wake = { .fd = fixture->wake, .events = POLLIN };
        uint64_t count = 0;
        ck_assert_msg(poll(&wake, 1, (int)(end_ms - now_ms())) == 1, "no outcome in time");
        ck_assert_int_eq(read(fixture->wake, &count, sizeof count), sizeof count);
    }
    return outcome;
}

static inline void outcome_expect(struct fixture *fixture, uint8_t number,
                                  enum channel_result result, const char *detail)
{
    struct channel_outcome outcome = outcome_wait(fixture);
    ck_assert_uint_eq(outcome.dispatch.bytes[15], number);
    ck_assert(hash128_equal(outcome.dispatch, dispatch_of(number)));
    ck_assert_msg(outcome.result == result, "result %d: %s", (int)outcome.result, outcome.detail);
    ck_assert_str_eq(outcome.detail, detail);
}

static inline void no_outcome_expect(struct fixture *fixture)
{
    struct channel_outcome outcome = { .detail = "" };
    ck_assert(!channel_outcome_take(fixture->channel, &outcome));
}

#define POLL_MS 2

/* Until the channel says that it is stuck, for a reason that holds `words`. */
static inline void stuck_wait(struct fixture *fixture, const char *words)
{
    char why[CHANNEL_DETAIL_BYTES] = "";
    int64_t end_ms = now_ms() + ANSWER_MS;
    while (!channel_is_stuck(fixture->channel, why, sizeof why)) {
        ck_assert_msg(now_ms() < end_ms, "not stuck in time");
        (void)poll(NULL, 0, POLL_MS);
    }
    ck_assert_msg(strstr(why, words) != NULL, "stuck because: %s", why);
}

static inline void well_expect(struct fixture *fixture)
{
    char why[CHANNEL_DETAIL_BYTES] = "";
    ck_assert_msg(!channel_is_stuck(fixture->channel, why, sizeof why), "stuck: %s", why);
}

/* ---- files */

/* The whole file; of one that is not there, nothing. */
static inline const char *file_read(const struct fixture *fixture, const char *name)
{
    static char text[2 * 1024 * 1024];
    char path[128] = { 0 };
    FILE *file = fopen(fixture_path(fixture, name, path), "r");
    size_t size = 0;
    if (file != NULL) {
        size = fread(text, 1, sizeof text - 1, file);
        ck_assert_int_eq(fclose(file), 0);
    }
    text[size] = '\0';
    return text;
}

static inline void file_write(const struct fixture *fixture, const char *name, const char *text)
{
    char path[128] = { 0 };
    FILE *file = fopen(fixture_path(fixture, name, path), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
}

#endif
