#include "common/store/run_filter.h"

#include "common/base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096
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

/* A look goes to any page of the filter: large pages save half of its time. Only a hint, and
 * before the memory is touched. */
static void pages_advise(uint8_t *memory, size_t size)
{
    size_t past = (uintptr_t)memory % PAGE_BYTES;
    size_t skipped = past == 0 ? 0 : PAGE_BYTES - past;
    if (size > skipped) {
        (void)madvise(memory + skipped, size - skipped, MADV_HUGEPAGE);
    }
}

void run_filter_init(struct run_filter *filter, uint32_t lines)
{
    assert(lines > 0);
    size_t size = ((size_t)lines + 1) * RUN_FILTER_LINE_BYTES;
    uint8_t *memory = memory_allocate(size);
    pages_advise(memory, size);
    size_t past = (uintptr_t)memory % RUN_FILTER_LINE_BYTES;
    uint8_t *first = past == 0 ? memory : memory + RUN_FILTER_LINE_BYTES - past;
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

uint64_t run_filter_hash(struct span key)
{
    return checksum_of(key, (struct span){ 0 });
}

void run_filter_add(struct run_filter *filter, uint64_t hash)
{
    uint64_t *line = run_filter_line(filter, hash);
    uint64_t bits = run_filter_bits(hash);
    for (unsigned i = 0; i < RUN_FILTER_LINE_WORDS; i++) {
        line[i] |= UINT64_C(1) << ((bits >> (6 * i)) & 63U);
    }
}
