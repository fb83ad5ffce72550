/* link: common_journal common_base */
/*
 * Flips bits in the file of a journal, one at a time, and asks whether anybody notices.
 *
 * A bit of a stored block must always be reported, with the block's number and seq. Any
 * other bit is LMDB's own: it may not matter, it may be reported, or LMDB may fall over it;
 * but whoever reads a whole journal from the damaged file has read the right one.
 * All of it happens in child processes: what LMDB makes of a damaged page may end one.
 */
#include "common/journal/journal.h"

#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP_BYTES ((size_t)16 * 1024 * 1024)
#define BLOCKS 24
/* What stands before the header and after the private part in a stored block. */
#define PREFIX_BYTES 56
#define CHECKSUM_BYTES 8
/* Of a meta page, what is used. */
#define META_BYTES 152
#define FLIPS_MAX 8192
/* Of the processor, and far more than a check takes: some flips lead LMDB round in circles. */
#define CHECK_SECONDS 1

enum outcome_of_flip {
    FLIP_UNTRIED,
    FLIP_KILLS, /* the process that tried it ended */
    FLIP_REPORTED,
    FLIP_NAMED, /* reported, with the block's number and seq */
    FLIP_MATTERS_NOT,
    FLIP_UNSEEN, /* nobody noticed, but what was read is not what was written */
};

struct stored {
    size_t begin; /* in the file */
    size_t end;
    uint64_t number;
    uint64_t first_seq;
};

/* Shared with the children. */
struct shared {
    struct stored stored[BLOCKS + 1]; /* by number */
    struct hash128 digest;            /* of all blocks, as written */
    size_t count;                     /* flips to try */
    size_t next;
    struct {
        size_t bit; /* in the file */
        enum outcome_of_flip outcome;
    } flips[FLIPS_MAX];
};

static struct journal_options options_of(const char *path, bool read_only)
{
    return (struct journal_options){ .path = path,
                                     .service = "ingestion",
                                     .map_bytes = MAP_BYTES,
                                     .epoch = 1,
                                     .read_only = read_only };
}

/* Small blocks that share a page, blocks that fill one, blocks of several. */
static size_t body_size_of(uint64_t number)
{
    static const size_t sizes[] = { 10, 200, 1500, 7000 };
    return sizes[number % 4];
}

static void block_append(struct journal *journal, struct block_builder *builder)
{
    struct journal_position before = journal_end(journal);
    static uint8_t body[8192];
    memset(body, (int)before.block + 1, sizeof body);
    struct fact fact = { .type = FACT_EVENT_ACCEPTED, .version = 1, .recorded_at_ms = 5 };
    fact.body = span_of(body, body_size_of(before.block + 1));
    struct block block = { 0 };
    block_begin(builder, &before, 5, 5);
    (void)block_fact_add(builder, &fact);
    block_record_add(builder, span_of_text("private"));
    block_seal(builder, &before, 5, &block);
    if (journal_append(journal, &block, 1) != STATUS_OK) {
        _exit(2);
    }
}

/* Where the file is mapped in this process. */
static uintptr_t map_address(const char *path)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512] = { 0 };
    uintptr_t address = 0;
    while (maps != NULL && address == 0 && fgets(line, sizeof line, maps) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        const char *name = strchr(line, '/');
        if (name != NULL && strcmp(name, path) == 0) {
            address = (uintptr_t)strtoull(line, NULL, 16);
        }
    }
    if (maps == NULL || fclose(maps) != 0 || address == 0) {
        _exit(3);
    }
    return address;
}

struct placing {
    struct shared *shared;
    uintptr_t address;
};

static bool block_place(void *argument, const struct block *block)
{
    const struct placing *placing = argument;
    size_t header = (size_t)((uintptr_t)block->header_bytes.data - placing->address);
    size_t end = (size_t)((uintptr_t)block->private_part.data - placing->address) +
                 block->private_part.size + CHECKSUM_BYTES;
    placing->shared->stored[block->header.number] =
        (struct stored){ .begin = header - PREFIX_BYTES,
                         .end = end,
                         .number = block->header.number,
                         .first_seq = block->header.first_seq };
    return true;
}

static bool block_digest(void *argument, const struct block *block)
{
    struct hash_stream *stream = argument;
    hash_stream_add(stream, block->header_bytes);
    hash_stream_add(stream, block->public_part);
    hash_stream_add(stream, block->private_part);
    hash_stream_add(stream, span_of(block->chain.bytes, sizeof block->chain.bytes));
    return true;
}

static enum status journal_digest(struct journal *journal, struct hash128 *digest,
                                  struct refusal *refusal)
{
    struct hash_stream stream;
    hash_stream_init(&stream);
    enum status status =
        journal_read(journal, &(struct journal_position){ 0 }, block_digest, &stream, refusal);
    *digest = hash_stream_end128(&stream);
    return status;
}

/* In a child: writes the journal and tells where its blocks stand. */
static void journal_write(const char *path, struct shared *shared)
{
    struct journal *journal = NULL;
    struct journal_options options = options_of(path, false);
    if (journal_open(&journal, &options, NULL) != STATUS_OK) {
        _exit(1);
    }
    struct block_builder builder;
    block_builder_init(&builder);
    for (size_t i = 0; i < BLOCKS; i++) {
        block_append(journal, &builder);
    }
    block_builder_release(&builder);
    struct placing placing = { .shared = shared, .address = map_address(path) };
    if (journal_read(journal, &(struct journal_position){ 0 }, block_place, &placing, NULL) !=
            STATUS_OK ||
        journal_digest(journal, &shared->digest, NULL) != STATUS_OK) {
        _exit(4);
    }
    journal_close(&journal);
    _exit(0);
}

/* ---- one flip */

static const struct stored *stored_at(const struct shared *shared, size_t byte)
{
    for (size_t number = 1; number <= BLOCKS; number++) {
        const struct stored *stored = &shared->stored[number];
        if (byte >= stored->begin && byte < stored->end) {
            return stored;
        }
    }
    return NULL;
}

static enum outcome_of_flip outcome_named(const struct stored *stored, const char *message)
{
    char words[64] = { 0 };
    if (stored == NULL) {
        return FLIP_REPORTED;
    }
    (void)snprintf(words, sizeof words, "block %" PRIu64 " at seq %" PRIu64 ":", stored->number,
                   stored->first_seq);
    return strstr(message, words) != NULL ? FLIP_NAMED : FLIP_REPORTED;
}

static enum outcome_of_flip journal_try(const char *path, const struct shared *shared, size_t byte)
{
    struct journal *journal = NULL;
    struct journal_options options = options_of(path, true);
    struct refusal refusal = { 0 };
    struct hash128 digest = { { 0 } };
    enum status status = journal_open(&journal, &options, &refusal);
    if (status == STATUS_OK) {
        status = journal_verify(journal, NULL, &refusal);
    }
    if (status == STATUS_OK) {
        status = journal_digest(journal, &digest, &refusal);
    }
    journal_close(&journal);
    const struct stored *stored = stored_at(shared, byte);
    if (status == STATUS_CORRUPT) {
        return outcome_named(stored, refusal.message);
    }
    if (status != STATUS_OK) {
        return FLIP_REPORTED;
    }
    return hash128_equal(digest, shared->digest) ? FLIP_MATTERS_NOT : FLIP_UNSEEN;
}

static void bit_flip(int file, size_t bit)
{
    uint8_t byte = 0;
    if (pread(file, &byte, 1, (off_t)(bit / 8)) != 1) {
        _exit(5);
    }
    byte ^= (uint8_t)(1U << (bit % 8));
    if (pwrite(file, &byte, 1, (off_t)(bit / 8)) != 1) {
        _exit(6);
    }
}

/* The sanitizer's handlers would take seconds for each crash that is expected here. */
static void crashes_quietly(void)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        (void)sigaction(signals[i], &plain, NULL);
    }
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDERR_FILENO) < 0) {
        _exit(7);
    }
}

/* Ends this process when it has used so much more of the processor; 0: never. */
static void watch_set(time_t seconds)
{
    const struct itimerval watch = { .it_value = { .tv_sec = seconds } };
    if (setitimer(ITIMER_VIRTUAL, &watch, NULL) != 0) {
        _exit(8);
    }
}

/* In a child: tries flips until all are tried or one ends it. */
static void flips_try(const char *path, struct shared *shared)
{
    crashes_quietly();
    int file = open(path, O_RDWR | O_CLOEXEC);
    while (shared->next < shared->count) {
        size_t index = shared->next;
        size_t bit = shared->flips[index].bit;
        shared->flips[index].outcome = FLIP_KILLS;
        shared->next = index + 1;
        bit_flip(file, bit);
        watch_set(CHECK_SECONDS);
        shared->flips[index].outcome = journal_try(path, shared, bit / 8);
        watch_set(0);
        bit_flip(file, bit);
    }
    _exit(0);
}

/* ---- all of them */

static int child_wait(pid_t child)
{
    int status = 0;
    ck_assert_int_ge(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* One child: how far it comes. */
static void flips_run_some(const char *path, int file, struct shared *shared)
{
    pid_t child = fork();
    if (child == 0) {
        flips_try(path, shared);
    }
    int status = child_wait(child);
    if (WIFSIGNALED(status)) {
        bit_flip(file, shared->flips[shared->next - 1].bit); /* back again */
    } else {
        ck_assert_int_eq(status, 0);
    }
}

static void flips_run(const char *path, struct shared *shared)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    while (shared->next < shared->count) {
        flips_run_some(path, file, shared);
    }
    ck_assert_int_eq(close(file), 0);
}

static void flip_add(struct shared *shared, size_t bit)
{
    ck_assert_uint_lt(shared->count, FLIPS_MAX);
    shared->flips[shared->count++].bit = bit;
}

/* All over the file, more closely in the blocks, in one block each byte, and each bit of
 * LMDB's two meta pages, which decide what is the newest state. */
static void flips_choose(struct shared *shared, size_t file_size)
{
    size_t page_bits = (size_t)sysconf(_SC_PAGESIZE) * 8;
    for (size_t bit = 0; bit < (size_t)META_BYTES * 8; bit++) {
        flip_add(shared, bit);
        flip_add(shared, page_bits + bit);
    }
    for (size_t bit = 0; bit < file_size * 8; bit += 1031) {
        flip_add(shared, bit);
    }
    for (size_t number = 1; number <= BLOCKS; number++) {
        const struct stored *stored = &shared->stored[number];
        size_t step = number == 4 ? 1 : 97;
        for (size_t byte = stored->begin; byte < stored->end; byte += step) {
            flip_add(shared, byte * 8 + byte % 8);
        }
        flip_add(shared, stored->end * 8 - 1);
    }
}

static void outcomes_check(const struct shared *shared)
{
    size_t in_blocks = 0;
    size_t killed = 0;
    for (size_t i = 0; i < shared->count; i++) {
        size_t bit = shared->flips[i].bit;
        enum outcome_of_flip outcome = shared->flips[i].outcome;
        const struct stored *stored = stored_at(shared, bit / 8);
        ck_assert_msg(outcome != FLIP_UNSEEN && outcome != FLIP_UNTRIED,
                      "bit %zu of byte %zu: outcome %d", bit % 8, bit / 8, (int)outcome);
        if (stored != NULL) {
            in_blocks += 1;
            ck_assert_msg(outcome == FLIP_NAMED,
                          "bit %zu of byte %zu, in block %" PRIu64 ": outcome %d", bit % 8, bit / 8,
                          stored->number, (int)outcome);
        }
        killed += outcome == FLIP_KILLS;
    }
    ck_assert_uint_gt(in_blocks, 1000);
    ck_assert_uint_lt(killed, shared->count / 20); /* or the way back is broken */
}

START_TEST(no_flipped_bit_of_a_stored_block_goes_unnoticed)
{
    char folder[] = "/tmp/kith-test-rot-XXXXXX";
    char path[128] = { 0 };
    char lock[160] = { 0 };
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/journal.mdb", folder);
    (void)snprintf(lock, sizeof lock, "%s-lock", path);
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    pid_t child = fork();
    if (child == 0) {
        journal_write(path, shared);
    }
    ck_assert_int_eq(child_wait(child), 0);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = lseek(file, 0, SEEK_END);
    ck_assert_int_eq(close(file), 0);
    ck_assert_int_gt(size, 0);
    flips_choose(shared, (size_t)size);
    flips_run(path, shared);
    outcomes_check(shared);
    ck_assert_int_eq(munmap(shared, sizeof *shared), 0);
    ck_assert_int_eq(unlink(path), 0);
    (void)unlink(lock);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("journal rot");
    tcase_set_timeout(tests, 110);
    tcase_add_test(tests, no_flipped_bit_of_a_stored_block_goes_unnoticed);
    Suite *suite = suite_create("journal rot");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
