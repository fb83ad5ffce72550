/*
 * How a file of LMDB's comes into being: whole, or not at all.
 *
 * LMDB makes one by writing its first two pages. It syncs them with the first commit only, and
 * the folder never. A loss of power before leaves pieces that it takes for a file of somebody
 * else's, and one after may take the file with all that was acknowledged.
 */
#ifndef KITH_LMDB_LMDB_FILE_H
#define KITH_LMDB_LMDB_FILE_H

#include "common/base/status.h"

#include <stddef.h>

#define LMDB_FILE_MODE 0600

/* Makes the file at `path`, one without a subfolder, unless it is there; its name is on disk
 * when this returns. What an earlier try left behind goes. `map_bytes` is as
 * mdb_env_set_mapsize() wants it. One process at a time may do so; whoever only reads need not.
 * 0, or as from mdb_env_open() a code of LMDB's or an error number. */
MUST_USE int lmdb_file_make(const char *path, size_t map_bytes);

#endif
