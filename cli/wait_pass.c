#include "cli/wait_pass.h"

#include "cli/output.h"
#include "common/wire/pb.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/feed.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A Wait is parked this long and then asked again, which is less than a caller waits before
 * it takes the service for restarted: so nobody gives a parked one up. */
#define PARK_MS 1500
#define PARK_SLACK_MS 400

/* The order in which facts flow. */
static const char *const flow[] = { "ingestion", "loyalty", "segmentation", "campaign",
                                    "reporting" };
#define FLOW_COUNT (sizeof flow / sizeof flow[0])

/* A WaitRequest with the positions it points at. */
struct question {
    Kith__V1__WaitRequest message;
    Kith__V1__Position positions[LIMIT_FEEDS];
    Kith__V1__Position *pointers[LIMIT_FEEDS];
    char names[LIMIT_FEEDS][24];
};

static void question_make(struct question *question, const struct positions *positions,
                          int64_t timeout_ms)
{
    question->message = (Kith__V1__WaitRequest)KITH__V1__WAIT_REQUEST__INIT;
    for (size_t i = 0; i < positions->count; i++) {
        Kith__V1__Position *position = &question->positions[i];
        *position = (Kith__V1__Position)KITH__V1__POSITION__INIT;
        memcpy(question->names[i], positions->items[i].feed.name, sizeof question->names[i]);
        position->feed = question->names[i];
        position->has_shard = 1;
        position->shard = positions->items[i].feed.shard;
        position->has_seq = 1;
        position->seq = positions->items[i].seq;
        question->pointers[i] = position;
    }
    question->message.n_positions = positions->count;
    question->message.positions = question->pointers;
    question->message.has_timeout_ms = 1;
    question->message.timeout_ms = (uint32_t)timeout_ms;
}

struct place {
    const char *service;
    uint32_t shard;
};

static const Kith__V1__WaitReply *wait_once(struct suite *suite, struct place place,
                                            const struct positions *positions, int64_t park_ms,
                                            struct refusal *refusal)
{
    struct question question;
    question_make(&question, positions, park_ms);
    struct suite_call call = { .service = place.service,
                               .shard = place.shard,
                               .socket = SUITE_FEED,
                               .method = "feed.Wait",
                               .message = &question.message.base,
                               .reply = &kith__v1__wait_reply__descriptor,
                               .timeout_ms = park_ms + PARK_SLACK_MS };
    return suite_call(suite, &call, refusal);
}

/* ---- who lags */

/* How many facts of one feed are missing; 0 for one that it does not read. */
static uint64_t lag_of(const Kith__V1__WaitReply *reply, const struct feed_name *feed, uint64_t seq)
{
    for (size_t i = 0; i < reply->n_inputs; i++) {
        const Kith__V1__Position *input = reply->inputs[i];
        if (input->feed != NULL && strcmp(input->feed, feed->name) == 0 &&
            input->shard == feed->shard) {
            return input->seq < seq ? seq - input->seq : 0;
        }
    }
    return 0;
}

/* The feed that is furthest behind, as a sentence. */
static void lag_say(const struct place *place, const struct positions *positions,
                    const Kith__V1__WaitReply *reply, int64_t waited_ms)
{
    uint64_t most = 0;
    size_t worst = 0;
    for (size_t i = 0; i < positions->count; i++) {
        uint64_t lag = lag_of(reply, &positions->items[i].feed, positions->items[i].seq);
        worst = lag > most ? i : worst;
        most = lag > most ? lag : most;
    }
    output_say("%s/%u lags: it is %" PRIu64 " facts behind %s/%u after waiting %" PRId64
               " ms; wait longer with --wait, or ask with --stale",
               place->service, place->shard, most, positions->items[worst].feed.name,
               positions->items[worst].feed.shard, waited_ms);
}

/* ---- the pass */

struct pass {
    struct suite *suite;
    bool settles; /* campaign is waited for until it has decided */
    int64_t begun_at_ms;
    int64_t ends_at_ms;
    struct positions positions; /* answered so far */
};

static int place_fail(const struct pass *pass, const struct place *place,
                      const struct refusal *refusal)
{
    char who[64];
    (void)snprintf(who, sizeof who, "%s/%u", place->service, place->shard);
    if (refusal->status == STATUS_UNREACHABLE) {
        output_say("%s lags: it did not answer for %" PRId64 " ms; see kith status", who,
                   suite_monotonic_ms() - pass->begun_at_ms);
        return EXIT_UNREACHABLE;
    }
    return output_refusal(who, refusal);
}

/* What is left of the time, at most as long as a Wait is parked. */
static int64_t park_ms_of(const struct pass *pass)
{
    int64_t left_ms = pass->ends_at_ms - suite_monotonic_ms();
    left_ms = left_ms < 0 ? 0 : left_ms;
    return left_ms < PARK_MS ? left_ms : PARK_MS;
}

/* The time is over, or there is nothing to wait for. */
static int place_give_up(const struct pass *pass, const struct place *place,
                         const Kith__V1__WaitReply *reply, const struct refusal *refusal)
{
    if (reply == NULL) {
        return place_fail(pass, place, refusal);
    }
    lag_say(place, &pass->positions, reply, suite_monotonic_ms() - pass->begun_at_ms);
    return EXIT_UNREACHABLE;
}

/* Until one shard has folded all positions; adds its own end to `ends`. */
static int place_wait(struct pass *pass, const struct place *place, struct positions *ends)
{
    const Kith__V1__WaitReply *reply = NULL;
    struct refusal refusal;
    bool worth_asking = true;
    while (worth_asking) {
        refusal_init(&refusal);
        reply = wait_once(pass->suite, *place, &pass->positions, park_ms_of(pass), &refusal);
        worth_asking = reply != NULL ? !reply->reached : refusal.status == STATUS_UNREACHABLE;
        worth_asking = worth_asking && suite_monotonic_ms() < pass->ends_at_ms;
    }
    if (reply == NULL || !reply->reached) {
        return place_give_up(pass, place, reply, &refusal);
    }
    if (reply->end != NULL && reply->end->feed != NULL) {
        positions_lower(ends, reply->end->feed, reply->end->shard, reply->end->seq);
    }
    return EXIT_DONE;
}

/* An end that is asked again has moved on. */
static void position_renew(struct positions *positions, const struct feed_name *feed, uint64_t seq)
{
    for (size_t i = 0; i < positions->count; i++) {
        if (positions->items[i].feed.shard == feed->shard &&
            strcmp(positions->items[i].feed.name, feed->name) == 0) {
            positions->items[i].seq = seq;
            return;
        }
    }
    positions_lower(positions, feed->name, feed->shard, seq);
}

static bool settle_is_final(const void *reply)
{
    const Kith__V1__SettleReply *settle = reply;
    return settle->settled;
}

static int settle_give_up(const struct pass *pass, const struct place *place,
                          const Kith__V1__SettleReply *reply)
{
    output_say("%s/%u lags: after %" PRId64 " ms it has %" PRIu64 " messages to decide, and its "
               "channels have %" PRIu64 " to answer; see kith status, wait longer with --wait, or "
               "ask with --stale",
               place->service, place->shard, suite_monotonic_ms() - pass->begun_at_ms,
               reply->planned, reply->open);
    return EXIT_UNREACHABLE;
}

/* Until a shard of campaign has nothing left to decide; raises its end in `ends`. */
static int place_settle(struct pass *pass, const struct place *place, struct positions *ends)
{
    struct refusal refusal;
    refusal_init(&refusal);
    Kith__V1__SettleRequest request = KITH__V1__SETTLE_REQUEST__INIT;
    struct suite_call call = { .service = place->service,
                               .shard = place->shard,
                               .socket = SUITE_COMMANDS,
                               .method = "campaign.Settle",
                               .message = &request.base,
                               .reply = &kith__v1__settle_reply__descriptor };
    const Kith__V1__SettleReply *reply = wait_answer(pass->suite, &call, settle_is_final, &refusal);
    if (reply == NULL) {
        return place_fail(pass, place, &refusal);
    }
    if (!reply->settled) {
        return settle_give_up(pass, place, reply);
    }
    struct feed_name own = { .shard = place->shard };
    (void)snprintf(own.name, sizeof own.name, "%s", place->service);
    for (size_t i = 0; i < reply->n_positions; i++) {
        const Kith__V1__Position *position = reply->positions[i];
        if (position->feed != NULL && strcmp(position->feed, own.name) == 0 &&
            position->shard == own.shard) {
            position_renew(ends, &own, position->seq);
        }
    }
    return EXIT_DONE;
}

static int service_wait(struct pass *pass, const char *service)
{
    bool settles = pass->settles && strcmp(service, "campaign") == 0;
    uint32_t shards = suite_shards(pass->suite, service);
    struct positions ends = { 0 };
    for (uint32_t shard = 0; shard < shards; shard++) {
        struct place place = { .service = service, .shard = shard };
        int code = place_wait(pass, &place, &ends);
        if (code == EXIT_DONE && settles) {
            code = place_settle(pass, &place, &ends);
        }
        if (code != EXIT_DONE) {
            return code;
        }
    }
    for (size_t i = 0; i < ends.count; i++) {
        position_renew(&pass->positions, &ends.items[i].feed, ends.items[i].seq);
    }
    return EXIT_DONE;
}

/* Where in the flow the pass ends. */
static size_t flow_end(const char *service)
{
    for (size_t i = 0; i < FLOW_COUNT; i++) {
        if (strcmp(flow[i], service) == 0) {
            return i + 1;
        }
    }
    assert(false);
    return FLOW_COUNT;
}

static int pass_run(struct suite *suite, const struct invocation *invocation, const char *service,
                    bool settles)
{
    if (invocation->stale) {
        return EXIT_DONE;
    }
    int64_t now_ms = suite_monotonic_ms();
    struct pass pass = { .suite = suite,
                         .settles = settles,
                         .begun_at_ms = now_ms,
                         .ends_at_ms = now_ms + invocation->wait_ms };
    size_t end = flow_end(service);
    for (size_t i = 0; i < end; i++) {
        int code = service_wait(&pass, flow[i]);
        if (code != EXIT_DONE) {
            return code;
        }
    }
    return EXIT_DONE;
}

int wait_pass(struct suite *suite, const struct invocation *invocation, const char *service)
{
    return pass_run(suite, invocation, service, /* settles= */ true);
}

int wait_arrival(struct suite *suite, const struct invocation *invocation, const char *service)
{
    return pass_run(suite, invocation, service, /* settles= */ false);
}

const void *wait_answer(struct suite *suite, struct suite_call *call,
                        bool (*is_final)(const void *reply), struct refusal *refusal)
{
    int64_t ends_at_ms = suite_monotonic_ms() + suite_patience_ms(suite);
    const void *reply = NULL;
    bool worth_asking = true;
    while (worth_asking) {
        int64_t left_ms = ends_at_ms - suite_monotonic_ms();
        call->timeout_ms = (left_ms < PARK_MS ? left_ms : PARK_MS) + PARK_SLACK_MS;
        refusal_init(refusal);
        reply = suite_call(suite, call, refusal);
        worth_asking = reply != NULL ? !is_final(reply) : refusal->status == STATUS_UNREACHABLE;
        worth_asking = worth_asking && suite_monotonic_ms() < ends_at_ms;
    }
    return reply;
}

enum status wait_feed_end(struct suite *suite, const char *service, uint32_t shard, uint64_t *seq,
                          struct refusal *refusal)
{
    struct positions none = { 0 };
    struct place place = { .service = service, .shard = shard };
    int64_t patience_ms = suite_patience_ms(suite);
    const Kith__V1__WaitReply *reply = wait_once(suite, place, &none, patience_ms, refusal);
    if (reply == NULL) {
        return refusal->status;
    }
    *seq = reply->end != NULL ? reply->end->seq : 0;
    return STATUS_OK;
}
