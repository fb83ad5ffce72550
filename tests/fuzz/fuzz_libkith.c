/* link: kith_client common_wire common_base */
/* covers: clients/c/kith_reply.c clients/c/kith_chain.c clients/c/kith_feed.c
 * clients/c/kith_batch.c clients/c/kith_loyalty.c clients/c/kith_campaign.c clients/c/kith_wait.c
 *         clients/c/kith_cursor.c clients/c/kith_text.c clients/c/kith_memory.c */
/*
 * What a C program gets told by a service that answers anything: libkith over a socket of our
 * own, which makes replies from the input. Texts that are handed out are clean, feeds go
 * forward, and what cannot be understood is an error.
 *
 * Input: what is called (1 byte) | code of the replies (1) | faults of blocks (3) | size of the
 * first reply's body (2, big-endian) | both bodies.
 */
#include "clients/c/kith.h"
#include "clients/c/kith_socket.h"
#include "clients/c/kith_text.h"
#include "common/base/limits.h"
#include "common/wire/wire.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/loyalty.pb-c.h"
#include "tests/fuzz/block_forger.h"
#include "tests/fuzz/message_maker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES 7
#define ARENA_BYTES ((size_t)16 * 1024 * 1024)
#define REPLIES_MAX 2
#define EPOCH 77

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

/* ---- a socket that answers from the input */

struct kith_socket {
    struct buffer header;
    struct arena arena;
    struct forger forger;
    uint8_t code;
    bool is_forged;
    uint64_t request_id; /* of the newest request; 0: none waits for an answer */
    size_t answered;
    struct span bodies[REPLIES_MAX];
};

/* The next connection's; opening takes no argument of ours. */
static struct kith_socket *next;

enum kith_status kith_socket_open(struct kith_socket **opened, const char *endpoint,
                                  struct kith_error *error)
{
    (void)endpoint;
    (void)error;
    *opened = next;
    return KITH_OK;
}

void kith_socket_close(struct kith_socket **closed)
{
    *closed = NULL;
}

enum kith_status kith_socket_renew(struct kith_socket *connected, const char *endpoint,
                                   struct kith_error *error)
{
    (void)connected;
    (void)endpoint;
    (void)error;
    return KITH_OK;
}

bool kith_socket_send(struct kith_socket *connected, struct kith_frame header,
                      struct kith_frame body)
{
    struct request_header asked = { .request_id = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = request_header_decode(span_of(header.data, header.size), &asked, &refusal);
    assert(status == STATUS_OK);
    (void)body;
    connected->request_id = asked.request_id;
    return true;
}

enum kith_taken kith_socket_receive(struct kith_socket *connected, struct kith_message *message)
{
    if (connected->request_id == 0 || connected->answered == REPLIES_MAX) {
        return KITH_TAKEN_NOTHING;
    }
    struct span body = connected->bodies[connected->answered++];
    if (connected->code == 255) { /* the header is from the input as well */
        *message = (struct kith_message){ .header = { body.data, body.size } };
        return body.size % 2 == 0 ? KITH_TAKEN : KITH_TAKEN_BAD;
    }
    body = connected->is_forged ? forger_reply(&connected->forger, body) : body;
    struct reply_header reply = { .request_id = connected->request_id };
    uint8_t code = connected->code;
    reply.refusal.status = code % 4 != 0 ? STATUS_OK : status_from_code(code / 4 % 17);
    reply_header_encode(&reply, &connected->header);
    *message = (struct kith_message){
        .header = { connected->header.data, connected->header.size },
        .body = { body.data, body.size },
    };
    connected->request_id = 0;
    return KITH_TAKEN;
}

void kith_socket_release(struct kith_socket *connected)
{
    (void)connected;
}

void kith_socket_wait(struct kith_socket *connected, int64_t timeout_ms)
{
    (void)connected;
    (void)timeout_ms;
}

/* ---- a clock that runs while somebody looks at it, so that nobody has to wait */

#define LOOK_MS 50

static int64_t looked_ms;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock != CLOCK_MONOTONIC || next == NULL) {
        return (int)syscall(SYS_clock_gettime, clock, now);
    }
    looked_ms += LOOK_MS;
    *now = (struct timespec){ .tv_sec = looked_ms / 1000, .tv_nsec = looked_ms % 1000 * 1000000 };
    return 0;
}

/* ---- what is called */

static void clean_check(const char *text)
{
    assert(text != NULL && kith_text_is_clean(text, strlen(text)));
}

static void error_check(enum kith_status status, const struct kith_error *error)
{
    assert(status == KITH_OK || (error->status == status && error->text[0] != '\0'));
    clean_check(error->text);
}

static void feed_try(uint8_t options)
{
    static const uint32_t types[] = { 1, 16, 40 };
    static const uint32_t ignored[] = { 4 };
    struct kith_feed_options opening = {
        .endpoint = "ipc:///fuzz",
        .feed = "ingestion",
        .consumer = "fuzz",
        .types = types,
        .type_count = (options & 1) != 0 ? 3 : 0,
        .ignored = ignored,
        .ignored_count = (options & 2) != 0 ? 1 : 0,
    };
    opening.cursor.seq = (options & 4) != 0 ? 1 : 0;
    opening.cursor.epoch = (options & 8) != 0 ? EPOCH : 0;
    struct kith_feed *feed = NULL;
    struct kith_error error = { .status = KITH_OK };
    enum kith_status status = kith_feed_open(&feed, &opening, &error);
    assert(status == KITH_OK);
    struct kith_fact fact = { .seq = 0 };
    uint64_t before = opening.cursor.seq;
    for (int i = 0; i < 64 && status == KITH_OK; i++) {
        status = kith_feed_next(feed, 0, &fact, &error);
        if (status == KITH_OK) {
            assert(fact.seq > before && fact.body != NULL);
            assert(kith_feed_cursor(feed).seq == fact.seq);
            clean_check(fact.subject);
            before = fact.seq;
        }
    }
    error_check(status, &error);
    char text[KITH_CURSOR_TEXT_BYTES];
    struct kith_cursor cursor = kith_feed_cursor(feed);
    struct kith_cursor back = { .epoch = 0 };
    kith_cursor_write(&cursor, text);
    status = kith_cursor_read(text, &back, &error);
    assert(status == KITH_OK && back.seq == cursor.seq && back.block == cursor.block);
    kith_feed_close(&feed);
}

static void batch_try(struct kith_connection *connection)
{
    struct kith_batch *batch = NULL;
    struct kith_error error = { .status = KITH_OK };
    struct kith_totals totals = { .accepted = 0 };
    struct kith_event event = { .source = "crm", .id = "1", .type = "visit", .customer = "ann" };
    kith_batch_open(&batch);
    for (int i = 0; i < 3; i++) {
        enum kith_status added = kith_batch_add(batch, &event, &error);
        assert(added == KITH_OK);
    }
    enum kith_status status = kith_batch_send(connection, batch, &totals, &error);
    error_check(status, &error);
    if (status == KITH_OK) {
        assert(totals.accepted + totals.duplicate + totals.rejected + totals.invalid == 3);
    }
    struct kith_result result = { .seq = 0 };
    for (size_t i = 0; i < 4; i++) {
        if (kith_batch_result(batch, i, &result)) {
            assert(i < 3 && status == KITH_OK);
            clean_check(result.violation.field);
            clean_check(result.violation.rule);
            clean_check(result.violation.mend);
        }
    }
    kith_batch_close(&batch);
}

static void questions_try(struct kith_connection *connection, size_t kind)
{
    struct kith_error error = { .status = KITH_OK };
    struct kith_key key = { .text = "k1" };
    struct kith_balance balance = { .postings = 0 };
    struct kith_dispatch_id id = { .bytes = { 0 } };
    struct kith_dispatch dispatch = { .number = 0 };
    struct kith_trigger trigger = { .campaign = "thanks", .customer = "ann", .key = &key };
    struct kith_position position = { .feed = "ingestion", .seq = 3 };
    enum kith_status status = KITH_OK;
    switch (kind) {
    case 2:
        status = kith_balance_read(connection, "ann", NULL, &balance, &error);
        clean_check(balance.programme);
        break;
    case 3:
        status = kith_campaign_trigger(connection, &trigger, &id, &error);
        break;
    case 4:
        status = kith_dispatch_wait(connection, &id, 1, &dispatch, &error);
        clean_check(dispatch.reason);
        clean_check(dispatch.detail);
        clean_check(dispatch.channel);
        break;
    default:
        status = kith_wait(connection, &position, 1, 1, &error);
        break;
    }
    error_check(status, &error);
}

static void call_try(struct kith_connection *connection)
{
    struct kith_error error = { .status = KITH_OK };
    struct kith_reply *reply = NULL;
    struct kith_request request = { .method = "any.Method", .timeout_ms = 1 };
    error_check(kith_call(connection, &request, &reply, &error), &error);
    if (reply != NULL) {
        size_t body_bytes = 0;
        clean_check(kith_reply_message(reply));
        assert(kith_reply_body(reply, &body_bytes) != NULL);
        for (size_t i = 0; i <= kith_reply_violation_count(reply); i++) {
            clean_check(kith_reply_violation(reply, i).field);
            clean_check(kith_reply_violation(reply, i).rule);
            clean_check(kith_reply_violation(reply, i).mend);
        }
    }
    kith_reply_close(&reply);
}

static void cursor_try(struct span bytes)
{
    char *text = memory_allocate(bytes.size + 1);
    char again[KITH_CURSOR_TEXT_BYTES];
    struct kith_cursor cursor = { .epoch = 0 };
    struct kith_error error = { .status = KITH_OK };
    memcpy(text, bytes.data, bytes.size);
    enum kith_status status = kith_cursor_read(text, &cursor, &error);
    error_check(status, &error);
    if (status == KITH_OK) {
        struct kith_cursor back = { .epoch = 0 };
        kith_cursor_write(&cursor, again);
        status = kith_cursor_read(again, &back, &error);
        assert(status == KITH_OK && memcmp(&back, &cursor, sizeof back) == 0);
    }
    kith_text_clean(text);
    clean_check(text);
    free(text);
}

/* In the order of the calls. NULL: no message. */
static const ProtobufCMessageDescriptor *const messages[] = {
    &kith__v1__fetch_reply__descriptor,    &kith__v1__ingest_reply__descriptor,
    &kith__v1__balance_reply__descriptor,  &kith__v1__dispatch_reply__descriptor,
    &kith__v1__dispatch_reply__descriptor, &kith__v1__wait_reply__descriptor,
    &kith__v1__reply_header__descriptor,   NULL,
};
#define KIND_COUNT (sizeof messages / sizeof messages[0])

static void call_make(size_t kind, uint8_t options)
{
    struct kith_connection *connection = NULL;
    struct kith_error error = { .status = KITH_OK };
    if (kind == 0) {
        feed_try(options);
        return;
    }
    enum kith_status status = kith_open(&connection, "ipc:///fuzz", &error);
    assert(status == KITH_OK);
    kith_timeout_set(connection, 1);
    if (kind == 1) {
        batch_try(connection);
    } else if (kind == 6) {
        call_try(connection);
    } else {
        questions_try(connection, kind);
    }
    kith_close(&connection);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES) {
        return 0;
    }
    size_t kind = data[0] % KIND_COUNT;
    struct span rest = span_of(data + HEAD_BYTES, size - HEAD_BYTES);
    size_t first = be16_get(data + 5) < rest.size ? be16_get(data + 5) : rest.size;
    if (kind == KIND_COUNT - 1) {
        cursor_try(rest);
        return 0;
    }
    struct kith_socket answering = {
        .code = data[1],
        .is_forged = kind == 0 && data[0] < 128,
        .bodies = { span_of(rest.data, first), span_of(rest.data + first, rest.size - first) },
    };
    arena_init(&answering.arena, ARENA_BYTES);
    buffer_init(&answering.header, LIMIT_HEADER_BYTES);
    answering.forger = (struct forger){ .arena = &answering.arena,
                                        .epoch = EPOCH,
                                        .faults = (uint32_t)data[2] << 16 | be16_get(data + 3) };
    next = &answering;
    call_make(kind, data[0] / KIND_COUNT);
    next = NULL;
    buffer_release(&answering.header);
    arena_release(&answering.arena);
    return 0;
}

/* Now and then an input begins anew as two sound replies. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    size_t kind = seed / 2 % KIND_COUNT;
    if (seed % 2 != 0 || size_max < HEAD_BYTES || messages[kind] == NULL) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    struct buffer out = { .data = data, .size = HEAD_BYTES, .limit = size_max };
    data[0] = (uint8_t)(kind + (seed >> 8) % 16 * KIND_COUNT);
    data[1] = (uint8_t)(kind == 6 ? 255 : seed % 32 == 0 ? seed >> 11 : 1);
    memset(data + 2, 0, 3);
    data[2 + seed % 3] = (uint8_t)(seed % 8 == 0 ? seed >> 16 : 0);
    size_t first = message_make(messages[kind], &kith__v1__public_part__descriptor, seed, &out);
    be16_put(data + 5, (uint16_t)(first > UINT16_MAX ? UINT16_MAX : first));
    (void)message_make(messages[kind], &kith__v1__public_part__descriptor, seed + 1, &out);
    return out.size;
}
