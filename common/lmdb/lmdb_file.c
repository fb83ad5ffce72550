#include "common/lmdb/lmdb_file.h"

#include "common/base/disk.h"

#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <unistd.h>

static int pages_make(const char *path, size_t map_bytes)
{
    MDB_env *environment = NULL;
    int result = mdb_env_create(&environment);
    if (result != MDB_SUCCESS) {
        return result;
    }
    result = mdb_env_set_mapsize(environment, map_bytes);
    if (result == MDB_SUCCESS) {
        /* Nobody else knows the name: no lock, and so no file for it. */
        result = mdb_env_open(environment, path, MDB_NOSUBDIR | MDB_NOLOCK, LMDB_FILE_MODE);
    }
    if (result == MDB_SUCCESS) {
        result = mdb_env_sync(environment, 1);
    }
    mdb_env_close(environment);
    return result;
}

/* A file gets its name when its pages are on disk. */
static int file_make(const char *path, size_t map_bytes)
{
    char made[PATH_MAX];
    int size = snprintf(made, sizeof made, "%s.new", path);
    if (size < 0 || (size_t)size >= sizeof made) {
        return ENAMETOOLONG;
    }
    if (unlink(made) != 0 && errno != ENOENT) { /* of a start that was cut off */
        return errno;
    }
    int result = pages_make(made, map_bytes);
    return result == MDB_SUCCESS && rename(made, path) != 0 ? errno : result;
}

int lmdb_file_make(const char *path, size_t map_bytes)
{
    if (access(path, F_OK) != 0) {
        int result = file_make(path, map_bytes);
        if (result != MDB_SUCCESS) {
            return result;
        }
    }
    /* Also of one that is there: whoever made it may have died before the sync. */
    return disk_name_sync(path) == STATUS_OK ? MDB_SUCCESS : errno;
}
