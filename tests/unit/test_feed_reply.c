/* link: common_feed kith_proto */
#include "common/feed/feed_reply.h"
#include "common/wire/pb.h"
#include "kith/v1/feed.pb-c.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 16384

/* One of each kind, in the bytes that protobuf makes of it. */
static struct span reply_make(struct buffer *out)
{
    static char name[] = "loyalty";
    Kith__V1__FetchReply reply = KITH__V1__FETCH_REPLY__INIT;
    Kith__V1__Position input = KITH__V1__POSITION__INIT;
    Kith__V1__Position *inputs[] = { &input };
    Kith__V1__FeedBlock whole = KITH__V1__FEED_BLOCK__INIT;
    Kith__V1__FeedBlock bare = KITH__V1__FEED_BLOCK__INIT;
    Kith__V1__FeedBlock *blocks[] = { &whole, &bare };
    reply.has_epoch = 1;
    reply.epoch = UINT64_MAX;
    reply.has_end = 1;
    reply.end = 77;
    reply.has_end_block = 1;
    reply.end_block = 5;
    reply.has_end_recorded_at_ms = 1;
    reply.end_recorded_at_ms = -8;
    input.feed = name;
    input.has_shard = 1;
    input.shard = 3;
    input.has_seq = 1;
    input.seq = 11;
    reply.n_inputs = 1;
    reply.inputs = inputs;
    reply.has_chain_before = 1;
    reply.chain_before = pb_bytes(span_of_text("chain"));
    whole.has_header = 1;
    whole.header = pb_bytes(span_of_text("first"));
    whole.has_public_part = 1;
    whole.public_part = pb_bytes(span_of_text("facts"));
    bare.has_header = 1;
    bare.header = pb_bytes(span_of_text("second"));
    reply.n_blocks = 2;
    reply.blocks = blocks;
    reply.has_settled_cause = 1;
    reply.settled_cause = 12;
    reply.has_settled_at_ms = 1;
    reply.settled_at_ms = -13;
    buffer_init(out, BYTES_MAX);
    ck_assert_int_eq(pb_pack(&reply.base, out), STATUS_OK);
    return buffer_span(out);
}

static void add(struct buffer *out, const char *bytes, size_t size)
{
    ck_assert_int_eq(buffer_append(out, span_of(bytes, size)), STATUS_OK);
}

#define ADD(out, literal) add(out, literal, sizeof(literal) - 1)

START_TEST(a_reply_is_read_as_it_was_written)
{
    struct buffer bytes;
    struct feed_reply reply;
    struct feed_reply_block block;
    struct span rest = reply_make(&bytes);
    ck_assert(feed_reply_decode(rest, &reply));
    ck_assert_uint_eq(reply.epoch, UINT64_MAX);
    ck_assert(span_equal(reply.chain_before, span_of_text("chain")));
    const struct feed_progress *progress = &reply.progress;
    ck_assert(progress->known && progress->has_settled);
    ck_assert_uint_eq(progress->end, 77);
    ck_assert_int_eq(progress->end_recorded_at_ms, -8);
    ck_assert_uint_eq(progress->settled.cause, 12);
    ck_assert_int_eq(progress->settled.at_ms, -13);
    ck_assert_uint_eq(progress->input_count, 1);
    ck_assert_str_eq(progress->inputs[0].feed.name, "loyalty");
    ck_assert_uint_eq(progress->inputs[0].feed.shard, 3);
    ck_assert_uint_eq(progress->inputs[0].seq, 11);
    ck_assert_uint_eq(reply.block_count, 2);
    ck_assert(feed_reply_block_take(&rest, &block));
    ck_assert(span_equal(block.header, span_of_text("first")));
    ck_assert(block.is_whole && span_equal(block.public_part, span_of_text("facts")));
    ck_assert(feed_reply_block_take(&rest, &block));
    ck_assert(span_equal(block.header, span_of_text("second")));
    ck_assert(!block.is_whole);
    ck_assert(!feed_reply_block_take(&rest, &block));
    buffer_release(&bytes);
}
END_TEST

START_TEST(a_reply_of_nothing_says_nothing)
{
    struct feed_reply reply;
    struct span rest = span_of("", 0);
    struct feed_reply_block block;
    ck_assert(feed_reply_decode(rest, &reply));
    ck_assert_uint_eq(reply.epoch, 0);
    ck_assert_uint_eq(reply.block_count, 0);
    ck_assert_uint_eq(reply.chain_before.size, 0);
    ck_assert(!reply.progress.has_settled);
    ck_assert(!feed_reply_block_take(&rest, &block));
}
END_TEST

START_TEST(a_reply_that_is_cut_is_none)
{
    struct buffer bytes;
    struct span whole = reply_make(&bytes);
    size_t sound = 0;
    for (size_t size = 0; size <= whole.size; size++) {
        /* In memory of just that size, so that a look beyond it is seen. */
        uint8_t *cut = memory_allocate(size + 1);
        struct feed_reply reply;
        if (size > 0) {
            memcpy(cut, whole.data, size);
        }
        sound += feed_reply_decode(span_of(cut, size), &reply) ? 1 : 0;
        free(cut);
    }
    ck_assert_uint_eq(sound, 11); /* at the end of each of ten fields, and at the beginning */
    buffer_release(&bytes);
}
END_TEST

/* What stands behind a sound reply, and whether it stays one. */
static const struct {
    const char *bytes;
    size_t size;
    bool is_reply;
} tails[] = {
    { "\x08\x01", 2, false },                         /* a second epoch */
    { "\x32\x00", 2, false },                         /* a second chain */
    { "\x3d\x00\x00\x00\x00", 5, false },             /* blocks that are a number */
    { "\x2a\x02\x0a\x01", 4, false },                 /* an input that is cut */
    { "\x2a\x04\x18\x01\x18\x02", 6, false },         /* an input with two seqs */
    { "\x2a\x06\x10\xff\xff\xff\xff\x1f", 8, false }, /* a shard beyond 32 bits */
    { "\x3a\x04\x0a\x00\x0a\x00", 6, false },         /* a block with two headers */
    { "\x3a\x02\x08\x01", 4, false },                 /* a block whose header is a number */
    { "\x52\x03new", 5, true },                       /* a field of tomorrow */
    { "\x2a\x02\x18\x01", 4, true },                  /* an input without a name */
    { "\x2a\x05\x0a\x03\x61\x00\x62", 7, true },      /* or with none that a feed can have */
    { "\x3a\x00", 2, true }, /* a block without a header: its reader minds */
};

START_TEST(what_is_wrong_in_a_reply_is_seen)
{
    struct buffer bytes;
    struct feed_reply reply;
    (void)reply_make(&bytes);
    add(&bytes, tails[_i].bytes, tails[_i].size);
    ck_assert_int_eq(feed_reply_decode(buffer_span(&bytes), &reply), tails[_i].is_reply);
    ck_assert(!tails[_i].is_reply || reply.progress.input_count == 1);
    buffer_release(&bytes);
}
END_TEST

START_TEST(no_more_inputs_are_taken_than_a_service_may_read)
{
    struct buffer bytes;
    struct feed_reply reply;
    (void)reply_make(&bytes);
    for (int i = 0; i < LIMIT_FEEDS + 5; i++) {
        ADD(&bytes, "\x2a\x05\x0a\x01x\x18\x01");
    }
    ck_assert(feed_reply_decode(buffer_span(&bytes), &reply));
    ck_assert_uint_eq(reply.progress.input_count, LIMIT_FEEDS);
    buffer_release(&bytes);
}
END_TEST

static Suite *feed_reply_suite(void)
{
    Suite *suite = suite_create("feed_reply");
    TCase *reading = tcase_create("reading");
    tcase_add_test(reading, a_reply_is_read_as_it_was_written);
    tcase_add_test(reading, a_reply_of_nothing_says_nothing);
    tcase_add_test(reading, a_reply_that_is_cut_is_none);
    tcase_add_loop_test(reading, what_is_wrong_in_a_reply_is_seen, 0,
                        (int)(sizeof tails / sizeof tails[0]));
    tcase_add_test(reading, no_more_inputs_are_taken_than_a_service_may_read);
    suite_add_tcase(suite, reading);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(feed_reply_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
