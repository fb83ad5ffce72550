/* link: common_wire */
#include "common/base/field.h"
#include "common/wire/pb.h"
#include "kith/v1/feed.pb-c.h"
#include "kith/v1/wire.pb-c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

static void arena_and_buffer_init(struct arena *arena, struct buffer *buffer)
{
    arena_init(arena, PB_ARENA_LEAST);
    buffer_init(buffer, 64 * 1024);
}

START_TEST(a_message_comes_back_as_it_was_packed)
{
    struct arena arena;
    struct buffer buffer;
    arena_and_buffer_init(&arena, &buffer);
    uint8_t chain[] = { 1, 0, 2, 0xFF };
    char feed[] = "ingestion";
    Kith__V1__FetchRequest sent = KITH__V1__FETCH_REQUEST__INIT;
    sent.feed = feed;
    sent.has_from = true;
    sent.from = UINT64_MAX;
    sent.has_chain = true;
    sent.chain = pb_bytes(span_of(chain, sizeof chain));

    ck_assert_int_eq(pb_pack(&sent.base, &buffer), STATUS_OK);
    const Kith__V1__FetchRequest *got =
        pb_unpack(&kith__v1__fetch_request__descriptor, &arena, buffer_span(&buffer));
    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got->feed, "ingestion");
    ck_assert(got->from == UINT64_MAX);
    ck_assert(span_equal(pb_span(got->chain), span_of(chain, sizeof chain)));
    ck_assert(!got->has_epoch);

    arena_release(&arena);
    buffer_release(&buffer);
}
END_TEST

START_TEST(an_empty_message_is_no_bytes_and_back)
{
    struct arena arena;
    struct buffer buffer;
    arena_and_buffer_init(&arena, &buffer);
    Kith__V1__WaitRequest sent = KITH__V1__WAIT_REQUEST__INIT;
    ck_assert_int_eq(pb_pack(&sent.base, &buffer), STATUS_OK);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_ptr_nonnull(pb_unpack(&kith__v1__wait_request__descriptor, &arena, span_of(NULL, 0)));
    arena_release(&arena);
    buffer_release(&buffer);
}
END_TEST

START_TEST(packing_past_the_buffer_is_refused_and_leaves_it_alone)
{
    struct buffer buffer;
    buffer_init(&buffer, 8);
    char text[] = "too long for eight bytes";
    Kith__V1__Position position = KITH__V1__POSITION__INIT;
    ck_assert_int_eq(buffer_append(&buffer, BYTES("abc")), STATUS_OK);
    position.feed = text;
    ck_assert_int_eq(pb_pack(&position.base, &buffer), STATUS_LIMIT);
    ck_assert(span_equal(buffer_span(&buffer), BYTES("abc")));
    ck_assert_int_eq(pb_field_begin(&buffer, (1U << 29) - 1, 1024), STATUS_LIMIT);
    ck_assert(span_equal(buffer_span(&buffer), BYTES("abc")));
    buffer_release(&buffer);
}
END_TEST

START_TEST(an_arena_that_is_full_gives_no_message)
{
    struct arena arena;
    struct buffer hostile;
    arena_and_buffer_init(&arena, &hostile);
    /* Empty submessages: two bytes each, and 70 and more unpacked. */
    for (int i = 0; i < 4096; i++) {
        ck_assert_int_eq(buffer_append(&hostile, BYTES("\x3A\x00")), STATUS_OK);
    }
    ck_assert_ptr_null(
        pb_unpack(&kith__v1__fetch_reply__descriptor, &arena, buffer_span(&hostile)));
    ck_assert_uint_le(arena.used, PB_ARENA_LEAST);

    /* The arena is of use again, and so is what it may hold. */
    arena_reset(&arena);
    const Kith__V1__FetchReply *reply =
        pb_unpack(&kith__v1__fetch_reply__descriptor, &arena, BYTES("\x3A\x00\x3A\x00"));
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->n_blocks, 2);
    arena_release(&arena);
    buffer_release(&hostile);
}
END_TEST

START_TEST(the_factor_stops_the_largest_amplification)
{
    enum { HOSTILE_BYTES = 1024 * 1024 };
    struct arena arena;
    arena_init(&arena, (size_t)PB_ARENA_FACTOR * HOSTILE_BYTES);
    uint8_t *hostile = memory_allocate(HOSTILE_BYTES);
    for (size_t i = 0; i < HOSTILE_BYTES; i += 2) {
        hostile[i] = 0x3A;
    }
    ck_assert_ptr_null(
        pb_unpack(&kith__v1__fetch_reply__descriptor, &arena, span_of(hostile, HOSTILE_BYTES)));
    free(hostile);
    arena_release(&arena);
}
END_TEST

static const struct {
    const char *name;
    struct span bytes; /* of a Position */
    bool is_good;
} position_rows[] = {
    { "plain", { (const uint8_t *)"\x0A\x01x\x10\x02", 5 }, true },
    { "fields in another order", { (const uint8_t *)"\x10\x02\x0A\x01x", 5 }, true },
    { "a field of a later version", { (const uint8_t *)"\x10\x02\x20\x05", 4 }, true },
    { "a NUL in a text", { (const uint8_t *)"\x0A\x03x\0y", 5 }, false },
    { "a NUL at the end of a text", { (const uint8_t *)"\x0A\x02x\0", 4 }, false },
    { "a number past 32 bits", { (const uint8_t *)"\x10\x80\x80\x80\x80\x10", 6 }, false },
    { "a number that is longer than it must be", { (const uint8_t *)"\x10\x82\x00", 3 }, false },
    { "a field given twice", { (const uint8_t *)"\x10\x02\x10\x03", 4 }, false },
    { "a text where a number belongs", { (const uint8_t *)"\x12\x01x", 3 }, false },
    { "a text that ends early", { (const uint8_t *)"\x0A\x05x", 3 }, false },
    { "a tag and nothing", { (const uint8_t *)"\x10", 1 }, false },
    { "field number 0", { (const uint8_t *)"\x00\x01", 2 }, false },
    { "a group", { (const uint8_t *)"\x0B\x0C", 2 }, false },
};

START_TEST(what_no_encoder_writes_is_not_unpacked)
{
    struct arena arena;
    arena_init(&arena, PB_ARENA_LEAST);
    for (size_t i = 0; i < sizeof position_rows / sizeof position_rows[0]; i++) {
        arena_reset(&arena);
        const void *got =
            pb_unpack(&kith__v1__position__descriptor, &arena, position_rows[i].bytes);
        ck_assert_msg((got != NULL) == position_rows[i].is_good, "%s", position_rows[i].name);
    }
    arena_release(&arena);
}
END_TEST

START_TEST(pieces_written_one_by_one_are_a_message)
{
    struct arena arena;
    struct buffer buffer;
    arena_and_buffer_init(&arena, &buffer);
    const size_t sizes[] = { 0, 1, 127, 128, 300, 20000 };
    for (size_t i = 0; i < 6; i++) {
        struct buffer text;
        buffer_init(&text, 32 * 1024);
        ck_assert_int_eq(buffer_reserve(&text, sizes[i]), STATUS_OK);
        if (sizes[i] > 0) {
            memset(text.data, 'a', sizes[i]);
        }
        text.size = sizes[i];
        ck_assert_int_eq(pb_field_begin(&buffer, 3, text.size), STATUS_OK);
        ck_assert_int_eq(buffer_append(&buffer, buffer_span(&text)), STATUS_OK);
        buffer_release(&text);
    }
    /* ReplyHeader.message is no list: the walk sees all six, one after the other. */
    struct span rest = buffer_span(&buffer);
    for (size_t i = 0; i < 6; i++) {
        struct field field = { 0 };
        ck_assert_int_eq(field_next(&rest, &field), FIELD_READ);
        ck_assert_uint_eq(field.number, 3);
        ck_assert_int_eq(field.kind, FIELD_BYTES);
        ck_assert_uint_eq(field.bytes.size, sizes[i]);
    }
    ck_assert_uint_eq(rest.size, 0);
    arena_release(&arena);
    buffer_release(&buffer);
}
END_TEST

START_TEST(a_list_written_in_pieces_unpacks)
{
    struct arena arena;
    struct buffer buffer;
    arena_and_buffer_init(&arena, &buffer);
    for (uint32_t i = 0; i < 3; i++) {
        Kith__V1__Position position = KITH__V1__POSITION__INIT;
        position.has_seq = true;
        position.seq = i * 1000;
        size_t size = protobuf_c_message_get_packed_size(&position.base);
        ck_assert_int_eq(pb_field_begin(&buffer, 1, size), STATUS_OK);
        ck_assert_int_eq(pb_pack(&position.base, &buffer), STATUS_OK);
    }
    const Kith__V1__WaitRequest *got =
        pb_unpack(&kith__v1__wait_request__descriptor, &arena, buffer_span(&buffer));
    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(got->n_positions, 3);
    ck_assert_uint_eq(got->positions[2]->seq, 2000);
    arena_release(&arena);
    buffer_release(&buffer);
}
END_TEST

START_TEST(an_absent_text_is_empty)
{
    ck_assert_uint_eq(pb_text(NULL).size, 0);
    ck_assert(span_equal(pb_text("abc"), BYTES("abc")));
}
END_TEST

START_TEST(hostile_bytes_unpack_within_the_arena_or_not_at_all)
{
    struct arena arena;
    arena_init(&arena, PB_ARENA_LEAST);
    uint64_t state = 88172645463325252U;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[64] = { 0 };
        for (size_t i = 0; i < sizeof bytes; i++) {
            state ^= state << 13U;
            state ^= state >> 7U;
            state ^= state << 17U;
            /* Small numbers make tags and lengths that fit more often. */
            bytes[i] = (uint8_t)((state & 0x300U) == 0 ? state & 0xFFU : state & 0x3FU);
        }
        arena_reset(&arena);
        (void)pb_unpack(&kith__v1__fetch_reply__descriptor, &arena,
                        span_of(bytes, (size_t)(state >> 32U) % sizeof bytes));
        ck_assert_uint_le(arena.used, PB_ARENA_LEAST);
    }
    arena_release(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pb");
    TCase *tcase = tcase_create("pb");
    tcase_add_test(tcase, a_message_comes_back_as_it_was_packed);
    tcase_add_test(tcase, an_empty_message_is_no_bytes_and_back);
    tcase_add_test(tcase, packing_past_the_buffer_is_refused_and_leaves_it_alone);
    tcase_add_test(tcase, an_arena_that_is_full_gives_no_message);
    tcase_add_test(tcase, the_factor_stops_the_largest_amplification);
    tcase_add_test(tcase, what_no_encoder_writes_is_not_unpacked);
    tcase_add_test(tcase, pieces_written_one_by_one_are_a_message);
    tcase_add_test(tcase, a_list_written_in_pieces_unpacks);
    tcase_add_test(tcase, an_absent_text_is_empty);
    tcase_add_test(tcase, hostile_bytes_unpack_within_the_arena_or_not_at_all);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
