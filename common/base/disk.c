#include "common/base/disk.h"

#include "common/base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Not in every linux/magic.h. */
#define MAGIC_XFS 0x58465342U
#define MAGIC_ZFS 0x2fc12fc1U

uint64_t disk_free_bytes(int file)
{
    struct statvfs facts;
    if (fstatvfs(file, &facts) != 0) {
        return UINT64_MAX;
    }
    return (uint64_t)facts.f_bavail * facts.f_frsize;
}

bool disk_is_tight(int file)
{
    return disk_free_bytes(file) < LIMIT_DISK_TIGHT_BYTES;
}

enum status disk_reserve(int file, uint64_t from, uint64_t bytes)
{
    if (bytes == 0) {
        return STATUS_OK;
    }
    int result = -1;
    do {
        result = fallocate(file, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)bytes);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        return STATUS_OK;
    }
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STATUS_LIMIT;
    case EOPNOTSUPP:
    case ENOSYS:
        return disk_free_bytes(file) >= bytes ? STATUS_OK : STATUS_LIMIT;
    default:
        return STATUS_INTERNAL;
    }
}

static bool kind_is_known(uint32_t kind)
{
    /* ext2, ext3 and ext4 have one number. overlayfs is what containers see of one of these. */
    static const uint32_t known[] = { EXT4_SUPER_MAGIC, MAGIC_XFS, BTRFS_SUPER_MAGIC,
                                      F2FS_SUPER_MAGIC, MAGIC_ZFS, OVERLAYFS_SUPER_MAGIC,
                                      TMPFS_MAGIC };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i] == kind) {
            return true;
        }
    }
    return false;
}

enum status disk_kind_check(const char *folder, struct refusal *refusal)
{
    struct statfs facts;
    if (statfs(folder, &facts) != 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "%s: its disk cannot be asked: %s", folder,
                           strerrorname_np(errno));
    }
    uint32_t kind = (uint32_t)facts.f_type;
    if (!kind_is_known(kind)) {
        return refusal_set(refusal, STATUS_REFUSED,
                           "%s lies on a file system (type 0x%x) on which the stores are not "
                           "safe, such as one over a network; use ext4, xfs, btrfs, f2fs or zfs",
                           folder, (unsigned)kind);
    }
    return STATUS_OK;
}

/* The folder in which `path` lies. */
static enum status parent_of(const char *path, char parent[PATH_MAX])
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') {
        size -= 1;
    }
    while (size > 0 && path[size - 1] != '/') {
        size -= 1;
    }
    if (size >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return STATUS_INTERNAL;
    }
    memcpy(parent, size == 0 ? "." : path, size == 0 ? 1 : size);
    parent[size == 0 ? 1 : size] = '\0';
    return STATUS_OK;
}

enum status disk_name_sync(const char *path)
{
    char parent[PATH_MAX];
    if (parent_of(path, parent) != STATUS_OK) {
        return STATUS_INTERNAL;
    }
    int folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return STATUS_INTERNAL;
    }
    int failed = fsync(folder) != 0 ? errno : 0;
    (void)close(folder); /* nothing was written through it */
    errno = failed;
    return failed == 0 ? STATUS_OK : STATUS_INTERNAL;
}

static enum status folder_fault(struct refusal *refusal, const char *path, const char *what)
{
    return refusal_set(refusal, STATUS_INTERNAL, "%s: cannot be %s: %s", path, what,
                       strerrorname_np(errno));
}

enum status disk_folder_make(const char *path, struct refusal *refusal)
{
    bool is_made = mkdir(path, 0700) == 0;
    if (!is_made && errno != EEXIST) {
        return folder_fault(refusal, path, "made");
    }
    if (disk_name_sync(path) == STATUS_OK) {
        return STATUS_OK;
    }
    /* One that was there is looked after too: whoever made it may have died before the sync.
     * But it may also lie where we may not look, and then it is somebody else's. */
    bool is_others = !is_made && (errno == EACCES || errno == EROFS || errno == EINVAL);
    return is_others ? STATUS_OK : folder_fault(refusal, path, "synced");
}
