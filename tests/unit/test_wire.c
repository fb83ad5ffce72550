/* link: common_wire */
#include "common/base/limits.h"
#include "common/wire/pb.h"
#include "common/wire/wire.h"
#include "kith/v1/wire.pb-c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

static void text_put(char *out, size_t size, char fill)
{
    memset(out, fill, size);
    out[size] = '\0';
}

static struct request_header command_header(void)
{
    return (struct request_header){
        .request_id = UINT64_MAX,
        .method = "loyalty.Spend",
        .timeout_ms = UINT32_MAX,
        .key = "batch-7/\xC3\xBC",
        .key_size = 10,
        .issued_at_ms = -1,
    };
}

/* ---- requests */

START_TEST(a_request_comes_back_as_it_was_sent)
{
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    struct request_header sent = command_header();
    struct request_header got = { 0 };
    struct refusal refusal = { 0 };
    request_header_encode(&sent, &buffer);
    ck_assert_int_eq(request_header_decode(buffer_span(&buffer), &got, &refusal), STATUS_OK);
    ck_assert(got.request_id == sent.request_id);
    ck_assert_str_eq(got.method, sent.method);
    ck_assert_uint_eq(got.timeout_ms, sent.timeout_ms);
    ck_assert_str_eq(got.key, sent.key);
    ck_assert_uint_eq(got.key_size, sent.key_size);
    ck_assert_int_eq(got.issued_at_ms, sent.issued_at_ms);
    ck_assert_int_eq(refusal.status, STATUS_OK);
    buffer_release(&buffer);
}
END_TEST

START_TEST(a_question_has_neither_key_nor_time)
{
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    struct request_header sent = { .request_id = 0, .method = "service.Status" };
    struct request_header got = command_header();
    request_header_encode(&sent, &buffer);
    ck_assert_int_eq(request_header_decode(buffer_span(&buffer), &got, NULL), STATUS_OK);
    ck_assert_uint_eq(got.request_id, 0);
    ck_assert_str_eq(got.method, "service.Status");
    ck_assert_uint_eq(got.timeout_ms, 0);
    ck_assert_uint_eq(got.key_size, 0);
    ck_assert_str_eq(got.key, "");
    ck_assert_int_eq(got.issued_at_ms, 0);
    buffer_release(&buffer);
}
END_TEST

START_TEST(encoding_clears_what_the_buffer_held)
{
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    ck_assert_int_eq(buffer_append(&buffer, BYTES("left over")), STATUS_OK);
    struct request_header sent = command_header();
    struct request_header got = { 0 };
    request_header_encode(&sent, &buffer);
    ck_assert_int_eq(request_header_decode(buffer_span(&buffer), &got, NULL), STATUS_OK);
    buffer_release(&buffer);
}
END_TEST

/* Version 1, id 7, method "m" as they stand on the wire. */
#define VERSION "\x08\x01"
#define ID "\x10\x07"
#define METHOD "\x1A\x01m"
#define GOOD VERSION ID METHOD
#define ROW(name, literal, field)                                                                  \
    {                                                                                              \
        name, { (const uint8_t *)(literal), sizeof(literal) - 1 }, field                           \
    }

static const struct {
    const char *name;
    struct span bytes;
    const char *field; /* the one at fault; NULL: none */
} request_rows[] = {
    ROW("good", GOOD, NULL),
    ROW("good in another order", METHOD ID VERSION, NULL),
    ROW("good with a trace", GOOD "\x3A\x02tr", NULL),
    ROW("good with a key", GOOD "\x2A\x01k\x30\x00", NULL),
    ROW("no version", ID METHOD, "version"),
    ROW("version 0", "\x08\x00" ID METHOD, "version"),
    ROW("version 2", "\x08\x02" ID METHOD, "version"),
    ROW("version 2^32 + 1", "\x08\x81\x80\x80\x80\x10" ID METHOD, "version"),
    ROW("version 2 and a field of its own", "\x08\x02" ID METHOD "\x50\x01", "version"),
    ROW("no method", VERSION ID, "method"),
    ROW("an empty method", VERSION ID "\x1A\x00", "method"),
    ROW("a method with a slash", VERSION ID "\x1A\x03m/n", "method"),
    ROW("a method with a NUL", VERSION ID "\x1A\x03m\0n", "method"),
    ROW("a method outside ASCII", VERSION ID "\x1A\x02\xC3\xBC", "method"),
    ROW("a time-out past 32 bits", GOOD "\x20\x80\x80\x80\x80\x10", "timeout_ms"),
    ROW("an empty key", GOOD "\x2A\x00\x30\x00", "key"),
    ROW("a key with a NUL", GOOD "\x2A\x03k\0l\x30\x00", "key"),
    ROW("a key that ends in a NUL", GOOD "\x2A\x02k\0\x30\x00", "key"),
    ROW("a key with a line break", GOOD "\x2A\x02k\n\x30\x00", "key"),
    ROW("a key that is not UTF-8", GOOD "\x2A\x02k\xFF\x30\x00", "key"),
    ROW("a key with half a character", GOOD "\x2A\x02k\xC3\x30\x00", "key"),
    ROW("a key with an overlong slash", GOOD "\x2A\x02\xC0\xAF\x30\x00", "key"),
    ROW("a key without its time", GOOD "\x2A\x01k", "issued_at_ms"),
    ROW("a time past the year 9999", GOOD "\x30\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
        "issued_at_ms"),
    ROW("a time before the year 1", GOOD "\x30\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
        "issued_at_ms"),
    ROW("field 8", GOOD "\x40\x01", "8"),
    ROW("field 2^29 - 1", GOOD "\xF8\xFF\xFF\xFF\x0F\x01", "536870911"),
    ROW("a text for a version", "\x0A\x01\x01" ID METHOD, "header"),
    ROW("a number for a method", VERSION ID "\x18\x01", "header"),
    ROW("a fixed number for a time-out", GOOD "\x25\x01\x02\x03\x04", "header"),
    ROW("a group", GOOD "\x4B\x4C", "header"),
    ROW("a text that ends early", GOOD "\x2A\x05k", "header"),
    ROW("a number that ends early", GOOD "\x20\x80", "header"),
    ROW("a number past 64 bits", GOOD "\x20\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", "header"),
    ROW("field 0", GOOD "\x00\x01", "header"),
    ROW("a method twice", GOOD METHOD, "method"),
    ROW("an id twice", ID GOOD, "request_id"),
    ROW("a trace with a NUL", GOOD "\x3A\x02t\0", "traceparent"),
    ROW("a trace that is not UTF-8", GOOD "\x3A\x02t\xFF", "traceparent"),
};

START_TEST(each_fault_of_a_request_is_named_and_finds_its_caller)
{
    size_t i = (size_t)_i;
    struct request_header got = command_header();
    struct refusal refusal = { 0 };
    enum status status = request_header_decode(request_rows[i].bytes, &got, &refusal);
    ck_assert_msg(got.request_id == 7, "%s", request_rows[i].name);
    ck_assert_int_eq(refusal.status, status);
    if (request_rows[i].field == NULL) {
        ck_assert_msg(status == STATUS_OK, "%s", request_rows[i].name);
        return;
    }
    ck_assert_msg(status == STATUS_MALFORMED, "%s", request_rows[i].name);
    ck_assert_uint_eq(refusal.violation_count, 1);
    ck_assert_str_eq(refusal.violations[0].field, request_rows[i].field);
    ck_assert_str_ne(refusal.violations[0].rule, "");
    ck_assert_str_ne(refusal.violations[0].mend, "");
    ck_assert_str_ne(refusal.message, "");
    /* Nothing of a refused request can be mistaken for checked. */
    ck_assert_str_eq(got.method, "");
    ck_assert_uint_eq(got.key_size, 0);
    ck_assert_int_eq(request_header_decode(request_rows[i].bytes, &got, NULL), STATUS_MALFORMED);
}
END_TEST

START_TEST(bytes_that_are_no_header_have_no_caller)
{
    struct request_header got = command_header();
    ck_assert_int_eq(request_header_decode(BYTES("\xFF\xFF\xFF"), &got, NULL), STATUS_MALFORMED);
    ck_assert_uint_eq(got.request_id, 0);
    got = command_header();
    ck_assert_int_eq(request_header_decode(span_of(NULL, 0), &got, NULL), STATUS_MALFORMED);
    ck_assert_uint_eq(got.request_id, 0);
}
END_TEST

/* `field` with `size` times x after `head`. */
static struct span request_with_text(struct buffer *buffer, struct span head, uint32_t field,
                                     size_t size)
{
    buffer_clear(buffer);
    ck_assert_int_eq(buffer_append(buffer, head), STATUS_OK);
    ck_assert_int_eq(pb_field_begin(buffer, field, size), STATUS_OK);
    for (size_t i = 0; i < size; i++) {
        ck_assert_int_eq(buffer_append(buffer, BYTES("x")), STATUS_OK);
    }
    return buffer_span(buffer);
}

START_TEST(keys_have_at_most_64_bytes)
{
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    struct request_header got = { 0 };
    struct refusal refusal = { 0 };
    struct span head = BYTES(GOOD "\x30\x02");
    struct span bytes = request_with_text(&buffer, head, 5, LIMIT_ID_BYTES);
    ck_assert_int_eq(request_header_decode(bytes, &got, &refusal), STATUS_OK);
    ck_assert_uint_eq(got.key_size, LIMIT_ID_BYTES);
    ck_assert_uint_eq(strlen(got.key), LIMIT_ID_BYTES);
    ck_assert_int_eq(got.issued_at_ms, 1);

    bytes = request_with_text(&buffer, head, 5, LIMIT_ID_BYTES + 1);
    ck_assert_int_eq(request_header_decode(bytes, &got, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "key");
    buffer_release(&buffer);
}
END_TEST

START_TEST(methods_have_at_most_63_bytes)
{
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    struct request_header got = { 0 };
    struct refusal refusal = { 0 };
    struct span head = BYTES(VERSION ID);
    struct span bytes = request_with_text(&buffer, head, 3, WIRE_METHOD_BYTES - 1);
    ck_assert_int_eq(request_header_decode(bytes, &got, &refusal), STATUS_OK);
    ck_assert_uint_eq(strlen(got.method), WIRE_METHOD_BYTES - 1);

    bytes = request_with_text(&buffer, head, 3, WIRE_METHOD_BYTES);
    ck_assert_int_eq(request_header_decode(bytes, &got, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "method");
    buffer_release(&buffer);
}
END_TEST

START_TEST(a_header_has_at_most_4096_bytes)
{
    struct buffer buffer;
    buffer_init(&buffer, 2 * LIMIT_HEADER_BYTES);
    struct request_header got = { 0 };
    struct refusal refusal = { 0 };
    struct span head = BYTES(GOOD);
    const size_t text_size = LIMIT_HEADER_BYTES - head.size - 3; /* tag and length */
    struct span bytes = request_with_text(&buffer, head, 7, text_size);
    ck_assert_uint_eq(bytes.size, LIMIT_HEADER_BYTES);
    ck_assert_int_eq(request_header_decode(bytes, &got, &refusal), STATUS_OK);

    bytes = request_with_text(&buffer, head, 7, text_size + 1);
    ck_assert_int_eq(request_header_decode(bytes, &got, &refusal), STATUS_MALFORMED);
    ck_assert_str_eq(refusal.violations[0].field, "header");
    ck_assert_uint_eq(got.request_id, 7);
    buffer_release(&buffer);
}
END_TEST

/* ---- replies */

static void refusal_fill(struct refusal *refusal)
{
    refusal->status = STATUS_LIMIT;
    refusal->retry_after_ms = UINT32_MAX;
    text_put(refusal->message, sizeof refusal->message - 1, 'm');
    refusal->violation_count = REFUSAL_VIOLATIONS_MAX;
    for (size_t i = 0; i < REFUSAL_VIOLATIONS_MAX; i++) {
        struct violation *violation = &refusal->violations[i];
        text_put(violation->field, sizeof violation->field - 1, (char)('a' + (int)i));
        text_put(violation->rule, sizeof violation->rule - 1, 'r');
        text_put(violation->mend, sizeof violation->mend - 1, 'w');
    }
}

static void violations_compare(const struct violation *a, const struct violation *b)
{
    ck_assert_str_eq(a->field, b->field);
    ck_assert_str_eq(a->rule, b->rule);
    ck_assert_str_eq(a->mend, b->mend);
}

static void refusals_compare(const struct refusal *a, const struct refusal *b)
{
    ck_assert_int_eq(a->status, b->status);
    ck_assert_str_eq(a->message, b->message);
    ck_assert_uint_eq(a->retry_after_ms, b->retry_after_ms);
    ck_assert_uint_eq(a->violation_count, b->violation_count);
    for (size_t i = 0; i < a->violation_count; i++) {
        violations_compare(&a->violations[i], &b->violations[i]);
    }
}

START_TEST(the_largest_refusal_fits_a_header_and_comes_back)
{
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    struct reply_header sent = { .request_id = UINT64_MAX };
    struct reply_header got = { 0 };
    refusal_fill(&sent.refusal);
    reply_header_encode(&sent, &buffer);
    ck_assert_int_eq(reply_header_decode(buffer_span(&buffer), &got), STATUS_OK);
    ck_assert(got.request_id == UINT64_MAX);
    refusals_compare(&sent.refusal, &got.refusal);
    buffer_release(&buffer);
}
END_TEST

START_TEST(every_status_comes_back)
{
    static const enum status statuses[] = {
#define X(name, code, code_text, text) STATUS_##name,
        STATUS_MAP(X)
#undef X
    };
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct reply_header sent = { .request_id = 1, .refusal = { .status = statuses[i] } };
        struct reply_header got = { 0 };
        reply_header_encode(&sent, &buffer);
        ck_assert_int_eq(reply_header_decode(buffer_span(&buffer), &got), STATUS_OK);
        refusals_compare(&sent.refusal, &got.refusal);
    }
    buffer_release(&buffer);
}
END_TEST

START_TEST(a_stored_reply_gets_the_id_of_each_attempt)
{
    struct buffer stored;
    struct buffer composed;
    buffer_init(&stored, LIMIT_HEADER_BYTES);
    buffer_init(&composed, LIMIT_HEADER_BYTES);
    struct reply_header sent = { .request_id = 0 };
    refusal_fill(&sent.refusal);
    reply_header_encode(&sent, &stored);
    const uint64_t ids[] = { 1, 127, 128, UINT64_MAX };
    for (size_t i = 0; i < 4; i++) {
        struct reply_header got = { 0 };
        reply_header_compose(buffer_span(&stored), ids[i], &composed);
        ck_assert(span_has_prefix(buffer_span(&composed), buffer_span(&stored)));
        ck_assert_int_eq(reply_header_decode(buffer_span(&composed), &got), STATUS_OK);
        ck_assert(got.request_id == ids[i]);
        refusals_compare(&sent.refusal, &got.refusal);
    }
    buffer_release(&stored);
    buffer_release(&composed);
}
END_TEST

START_TEST(protobuf_reads_a_composed_reply)
{
    struct buffer stored;
    struct buffer composed;
    struct arena arena;
    buffer_init(&stored, LIMIT_HEADER_BYTES);
    buffer_init(&composed, LIMIT_HEADER_BYTES);
    arena_init(&arena, PB_ARENA_LEAST);
    struct reply_header sent = { .refusal = { .status = STATUS_REFUSED, .message = "no" } };
    reply_header_encode(&sent, &stored);
    reply_header_compose(buffer_span(&stored), 42, &composed);
    const Kith__V1__ReplyHeader *got =
        pb_unpack(&kith__v1__reply_header__descriptor, &arena, buffer_span(&composed));
    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(got->request_id, 42);
    ck_assert_uint_eq(got->code, 9);
    ck_assert_str_eq(got->message, "no");
    arena_release(&arena);
    buffer_release(&stored);
    buffer_release(&composed);
}
END_TEST

static void protobuf_agrees(const struct reply_header *sent)
{
    struct buffer ours;
    struct buffer theirs;
    struct arena arena;
    buffer_init(&ours, LIMIT_HEADER_BYTES);
    buffer_init(&theirs, LIMIT_HEADER_BYTES);
    arena_init(&arena, LIMIT_HEADER_BYTES * (size_t)PB_ARENA_FACTOR + PB_ARENA_LEAST);
    reply_header_encode(sent, &ours);
    const Kith__V1__ReplyHeader *read =
        pb_unpack(&kith__v1__reply_header__descriptor, &arena, buffer_span(&ours));
    ck_assert_ptr_nonnull(read);
    ck_assert_int_eq(pb_pack(&read->base, &theirs), STATUS_OK);
    ck_assert(span_equal(buffer_span(&ours), buffer_span(&theirs)));
    arena_release(&arena);
    buffer_release(&ours);
    buffer_release(&theirs);
}

START_TEST(a_reply_has_the_bytes_that_protobuf_writes)
{
    struct reply_header done = { .request_id = 0 };
    struct reply_header refused = { .request_id = 300 };
    struct reply_header empty = { .refusal = { .status = STATUS_MALFORMED, .violation_count = 1 } };
    refusal_fill(&refused.refusal);
    protobuf_agrees(&done);
    protobuf_agrees(&refused);
    protobuf_agrees(&empty);
}
END_TEST

static const struct {
    const char *name;
    struct span bytes;
    bool is_good;
} reply_rows[] = {
    ROW("done", "\x08\x07\x10\x00", true),
    ROW("a field of a later version", "\x08\x07\x10\x00\x50\x01", true),
    ROW("no bytes", "", false),
    ROW("an id and no code", "\x08\x07", false),
    ROW("a text for a code", "\x08\x07\x12\x01x", false),
    ROW("a code past 32 bits", "\x08\x07\x10\x80\x80\x80\x80\x10", false),
    ROW("a text for an id", "\x0A\x01x\x10\x00", false),
    ROW("a number for a message", "\x08\x07\x10\x00\x18\x01", false),
    ROW("a number for a violation", "\x08\x07\x10\x00\x20\x01", false),
    ROW("a violation that is none", "\x08\x07\x10\x00\x22\x01\x0A", false),
    ROW("a pause past 32 bits", "\x08\x07\x10\x00\x28\x80\x80\x80\x80\x10", false),
    ROW("half a field", "\x08\x07\x10\x00\x1A\x05x", false),
};

START_TEST(what_is_no_reply_is_refused_and_changes_nothing)
{
    size_t i = (size_t)_i;
    struct reply_header got = { .request_id = 99 };
    enum status status = reply_header_decode(reply_rows[i].bytes, &got);
    ck_assert_msg(status == (reply_rows[i].is_good ? STATUS_OK : STATUS_MALFORMED), "%s",
                  reply_rows[i].name);
    ck_assert_uint_eq(got.request_id, reply_rows[i].is_good ? 7 : 99);
}
END_TEST

START_TEST(a_code_that_we_do_not_know_is_an_internal_fault)
{
    struct reply_header got = { 0 };
    ck_assert_int_eq(reply_header_decode(BYTES("\x10\x63"), &got), STATUS_OK);
    ck_assert_int_eq(got.refusal.status, STATUS_INTERNAL);
}
END_TEST

START_TEST(texts_of_a_reply_are_cut_and_cannot_steer_a_terminal)
{
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    struct reply_header got = { 0 };
    struct span bytes = request_with_text(&buffer, BYTES("\x10\x09"), 3, 1000);
    ck_assert_int_eq(reply_header_decode(bytes, &got), STATUS_OK);
    ck_assert_uint_eq(strlen(got.refusal.message), sizeof got.refusal.message - 1);

    ck_assert_int_eq(reply_header_decode(BYTES("\x10\x09\x1A\x06"
                                               "a\x1B[2\0\x7F"),
                                         &got),
                     STATUS_OK);
    ck_assert_str_eq(got.refusal.message, "a?[2??");

    buffer_clear(&buffer);
    ck_assert_int_eq(buffer_append(&buffer, BYTES("\x10\x03")), STATUS_OK);
    for (int i = 0; i < REFUSAL_VIOLATIONS_MAX + 3; i++) {
        ck_assert_int_eq(buffer_append(&buffer, BYTES("\x22\x03\x0A\x01x")), STATUS_OK);
    }
    ck_assert_int_eq(reply_header_decode(buffer_span(&buffer), &got), STATUS_OK);
    ck_assert_uint_eq(got.refusal.violation_count, REFUSAL_VIOLATIONS_MAX);
    buffer_release(&buffer);
}
END_TEST

START_TEST(a_reply_header_past_4096_bytes_is_refused)
{
    struct buffer buffer;
    buffer_init(&buffer, 2 * LIMIT_HEADER_BYTES);
    struct reply_header got = { 0 };
    struct span bytes = request_with_text(&buffer, BYTES("\x10\x09"), 3, LIMIT_HEADER_BYTES);
    ck_assert_int_eq(reply_header_decode(bytes, &got), STATUS_MALFORMED);
    buffer_release(&buffer);
}
END_TEST

/* ---- bytes of no good will */

static uint64_t next_number(uint64_t *state)
{
    *state ^= *state << 13U;
    *state ^= *state >> 7U;
    *state ^= *state << 17U;
    return *state;
}

START_TEST(flipped_bytes_never_pass_for_something_unchecked)
{
    struct buffer buffer;
    buffer_init(&buffer, LIMIT_HEADER_BYTES);
    struct request_header sent = command_header();
    uint64_t state = 88172645463325252U;
    for (int round = 0; round < 20000; round++) {
        request_header_encode(&sent, &buffer);
        for (uint64_t flips = next_number(&state) % 4; flips > 0; flips--) {
            buffer.data[next_number(&state) % buffer.size] = (uint8_t)next_number(&state);
        }
        struct span bytes = span_of(buffer.data, next_number(&state) % (buffer.size + 1));
        struct request_header got = { 0 };
        if (request_header_decode(bytes, &got, NULL) == STATUS_OK) {
            ck_assert_uint_ge(strlen(got.method), 1);
            ck_assert_uint_eq(strlen(got.key), got.key_size);
            ck_assert_uint_le(got.key_size, LIMIT_ID_BYTES);
        }
        struct reply_header reply = { 0 };
        if (reply_header_decode(bytes, &reply) == STATUS_OK) {
            ck_assert_uint_le(reply.refusal.violation_count, REFUSAL_VIOLATIONS_MAX);
        }
    }
    buffer_release(&buffer);
}
END_TEST

static void requests_add(TCase *tcase)
{
    tcase_add_test(tcase, a_request_comes_back_as_it_was_sent);
    tcase_add_test(tcase, a_question_has_neither_key_nor_time);
    tcase_add_test(tcase, encoding_clears_what_the_buffer_held);
    tcase_add_loop_test(tcase, each_fault_of_a_request_is_named_and_finds_its_caller, 0,
                        (int)(sizeof request_rows / sizeof request_rows[0]));
    tcase_add_test(tcase, bytes_that_are_no_header_have_no_caller);
    tcase_add_test(tcase, keys_have_at_most_64_bytes);
    tcase_add_test(tcase, methods_have_at_most_63_bytes);
    tcase_add_test(tcase, a_header_has_at_most_4096_bytes);
    tcase_add_test(tcase, flipped_bytes_never_pass_for_something_unchecked);
}

static void replies_add(TCase *tcase)
{
    tcase_add_test(tcase, the_largest_refusal_fits_a_header_and_comes_back);
    tcase_add_test(tcase, every_status_comes_back);
    tcase_add_test(tcase, a_stored_reply_gets_the_id_of_each_attempt);
    tcase_add_test(tcase, protobuf_reads_a_composed_reply);
    tcase_add_test(tcase, a_reply_has_the_bytes_that_protobuf_writes);
    tcase_add_loop_test(tcase, what_is_no_reply_is_refused_and_changes_nothing, 0,
                        (int)(sizeof reply_rows / sizeof reply_rows[0]));
    tcase_add_test(tcase, a_code_that_we_do_not_know_is_an_internal_fault);
    tcase_add_test(tcase, texts_of_a_reply_are_cut_and_cannot_steer_a_terminal);
    tcase_add_test(tcase, a_reply_header_past_4096_bytes_is_refused);
}

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *requests = tcase_create("requests");
    requests_add(requests);
    suite_add_tcase(suite, requests);
    TCase *replies = tcase_create("replies");
    replies_add(replies);
    suite_add_tcase(suite, replies);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
