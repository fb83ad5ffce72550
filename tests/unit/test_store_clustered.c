/* link: common_store */
/* Clustered tables beside others: nobody who reads can tell, whatever was done in which order.
 * The oracle is a store with the same tables, none of them clustered. */
#include "common/store/store_file.h"
#include "tests/unit/store_fixture.h"

#define ROUNDS 60
#define SUBJECTS 12
#define RESTS 5
#define SEEN_MAX 4096

static const struct store_table clustered_tables[TABLE_COUNT] = {
    { TABLE_LOW, "low", STORE_TABLE_CLUSTERED },
    { TABLE_MIDDLE, "middle", STORE_TABLE_TREE },
    { TABLE_HIGH, "high", STORE_TABLE_CLUSTERED },
};
static const uint8_t table_ids[TABLE_COUNT] = { TABLE_LOW, TABLE_MIDDLE, TABLE_HIGH };

static struct store_options clustered_options_of(const struct folder *folder)
{
    struct store_options options = options_of(folder);
    options.tables = clustered_tables;
    options.checkpoint_records = 7;
    return options;
}

struct key_bytes {
    uint8_t bytes[LIMIT_STATE_SUBJECT_BYTES + RESTS];
    size_t size;
};

static struct span key_span(const struct key_bytes *key)
{
    return span_of(key->bytes, key->size);
}

/* Subjects side by side, and those at the ends: all zeroes and all ones. */
static struct key_bytes key_draw(struct chance *chance)
{
    struct key_bytes key = { .size = LIMIT_STATE_SUBJECT_BYTES };
    uint64_t subject = chance_below(chance, SUBJECTS);
    bool is_high = subject % 2 == 1;
    memset(key.bytes, is_high ? 0xff : 0, LIMIT_STATE_SUBJECT_BYTES);
    key.bytes[LIMIT_STATE_SUBJECT_BYTES - 1] =
        (uint8_t)(is_high ? 0xff - subject / 2 : subject / 2);
    key.size += chance_below(chance, RESTS + 1);
    for (size_t i = LIMIT_STATE_SUBJECT_BYTES; i < key.size; i++) {
        key.bytes[i] = chance_below(chance, 2) == 0 ? 0 : 0xff;
    }
    return key;
}

/* The store under test, and the oracle. */
struct pair {
    struct chance chance;
    struct folder folders[2];
    struct store_options options[2];
    struct store *stores[2];
    uint64_t block;
};

static void pair_open(struct pair *pair)
{
    for (size_t i = 0; i < 2; i++) {
        pair->stores[i] = store_make(&pair->options[i]);
    }
}

static void record_change(struct pair *pair)
{
    uint8_t table = table_ids[chance_below(&pair->chance, TABLE_COUNT)];
    struct key_bytes key = key_draw(&pair->chance);
    uint64_t number = chance_next(&pair->chance);
    for (size_t i = 0; i < 2; i++) {
        struct change change = store_change(pair->stores[i]);
        if (number % 3 == 0) {
            change_delete(&change, table, key_span(&key));
        } else {
            change_put(&change, table, key_span(&key),
                       span_of((const uint8_t *)&number, 1 + number % sizeof number));
        }
    }
}

struct seen {
    struct hash128 records[SEEN_MAX];
    size_t count;
    size_t most;
};

static bool seen_visit(void *argument, struct span key, struct span value)
{
    struct seen *seen = argument;
    ck_assert_uint_lt(seen->count, SEEN_MAX);
    struct span parts[] = { key, value };
    seen->records[seen->count++] = hash128_of(span_of(NULL, 0), parts, 2);
    return seen->count < seen->most;
}

static void seen_compare(const struct seen *a, const struct seen *b)
{
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_mem_eq(a->records, b->records, a->count * sizeof a->records[0]);
}

static void range_compare(struct pair *pair, const struct view_range *range, size_t most)
{
    static struct seen seen[2];
    for (size_t i = 0; i < 2; i++) {
        struct view view = store_view(pair->stores[i]);
        seen[i].count = 0;
        seen[i].most = most;
        view_walk_from(&view, range, seen_visit, &seen[i]);
    }
    seen_compare(&seen[0], &seen[1]);
}

/* A scan is a walk that nothing ends. */
static void scan_compare(struct pair *pair, uint8_t table)
{
    struct key_bytes from = key_draw(&pair->chance);
    from.size = chance_below(&pair->chance, from.size + 1);
    size_t most = 1 + chance_below(&pair->chance, SEEN_MAX - 1);
    struct view_range range = { .table = table, .from = key_span(&from) };
    range_compare(pair, &range, most);
    range.within = chance_below(&pair->chance, from.size + 1);
    range_compare(pair, &range, most);
}

static void gets_compare(struct pair *pair)
{
    for (size_t round = 0; round < 40; round++) {
        uint8_t table = table_ids[chance_below(&pair->chance, TABLE_COUNT)];
        struct key_bytes key = key_draw(&pair->chance);
        struct span values[2] = { { 0 }, { 0 } };
        bool found[2] = { false, false };
        for (size_t i = 0; i < 2; i++) {
            struct view view = store_view(pair->stores[i]);
            found[i] = view_get(&view, table, key_span(&key), &values[i]);
        }
        ck_assert_int_eq(found[0], found[1]);
        ck_assert(span_equal(values[0], values[1]));
    }
}

static void digests_equal_check(const struct store_digest *a, const struct store_digest *b)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        ck_assert(strcmp(a[i].table, b[i].table) == 0);
        ck_assert_uint_eq(a[i].records, b[i].records);
        ck_assert(hash128_equal(a[i].digest, b[i].digest));
    }
}

static void digests_compare(struct pair *pair)
{
    struct store_digest digests[2][TABLE_COUNT];
    store_digests(pair->stores[0], digests[0]);
    store_digests(pair->stores[1], digests[1]);
    digests_equal_check(digests[0], digests[1]);
}

static void pair_compare(struct pair *pair)
{
    gets_compare(pair);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        scan_compare(pair, table_ids[i]);
    }
    digests_compare(pair);
}

/* Both files say the same, at whichever of the two last checkpoints they are. */
static void files_compare(struct pair *pair)
{
    struct store_digest digests[2][TABLE_COUNT];
    struct journal_position positions[2];
    for (size_t i = 0; i < 2; i++) {
        struct refusal refusal = { 0 };
        ck_assert_int_eq(
            store_digests_of_file(&pair->options[i], NULL, digests[i], &positions[i], &refusal),
            STATUS_OK);
    }
    ck_assert_uint_eq(positions[0].block, positions[1].block);
    digests_equal_check(digests[0], digests[1]);
}

static void store_step(struct store *store)
{
    steps_make(store, 1);
    ck_assert_int_eq(store_turn_end(store), STATUS_OK);
}

static void checkpoints_begin(struct pair *pair)
{
    if (store_checkpoint_running(pair->stores[0]) || store_checkpoint_running(pair->stores[1])) {
        return;
    }
    struct journal_position position = position_of(++pair->block);
    store_checkpoint_begin(pair->stores[0], &position);
    store_checkpoint_begin(pair->stores[1], &position);
}

/* Ended in the midst of whatever they did, both stand at the same position afterwards. */
static void pair_again(struct pair *pair)
{
    struct journal_position position = position_of(++pair->block);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(store_checkpoint_whole(pair->stores[i], &position), STATUS_OK);
        store_close(&pair->stores[i]);
    }
    files_compare(pair);
    pair_open(pair);
    pair_compare(pair);
}

START_TEST(a_store_with_clustered_tables_is_read_like_one_without)
{
    static struct pair pair;
    pair.chance = chance_draw("clustered");
    for (size_t i = 0; i < 2; i++) {
        pair.folders[i] = folder_make();
    }
    pair.options[0] = clustered_options_of(&pair.folders[0]);
    pair.options[1] = options_of(&pair.folders[1]);
    pair.options[1].checkpoint_records = pair.options[0].checkpoint_records;
    pair_open(&pair);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 20; i++) {
            record_change(&pair);
        }
        if (round % 4 == 1) {
            checkpoints_begin(&pair);
        }
        store_step(pair.stores[0]);
        store_step(pair.stores[1]);
        pair_compare(&pair);
        if (round % 13 == 12) {
            pair_again(&pair);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        store_close(&pair.stores[i]);
        folder_remove(&pair.folders[i]);
    }
}
END_TEST

/* The process ends after `steps` pieces: what was merged, or not, lies in clusters too. */
static void crash_and_check(size_t steps)
{
    struct folder folder = folder_make();
    struct store_options options = clustered_options_of(&folder);
    struct store *store = store_make(&options);
    struct chance chance = { steps };
    struct key_bytes keys[40];
    struct change change = store_change(store);
    for (size_t i = 0; i < 40; i++) {
        keys[i] = key_draw(&chance);
        change_put(&change, table_ids[i % TABLE_COUNT], key_span(&keys[i]), span_of_text("x"));
    }
    struct journal_position position = position_of(1);
    store_checkpoint_begin(store, &position);
    steps_make(store, steps);
    store_close(&store);
    store = store_make(&options);
    bool is_there = store_checkpoint(store).block == 1;
    struct view view = store_view(store);
    for (size_t i = 0; i < 40; i++) {
        struct span value = { 0 };
        ck_assert_int_eq(view_get(&view, table_ids[i % TABLE_COUNT], key_span(&keys[i]), &value),
                         is_there);
    }
    store_close(&store);
    folder_remove(&folder);
}

START_TEST(a_checkpoint_that_was_cut_off_is_finished_or_has_not_been)
{
    for (size_t steps = 0; steps < 14; steps++) {
        crash_and_check(steps);
    }
}
END_TEST

/* Makes it a file of format 2, in which no table was clustered. */
static void format_lower(const struct store_options *options)
{
    static const struct span key = { (const uint8_t *)"identity", 8 };
    struct store_file file = { 0 };
    struct refusal refusal = { 0 };
    MDB_txn *txn = NULL;
    ck_assert_int_eq(store_file_open(&file, options, &refusal), STATUS_OK);
    ck_assert_int_eq(store_file_write_begin(&file, &txn), STATUS_OK);
    MDB_val key_value = store_value_of(key);
    MDB_val found = { 0 };
    struct span inner = { 0 };
    ck_assert_int_eq(mdb_get(txn, file.meta, &key_value, &found), MDB_SUCCESS);
    ck_assert(store_record_open(key, store_span_of(found), &inner));
    uint8_t bytes[64];
    uint8_t sealed[STORE_SEALED_BYTES_MAX];
    ck_assert_uint_le(inner.size, sizeof bytes);
    memcpy(bytes, inner.data, inner.size);
    be32_put(bytes, 2);
    struct span value = store_record_seal(key, span_of(bytes, inner.size), sealed);
    ck_assert_int_eq(store_file_put(txn, file.meta, key, value, 0), STATUS_OK);
    ck_assert_int_eq(store_file_write_end(&txn, STATUS_OK), STATUS_OK);
    store_file_close(&file);
}

START_TEST(a_file_from_before_tables_were_clustered_begins_anew)
{
    struct folder folder = folder_make();
    struct store_options before = options_of(&folder);
    struct store_options options = clustered_options_of(&folder);
    struct store *store = store_make(&before);
    text_put(store, TABLE_LOW, "sixteen bytes and more", "old");
    text_put(store, TABLE_MIDDLE, "key", "old");
    struct journal_position position = position_of(5);
    ck_assert_int_eq(store_checkpoint_whole(store, &position), STATUS_OK);
    store_close(&store);
    format_lower(&before);

    struct store_digest digests[TABLE_COUNT];
    struct refusal refusal = { 0 };
    ck_assert_int_eq(store_digests_of_file(&options, NULL, digests, &position, &refusal),
                     STATUS_NOT_FOUND);
    store = store_make(&options);
    ck_assert_uint_eq(store_checkpoint(store).block, 0);
    text_check(store, TABLE_LOW, "sixteen bytes and more", NULL);
    text_check(store, TABLE_MIDDLE, "key", NULL);
    text_put(store, TABLE_LOW, "sixteen bytes and more", "new");
    position = position_of(6);
    ck_assert_int_eq(store_checkpoint_whole(store, &position), STATUS_OK);
    store_close(&store);
    store = store_make(&options); /* and only once */
    ck_assert_uint_eq(store_checkpoint(store).block, 6);
    text_check(store, TABLE_LOW, "sixteen bytes and more", "new");
    store_close(&store);
    folder_remove(&folder);
}
END_TEST

static void short_key_put(void *argument)
{
    struct store_options *options = argument;
    struct store *store = store_make(options);
    text_put(store, TABLE_LOW, "fifteen bytes .", "x");
}

START_TEST(a_key_without_a_subject_is_a_bug)
{
    struct folder folder = folder_make();
    struct store_options options = clustered_options_of(&folder);
    ck_assert(child_aborts(short_key_put, &options));
    folder_remove(&folder);
}
END_TEST

/* ---- rot */

#define ROT_SUBJECTS 3
#define ROT_RESTS 4
#define ROT_FILE_BYTES_MAX (4U << 20)

struct rotten {
    struct store_options options;
    uint8_t table;
    struct key_bytes key;
};

static struct key_bytes rot_key(uint8_t subject, uint8_t rest)
{
    struct key_bytes key = { .size = LIMIT_STATE_SUBJECT_BYTES + 1 };
    memset(key.bytes, 0x40 + subject, LIMIT_STATE_SUBJECT_BYTES);
    key.bytes[LIMIT_STATE_SUBJECT_BYTES] = (uint8_t)(0x20 * rest);
    return key;
}

static void byte_write(int file, size_t at, uint8_t byte)
{
    ck_assert_int_eq(pwrite(file, &byte, 1, (off_t)at), 1);
}

/* Whether `sought` stands there, as it is or with that bit flipped. */
static bool key_is_at(const uint8_t *at, struct span sought, size_t bit)
{
    uint8_t flipped[LIMIT_STATE_KEY_BYTES + 2];
    memcpy(flipped, sought.data, sought.size);
    flipped[bit / 8] ^= (uint8_t)(1U << bit % 8);
    return memcmp(at, sought.data, sought.size) == 0 || memcmp(at, flipped, sought.size) == 0;
}

/* Flips a bit of the record's key wherever the file has it, or flips it back. */
static void rot_flip(const struct rotten *rotten, size_t bit)
{
    static uint8_t bytes[ROT_FILE_BYTES_MAX];
    struct store_key whole = store_key_of(rotten->table, key_span(&rotten->key));
    struct store_key filed = store_key_cluster(store_key_span(&whole));
    struct span sought = store_key_span(&filed);
    int file = open(rotten->options.path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ssize_t size = pread(file, bytes, sizeof bytes, 0);
    ck_assert(size > 0 && (size_t)size < sizeof bytes);
    for (size_t i = 0; i + sought.size <= (size_t)size; i++) {
        if (key_is_at(bytes + i, sought, bit)) {
            size_t at = i + bit / 8;
            byte_write(file, at, bytes[at] ^ (uint8_t)(1U << bit % 8));
        }
    }
    ck_assert_int_eq(close(file), 0);
}

static bool rot_count(void *argument, struct span key, struct span value)
{
    uint32_t *count = argument;
    *count += key.size + value.size > 0 ? 1 : 0;
    return true;
}

/* All that the subject has, table by table. */
static void subject_walk(void *argument)
{
    const struct rotten *rotten = argument;
    struct store *store = store_make(&rotten->options);
    struct view view = store_view(store);
    const uint8_t tables[] = { TABLE_LOW, TABLE_HIGH };
    for (size_t i = 0; i < 2; i++) {
        uint32_t count = 0;
        struct span subject = span_of(rotten->key.bytes, LIMIT_STATE_SUBJECT_BYTES);
        view_walk(&view, tables[i], subject, rot_count, &count);
        ck_assert_uint_eq(count, ROT_RESTS);
    }
    store_close(&store);
}

START_TEST(a_rotten_key_hides_nothing_of_its_subject)
{
    struct chance chance = chance_draw("rotten keys of a cluster");
    struct folder folder = folder_make();
    struct rotten rotten = { .options = clustered_options_of(&folder) };
    struct store *store = store_make(&rotten.options);
    struct change change = store_change(store);
    for (uint8_t i = 0; i < ROT_SUBJECTS * ROT_RESTS; i++) {
        struct key_bytes key = rot_key(i / ROT_RESTS, i % ROT_RESTS);
        change_put(&change, TABLE_LOW, key_span(&key), span_of("low", 3));
        change_put(&change, TABLE_HIGH, key_span(&key), span_of("high", 4));
    }
    checkpoint_make(store, 1);
    store_close(&store);
    for (unsigned i = 0; i < 2 * ROT_SUBJECTS * ROT_RESTS; i++) {
        rotten.table = i % 2 == 0 ? TABLE_LOW : TABLE_HIGH;
        rotten.key = rot_key((uint8_t)(i / 2 / ROT_RESTS), (uint8_t)(i / 2 % ROT_RESTS));
        ck_assert_int_eq(child_exit_code(subject_walk, &rotten), 0);
        size_t bit = chance_below(&chance, 8 * (2 + LIMIT_STATE_SUBJECT_BYTES));
        rot_flip(&rotten, bit);
        ck_assert_msg(child_exit_code(subject_walk, &rotten) == 70, "record %u, bit %zu", i, bit);
        rot_flip(&rotten, bit);
    }
    folder_remove(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_clustered");
    TCase *tests = tcase_create("clustered");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_store_with_clustered_tables_is_read_like_one_without);
    tcase_add_test(tests, a_checkpoint_that_was_cut_off_is_finished_or_has_not_been);
    tcase_add_test(tests, a_file_from_before_tables_were_clustered_begins_anew);
    tcase_add_test(tests, a_key_without_a_subject_is_a_bug);
    tcase_add_test(tests, a_rotten_key_hides_nothing_of_its_subject);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
