#include "tests/sim/sim_disk.h"

#include "common/base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES_MAX 64
#define SECTOR_BYTES 512
/* What the disk says is free: always enough. */
#define FREE_BLOCKS 16777216
#define BLOCK_BYTES 4096
/* Before a disk that forgets begins to. */
#define SYNCS_KEPT 4

struct image {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

/* A write, or a cut, that no sync has made safe. */
struct change {
    bool is_cut;
    size_t at; /* a cut: the length after it */
    size_t size;
    uint8_t *bytes;
};

struct file {
    dev_t device;
    ino_t inode;
    unsigned owner; /* SIM_DISK_OWNERS_MAX: nobody's, and of no interest */
    char path[PATH_MAX];
    struct image synced;
    struct change *changes;
    size_t change_count;
    size_t change_capacity;
    uint64_t syncs;
    bool is_struck;
    struct image left; /* by the blow */
    size_t left_count; /* of changes, as it fell */
    char left_path[PATH_MAX];
};

struct owner {
    char beginnings[2][PATH_MAX];
    size_t beginning_count;
    bool is_armed;
    bool is_struck;
    enum sim_blow blow;
    uint64_t writes_left;
    uint64_t syncs_left;    /* until one fails; 0: none does */
    const char *error_part; /* of the path */
    uint64_t errors;
    bool is_full;
};

struct sim_disk {
    struct sim_random random;
    bool forgets;
    struct owner owners[SIM_DISK_OWNERS_MAX];
    size_t file_count;
    struct file files[FILES_MAX];
    struct sim_disk_counters counters;
    sim_disk_struck struck;
    void *context;
};

/* The calls that are caught below know nothing but a descriptor. */
static struct sim_disk *current; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

/* ---- images */

static void image_resize(struct image *image, size_t size)
{
    if (size > image->capacity) {
        image->capacity = size < 2 * image->capacity ? 2 * image->capacity : size;
        image->bytes = memory_resize(image->bytes, image->capacity);
    }
    if (size > image->size) {
        memset(image->bytes + image->size, 0, size - image->size);
    }
    image->size = size;
}

static void image_write(struct image *image, size_t at, const uint8_t *bytes, size_t size)
{
    if (size == 0) {
        return;
    }
    if (at + size > image->size) {
        image_resize(image, at + size);
    }
    memcpy(image->bytes + at, bytes, size);
}

static void image_release(struct image *image)
{
    free(image->bytes);
    *image = (struct image){ .bytes = NULL };
}

/* ---- changes */

static void change_apply(const struct change *change, struct image *image)
{
    if (change->is_cut) {
        image_resize(image, change->at);
    } else {
        image_write(image, change->at, change->bytes, change->size);
    }
}

/* What a loss of power does to one file: all that was not synced is there, or none of it, or each
 * sector is as it was after so many of the changes. Never does a sector hold a change without
 * those before it: the kernel writes it as it has it. */
struct tear {
    enum { TEAR_NOTHING, TEAR_ALL, TEAR_SECTORS } kind;
    uint64_t salt;
    size_t count; /* of changes */
};

static bool is_kept(const struct tear *tear, uint64_t sector, size_t index)
{
    if (tear->kind != TEAR_SECTORS) {
        return tear->kind == TEAR_NOTHING;
    }
    uint64_t drawn = sim_mix(tear->salt ^ sim_mix(sector));
    uint64_t reached = drawn % 3 == 0   ? 0
                       : drawn % 3 == 1 ? tear->count
                                        : (drawn >> 8) % (tear->count + 1);
    return index < reached;
}

static void change_apply_torn(struct sim_disk *disk, const struct tear *tear, size_t index,
                              const struct change *change, struct image *image)
{
    size_t lost = 0;
    size_t done = 0;
    if (change->is_cut && is_kept(tear, UINT64_MAX, index)) {
        change_apply(change, image);
    }
    while (done < change->size) {
        size_t place = change->at + done;
        size_t piece = SECTOR_BYTES - place % SECTOR_BYTES;
        piece = piece < change->size - done ? piece : change->size - done;
        if (is_kept(tear, place / SECTOR_BYTES, index)) {
            image_write(image, place, change->bytes + done, piece);
        } else {
            lost += 1;
        }
        done += piece;
    }
    disk->counters.sectors_lost += lost;
    disk->counters.writes_torn += lost > 0 && lost * SECTOR_BYTES < change->size ? 1 : 0;
}

/* All but the first `kept`. */
static void changes_drop(struct file *file, size_t kept)
{
    for (size_t i = kept; i < file->change_count; i++) {
        free(file->changes[i].bytes);
    }
    file->change_count = kept < file->change_count ? kept : file->change_count;
}

static void change_add(struct file *file, const struct change *change)
{
    if (file->change_count == file->change_capacity) {
        file->change_capacity = file->change_capacity == 0 ? 16 : 2 * file->change_capacity;
        file->changes = memory_resize(file->changes, file->change_capacity * sizeof *file->changes);
    }
    file->changes[file->change_count++] = *change;
}

/* ---- files */

static void content_read(int descriptor, struct image *image)
{
    struct stat found;
    int failed = fstat(descriptor, &found);
    assert(failed == 0);
    image_resize(image, (size_t)found.st_size);
    size_t done = 0;
    while (done < image->size) {
        long got =
            syscall(SYS_pread64, descriptor, image->bytes + done, image->size - done, (off_t)done);
        assert(got > 0);
        done += (size_t)got;
    }
}

static bool path_begins(const char *path, const char *beginning)
{
    return strncmp(path, beginning, strlen(beginning)) == 0;
}

static bool owns(const struct owner *owner, const char *path)
{
    for (size_t i = 0; i < owner->beginning_count; i++) {
        if (path_begins(path, owner->beginnings[i])) {
            return true;
        }
    }
    return false;
}

static unsigned owner_find(const struct sim_disk *disk, const char *path)
{
    static const char lock[] = "-lock";
    size_t size = strlen(path);
    bool is_lock = size >= sizeof lock && strcmp(path + size - (sizeof lock - 1), lock) == 0;
    unsigned i = is_lock ? SIM_DISK_OWNERS_MAX : 0;
    while (i < SIM_DISK_OWNERS_MAX && !owns(&disk->owners[i], path)) {
        i += 1;
    }
    return i;
}

/* Where a file that is gone stood, or a new place. */
static struct file *place_find(struct sim_disk *disk)
{
    for (size_t i = 0; i < disk->file_count; i++) {
        if (disk->files[i].inode == 0) {
            return &disk->files[i];
        }
    }
    assert(disk->file_count < FILES_MAX);
    return &disk->files[disk->file_count++];
}

/* NULL: none of those that are looked after. */
static struct file *file_find(struct sim_disk *disk, int descriptor)
{
    struct stat found;
    if (fstat(descriptor, &found) != 0 || !S_ISREG(found.st_mode)) {
        return NULL;
    }
    for (size_t i = 0; i < disk->file_count; i++) {
        struct file *known = &disk->files[i];
        if (known->inode == found.st_ino && known->device == found.st_dev) {
            return known->owner < SIM_DISK_OWNERS_MAX ? known : NULL;
        }
    }
    char link[64];
    struct file file = { .device = found.st_dev, .inode = found.st_ino };
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, file.path, sizeof file.path - 1);
    assert(size > 0);
    file.owner = owner_find(disk, file.path);
    if (file.owner < SIM_DISK_OWNERS_MAX) {
        content_read(descriptor, &file.synced);
    }
    struct file *added = place_find(disk);
    *added = file;
    return added->owner < SIM_DISK_OWNERS_MAX ? added : NULL;
}

/* ---- blows */

/* What is on the disk as it falls. */
static void file_strike(struct sim_disk *disk, struct file *file, enum sim_blow blow)
{
    struct tear tear = { .salt = sim_next(&disk->random), .count = file->change_count };
    uint64_t drawn = sim_below(&disk->random, 4);
    tear.kind = drawn == 0 ? TEAR_NOTHING : drawn == 1 ? TEAR_ALL : TEAR_SECTORS;
    image_resize(&file->left, 0);
    image_write(&file->left, 0, file->synced.bytes, file->synced.size);
    for (size_t i = 0; i < file->change_count; i++) {
        if (blow == SIM_KILL) {
            change_apply(&file->changes[i], &file->left);
        } else {
            change_apply_torn(disk, &tear, i, &file->changes[i], &file->left);
        }
    }
    memcpy(file->left_path, file->path, sizeof file->left_path);
    file->left_count = file->change_count;
    file->is_struck = true;
}

static void strike(struct sim_disk *disk, unsigned owner, enum sim_blow blow, const char *path)
{
    struct owner *struck = &disk->owners[owner];
    struck->is_armed = false;
    if (struck->is_struck) {
        return;
    }
    struck->blow = blow;
    struck->is_struck = true;
    for (size_t i = 0; i < disk->file_count; i++) {
        if (disk->files[i].owner == owner) {
            file_strike(disk, &disk->files[i], blow);
        }
    }
    disk->struck(disk->context, owner, path);
}

void sim_disk_strike(struct sim_disk *disk, unsigned owner, enum sim_blow blow)
{
    strike(disk, owner, blow, NULL);
}

void sim_disk_arm(struct sim_disk *disk, unsigned owner, enum sim_blow blow, uint64_t writes)
{
    assert(writes > 0);
    struct owner *armed = &disk->owners[owner];
    armed->is_armed = true;
    armed->blow = blow;
    armed->writes_left = writes;
}

void sim_disk_disarm(struct sim_disk *disk, unsigned owner)
{
    disk->owners[owner].is_armed = false;
    disk->owners[owner].syncs_left = 0;
}

void sim_disk_arm_error(struct sim_disk *disk, unsigned owner, const char *part, uint64_t syncs)
{
    disk->owners[owner].error_part = part;
    disk->owners[owner].syncs_left = syncs;
}

uint64_t sim_disk_errors_of(const struct sim_disk *disk, unsigned owner)
{
    return disk->owners[owner].errors;
}

void sim_disk_fill(struct sim_disk *disk, unsigned owner, bool is_full)
{
    disk->owners[owner].is_full = is_full;
}

bool sim_disk_is_struck(const struct sim_disk *disk, unsigned owner)
{
    return disk->owners[owner].is_struck;
}

enum sim_blow sim_disk_blow_of(const struct sim_disk *disk, unsigned owner)
{
    return disk->owners[owner].blow;
}

bool sim_disk_is_armed(const struct sim_disk *disk, unsigned owner)
{
    return disk->owners[owner].is_armed;
}

/* It was removed: what has its number from now on is another. */
static void file_forget(struct file *file)
{
    changes_drop(file, 0);
    free(file->changes);
    image_release(&file->synced);
    image_release(&file->left);
    *file = (struct file){ .owner = SIM_DISK_OWNERS_MAX };
}

/* A name is given at once and for good; one that was given after the blow, never was. */
static void name_restore(struct file *file)
{
    if (strcmp(file->path, file->left_path) != 0) {
        long failed = syscall(SYS_rename, file->path, file->left_path);
        assert(failed == 0);
        memcpy(file->path, file->left_path, sizeof file->path);
    }
}

static void file_restore(struct sim_disk *disk, struct file *file)
{
    name_restore(file);
    int descriptor = open(file->path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) {
        file_forget(file);
        return;
    }
    size_t done = 0;
    while (done < file->left.size) {
        long written = syscall(SYS_pwrite64, descriptor, file->left.bytes + done,
                               file->left.size - done, (off_t)done);
        assert(written > 0);
        done += (size_t)written;
    }
    long failed = syscall(SYS_ftruncate, descriptor, (off_t)file->left.size);
    assert(failed == 0);
    (void)close(descriptor); /* nothing here is meant to last */
    disk->counters.writes_undone += file->change_count - file->left_count;
    if (disk->owners[file->owner].blow == SIM_KILL) {
        /* What was written and not synced is there for whoever reads it, and may still be lost. */
        changes_drop(file, file->left_count);
    } else {
        changes_drop(file, 0);
        image_resize(&file->synced, 0);
        image_write(&file->synced, 0, file->left.bytes, file->left.size);
    }
    file->is_struck = false;
}

void sim_disk_restore(struct sim_disk *disk, unsigned owner)
{
    assert(disk->owners[owner].is_struck);
    disk->owners[owner].is_struck = false;
    for (size_t i = 0; i < disk->file_count; i++) {
        struct file *file = &disk->files[i];
        if (file->owner == owner && file->is_struck) {
            file_restore(disk, file);
        } else if (file->owner == owner) {
            /* Made by a turn that went on after the blow. */
            (void)syscall(SYS_unlink, file->path);
            file_forget(file);
        }
    }
}

/* ---- opening and closing */

void sim_disk_open(struct sim_disk **disk, struct sim_random random, bool forgets)
{
    assert(*disk == NULL && current == NULL);
    struct sim_disk *opened = memory_allocate(sizeof *opened);
    opened->random = random;
    opened->forgets = forgets;
    current = opened;
    *disk = opened;
}

void sim_disk_watch(struct sim_disk *disk, sim_disk_struck struck, void *context)
{
    disk->struck = struck;
    disk->context = context;
}

void sim_disk_close(struct sim_disk **disk)
{
    struct sim_disk *closing = *disk;
    if (closing == NULL) {
        return;
    }
    for (size_t i = 0; i < closing->file_count; i++) {
        struct file *file = &closing->files[i];
        changes_drop(file, 0);
        free(file->changes);
        image_release(&file->synced);
        image_release(&file->left);
    }
    free(closing);
    current = NULL;
    *disk = NULL;
}

void sim_disk_own(struct sim_disk *disk, unsigned owner, const char *beginning)
{
    struct owner *owning = &disk->owners[owner];
    assert(owner < SIM_DISK_OWNERS_MAX && owning->beginning_count < 2);
    int size = snprintf(owning->beginnings[owning->beginning_count], PATH_MAX, "%s", beginning);
    assert(size > 0 && size < PATH_MAX);
    owning->beginning_count += 1;
}

struct sim_disk_counters sim_disk_counters_of(const struct sim_disk *disk)
{
    return disk->counters;
}

/* ---- what is caught */

/* A file that was never synced at all is none, which anybody would see. */
static bool is_forgotten(const struct file *file)
{
    return current->forgets && file->syncs > SYNCS_KEPT;
}

/* False: the disk says no, and what was written is neither safe nor gone. */
static bool sync_note(struct file *file)
{
    struct owner *owner = &current->owners[file->owner];
    current->counters.syncs += 1;
    file->syncs += 1;
    if (owner->syncs_left > 0 && strstr(file->path, owner->error_part) != NULL) {
        owner->syncs_left -= 1;
        if (owner->syncs_left == 0) {
            owner->errors += 1;
            return false;
        }
    }
    if (is_forgotten(file) || owner->is_struck) {
        return true;
    }
    for (size_t i = 0; i < file->change_count; i++) {
        change_apply(&file->changes[i], &file->synced);
    }
    changes_drop(file, 0);
    return true;
}

/* Before the change is there: the blow may leave it in part. */
static void change_note(struct file *file, const struct change *change, bool is_synced)
{
    struct owner *owner = &current->owners[file->owner];
    current->counters.writes += 1;
    if (is_synced && !owner->is_struck && !is_forgotten(file)) {
        /* Written with O_DSYNC: safe when the call returns, and it alone. What waits for a sync
         * in the same place would be older, and LMDB has nothing there. */
        if (owner->is_armed && owner->writes_left == 1) {
            change_add(file, change);
            strike(current, file->owner, owner->blow, file->path);
            return;
        }
        change_apply(change, &file->synced);
        free(change->bytes);
    } else {
        change_add(file, change);
    }
    if (owner->is_armed) {
        owner->writes_left -= 1;
        if (owner->writes_left == 0) {
            strike(current, file->owner, owner->blow, file->path);
        }
    }
}

static void write_note(int descriptor, off_t at, const void *bytes, size_t size)
{
    struct file *file = current == NULL ? NULL : file_find(current, descriptor);
    if (file == NULL || size == 0) {
        return;
    }
    struct change change = { .at = (size_t)at, .size = size, .bytes = memory_allocate(size) };
    memcpy(change.bytes, bytes, size);
    int flags = fcntl(descriptor, F_GETFL);
    change_note(file, &change, (flags & O_DSYNC) != 0);
}

/* Where a write without a place goes. */
static off_t place_of(int descriptor)
{
    int flags = fcntl(descriptor, F_GETFL);
    struct stat found;
    if ((flags & O_APPEND) != 0) {
        return fstat(descriptor, &found) == 0 ? found.st_size : 0;
    }
    return lseek(descriptor, 0, SEEK_CUR);
}

/* The C library's own declarations have attributes and names of their own; these have its
 * meaning. NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t at)
{
    write_note(descriptor, at, bytes, size);
    return syscall(SYS_pwrite64, descriptor, bytes, size, at);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t at)
{
    return pwrite(descriptor, bytes, size, at);
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    if (current != NULL && file_find(current, descriptor) != NULL) {
        write_note(descriptor, place_of(descriptor), bytes, size);
    }
    return syscall(SYS_write, descriptor, bytes, size);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    if (current != NULL && file_find(current, descriptor) != NULL) {
        off_t at = place_of(descriptor);
        for (int i = 0; i < count; i++) {
            write_note(descriptor, at, pieces[i].iov_base, pieces[i].iov_len);
            at += (off_t)pieces[i].iov_len;
        }
    }
    return syscall(SYS_writev, descriptor, pieces, count);
}

int ftruncate(int descriptor, off_t size)
{
    struct file *file = current == NULL ? NULL : file_find(current, descriptor);
    if (file != NULL) {
        struct change change = { .is_cut = true, .at = (size_t)size };
        change_note(file, &change, false);
    }
    return (int)syscall(SYS_ftruncate, descriptor, size);
}

int ftruncate64(int descriptor, off64_t size)
{
    return ftruncate(descriptor, size);
}

int fdatasync(int descriptor)
{
    struct file *file = current == NULL ? NULL : file_find(current, descriptor);
    if (file == NULL) {
        return (int)syscall(SYS_fdatasync, descriptor);
    }
    if (!sync_note(file)) {
        errno = EIO;
        return -1;
    }
    return 0;
}

int fsync(int descriptor)
{
    return fdatasync(descriptor);
}

/* Its number may be another file's from now on. */
int unlink(const char *path)
{
    struct stat found;
    bool is_there = current != NULL && stat(path, &found) == 0;
    for (size_t i = 0; is_there && i < current->file_count; i++) {
        struct file *file = &current->files[i];
        if (file->inode == found.st_ino && file->device == found.st_dev) {
            file_forget(file);
        }
    }
    return (int)syscall(SYS_unlink, path);
}

int rename(const char *from, const char *to)
{
    for (size_t i = 0; current != NULL && i < current->file_count; i++) {
        if (strcmp(current->files[i].path, from) == 0) {
            (void)snprintf(current->files[i].path, PATH_MAX, "%s", to);
        }
    }
    return (int)syscall(SYS_rename, from, to);
}

static bool is_full(int descriptor)
{
    const struct file *file = file_find(current, descriptor);
    return file != NULL && current->owners[file->owner].is_full;
}

/* What is reserved ahead would only cost time here. */
int fallocate(int descriptor, int mode, off_t at, off_t size)
{
    if (current != NULL) {
        errno = ENOSPC;
        return is_full(descriptor) ? -1 : 0;
    }
    return (int)syscall(SYS_fallocate, descriptor, mode, at, size);
}

int fallocate64(int descriptor, int mode, off64_t at, off64_t size)
{
    return fallocate(descriptor, mode, at, size);
}

int fstatvfs(int descriptor, struct statvfs *facts)
{
    fsblkcnt_t free_blocks = current != NULL && is_full(descriptor) ? 0 : FREE_BLOCKS;
    *facts = (struct statvfs){ .f_bsize = BLOCK_BYTES,
                               .f_frsize = BLOCK_BYTES,
                               .f_blocks = FREE_BLOCKS,
                               .f_bfree = free_blocks,
                               .f_bavail = free_blocks };
    return 0;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
