#include "common/store/store_file.h"

#include "common/lmdb/lmdb_file.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* 2: permanent tables lie in runs. 3: tables may be clustered. */
#define FORMAT 3
#define FORMAT_CLUSTERED 3
#define TABLES (3 + LIMIT_STATE_RUNS)
/* A reader's place in the lock file; a killed reader holds one until it is looked for. */
#define READERS_MAX 1024
#define IDENTITY_BYTES_MAX (12 + LIMIT_ID_BYTES)

/* NOTLS: the one thread has its own read transaction beside the write transaction.
 * NORDAHEAD: reads are spread over a file that may be larger than memory. Nothing that
 * weakens the sync or opens the map to stray writes. */
static const unsigned file_flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD;

struct identity {
    uint32_t format;
    uint32_t shard;
    uint32_t schema;
    struct span service;
};

enum status store_status_from_lmdb(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return STATUS_OK;
    case MDB_NOTFOUND:
        return STATUS_NOT_FOUND;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
        return STATUS_LIMIT;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return STATUS_CORRUPT;
    default:
        return STATUS_INTERNAL;
    }
}

MDB_val store_value_of(struct span span)
{
    /* LMDB only reads keys and values it is given, but its struct serves both ways. */
    union {
        const uint8_t *given;
        void *taken;
    } data = { .given = span.data };
    return (MDB_val){ .mv_size = span.size, .mv_data = data.taken };
}

struct span store_span_of(MDB_val value)
{
    return span_of(value.mv_data, value.mv_size);
}

enum status store_file_write_begin(const struct store_file *file, MDB_txn **txn)
{
    return store_status_from_lmdb(mdb_txn_begin(file->env, NULL, 0, txn));
}

enum status store_file_read_begin(const struct store_file *file, MDB_txn **txn)
{
    return store_status_from_lmdb(mdb_txn_begin(file->env, NULL, MDB_RDONLY, txn));
}

enum status store_file_write_end(MDB_txn **txn, enum status status)
{
    /* LMDB frees the handle even when the commit fails: forget it first. */
    MDB_txn *handle = *txn;
    *txn = NULL;
    if (status != STATUS_OK) {
        mdb_txn_abort(handle);
        return status;
    }
    return store_status_from_lmdb(mdb_txn_commit(handle));
}

MDB_cursor *store_file_cursor(MDB_txn *txn, MDB_dbi table)
{
    MDB_cursor *cursor = NULL;
    int code = mdb_cursor_open(txn, table, &cursor);
    if (code == ENOMEM) {
        memory_exhausted("a cursor");
    }
    assert(code == MDB_SUCCESS);
    return cursor;
}

enum status store_file_put(MDB_txn *txn, MDB_dbi table, struct span key, struct span value,
                           unsigned flags)
{
    MDB_val key_value = store_value_of(key);
    MDB_val value_value = store_value_of(value);
    return store_status_from_lmdb(mdb_put(txn, table, &key_value, &value_value, flags));
}

enum status store_file_delete(MDB_txn *txn, MDB_dbi table, struct span key)
{
    MDB_val key_value = store_value_of(key);
    int code = mdb_del(txn, table, &key_value, NULL);
    return code == MDB_NOTFOUND ? STATUS_OK : store_status_from_lmdb(code);
}

enum status store_file_count(MDB_txn *txn, MDB_dbi table, uint64_t *records)
{
    MDB_stat stat = { 0 };
    int code = mdb_stat(txn, table, &stat);
    if (code == MDB_SUCCESS) {
        *records = stat.ms_entries;
    }
    return store_status_from_lmdb(code);
}

/* ---- whose file it is */

static const struct span identity_key = { (const uint8_t *)"identity", 8 };

static bool identity_decode(struct span sealed, struct identity *identity)
{
    struct span bytes = { 0 };
    if (!store_record_open(identity_key, sealed, &bytes) || bytes.size < 12) {
        return false;
    }
    *identity = (struct identity){
        .format = be32_get(bytes.data),
        .shard = be32_get(bytes.data + 4),
        .schema = be32_get(bytes.data + 8),
        .service = span_of(bytes.data + 12, bytes.size - 12),
    };
    return true;
}

static enum status identity_put(const struct store_file *file, MDB_txn *txn,
                                const struct store_options *options)
{
    struct span service = span_of_text(options->service);
    assert(service.size <= LIMIT_ID_BYTES);
    uint8_t bytes[IDENTITY_BYTES_MAX];
    be32_put(bytes, FORMAT);
    be32_put(bytes + 4, options->shard);
    be32_put(bytes + 8, options->schema);
    memcpy(bytes + 12, service.data, service.size);
    uint8_t sealed[STORE_SEALED_BYTES_MAX];
    struct span value = store_record_seal(identity_key, span_of(bytes, 12 + service.size), sealed);
    return store_file_put(txn, file->meta, identity_key, value, 0);
}

static enum status identity_compare(const struct identity *identity,
                                    const struct store_options *options, struct refusal *refusal)
{
    if (identity->format > FORMAT) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "%s has format %u, this program knows %u: use the newer program",
                           options->path, identity->format, (unsigned)FORMAT);
    }
    if (!span_equal(identity->service, span_of_text(options->service)) ||
        identity->shard != options->shard) {
        return refusal_set(refusal, STATUS_REFUSED, "%s belongs to %.*s/%u, not to %s/%u",
                           options->path, (int)identity->service.size,
                           (const char *)identity->service.data, identity->shard, options->service,
                           options->shard);
    }
    if (identity->schema > options->schema) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "%s has tables of version %u, this program knows %u: "
                           "use the newer program",
                           options->path, identity->schema, options->schema);
    }
    return STATUS_OK;
}

enum file_age {
    FILE_CURRENT,
    FILE_OLDER,    /* and read as it is */
    FILE_OUTDATED, /* its records lie where nobody looks for them any more */
};

static enum file_age file_age_of(const struct identity *identity,
                                 const struct store_options *options)
{
    bool is_older = identity->format < FORMAT || identity->schema < options->schema;
    for (size_t i = 0; i < options->table_count; i++) {
        if (options->tables[i].kind == STORE_TABLE_CLUSTERED &&
            identity->format < FORMAT_CLUSTERED) {
            return FILE_OUTDATED;
        }
    }
    return is_older ? FILE_OLDER : FILE_CURRENT;
}

/* STATUS_NOT_FOUND: it belongs to nobody yet. */
static enum status identity_check(const struct store_file *file, MDB_txn *txn,
                                  const struct store_options *options, enum file_age *age,
                                  struct refusal *refusal)
{
    MDB_val key = store_value_of(identity_key);
    MDB_val value = { 0 };
    int code = mdb_get(txn, file->meta, &key, &value);
    if (code == MDB_NOTFOUND) {
        return STATUS_NOT_FOUND;
    }
    struct identity identity = { 0 };
    if (code != MDB_SUCCESS || !identity_decode(store_span_of(value), &identity)) {
        return refusal_set(refusal, STATUS_CORRUPT, "%s: the record of whose it is is broken",
                           options->path);
    }
    *age = file_age_of(&identity, options);
    return identity_compare(&identity, options, refusal);
}

/* ---- opening */

static enum status lmdb_refuse(struct refusal *refusal, const struct store_options *options,
                               int code)
{
    return refusal_set(refusal, store_status_from_lmdb(code), "cannot open %s: %s", options->path,
                       mdb_strerror(code));
}

static int tables_open(struct store_file *file, MDB_txn *txn, unsigned flags)
{
    int code = mdb_dbi_open(txn, "data", flags, &file->data);
    if (code == MDB_SUCCESS) {
        code = mdb_dbi_open(txn, "run", flags, &file->run);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_dbi_open(txn, "meta", flags, &file->meta);
    }
    return code;
}

/* A file with tables, but without ours, is somebody else's: it stays as it is. */
static enum status foreign_refuse(MDB_txn *txn, const struct store_options *options,
                                  struct refusal *refusal)
{
    MDB_dbi names = 0;
    uint64_t count = 0;
    int code = mdb_dbi_open(txn, NULL, 0, &names);
    if (code != MDB_SUCCESS) {
        return lmdb_refuse(refusal, options, code);
    }
    enum status status = store_file_count(txn, names, &count);
    if (status != STATUS_OK || count == 0) {
        return status;
    }
    return refusal_set(refusal, STATUS_REFUSED, "%s is not a state of Kith", options->path);
}

/* The state is made of the journal again: it is the same, and this way is the one that every
 * state came by. Permanent records stay, they are put again as they are. */
static enum status content_drop(const struct store_file *file, MDB_txn *txn)
{
    struct journal_position begin = { 0 };
    int code = mdb_drop(txn, file->data, 0);
    if (code == MDB_SUCCESS) {
        code = mdb_drop(txn, file->run, 0);
    }
    enum status status = store_status_from_lmdb(code);
    return status == STATUS_OK ? store_position_put(file, txn, &begin) : status;
}

static enum status content_open(struct store_file *file, MDB_txn *txn,
                                const struct store_options *options, struct refusal *refusal)
{
    int code = tables_open(file, txn, 0);
    if (code == MDB_NOTFOUND) {
        enum status status = foreign_refuse(txn, options, refusal);
        if (status != STATUS_OK) {
            return status;
        }
        code = tables_open(file, txn, MDB_CREATE);
    }
    if (code != MDB_SUCCESS) {
        return lmdb_refuse(refusal, options, code);
    }
    enum file_age age = FILE_CURRENT;
    enum status status = identity_check(file, txn, options, &age, refusal);
    if (status != STATUS_NOT_FOUND && !(status == STATUS_OK && age != FILE_CURRENT)) {
        return status;
    }
    status = age == FILE_OUTDATED ? content_drop(file, txn) : STATUS_OK;
    /* Over an older schema too: what is written from now on, an older program must not read. */
    if (status == STATUS_OK) {
        status = identity_put(file, txn, options);
    }
    if (status != STATUS_OK) {
        (void)refusal_set(refusal, status, "cannot write to %s: %s", options->path,
                          status_text(status));
    }
    return status;
}

static int environment_open(struct store_file *file, const char *path, size_t map_bytes,
                            unsigned flags)
{
    int code = mdb_env_create(&file->env);
    if (code != MDB_SUCCESS) {
        file->env = NULL;
        return code;
    }
    if (map_bytes > 0) {
        code = mdb_env_set_mapsize(file->env, map_bytes);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_maxdbs(file->env, TABLES);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_maxreaders(file->env, READERS_MAX);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_open(file->env, path, flags, LMDB_FILE_MODE);
    }
    if (code != MDB_SUCCESS) {
        return code;
    }
    unsigned given = 0;
    code = mdb_env_get_flags(file->env, &given);
    assert(code == MDB_SUCCESS && given == flags);
    return code;
}

static enum status file_open(struct store_file *file, const struct store_options *options,
                             struct refusal *refusal)
{
    int code = lmdb_file_make(options->path, options->map_bytes);
    if (code == MDB_SUCCESS) {
        code = environment_open(file, options->path, options->map_bytes, file_flags);
    }
    MDB_txn *txn = NULL;
    if (code == MDB_SUCCESS) {
        code = mdb_txn_begin(file->env, NULL, 0, &txn);
    }
    if (code != MDB_SUCCESS) {
        return lmdb_refuse(refusal, options, code);
    }
    enum status status = content_open(file, txn, options, refusal);
    bool is_refused = status != STATUS_OK;
    status = store_file_write_end(&txn, status);
    if (status != STATUS_OK && !is_refused) {
        (void)refusal_set(refusal, status, "cannot write to %s: %s", options->path,
                          status_text(status));
    }
    return status;
}

enum status store_file_open(struct store_file *file, const struct store_options *options,
                            struct refusal *refusal)
{
    struct store_file opened = { 0 };
    enum status status = file_open(&opened, options, refusal);
    if (status != STATUS_OK) {
        store_file_close(&opened);
        return status;
    }
    *file = opened;
    return STATUS_OK;
}

static enum status file_open_to_read(struct store_file *file, const struct store_options *options,
                                     struct refusal *refusal)
{
    /* Without a size of ours the map has the writer's, so that its file may grow meanwhile. */
    int code = environment_open(file, options->path, 0, file_flags | MDB_RDONLY);
    MDB_txn *txn = NULL;
    if (code == MDB_SUCCESS) {
        code = mdb_txn_begin(file->env, NULL, MDB_RDONLY, &txn);
    }
    if (code == ENOENT) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "there is no %s", options->path);
    }
    if (code != MDB_SUCCESS) {
        return lmdb_refuse(refusal, options, code);
    }
    code = tables_open(file, txn, 0);
    enum status status = store_status_from_lmdb(code);
    if (code == MDB_SUCCESS) {
        enum file_age age = FILE_CURRENT; /* which a reader need not raise */
        status = identity_check(file, txn, options, &age, refusal);
        status = status == STATUS_OK && age == FILE_OUTDATED ? STATUS_NOT_FOUND : status;
    } else if (code != MDB_NOTFOUND) {
        (void)lmdb_refuse(refusal, options, code);
    }
    if (status == STATUS_NOT_FOUND) {
        (void)refusal_set(refusal, status, "%s holds no state yet", options->path);
    }
    /* The end of a read transaction, but only a commit keeps the handles of the tables. */
    return store_file_write_end(&txn, status);
}

enum status store_file_open_to_read(struct store_file *file, const struct store_options *options,
                                    struct refusal *refusal)
{
    struct store_file opened = { 0 };
    enum status status = file_open_to_read(&opened, options, refusal);
    if (status != STATUS_OK) {
        store_file_close(&opened);
        return status;
    }
    *file = opened;
    return STATUS_OK;
}

void store_file_close(struct store_file *file)
{
    if (file->env != NULL) {
        mdb_env_close(file->env);
    }
    *file = (struct store_file){ 0 };
}
