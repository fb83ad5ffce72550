/* link: common_journal common_base */
#include "common/base/limits.h"
#include "common/journal/journal.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP_BYTES ((size_t)256 * 1024 * 1024)
#define EPOCH UINT64_C(0x1122334455667788)
#define WALL_MS INT64_C(1700000000000)
#define BATCH_MAX 64

/* ---- a failing disk: LMDB's own calls of fdatasync come here */

static int *syncs_failing(void)
{
    static int failing;
    return &failing;
}

int fdatasync(int descriptor)
{
    if (*syncs_failing() != 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, descriptor);
}

/* ---- a folder for one journal */

struct place {
    char folder[64];
    char path[128];
};

static struct place place_make(void)
{
    struct place place = { .folder = "/tmp/kith-test-journal-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(place.folder));
    (void)snprintf(place.path, sizeof place.path, "%s/journal.mdb", place.folder);
    return place;
}

static void place_remove(const struct place *place)
{
    char lock[160] = { 0 };
    (void)snprintf(lock, sizeof lock, "%s-lock", place->path);
    (void)unlink(place->path);
    (void)unlink(lock);
    ck_assert_int_eq(rmdir(place->folder), 0); /* nothing else was left in it */
}

static struct journal_options options_of(const struct place *place)
{
    return (struct journal_options){ .path = place->path,
                                     .service = "loyalty",
                                     .shard = 3,
                                     .map_bytes = MAP_BYTES,
                                     .epoch = EPOCH };
}

static struct journal *opened(const struct place *place)
{
    struct journal_options options = options_of(place);
    struct journal *journal = NULL;
    struct refusal refusal = { 0 };
    enum status status = journal_open(&journal, &options, &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    return journal;
}

/* ---- blocks whose content follows from their number */

static uint32_t facts_of(uint64_t number)
{
    return (uint32_t)(number % 4); /* each fourth block has none */
}

static uint64_t seq_before(uint64_t number)
{
    uint64_t rounds = (number - 1) / 4;
    uint64_t seq = rounds * 6;
    for (uint64_t n = rounds * 4 + 1; n < number; n++) {
        seq += facts_of(n);
    }
    return seq;
}

static void block_make(struct block_builder *builder, const struct journal_position *before,
                       size_t body_size, struct block *block)
{
    uint64_t number = before->block + 1;
    uint8_t *body = memory_allocate(body_size + 1);
    memset(body, (int)(number % 251), body_size);
    block_begin(builder, before, WALL_MS, WALL_MS + (int64_t)number);
    for (uint32_t i = 0; i < facts_of(number); i++) {
        struct fact fact = { .type = FACT_POINTS_EARNED,
                             .version = 1,
                             .recorded_at_ms = WALL_MS + (int64_t)number,
                             .cause = number,
                             .has_customer = true,
                             .body = span_of(body, body_size) };
        be64_put(fact.customer.bytes, number * UINT64_C(0x9e3779b97f4a7c15));
        ck_assert_uint_eq(block_fact_add(builder, &fact), before->seq + 1 + i);
    }
    struct outcome outcome = { .status = STATUS_OK, .reply_body = span_of(body, body_size) };
    block_outcome_add(builder, &outcome);
    block_seal(builder, before, WALL_MS + (int64_t)number, block);
    free(body);
}

/* Appends blocks in one commit. */
static enum status blocks_append(struct journal *journal, size_t count, size_t body_size)
{
    static struct block_builder builders[BATCH_MAX];
    struct block blocks[BATCH_MAX];
    struct journal_position at = journal_end(journal);
    ck_assert_uint_le(count, BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        block_builder_init(&builders[i]);
        block_make(&builders[i], &at, body_size, &blocks[i]);
        at = block_position(&blocks[i]);
    }
    enum status status = journal_append(journal, blocks, count);
    for (size_t i = 0; i < count; i++) {
        block_builder_release(&builders[i]);
    }
    return status;
}

static void blocks_appended(struct journal *journal, size_t count, size_t body_size)
{
    for (size_t left = count; left > 0;) {
        size_t batch = left < BATCH_MAX ? left : BATCH_MAX;
        ck_assert_int_eq(blocks_append(journal, batch, body_size), STATUS_OK);
        left -= batch;
    }
}

/* ---- what a reader sees */

struct reader {
    struct journal_position at;
    uint64_t blocks;
    uint64_t stop_at;      /* end after this block; 0: never */
    struct journal *grows; /* appends a block to it in each visit, until `grown` */
    uint64_t grown;
};

static bool block_follows(void *argument, const struct block *block)
{
    struct reader *reader = argument;
    ck_assert_uint_eq(block->header.number, reader->at.block + 1);
    ck_assert_uint_eq(block->header.first_seq, reader->at.seq + 1);
    ck_assert_uint_eq(block->header.count, facts_of(block->header.number));
    ck_assert_int_eq(block_check(block, &reader->at.chain, true), STATUS_OK);
    reader->at = block_position(block);
    reader->blocks += 1;
    if (reader->grows != NULL && journal_end(reader->grows).block < reader->grown) {
        ck_assert_int_eq(blocks_append(reader->grows, 1, 5000), STATUS_OK);
    }
    return reader->at.block != reader->stop_at;
}

static uint64_t blocks_read(struct journal *journal, const struct journal_position *after)
{
    struct reader reader = { .at = *after };
    struct refusal refusal = { 0 };
    enum status status = journal_read(journal, after, block_follows, &reader, &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    struct journal_position end = journal_end(journal);
    ck_assert_uint_eq(reader.at.block, end.block);
    ck_assert_uint_eq(reader.at.seq, end.seq);
    ck_assert(hash256_equal(reader.at.chain, end.chain));
    return reader.blocks;
}

static struct journal_report verified(struct journal *journal)
{
    struct journal_report report = { 0 };
    struct refusal refusal = { 0 };
    enum status status = journal_verify(journal, &report, &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    return report;
}

static const struct journal_position nothing;

/* ---- opening */

START_TEST(a_new_journal_is_empty_and_keeps_its_epoch)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    ck_assert_uint_eq(journal_epoch(journal), EPOCH);
    ck_assert_uint_eq(journal_end(journal).seq, 0);
    ck_assert_uint_eq(journal_end(journal).block, 0);
    ck_assert_int_eq(journal_end_recorded_at_ms(journal), 0);
    ck_assert_uint_eq(blocks_read(journal, &nothing), 0);
    ck_assert_uint_eq(verified(journal).blocks, 0);
    journal_close(&journal);
    ck_assert_ptr_null(journal);
    journal_close(&journal);

    struct journal_options options = options_of(&place);
    options.epoch = EPOCH + 1; /* only a new file takes it */
    ck_assert_int_eq(journal_open(&journal, &options, NULL), STATUS_OK);
    ck_assert_uint_eq(journal_epoch(journal), EPOCH);
    journal_close(&journal);
    struct stat stat_of = { 0 };
    ck_assert_int_eq(stat(place.path, &stat_of), 0);
    ck_assert_uint_eq(stat_of.st_mode & 0777U, 0600);
    place_remove(&place);
}
END_TEST

START_TEST(blocks_are_there_after_opening_again)
{
    struct place place = place_make();
    struct journal *journal = NULL;
    for (uint64_t round = 1; round <= 5; round++) {
        journal = opened(&place);
        ck_assert_uint_eq(journal_end(journal).block, (round - 1) * 7);
        blocks_appended(journal, 7, 100);
        struct journal_position end = journal_end(journal);
        ck_assert_uint_eq(end.block, round * 7);
        ck_assert_uint_eq(end.seq, seq_before(round * 7 + 1));
        ck_assert_uint_eq(blocks_read(journal, &nothing), round * 7);
        journal_close(&journal);

        journal = opened(&place);
        ck_assert_uint_eq(journal_end(journal).block, end.block);
        ck_assert_uint_eq(journal_end(journal).seq, end.seq);
        ck_assert(hash256_equal(journal_end(journal).chain, end.chain));
        ck_assert_int_eq(journal_end_recorded_at_ms(journal), WALL_MS + (int64_t)end.block);
        journal_close(&journal);
    }
    place_remove(&place);
}
END_TEST

static void open_refused(const struct journal_options *options, enum status expected,
                         const char *words)
{
    struct journal *journal = NULL;
    struct refusal refusal = { 0 };
    ck_assert_int_eq(journal_open(&journal, options, &refusal), expected);
    ck_assert_ptr_null(journal);
    ck_assert_int_eq(refusal.status, expected);
    ck_assert_msg(strstr(refusal.message, words) != NULL, "%s", refusal.message);
}

START_TEST(a_journal_of_another_service_or_shard_is_refused)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    blocks_appended(journal, 3, 10);
    journal_close(&journal);
    struct journal_options options = options_of(&place);
    options.service = "loyaltY";
    open_refused(&options, STATUS_CORRUPT, "is that of loyalty/3, not of loyaltY/3");
    options.service = "loyalty2";
    open_refused(&options, STATUS_CORRUPT, "not of loyalty2/3");
    options.service = "loyalty";
    options.shard = 4;
    open_refused(&options, STATUS_CORRUPT, "not of loyalty/4");
    options.shard = 3;
    ck_assert_int_eq(journal_open(&journal, &options, NULL), STATUS_OK);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

static struct buffer file_load(const char *path)
{
    struct buffer bytes;
    buffer_init(&bytes, MAP_BYTES);
    FILE *file = fopen(path, "rbe");
    ck_assert_ptr_nonnull(file);
    size_t got = 1;
    while (got > 0) {
        ck_assert_int_eq(buffer_reserve(&bytes, 65536), STATUS_OK);
        got = fread(bytes.data + bytes.size, 1, 65536, file);
        bytes.size += got;
    }
    ck_assert_int_eq(fclose(file), 0);
    return bytes;
}

static void file_store(const char *path, struct span bytes)
{
    FILE *file = fopen(path, "wbe");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    ck_assert_int_eq(fclose(file), 0);
}

/* Replaces each occurrence of `from` in the file by as many bytes of `to`. */
static void file_replace(const char *path, struct span from, const void *to)
{
    struct buffer bytes = file_load(path);
    size_t found = 0;
    uint8_t *at = bytes.data;
    while ((at = memmem(at, bytes.size - (size_t)(at - bytes.data), from.data, from.size)) !=
           NULL) {
        memcpy(at, to, from.size);
        at += from.size;
        found += 1;
    }
    ck_assert_uint_gt(found, 0);
    file_store(path, buffer_span(&bytes));
    buffer_release(&bytes);
}

#define META_BYTES 39

static struct span meta_of(uint32_t format, uint8_t *out)
{
    be32_put(out, format);
    be64_put(out + 4, 1); /* the first commit wrote it */
    be64_put(out + 12, EPOCH);
    be32_put(out + 20, 3);
    memcpy(out + 24, options_of(&(struct place){ 0 }).service, 7);
    be64_put(out + 31, checksum_of(span_of_text("journal"), span_of(out, 31)));
    return span_of(out, META_BYTES);
}

START_TEST(a_journal_of_a_newer_format_is_refused)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    blocks_appended(journal, 3, 10);
    journal_close(&journal);
    uint8_t ours[META_BYTES] = { 0 };
    uint8_t newer[META_BYTES] = { 0 };
    file_replace(place.path, meta_of(1, ours), meta_of(2, newer).data);
    struct journal_options options = options_of(&place);
    open_refused(&options, STATUS_REFUSED, "newer version");
    options.read_only = true;
    open_refused(&options, STATUS_REFUSED, "newer version");
    place_remove(&place);
}
END_TEST

START_TEST(a_damaged_meta_record_is_found)
{
    uint8_t ours[META_BYTES] = { 0 };
    struct span meta = meta_of(1, ours);
    for (size_t bit = 0; bit < meta.size * 8; bit += 5) {
        struct place place = place_make();
        struct journal *journal = opened(&place);
        journal_close(&journal);
        uint8_t flipped[META_BYTES] = { 0 };
        memcpy(flipped, ours, sizeof flipped);
        flipped[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        file_replace(place.path, meta, flipped);
        struct journal_options options = options_of(&place);
        open_refused(&options, STATUS_CORRUPT, "meta record is damaged");
        place_remove(&place);
    }
}
END_TEST

START_TEST(what_is_no_journal_is_refused)
{
    struct place place = place_make();
    struct journal_options options = options_of(&place);
    options.read_only = true;
    open_refused(&options, STATUS_NOT_FOUND, place.path);
    options.read_only = false;

    uint8_t text[8192];
    memset(text, 'x', sizeof text);
    file_store(place.path, span_of(text, sizeof text));
    open_refused(&options, STATUS_CORRUPT, place.path);
    ck_assert_int_eq(unlink(place.path), 0);

    struct journal *journal = opened(&place);
    journal_close(&journal);
    file_replace(place.path, span_of_text("blocks"), "blokcs");
    open_refused(&options, STATUS_CORRUPT, "is not a journal");
    options.read_only = true;
    open_refused(&options, STATUS_CORRUPT, "is not a journal");
    place_remove(&place);

    options.read_only = false; /* its folder is gone */
    open_refused(&options, STATUS_INTERNAL, "No such file");
}
END_TEST

/* What a crash between LMDB's making the file and our first commit leaves. */
START_TEST(a_file_without_a_first_commit_is_new)
{
    struct place place = place_make();
    file_store(place.path, span_of("", 0));
    struct journal *journal = opened(&place);
    ck_assert_uint_eq(journal_epoch(journal), EPOCH);
    blocks_appended(journal, 3, 10);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

/* A file has its name when it can be opened: what a power cut leaves of one that was being made
 * bears another, and goes. */
START_TEST(a_file_that_was_cut_off_while_it_was_made_is_in_nobodys_way)
{
    struct place place = place_make();
    char made[sizeof place.path + 8];
    (void)snprintf(made, sizeof made, "%s.new", place.path);
    uint8_t torn[4096] = { 0 };
    file_store(made, span_of(torn, sizeof torn));
    struct journal *journal = opened(&place);
    blocks_appended(journal, 3, 10);
    journal_close(&journal);
    ck_assert_int_eq(access(made, F_OK), -1);
    place_remove(&place);
}
END_TEST

/* ---- appending and reading */

START_TEST(ten_thousand_small_blocks_are_read_located_and_verified)
{
    enum { BLOCKS = 10000 };
    struct place place = place_make();
    struct journal *journal = opened(&place);
    blocks_appended(journal, BLOCKS, 20);
    ck_assert_uint_eq(blocks_read(journal, &nothing), BLOCKS);
    struct journal_report report = verified(journal);
    ck_assert_uint_eq(report.blocks, BLOCKS);
    ck_assert_uint_eq(report.facts, journal_end(journal).seq);
    ck_assert_uint_eq(report.facts, BLOCKS / 4 * 6);
    ck_assert_uint_gt(report.bytes, BLOCKS * UINT64_C(150));
    for (uint64_t number = 1; number <= BLOCKS; number += 1) {
        for (uint32_t i = 0; i < facts_of(number); i++) {
            struct journal_position before = { 0 };
            ck_assert_int_eq(journal_locate(journal, seq_before(number) + 1 + i, &before),
                             STATUS_OK);
            ck_assert_uint_eq(before.block, number - 1);
            ck_assert_uint_eq(before.seq, seq_before(number));
        }
    }
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

START_TEST(blocks_of_a_mebibyte_come_back)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    struct block_builder builder;
    block_builder_init(&builder);
    uint8_t *body = memory_allocate(LIMIT_RECORD_BYTES);
    for (uint64_t number = 1; number <= 8; number++) {
        struct journal_position before = journal_end(journal);
        struct block block = { 0 };
        block_begin(&builder, &before, WALL_MS, WALL_MS);
        struct fact fact = { .type = 1, .version = 1, .recorded_at_ms = WALL_MS };
        fact.body = span_of(body, LIMIT_RECORD_BYTES);
        while (block_size(&builder) < LIMIT_BLOCK_BYTES) {
            memset(body, (int)block_size(&builder) % 256, LIMIT_RECORD_BYTES);
            (void)block_fact_add(&builder, &fact);
        }
        block_seal(&builder, &before, WALL_MS, &block);
        ck_assert_int_eq(journal_append(journal, &block, 1), STATUS_OK);
    }
    struct journal_report report = verified(journal);
    ck_assert_uint_eq(report.blocks, 8);
    ck_assert_uint_gt(report.bytes, UINT64_C(8) * LIMIT_BLOCK_BYTES);
    free(body);
    block_builder_release(&builder);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

START_TEST(several_blocks_of_one_commit_stand_in_order)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    for (size_t count = 1; count <= 20; count++) {
        ck_assert_int_eq(blocks_append(journal, count, count * 300), STATUS_OK);
    }
    ck_assert_uint_eq(journal_end(journal).block, 210);
    ck_assert_uint_eq(blocks_read(journal, &nothing), 210);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

static bool border_keep(void *argument, const struct block *block)
{
    struct journal_position *borders = argument;
    borders[block->header.number] = block_position(block);
    return true;
}

/* All borders of a journal of `count` blocks; free() it. */
static struct journal_position *borders_of(struct journal *journal, size_t count)
{
    struct journal_position *borders = memory_allocate((count + 1) * sizeof *borders);
    ck_assert_int_eq(journal_read(journal, &nothing, border_keep, borders, NULL), STATUS_OK);
    return borders;
}

START_TEST(reading_begins_at_any_border_and_nowhere_else)
{
    enum { BLOCKS = 150 };
    struct place place = place_make();
    struct journal *journal = opened(&place);
    blocks_appended(journal, BLOCKS, 40);
    struct journal_position *borders = borders_of(journal, BLOCKS);
    for (uint64_t block = 0; block <= BLOCKS; block++) {
        ck_assert_uint_eq(blocks_read(journal, &borders[block]), BLOCKS - block);
        struct journal_position wrong[] = { borders[block], borders[block], borders[block] };
        wrong[0].seq += 1;
        wrong[1].block += 2; /* the next one may end at the same seq */
        wrong[2].seq = UINT64_MAX;
        for (size_t i = 0; i < 3; i++) {
            struct refusal refusal = { 0 };
            struct reader reader = { 0 };
            ck_assert_int_eq(journal_read(journal, &wrong[i], block_follows, &reader, &refusal),
                             STATUS_CORRUPT);
            ck_assert_uint_eq(reader.blocks, 0);
            ck_assert_ptr_nonnull(strstr(refusal.message, "no block that ends before it"));
        }
    }
    free(borders);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

START_TEST(reading_stops_where_the_visitor_says)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    blocks_appended(journal, 100, 40);
    for (uint64_t stop_at = 1; stop_at <= 100; stop_at += 9) {
        struct reader reader = { .stop_at = stop_at };
        ck_assert_int_eq(journal_read(journal, &nothing, block_follows, &reader, NULL), STATUS_OK);
        ck_assert_uint_eq(reader.blocks, stop_at);
    }
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

START_TEST(appending_inside_a_visit_does_not_disturb_the_reading)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    blocks_appended(journal, 100, 40);
    struct reader reader = { .grows = journal, .grown = 300 };
    ck_assert_int_eq(journal_read(journal, &nothing, block_follows, &reader, NULL), STATUS_OK);
    /* Renewed snapshots see what was appended meanwhile. */
    ck_assert_uint_gt(reader.blocks, 100);
    ck_assert_uint_eq(blocks_read(journal, &nothing), journal_end(journal).block);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

START_TEST(one_block_is_read_by_its_place)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    blocks_appended(journal, 50, 40);
    struct journal_position *borders = borders_of(journal, 50);
    for (uint64_t block = 1; block <= 50; block++) {
        struct reader reader = { .at = borders[block - 1] };
        uint64_t first_seq = borders[block - 1].seq + 1;
        ck_assert_int_eq(journal_read_one(journal, first_seq, block, block_follows, &reader),
                         STATUS_OK);
        ck_assert_uint_eq(reader.blocks, 1);
        ck_assert_int_eq(journal_read_one(journal, first_seq + 1, block, block_follows, &reader),
                         STATUS_NOT_FOUND);
        ck_assert_int_eq(journal_read_one(journal, first_seq, 0, block_follows, &reader),
                         STATUS_NOT_FOUND);
        ck_assert_uint_eq(reader.blocks, 1);
    }
    free(borders);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

/* Of a journal of `count` blocks. */
static void all_located(struct journal *journal, size_t count)
{
    struct journal_position *borders = borders_of(journal, count);
    struct journal_position end = journal_end(journal);
    struct journal_position before = { 0 };
    uint64_t block = 1;
    for (uint64_t seq = 1; seq <= end.seq; seq++) {
        while (borders[block].seq < seq) {
            block += 1;
        }
        ck_assert_int_eq(journal_locate(journal, seq, &before), STATUS_OK);
        ck_assert_uint_eq(before.block, block - 1);
        ck_assert_uint_eq(before.seq, borders[block - 1].seq);
        ck_assert(hash256_equal(before.chain, borders[block - 1].chain));
    }
    ck_assert_int_eq(journal_locate(journal, end.seq + 1, &before), STATUS_OK);
    ck_assert_uint_eq(before.block, end.block);
    ck_assert(hash256_equal(before.chain, end.chain));
    free(borders);
}

/* No fact, and none that could be the next. */
static void none_located(struct journal *journal)
{
    const uint64_t seqs[] = { 0, journal_end(journal).seq + 2, UINT64_MAX };
    for (size_t i = 0; i < 3; i++) {
        struct journal_position before = { .block = 99 };
        ck_assert_int_eq(journal_locate(journal, seqs[i], &before), STATUS_NOT_FOUND);
        ck_assert_uint_eq(before.block, 99);
    }
}

START_TEST(every_seq_is_located_in_its_block)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    struct journal_position before = { .block = 99 };
    none_located(journal);
    ck_assert_int_eq(journal_locate(journal, 1, &before), STATUS_OK);
    ck_assert_uint_eq(before.block, 0);
    for (size_t count = 1; count <= 13; count++) {
        ck_assert_int_eq(blocks_append(journal, 1, 30), STATUS_OK);
        all_located(journal, count);
        none_located(journal);
    }
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

START_TEST(a_position_is_a_border_with_its_own_chain_or_wrong)
{
    enum { BLOCKS = 90 }; /* more than are remembered */
    struct place place = place_make();
    struct journal *journal = opened(&place);
    ck_assert_int_eq(journal_position_check(journal, &nothing), STATUS_OK);
    blocks_appended(journal, BLOCKS, 40);
    struct journal_position *borders = borders_of(journal, BLOCKS);
    for (uint64_t block = 0; block <= BLOCKS; block++) {
        ck_assert_int_eq(journal_position_check(journal, &borders[block]), STATUS_OK);
        struct journal_position wrong = borders[block];
        wrong.chain.bytes[31] ^= 0x80;
        ck_assert_int_eq(journal_position_check(journal, &wrong), STATUS_CORRUPT);
        wrong = borders[block];
        wrong.seq += 1;
        ck_assert_int_eq(journal_position_check(journal, &wrong), STATUS_CORRUPT);
        wrong = borders[block];
        wrong.block += 1;
        ck_assert_int_eq(journal_position_check(journal, &wrong), STATUS_CORRUPT);
        wrong = borders[block];
        wrong.block -= 1; /* of block 0: the greatest number there is */
        ck_assert_int_eq(journal_position_check(journal, &wrong), STATUS_CORRUPT);
    }
    /* A journal of the past: the position lies behind its end. */
    struct journal_position later = borders[BLOCKS];
    later.seq += 100;
    later.block += 10;
    ck_assert_int_eq(journal_position_check(journal, &later), STATUS_CORRUPT);
    free(borders);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

/* ---- faults of the host */

static uint64_t bytes_on_disk(const char *path)
{
    struct stat facts;
    ck_assert_int_eq(stat(path, &facts), 0);
    return (uint64_t)facts.st_blocks * 512;
}

START_TEST(room_that_is_reserved_is_there_and_within_the_map)
{
    const size_t room = (size_t)2 * 1024 * 1024;
    struct place place = place_make();
    struct journal_options options = options_of(&place);
    options.map_bytes = 4 * room;
    struct journal *journal = NULL;
    ck_assert_int_eq(journal_open(&journal, &options, NULL), STATUS_OK);
    ck_assert_int_eq(blocks_append(journal, 3, 3000), STATUS_OK);
    ck_assert_int_eq(journal_reserve(journal, room), STATUS_OK);
    ck_assert_uint_gt(bytes_on_disk(options.path), room);
    ck_assert_uint_gt(journal_disk_free_bytes(journal), 0);
    ck_assert_int_eq(blocks_append(journal, 3, 3000), STATUS_OK);
    ck_assert_uint_eq(verified(journal).blocks, 6);
    /* More than the map's rest is never needed. */
    ck_assert_int_eq(journal_reserve(journal, SIZE_MAX / 2), STATUS_OK);
    ck_assert_uint_le(bytes_on_disk(options.path), options.map_bytes + room);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

START_TEST(a_full_map_gives_a_status_and_the_journal_stays)
{
    struct place place = place_make();
    struct journal_options options = options_of(&place);
    options.map_bytes = (size_t)512 * 1024;
    struct journal *journal = NULL;
    ck_assert_int_eq(journal_open(&journal, &options, NULL), STATUS_OK);
    uint64_t appended = 0;
    enum status status = STATUS_OK;
    for (; status == STATUS_OK && appended < 1000; appended += 3) {
        status = blocks_append(journal, 3, 3000);
    }
    appended -= 3;
    ck_assert_int_eq(status, STATUS_LIMIT);
    ck_assert_uint_gt(appended, 0);
    size_t used = 0;
    size_t map = 0;
    journal_space(journal, &used, &map);
    ck_assert_uint_eq(map, options.map_bytes);
    ck_assert_uint_le(used, map);
    ck_assert_uint_gt(used, map / 2);

    ck_assert_uint_eq(journal_end(journal).block, appended);
    ck_assert_uint_eq(blocks_read(journal, &nothing), appended);
    ck_assert_uint_eq(verified(journal).blocks, appended);
    journal_close(&journal);

    journal = opened(&place); /* with a larger map */
    ck_assert_uint_eq(journal_end(journal).block, appended);
    ck_assert_int_eq(blocks_append(journal, 3, 3000), STATUS_OK);
    ck_assert_uint_eq(verified(journal).blocks, appended + 3);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

START_TEST(after_a_failed_sync_nothing_is_said_any_more)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    blocks_appended(journal, 5, 100);
    *syncs_failing() = 1;
    ck_assert_int_eq(blocks_append(journal, 1, 100), STATUS_INTERNAL);
    *syncs_failing() = 0;
    ck_assert_uint_eq(journal_end(journal).block, 5);
    /* Unknown stays unknown, even when the disk is well again. */
    ck_assert_int_eq(blocks_append(journal, 1, 100), STATUS_INTERNAL);
    ck_assert_uint_eq(journal_end(journal).block, 5);
    journal_close(&journal);

    journal = opened(&place);
    uint64_t block = journal_end(journal).block;
    ck_assert(block == 5 || block == 6);
    ck_assert_uint_eq(verified(journal).blocks, block);
    ck_assert_int_eq(blocks_append(journal, 1, 100), STATUS_OK);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

START_TEST(the_used_space_grows_with_what_is_appended)
{
    struct place place = place_make();
    struct journal *journal = opened(&place);
    size_t used[2] = { 0 };
    size_t map = 0;
    journal_space(journal, &used[0], &map);
    ck_assert_uint_eq(map, MAP_BYTES);
    ck_assert_uint_gt(used[0], 0);
    blocks_appended(journal, 64, 10000);
    journal_space(journal, &used[1], &map);
    ck_assert_uint_gt(used[1], used[0] + (size_t)64 * 10000);
    ck_assert_uint_le(used[1], map);
    journal_readers_check(journal);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

/* ---- another process reads. It is forked before the journal is opened: LMDB's
 * environment must not be carried over a fork. */

static void verify_serve(const struct place *place, int orders, int answers)
{
    struct journal *journal = NULL;
    struct journal_options options = options_of(place);
    options.read_only = true;
    char order = 0;
    while (read(orders, &order, 1) == 1) {
        struct journal_report report = { .blocks = UINT64_MAX };
        if (journal == NULL && journal_open(&journal, &options, NULL) != STATUS_OK) {
            _exit(2);
        }
        if (journal_verify(journal, &report, NULL) != STATUS_OK ||
            write(answers, &report.blocks, sizeof report.blocks) != sizeof report.blocks) {
            _exit(3);
        }
    }
    journal_close(&journal);
    _exit(0);
}

START_TEST(another_process_verifies_while_this_one_appends)
{
    struct place place = place_make();
    int orders[2] = { -1, -1 };
    int answers[2] = { -1, -1 };
    ck_assert_int_eq(pipe(orders), 0);
    ck_assert_int_eq(pipe(answers), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)close(orders[1]);
        verify_serve(&place, orders[0], answers[1]);
    }
    struct journal *journal = opened(&place);
    for (unsigned round = 0; round < 20; round++) {
        uint64_t before = journal_end(journal).block;
        ck_assert_int_eq(write(orders[1], "v", 1), 1);
        for (unsigned i = 0; i < 10; i++) {
            ck_assert_int_eq(blocks_append(journal, 1 + i % 3, 2000), STATUS_OK);
        }
        uint64_t blocks = 0;
        ck_assert_int_eq(read(answers[0], &blocks, sizeof blocks), sizeof blocks);
        ck_assert_uint_ge(blocks, before);
        ck_assert_uint_le(blocks, journal_end(journal).block);
    }
    ck_assert_int_eq(close(orders[1]), 0);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    (void)close(orders[0]);
    (void)close(answers[0]);
    (void)close(answers[1]);
    journal_close(&journal);
    place_remove(&place);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("journal");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_new_journal_is_empty_and_keeps_its_epoch);
    tcase_add_test(tests, blocks_are_there_after_opening_again);
    tcase_add_test(tests, a_journal_of_another_service_or_shard_is_refused);
    tcase_add_test(tests, a_journal_of_a_newer_format_is_refused);
    tcase_add_test(tests, a_damaged_meta_record_is_found);
    tcase_add_test(tests, what_is_no_journal_is_refused);
    tcase_add_test(tests, a_file_without_a_first_commit_is_new);
    tcase_add_test(tests, a_file_that_was_cut_off_while_it_was_made_is_in_nobodys_way);
    tcase_add_test(tests, ten_thousand_small_blocks_are_read_located_and_verified);
    tcase_add_test(tests, blocks_of_a_mebibyte_come_back);
    tcase_add_test(tests, several_blocks_of_one_commit_stand_in_order);
    tcase_add_test(tests, reading_begins_at_any_border_and_nowhere_else);
    tcase_add_test(tests, reading_stops_where_the_visitor_says);
    tcase_add_test(tests, appending_inside_a_visit_does_not_disturb_the_reading);
    tcase_add_test(tests, one_block_is_read_by_its_place);
    tcase_add_test(tests, every_seq_is_located_in_its_block);
    tcase_add_test(tests, a_position_is_a_border_with_its_own_chain_or_wrong);
    tcase_add_test(tests, a_full_map_gives_a_status_and_the_journal_stays);
    tcase_add_test(tests, room_that_is_reserved_is_there_and_within_the_map);
    tcase_add_test(tests, after_a_failed_sync_nothing_is_said_any_more);
    tcase_add_test(tests, the_used_space_grows_with_what_is_appended);
    tcase_add_test(tests, another_process_verifies_while_this_one_appends);
    Suite *suite = suite_create("journal");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
