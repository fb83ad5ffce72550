/* link: common_store */
/* A disk that fails under the flush thread, at any write of a checkpoint: what the loop reads
 * meanwhile is right, the failure is told, and the file holds the old or the new. */
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Counted down by each write; the one that reaches 0 fails, and all after it. */
static atomic_long writes_left; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

static bool write_fails(void)
{
    if (atomic_fetch_sub(&writes_left, 1) > 1) {
        return false;
    }
    errno = EIO;
    return true;
}

/* LMDB's writes come here. The C library's declarations have names of their own:
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t at)
{
    return write_fails() ? -1 : syscall(SYS_pwrite64, descriptor, bytes, size, at);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t at)
{
    return pwrite(descriptor, bytes, size, at);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    return write_fails() ? -1 : syscall(SYS_writev, descriptor, pieces, count);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#define RECORDS 40
#define WRITES_MOST 220

static const struct store_table failing_tables[TABLE_COUNT] = {
    { TABLE_LOW, "low", STORE_TABLE_TREE },
    { TABLE_MIDDLE, "middle", STORE_TABLE_PERMANENT },
    { TABLE_HIGH, "high", STORE_TABLE_TREE },
};

static void record_put(struct store *store, uint64_t number)
{
    struct chance chance = { number };
    uint8_t key[16];
    be64_put(key, chance_next(&chance));
    be64_put(key + 8, number);
    struct change change = store_change(store);
    change_put(&change, TABLE_LOW, span_of(key, sizeof key), span_of(key, sizeof key));
    change_put(&change, TABLE_MIDDLE, span_of(key, sizeof key), span_of(key, sizeof key));
}

static void record_check(struct store *store, uint8_t table, uint64_t number, bool is_expected)
{
    struct view view = store_view(store);
    struct chance chance = { number };
    uint8_t key[16];
    be64_put(key, chance_next(&chance));
    be64_put(key + 8, number);
    struct span value = { 0 };
    ck_assert_int_eq(view_get(&view, table, span_of(key, sizeof key), &value), is_expected);
    ck_assert(!is_expected || span_equal(value, span_of(key, sizeof key)));
}

static void records_check(struct store *store, uint64_t count)
{
    for (uint64_t number = 0; number < count + 10; number++) {
        record_check(store, TABLE_LOW, number, number < count);
        record_check(store, TABLE_MIDDLE, number, number < count);
    }
}

/* Puts and checkpoints until the disk fails; the records that are then in memory or in the
 * file. */
static uint64_t until_failure(struct store *store)
{
    enum status status = STATUS_OK;
    uint64_t count = 0;
    for (uint64_t block = 1; status == STATUS_OK; block++) {
        for (int i = 0; i < RECORDS; i++) {
            record_put(store, count++);
        }
        struct journal_position position = position_of(block);
        store_checkpoint_begin(store, &position);
        while (status == STATUS_OK && store_checkpoint_running(store)) {
            records_check(store, count);
            status = store_checkpoint_step(store);
        }
    }
    ck_assert_int_ne(status, STATUS_CORRUPT);
    return count;
}

START_TEST(no_write_that_fails_shows_what_was_not_committed)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.tables = failing_tables;
    options.checkpoint_records = 30;
    for (long writes = 1; writes < WRITES_MOST; writes += 11) {
        (void)unlink(folder.state);
        options.has_flush_thread = true;
        atomic_store(&writes_left, LONG_MAX);
        struct store *store = store_make(&options);
        atomic_store(&writes_left, writes);
        uint64_t count = until_failure(store);
        atomic_store(&writes_left, LONG_MAX);
        store_close(&store);
        options.has_flush_thread = false;
        store = store_make(&options);
        uint64_t kept = store_checkpoint(store).block * RECORDS;
        ck_assert(kept <= count);
        records_check(store, kept);
        store_close(&store);
    }
    folder_remove(&folder);
}
END_TEST

int main(void)
{
    atomic_init(&writes_left, LONG_MAX);
    Suite *suite = suite_create("store_failing_disk");
    TCase *tcase = tcase_create("store_failing_disk");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, no_write_that_fails_shows_what_was_not_committed);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
