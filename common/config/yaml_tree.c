#include "common/config/yaml_tree.h"

#include "common/base/arena.h"
#include "common/base/bytes.h"
#include "common/config/yaml_build.h"
#include "common/config/yaml_fault.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct yaml_tree {
    struct arena arena;
    struct yaml_node *root;
};

/* One file as it was read; `bytes` is ours until file_release. */
struct file {
    const char *path;
    dev_t device;
    ino_t inode;
    uint8_t *bytes;
    size_t size;
};

/* What is known while a file and its includes are read. */
struct load {
    struct yaml_tree *tree;
    struct refusal *refusal;
    struct file files[YAML_INCLUDES_MAX + 1]; /* the first is the file itself */
    size_t file_count;
};

static struct yaml_tree *tree_new(void)
{
    struct yaml_tree *tree = memory_allocate(sizeof *tree);
    *tree = (struct yaml_tree){ .root = NULL };
    arena_init(&tree->arena, YAML_TREE_BYTES_MAX);
    return tree;
}

/* ---- one file */

static enum status host_fault(struct refusal *refusal, const char *path)
{
    int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
        return refusal_set(refusal, STATUS_NOT_FOUND, "%s: no such file; name one that is there",
                           path);
    }
    enum status status = error == EACCES ? STATUS_DENIED : STATUS_INTERNAL;
    return refusal_set(refusal, status, "%s: cannot be read: %s", path, strerror(error));
}

static enum status descriptor_read(int descriptor, struct file *file, struct refusal *refusal)
{
    /* One byte more than the bound shows that there is more, whatever fstat said. */
    size_t room = YAML_FILE_BYTES_MAX + 1;
    file->bytes = memory_allocate(room);
    while (file->size < room) {
        ssize_t got = read(descriptor, file->bytes + file->size, room - file->size);
        if (got < 0) {
            return host_fault(refusal, file->path);
        }
        if (got == 0) {
            break;
        }
        file->size += (size_t)got;
    }
    return STATUS_OK;
}

static enum status regular_read(int descriptor, struct file *file, struct refusal *refusal)
{
    struct stat found;
    if (fstat(descriptor, &found) != 0) {
        return host_fault(refusal, file->path);
    }
    if (!S_ISREG(found.st_mode)) {
        return refusal_set(refusal, STATUS_MALFORMED, "%s: not a file; name a YAML file",
                           file->path);
    }
    file->device = found.st_dev;
    file->inode = found.st_ino;
    return descriptor_read(descriptor, file, refusal);
}

/* Fills all but `path`, which is set. The caller releases it, on failure too. */
static enum status file_read(struct file *file, struct refusal *refusal)
{
    /* Without O_NONBLOCK a pipe by that name would hold us until somebody writes. */
    int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return host_fault(refusal, file->path);
    }
    enum status status = regular_read(descriptor, file, refusal);
    (void)close(descriptor); /* only read from: a failure loses nothing */
    return status;
}

static void file_release(struct file *file)
{
    free(file->bytes);
    file->bytes = NULL;
    file->size = 0;
}

static enum status file_build(struct load *load, const struct file *file, struct yaml_node **root)
{
    struct yaml_source source = { .tree = load->tree,
                                  .arena = &load->tree->arena,
                                  .file = file->path,
                                  .bytes = span_of(file->bytes, file->size) };
    return yaml_build(&source, root, load->refusal);
}

/* ---- includes */

static struct yaml_node *child_find(const struct yaml_node *mapping, const char *key)
{
    struct yaml_node *child = mapping->first;
    while (child != NULL && strcmp(child->key, key) != 0) {
        child = child->next;
    }
    return child;
}

static struct yaml_place place_of(const struct yaml_node *node)
{
    return (struct yaml_place){ .file = node->file,
                                .line = node->key == NULL ? node->line : node->key_line };
}

static void children_append(struct yaml_node *node, struct yaml_node *children)
{
    struct yaml_node **end = &node->first;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = children;
}

static unsigned children_count(const struct yaml_node *node)
{
    unsigned count = 0;
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        count++;
    }
    return count;
}

/* `child` stands alone: its `next` is NULL. */
static enum status child_join(struct yaml_node *root, struct yaml_node *child,
                              struct refusal *refusal)
{
    char shown[YAML_SHOWN_BYTES] = { 0 };
    (void)yaml_text_show(child->key, shown);
    if (child->kind == YAML_SCALAR || strcmp(child->key, "include") == 0) {
        return yaml_fault(refusal, place_of(child),
                          "%s: only lists and mappings may stand in an included file; move it to "
                          "the file that includes this one",
                          shown);
    }
    struct yaml_node *same = child_find(root, child->key);
    if (same == NULL && children_count(root) == YAML_KEYS_MAX) {
        return yaml_fault(refusal, place_of(child), "%s: more than %d keys in one mapping", shown,
                          YAML_KEYS_MAX);
    }
    if (same == NULL) {
        children_append(root, child);
        return STATUS_OK;
    }
    if (same->kind == YAML_SEQUENCE && child->kind == YAML_SEQUENCE) {
        children_append(same, child->first);
        return STATUS_OK;
    }
    return yaml_fault(refusal, place_of(child),
                      "%s: a doubled key, it stands in line %u of %s too; keep one of them", shown,
                      same->key_line, same->file);
}

static enum status root_join(struct yaml_node *root, struct yaml_node *included,
                             struct refusal *refusal)
{
    if (included->kind != YAML_MAPPING) {
        return yaml_fault(refusal, place_of(included),
                          "an included file must be a mapping; write keys such as `segments:`");
    }
    struct yaml_node *child = included->first;
    while (child != NULL) {
        struct yaml_node *next = child->next;
        child->next = NULL;
        enum status status = child_join(root, child, refusal);
        if (status != STATUS_OK) {
            return status;
        }
        child = next;
    }
    return STATUS_OK;
}

/* The path of an item, relative to the folder of the file that includes it. NULL: refused. */
static const char *include_path(struct load *load, const struct yaml_node *item)
{
    struct yaml_place place = place_of(item);
    if (item->kind != YAML_SCALAR || item->text[0] == '\0') {
        (void)yaml_fault(load->refusal, place, "include: not a path; write the name of a file");
        return NULL;
    }
    const char *from = load->files[0].path;
    const char *slash = strrchr(from, '/');
    int folder = slash == NULL || item->text[0] == '/' ? 0 : (int)(slash + 1 - from);
    char joined[PATH_MAX] = { 0 };
    int size = snprintf(joined, sizeof joined, "%.*s%s", folder, from, item->text);
    if (size < 0 || (size_t)size >= sizeof joined) {
        (void)yaml_fault(load->refusal, place, "include: a path of %d bytes or more; shorten it",
                         PATH_MAX);
        return NULL;
    }
    const char *path = yaml_text_copy(&load->tree->arena, span_of_text(joined));
    if (path == NULL) {
        (void)yaml_fault(load->refusal, place, "include: too much config; take some out");
    }
    return path;
}

/* The same file twice would double its lists, and a file that includes itself as well. */
static enum status include_is_new_check(struct load *load, const struct yaml_node *item,
                                        const struct file *file)
{
    for (size_t i = 0; i < load->file_count; i++) {
        const struct file *earlier = &load->files[i];
        if (earlier->device == file->device && earlier->inode == file->inode) {
            return yaml_fault(load->refusal, place_of(item),
                              i == 0 ? "include: '%s' is this file itself; take it out"
                                     : "include: '%s' is included twice; take one out",
                              item->text);
        }
    }
    return STATUS_OK;
}

static enum status include_file_read(struct load *load, const struct yaml_node *item,
                                     struct file *file)
{
    struct refusal refusal;
    refusal_init(&refusal);
    if (file_read(file, &refusal) != STATUS_OK) {
        return yaml_fault(load->refusal, place_of(item), "include: %s", refusal.message);
    }
    return include_is_new_check(load, item, file);
}

static enum status include_take(struct load *load, const struct yaml_node *item)
{
    if (load->file_count > YAML_INCLUDES_MAX) {
        return yaml_fault(load->refusal, place_of(item),
                          "include: more than %d files; put some together", YAML_INCLUDES_MAX);
    }
    struct file *file = &load->files[load->file_count];
    file->path = include_path(load, item);
    if (file->path == NULL) {
        return STATUS_MALFORMED;
    }
    enum status status = include_file_read(load, item, file);
    struct yaml_node *included = NULL;
    if (status == STATUS_OK) {
        status = file_build(load, file, &included);
    }
    file_release(file);
    if (status != STATUS_OK) {
        return status;
    }
    load->file_count++;
    return root_join(load->tree->root, included, load->refusal);
}

static enum status includes_take(struct load *load)
{
    struct yaml_node *root = load->tree->root;
    struct yaml_node *include = root->kind == YAML_MAPPING ? child_find(root, "include") : NULL;
    if (include == NULL) {
        return STATUS_OK;
    }
    include->used = true;
    if (include->kind != YAML_SEQUENCE) {
        return yaml_fault(load->refusal, place_of(include),
                          "include: must be a list; write [one.yaml, two.yaml]");
    }
    for (const struct yaml_node *item = include->first; item != NULL; item = item->next) {
        enum status status = include_take(load, item);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status first_file_take(struct load *load, const char *path)
{
    struct file *file = &load->files[0];
    file->path = yaml_text_copy(&load->tree->arena, span_of_text(path));
    assert(file->path != NULL); /* the arena is empty, and a path is short */
    enum status status = file_read(file, load->refusal);
    if (status == STATUS_OK) {
        status = file_build(load, file, &load->tree->root);
    }
    file_release(file);
    load->file_count = 1;
    return status;
}

/* ---- public */

enum status yaml_tree_load(struct yaml_tree **tree, const char *path, bool follow_includes,
                           struct refusal *refusal)
{
    struct yaml_tree *opened = tree_new();
    struct load load = { .tree = opened, .refusal = refusal };
    enum status status = first_file_take(&load, path);
    if (status == STATUS_OK && follow_includes) {
        status = includes_take(&load);
    }
    if (status != STATUS_OK) {
        yaml_tree_close(&opened);
        return status;
    }
    *tree = opened;
    return STATUS_OK;
}

enum status yaml_tree_parse(struct yaml_tree **tree, const char *name, const char *text,
                            size_t size, struct refusal *refusal)
{
    struct yaml_tree *opened = tree_new();
    struct yaml_source source = { .tree = opened,
                                  .arena = &opened->arena,
                                  .file = yaml_text_copy(&opened->arena, span_of_text(name)),
                                  .bytes = span_of(text, size) };
    assert(source.file != NULL); /* the arena is empty, and a name is short */
    enum status status = yaml_build(&source, &opened->root, refusal);
    if (status != STATUS_OK) {
        yaml_tree_close(&opened);
        return status;
    }
    *tree = opened;
    return STATUS_OK;
}

void yaml_tree_close(struct yaml_tree **tree)
{
    if (*tree == NULL) {
        return;
    }
    arena_release(&(*tree)->arena);
    free(*tree);
    *tree = NULL;
}

struct yaml_node *yaml_tree_root(struct yaml_tree *tree)
{
    return tree->root;
}

void yaml_node_know(struct yaml_node *mapping, const char *key)
{
    for (const struct yaml_known *known = mapping->known; known != NULL; known = known->next) {
        if (strcmp(known->key, key) == 0) {
            return;
        }
    }
    /* A full arena costs a proposal in a message, nothing else. */
    struct yaml_known *known = arena_allocate(&mapping->tree->arena, sizeof *known);
    const char *copy = yaml_text_copy(&mapping->tree->arena, span_of_text(key));
    if (known == NULL || copy == NULL) {
        return;
    }
    *known = (struct yaml_known){ .key = copy, .next = mapping->known };
    mapping->known = known;
}
