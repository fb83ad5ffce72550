#include "services/loyalty/loyalty_batch.h"

#include "common/wire/message.h"
#include "kith/v1/loyalty.pb-c.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The number of the field `results` in PostBatchReply. */
#define FIELD_RESULTS 1

/* ---- the request */

/* A fault of the field `name` of posting `index`. */
static void item_violation(size_t index, const char *name, const char *rule, const char *mend,
                           struct refusal *refusal)
{
    char place[40] = "";
    (void)snprintf(place, sizeof place, "postings[%zu].%s", index, name);
    refusal_violation(refusal, place, rule, mend);
}

static bool is_optional_id(const char *text)
{
    return text == NULL || id_text_is_valid(pb_text(text));
}

static void item_check(const Kith__V1__Posting *posting, size_t index, struct refusal *refusal)
{
    if (posting->base.n_unknown_fields != 0 ||
        (posting->kind != KITH__V1__POSTING_KIND__POSTING_SPEND &&
         posting->kind != KITH__V1__POSTING_KIND__POSTING_GRANT) ||
        !posting->has_kind) {
        item_violation(index, "kind", "POSTING_SPEND or POSTING_GRANT",
                       "encode the posting as loyalty.proto says", refusal);
    }
    if (!id_text_is_valid(pb_text(posting->customer))) {
        item_violation(index, "customer", REQUEST_ID_RULE, "name the customer as its source does",
                       refusal);
    }
    if (!is_optional_id(posting->programme)) {
        item_violation(index, "programme", REQUEST_ID_RULE,
                       "leave it away for the first programme, or name one of the configuration",
                       refusal);
    }
    if (!is_optional_id(posting->reference)) {
        item_violation(index, "reference", REQUEST_ID_RULE, "leave it away, or give an id",
                       refusal);
    }
    if (posting->points < 1 || posting->points > LIMIT_AMOUNT) {
        item_violation(index, "points", "1 to 1000000000000000",
                       "give the number of points to spend or to grant", refusal);
    }
}

static struct loyalty_item item_of(const Kith__V1__Posting *posting)
{
    bool spends = posting->kind == KITH__V1__POSTING_KIND__POSTING_SPEND;
    return (struct loyalty_item){
        .kind = spends ? LOYALTY_SPENT : LOYALTY_GRANTED,
        .customer = pb_text(posting->customer),
        .programme = pb_text(posting->programme),
        .reference = pb_text(posting->reference),
        .points = posting->points,
    };
}

enum status loyalty_batch_decode(struct span body, struct arena *arena, struct loyalty_batch *batch,
                                 struct refusal *refusal)
{
    const Kith__V1__PostRequest *message =
        pb_unpack(&kith__v1__post_request__descriptor, arena, body);
    if (message == NULL || message->base.n_unknown_fields > 0) {
        (void)refusal_set(refusal, STATUS_MALFORMED, "the body is not a PostRequest");
        refusal_violation(refusal, "body", "must be the method's encoded message, all of it known",
                          "encode it with proto/kith/v1");
        return STATUS_MALFORMED;
    }
    if (message->n_postings == 0 || message->n_postings > LIMIT_BATCH_ITEMS) {
        refusal_violation(refusal, "postings", "1 to 4096", "send several batches");
        return STATUS_MALFORMED;
    }
    struct loyalty_item *items = arena_allocate(arena, message->n_postings * sizeof *items);
    if (items == NULL) {
        return refusal_set(refusal, STATUS_MALFORMED,
                           "the postings do not fit; send several batches");
    }
    struct refusal found;
    refusal_init(&found);
    for (size_t i = 0; i < message->n_postings; i++) {
        item_check(message->postings[i], i, &found);
        items[i] = item_of(message->postings[i]);
    }
    if (found.status != STATUS_OK) {
        *refusal = found;
        return STATUS_MALFORMED;
    }
    *batch = (struct loyalty_batch){ .count = message->n_postings,
                                     .items = items,
                                     .all_or_nothing = message->all_or_nothing };
    return STATUS_OK;
}

/* ---- the reply */

static void run_write(struct loyalty_results *results)
{
    if (results->count == 0) {
        return;
    }
    bool posted = results->status == STATUS_OK;
    Kith__V1__PostRun run = KITH__V1__POST_RUN__INIT;
    run.has_count = true;
    run.count = results->count;
    run.has_code = true;
    run.code = (uint32_t)results->status;
    run.has_first_posting = posted;
    run.first_posting = results->first_posting;
    size_t sentence_bytes = strlen(results->why);
    if (!posted && results->sentence_bytes + sentence_bytes <= LOYALTY_SENTENCES_BYTES) {
        results->sentence_bytes += sentence_bytes;
        run.message = results->why;
    }
    message_element_append(FIELD_RESULTS, &run.base, results->out);
    results->count = 0;
}

static bool run_goes_on(const struct loyalty_results *results, const struct loyalty_result *result)
{
    if (results->count == 0 || results->status != result->status) {
        return false;
    }
    return result->status == STATUS_OK ? result->posting == results->first_posting + results->count
                                       : strcmp(results->why, result->why) == 0;
}

void loyalty_results_add(struct loyalty_results *results, const struct loyalty_result *result)
{
    if (run_goes_on(results, result)) {
        results->count += 1;
        return;
    }
    run_write(results);
    results->count = 1;
    results->status = result->status;
    results->first_posting = result->posting;
    int length = snprintf(results->why, sizeof results->why, "%s", result->why);
    assert(length >= 0 && (size_t)length < sizeof results->why);
}

void loyalty_results_end(struct loyalty_results *results)
{
    run_write(results);
}
