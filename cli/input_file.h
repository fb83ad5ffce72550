/*
 * Files that rows are read from: opened once, digested, and read by offset, so that a load
 * can go on where it stopped. What has no offsets (a pipe) is copied to a file first.
 */
#ifndef KITH_CLI_INPUT_FILE_H
#define KITH_CLI_INPUT_FILE_H

#include "common/base/hash.h"
#include "common/base/refusal.h"

struct input_file {
    int descriptor;        /* -1: none */
    const char *name;      /* as given; "-" is standard input */
    uint64_t size;         /* when it was digested: what comes later does not belong to it */
    struct hash128 digest; /* BLAKE2b-128 of the content */
    bool is_spooled;       /* a copy of ours, which goes when it is closed */
    int64_t changed_at_ns; /* when the host says that it was changed last */
};

/* Opens `name`, which must live on, and digests it. What is no plain file is copied to a
 * nameless file in `folder` first. STATUS_NOT_FOUND, _DENIED and others as the host says. */
MUST_USE enum status input_file_open(struct input_file *file, const char *name, const char *folder,
                                     struct refusal *refusal);
void input_file_close(struct input_file *file);
/* Whether the content is still what was digested. STATUS_CORRUPT: it is not.
 * A file that only grew is as it was. */
MUST_USE enum status input_file_recheck(const struct input_file *file, struct refusal *refusal);

/* A whole small file. STATUS_LIMIT: longer than the buffer's limit. */
MUST_USE enum status input_text_read(const char *path, struct buffer *text,
                                     struct refusal *refusal);
/* A new file in `folder` that has no name, so that it goes with its last descriptor. */
MUST_USE enum status input_nameless_open(const char *folder, int *descriptor,
                                         struct refusal *refusal);
/* All of the bytes, at the file's own position. */
MUST_USE enum status input_write(int descriptor, struct span bytes, struct refusal *refusal);
/* All of the bytes at `offset`; fewer only at the end. */
MUST_USE enum status input_read_at(int descriptor, uint64_t offset, uint8_t *out, size_t *size,
                                   struct refusal *refusal);

#endif
