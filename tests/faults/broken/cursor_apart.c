/* A service whose cursors are in its checkpoints only, and not in the blocks with what it did. */
#include "common/journal/block.h"

/* NOLINTBEGIN(readability-identifier-naming): the linker makes these names. */
void __wrap_block_folded_add(struct block_builder *builder, const struct folded *folded);

void __wrap_block_folded_add(struct block_builder *builder, const struct folded *folded)
{
    (void)builder;
    (void)folded;
}

/* NOLINTEND(readability-identifier-naming) */
