#include "tests/support/toy_service.h"

#include "common/base/limits.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Keys of the table begin with what they are. */
#define KEY_SUM 'c'   /* customer (16) -> sum (8) | count (8) */
#define KEY_TIMER 't' /* due (8) | customer (16) -> amount (8) */
#define KEY_RULES "r" /* -> text */
#define KEY_NOTE "p"  /* -> sum (8) of the private records */

#define SUM_KEY_BYTES 17
#define TIMER_KEY_BYTES 25
#define ADD_LEAST 16  /* n, at */
#define FACT_LEAST 16 /* n, seq of the source or due */

/* ---- bodies */

static void two_numbers_encode(uint64_t first, int64_t second_ms, struct span rest,
                               struct buffer *out)
{
    uint8_t numbers[16];
    be64_put(numbers, first);
    be_time_put(numbers + 8, second_ms);
    buffer_clear(out);
    enum status status = buffer_append(out, span_of(numbers, sizeof numbers));
    assert(status == STATUS_OK);
    status = buffer_append(out, rest);
    assert(status == STATUS_OK);
}

void toy_add_encode(const struct toy_add *add, struct buffer *out)
{
    two_numbers_encode((uint64_t)add->n, add->at_ms, span_of_text(add->customer), out);
}

void toy_at_encode(const struct toy_add *timer, struct buffer *out)
{
    toy_add_encode(timer, out);
}

void toy_many_encode(uint32_t count, uint32_t bytes, struct buffer *out)
{
    two_numbers_encode((uint64_t)count << 32 | bytes, 0, span_of_text("many"), out);
}

int64_t toy_sum_decode(struct span body)
{
    assert(body.size >= 8);
    return (int64_t)be64_get(body.data);
}

int64_t toy_fact_amount(const struct fact *fact)
{
    assert(fact->body.size >= FACT_LEAST);
    return (int64_t)be64_get(fact->body.data);
}

uint64_t toy_fact_source(const struct fact *fact)
{
    assert(fact->body.size >= FACT_LEAST);
    return be64_get(fact->body.data + 8);
}

struct request {
    struct customer_id customer;
    int64_t n;
    int64_t at_ms;
};

static struct customer_id customer_of(struct span text)
{
    static const uint8_t key[32] = { 0 };
    return customer_id_of(span_of(key, sizeof key), "toy", text);
}

struct customer_id toy_customer(const char *text)
{
    return customer_of(span_of_text(text));
}

static bool request_decode(struct span body, struct request *request)
{
    if (body.size < ADD_LEAST ||
        !id_text_is_valid(span_of(body.data + ADD_LEAST, body.size - ADD_LEAST))) {
        return false;
    }
    struct span text = span_of(body.data + ADD_LEAST, body.size - ADD_LEAST);
    request->customer = customer_of(text);
    request->n = (int64_t)be64_get(body.data);
    request->at_ms = be_time_get(body.data + 8);
    return true;
}

/* ---- the table */

static struct span sum_key(struct customer_id customer, uint8_t key[SUM_KEY_BYTES])
{
    key[0] = KEY_SUM;
    memcpy(key + 1, customer.bytes, 16);
    return span_of(key, SUM_KEY_BYTES);
}

static struct span timer_key(int64_t due_ms, struct customer_id customer,
                             uint8_t key[TIMER_KEY_BYTES])
{
    key[0] = KEY_TIMER;
    be_time_put(key + 1, due_ms);
    memcpy(key + 9, customer.bytes, 16);
    return span_of(key, TIMER_KEY_BYTES);
}

static int64_t sum_get(const struct view *view, struct customer_id customer, uint64_t *count)
{
    uint8_t key[SUM_KEY_BYTES];
    struct span value = { NULL, 0 };
    *count = 0;
    if (!view_get(view, TOY_TABLE, sum_key(customer, key), &value)) {
        return 0;
    }
    *count = be64_get(value.data + 8);
    return (int64_t)be64_get(value.data);
}

static void number_add(const struct change *change, struct span key, int64_t n)
{
    uint8_t value[8];
    struct span held = { NULL, 0 };
    int64_t before = 0;
    if (view_get(&change->view, TOY_TABLE, key, &held)) {
        before = (int64_t)be64_get(held.data);
    }
    be64_put(value, (uint64_t)(before + n));
    change_put(change, TOY_TABLE, key, span_of(value, sizeof value));
}

static void fact_evolve(const struct change *change, const struct fact *fact)
{
    uint8_t key[TIMER_KEY_BYTES];
    if (fact->type == FACT_RULES_CHANGED) {
        change_put(change, TOY_TABLE, span_of_text(KEY_RULES), fact->body);
        return;
    }
    int64_t n = toy_fact_amount(fact);
    if (fact->type == TOY_TIMED) {
        number_add(change, timer_key(be_time_get(fact->body.data + 8), fact->customer, key), n);
        return;
    }
    if (fact->type == TOY_RANG) {
        change_delete(change, TOY_TABLE,
                      timer_key(be_time_get(fact->body.data + 8), fact->customer, key));
    }
    uint8_t value[16];
    uint64_t count = 0;
    int64_t sum = sum_get(&change->view, fact->customer, &count) + n;
    be64_put(value, (uint64_t)sum);
    be64_put(value + 8, count + 1);
    change_put(change, TOY_TABLE, sum_key(fact->customer, key), span_of(value, sizeof value));
}

static void toy_evolve(void *service, const struct change *change, const struct record *record)
{
    (void)service;
    if (record->is_private) {
        assert(record->private_record.size == 8);
        number_add(change, span_of_text(KEY_NOTE), (int64_t)be64_get(record->private_record.data));
        return;
    }
    fact_evolve(change, &record->fact);
}

/* ---- deciding */

static uint64_t amount_emit(struct turn *turn, enum toy_fact type, struct customer_id customer,
                            const uint8_t body[FACT_LEAST])
{
    struct fact fact = { .type = type,
                         .version = 1,
                         .has_customer = true,
                         .customer = customer,
                         .body = span_of(body, FACT_LEAST) };
    return turn_emit(turn, &fact);
}

static enum status malformed(struct reply *reply)
{
    refusal_violation(reply->refusal, "body", "two numbers and a customer", "look into the test");
    return STATUS_MALFORMED;
}

static enum status add_handle(void *service, struct turn *turn, struct span body,
                              struct reply *reply)
{
    struct toy *toy = service;
    struct request request = { 0 };
    uint8_t bytes[FACT_LEAST] = { 0 };
    uint8_t answer[16];
    uint64_t count = 0;
    toy->decided += 1;
    if (!request_decode(body, &request)) {
        return malformed(reply);
    }
    if (request.at_ms != 0 && toy->options.read_count == 0) {
        turn_now_raise(turn, request.at_ms);
    }
    be64_put(bytes, (uint64_t)request.n);
    uint64_t seq = amount_emit(turn, TOY_ADDED, request.customer, bytes);
    be64_put(answer, (uint64_t)sum_get(turn_view(turn), request.customer, &count));
    be64_put(answer + 8, seq);
    return buffer_append(reply->body, span_of(answer, sizeof answer));
}

static enum status at_handle(void *service, struct turn *turn, struct span body,
                             struct reply *reply)
{
    struct toy *toy = service;
    struct request request = { 0 };
    uint8_t bytes[FACT_LEAST] = { 0 };
    toy->decided += 1;
    if (!request_decode(body, &request)) {
        return malformed(reply);
    }
    be64_put(bytes, (uint64_t)request.n);
    be_time_put(bytes + 8, request.at_ms);
    (void)amount_emit(turn, TOY_TIMED, request.customer, bytes);
    return STATUS_OK;
}

static enum status many_emit(struct toy *toy, struct turn *turn, struct span body, bool together,
                             struct reply *reply)
{
    struct request request = { 0 };
    uint8_t bytes[LIMIT_RECORD_BYTES] = { 0 };
    toy->decided += 1;
    if (!request_decode(body, &request)) {
        return malformed(reply);
    }
    uint32_t count = (uint32_t)((uint64_t)request.n >> 32);
    uint32_t size = (uint32_t)request.n;
    assert(size >= FACT_LEAST && size <= sizeof bytes);
    if (together && !turn_together(turn, count, (size_t)count * size)) {
        return refusal_set(reply->refusal, STATUS_REFUSED, "no block holds as much");
    }
    be64_put(bytes, 1);
    for (uint32_t i = 0; i < count; i++) {
        struct fact fact = { .type = TOY_ADDED,
                             .version = 1,
                             .has_customer = true,
                             .customer = request.customer,
                             .body = span_of(bytes, size) };
        (void)turn_emit(turn, &fact);
    }
    be64_put(bytes, count);
    return buffer_append(reply->body, span_of(bytes, 8));
}

static enum status many_handle(void *service, struct turn *turn, struct span body,
                               struct reply *reply)
{
    return many_emit(service, turn, body, false, reply);
}

static enum status together_handle(void *service, struct turn *turn, struct span body,
                                   struct reply *reply)
{
    return many_emit(service, turn, body, true, reply);
}

static enum status wide_handle(void *service, struct turn *turn, struct span body,
                               struct reply *reply)
{
    struct toy *toy = service;
    struct request request = { 0 };
    (void)turn;
    toy->decided += 1;
    if (!request_decode(body, &request)) {
        return malformed(reply);
    }
    enum status status = buffer_reserve(reply->body, (size_t)request.n);
    if (status == STATUS_OK) {
        memset(reply->body->data, 'w', (size_t)request.n);
        reply->body->size = (size_t)request.n;
    }
    return status;
}

static enum status fail_handle(void *service, struct turn *turn, struct span body,
                               struct reply *reply)
{
    struct toy *toy = service;
    (void)turn;
    (void)body;
    toy->decided += 1;
    return refusal_set(reply->refusal, STATUS_REFUSED, "toys do not; this was attempt %u",
                       (unsigned)toy->decided);
}

static enum status bad_handle(void *service, struct turn *turn, struct span body,
                              struct reply *reply)
{
    struct toy *toy = service;
    (void)turn;
    (void)body;
    toy->decided += 1;
    return malformed(reply);
}

static enum status abort_handle(void *service, struct turn *turn, struct span body,
                                struct reply *reply)
{
    struct toy *toy = service;
    (void)turn;
    (void)body;
    toy->decided += 1;
    return refusal_set(reply->refusal, STATUS_ABORTED, "out of order");
}

static enum status get_handle(void *service, struct turn *turn, struct span body,
                              struct reply *reply)
{
    struct request request = { 0 };
    uint8_t answer[24];
    uint64_t count = 0;
    (void)service;
    if (!request_decode(body, &request)) {
        return malformed(reply);
    }
    be64_put(answer, (uint64_t)sum_get(turn_view(turn), request.customer, &count));
    be64_put(answer + 8, count);
    be_time_put(answer + 16, turn_now(turn));
    return buffer_append(reply->body, span_of(answer, sizeof answer));
}

static enum status until_handle(void *service, struct turn *turn, struct span body,
                                struct reply *reply)
{
    struct request request = { 0 };
    struct span asked = body;
    uint64_t count = 0;
    while (asked.size > 0 && asked.data[asked.size - 1] == ' ') {
        asked.size -= 1; /* it may be filled up, to be as long as a test wants it */
    }
    enum status status = get_handle(service, turn, asked, reply);
    if (status == STATUS_OK && request_decode(asked, &request)) {
        reply->is_early = sum_get(turn_view(turn), request.customer, &count) < request.n;
    }
    return status;
}

/* ---- the world outside */

static enum status outside_start(void *service, const struct view *view, struct refusal *refusal)
{
    struct toy *toy = service;
    (void)view;
    (void)refusal;
    toy->outside.started += 1;
    return STATUS_OK;
}

static void outside_stop(void *service)
{
    struct toy *toy = service;
    toy->outside.stopped += 1;
}

static void outside_synced(void *service, const struct view *view)
{
    struct toy *toy = service;
    uint64_t count = 0;
    toy->outside.synced += 1;
    toy->outside.synced_sum = sum_get(view, customer_of(toy->outside.watched), &count);
}

static int outside_descriptor(void *service)
{
    (void)service;
    return -1;
}

static bool outside_take(void *service, struct turn *turn, size_t facts_max)
{
    struct toy *toy = service;
    uint8_t bytes[FACT_LEAST] = { 0 };
    size_t taken = 0;
    be64_put(bytes, 1);
    while (toy->outside.back > 0 && taken < facts_max) {
        (void)amount_emit(turn, TOY_ADDED, customer_of(toy->outside.watched), bytes);
        toy->outside.back -= 1;
        taken += 1;
    }
    return taken > 0;
}

static bool outside_holds(void *service, const struct view *view)
{
    const struct toy *toy = service;
    (void)view;
    return toy->outside.holds;
}

static bool outside_is_stuck(void *service, char *why, size_t size)
{
    const struct toy *toy = service;
    if (toy->outside.is_stuck) {
        (void)snprintf(why, size, "nobody answers outside");
    }
    return toy->outside.is_stuck;
}

static bool outside_is_out(void *service, const struct view *view)
{
    const struct toy *toy = service;
    (void)view;
    return toy->outside.back > 0;
}

static const struct service_effects toy_effects = {
    .start = outside_start,
    .stop = outside_stop,
    .synced = outside_synced,
    .descriptor = outside_descriptor,
    .take = outside_take,
    .holds = outside_holds,
    .is_stuck = outside_is_stuck,
    .is_out = outside_is_out,
};

/* ---- rules, feeds, time */

static struct span rules_of(const struct view *view)
{
    struct span text = { NULL, 0 };
    (void)view_get(view, TOY_TABLE, span_of_text(KEY_RULES), &text);
    return text;
}

static void toy_start(void *service, struct turn *turn)
{
    const struct toy *toy = service;
    struct span configured = span_of_text(toy->options.rules);
    if (!span_equal(rules_of(turn_view(turn)), configured)) {
        struct fact fact = { .type = FACT_RULES_CHANGED, .version = 1, .body = configured };
        (void)turn_emit(turn, &fact);
    }
}

static int64_t factor_of(struct turn *turn)
{
    struct span rules = rules_of(turn_view(turn));
    return rules.size == 0 ? 1 : rules.data[0] - '0';
}

static void toy_fold(void *service, struct turn *turn, const struct feed_name *feed,
                     const struct fact *fact)
{
    const struct toy *toy = service;
    uint8_t bytes[FACT_LEAST] = { 0 };
    int64_t n = toy_fact_amount(fact);
    (void)feed;
    if (toy->options.folds_to_nothing || n == 0) {
        return;
    }
    be64_put(bytes, (uint64_t)n);
    turn_record(turn, span_of(bytes, 8));
    be64_put(bytes, (uint64_t)(n * factor_of(turn)));
    be64_put(bytes + 8, fact->seq);
    (void)amount_emit(turn, TOY_ECHOED, fact->customer, bytes);
    if (fact->type == TOY_ADDED && n % 10 == TOY_TIMER_DIGIT && toy->options.timer_ms != 0) {
        be64_put(bytes, 1);
        be_time_put(bytes + 8, turn_now(turn) + toy->options.timer_ms);
        (void)amount_emit(turn, TOY_TIMED, fact->customer, bytes);
    }
}

/* Of a toy without a journal: what it folds goes into its state as it is. */
static void toy_fold_directly(void *service, struct turn *turn, const struct feed_name *feed,
                              const struct fact *fact)
{
    (void)service;
    (void)feed;
    fact_evolve(turn_change(turn), fact);
}

static bool is_timer(struct span key)
{
    return key.size == TIMER_KEY_BYTES && key.data[0] == KEY_TIMER;
}

struct first_due {
    bool is_there;
    int64_t due_ms;
};

static bool due_visit(void *argument, struct span key, struct span value)
{
    struct first_due *first = argument;
    (void)value;
    first->is_there = is_timer(key);
    first->due_ms = first->is_there ? be_time_get(key.data + 1) : 0;
    return false;
}

static bool toy_due(void *service, const struct view *view, int64_t *due_ms)
{
    static const uint8_t from[1] = { KEY_TIMER };
    struct first_due first = { 0 };
    (void)service;
    view_scan(view, TOY_TABLE, span_of(from, sizeof from), due_visit, &first);
    if (first.is_there) {
        *due_ms = first.due_ms;
    }
    return first.is_there;
}

struct timer {
    struct customer_id customer;
    uint64_t n;
};

struct ringing {
    int64_t due_ms;
    size_t count;
    size_t max;
    struct timer timers[LIMIT_TURN_TICK_FACTS];
};

static bool ringing_visit(void *argument, struct span key, struct span value)
{
    struct ringing *ringing = argument;
    if (!is_timer(key) || be_time_get(key.data + 1) != ringing->due_ms ||
        ringing->count == ringing->max) {
        return false;
    }
    struct timer *timer = &ringing->timers[ringing->count++];
    memcpy(timer->customer.bytes, key.data + 9, 16);
    timer->n = be64_get(value.data);
    return true;
}

static void toy_tick(void *service, struct turn *turn, int64_t due_ms, size_t facts_max)
{
    struct toy *toy = service;
    struct ringing ringing = { .due_ms = due_ms, .max = facts_max };
    struct customer_id none = { { 0 } };
    uint8_t key[TIMER_KEY_BYTES];
    uint8_t bytes[FACT_LEAST];
    assert(facts_max >= 1 && facts_max <= LIMIT_TURN_TICK_FACTS);
    toy->ticked += 1;
    view_scan(turn_view(turn), TOY_TABLE, timer_key(due_ms, none, key), ringing_visit, &ringing);
    for (size_t i = 0; i < ringing.count; i++) {
        be64_put(bytes, ringing.timers[i].n);
        be_time_put(bytes + 8, due_ms);
        (void)amount_emit(turn, TOY_RANG, ringing.timers[i].customer, bytes);
    }
}

/* ---- the definition */

static const struct store_table toy_tables[] = { { TOY_TABLE, "toy", STORE_TABLE_TREE } };

static const struct service_method toy_methods[] = {
    { "toy.Add", true, add_handle },           { "toy.At", true, at_handle },
    { "toy.Many", true, many_handle },         { "toy.Wide", true, wide_handle },
    { "toy.Together", true, together_handle }, { "toy.Fail", true, fail_handle },
    { "toy.Bad", true, bad_handle },           { "toy.Get", false, get_handle },
    { "toy.Abort", true, abort_handle },       { "toy.Until", false, until_handle },
};

/* What a toy emits: the first ones are folded always, an echo where it is asked for. */
static const uint32_t toy_types[] = { TOY_ADDED, TOY_RANG,           TOY_ECHOED,
                                      TOY_TIMED, FACT_RULES_CHANGED, FACT_CONSUMER_ACCEPTED };
#define FOLDED_ALWAYS 2
#define TYPES (sizeof toy_types / sizeof toy_types[0])

void toy_init(struct toy *toy, const struct toy_options *options)
{
    size_t folded = options->folds_echoes ? FOLDED_ALWAYS + 1 : FOLDED_ALWAYS;
    *toy = (struct toy){ .options = *options };
    assert(options->read_count <= TOY_FEEDS_MAX);
    for (size_t i = 0; i < options->read_count; i++) {
        toy->feeds[i] = (struct service_feed){ .name = options->reads[i],
                                               .types_folded = toy_types,
                                               .folded_count = folded,
                                               .types_ignored = toy_types + folded,
                                               .ignored_count = TYPES - folded };
    }
    toy->definition = (struct service_definition){
        .name = options->name,
        .schema = 1,
        .tables = toy_tables,
        .table_count = sizeof toy_tables / sizeof toy_tables[0],
        .feeds = toy->feeds,
        .feed_count = options->read_count,
        .methods = toy_methods,
        .method_count = sizeof toy_methods / sizeof toy_methods[0],
        .keeps_journal = !options->keeps_no_journal,
        .keeps_keys_for_ever = options->keeps_keys_for_ever,
        .start = options->rules != NULL ? toy_start : NULL,
        .fold = options->keeps_no_journal ? toy_fold_directly : toy_fold,
        .due = toy_due,
        .tick = toy_tick,
        .evolve = toy_evolve,
        .effects = options->reaches_out ? &toy_effects : NULL,
    };
}
