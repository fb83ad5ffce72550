#include "common/store/run_list.h"

#include <assert.h>
#include <stdlib.h>

/* ---- runs and lists */

struct run *run_open(const struct run_slots *slots, uint8_t slot)
{
    assert(slot < slots->count);
    struct run *run = memory_allocate(sizeof *run);
    atomic_init(&run->holders, 1);
    run->table = slots->tables[slot];
    run->slot = slot;
    return run;
}

struct run *run_share(struct run *run)
{
    unsigned before = atomic_fetch_add(&run->holders, 1);
    assert(before > 0);
    return run;
}

void run_release(struct run **run)
{
    struct run *released = *run;
    *run = NULL;
    unsigned before = atomic_fetch_sub(&released->holders, 1);
    assert(before > 0);
    if (before == 1) {
        run_filter_release(&released->filter);
        free(released);
    }
}

bool run_is_alone(const struct run *run)
{
    return atomic_load(&run->holders) == 1;
}

struct run_list *run_list_of(struct run *const *runs, size_t count, size_t published)
{
    assert(count <= LIMIT_STATE_RUNS);
    struct run_list *list = memory_allocate(sizeof *list);
    atomic_init(&list->holders, 1);
    list->published = published;
    list->count = count;
    for (size_t i = 0; i < count; i++) {
        list->runs[i] = runs[i];
        list->filters[i] = runs[i]->filter;
    }
    return list;
}

struct run_list *run_list_share(struct run_list *list)
{
    unsigned before = atomic_fetch_add(&list->holders, 1);
    assert(before > 0);
    return list;
}

void run_list_release(struct run_list **list)
{
    struct run_list *released = *list;
    *list = NULL;
    if (released == NULL) {
        return;
    }
    unsigned before = atomic_fetch_sub(&released->holders, 1);
    assert(before > 0);
    if (before == 1) {
        for (size_t i = 0; i < released->count; i++) {
            run_release(&released->runs[i]);
        }
        free(released);
    }
}

bool run_list_fits(const struct run_list *list, MDB_txn *txn)
{
    return mdb_txn_id(txn) >= list->published;
}

uint64_t run_list_records(const struct run_list *list)
{
    uint64_t records = 0;
    for (size_t i = 0; i < list->count; i++) {
        records += list->runs[i]->records;
    }
    return records;
}

/* ---- one run's records */

static void head_break(struct run_head *head, struct span key)
{
    head->has_record = false;
    head->is_broken = true;
    head->key = key;
}

/* Into the block that `operation` leads to; its first record is shown by head_show. */
static bool head_enter(struct run_head *head, struct span from, MDB_cursor_op operation)
{
    MDB_val key = store_value_of(from);
    MDB_val value = { 0 };
    int code = mdb_cursor_get(head->cursor, &key, &value, operation);
    head->has_record = false;
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND) {
        head_break(head, (struct span){ 0 });
        return false;
    }
    struct span found = store_span_of(key);
    if (code == MDB_NOTFOUND || found.data[0] == RUN_FILTER_TABLE) {
        return false;
    }
    head->sealed = store_span_of(value);
    if (!run_block_open(found, head->sealed, &head->block)) {
        head_break(head, found);
        return false;
    }
    return true;
}

/* STATUS_NOT_FOUND: the block has no more. */
static enum status head_show(struct run_head *head)
{
    enum status status = run_block_next(&head->block, &head->key, &head->value);
    head->has_record = status == STATUS_OK;
    if (status == STATUS_CORRUPT) {
        head_break(head, head->block.key);
    }
    return status;
}

static void head_advance(struct run_head *head)
{
    if (head_show(head) != STATUS_NOT_FOUND) {
        return;
    }
    run_digest_add(&head->digest, head->sealed);
    if (head_enter(head, (struct span){ 0 }, MDB_NEXT) && head_show(head) == STATUS_NOT_FOUND) {
        head_break(head, head->block.key);
    }
}

/* Of a head that stands behind `from`: is there really nothing between? A block whose key has
 * rotted was passed by, and its checksum, which is over the key too, not looked at. */
static void head_look_back(struct run_head *head, struct span from)
{
    MDB_val key = { 0 };
    MDB_val value = { 0 };
    struct run_block_reader before = { 0 };
    int code = mdb_cursor_get(head->cursor, &key, &value, MDB_PREV);
    struct span found = store_span_of(key);
    if (code == MDB_SUCCESS &&
        (!run_block_open(found, store_span_of(value), &before) || span_compare(found, from) >= 0)) {
        head_break(head, found);
        return;
    }
    if (code == MDB_SUCCESS || code == MDB_NOTFOUND) {
        key = store_value_of(from); /* back to where it stood */
        code = mdb_cursor_get(head->cursor, &key, &value, MDB_SET_RANGE);
    }
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND) {
        head_break(head, (struct span){ 0 });
    }
}

static void head_seek(struct run_head *head, struct span from)
{
    if (!head_enter(head, from, MDB_SET_RANGE)) {
        if (!head->is_broken) {
            head_look_back(head, from);
        }
        return;
    }
    enum status status = head_show(head);
    bool is_first = status == STATUS_OK && span_compare(head->key, from) > 0;
    while (status == STATUS_OK && span_compare(head->key, from) < 0) {
        status = head_show(head);
    }
    /* The block's last key is not below `from`. */
    if (status == STATUS_NOT_FOUND) {
        head_break(head, head->block.key);
    } else if (is_first) {
        head_look_back(head, from);
    }
}

static void head_open(struct run_head *head, const struct run *run, MDB_txn *txn)
{
    *head = (struct run_head){ .run = run };
    head->cursor = store_file_cursor(txn, run->table);
}

/* ---- all runs' records */

void run_cursor_open(struct run_cursor *cursor, struct run *const *runs, size_t count, MDB_txn *txn,
                     struct span from)
{
    assert(count <= LIMIT_STATE_RUNS);
    cursor->count = count;
    for (size_t i = 0; i < count; i++) {
        head_open(&cursor->heads[i], runs[i], txn);
        head_seek(&cursor->heads[i], from);
    }
}

void run_cursor_release(struct run_cursor *cursor)
{
    for (size_t i = 0; i < cursor->count; i++) {
        mdb_cursor_close(cursor->heads[i].cursor);
    }
    cursor->count = 0;
}

/* The newest of the heads that stand at the least key, and a bit for each of these. NULL:
 * there are no more records. */
static const struct run_head *heads_least(const struct run_cursor *cursor, uint64_t *at_least)
{
    const struct run_head *least = NULL;
    static_assert(LIMIT_STATE_RUNS <= 64, "a head has a bit");
    for (size_t i = 0; i < cursor->count; i++) {
        const struct run_head *head = &cursor->heads[i];
        if (!head->has_record) {
            continue;
        }
        int order = least == NULL ? -1 : span_compare(head->key, least->key);
        if (order < 0) {
            least = head;
            *at_least = 0;
        }
        if (order <= 0) {
            *at_least |= UINT64_C(1) << i;
        }
    }
    return least;
}

static const struct run_head *heads_broken(const struct run_cursor *cursor)
{
    for (size_t i = 0; i < cursor->count; i++) {
        if (cursor->heads[i].is_broken) {
            return &cursor->heads[i];
        }
    }
    return NULL;
}

enum status run_cursor_next(struct run_cursor *cursor, struct span *key, struct span *value)
{
    const struct run_head *broken = heads_broken(cursor);
    if (broken != NULL) {
        *key = broken->key;
        return STATUS_CORRUPT;
    }
    uint64_t at_least = 0;
    const struct run_head *least = heads_least(cursor, &at_least);
    if (least == NULL) {
        return STATUS_NOT_FOUND;
    }
    *key = least->key;
    *value = least->value;
    for (size_t i = 0; i < cursor->count; i++) {
        if ((at_least >> i & 1U) != 0) {
            head_advance(&cursor->heads[i]);
        }
    }
    return STATUS_OK;
}

static enum status run_get(const struct run *run, MDB_txn *txn, struct span key, struct span *value)
{
    struct run_head head = { 0 };
    head_open(&head, run, txn);
    head_seek(&head, key);
    mdb_cursor_close(head.cursor);
    if (head.is_broken) {
        return STATUS_CORRUPT;
    }
    if (!head.has_record || !span_equal(head.key, key)) {
        return STATUS_NOT_FOUND;
    }
    *value = head.value;
    return STATUS_OK;
}

void run_list_prefetch(const struct run_list *list, uint64_t hash)
{
    for (size_t i = 0; i < list->count; i++) {
        run_filter_prefetch(&list->filters[i], hash);
    }
}

enum status run_list_get(const struct run_list *list, MDB_txn *txn, uint64_t hash, struct span key,
                         struct span *value)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!run_filter_may_hold(&list->filters[i], hash)) {
            continue;
        }
        enum status status = run_get(list->runs[i], txn, key, value);
        if (status != STATUS_NOT_FOUND) {
            return status;
        }
    }
    return STATUS_NOT_FOUND;
}

static enum status run_check(struct run *run, MDB_txn *txn, struct store_key *broken)
{
    static const uint8_t lowest[1] = { 0 };
    struct run_cursor cursor = { 0 };
    struct span key = { 0 };
    struct span value = { 0 };
    struct store_key last = { 0 };
    uint64_t records = 0;
    enum status status = STATUS_OK;
    run_cursor_open(&cursor, &run, 1, txn, span_of(lowest, sizeof lowest));
    while ((status = run_cursor_next(&cursor, &key, &value)) == STATUS_OK) {
        last = store_key_copy(key);
        records++;
    }
    uint64_t chain = cursor.heads[0].digest.chain;
    run_cursor_release(&cursor);
    if (status != STATUS_NOT_FOUND) {
        *broken = store_key_copy(key);
        return status;
    }
    if (records != run->records || chain != run->chain) {
        *broken = last;
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

enum status run_list_check(const struct run_list *list, MDB_txn *txn, struct store_key *broken)
{
    for (size_t i = 0; i < list->count; i++) {
        enum status status = run_check(list->runs[i], txn, broken);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}
