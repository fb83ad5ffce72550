/* Commands and questions: who asked before, what was answered, what is to be decided. */
#include "common/service/shell_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static struct outgoing *outgoing_next(struct shell *shell, const struct route *route)
{
    assert(shell->outgoing_count < LIMIT_TURN_REQUESTS);
    struct outgoing *out = &shell->outgoing[shell->outgoing_count++];
    out->route = *route;
    out->checkpoint = 0;
    buffer_clear(&out->header);
    buffer_clear(&out->body);
    return out;
}

static struct outgoing *refusal_reply(struct shell *shell, const struct route *route,
                                      uint64_t request_id, const struct refusal *refusal)
{
    assert(refusal->status != STATUS_OK);
    struct outgoing *out = outgoing_next(shell, route);
    struct reply_header reply = { .request_id = request_id, .refusal = *refusal };
    reply_header_encode(&reply, &out->header);
    shell->counters.refused += 1;
    return out;
}

static const struct service_method *method_find(const struct shell *shell, const char *name)
{
    for (size_t i = 0; i < shell->definition->method_count; i++) {
        if (strcmp(shell->definition->methods[i].name, name) == 0) {
            return &shell->definition->methods[i];
        }
    }
    return builtin_find(name);
}

static struct hash128 body_hash_of(const struct request_header *header, struct span body)
{
    struct span parts[2] = { span_of_text(header->method), body };
    return hash128_of(span_of("", 0), parts, 2);
}

/* ---- retries */

struct asked {
    const struct route *route;
    uint64_t request_id;
};

/* What was answered before, to whoever asks again. */
static struct outgoing *reply_again(struct shell *shell, const struct asked *asked,
                                    struct span header, struct span body)
{
    struct outgoing *out = outgoing_next(shell, asked->route);
    reply_header_compose(header, asked->request_id, &out->header);
    enum status status = buffer_append(&out->body, body);
    assert(status == STATUS_OK); /* it fitted when it was made */
    return out;
}

struct stored {
    struct shell *shell;
    const struct asked *asked;
    uint32_t index;
    bool sent;
};

static bool stored_entry(void *argument, const struct block_entry *entry)
{
    struct stored *stored = argument;
    if (entry->kind != BLOCK_ENTRY_OUTCOME || entry->outcome_index != stored->index) {
        return true;
    }
    (void)reply_again(stored->shell, stored->asked, entry->outcome.reply_header,
                      entry->outcome.reply_body);
    stored->sent = true;
    return false;
}

static bool stored_block(void *argument, const struct block *block)
{
    struct stored *stored = argument;
    int64_t now_ms = 0;
    arena_reset(&stored->shell->arena);
    enum status status = block_walk(block, &stored->shell->arena, stored_entry, stored, &now_ms);
    assert(status == STATUS_OK); /* the journal checked the block's bytes */
    return false;
}

/* NULL: what became of the key stands in the journal. */
static const struct turn_outcome *outcome_of_turn(const struct turn *turn, struct hash128 key)
{
    for (size_t i = 0; i < turn->outcome_count; i++) {
        if (hash128_equal(turn->outcomes[i].key, key)) {
            return &turn->outcomes[i];
        }
    }
    return NULL;
}

static void journalled_answer(struct shell *shell, const struct asked *asked,
                              const struct request_header *header,
                              const struct request_place *place)
{
    struct stored stored = { .shell = shell, .asked = asked, .index = place->index };
    enum status status = journal_read_one(shell->options.journal, place->first_seq, place->block,
                                          stored_block, &stored);
    if (status != STATUS_OK) {
        /* An old block is checked when it is read. Deciding anew would be a second answer. */
        struct refusal refusal;
        refusal_init(&refusal);
        (void)refusal_set(&refusal, STATUS_CORRUPT,
                          "the reply to key %s lies in block %" PRIu64 " at seq %" PRIu64
                          ", which is damaged; see kith verify journal",
                          header->key, place->block, place->first_seq);
        (void)refusal_reply(shell, asked->route, asked->request_id, &refusal);
        return;
    }
    assert(stored.sent); /* the state names a place in this very journal */
}

/* Answers a retry from this turn's outcomes, from the journal, or where there is none from the
 * state. The same key with another body is refused. False: the key is new. */
static bool retry_answer(struct shell *shell, const struct message *message,
                         const struct request_header *header, struct hash128 key,
                         struct hash128 body_hash)
{
    const struct asked asked = { &message->route, header->request_id };
    struct request_place place = { .block = 0 };
    if (!ledger_request_get(&shell->view, key, &place)) {
        return false;
    }
    bool is_in_state = shell->options.journal == NULL;
    if (!hash128_equal(place.body_hash, body_hash)) {
        struct refusal refusal;
        refusal_init(&refusal);
        (void)refusal_set(&refusal, STATUS_EXISTS,
                          "key %s was used for another request; take a new key", header->key);
        struct outgoing *out = refusal_reply(shell, asked.route, asked.request_id, &refusal);
        out->checkpoint = is_in_state ? place.block : 0; /* till then the key may yet be free */
        return true;
    }
    shell->counters.replayed += 1;
    const struct turn_outcome *fresh = outcome_of_turn(&shell->turn, key);
    if (is_in_state) {
        reply_again(shell, &asked, place.reply_header, place.reply_body)->checkpoint = place.block;
    } else if (fresh != NULL) {
        const struct outgoing *first = &shell->outgoing[fresh->outgoing];
        (void)reply_again(shell, &asked, span_of(first->header.data, fresh->stored_bytes),
                          buffer_span(&first->body));
    } else {
        journalled_answer(shell, &asked, header, &place);
    }
    return true;
}

/* ---- deciding */

static enum status command_check(const struct shell *shell, const struct request_header *header,
                                 struct refusal *refusal)
{
    if (header->key_size == 0) {
        refusal_violation(refusal, "key", "a command carries a key",
                          "send 1 to 64 bytes that name this attempt");
        return STATUS_MALFORMED;
    }
    if (header->issued_at_ms < shell->wall_ms - LIMIT_REQUEST_AGE_MS) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "issued_at is more than 7 days ago; what became of the first attempt "
                           "must be looked up, then send with a new key");
    }
    if (header->issued_at_ms > shell->wall_ms + LIMIT_FUTURE_MS) {
        refusal_violation(refusal, "issued_at_ms", "at most 5 minutes ahead of the service's clock",
                          "set the sender's clock");
        return STATUS_MALFORMED;
    }
    return STATUS_OK;
}

/* A refusal that says nothing about the command itself: the next attempt decides anew. */
static bool is_kept(enum status status)
{
    return status != STATUS_MALFORMED && status != STATUS_ABORTED && status != STATUS_LIMIT;
}

/* Without a journal the reply is kept in the state. It leaves when a checkpoint holds it, and
 * with it what was decided: the next one to begin, at once or when the one that runs is whole. */
static void reply_keep(struct shell *shell, const struct request_header *header, struct hash128 key,
                       struct hash128 body_hash)
{
    struct outgoing *out = &shell->outgoing[shell->outgoing_count - 1];
    struct request_place place = { .body_hash = body_hash,
                                   .block = shell->position.block + 1,
                                   .issued_at_ms = header->issued_at_ms,
                                   .reply_header = buffer_span(&shell->scratch_header),
                                   .reply_body = buffer_span(&out->body) };
    ledger_request_put(&shell->change, &shell->ages, shell->definition->keeps_keys_for_ever, key,
                       &place);
    out->checkpoint = place.block;
    shell->dirty = true;
}

static void outcome_keep(struct shell *shell, const struct request_header *header,
                         struct hash128 key, struct hash128 body_hash, enum status status)
{
    struct turn *turn = &shell->turn;
    const struct outgoing *out = &shell->outgoing[shell->outgoing_count - 1];
    struct outcome outcome = { .key = key,
                               .body_hash = body_hash,
                               .issued_at_ms = header->issued_at_ms,
                               .status = status,
                               .reply_header = buffer_span(&shell->scratch_header),
                               .reply_body = buffer_span(&out->body) };
    struct block_builder *builder =
        turn_builder(turn, outcome.reply_header.size + outcome.reply_body.size + 256);
    struct request_place place = { .body_hash = body_hash,
                                   .first_seq = builder->header.first_seq,
                                   .block = builder->header.number,
                                   .index = turn->outcomes_in_block,
                                   .issued_at_ms = header->issued_at_ms };
    block_outcome_add(builder, &outcome);
    turn->outcomes_in_block += 1;
    ledger_request_put(&shell->change, &shell->ages, shell->definition->keeps_keys_for_ever, key,
                       &place);
    turn->outcomes[turn->outcome_count++] = (struct turn_outcome){
        .key = key,
        .outgoing = shell->outgoing_count - 1,
        .stored_bytes = shell->scratch_header.size,
    };
}

/* NOLINTNEXTLINE(readability-function-size): a request, in its four parts. */
enum status method_run(struct shell *shell, const struct route *route,
                       const struct request_header *header, const struct service_method *method,
                       struct span body)
{
    struct turn *turn = &shell->turn;
    struct reply_header replied;
    replied.request_id = 0; /* it goes last, when the rest is kept */
    refusal_init(&replied.refusal);
    struct outgoing *out = outgoing_next(shell, route);
    struct reply reply = { .body = &out->body, .refusal = &replied.refusal };
    turn->may_emit = method->is_command;
    turn->emitted = 0;
    turn->cause = cause_of_now(shell);
    turn->key = span_of(header->key, header->key_size);
    bool is_builtin = builtin_find(header->method) != NULL;
    enum status status =
        method->handle(is_builtin ? (void *)shell : shell->service, turn, body, &reply);
    turn->may_emit = false;
    turn->key = span_of(NULL, 0);
    turn->is_early = status == STATUS_OK && reply.is_early;
    assert(!turn->is_early || !method->is_command);
    assert(status == STATUS_OK || turn->emitted == 0);
    replied.refusal.status = status;
    if (status != STATUS_OK) {
        buffer_clear(&out->body);
        shell->counters.refused += 1;
    }
    reply_header_encode(&replied, &shell->scratch_header);
    reply_header_compose(buffer_span(&shell->scratch_header), header->request_id, &out->header);
    return status;
}

/* How long the message in hand has waited here for ticks or for the time of day. */
static int64_t waited_ms(const struct shell *shell)
{
    return shell->options.clock.monotonic_ms(shell->options.clock.context) -
           shell->waiting_since_ms;
}

/* False: the message must wait, for ticks that come first and have used up the turn, or for
 * the time of day. */
static bool command_take(struct shell *shell, const struct message *message,
                         const struct request_header *header, const struct service_method *method)
{
    struct refusal refusal;
    refusal_init(&refusal);
    struct hash128 key = hash128_of_span(span_of(header->key, header->key_size));
    struct hash128 body_hash = body_hash_of(header, message->body);
    if (header->key_size > 0 && retry_answer(shell, message, header, key, body_hash)) {
        return true;
    }
    enum status status = command_check(shell, header, &refusal);
    if (status == STATUS_OK && shell->space.full != NULL) {
        status = refusal_set(&refusal, STATUS_LIMIT,
                             "%s; make room, then send again with the same key", shell->space.full);
        refusal.retry_after_ms = 1000;
    }
    if (status != STATUS_OK) {
        refusal.status = status;
        (void)refusal_reply(shell, &message->route, header->request_id, &refusal);
        return true;
    }
    if (header->timeout_ms > 0 && waited_ms(shell) > (int64_t)header->timeout_ms) {
        (void)refusal_set(&refusal, STATUS_TIMEOUT,
                          "waited longer than its timeout_ms of %" PRIu32
                          " and was not decided; send again with the same key",
                          header->timeout_ms);
        (void)refusal_reply(shell, &message->route, header->request_id, &refusal);
        return true;
    }
    if (!time_is_known(shell) || !time_settle(shell, time_of_command(shell))) {
        return false;
    }
    shell->counters.commands += 1;
    status = method_run(shell, &message->route, header, method, message->body);
    if (is_kept(status) && shell->options.journal != NULL) {
        outcome_keep(shell, header, key, body_hash, status);
    } else if (is_kept(status)) {
        reply_keep(shell, header, key, body_hash);
    }
    return true;
}

static bool message_take(struct shell *shell, const struct message *message)
{
    struct request_header header = { 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = request_header_decode(message->header, &header, &refusal);
    const struct service_method *method = NULL;
    if (status == STATUS_OK && message->body.size > LIMIT_BODY_BYTES) {
        status = refusal_set(&refusal, STATUS_MALFORMED,
                             "the body has %zu bytes, at most %d are taken; send smaller batches",
                             message->body.size, LIMIT_BODY_BYTES);
        refusal_violation(&refusal, "body", "must have at most 1048576 bytes",
                          "send smaller batches");
    }
    if (status == STATUS_OK) {
        method = method_find(shell, header.method);
        if (method == NULL) {
            status = refusal_set(&refusal, STATUS_UNIMPLEMENTED, "%s has no method %s",
                                 shell->definition->name, header.method);
        }
    }
    if (status != STATUS_OK || method == NULL) {
        refusal.status = status;
        (void)refusal_reply(shell, &message->route, header.request_id, &refusal);
        return true;
    }
    if (method->is_command) {
        return command_take(shell, message, &header, method);
    }
    shell->counters.questions += 1;
    question_answer(shell, message, &header, method);
    return true;
}

static bool has_room(const struct shell *shell)
{
    return shell->outgoing_count < LIMIT_TURN_REQUESTS &&
           shell->outgoing_count < shell->options.limits->turn_requests_max &&
           !turn_is_full(&shell->turn);
}

bool requests_take(struct shell *shell, size_t slice_bytes)
{
    const struct transport *transport = shell->options.transport;
    size_t taken_bytes = 0;
    bool took = false;
    while (taken_bytes < slice_bytes && has_room(shell)) {
        if (!shell->has_waiting) {
            shell->has_waiting =
                transport->receive(transport->context, TRANSPORT_COMMAND, &shell->waiting);
            shell->waiting_since_ms =
                shell->options.clock.monotonic_ms(shell->options.clock.context);
        }
        if (!shell->has_waiting || !message_take(shell, &shell->waiting)) {
            break;
        }
        took = true;
        taken_bytes += shell->waiting.header.size + shell->waiting.body.size;
        transport->message_release(transport->context, &shell->waiting);
        shell->has_waiting = false;
    }
    shell->turn.input_bytes += taken_bytes;
    return took;
}

bool requests_await(struct shell *shell)
{
    const struct transport *transport = shell->options.transport;
    bool will_sync = shell->turn.begun || shell->turn.block_count > 0;
    return transport->linger != NULL && shell->answered_before >= CROWD_LEAST && will_sync &&
           has_room(shell) && !shell->has_waiting &&
           transport->linger(transport->context, TRANSPORT_COMMAND, CROWD_WAIT_US);
}

static bool route_equal(const struct route *a, const struct route *b)
{
    return a->server == b->server &&
           span_equal(span_of(a->bytes, a->size), span_of(b->bytes, b->size));
}

/* Sends what goes to the peer of the reply at `first`, from there on. */
static void peer_replies_send(struct shell *shell, size_t first, bool sent[LIMIT_TURN_REQUESTS])
{
    const struct transport *transport = shell->options.transport;
    for (size_t i = first; i < shell->outgoing_count; i++) {
        const struct outgoing *out = &shell->outgoing[i];
        if (sent[i] || !route_equal(&out->route, &shell->outgoing[first].route)) {
            continue;
        }
        /* Dropped and counted when the peer takes no more: its retry fetches it by key. */
        (void)transport->reply(transport->context, &out->route, buffer_span(&out->header),
                               buffer_span(&out->body));
        sent[i] = true;
    }
}

static void outgoing_swap(struct outgoing *a, struct outgoing *b)
{
    struct outgoing held = *a;
    *a = *b;
    *b = held;
}

static bool is_durable(const struct shell *shell, const struct outgoing *out)
{
    return out->checkpoint == 0 || store_checkpoint(shell->options.store).block >= out->checkpoint;
}

/* One that finds no place is not sent either: its retry fetches it by key. */
static void replies_hold(struct shell *shell, bool sent[LIMIT_TURN_REQUESTS])
{
    for (size_t i = 0; i < shell->outgoing_count; i++) {
        sent[i] = !is_durable(shell, &shell->outgoing[i]);
        if (sent[i] && shell->held_count < LIMIT_TURN_REQUESTS) {
            outgoing_swap(&shell->held[shell->held_count++], &shell->outgoing[i]);
        }
    }
}

void replies_release(struct shell *shell)
{
    const struct transport *transport = shell->options.transport;
    size_t kept = 0;
    for (size_t i = 0; i < shell->held_count; i++) {
        struct outgoing *out = &shell->held[i];
        if (is_durable(shell, out)) {
            (void)transport->reply(transport->context, &out->route, buffer_span(&out->header),
                                   buffer_span(&out->body));
        } else {
            outgoing_swap(&shell->held[kept++], out);
        }
    }
    shell->held_count = kept;
}

/* Peer by peer: what stands side by side for one connection leaves with one write. */
void replies_send(struct shell *shell)
{
    bool sent[LIMIT_TURN_REQUESTS] = { false };
    replies_hold(shell, sent);
    for (size_t i = 0; i < shell->outgoing_count; i++) {
        if (!sent[i]) {
            peer_replies_send(shell, i, sent);
        }
    }
    shell->answered_before = shell->outgoing_count;
    shell->outgoing_count = 0;
}
