/*
 * What the tests of the loader's parts share: maps from text, rows from memory, and a
 * folder that goes with the test.
 */
#ifndef KITH_TESTS_INGEST_FIXTURE_H
#define KITH_TESTS_INGEST_FIXTURE_H

#include "cli/map.h"
#include "cli/row_reader.h"

#include <check.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

/* The end of a map that takes the columns a, b and c. */
#define MAP_EVENT                                                                                  \
    "event:\n"                                                                                     \
    "  type: visit\n"                                                                              \
    "  id: row\n"                                                                                  \
    "  customer: a\n"                                                                              \
    "  occurred_at: b\n"                                                                           \
    "  attributes:\n"                                                                              \
    "    - {name: c, column: c}\n"

static inline struct map *map_of(const char *text)
{
    struct map *map = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = map_parse(&map, "m.yaml", span_of_text(text), &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    return map;
}

static inline struct row_reader *reader_of(const struct map *map, struct span bytes)
{
    struct row_input input = { .name = "f", .descriptor = -1, .size = bytes.size, .memory = bytes };
    struct row_reader *reader = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = row_reader_open(&reader, &input, map, &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    return reader;
}

static inline bool span_is(struct span span, const char *text)
{
    return span_equal(span, span_of_text(text));
}

struct test_folder {
    char path[40];
};

static inline struct test_folder folder_open(void)
{
    struct test_folder folder = { "/tmp/kith-ingest-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(folder.path));
    return folder;
}

static inline int entry_remove(const char *path, const struct stat *state, int kind,
                               struct FTW *walk)
{
    (void)state;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* With all that is in it. */
static inline void folder_close(const struct test_folder *folder)
{
    ck_assert_int_eq(nftw(folder->path, entry_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
