/*
 * What the file says of itself: the newest checkpoint and the closed run.
 */
#include "common/store/store_file.h"

#include <stdio.h>
#include <string.h>

#define POSITION_BYTES 48
#define CLOSED_BYTES (POSITION_BYTES + 16)

static const struct span closed_key = { (const uint8_t *)"closed", 6 };
static const struct span checkpoint_key = { (const uint8_t *)"checkpoint", 10 };

static void position_encode(const struct journal_position *position, uint8_t *out)
{
    be64_put(out, position->seq);
    be64_put(out + 8, position->block);
    memcpy(out + 16, position->chain.bytes, sizeof position->chain.bytes);
}

static struct journal_position position_decode(const uint8_t *bytes)
{
    struct journal_position position = { .seq = be64_get(bytes), .block = be64_get(bytes + 8) };
    memcpy(position.chain.bytes, bytes + 16, sizeof position.chain.bytes);
    return position;
}

static enum status meta_get(const struct store_file *file, MDB_txn *txn, struct span key,
                            size_t size, struct span *value)
{
    MDB_val key_value = store_value_of(key);
    MDB_val found = { 0 };
    enum status status = store_status_from_lmdb(mdb_get(txn, file->meta, &key_value, &found));
    if (status != STATUS_OK) {
        return status;
    }
    struct span opened = { 0 };
    if (!store_record_open(key, store_span_of(found), &opened) || opened.size != size) {
        return STATUS_CORRUPT;
    }
    *value = opened;
    return STATUS_OK;
}

static enum status meta_put(const struct store_file *file, MDB_txn *txn, struct span key,
                            struct span value)
{
    uint8_t sealed[STORE_SEALED_BYTES_MAX];
    return store_file_put(txn, file->meta, key, store_record_seal(key, value, sealed), 0);
}

enum status store_closed_get(const struct store_file *file, MDB_txn *txn,
                             struct store_closed *closed)
{
    struct span value = { 0 };
    enum status status = meta_get(file, txn, closed_key, CLOSED_BYTES, &value);
    if (status != STATUS_OK) {
        return status;
    }
    *closed = (struct store_closed){
        .position = position_decode(value.data),
        .run = { .records = be64_get(value.data + POSITION_BYTES),
                 .chain = be64_get(value.data + POSITION_BYTES + 8) },
    };
    return STATUS_OK;
}

enum status store_closed_put(const struct store_file *file, MDB_txn *txn,
                             const struct store_closed *closed)
{
    uint8_t bytes[CLOSED_BYTES];
    position_encode(&closed->position, bytes);
    be64_put(bytes + POSITION_BYTES, closed->run.records);
    be64_put(bytes + POSITION_BYTES + 8, closed->run.chain);
    return meta_put(file, txn, closed_key, span_of(bytes, sizeof bytes));
}

enum status store_position_get(const struct store_file *file, MDB_txn *txn,
                               struct journal_position *position)
{
    struct span value = { 0 };
    enum status status = meta_get(file, txn, checkpoint_key, POSITION_BYTES, &value);
    if (status == STATUS_NOT_FOUND) {
        *position = (struct journal_position){ 0 };
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        *position = position_decode(value.data);
    }
    return status;
}

enum status store_position_put(const struct store_file *file, MDB_txn *txn,
                               const struct journal_position *position)
{
    uint8_t bytes[POSITION_BYTES];
    position_encode(position, bytes);
    enum status status = meta_put(file, txn, checkpoint_key, span_of(bytes, sizeof bytes));
    if (status != STATUS_OK) {
        return status;
    }
    return store_file_delete(txn, file->meta, closed_key);
}

static const char *table_name(const struct store_options *options, uint8_t table)
{
    for (size_t i = 0; i < options->table_count; i++) {
        if (options->tables[i].id == table) {
            return options->tables[i].name;
        }
    }
    return "(unknown)";
}

void store_record_describe(const struct store_options *options, struct span key,
                           char out[STORE_RECORD_TEXT_BYTES])
{
    struct store_key shown = key.size > 0 ? store_key_whole(key) : store_key_copy(key);
    if (shown.size == 0) {
        (void)snprintf(out, STORE_RECORD_TEXT_BYTES, "the tables cannot be read");
        return;
    }
    char hex[2 * STORE_KEY_BYTES_MAX + 1] = "";
    hex_encode(store_key_part(store_key_span(&shown)), hex);
    (void)snprintf(out, STORE_RECORD_TEXT_BYTES, "table %s, key %s: wrong checksum",
                   table_name(options, shown.bytes[0]), hex);
}

static enum status run_read(MDB_cursor *cursor, struct run_digest *digest, struct span *broken)
{
    for (;;) {
        MDB_val key = { 0 };
        MDB_val value = { 0 };
        int code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        if (code == MDB_NOTFOUND) {
            return STATUS_OK;
        }
        if (code != MDB_SUCCESS) {
            return STATUS_CORRUPT;
        }
        struct store_image image = { 0 };
        struct span sealed = store_span_of(value);
        if (!store_image_open(store_span_of(key), sealed, &image)) {
            *broken = store_span_of(key);
            return STATUS_CORRUPT;
        }
        run_digest_add(digest, sealed);
    }
}

enum status store_run_check(const struct store_file *file, MDB_txn *txn,
                            const struct store_closed *closed, const struct store_options *options,
                            struct refusal *refusal)
{
    MDB_cursor *cursor = store_file_cursor(txn, file->run);
    struct run_digest digest = { 0 };
    struct span broken = { 0 };
    enum status status = run_read(cursor, &digest, &broken);
    mdb_cursor_close(cursor);
    if (status != STATUS_OK) {
        char text[STORE_RECORD_TEXT_BYTES] = "";
        store_record_describe(options, broken, text);
        return refusal_set(refusal, status, "%s", text);
    }
    if (!run_digest_equal(digest, closed->run)) {
        return refusal_set(refusal, STATUS_CORRUPT,
                           "%s: the closed run is not the one that was written", options->path);
    }
    return STATUS_OK;
}
