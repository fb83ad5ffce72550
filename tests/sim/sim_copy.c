/* A journal that is replaced by its copy, as where an operator brings it to another disk. */
#include "tests/sim/sim_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

struct copying {
    struct journal *copy;
    enum status status;
};

static bool block_copy(void *argument, const struct block *block)
{
    struct copying *copying = argument;
    copying->status = journal_append(copying->copy, block, 1);
    return copying->status == STATUS_OK;
}

static uint64_t epoch_draw(struct sim_node *node)
{
    node->replacements += 1;
    struct sim_random random =
        sim_stream(node->world->options.seed, 200 + node->number + node->replacements * 100);
    return sim_next(&random) | 1;
}

static enum status copy_make(struct sim_node *node, const char *path)
{
    struct copying copying = { .status = STATUS_OK };
    struct journal_position start = { .seq = 0 };
    struct journal_options options = node->process.journal_options;
    struct refusal refusal;
    refusal_init(&refusal);
    options.path = path;
    options.epoch = epoch_draw(node);
    enum status status = journal_open(&copying.copy, &options, &refusal);
    if (status == STATUS_OK) {
        status = journal_read(node->journal, &start, block_copy, &copying, &refusal);
    }
    journal_close(&copying.copy);
    return status == STATUS_OK ? copying.status : status;
}

bool sim_journal_copy(struct sim_node *node)
{
    const char *place = node->process.journal_options.path;
    char path[256];
    (void)snprintf(path, sizeof path, "%s.copy", place);
    (void)unlink(path); /* of one that a blow broke off */
    enum status status = copy_make(node, path);
    if (status != STATUS_OK) {
        sim_log(node->world, "%s/%" PRIu32 " is not copied: %s", node->definition->name,
                node->shard, status_code_text(status));
        node->has_failed = true;
        return false;
    }
    if (sim_disk_is_struck(node->world->disk, node->number)) {
        return false;
    }
    /* LMDB has the old file open and mapped: it must not come back under the new one's name. */
    journal_close(&node->journal);
    if (unlink(place) != 0 || rename(path, place) != 0) {
        sim_fail(node->world, "%s cannot be put in place", path);
    }
    return true;
}
