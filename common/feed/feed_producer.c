#include "common/feed/feed_producer.h"

#include "common/feed/feed_pace.h"
#include "common/wire/pb.h"
#include "kith/v1/feed.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FETCH_REPLY_BLOCKS_FIELD 7
#define FEED_BLOCK_HEADER_FIELD 1
#define FEED_BLOCK_PUBLIC_FIELD 2

enum parked_kind { PARKED_FETCH, PARKED_WAIT };

struct fetch {
    char consumer[FEED_CONSUMER_NAME_BYTES];
    struct journal_position at; /* after this block; with its chain when the reader told it */
    size_t bytes_max;
    uint64_t partitions;   /* bit p / 16 */
    uint64_t types;        /* bit type mod 64 */
    uint64_t inputs_known; /* sum of the inputs' seqs that the reader was told last */
};

struct wait {
    size_t count;
    struct feed_input positions[LIMIT_FEEDS];
};

struct parked {
    enum parked_kind kind;
    struct route route;
    uint64_t request_id;
    int64_t deadline_ms;
    union {
        struct fetch fetch;
        struct wait wait;
    } as;
};

struct feed_producer {
    struct journal *journal;
    struct feed_name self;
    const struct transport *transport;
    struct arena arena;
    struct buffer header;
    struct buffer body;
    struct parked *parked; /* LIMIT_PARKED places, the first parked_count in use */
    size_t parked_count;
    struct feed_registry registry;
    struct feed_pace pace;
    uint64_t nameless_mark; /* of feed_pace.h: all readers without a name count as one */
};

void feed_producer_open(struct feed_producer **producer, struct journal *journal,
                        struct feed_name self, const struct transport *transport)
{
    assert(*producer == NULL);
    struct feed_producer *opened = memory_allocate(sizeof *opened);
    opened->journal = journal;
    opened->self = self;
    opened->transport = transport;
    opened->parked = memory_allocate(LIMIT_PARKED * sizeof *opened->parked);
    arena_init(&opened->arena, LIMIT_HEADER_BYTES * (size_t)PB_ARENA_FACTOR + PB_ARENA_LEAST);
    buffer_init(&opened->header, LIMIT_HEADER_BYTES);
    buffer_init(&opened->body, LIMIT_MESSAGE_BYTES + LIMIT_BODY_BYTES);
    if (journal != NULL) {
        feed_pace_init(&opened->pace, journal_written_bytes(journal), journal_end(journal).block);
    }
    *producer = opened;
}

void feed_producer_close(struct feed_producer **producer)
{
    if (*producer == NULL) {
        return;
    }
    arena_release(&(*producer)->arena);
    buffer_release(&(*producer)->header);
    buffer_release(&(*producer)->body);
    free((*producer)->parked);
    free(*producer);
    *producer = NULL;
}

/* ---- replies */

static void reply_send(struct feed_producer *producer, const struct route *route,
                       uint64_t request_id, const struct refusal *refusal)
{
    struct reply_header reply = { .request_id = request_id };
    struct span body = { NULL, 0 };
    if (refusal != NULL) {
        reply.refusal = *refusal;
    } else {
        body = buffer_span(&producer->body);
    }
    reply_header_encode(&reply, &producer->header);
    /* A peer that is gone asks again when it is back. */
    (void)producer->transport->reply(producer->transport->context, route,
                                     buffer_span(&producer->header), body);
}

static void refuse(struct feed_producer *producer, const struct route *route, uint64_t request_id,
                   const struct refusal *refusal)
{
    assert(refusal->status != STATUS_OK);
    reply_send(producer, route, request_id, refusal);
}

static size_t positions_fill(const struct feed_inputs *inputs, Kith__V1__Position *positions,
                             Kith__V1__Position **pointers, char (*names)[24])
{
    for (size_t i = 0; i < inputs->count; i++) {
        positions[i] = (Kith__V1__Position)KITH__V1__POSITION__INIT;
        memcpy(names[i], inputs->inputs[i].feed.name, sizeof names[i]);
        positions[i].feed = names[i];
        positions[i].has_shard = 1;
        positions[i].shard = inputs->inputs[i].feed.shard;
        positions[i].has_seq = 1;
        positions[i].seq = inputs->inputs[i].seq;
        pointers[i] = &positions[i];
    }
    return inputs->count;
}

/* ---- Fetch */

struct collect {
    struct feed_producer *producer;
    const struct fetch *fetch;
    size_t blocks;
    bool failed;
};

/* Bytes of a length-delimited field with a one-byte tag. */
static size_t field_size(size_t size)
{
    size_t length_bytes = 1;
    for (size_t rest = size; rest >= 0x80; rest >>= 7) {
        length_bytes += 1;
    }
    return 1 + length_bytes + size;
}

/* Appends tag, length and bytes; does nothing after a failure before. */
static void field_append(enum status *status, struct buffer *out, uint32_t field, struct span bytes)
{
    if (*status == STATUS_OK) {
        *status = pb_field_begin(out, field, bytes.size);
    }
    if (*status == STATUS_OK) {
        *status = buffer_append(out, bytes);
    }
}

/* A FeedBlock, copied once from the map into the reply. */
static enum status feed_block_append(struct buffer *out, const struct block *block, bool whole)
{
    size_t size =
        field_size(block->header_bytes.size) + (whole ? field_size(block->public_part.size) : 0);
    enum status status = pb_field_begin(out, FETCH_REPLY_BLOCKS_FIELD, size);
    field_append(&status, out, FEED_BLOCK_HEADER_FIELD, block->header_bytes);
    if (whole) {
        field_append(&status, out, FEED_BLOCK_PUBLIC_FIELD, block->public_part);
    }
    return status;
}

static bool block_collect(void *argument, const struct block *block)
{
    struct collect *collect = argument;
    const struct fetch *fetch = collect->fetch;
    struct buffer *body = &collect->producer->body;
    bool whole = block_may_hold(&block->header, fetch->partitions, fetch->types);
    size_t size = block->header_bytes.size + (whole ? block->public_part.size : 0);
    if (collect->blocks > 0 && body->size + size > fetch->bytes_max) {
        return false;
    }
    if (feed_block_append(body, block, whole) != STATUS_OK) {
        collect->failed = true;
        return false;
    }
    collect->blocks += 1;
    return true;
}

static enum status fetch_head_pack(struct feed_producer *producer, const struct fetch *fetch,
                                   const struct feed_inputs *inputs)
{
    Kith__V1__FetchReply reply = KITH__V1__FETCH_REPLY__INIT;
    Kith__V1__Position positions[LIMIT_FEEDS];
    Kith__V1__Position *pointers[LIMIT_FEEDS];
    char names[LIMIT_FEEDS][24];
    struct journal_position end = journal_end(producer->journal);
    reply.has_epoch = 1;
    reply.epoch = journal_epoch(producer->journal);
    reply.has_end = 1;
    reply.end = end.seq;
    reply.has_end_block = 1;
    reply.end_block = end.block;
    reply.has_end_recorded_at_ms = 1;
    reply.end_recorded_at_ms = journal_end_recorded_at_ms(producer->journal);
    reply.has_chain_before = 1;
    reply.chain_before = pb_bytes(span_of(fetch->at.chain.bytes, sizeof fetch->at.chain.bytes));
    reply.n_inputs = positions_fill(inputs, positions, pointers, names);
    reply.inputs = pointers;
    reply.has_settled_cause = inputs->has_settled;
    reply.settled_cause = inputs->settled.cause;
    reply.has_settled_at_ms = inputs->has_settled;
    reply.settled_at_ms = inputs->settled.at_ms;
    buffer_clear(&producer->body);
    return pb_pack(&reply.base, &producer->body);
}

/* Seqs only grow, so an equal sum is an equal set. What is settled grows too: its time may
 * fall by one where its cause rises, which therefore counts twice. */
static uint64_t inputs_sum(const struct feed_inputs *inputs)
{
    uint64_t sum = inputs->settled.cause * 2 + (uint64_t)inputs->settled.at_ms;
    for (size_t i = 0; i < inputs->count; i++) {
        sum += inputs->inputs[i].seq;
    }
    return sum;
}

/* ---- giving way to the writer */

static void pace_note(struct feed_producer *producer, int64_t monotonic_ms)
{
    if (producer->journal != NULL) {
        feed_pace_note(&producer->pace, journal_written_bytes(producer->journal),
                       journal_end(producer->journal).block, monotonic_ms);
    }
}

static bool is_nameless(const struct fetch *fetch)
{
    return fetch->consumer[0] == '\0';
}

static uint64_t pace_mark_of(const struct feed_producer *producer, const struct fetch *fetch)
{
    return is_nameless(fetch) ? producer->nameless_mark
                              : feed_registry_pace_mark(&producer->registry, fetch->consumer);
}

/* Until when a reader that is far behind gives way; INT64_MIN: it is near. */
static int64_t gives_way_until_ms(const struct feed_producer *producer, const struct fetch *fetch)
{
    return feed_pace_is_near(&producer->pace, fetch->at.block)
               ? INT64_MIN
               : feed_pace_resume_ms(&producer->pace, pace_mark_of(producer, fetch));
}

/* The body was sent. */
static void pace_sent(struct feed_producer *producer, const struct fetch *fetch,
                      int64_t monotonic_ms)
{
    if (feed_pace_is_near(&producer->pace, fetch->at.block)) {
        return;
    }
    uint64_t mark = feed_pace_mark(&producer->pace, pace_mark_of(producer, fetch),
                                   producer->body.size, monotonic_ms);
    if (is_nameless(fetch)) {
        producer->nameless_mark = mark;
    } else {
        feed_registry_paced(&producer->registry, fetch->consumer, mark);
    }
}

/* Answers if there is something after the cursor for a reader that need not give way, or the
 * inputs have moved (a reader that orders several feeds waits for that), or its time is over.
 * False: nothing to say. */
static bool fetch_answer(struct feed_producer *producer, const struct parked *parked,
                         const struct feed_inputs *inputs, int64_t monotonic_ms)
{
    const struct fetch *fetch = &parked->as.fetch;
    uint64_t sum = inputs_sum(inputs);
    bool has_more = journal_end(producer->journal).block > fetch->at.block;
    bool may_go =
        has_more ? monotonic_ms >= gives_way_until_ms(producer, fetch) : sum != fetch->inputs_known;
    if (!may_go && monotonic_ms < parked->deadline_ms) {
        return false;
    }
    feed_registry_told(&producer->registry, fetch->consumer, sum);
    struct refusal refusal;
    refusal_init(&refusal);
    struct collect collect = { .producer = producer, .fetch = fetch };
    enum status status = fetch_head_pack(producer, fetch, inputs);
    if (status == STATUS_OK) {
        status = journal_read(producer->journal, &fetch->at, block_collect, &collect, &refusal);
    }
    if (status == STATUS_OK && collect.failed) {
        status = refusal_set(&refusal, STATUS_LIMIT, "a block does not fit a message");
    }
    if (status != STATUS_OK) {
        refusal.status = status;
        refuse(producer, &parked->route, parked->request_id, &refusal);
        return true;
    }
    reply_send(producer, &parked->route, parked->request_id, NULL);
    pace_sent(producer, fetch, monotonic_ms);
    return true;
}

static uint64_t partitions_mask(const Kith__V1__FetchRequest *request)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < request->n_partitions; i++) {
        uint32_t first = request->partitions[i]->first;
        uint32_t last = request->partitions[i]->last;
        for (uint32_t p = first; p <= last && p < PARTITION_COUNT; p++) {
            mask |= UINT64_C(1) << (p / 16);
        }
    }
    return request->n_partitions == 0 ? UINT64_MAX : mask;
}

/* What is asked for: all but the ignored types, so that an unknown one is seen; a caller
 * that names only what it folds gets just that. */
static uint64_t types_mask(const Kith__V1__FetchRequest *request)
{
    uint64_t ignored = 0;
    uint64_t folded = 0;
    for (size_t i = 0; i < request->n_types_ignored; i++) {
        ignored |= UINT64_C(1) << (request->types_ignored[i] % 64);
    }
    for (size_t i = 0; i < request->n_types_folded; i++) {
        folded |= UINT64_C(1) << (request->types_folded[i] % 64);
    }
    if (request->n_types_ignored == 0 && request->n_types_folded != 0) {
        return folded;
    }
    return ~ignored | folded;
}

/* Finds where the reader stands and that it stood on this very journal. */
static enum status fetch_place(const struct feed_producer *producer,
                               const Kith__V1__FetchRequest *request, struct fetch *fetch,
                               struct refusal *refusal)
{
    struct journal_position end = journal_end(producer->journal);
    enum status status = STATUS_OK;
    if (request->epoch != 0 && request->epoch != journal_epoch(producer->journal)) {
        return refusal_set(refusal, STATUS_CORRUPT,
                           "the journal's epoch is %016" PRIx64 ", the reader's %016" PRIx64,
                           journal_epoch(producer->journal), request->epoch);
    }
    if (!request->has_block) {
        if (request->from > end.seq) {
            return refusal_set(refusal, STATUS_RANGE,
                               "the journal ends at %" PRIu64 ", asked for what follows %" PRIu64,
                               end.seq, request->from);
        }
        status = journal_locate(producer->journal, request->from + 1, &fetch->at);
        return status == STATUS_OK
                   ? STATUS_OK
                   : refusal_set(refusal, status, "the journal cannot be read behind %" PRIu64,
                                 request->from);
    }
    fetch->at.seq = request->from;
    fetch->at.block = request->block;
    if (request->chain.len != sizeof fetch->at.chain.bytes) {
        refusal_violation(refusal, "chain", "32 bytes beside block",
                          "send the chain after that block");
        return STATUS_MALFORMED;
    }
    memcpy(fetch->at.chain.bytes, request->chain.data, sizeof fetch->at.chain.bytes);
    status = journal_position_check(producer->journal, &fetch->at);
    if (status == STATUS_CORRUPT) {
        return refusal_set(refusal, status,
                           "block %" PRIu64 " at %" PRIu64
                           " with the reader's chain is not in this journal, which ends at "
                           "block %" PRIu64 ", seq %" PRIu64,
                           request->block, request->from, end.block, end.seq);
    }
    return status == STATUS_OK ? STATUS_OK
                               : refusal_set(refusal, status, "the journal cannot be read now");
}

static void parked_remove(struct feed_producer *producer, size_t index)
{
    producer->parked_count -= 1;
    producer->parked[index] = producer->parked[producer->parked_count];
}

/* A newer Fetch of a consumer replaces its older one, which gets no answer: whoever sent
 * it has given it up. */
static void parked_replace(struct feed_producer *producer, const char *consumer)
{
    for (size_t i = 0; i < producer->parked_count; i++) {
        const struct parked *parked = &producer->parked[i];
        if (parked->kind == PARKED_FETCH && strcmp(parked->as.fetch.consumer, consumer) == 0) {
            parked_remove(producer, i);
            return;
        }
    }
}

static void park(struct feed_producer *producer, const struct parked *parked)
{
    if (producer->parked_count == LIMIT_PARKED) {
        struct refusal refusal;
        refusal_init(&refusal);
        (void)refusal_set(&refusal, STATUS_LIMIT, "%d requests are parked here already",
                          LIMIT_PARKED);
        refusal.retry_after_ms = 1000;
        refuse(producer, &parked->route, parked->request_id, &refusal);
        return;
    }
    producer->parked[producer->parked_count++] = *parked;
}

static int64_t deadline_of(int64_t monotonic_ms, uint32_t wait_ms)
{
    return monotonic_ms + (wait_ms > LIMIT_PARKED_MS ? LIMIT_PARKED_MS : (int64_t)wait_ms);
}

static enum status fetch_check(const struct feed_producer *producer,
                               const Kith__V1__FetchRequest *request, struct refusal *refusal)
{
    if (producer->journal == NULL || request->feed == NULL ||
        strcmp(request->feed, producer->self.name) != 0 || request->shard != producer->self.shard) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "there is no such feed here");
    }
    if (request->consumer != NULL && !id_text_is_valid(span_of_text(request->consumer))) {
        refusal_violation(refusal, "consumer", "1 to 64 bytes of text without control characters",
                          "name the reader, such as loyalty/0");
        return STATUS_MALFORMED;
    }
    return STATUS_OK;
}

static void fetch_request(struct feed_producer *producer, const struct message *message,
                          uint64_t request_id, const struct feed_inputs *inputs,
                          int64_t monotonic_ms)
{
    struct refusal refusal;
    refusal_init(&refusal);
    arena_reset(&producer->arena);
    const Kith__V1__FetchRequest *request =
        pb_unpack(&kith__v1__fetch_request__descriptor, &producer->arena, message->body);
    struct parked parked = { .kind = PARKED_FETCH,
                             .route = message->route,
                             .request_id = request_id };
    struct fetch *fetch = &parked.as.fetch;
    if (request == NULL || request->base.n_unknown_fields > 0) {
        (void)refusal_set(&refusal, STATUS_MALFORMED, "the body is no FetchRequest");
        refusal_violation(&refusal, "body", "must be an encoded FetchRequest",
                          "encode it with proto/kith/v1/feed.proto");
        refuse(producer, &message->route, request_id, &refusal);
        return;
    }
    enum status status = fetch_check(producer, request, &refusal);
    if (status == STATUS_OK) {
        status = fetch_place(producer, request, fetch, &refusal);
    }
    if (status != STATUS_OK) {
        refusal.status = status;
        refuse(producer, &message->route, request_id, &refusal);
        return;
    }
    fetch->bytes_max = request->max_bytes == 0 || request->max_bytes > LIMIT_BODY_BYTES
                           ? LIMIT_BODY_BYTES
                           : request->max_bytes;
    fetch->partitions = partitions_mask(request);
    fetch->types = types_mask(request);
    fetch->inputs_known = inputs_sum(inputs);
    parked.deadline_ms = deadline_of(monotonic_ms, request->max_wait_ms);
    if (request->consumer != NULL) {
        (void)snprintf(fetch->consumer, sizeof fetch->consumer, "%s", request->consumer);
        parked_replace(producer, fetch->consumer);
        fetch->inputs_known = feed_registry_note(&producer->registry, fetch->consumer,
                                                 request->durable_position, monotonic_ms);
    }
    if (!fetch_answer(producer, &parked, inputs, monotonic_ms)) {
        park(producer, &parked);
    }
}

/* ---- Wait */

/* How far `feed` is folded here; the own feed counts as folded up to its end. */
static bool position_reached(const struct feed_producer *producer, const struct feed_inputs *inputs,
                             const struct feed_input *wanted)
{
    if (producer->journal != NULL && strcmp(wanted->feed.name, producer->self.name) == 0) {
        return wanted->feed.shard != producer->self.shard ||
               journal_end(producer->journal).seq >= wanted->seq;
    }
    for (size_t i = 0; i < inputs->count; i++) {
        if (strcmp(inputs->inputs[i].feed.name, wanted->feed.name) == 0 &&
            inputs->inputs[i].feed.shard == wanted->feed.shard) {
            return !inputs->stopped[i] && inputs->inputs[i].seq >= wanted->seq;
        }
    }
    return true; /* a feed that this service does not read holds nothing up */
}

static bool wait_answer(struct feed_producer *producer, const struct parked *parked,
                        const struct feed_inputs *inputs, bool even_unreached)
{
    bool reached = true;
    for (size_t i = 0; i < parked->as.wait.count; i++) {
        reached = reached && position_reached(producer, inputs, &parked->as.wait.positions[i]);
    }
    if (!reached && !even_unreached) {
        return false;
    }
    Kith__V1__WaitReply reply = KITH__V1__WAIT_REPLY__INIT;
    Kith__V1__Position end = KITH__V1__POSITION__INIT;
    Kith__V1__Position positions[LIMIT_FEEDS];
    Kith__V1__Position *pointers[LIMIT_FEEDS];
    char names[LIMIT_FEEDS][24];
    char self[sizeof producer->self.name];
    memcpy(self, producer->self.name, sizeof self);
    end.feed = self;
    end.has_shard = 1;
    end.shard = producer->self.shard;
    end.has_seq = 1;
    end.seq = producer->journal != NULL ? journal_end(producer->journal).seq : 0;
    reply.end = &end;
    reply.n_inputs = positions_fill(inputs, positions, pointers, names);
    reply.inputs = pointers;
    reply.has_reached = 1;
    reply.reached = reached;
    buffer_clear(&producer->body);
    enum status status = pb_pack(&reply.base, &producer->body);
    assert(status == STATUS_OK);
    reply_send(producer, &parked->route, parked->request_id, NULL);
    return true;
}

static void wait_request(struct feed_producer *producer, const struct message *message,
                         uint64_t request_id, const struct feed_inputs *inputs,
                         int64_t monotonic_ms)
{
    struct refusal refusal;
    refusal_init(&refusal);
    arena_reset(&producer->arena);
    const Kith__V1__WaitRequest *request =
        pb_unpack(&kith__v1__wait_request__descriptor, &producer->arena, message->body);
    bool is_one = request != NULL && request->base.n_unknown_fields == 0;
    if (!is_one || request->n_positions > LIMIT_FEEDS) {
        (void)refusal_set(&refusal, STATUS_MALFORMED,
                          "the body is no WaitRequest of at most %d positions", LIMIT_FEEDS);
        refusal_violation(&refusal, is_one ? "positions" : "body",
                          is_one ? "at most 64" : "must be an encoded WaitRequest",
                          "encode it with proto/kith/v1/feed.proto");
        refuse(producer, &message->route, request_id, &refusal);
        return;
    }
    struct parked parked = { .kind = PARKED_WAIT,
                             .route = message->route,
                             .request_id = request_id,
                             .deadline_ms = deadline_of(monotonic_ms, request->timeout_ms) };
    for (size_t i = 0; i < request->n_positions; i++) {
        const Kith__V1__Position *position = request->positions[i];
        if (position->feed == NULL) {
            continue;
        }
        struct feed_input *wanted = &parked.as.wait.positions[parked.as.wait.count++];
        (void)snprintf(wanted->feed.name, sizeof wanted->feed.name, "%s", position->feed);
        wanted->feed.shard = position->shard;
        wanted->seq = position->seq;
    }
    if (!wait_answer(producer, &parked, inputs, request->timeout_ms == 0)) {
        park(producer, &parked);
    }
}

/* ---- requests and waking */

void feed_producer_request(struct feed_producer *producer, const struct message *message,
                           const struct feed_inputs *inputs, int64_t monotonic_ms)
{
    struct request_header header = { 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = request_header_decode(message->header, &header, &refusal);
    if (status == STATUS_OK && strcmp(header.method, "feed.Fetch") == 0) {
        fetch_request(producer, message, header.request_id, inputs, monotonic_ms);
        return;
    }
    if (status == STATUS_OK && strcmp(header.method, "feed.Wait") == 0) {
        wait_request(producer, message, header.request_id, inputs, monotonic_ms);
        return;
    }
    if (status == STATUS_OK) {
        status = refusal_set(&refusal, STATUS_UNIMPLEMENTED,
                             "%s is not a method of a feed; feed.Fetch and feed.Wait are",
                             header.method);
    }
    refusal.status = status;
    refuse(producer, &message->route, header.request_id, &refusal);
}

void feed_producer_wake(struct feed_producer *producer, const struct feed_inputs *inputs,
                        int64_t monotonic_ms)
{
    size_t i = 0;
    pace_note(producer, monotonic_ms);
    while (i < producer->parked_count) {
        const struct parked parked = producer->parked[i];
        bool answered = false;
        switch (parked.kind) {
        case PARKED_FETCH:
            answered = fetch_answer(producer, &parked, inputs, monotonic_ms);
            break;
        case PARKED_WAIT:
            answered = wait_answer(producer, &parked, inputs, monotonic_ms >= parked.deadline_ms);
            break;
        }
        if (answered) {
            parked_remove(producer, i);
        } else {
            i += 1;
        }
    }
}

/* When it is to be looked at again, whatever is written until then. */
static int64_t parked_due_ms(const struct feed_producer *producer, const struct parked *parked)
{
    if (parked->kind != PARKED_FETCH ||
        journal_end(producer->journal).block <= parked->as.fetch.at.block) {
        return parked->deadline_ms;
    }
    int64_t resume_ms = gives_way_until_ms(producer, &parked->as.fetch);
    return resume_ms < parked->deadline_ms ? resume_ms : parked->deadline_ms;
}

int64_t feed_producer_deadline(const struct feed_producer *producer)
{
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < producer->parked_count; i++) {
        int64_t due_ms = parked_due_ms(producer, &producer->parked[i]);
        deadline = due_ms < deadline ? due_ms : deadline;
    }
    return deadline;
}

size_t feed_producer_parked(const struct feed_producer *producer)
{
    return producer->parked_count;
}

static bool recorded_at_visit(void *argument, const struct block *block)
{
    int64_t *recorded_at_ms = argument;
    *recorded_at_ms = block->header.recorded_at_ms;
    return false;
}

/* From the block of the first fact that the consumer lacks to the journal's end. */
static int64_t lag_ms_of(struct journal *journal, const struct feed_consumer *consumer)
{
    struct journal_position before = { 0 };
    struct refusal refusal;
    int64_t end_ms = journal_end_recorded_at_ms(journal);
    int64_t recorded_at_ms = end_ms;
    if (consumer->lag == 0 ||
        journal_locate(journal, consumer->durable_position + 1, &before) != STATUS_OK ||
        journal_read(journal, &before, recorded_at_visit, &recorded_at_ms, &refusal) != STATUS_OK) {
        return 0;
    }
    return end_ms - recorded_at_ms;
}

size_t feed_producer_consumers(const struct feed_producer *producer, struct feed_consumer *out,
                               size_t max)
{
    if (producer->journal == NULL) {
        return 0;
    }
    size_t count =
        feed_registry_list(&producer->registry, journal_end(producer->journal).seq, out, max);
    for (size_t i = 0; i < count; i++) {
        out[i].lag_ms = lag_ms_of(producer->journal, &out[i]);
    }
    return count;
}
