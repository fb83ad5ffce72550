/*
 * What LMDB alone gives a reader of a journal: one cursor over all blocks, first to last, each
 * byte looked at once. Beside it stands what a feed gives.
 *
 *   kith-bench-scan JOURNAL     a file that a service may be writing to
 */
#include "bench/bench.h"
#include "common/base/bytes.h"

#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static void lmdb_check(int code, const char *what)
{
    if (code != 0) {
        bench_fail("%s: %s", what, mdb_strerror(code));
    }
}

struct scan {
    uint64_t blocks;
    uint64_t bytes;
    uint64_t hash; /* of every byte, so that every byte is read */
};

static void table_scan(MDB_txn *txn, const char *name, struct scan *scan)
{
    MDB_dbi table = 0;
    MDB_cursor *cursor = NULL;
    MDB_val key = { 0 };
    MDB_val value = { 0 };
    lmdb_check(mdb_dbi_open(txn, name, 0, &table), name);
    lmdb_check(mdb_cursor_open(txn, table, &cursor), "cursor");
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0) {
        scan->blocks += 1;
        scan->bytes += value.mv_size;
        scan->hash ^= XXH3_64bits(value.mv_data, value.mv_size);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (code != MDB_NOTFOUND) {
        lmdb_check(code, "next");
    }
    mdb_cursor_close(cursor);
}

int main(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-') {
        (void)fputs("usage: kith-bench-scan JOURNAL\n", stderr);
        return 2;
    }
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    struct scan scan = { .blocks = 0 };
    int64_t begin_us = bench_now_us();
    lmdb_check(mdb_env_create(&env), "create");
    lmdb_check(mdb_env_set_maxdbs(env, 4), "tables");
    lmdb_check(mdb_env_open(env, argv[1], MDB_NOSUBDIR | MDB_RDONLY | MDB_NOTLS, 0600), argv[1]);
    lmdb_check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
    table_scan(txn, "blocks", &scan);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    printf("{\"blocks\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"hash\": \"%016" PRIx64
           "\", \"seconds\": %.6f}\n",
           scan.blocks, scan.bytes, scan.hash, (double)(bench_now_us() - begin_us) / 1e6);
    return EXIT_SUCCESS;
}
