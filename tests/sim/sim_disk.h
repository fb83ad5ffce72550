/*
 * A disk that forgets. The files are real and lie on a tmpfs; the program defines pwrite,
 * writev, fdatasync and their like itself, so that the real LMDB writes through here. Of each
 * file the disk knows what a sync has made safe, and what was written since.
 *
 *   SIM_KILL   the process ends: all that was written stays
 *   SIM_POWER  the machine ends: what was not synced stays in part, by 512-byte sectors, each
 *              as it was before or as it was written, as the seed says
 *
 * A blow may fall in the middle of a turn, at a certain write. The turn goes on to its end, since
 * nobody could take it back half way; what it writes from then on is undone by
 * sim_disk_restore, and what it says must be dropped by whoever carries it.
 */
#ifndef KITH_TESTS_SIM_DISK_H
#define KITH_TESTS_SIM_DISK_H

#include "tests/sim/sim_random.h"

#include <stddef.h>

#define SIM_DISK_OWNERS_MAX 16

enum sim_blow { SIM_KILL, SIM_POWER };

struct sim_disk;

/* One at a time: the calls of the system that are caught here have no room for an argument.
 * `forgets`: a sync says that all is well and makes nothing safe. */
void sim_disk_open(struct sim_disk **disk, struct sim_random random, bool forgets);
/* Who is told of a blow as it falls; `path` is what was being written, NULL where nothing was. */
typedef void (*sim_disk_struck)(void *context, unsigned owner, const char *path);
void sim_disk_watch(struct sim_disk *disk, sim_disk_struck struck, void *context);
void sim_disk_close(struct sim_disk **disk);

/* Files whose path begins like this are `owner`'s. */
void sim_disk_own(struct sim_disk *disk, unsigned owner, const char *beginning);
/* A blow falls on the owner at its `writes`th write from now. */
void sim_disk_arm(struct sim_disk *disk, unsigned owner, enum sim_blow blow, uint64_t writes);
/* No blow falls that was to come, and no sync fails. */
void sim_disk_disarm(struct sim_disk *disk, unsigned owner);
/* It falls now. Once is enough. */
void sim_disk_strike(struct sim_disk *disk, unsigned owner, enum sim_blow blow);
/* The owner's `syncs`th sync from now fails, once: of those files whose path holds `part`, which
 * stays the caller's. */
void sim_disk_arm_error(struct sim_disk *disk, unsigned owner, const char *part, uint64_t syncs);
/* How many of the owner's syncs have failed so far. */
uint64_t sim_disk_errors_of(const struct sim_disk *disk, unsigned owner);
/* There is no room, or there is again. */
void sim_disk_fill(struct sim_disk *disk, unsigned owner, bool is_full);
bool sim_disk_is_struck(const struct sim_disk *disk, unsigned owner);
/* Of the newest blow on it. */
enum sim_blow sim_disk_blow_of(const struct sim_disk *disk, unsigned owner);
bool sim_disk_is_armed(const struct sim_disk *disk, unsigned owner);
/* After the owner has closed all its files: they become what the blow left. */
void sim_disk_restore(struct sim_disk *disk, unsigned owner);

struct sim_disk_counters {
    uint64_t writes;
    uint64_t syncs;
    uint64_t sectors_lost; /* by blows that left a write in part */
    uint64_t writes_torn;
    uint64_t writes_undone; /* of turns that went on after a blow */
};
struct sim_disk_counters sim_disk_counters_of(const struct sim_disk *disk);

#endif
