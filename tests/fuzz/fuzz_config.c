/* link: common_config */
/* covers: common/config/yaml_build.c common/config/yaml_fault.c */
/*
 * Any bytes as a config file: a tree within its bounds, or a sentence that names a line. The
 * tree is walked, so a node that dangles or a depth that was missed would be seen.
 */
#include "common/config/config.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void node_check(const struct yaml_node *node, unsigned *nodes)
{
    (*nodes)++;
    assert(node->line >= 1);
    assert((node->kind == YAML_SCALAR) == (node->text != NULL));
    assert(node->kind != YAML_SCALAR || node->first == NULL);
    assert((node->key == NULL) == (node->key_line == 0));
    assert(node->key == NULL || strlen(node->key) > 0);
}

/* Depth first, without recursion, as the depth is what is in question. */
static unsigned tree_check(const struct yaml_node *root)
{
    const struct yaml_node *levels[YAML_DEPTH_MAX + 1] = { root };
    size_t depth = 1;
    unsigned nodes = 0;
    while (depth > 0) {
        const struct yaml_node *node = levels[depth - 1];
        if (node == NULL) {
            depth--;
            continue;
        }
        node_check(node, &nodes);
        levels[depth - 1] = node->next;
        if (node->kind != YAML_SCALAR) {
            assert(depth <= YAML_DEPTH_MAX);
            levels[depth] = node->first;
            depth++;
        }
    }
    return nodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct refusal refusal;
    refusal_init(&refusal);
    struct yaml_tree *tree = NULL;
    enum status status = yaml_tree_parse(&tree, "f", (const char *)data, size, &refusal);
    if (status != STATUS_OK) {
        assert(status == STATUS_MALFORMED && tree == NULL);
        assert(strncmp(refusal.message, "f:", 2) == 0);
        return 0;
    }
    struct yaml_node *root = yaml_tree_root(tree);
    assert(tree_check(root) <= size + 1);
    (void)config_child(root, "version");
    status = config_unused_check(root, &refusal);
    assert(status == STATUS_OK || status == STATUS_MALFORMED);
    yaml_tree_close(&tree);
    return 0;
}
