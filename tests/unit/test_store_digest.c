/* link: common_store */
#include "common/store/store.h"
#include "tests/unit/store_fixture.h"

#include <lmdb.h>
#include <sys/stat.h>

/* What a read of a broken record ends the process with. */
#define CORRUPT_EXIT_CODE 70

/* ---- rot */

static struct span file_map(const char *path)
{
    struct stat stat = { 0 };
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(fstat(file, &stat), 0);
    size_t size = (size_t)stat.st_size;
    uint8_t *bytes = memory_allocate(size);
    ck_assert_int_eq(pread(file, bytes, size, 0), (ssize_t)size);
    ck_assert_int_eq(close(file), 0);
    return span_of(bytes, size);
}

/* Flips one bit of the file, or flips it back. */
static void bit_flip(const char *path, size_t offset, unsigned bit)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    uint8_t byte = 0;
    ck_assert_int_eq(pread(file, &byte, 1, (off_t)offset), 1);
    byte = (uint8_t)(byte ^ (1U << bit));
    ck_assert_int_eq(pwrite(file, &byte, 1, (off_t)offset), 1);
    ck_assert_int_eq(close(file), 0);
}

/* Where the file has `bytes`, `count` places at most; how many there are. */
static size_t places_find(const char *path, struct span bytes, size_t *places, size_t count)
{
    struct span file = file_map(path);
    size_t found = 0;
    for (size_t i = 0; i + bytes.size <= file.size; i++) {
        if (memcmp(file.data + i, bytes.data, bytes.size) == 0 && found < count) {
            places[found++] = i;
        }
    }
    union {
        const uint8_t *given;
        void *taken;
    } memory = { .given = file.data };
    free(memory.taken);
    return found;
}

/* A record as the tables have it: the value and the checksum behind it. */
static size_t record_bytes(uint8_t table, const char *key, const char *value, uint8_t *out)
{
    uint8_t whole[64];
    struct span key_span = span_of_text(key);
    struct span value_span = span_of_text(value);
    whole[0] = table;
    memcpy(whole + 1, key_span.data, key_span.size);
    memcpy(out, value_span.data, value_span.size);
    be64_put(out + value_span.size, checksum_of(span_of(whole, 1 + key_span.size), value_span));
    return value_span.size + 8;
}

static void record_get(void *argument)
{
    const struct store_options *options = argument;
    struct store *store = store_make(options);
    struct view view = store_view(store);
    struct span value = { 0 };
    (void)view_get(&view, TABLE_MIDDLE, span_of_text("key"), &value);
    store_close(&store);
}

static bool nothing_visit(void *argument, struct span key, struct span value)
{
    (void)argument;
    return key.size + value.size > 0;
}

static void table_scan(void *argument)
{
    const struct store_options *options = argument;
    struct store *store = store_make(options);
    struct view view = store_view(store);
    view_scan(&view, TABLE_MIDDLE, (struct span){ 0 }, nothing_visit, NULL);
    store_close(&store);
}

static void neighbour_get(void *argument)
{
    const struct store_options *options = argument;
    struct store *store = store_make(options);
    text_check(store, TABLE_MIDDLE, "kez", "a neighbour");
    store_close(&store);
}

static void rot_check(const struct store_options *options, bool with_children)
{
    struct store_digest digests[TABLE_COUNT];
    struct journal_position position = { 0 };
    struct refusal refusal = { 0 };
    memset(digests, 0x5a, sizeof digests);
    ck_assert_int_eq(store_digests_of_file(options, NULL, digests, &position, &refusal),
                     STATUS_CORRUPT);
    ck_assert_str_eq(refusal.message, "table middle, key 6b6579: wrong checksum");
    ck_assert_uint_eq(position.block, 0);
    uint8_t untouched[sizeof digests];
    memset(untouched, 0x5a, sizeof untouched);
    ck_assert_mem_eq(digests, untouched, sizeof digests);
    if (with_children) {
        struct store_options copy = *options;
        ck_assert_int_eq(child_exit_code(record_get, &copy), CORRUPT_EXIT_CODE);
        ck_assert_int_eq(child_exit_code(table_scan, &copy), CORRUPT_EXIT_CODE);
        ck_assert_int_eq(child_exit_code(neighbour_get, &copy), 0);
    }
}

START_TEST(every_flipped_bit_of_a_record_is_seen)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    const char *value = "what a member's account has, in a few bytes";
    text_put(store, TABLE_MIDDLE, "kex", "a neighbour");
    text_put(store, TABLE_MIDDLE, "key", value);
    text_put(store, TABLE_MIDDLE, "kez", "a neighbour");
    checkpoint_make(store, 1);
    store_close(&store);

    uint8_t record[128];
    size_t size = record_bytes(TABLE_MIDDLE, "key", value, record);
    size_t place = 0;
    ck_assert_uint_eq(places_find(folder.state, span_of(record, size), &place, 1), 1);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bit_flip(folder.state, place + bit / 8, (unsigned)(bit % 8));
        rot_check(&options, bit % 29 == 0);
        bit_flip(folder.state, place + bit / 8, (unsigned)(bit % 8));
    }
    ck_assert_int_eq(child_exit_code(record_get, &options), 0);
    folder_remove(&folder);
}
END_TEST

/* Of a record, also where pages have copies of it that nobody reads any more. */
struct places {
    size_t offsets[16];
    size_t count;
};

static void places_flip(const char *path, const struct places *places, size_t bit)
{
    for (size_t i = 0; i < places->count; i++) {
        bit_flip(path, places->offsets[i] + bit / 8, (unsigned)(bit % 8));
    }
}

#define ACCOUNTS 300

static void account_text(uint32_t number, char key[16], char value[64])
{
    (void)snprintf(key, 16, "account %03u", (unsigned)number);
    (void)snprintf(value, 64, "what account %03u has, in about fifty bytes", (unsigned)number);
}

struct account {
    struct store_options options;
    uint32_t number;
};

static void account_get(void *argument)
{
    const struct account *account = argument;
    char key[16];
    char value[64];
    account_text(account->number, key, value);
    struct store *store = store_make(&account->options);
    text_check(store, TABLE_MIDDLE, key, value);
    store_close(&store);
}

static bool account_count(void *argument, struct span key, struct span value)
{
    uint32_t *count = argument;
    *count += key.size + value.size > 0 ? 1 : 0;
    return true;
}

/* From the one behind it on: all of those, or the end of the process. */
static void accounts_scan(void *argument)
{
    const struct account *account = argument;
    char key[16];
    char value[64];
    uint32_t count = 0;
    account_text(account->number + 1, key, value);
    struct store *store = store_make(&account->options);
    struct view view = store_view(store);
    view_scan(&view, TABLE_MIDDLE, span_of_text(key), account_count, &count);
    ck_assert_uint_eq(count, ACCOUNTS - 1 - account->number);
    store_close(&store);
}

/* Over several pages, so that some stand at the ends of one. */
START_TEST(a_record_whose_key_has_rotted_is_not_said_to_be_absent)
{
    struct chance chance = chance_draw("rotten keys");
    struct folder folder = folder_make();
    struct account account = { .options = options_of(&folder) };
    struct store *store = store_make(&account.options);
    char key[16];
    char value[64];
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        account_text(i, key, value);
        text_put(store, TABLE_MIDDLE, key, value);
    }
    checkpoint_make(store, 1);
    store_close(&store);
    for (account.number = 0; account.number < ACCOUNTS; account.number += 3) {
        uint8_t record[128] = { TABLE_MIDDLE };
        account_text(account.number, key, value);
        size_t key_size = 1 + strlen(key);
        memcpy(record + 1, key, key_size - 1);
        (void)record_bytes(TABLE_MIDDLE, key, value, record + key_size);
        struct places places = { { 0 }, 0 };
        size_t size = key_size + strlen(value) + 8;
        places.count = places_find(folder.state, span_of(record, size), places.offsets, 16);
        ck_assert_uint_ge(places.count, 1);
        size_t bit = chance_below(&chance, 8 * key_size);
        places_flip(folder.state, &places, bit);
        ck_assert_int_eq(child_exit_code(account_get, &account), CORRUPT_EXIT_CODE);
        ck_assert_msg(child_exit_code(accounts_scan, &account) == CORRUPT_EXIT_CODE,
                      "account %u, bit %zu", account.number, bit);
        places_flip(folder.state, &places, bit);
    }
    account.number = 0;
    ck_assert_int_eq(child_exit_code(account_get, &account), 0);
    folder_remove(&folder);
}
END_TEST

/* A file with a closed run of three records, nothing of it merged. */
static struct folder closed_run_make(void)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    options.checkpoint_records = 3;
    struct store *store = store_make(&options);
    text_put(store, TABLE_MIDDLE, "kex", "neighbour");
    text_put(store, TABLE_MIDDLE, "key", "what the run has of it");
    text_delete(store, TABLE_MIDDLE, "kez");
    struct journal_position position = position_of(1);
    store_checkpoint_begin(store, &position);
    ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
    store_close(&store);
    return folder;
}

static void corrupt_check(const struct store_options *options, const char *part)
{
    struct refusal refusal = { 0 };
    struct store *store = NULL;
    ck_assert_int_eq(store_open(&store, options, &refusal), STATUS_CORRUPT);
    ck_assert_ptr_null(store);
    ck_assert_msg(strstr(refusal.message, part) != NULL, "%s", refusal.message);
    struct store_digest digests[TABLE_COUNT];
    struct journal_position position = { 0 };
    refusal = (struct refusal){ 0 };
    ck_assert_int_eq(store_digests_of_file(options, NULL, digests, &position, &refusal),
                     STATUS_CORRUPT);
    ck_assert_msg(strstr(refusal.message, part) != NULL, "%s", refusal.message);
}

START_TEST(a_flipped_bit_of_a_closed_run_stops_the_opening)
{
    struct folder folder = closed_run_make();
    struct store_options options = options_of(&folder);
    size_t places[4] = { 0 };
    struct span value = span_of_text("\x01what the run has of it");
    ck_assert_uint_eq(places_find(folder.state, value, places, 4), 1);
    for (size_t bit = 0; bit < 8 * (value.size + 8); bit++) {
        bit_flip(folder.state, places[0] + bit / 8, (unsigned)(bit % 8));
        corrupt_check(&options, "table middle, key 6b6579: wrong checksum");
        bit_flip(folder.state, places[0] + bit / 8, (unsigned)(bit % 8));
    }
    struct store *store = store_make(&options);
    text_check(store, TABLE_MIDDLE, "key", "what the run has of it");
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

static void table_change(const char *path, const char *table, const char *key)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi dbi = 0;
    ck_assert_int_eq(mdb_env_create(&env), 0);
    ck_assert_int_eq(mdb_env_set_maxdbs(env, 3), 0);
    ck_assert_int_eq(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, table, 0, &dbi), 0);
    char bytes[64] = "";
    (void)snprintf(bytes, sizeof bytes, "%s", key);
    MDB_val key_value = { strlen(key), bytes };
    ck_assert_int_eq(mdb_del(txn, dbi, &key_value, NULL), 0);
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

START_TEST(a_closed_run_that_lacks_a_record_stops_the_opening)
{
    struct folder folder = closed_run_make();
    struct store_options options = options_of(&folder);
    table_change(folder.state, "run", "\x07kez");
    corrupt_check(&options, "the closed run is not the one that was written");
    folder_remove(&folder);
}
END_TEST

/* Where the file has a record; pages that are out of use may have it too. */
/* Flips each bit of a record of the table `meta`, found by its bytes. */
static void meta_rot_check(const struct folder *folder, struct span bytes, const char *part)
{
    struct store_options options = options_of(folder);
    struct places places = { { 0 }, 0 };
    places.count = places_find(folder->state, bytes, places.offsets, 16);
    ck_assert_uint_ge(places.count, 1);
    for (size_t bit = 0; bit < 8 * (bytes.size + 8); bit++) {
        places_flip(folder->state, &places, bit);
        corrupt_check(&options, part);
        places_flip(folder->state, &places, bit);
    }
}

START_TEST(flipped_bits_of_what_the_file_says_of_itself_stop_the_opening)
{
    struct folder folder = closed_run_make();
    static const uint8_t identity[] = "\0\0\0\3\0\0\0\0\0\0\0\1loyalty";
    meta_rot_check(&folder, span_of(identity, sizeof identity - 1), "of whose it is is broken");
    uint8_t closed[56] = { 0 };
    be64_put(closed, 3);
    be64_put(closed + 8, 1);
    memset(closed + 16, 1, 32);
    be64_put(closed + 48, 3);
    meta_rot_check(&folder, span_of(closed, sizeof closed), "broken");
    folder_remove(&folder);
}
END_TEST

START_TEST(flipped_bits_of_the_position_stop_the_opening)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    checkpoint_make(store, 9);
    store_close(&store);
    uint8_t position[48] = { 0 };
    be64_put(position, 27);
    be64_put(position + 8, 9);
    memset(position + 16, 9, 32);
    meta_rot_check(&folder, span_of(position, sizeof position),
                   "the record of its checkpoint is broken");
    folder_remove(&folder);
}
END_TEST

/* ---- digests */

START_TEST(digests_tell_contents_and_not_histories)
{
    struct two_states *states = two_states_make("digests");
    struct store *store = two_states_open_new(states);
    fresh_digests(&states->new, states->new_digests);
    ck_assert(!digests_equal(states->old_digests, states->new_digests));
    struct store_digest digests[TABLE_COUNT];
    store_digests(store, digests);
    digests_check(digests, states->new_digests);
    struct journal_position position = position_of(2);
    store_checkpoint_begin(store, &position);
    while (store_checkpoint_running(store)) {
        ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
        store_digests(store, digests);
        digests_check(digests, states->new_digests);
    }
    ck_assert_int_eq(store_turn_end(store), STATUS_OK);
    store_digests(store, digests);
    digests_check(digests, states->new_digests);
    store_close(&store);
    digests_read(&states->options, digests, &position);
    position_check(position, 2);
    digests_check(digests, states->new_digests);
    two_states_release(states);
}
END_TEST

START_TEST(digests_see_bytes_that_move_between_key_and_value)
{
    /* Without their sizes before them both records would be the same bytes: the size and the
     * value of the second stand in the value of the first. */
    static const uint8_t long_value[] = { 0, 0, 0, 1, 'x' };
    static const uint8_t long_key[] = { 'a', 0, 0, 0, sizeof long_value };
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    struct change change = store_change(store);
    struct store_digest left[TABLE_COUNT];
    struct store_digest right[TABLE_COUNT];
    change_put(&change, TABLE_LOW, span_of_text("a"), span_of(long_value, sizeof long_value));
    store_digests(store, left);
    text_delete(store, TABLE_LOW, "a");
    change_put(&change, TABLE_LOW, span_of(long_key, sizeof long_key), span_of_text("x"));
    store_digests(store, right);
    ck_assert_uint_eq(left[0].records, right[0].records);
    ck_assert(!hash128_equal(left[0].digest, right[0].digest));
    ck_assert(hash128_equal(left[1].digest, right[1].digest));
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

/* Another process makes a checkpoint and waits after each of its pieces. */
struct writer {
    struct two_states *states;
    int go[2];   /* a byte: make a piece */
    int done[2]; /* a byte: 1 made, 0 that was the last */
};

static void writer_run(const struct writer *writer)
{
    struct store *store = two_states_open_new(writer->states);
    struct journal_position position = position_of(2);
    store_checkpoint_begin(store, &position);
    char byte = 1;
    while (byte == 1 && read(writer->go[0], &byte, 1) == 1) {
        bool is_made = store_checkpoint_step(store) == STATUS_OK;
        byte = is_made && store_checkpoint_running(store) ? 1 : 0;
        is_made = is_made && write(writer->done[1], &byte, 1) == 1;
        if (!is_made) {
            _exit(1);
        }
    }
    store_close(&store);
    _exit(0);
}

static bool writer_step(const struct writer *writer)
{
    char byte = 1;
    ck_assert_int_eq(write(writer->go[1], &byte, 1), 1);
    ck_assert_int_eq(read(writer->done[0], &byte, 1), 1);
    return byte == 1;
}

START_TEST(the_digests_of_a_file_hold_beside_a_process_that_writes_it)
{
    struct two_states *states = two_states_make("beside");
    struct store *store = two_states_open_new(states);
    store_close(&store);
    fresh_digests(&states->new, states->new_digests);
    struct writer writer = { .states = states };
    ck_assert_int_eq(pipe(writer.go), 0);
    ck_assert_int_eq(pipe(writer.done), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        writer_run(&writer);
    }
    size_t news = 0;
    for (bool goes_on = true; goes_on;) {
        goes_on = writer_step(&writer);
        struct store_digest digests[TABLE_COUNT];
        struct journal_position position = { 0 };
        digests_read(&states->options, digests, &position);
        news += position.block == 2;
        position_check(position, news > 0 ? 2 : 1);
        digests_check(digests, news > 0 ? states->new_digests : states->old_digests);
    }
    ck_assert_uint_ge(news, 3); /* through the whole merge */
    int result = 0;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    two_states_release(states);
}
END_TEST

static void file_refusal_check(const struct store_options *options, enum status expected,
                               const char *part)
{
    struct store_digest digests[TABLE_COUNT];
    struct journal_position position = { 0 };
    struct refusal refusal = { 0 };
    ck_assert_int_eq(store_digests_of_file(options, NULL, digests, &position, &refusal), expected);
    ck_assert_msg(strstr(refusal.message, part) != NULL, "%s", refusal.message);
}

START_TEST(the_digests_of_a_file_are_refused_where_they_would_mislead)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    file_refusal_check(&options, STATUS_NOT_FOUND, "there is no");
    struct store *store = store_make(&options);
    text_put(store, TABLE_HIGH, "a", "1");
    checkpoint_make(store, 1);
    store_close(&store);
    struct store_options other = options;
    other.shard = 3;
    file_refusal_check(&other, STATUS_REFUSED, "belongs to loyalty/0, not to loyalty/3");
    other = options;
    other.table_count = 2;
    file_refusal_check(&other, STATUS_CORRUPT, "records of table 254, which loyalty lacks");
    folder_remove(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_digest");
    TCase *tcase = tcase_create("store_digest");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_flipped_bit_of_a_record_is_seen);
    tcase_add_test(tcase, a_record_whose_key_has_rotted_is_not_said_to_be_absent);
    tcase_add_test(tcase, a_flipped_bit_of_a_closed_run_stops_the_opening);
    tcase_add_test(tcase, a_closed_run_that_lacks_a_record_stops_the_opening);
    tcase_add_test(tcase, flipped_bits_of_what_the_file_says_of_itself_stop_the_opening);
    tcase_add_test(tcase, flipped_bits_of_the_position_stop_the_opening);
    tcase_add_test(tcase, digests_tell_contents_and_not_histories);
    tcase_add_test(tcase, digests_see_bytes_that_move_between_key_and_value);
    tcase_add_test(tcase, the_digests_of_a_file_hold_beside_a_process_that_writes_it);
    tcase_add_test(tcase, the_digests_of_a_file_are_refused_where_they_would_mislead);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
