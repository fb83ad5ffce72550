/*
 * DIR/runs: what the loader remembers of its runs, so that a load that was interrupted goes
 * on with the same batches and the same keys.
 *
 *   KEY.json     one run: files, place, counts; replaced whole by a rename
 *   KEY.lock     held while a loader is at it
 *   names/NAME   the content that a file of this name had
 *
 * KEY follows from what a run is: the content of its files in their order, the map, the
 * order of rows and the size of batches. A run that is finished makes room for a new one.
 */
#ifndef KITH_CLI_RUN_FILE_H
#define KITH_CLI_RUN_FILE_H

#include "cli/load_row.h"
#include "common/base/hash.h"
#include "common/base/refusal.h"

/* Keys are kept for seven days; an hour of them is left for clocks that differ. */
#define RUN_AGE_MS_MAX (LIMIT_REQUEST_AGE_MS - INT64_C(3600) * 1000)
#define RUN_ID_BYTES 33

struct run_identity {
    const struct hash128 *files; /* their content */
    const char *const *names;    /* for people: does not belong to the identity */
    size_t file_count;
    struct hash128 map;
    bool by_time;
    uint64_t batch_rows;
};

/* rows = accepted + duplicate + rejected. */
struct run_counts {
    uint64_t rows;
    uint64_t accepted;
    uint64_t duplicate;
    uint64_t rejected;
};

struct run_state {
    char id[RUN_ID_BYTES];
    uint64_t batch; /* the next one, from 1: all before it are answered */
    struct load_place place;
    struct run_counts counts;
    int64_t saved_at_ms;
    bool finished;
};

struct run_file;

/* What became of the run that the file held. */
enum run_past {
    RUN_NEW,     /* there was none, or it was finished */
    RUN_RESUMED, /* it goes on */
    RUN_TOO_OLD, /* it was interrupted so long ago that its keys are forgotten: a new one */
};

/* Makes the folder DIR/runs if need be. The identity outlives the run file. Nothing is
 * written yet.
 *   STATUS_EXISTS   another loader is at this run
 *   STATUS_CORRUPT  the file is none of ours */
MUST_USE enum status run_file_open(struct run_file **run, const char *data,
                                   const struct run_identity *identity, int64_t now_ms,
                                   struct refusal *refusal);
void run_file_close(struct run_file **run);
enum run_past run_file_past(const struct run_file *run);
/* The caller changes it and saves it. */
struct run_state *run_file_state(struct run_file *run);
/* A new run from the first row on, in place of one that cannot go on. */
void run_file_restart(struct run_file *run);
/* On disk when it returns STATUS_OK. */
MUST_USE enum status run_file_save(struct run_file *run, int64_t now_ms, struct refusal *refusal);
/* DIR/runs; made if need be. */
MUST_USE enum status run_folder_make(const char *data, char *folder, size_t size,
                                     struct refusal *refusal);

/* A file by what people call it; only the last part of a path counts. */
struct run_name {
    const char *source;
    const char *name;
    struct hash128 content;
};
/* Whether a file of this name came before with other content; now it has this one. */
MUST_USE enum status run_name_note(const char *folder, const struct run_name *name, bool *is_other,
                                   struct refusal *refusal);

#endif
