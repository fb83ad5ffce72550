/* What was sent to ingestion: each piece has one outcome, and each fact one piece. */
#include "kith/v1/ingestion.pb-c.h"
#include "tests/sim/sim_judge.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HASH_BYTES 16
#define FUTURE_MS (INT64_C(5) * 60 * 1000)

/* How often each fact is claimed by an answer; by seq - 1. */
struct claims {
    struct sim_judge *judge;
    const struct sim_facts *facts;
    unsigned *counts;
};

static bool hash_is(const struct sim_story *story, ProtobufCBinaryData hash)
{
    uint8_t own[HASH_BYTES];
    (void)crypto_generichash(own, sizeof own, story->bytes, story->size, NULL, 0);
    return hash.len == HASH_BYTES && memcmp(own, hash.data, HASH_BYTES) == 0;
}

static bool texts_are(const struct sim_story *story, const char *source, const char *id)
{
    return source != NULL && id != NULL && strcmp(story->source, source) == 0 &&
           strcmp(story->id, id) == 0;
}

static bool event_is(const Kith__V1__EventAccepted *event, const struct sim_story *story)
{
    return !story->is_raw && texts_are(story, event->source, event->id) &&
           hash_is(story, event->content_hash) && event->occurred_at_ms == story->occurred_at_ms &&
           strcmp(event->type, story->type) == 0;
}

static bool accepted_is(const struct sim_fact *fact, const struct sim_story *story)
{
    Kith__V1__EventAccepted *event =
        kith__v1__event_accepted__unpack(NULL, fact->fact->body.len, fact->fact->body.data);
    bool is_same = event != NULL && event_is(event, story);
    kith__v1__event_accepted__free_unpacked(event, NULL);
    return is_same;
}

/* Why it was kept, if it is this one's; -1: it is not. */
static int quarantined_reason(const struct sim_fact *fact, const struct sim_story *story)
{
    Kith__V1__EventQuarantined *kept =
        kith__v1__event_quarantined__unpack(NULL, fact->fact->body.len, fact->fact->body.data);
    bool is_same = kept != NULL && texts_are(story, kept->source, kept->id) &&
                   hash_is(story, kept->content_hash);
    int reason = is_same ? (int)kept->reason : -1;
    kith__v1__event_quarantined__free_unpacked(kept, NULL);
    return reason;
}

static const struct sim_fact *claim(const struct claims *claims, const struct sim_command *command,
                                    uint64_t seq, uint32_t type)
{
    const struct sim_fact *fact = sim_fact_at(claims->facts, seq);
    if (fact == NULL || fact->fact->type != type) {
        sim_fail(claims->judge->world,
                 "command %" PRIu64 " (%s) was told of fact %" PRIu64
                 ", which is not there or is of another type",
                 command->number, command->method, seq);
    }
    claims->counts[seq - 1] += 1;
    return fact;
}

_Noreturn static void item_wrong(const struct claims *claims, const struct sim_command *command,
                                 const struct sim_story *story, const char *what)
{
    sim_fail(claims->judge->world, "command %" PRIu64 ", event %s/%s: %s", command->number,
             story->source, story->id, what);
}

/* ---- each outcome */

/* Another event of the same name was accepted before. */
static bool is_reused(const struct claims *claims, const struct sim_story *story, uint64_t seq)
{
    for (uint64_t i = 1; i < seq; i++) {
        const Kith__V1__Fact *fact = sim_fact_at(claims->facts, i)->fact;
        if (fact->type != KITH__V1__FACT_TYPE__FACT_EVENT_ACCEPTED) {
            continue;
        }
        Kith__V1__EventAccepted *event =
            kith__v1__event_accepted__unpack(NULL, fact->body.len, fact->body.data);
        bool is_other =
            texts_are(story, event->source, event->id) && !hash_is(story, event->content_hash);
        kith__v1__event_accepted__free_unpacked(event, NULL);
        if (is_other) {
            return true;
        }
    }
    return false;
}

static void rejected_judge(const struct claims *claims, const struct sim_command *command,
                           const struct sim_story *story, uint64_t seq)
{
    const struct sim_fact *fact =
        claim(claims, command, seq, KITH__V1__FACT_TYPE__FACT_EVENT_QUARANTINED);
    bool is_right = false;
    switch (quarantined_reason(fact, story)) {
    case KITH__V1__QUARANTINE_REASON__QUARANTINE_UNREADABLE:
        is_right = story->is_raw;
        break;
    case KITH__V1__QUARANTINE_REASON__QUARANTINE_ID_REUSED:
        is_right = !story->is_raw && is_reused(claims, story, seq);
        break;
    case KITH__V1__QUARANTINE_REASON__QUARANTINE_FUTURE:
        is_right = !story->is_raw && story->occurred_at_ms > fact->wall_ms + FUTURE_MS;
        break;
    default:
        break;
    }
    if (!is_right) {
        item_wrong(claims, command, story, "it was kept for a reason that does not hold");
    }
}

static void duplicate_judge(const struct claims *claims, const struct sim_command *command,
                            const struct sim_story *story, uint64_t seq)
{
    const struct sim_fact *fact = sim_fact_at(claims->facts, seq);
    bool is_event = fact != NULL && fact->fact->type == KITH__V1__FACT_TYPE__FACT_EVENT_ACCEPTED;
    bool is_entry = fact != NULL && fact->fact->type == KITH__V1__FACT_TYPE__FACT_EVENT_QUARANTINED;
    if (!(is_event && accepted_is(fact, story)) &&
        !(is_entry && quarantined_reason(fact, story) >= 0)) {
        item_wrong(claims, command, story, "it was called a duplicate of something else");
    }
    sim_sometimes(claims->judge->world, SIM_EVENT_AGAIN);
}

static void item_judge(const struct claims *claims, const struct sim_command *command,
                       const struct sim_story *story, const Kith__V1__IngestRun *run, uint64_t seq)
{
    bool is_invalid = run->outcome == KITH__V1__INGEST_OUTCOME__INGEST_INVALID;
    if (is_invalid != story->is_broken) {
        item_wrong(claims, command, story, "what is wrong with its form was not seen, or made up");
    }
    switch (run->outcome) {
    case KITH__V1__INGEST_OUTCOME__INGEST_ACCEPTED:
        if (story->is_raw ||
            !accepted_is(claim(claims, command, seq, KITH__V1__FACT_TYPE__FACT_EVENT_ACCEPTED),
                         story)) {
            item_wrong(claims, command, story, "another event stands where it was accepted");
        }
        return;
    case KITH__V1__INGEST_OUTCOME__INGEST_DUPLICATE:
        duplicate_judge(claims, command, story, seq);
        return;
    case KITH__V1__INGEST_OUTCOME__INGEST_REJECTED:
        rejected_judge(claims, command, story, seq);
        return;
    case KITH__V1__INGEST_OUTCOME__INGEST_INVALID:
    case _KITH__V1__INGEST_OUTCOME_IS_INT_SIZE:
        return;
    }
}

/* ---- each command */

static void ingest_judge(const struct claims *claims, const struct sim_command *command)
{
    Kith__V1__IngestReply *reply =
        kith__v1__ingest_reply__unpack(NULL, command->answer_size, command->answer);
    size_t item = 0;
    if (command->code != STATUS_OK || reply == NULL) {
        sim_fail(claims->judge->world, "command %" PRIu64 ", events: code %u %s", command->number,
                 command->code, command->message);
    }
    for (size_t i = 0; i < reply->n_results; i++) {
        const Kith__V1__IngestRun *run = reply->results[i];
        for (uint32_t j = 0; j < run->count && item < command->item_count; j++, item++) {
            item_judge(claims, command, &command->items[item], run, run->first_seq + j);
        }
    }
    if (item != command->item_count) {
        sim_fail(claims->judge->world, "command %" PRIu64 ": %zu outcomes for %zu events",
                 command->number, item, command->item_count);
    }
    kith__v1__ingest_reply__free_unpacked(reply, NULL);
}

static void retry_judge(const struct claims *claims, const struct sim_command *command)
{
    if (command->code != STATUS_OK) {
        return;
    }
    Kith__V1__QuarantineRetryReply *reply =
        kith__v1__quarantine_retry_reply__unpack(NULL, command->answer_size, command->answer);
    if (reply == NULL || reply->result == NULL ||
        reply->result->outcome != KITH__V1__INGEST_OUTCOME__INGEST_ACCEPTED) {
        sim_fail(claims->judge->world, "command %" PRIu64 ": a retry without its outcome",
                 command->number);
    }
    const struct sim_fact *fact =
        claim(claims, command, reply->result->first_seq, KITH__V1__FACT_TYPE__FACT_EVENT_ACCEPTED);
    if (command->item_count > 0 && !accepted_is(fact, &command->items[0])) {
        item_wrong(claims, command, &command->items[0], "another event stands where it should");
    }
    kith__v1__quarantine_retry_reply__free_unpacked(reply, NULL);
    sim_sometimes(claims->judge->world, SIM_QUARANTINE_RETRIED);
}

static void advance_judge(const struct claims *claims, const struct sim_command *command)
{
    if (command->code != STATUS_OK) {
        sim_fail(claims->judge->world, "command %" PRIu64 ", the clock: code %u %s",
                 command->number, command->code, command->message);
    }
    Kith__V1__AdvanceClockReply *reply =
        kith__v1__advance_clock_reply__unpack(NULL, command->answer_size, command->answer);
    const struct sim_fact *fact =
        claim(claims, command, reply->seq, KITH__V1__FACT_TYPE__FACT_CLOCK_ADVANCED);
    if (fact->fact->recorded_at_ms != reply->now_ms) {
        sim_fail(claims->judge->world, "command %" PRIu64 ": the clock was set to another time",
                 command->number);
    }
    kith__v1__advance_clock_reply__free_unpacked(reply, NULL);
}

/* ---- each fact */

/* An entry is closed once, by the one command that was told so. */
static void closed_judge(const struct claims *claims, const struct sim_fact *fact)
{
    Kith__V1__QuarantineClosed *closed =
        kith__v1__quarantine_closed__unpack(NULL, fact->fact->body.len, fact->fact->body.data);
    const struct sim_clients *clients = claims->judge->clients;
    unsigned count = 0;
    for (size_t i = 0; i < clients->count; i++) {
        const struct sim_command *command = clients->commands[i];
        enum sim_what wanted = closed->accepted ? SIM_ENTRY_RETRY : SIM_ENTRY_DROP;
        count +=
            command->what == wanted && command->code == STATUS_OK && command->entry == closed->entry
                ? 1
                : 0;
    }
    if (count != 1) {
        sim_fail(claims->judge->world, "entry %" PRIu64 " was closed, and %u commands did it",
                 closed->entry, count);
    }
    if (!closed->accepted) {
        sim_sometimes(claims->judge->world, SIM_QUARANTINE_DROPPED);
    }
    kith__v1__quarantine_closed__free_unpacked(closed, NULL);
}

static void claims_judge(const struct claims *claims)
{
    for (size_t i = 0; i < claims->facts->count; i++) {
        const struct sim_fact *fact = &claims->facts->facts[i];
        if (fact->fact->type == KITH__V1__FACT_TYPE__FACT_QUARANTINE_CLOSED) {
            closed_judge(claims, fact);
        } else if (claims->counts[i] != 1) {
            sim_fail(claims->judge->world,
                     "fact %" PRIu64 " of ingestion, of type %" PRIu32 ", has %u causes", fact->seq,
                     fact->fact->type, claims->counts[i]);
        }
    }
}

/* ---- what was accepted */

/* NULL: none of this command's. */
static const struct sim_story *item_of(const struct sim_command *command,
                                       const Kith__V1__EventAccepted *event)
{
    for (size_t i = 0; i < command->item_count; i++) {
        if (event_is(event, &command->items[i])) {
            return &command->items[i];
        }
    }
    return NULL;
}

static const struct sim_story *story_of(const struct sim_judge *judge,
                                        const Kith__V1__EventAccepted *event)
{
    for (size_t i = 0; i < judge->clients->count; i++) {
        const struct sim_story *story = item_of(judge->clients->commands[i], event);
        if (story != NULL) {
            return story;
        }
    }
    sim_fail(judge->world, "event %s/%s was accepted, and nobody sent it", event->source,
             event->id);
}

static void accepted_add(struct sim_judge *judge, const struct sim_fact *fact)
{
    Kith__V1__EventAccepted *event =
        kith__v1__event_accepted__unpack(NULL, fact->fact->body.len, fact->fact->body.data);
    struct sim_accepted added = { .fact = fact, .story = story_of(judge, event), .is_first = true };
    for (size_t i = 0; i < judge->accepted_count; i++) {
        const struct sim_story *other = judge->accepted[i].story;
        added.is_first = added.is_first && other->customer != added.story->customer;
        if (strcmp(other->source, added.story->source) == 0 &&
            strcmp(other->id, added.story->id) == 0) {
            sim_fail(judge->world, "event %s/%s was accepted twice", other->source, other->id);
        }
    }
    if ((event->new_customer != 0) != added.is_first ||
        sim_customer_of(judge, fact->fact) != added.story->customer) {
        sim_fail(judge->world, "event %s/%s: it is not its customer's, or not the first",
                 added.story->source, added.story->id);
    }
    kith__v1__event_accepted__free_unpacked(event, NULL);
    judge->accepted[judge->accepted_count++] = added;
}

void sim_judge_events(struct sim_judge *judge)
{
    const struct sim_node *node = sim_node_find(judge->world, "ingestion", 0);
    const struct sim_facts *facts = &judge->facts[node->number];
    struct claims claims = { .judge = judge, .facts = facts };
    claims.counts = memory_allocate((facts->count + 1) * sizeof *claims.counts);
    for (size_t i = 0; i < judge->clients->count; i++) {
        const struct sim_command *command = judge->clients->commands[i];
        if (command->what == SIM_INGEST) {
            ingest_judge(&claims, command);
        } else if (command->what == SIM_ENTRY_RETRY) {
            retry_judge(&claims, command);
        } else if (command->what == SIM_ADVANCE) {
            advance_judge(&claims, command);
        }
    }
    claims_judge(&claims);
    free(claims.counts);
    judge->accepted = memory_allocate((facts->count + 1) * sizeof *judge->accepted);
    for (size_t i = 0; i < facts->count; i++) {
        if (facts->facts[i].fact->type == KITH__V1__FACT_TYPE__FACT_EVENT_ACCEPTED) {
            accepted_add(judge, &facts->facts[i]);
        }
    }
}
