/*
 * What the tests of the store share: a folder, chance from a printed seed, children that may
 * end badly, and a model: the same records in a sorted array, kept as simply as can be.
 */
#ifndef KITH_TESTS_STORE_FIXTURE_H
#define KITH_TESTS_STORE_FIXTURE_H

#include "common/base/hash.h"
#include "common/base/limits.h"
#include "common/store/store.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- chance */

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
    chance->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = chance->state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

static inline uint64_t chance_below(struct chance *chance, uint64_t bound)
{
    return chance_next(chance) % bound;
}

/* Another one each run; KITH_TEST_SEED runs one again. */
static inline struct chance chance_draw(const char *test)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &now);
    struct chance chance = { (uint64_t)now.tv_nsec ^ ((uint64_t)getpid() << 32) };
    const char *given = getenv("KITH_TEST_SEED");
    if (given != NULL) {
        chance.state = strtoull(given, NULL, 10);
    }
    printf("%s: KITH_TEST_SEED=%llu\n", test, (unsigned long long)chance.state);
    (void)fflush(stdout);
    return chance;
}

/* ---- a folder */

struct folder {
    char path[256];
    char state[280];
    char lock[288];
};

static inline struct folder folder_make(void)
{
    struct folder folder = { { 0 }, { 0 }, { 0 } };
    const char *parent = getenv("TMPDIR");
    (void)snprintf(folder.path, sizeof folder.path, "%s/kith-store-XXXXXX",
                   parent == NULL ? "/tmp" : parent);
    ck_assert_ptr_nonnull(mkdtemp(folder.path));
    (void)snprintf(folder.state, sizeof folder.state, "%s/state.mdb", folder.path);
    (void)snprintf(folder.lock, sizeof folder.lock, "%s-lock", folder.state);
    return folder;
}

static inline void folder_remove(const struct folder *folder)
{
    (void)unlink(folder->state);
    (void)unlink(folder->lock);
    ck_assert_int_eq(rmdir(folder->path), 0);
}

/* ---- children: what is expected to end the process does so there */

typedef void (*child_body)(void *argument);

/* The wait status. Only between stores: no LMDB environment may be open across a fork. */
static inline int child_run(child_body body, void *argument)
{
    (void)fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        (void)dup2(nowhere, STDERR_FILENO);
        body(argument);
        _exit(0);
    }
    int result = 0;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    return result;
}

static inline bool child_aborts(child_body body, void *argument)
{
    int result = child_run(body, argument);
    return WIFSIGNALED(result) && WTERMSIG(result) == SIGABRT;
}

static inline int child_exit_code(child_body body, void *argument)
{
    int result = child_run(body, argument);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
}

/* ---- the store under test */

enum {
    TABLE_LOW = 1,
    TABLE_MIDDLE = 7,
    TABLE_HIGH = 254,
    TABLE_COUNT = 3,
};

static const struct store_table fixture_tables[TABLE_COUNT] = {
    { TABLE_LOW, "low", STORE_TABLE_TREE },
    { TABLE_MIDDLE, "middle", STORE_TABLE_TREE },
    { TABLE_HIGH, "high", STORE_TABLE_TREE },
};

static inline struct store_options options_of(const struct folder *folder)
{
    return (struct store_options){
        .path = folder->state,
        .service = "loyalty",
        .shard = 0,
        .schema = 1,
        .tables = fixture_tables,
        .table_count = TABLE_COUNT,
        .map_bytes = 64U << 20,
        .memtable_bytes_max = 1U << 20,
    };
}

static inline struct store *store_make(const struct store_options *options)
{
    struct store *store = NULL;
    struct refusal refusal = { 0 };
    enum status status = store_open(&store, options, &refusal);
    ck_assert_msg(status == STATUS_OK, "store_open: %s", refusal.message);
    return store;
}

static inline struct journal_position position_of(uint64_t block)
{
    struct journal_position position = { .seq = 3 * block, .block = block };
    memset(position.chain.bytes, (int)(block & 0xff), sizeof position.chain.bytes);
    return position;
}

static inline void position_check(struct journal_position position, uint64_t block)
{
    struct journal_position expected = position_of(block);
    ck_assert_uint_eq(position.seq, expected.seq);
    ck_assert_uint_eq(position.block, expected.block);
    ck_assert(hash256_equal(position.chain, expected.chain));
}

static inline void text_put(struct store *store, uint8_t table, const char *key, const char *value)
{
    struct change change = store_change(store);
    change_put(&change, table, span_of_text(key), span_of_text(value));
}

static inline void text_delete(struct store *store, uint8_t table, const char *key)
{
    struct change change = store_change(store);
    change_delete(&change, table, span_of_text(key));
}

/* NULL for `value`: there must be no such record. */
static inline void text_check(struct store *store, uint8_t table, const char *key,
                              const char *value)
{
    struct view view = store_view(store);
    struct span found = { 0 };
    bool is_there = view_get(&view, table, span_of_text(key), &found);
    ck_assert_msg(is_there == (value != NULL), "%s is %s", key, is_there ? "there" : "missing");
    if (value != NULL) {
        ck_assert(span_equal(found, span_of_text(value)));
    }
}

static inline void steps_make(struct store *store, size_t steps)
{
    for (size_t i = 0; i < steps && store_checkpoint_running(store); i++) {
        ck_assert_int_eq(store_checkpoint_step(store), STATUS_OK);
    }
}

static inline void checkpoint_make(struct store *store, uint64_t block)
{
    struct journal_position position = position_of(block);
    ck_assert_int_eq(store_checkpoint_whole(store, &position), STATUS_OK);
}

/* ---- the model */

#define MODEL_KEY_BYTES_MAX 9
#define MODEL_RECORDS_MAX 400

/* A value is what `seed` makes of `size` bytes. */
struct model_record {
    uint8_t table;
    uint8_t key[MODEL_KEY_BYTES_MAX];
    size_t key_size;
    uint64_t seed;
    size_t size;
};

struct model {
    struct model_record records[MODEL_RECORDS_MAX]; /* by table and key */
    size_t count;
};

struct model_value {
    uint8_t bytes[LIMIT_STATE_VALUE_BYTES];
    struct span span;
};

static inline void model_value_make(const struct model_record *record, struct model_value *value)
{
    struct chance chance = { record->seed };
    for (size_t i = 0; i < record->size; i++) {
        value->bytes[i] = (uint8_t)chance_next(&chance);
    }
    value->span = span_of(value->bytes, record->size);
}

static inline struct span model_key(const struct model_record *record)
{
    return span_of(record->key, record->key_size);
}

/* Where the record is, or would be. */
static inline size_t model_place(const struct model *model, uint8_t table, struct span key)
{
    size_t place = 0;
    while (place < model->count) {
        const struct model_record *record = &model->records[place];
        if (record->table > table ||
            (record->table == table && span_compare(model_key(record), key) >= 0)) {
            break;
        }
        place++;
    }
    return place;
}

static inline bool model_has(const struct model *model, size_t place, uint8_t table,
                             struct span key)
{
    return place < model->count && model->records[place].table == table &&
           span_equal(model_key(&model->records[place]), key);
}

static inline void model_delete(struct model *model, uint8_t table, struct span key)
{
    size_t place = model_place(model, table, key);
    if (!model_has(model, place, table, key)) {
        return;
    }
    model->count--;
    memmove(&model->records[place], &model->records[place + 1],
            (model->count - place) * sizeof model->records[0]);
}

static inline void model_put(struct model *model, const struct model_record *record)
{
    size_t place = model_place(model, record->table, model_key(record));
    if (!model_has(model, place, record->table, model_key(record))) {
        ck_assert_uint_lt(model->count, MODEL_RECORDS_MAX);
        memmove(&model->records[place + 1], &model->records[place],
                (model->count - place) * sizeof model->records[0]);
        model->count++;
    }
    model->records[place] = *record;
}

/* Few different keys, so that they meet often; one is often the beginning of another, and
 * the lowest and the highest byte are among theirs. */
static inline struct model_record record_draw(struct chance *chance)
{
    static const uint8_t letters[] = { 0x00, 'a', 0xff };
    struct model_record record = { 0 };
    record.table = fixture_tables[chance_below(chance, TABLE_COUNT)].id;
    record.key_size = (size_t)chance_below(chance, 4);
    for (size_t i = 0; i < record.key_size; i++) {
        record.key[i] = letters[chance_below(chance, sizeof letters)];
    }
    if (record.key_size == 3 && chance_below(chance, 4) == 0) {
        memset(record.key + 3, 'b', 6); /* longer than the prefix that a memtable compares */
        record.key_size = MODEL_KEY_BYTES_MAX;
    }
    record.seed = chance_next(chance);
    record.size = (size_t)chance_below(chance, 40);
    if (chance_below(chance, 50) == 0) {
        record.size = (size_t)chance_below(chance, LIMIT_STATE_VALUE_BYTES + 1);
    }
    return record;
}

/* Changes the model and, in the same way, what `change` leads to. */
static inline void change_draw(struct chance *chance, struct model *model,
                               const struct change *change)
{
    struct model_record record = record_draw(chance);
    if (chance_below(chance, 3) == 0) {
        change_delete(change, record.table, model_key(&record));
        model_delete(model, record.table, model_key(&record));
        return;
    }
    struct model_value value;
    model_value_make(&record, &value);
    change_put(change, record.table, model_key(&record), value.span);
    model_put(model, &record);
}

/* A scan that must find records [place, end) of the model, and is ended after `limit`. */
struct model_scan {
    const struct model *model;
    size_t place;
    size_t seen;
    size_t limit;
};

static inline bool model_scan_visit(void *argument, struct span key, struct span value)
{
    struct model_scan *scan = argument;
    ck_assert_uint_lt(scan->seen, scan->limit);
    ck_assert_uint_lt(scan->place, scan->model->count);
    const struct model_record *record = &scan->model->records[scan->place];
    struct model_value expected;
    model_value_make(record, &expected);
    ck_assert(span_equal(key, model_key(record)));
    ck_assert(span_equal(value, expected.span));
    scan->place++;
    scan->seen++;
    return scan->seen < scan->limit;
}

static inline void model_scan_check(const struct model *model, const struct view *view,
                                    uint8_t table, struct span from, size_t limit)
{
    size_t place = model_place(model, table, from);
    struct model_scan scan = { .model = model, .place = place, .limit = limit };
    view_scan(view, table, from, model_scan_visit, &scan);
    size_t expected = 0;
    while (expected < limit && place + expected < model->count &&
           model->records[place + expected].table == table) {
        expected++;
    }
    ck_assert_uint_eq(scan.seen, expected);
}

static inline void model_get_check(const struct model *model, const struct view *view,
                                   uint8_t table, struct span key)
{
    size_t place = model_place(model, table, key);
    struct span found = { 0 };
    bool is_there = view_get(view, table, key, &found);
    ck_assert_int_eq(is_there, model_has(model, place, table, key));
    if (is_there) {
        struct model_value expected;
        model_value_make(&model->records[place], &expected);
        ck_assert(span_equal(found, expected.span));
    }
}

/* Whole tables, by scan and by get. */
static inline void model_check(const struct model *model, const struct view *view)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        model_scan_check(model, view, fixture_tables[i].id, (struct span){ 0 }, SIZE_MAX);
    }
    for (size_t i = 0; i < model->count; i++) {
        model_get_check(model, view, model->records[i].table, model_key(&model->records[i]));
    }
}

/* One key and a few records from it on. */
static inline void model_check_some(struct chance *chance, const struct model *model,
                                    const struct view *view)
{
    struct model_record record = record_draw(chance);
    model_get_check(model, view, record.table, model_key(&record));
    model_scan_check(model, view, record.table, model_key(&record),
                     1 + (size_t)chance_below(chance, 5));
}

/* ---- digests */

static inline void digests_check(const struct store_digest *left, const struct store_digest *right)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        ck_assert(strcmp(left[i].table, right[i].table) == 0);
        ck_assert_uint_eq(left[i].records, right[i].records);
        ck_assert_msg(hash128_equal(left[i].digest, right[i].digest), "table %s", left[i].table);
    }
}

static inline bool digests_equal(const struct store_digest *left, const struct store_digest *right)
{
    bool equal = true;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        equal = equal && left[i].records == right[i].records &&
                hash128_equal(left[i].digest, right[i].digest);
    }
    return equal;
}

/* No store may be open on the file in this process. */
static inline void digests_read(const struct store_options *options, struct store_digest *digests,
                                struct journal_position *position)
{
    struct refusal refusal = { 0 };
    enum status status = store_digests_of_file(options, NULL, digests, position, &refusal);
    ck_assert_msg(status == STATUS_OK, "store_digests_of_file: %s", refusal.message);
}

/* ---- two states and a checkpoint between them */

/* Digests of a store that never had anything but these changes. */
static inline void fresh_digests(const struct model *model, struct store_digest *digests)
{
    struct folder folder = folder_make();
    struct store_options options = options_of(&folder);
    struct store *store = store_make(&options);
    struct change change = store_change(store);
    for (size_t i = 0; i < model->count; i++) {
        struct model_value value;
        model_value_make(&model->records[i], &value);
        change_put(&change, model->records[i].table, model_key(&model->records[i]), value.span);
    }
    store_digests(store, digests);
    store_close(&store);
    folder_remove(&folder);
}

/* Two states and the file that has the first as its checkpoint 1. */
struct two_states {
    struct folder folder;
    struct store_options options;
    struct model old;
    struct model new;
    struct chance chance;
    struct store_digest old_digests[TABLE_COUNT];
    struct store_digest new_digests[TABLE_COUNT];
};

static inline void changes_draw(struct two_states *states, struct model *model, struct store *store,
                                size_t changes)
{
    struct change change = store_change(store);
    for (size_t i = 0; i < changes; i++) {
        change_draw(&states->chance, model, &change);
    }
}

static inline struct two_states *two_states_make(const char *test)
{
    struct two_states *states = memory_allocate(sizeof *states);
    states->chance = chance_draw(test);
    states->folder = folder_make();
    states->options = options_of(&states->folder);
    states->options.checkpoint_records = 3;
    struct store *store = store_make(&states->options);
    changes_draw(states, &states->old, store, 40);
    checkpoint_make(store, 1);
    store_close(&store);
    states->new = states->old;
    fresh_digests(&states->old, states->old_digests);
    return states;
}

/* The same changes each time, so that one file can be brought to the new state again. */
static inline struct store *two_states_open_new(struct two_states *states)
{
    struct store *store = store_make(&states->options);
    struct chance before = states->chance;
    states->new = states->old;
    changes_draw(states, &states->new, store, 30);
    states->chance = before;
    return store;
}

static inline void two_states_release(struct two_states *states)
{
    folder_remove(&states->folder);
    free(states);
}

#endif
