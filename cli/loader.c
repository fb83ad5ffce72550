/*
 * A batch's way:
 *
 *   made --> READY --send--> SENT --OK--> ANSWERED --when all before it are--> counted
 *              ^              |
 *              +--------------+  lost, out of order, or "not now"
 *
 * Batches lie in a ring by their number; `head` is the first that is not counted, `tail` the
 * next to be made. They are sent in order: one that is READY holds up those behind it.
 */
#include "cli/loader.h"

#include "cli/batch.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/suite.h"
#include "common/base/limits.h"
#include "common/wire/pb.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* How long an unanswered connection is trusted, first and at most. */
#define ATTEMPT_MS_FIRST 2000
#define ATTEMPT_MS_MAX 16000
#define SAVE_MS 1000
/* After "not now" without a time. */
#define PAUSE_MS 100
/* The longest that one wait lasts: a signal is seen in between. */
#define LOOK_MS 50
/* What is in flight when we are stopped gets this long to be answered. */
#define STOP_MS 2000
#define KEY_BYTES (LIMIT_ID_BYTES + 1)

enum slot_state { SLOT_FREE, SLOT_READY, SLOT_SENT, SLOT_ANSWERED };

struct slot {
    enum slot_state state;
    struct batch batch;
    uint64_t request_id; /* of the newest attempt; they count up */
    int64_t sent_at_ms;
    bool was_head; /* when it was sent, all before it were answered */
    struct run_counts counts;
};

struct loader {
    const struct loader_options *options;
    struct run_state *state;
    struct refusal *refusal;
    struct client *client;
    struct client *raw_client; /* for rows that ingestion takes for no event */
    struct slot slots[LIMIT_IN_FLIGHT];
    uint64_t head;
    uint64_t tail;
    uint64_t next_request;
    struct load_row pending; /* read, and in no batch yet */
    bool has_pending;
    struct load_place place; /* behind the last row that is in a batch */
    bool source_ended;
    bool is_stopping;
    bool is_notified;       /* of "not now" */
    int64_t stop_at_ms;     /* no longer than this, once it is stopping */
    int64_t progress_at_ms; /* a batch was counted, or nothing was there to be */
    int64_t heard_at_ms;    /* of ingestion */
    int64_t attempt_ms;
    int64_t paused_until_ms;
    int64_t saved_at_ms;
    int64_t rate_from_ms; /* where the rate's schedule begins */
    uint64_t rate_rows;   /* made since then */
    uint64_t begun_rows;
    struct progress progress;
    struct buffer reply;
    struct buffer raw_body;
    struct arena arena;
    enum load_end end; /* once it is decided */
    bool is_ended;
};

static void end_set(struct loader *loader, enum load_end end)
{
    if (!loader->is_ended) {
        loader->is_ended = true;
        loader->end = end;
    }
}

static struct slot *slot_of(struct loader *loader, uint64_t number)
{
    return &loader->slots[number % loader->options->in_flight];
}

static int64_t wall_ms(void)
{
    struct timespec now = { 0 };
    int result = clock_gettime(CLOCK_REALTIME, &now);
    assert(result == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void key_make(const struct loader *loader, uint64_t number, char key[KEY_BYTES])
{
    int size = snprintf(key, KEY_BYTES, "%s.%" PRIu64, loader->state->id, number);
    assert(size > 0 && size < KEY_BYTES);
}

/* ---- making batches */

/* The next row: the one that did not fit, or a new one. False: there is none. */
static bool row_take(struct loader *loader)
{
    if (loader->has_pending) {
        return true;
    }
    enum row_step step =
        load_source_next(loader->options->source, &loader->pending, loader->refusal);
    if (step == ROW_BROKEN) {
        end_set(loader, LOAD_FAILED);
    }
    loader->source_ended = step != ROW_READ;
    loader->has_pending = step == ROW_READ;
    return loader->has_pending;
}

static void batch_make(struct loader *loader)
{
    struct slot *slot = slot_of(loader, loader->tail);
    assert(slot->state == SLOT_FREE);
    batch_begin(&slot->batch, loader->tail);
    while (slot->batch.row_count < loader->options->batch_rows && row_take(loader)) {
        if (!batch_add(&slot->batch, &loader->pending)) {
            break;
        }
        loader->has_pending = false;
        loader->place = load_source_place(loader->options->source);
    }
    if (slot->batch.row_count == 0 || loader->is_ended) {
        return;
    }
    batch_end(&slot->batch, loader->state->id);
    slot->batch.after = loader->place;
    slot->state = SLOT_READY;
    loader->rate_rows += slot->batch.row_count;
    loader->tail++;
}

/* How long until the rate allows another batch; 0: now. */
static int64_t rate_wait_ms(struct loader *loader, int64_t now_ms)
{
    uint64_t rate = loader->options->rate;
    if (rate == 0) {
        return 0;
    }
    int64_t due_ms = loader->rate_from_ms + (int64_t)(loader->rate_rows * 1000 / rate);
    if (due_ms < now_ms - 1000) {
        /* What was missed while nobody answered is not caught up in one go. */
        loader->rate_from_ms = now_ms;
        loader->rate_rows = 0;
    }
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

static bool may_make(const struct loader *loader)
{
    return !loader->source_ended && !loader->is_stopping && !loader->is_ended &&
           loader->tail - loader->head < loader->options->in_flight;
}

static void batches_make(struct loader *loader)
{
    while (may_make(loader) && rate_wait_ms(loader, suite_monotonic_ms()) == 0) {
        batch_make(loader);
    }
}

/* ---- sending */

static bool slot_send(struct loader *loader, struct slot *slot, int64_t now_ms)
{
    char key[KEY_BYTES];
    key_make(loader, slot->batch.number, key);
    struct client_request request = { .method = "ingestion.Ingest",
                                      .key = key,
                                      .body = buffer_span(&slot->batch.body),
                                      .timeout_ms = loader->options->wait_ms };
    if (!client_send(loader->client, &request, loader->next_request)) {
        return false;
    }
    slot->request_id = loader->next_request++;
    slot->sent_at_ms = now_ms;
    slot->state = SLOT_SENT;
    slot->was_head = slot->batch.number == loader->head;
    return true;
}

static void batches_send(struct loader *loader)
{
    int64_t now_ms = suite_monotonic_ms();
    if (now_ms < loader->paused_until_ms) {
        return;
    }
    bool goes_on = true;
    for (uint64_t number = loader->head; number < loader->tail && goes_on; number++) {
        struct slot *slot = slot_of(loader, number);
        if (slot->state == SLOT_READY) {
            goes_on = slot_send(loader, slot, now_ms);
        }
    }
}

/* ---- rows that ingestion takes for no event */

struct raw_sending {
    struct loader *loader;
    const struct batch *batch;
    struct run_counts counts; /* of those that were sent */
};

static enum status raw_nested(void *argument, const struct batch_invalid *invalid)
{
    struct raw_sending *sending = argument;
    return refusal_set(sending->loader->refusal, STATUS_INTERNAL,
                       "ingestion does not keep a raw row: %s", invalid->reason);
}

static enum status raw_call(struct raw_sending *sending, const char *key)
{
    struct loader *loader = sending->loader;
    enum status status = STATUS_OK;
    if (loader->raw_client == NULL) {
        status = client_open(&loader->raw_client, loader->options->endpoint, loader->refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct client_request request = { .method = "ingestion.Ingest",
                                      .key = key,
                                      .body = buffer_span(&loader->raw_body),
                                      .timeout_ms = loader->options->wait_ms };
    struct buffer reply;
    struct arena arena;
    buffer_init(&reply, LIMIT_BODY_BYTES);
    arena_init(&arena, PB_ARENA_LEAST + (size_t)LIMIT_BODY_BYTES);
    status = client_call(loader->raw_client, &request, &reply, loader->refusal);
    if (status == STATUS_OK) {
        struct batch_reading reading = {
            .row_count = 1, .arena = &arena, .visit = raw_nested, .argument = sending
        };
        status = batch_reply_read(&reading, buffer_span(&reply), &sending->counts);
    }
    buffer_release(&reply);
    arena_release(&arena);
    return status;
}

/* Keeps the row as it stood in its file. It has a key of its own that follows from the run,
 * so that it is kept once, and belongs to no run, so that it holds up no batch. */
static enum status raw_send(void *argument, const struct batch_invalid *invalid)
{
    struct raw_sending *sending = argument;
    struct load_row row = batch_row(sending->batch, invalid->row);
    struct load_raw raw = { .source = span_of_text(sending->loader->options->source_name),
                            .id = row.id,
                            .bytes = row.content,
                            .reason = span_of_text(invalid->reason) };
    batch_of_raw(&raw, &sending->loader->raw_body);
    char key[KEY_BYTES];
    int size = snprintf(key, sizeof key, "%s.%" PRIu64 ".%zu", sending->loader->state->id,
                        sending->batch->number, invalid->row);
    assert(size > 0 && (size_t)size < sizeof key);
    return raw_call(sending, key);
}

/* ---- replies */

static void counts_add(struct run_counts *counts, const struct run_counts *added)
{
    counts->rows += added->rows;
    counts->accepted += added->accepted;
    counts->duplicate += added->duplicate;
    counts->rejected += added->rejected;
}

static void slot_answer(struct loader *loader, struct slot *slot)
{
    struct raw_sending sending = { .loader = loader, .batch = &slot->batch };
    struct batch_reading reading = { .row_count = slot->batch.row_count,
                                     .arena = &loader->arena,
                                     .visit = raw_send,
                                     .argument = &sending };
    slot->counts = (struct run_counts){ .rows = 0 };
    enum status status = batch_reply_read(&reading, buffer_span(&loader->reply), &slot->counts);
    if (status == STATUS_OK) {
        counts_add(&slot->counts, &sending.counts);
        slot->state = SLOT_ANSWERED;
        return;
    }
    if (status == STATUS_MALFORMED) {
        (void)refusal_set(loader->refusal, status,
                          "ingestion's reply cannot be read by this version of kith");
    }
    end_set(loader, status == STATUS_UNREACHABLE ? LOAD_UNREACHABLE : LOAD_FAILED);
}

/* "Out of order": what was sent before it and has no reply was lost. */
static void slot_aborted(struct loader *loader, struct slot *slot, const struct refusal *why)
{
    if (slot->was_head) {
        *loader->refusal = *why;
        end_set(loader, LOAD_STALE);
        return;
    }
    for (uint64_t number = loader->head; number < slot->batch.number; number++) {
        struct slot *before = slot_of(loader, number);
        if (before->state == SLOT_SENT && before->request_id < slot->request_id) {
            before->state = SLOT_READY;
        }
    }
    slot->state = SLOT_READY;
}

static void slot_postponed(struct loader *loader, struct slot *slot, const struct refusal *why)
{
    slot->state = SLOT_READY;
    loader->paused_until_ms =
        suite_monotonic_ms() + (why->retry_after_ms > 0 ? why->retry_after_ms : PAUSE_MS);
    *loader->refusal = *why;
    if (!loader->is_notified && why->status == STATUS_LIMIT) {
        loader->is_notified = true;
        progress_end(&loader->progress);
        output_say("ingestion asks to wait: %s", why->message);
    }
}

static void slot_refused(struct loader *loader, struct slot *slot, const struct refusal *why)
{
    switch (why->status) {
    case STATUS_ABORTED:
        slot_aborted(loader, slot, why);
        return;
    case STATUS_LIMIT:
    case STATUS_UNREACHABLE:
    case STATUS_TIMEOUT:
        slot_postponed(loader, slot, why);
        return;
    case STATUS_REFUSED: /* the key is forgotten, and the batch is known */
    case STATUS_EXISTS:  /* the key is known with other rows: another zone or program */
        *loader->refusal = *why;
        end_set(loader, LOAD_STALE);
        return;
    case STATUS_OK:
    case STATUS_MALFORMED:
    case STATUS_NOT_FOUND:
    case STATUS_DENIED:
    case STATUS_RANGE:
    case STATUS_UNIMPLEMENTED:
    case STATUS_INTERNAL:
    case STATUS_CORRUPT:
    case STATUS_UNAUTHENTICATED:
        *loader->refusal = *why;
        end_set(loader, LOAD_FAILED);
        return;
    }
}

static void reply_take(struct loader *loader, const struct reply_header *header)
{
    loader->heard_at_ms = suite_monotonic_ms();
    loader->attempt_ms = ATTEMPT_MS_FIRST;
    for (uint64_t number = loader->head; number < loader->tail; number++) {
        struct slot *slot = slot_of(loader, number);
        if (slot->state != SLOT_SENT || slot->request_id != header->request_id) {
            continue;
        }
        if (header->refusal.status == STATUS_OK) {
            slot_answer(loader, slot);
        } else {
            slot_refused(loader, slot, &header->refusal);
        }
        return;
    }
    /* A reply to an older attempt: the newer one's says the same. */
}

static void replies_take(struct loader *loader, int64_t timeout_ms)
{
    int64_t left_ms = timeout_ms;
    struct reply_header header = { .request_id = 0 };
    for (unsigned i = 0; i < loader->options->in_flight && !loader->is_ended; i++) {
        if (!client_receive(loader->client, left_ms, &header, &loader->reply)) {
            return;
        }
        reply_take(loader, &header);
        left_ms = 0;
    }
}

/* ---- counting, saving, waiting */

static void batches_count(struct loader *loader)
{
    while (loader->head < loader->tail && slot_of(loader, loader->head)->state == SLOT_ANSWERED) {
        struct slot *slot = slot_of(loader, loader->head);
        counts_add(&loader->state->counts, &slot->counts);
        loader->state->place = slot->batch.after;
        loader->state->batch = slot->batch.number + 1;
        slot->state = SLOT_FREE;
        loader->head++;
        loader->progress_at_ms = suite_monotonic_ms();
        loader->is_notified = false;
        refusal_init(loader->refusal); /* what held it up is over */
    }
}

static void state_save(struct loader *loader, int64_t now_ms)
{
    loader->saved_at_ms = now_ms;
    struct refusal found;
    refusal_init(&found);
    if (run_file_save(loader->options->run, wall_ms(), &found) != STATUS_OK) {
        *loader->refusal = found;
        loader->end = LOAD_FAILED; /* whatever it was: it cannot be told */
        loader->is_ended = true;
    }
}

static void connection_renew(struct loader *loader, int64_t now_ms)
{
    if (client_reconnect(loader->client, loader->refusal) != STATUS_OK) {
        end_set(loader, LOAD_FAILED);
        return;
    }
    loader->heard_at_ms = now_ms;
    loader->attempt_ms =
        2 * loader->attempt_ms < ATTEMPT_MS_MAX ? 2 * loader->attempt_ms : ATTEMPT_MS_MAX;
    for (uint64_t number = loader->head; number < loader->tail; number++) {
        struct slot *slot = slot_of(loader, number);
        slot->state = slot->state == SLOT_SENT ? SLOT_READY : slot->state;
    }
}

static void times_check(struct loader *loader)
{
    int64_t now_ms = suite_monotonic_ms();
    const struct slot *head = slot_of(loader, loader->head);
    if (loader->head == loader->tail) {
        loader->progress_at_ms = now_ms;
    } else if (now_ms - loader->progress_at_ms > loader->options->wait_ms) {
        if (loader->refusal->status == STATUS_OK) {
            (void)refusal_set(loader->refusal, STATUS_UNREACHABLE,
                              "ingestion does not answer; see kith status");
        }
        end_set(loader, LOAD_UNREACHABLE);
    } else if (head->state == SLOT_SENT) {
        int64_t since_ms =
            head->sent_at_ms > loader->heard_at_ms ? head->sent_at_ms : loader->heard_at_ms;
        if (now_ms - since_ms > loader->attempt_ms) {
            connection_renew(loader, now_ms);
        }
    }
    if (now_ms - loader->saved_at_ms >= SAVE_MS) {
        state_save(loader, now_ms);
    }
    struct progress_state told = { .rows = loader->state->counts.rows,
                                   .share = load_source_share(loader->options->source) };
    progress_tell(&loader->progress, &told, now_ms);
}

static void stop_check(struct loader *loader)
{
    struct pollfd asked = { .fd = loader->options->stop_descriptor, .events = POLLIN };
    int64_t now_ms = suite_monotonic_ms();
    if (!loader->is_stopping && poll(&asked, 1, 0) == 1) {
        loader->is_stopping = true;
        loader->stop_at_ms = now_ms + STOP_MS;
    }
    if (loader->is_stopping && (loader->head == loader->tail || now_ms >= loader->stop_at_ms)) {
        end_set(loader, LOAD_STOPPED);
    }
}

/* How long to wait for a reply: not at all while there is something else to do. */
static int64_t patience_ms(struct loader *loader)
{
    if (!may_make(loader)) {
        return loader->head < loader->tail ? LOOK_MS : 0;
    }
    int64_t rate_ms = rate_wait_ms(loader, suite_monotonic_ms());
    return rate_ms < LOOK_MS ? rate_ms : LOOK_MS;
}

static void turn_run(struct loader *loader)
{
    batches_make(loader);
    batches_send(loader);
    if (!loader->is_ended) {
        replies_take(loader, patience_ms(loader));
    }
    batches_count(loader);
    if (loader->source_ended && loader->head == loader->tail) {
        end_set(loader, LOAD_DONE);
    }
    stop_check(loader);
    times_check(loader);
}

/* ---- the whole */

static void loader_init(struct loader *loader, const struct loader_options *options,
                        struct refusal *refusal)
{
    int64_t now_ms = suite_monotonic_ms();
    loader->options = options;
    loader->refusal = refusal;
    loader->state = run_file_state(options->run);
    loader->head = loader->state->batch;
    loader->tail = loader->head;
    loader->next_request = 1;
    loader->place = loader->state->place;
    loader->attempt_ms = ATTEMPT_MS_FIRST;
    loader->progress_at_ms = now_ms;
    loader->heard_at_ms = now_ms;
    loader->saved_at_ms = now_ms;
    loader->rate_from_ms = now_ms;
    for (unsigned i = 0; i < options->in_flight; i++) {
        batch_init(&loader->slots[i].batch);
    }
    buffer_init(&loader->reply, LIMIT_BODY_BYTES);
    buffer_init(&loader->raw_body, LIMIT_BODY_BYTES);
    arena_init(&loader->arena, (size_t)LIMIT_BODY_BYTES * PB_ARENA_FACTOR + PB_ARENA_LEAST);
    struct progress_state told = { .rows = loader->state->counts.rows,
                                   .share = load_source_share(options->source) };
    progress_begin(&loader->progress, &told, now_ms);
}

static void loader_release(struct loader *loader)
{
    progress_end(&loader->progress);
    client_close(&loader->client);
    client_close(&loader->raw_client);
    for (unsigned i = 0; i < loader->options->in_flight; i++) {
        batch_release(&loader->slots[i].batch);
    }
    buffer_release(&loader->reply);
    buffer_release(&loader->raw_body);
    arena_release(&loader->arena);
}

enum load_end loader_run(const struct loader_options *options, struct refusal *refusal)
{
    assert(options->in_flight >= 1 && options->in_flight <= LIMIT_IN_FLIGHT);
    assert(options->batch_rows >= 1 && options->batch_rows <= LIMIT_BATCH_ITEMS);
    refusal_init(refusal);
    struct loader *loader = memory_allocate(sizeof *loader);
    loader_init(loader, options, refusal);
    if (client_open(&loader->client, options->endpoint, refusal) != STATUS_OK) {
        end_set(loader, LOAD_FAILED);
    }
    while (!loader->is_ended) {
        turn_run(loader);
    }
    state_save(loader, suite_monotonic_ms());
    enum load_end end = loader->end;
    loader_release(loader);
    free(loader);
    return end;
}
