/*
 * State in memory for tests of cores: a sorted array behind the view and the change of
 * common/base/view.h.
 *
 * It is strict where a real store is only quick: a span that was handed out is freed at
 * the next put or delete, so that a sanitizer finds whoever keeps one; a put or delete
 * within a scan, an empty key, and a key or a value past the bounds of state end the
 * process.
 */
#ifndef KITH_TESTS_SUPPORT_MEMORY_VIEW_H
#define KITH_TESTS_SUPPORT_MEMORY_VIEW_H

#include "common/base/view.h"

struct memory_view;

/* An empty state. The caller owns *memory. */
void memory_view_open(struct memory_view **memory);
void memory_view_close(struct memory_view **memory);

struct view memory_view_reader(struct memory_view *memory);
struct change memory_view_writer(struct memory_view *memory);

/* Records of one table. */
size_t memory_view_count(const struct memory_view *memory, uint8_t table);
/* Puts and deletes since open: shows what a refusal must not have done. */
uint64_t memory_view_writes(const struct memory_view *memory);
/* True when both hold the same tables, keys and values: what replay is compared by. */
bool memory_view_equal(const struct memory_view *left, const struct memory_view *right);

#endif
