/*
 * A new file that lines are written to, in large pieces. A piece ends with a line, so what a
 * full disk leaves behind is a whole beginning of the file.
 */
#ifndef KITH_CLI_GEN_FILE_H
#define KITH_CLI_GEN_FILE_H

#include "cli/suite_file.h"
#include "common/base/bytes.h"
#include "common/base/refusal.h"

struct gen_file {
    int descriptor;
    struct path path;
    char *piece;
    size_t piece_size;
    uint64_t piece_lines;
    uint64_t bytes; /* in the file, and so the next one */
    uint64_t lines;
};

/* Makes the folder if there is none. STATUS_EXISTS: it is no folder, or holds something. */
MUST_USE enum status gen_folder_make(const char *folder, struct refusal *refusal);

/* A zeroed one may be closed. The file must be new. */
MUST_USE enum status gen_file_open(struct gen_file *file, const char *folder, const char *name,
                                   struct refusal *refusal);
void gen_file_close(struct gen_file *file);

/* Room for a line of GEN_LINE_BYTES; *line lives until the next call. STATUS_LIMIT: the disk is
 * full, and the file ends with the last line of an earlier piece. */
MUST_USE enum status gen_file_line(struct gen_file *file, char **line, struct refusal *refusal);
/* So many bytes were put there, and they are one line. */
void gen_file_take(struct gen_file *file, size_t size);
MUST_USE enum status gen_file_flush(struct gen_file *file, struct refusal *refusal);

/* A whole small file. */
MUST_USE enum status gen_file_write(const char *folder, const char *name, struct span bytes,
                                    struct refusal *refusal);

#endif
