#include "common/store/run_filter.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LARGE_PAGE_BYTES ((size_t)2 * 1024 * 1024)
#define LINE_BITS (RUN_FILTER_LINE_BYTES * 8)

static_assert(RUN_FILTER_LINE_WORDS * sizeof(uint64_t) == RUN_FILTER_LINE_BYTES,
              "a line is its words");

uint32_t run_filter_lines(uint64_t keys)
{
    uint64_t lines = keys / LINE_BITS * RUN_FILTER_BITS_A_KEY +
                     (keys % LINE_BITS * RUN_FILTER_BITS_A_KEY + LINE_BITS - 1) / LINE_BITS;
    assert(lines <= UINT32_MAX);
    return lines == 0 ? 1 : (uint32_t)lines;
}

void run_filter_init(struct run_filter *filter, uint32_t lines)
{
    assert(lines > 0);
    size_t size = (size_t)lines * RUN_FILTER_LINE_BYTES;
    size_t border = size < LARGE_PAGE_BYTES ? RUN_FILTER_LINE_BYTES : LARGE_PAGE_BYTES;
    uint8_t *memory = memory_allocate(size + border);
    size_t past = (uintptr_t)memory % border;
    uint8_t *first = past == 0 ? memory : memory + border - past;
    if (border == LARGE_PAGE_BYTES) {
        /* A look goes to any page: with large ones the processor knows where they all are. Only
         * a hint, and before the memory is touched. */
        (void)madvise(first, size, MADV_HUGEPAGE);
    }
    *filter = (struct run_filter){
        .words = (uint64_t *)(void *)first,
        .lines = lines,
        .memory = memory,
    };
}

void run_filter_release(struct run_filter *filter)
{
    free(filter->memory);
    *filter = (struct run_filter){ 0 };
}

void run_filter_add(struct run_filter *filter, uint64_t hash)
{
    uint64_t *line = run_filter_line(filter, hash);
    uint64_t bits = run_filter_bits(hash);
    for (unsigned i = 0; i < RUN_FILTER_LINE_WORDS; i++) {
        line[i] |= UINT64_C(1) << ((bits >> (6 * i)) & 63U);
    }
}
