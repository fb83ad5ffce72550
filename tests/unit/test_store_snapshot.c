/* link: common_store */
/* What another process's snapshot of the state does to the room that its writer has. */
#include "common/store/store.h"
#include "tests/unit/store_fixture.h"

#include <signal.h>

#define RECORDS 10000
#define VALUE_BYTES 20
/* What one of them takes in memory. */
#define ENTRY_BYTES 128
#define PORTION 10

/* ---- another process that reads, as `verify state` does */

struct reader {
    const struct store_options *options;
    uint32_t records; /* that it must find */
    pid_t process;
    int reads[2]; /* a byte: its snapshot is there */
    int ends[2];  /* closed: it may go on */
};

static bool snapshot_hold(void *argument, struct span key, struct span value)
{
    struct reader *reader = argument;
    char byte = 1;
    (void)key;
    (void)value;
    if (reader->reads[1] >= 0) {
        if (write(reader->reads[1], &byte, 1) != 1 || read(reader->ends[0], &byte, 1) != 0) {
            _exit(1);
        }
        reader->reads[1] = -1; /* that was the first record, at the next ones it does not wait */
    }
    return true;
}

static void reader_run(struct reader *reader)
{
    struct store_digest digests[TABLE_COUNT];
    struct journal_position position = { 0 };
    struct refusal refusal = { 0 };
    struct store_watch watch = { .table = TABLE_LOW, .visit = snapshot_hold, .argument = reader };
    (void)close(reader->ends[1]);
    enum status status =
        store_digests_of_file(reader->options, &watch, digests, &position, &refusal);
    _exit(status == STATUS_OK && digests[0].records == reader->records ? 0 : 1);
}

/* No store may be open on the file in this process. */
static void reader_begin(struct reader *reader, const struct store_options *options)
{
    char byte = 0;
    reader->options = options;
    ck_assert_int_eq(pipe(reader->reads), 0);
    ck_assert_int_eq(pipe(reader->ends), 0);
    (void)fflush(NULL);
    reader->process = fork();
    ck_assert_int_ge(reader->process, 0);
    if (reader->process == 0) {
        reader_run(reader);
    }
    (void)close(reader->reads[1]);
    (void)close(reader->ends[0]);
    ck_assert_int_eq(read(reader->reads[0], &byte, 1), 1);
    (void)close(reader->reads[0]);
}

/* The wait status. */
static int reader_end(struct reader *reader)
{
    int result = 0;
    ck_assert_int_eq(close(reader->ends[1]), 0);
    ck_assert_int_eq(waitpid(reader->process, &result, 0), reader->process);
    return result;
}

/* ---- a writer that goes over the same records again and again */

static void records_put(struct store *store, uint32_t from, uint32_t count, uint64_t round)
{
    struct change change = store_change(store);
    uint8_t value[VALUE_BYTES] = { 0 };
    be64_put(value, round);
    for (uint32_t i = from; i < from + count; i++) {
        struct hash128 key = hash128_of_span(span_of(&i, sizeof i));
        change_put(&change, TABLE_LOW, span_of(key.bytes, sizeof key.bytes),
                   span_of(value, sizeof value));
    }
}

static void checkpoint_try(struct store *store, uint64_t block)
{
    struct journal_position position = position_of(block);
    enum status status = store_checkpoint_whole(store, &position);
    ck_assert_msg(status == STATUS_OK, "checkpoint %llu: %s", (unsigned long long)block,
                  status_text(status));
}

static bool is_used(const struct store *store, size_t percent)
{
    size_t used = 0;
    size_t map = 0;
    store_space(store, &used, &map);
    return used / percent >= map / 100;
}

/* Where commands are refused. */
static bool is_nearly_full(const struct store *store)
{
    return is_used(store, 80);
}

static void records_prepare(const struct store_options *options, uint32_t records)
{
    struct store *store = store_make(options);
    uint64_t block = store_checkpoint(store).block + 1;
    records_put(store, 0, records, block);
    checkpoint_make(store, block);
    store_close(&store);
}

static struct store *store_prepare(struct reader *reader, const struct store_options *options,
                                   uint32_t records)
{
    records_prepare(options, records);
    reader->records = records;
    reader_begin(reader, options);
    return store_make(options);
}

/* ---- tests */

static void room_check(bool is_killed)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.map_bytes = 16U << 20;
    struct reader reader;
    struct store *store = store_prepare(&reader, &options, RECORDS);
    ck_assert(!is_nearly_full(store));
    uint64_t block = 2;
    for (; !is_nearly_full(store); block++) {
        ck_assert_uint_lt(block, 100);
        records_put(store, 0, RECORDS, block);
        checkpoint_try(store, block);
    }
    if (is_killed) {
        ck_assert_int_eq(kill(reader.process, SIGKILL), 0);
        ck_assert_int_ne(reader_end(&reader), 0);
        ck_assert(is_nearly_full(store));
        store_readers_check(store);
    } else {
        ck_assert_int_eq(reader_end(&reader), 0); /* and it has read what was there */
    }
    ck_assert(!is_nearly_full(store));
    for (uint64_t end = block + 20; block < end; block++) {
        records_put(store, 0, RECORDS, block);
        checkpoint_try(store, block);
        ck_assert(!is_nearly_full(store));
    }
    store_close(&store);
    folder_remove(&folder);
}

START_TEST(what_another_process_keeps_counts_as_used_until_it_has_read_it)
{
    room_check(false);
}
END_TEST

START_TEST(what_another_process_keeps_counts_as_used_until_it_is_found_dead)
{
    room_check(true);
}
END_TEST

/* Puts what it finds room for, `count` records at most. */
static uint32_t records_put_some(struct store *store, uint32_t from, uint32_t count, uint64_t round)
{
    uint32_t done = 0;
    while (done < count && store_reserve(store, PORTION * ENTRY_BYTES) == STATUS_OK) {
        records_put(store, from + done, PORTION, round);
        done += PORTION;
    }
    return done;
}

/* Whoever puts only what room was found for gets it into the file. */
static void reserve_check(uint32_t records, size_t checkpoint_records, uint32_t count)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.map_bytes = (size_t)512 * records;
    options.checkpoint_records = checkpoint_records;
    struct reader reader;
    struct store *store = store_prepare(&reader, &options, records);
    uint64_t block = 2;
    uint32_t from = 0;
    for (uint32_t done = 1; done > 0; block++) {
        ck_assert_uint_lt(block, 10000);
        done = records_put_some(store, from % records, count, block);
        checkpoint_try(store, block);
        from += done;
    }
    ck_assert(is_used(store, 60)); /* not for nothing */
    ck_assert_int_eq(reader_end(&reader), 0);
    ck_assert_uint_eq(records_put_some(store, 0, count, block), count);
    checkpoint_try(store, block);
    store_close(&store);
    folder_remove(&folder);
}

START_TEST(room_is_refused_before_a_checkpoint_beside_an_old_snapshot_has_none)
{
    reserve_check(160000, 0, 5000);
    reserve_check(RECORDS, 64, 400);
}
END_TEST

/* A run of as many as fill a fourteenth of the map. */
static void permanent_put(struct store *store, uint64_t block)
{
    struct change change = store_change(store);
    uint8_t value[24] = { 0 };
    for (uint64_t i = 0; i < RECORDS; i++) {
        struct hash128 key = hash128_of_span(span_of(&(uint64_t){ block << 32 | i }, 8));
        change_put(&change, TABLE_HIGH, span_of(key.bytes, sizeof key.bytes),
                   span_of(value, sizeof value));
    }
    checkpoint_try(store, block);
}

START_TEST(runs_are_merged_only_once_what_another_process_keeps_leaves_room_for_it)
{
    static const struct store_table tables[TABLE_COUNT] = {
        { TABLE_LOW, "low", STORE_TABLE_TREE },
        { TABLE_MIDDLE, "middle", STORE_TABLE_TREE },
        { TABLE_HIGH, "high", STORE_TABLE_PERMANENT },
    };
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.map_bytes = 8U << 20;
    options.tables = tables;
    struct store *store = store_make(&options);
    uint64_t block = 1;
    for (; block <= 3; block++) {
        permanent_put(store, block);
    }
    store_close(&store);
    struct reader reader;
    store = store_prepare(&reader, &options, RECORDS);
    for (block++; !is_used(store, 70); block++) {
        records_put(store, (uint32_t)block * 50 % RECORDS, 50, block);
        checkpoint_try(store, block);
    }
    permanent_put(store, block); /* now they would be merged */
    for (uint64_t end = block + 5; block < end;) {
        checkpoint_try(store, ++block);
    }
    ck_assert_int_eq(reader_end(&reader), 0);
    for (uint64_t end = block + 5; block < end;) {
        checkpoint_try(store, ++block);
    }
    ck_assert(!is_nearly_full(store));
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_snapshot");
    TCase *tcase = tcase_create("store_snapshot");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, what_another_process_keeps_counts_as_used_until_it_has_read_it);
    tcase_add_test(tcase, what_another_process_keeps_counts_as_used_until_it_is_found_dead);
    tcase_add_test(tcase, runs_are_merged_only_once_what_another_process_keeps_leaves_room_for_it);
    tcase_add_test(tcase, room_is_refused_before_a_checkpoint_beside_an_old_snapshot_has_none);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
