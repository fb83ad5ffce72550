/*
 * Room on a disk: what is left of it, what is reserved ahead of a file's end, and whether it
 * is a disk that the stores may lie on.
 */
#ifndef KITH_BASE_DISK_H
#define KITH_BASE_DISK_H

#include "common/base/refusal.h"

#include <stdbool.h>

/* What the file's disk has left for whoever is not root. UINT64_MAX: it does not say. */
uint64_t disk_free_bytes(int file);
/* Less than LIMIT_DISK_TIGHT_BYTES are left: what can be done in smaller pieces should be. */
bool disk_is_tight(int file);

/* Makes the bytes [from, from + bytes) of a file its own, without making it longer: writing
 * them later finds room whatever others do meanwhile. What is reserved already costs nothing.
 * Where a disk cannot reserve, its free bytes are compared instead.
 *   STATUS_LIMIT     there is no such room
 *   STATUS_INTERNAL  the host says no */
MUST_USE enum status disk_reserve(int file, uint64_t from, uint64_t bytes);

/* LMDB maps its files and locks them for all processes of the machine: right on a disk of
 * its own, wrong on one that comes over a network or through another program.
 *   STATUS_REFUSED   none of those that are known to be right
 *   STATUS_INTERNAL  the folder cannot be asked */
MUST_USE enum status disk_kind_check(const char *folder, struct refusal *refusal);

/* Sees to it that the name of a file or folder is on disk: when the power goes, whatever was
 * synced under a name that is not there yet is gone with it. What the name stands for is not
 * synced.
 *   STATUS_INTERNAL  the host says no: errno holds why */
MUST_USE enum status disk_name_sync(const char *path);

/* Makes a folder unless it is there, and sees to it that its name is on disk.
 *   STATUS_INTERNAL  the host says no */
MUST_USE enum status disk_folder_make(const char *path, struct refusal *refusal);

#endif
