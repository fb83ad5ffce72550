/* link: common_config */
#include "common/config/yaml_tree.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum status parse(struct yaml_tree **tree, const char *text, struct refusal *refusal)
{
    refusal_init(refusal);
    return yaml_tree_parse(tree, "t.yaml", text, strlen(text), refusal);
}

static struct yaml_tree *parsed(const char *text)
{
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    enum status status = parse(&tree, text, &refusal);
    ck_assert_msg(status == STATUS_OK, "%s", refusal.message);
    return tree;
}

static struct yaml_node *child(const struct yaml_node *mapping, const char *key)
{
    struct yaml_node *found = mapping->first;
    while (found != NULL && strcmp(found->key, key) != 0) {
        found = found->next;
    }
    ck_assert_msg(found != NULL, "no key %s", key);
    return found;
}

static unsigned count(const struct yaml_node *node)
{
    unsigned children = 0;
    for (const struct yaml_node *each = node->first; each != NULL; each = each->next) {
        children++;
    }
    return children;
}

/* ---- what is read */

START_TEST(kinds_keys_texts_and_lines_are_kept_in_the_files_order)
{
    struct yaml_tree *tree = parsed("# first\n"
                                    "one: 1\n"
                                    "two:\n"
                                    "  - a\n"
                                    "  - \"b\"\n"
                                    "three: {four: 'x'}\n"
                                    "five:\n"
                                    "six: |\n"
                                    "  12\n");
    const struct yaml_node *root = yaml_tree_root(tree);
    ck_assert_int_eq(root->kind, YAML_MAPPING);
    ck_assert_ptr_null(root->key);
    ck_assert_uint_eq(count(root), 5);

    const struct yaml_node *one = root->first;
    ck_assert_str_eq(one->key, "one");
    ck_assert_str_eq(one->text, "1");
    ck_assert_str_eq(one->file, "t.yaml");
    ck_assert_uint_eq(one->line, 2);
    ck_assert_uint_eq(one->key_line, 2);
    ck_assert(!one->quoted);
    ck_assert(!one->used);

    const struct yaml_node *two = one->next;
    ck_assert_int_eq(two->kind, YAML_SEQUENCE);
    ck_assert_uint_eq(two->key_line, 3);
    ck_assert_uint_eq(two->line, 4);
    ck_assert_ptr_null(two->first->key);
    ck_assert_str_eq(two->first->text, "a");
    ck_assert_uint_eq(two->first->next->line, 5);
    ck_assert(two->first->next->quoted);

    ck_assert(child(child(root, "three"), "four")->quoted);
    const struct yaml_node *five = child(root, "five");
    ck_assert_str_eq(five->text, "");
    ck_assert(!five->quoted);
    ck_assert_uint_eq(five->line, 7);
    ck_assert_str_eq(child(root, "six")->text, "12\n");
    ck_assert(child(root, "six")->quoted);

    yaml_tree_close(&tree);
    ck_assert_ptr_null(tree);
    yaml_tree_close(&tree);
}
END_TEST

START_TEST(carriage_returns_before_line_feeds_a_mark_and_dashes_above_are_read)
{
    struct yaml_tree *tree = parsed("\xef\xbb\xbf---\r\na: 1\r\nb: \"x\\ty\"\r\n...\r\n");
    const struct yaml_node *root = yaml_tree_root(tree);
    ck_assert_str_eq(child(root, "a")->text, "1");
    ck_assert_str_eq(child(root, "b")->text, "x\ty");
    ck_assert_uint_eq(child(root, "b")->line, 3);
    yaml_tree_close(&tree);
}
END_TEST

START_TEST(eight_levels_are_read)
{
    struct yaml_tree *tree = parsed("a: [[[[[[[x]]]]]]]\n");
    const struct yaml_node *node = yaml_tree_root(tree);
    for (unsigned depth = 0; depth < YAML_DEPTH_MAX; depth++) {
        node = node->first;
    }
    ck_assert_str_eq(node->text, "x");
    yaml_tree_close(&tree);
}
END_TEST

/* ---- what is refused */

struct fault {
    const char *text;
    const char *message; /* it begins so */
};

static const struct fault faults[] = {
    { "", "t.yaml:1: nothing in the file" },
    { "# only a comment\n", "t.yaml:1: nothing in the file" },
    { "a: 1\nb: 2\na: 3\n", "t.yaml:3: a: a doubled key, it stands in line 1 too" },
    { "a: 1\nb: {c: 1,\n    'c': 2}\n", "t.yaml:3: c: a doubled key, it stands in line 2 too" },
    { "a: 1\n\"\\x61\": 2\n", "t.yaml:2: a: a doubled key" },
    { "a: 1\nb: &x 2\n", "t.yaml:2: an anchor" },
    { "a: &x\n  b: 1\n", "t.yaml:1: an anchor" },
    { "a: &x [1]\n", "t.yaml:1: an anchor" },
    { "a: 1\n&x b: 1\n", "t.yaml:2: an anchor" },
    { "a: &x [*x]\n", "t.yaml:1: an anchor" },
    { "a: 1\nb: *x\n", "t.yaml:2: an alias" },
    { "a: !!int 1\n", "t.yaml:1: a tag" },
    { "a: 1\nb: ! x\n", "t.yaml:2: a tag" },
    { "a: !x {}\n", "t.yaml:1: a tag" },
    { "a: !<x> [1]\n", "t.yaml:1: a tag" },
    { "a: 1\n---\nb: 2\n", "t.yaml:2: a second document" },
    { "a: 1\n---\n", "t.yaml:2: a second document" },
    { "a: 1\n...\nb: 2\n", "t.yaml:3: not YAML: did not find expected <document start>" },
    { "%YAML 1.1\n---\na: 1\n", "t.yaml:1: a directive" },
    { "%TAG !a! b\n---\na: 1\n", "t.yaml:1: a directive" },
    { "a: 1\n\tb: 2\n", "t.yaml:2: a tab" },
    { "a:\t1\n", "t.yaml:1: a tab" },
    { "a: 1\nb: x\ty\n", "t.yaml:2: a tab" },
    { "a: 1\nb: \xff\n", "t.yaml:2: a control character, or bytes that are not UTF-8" },
    { "a: 1\nb: \xc3\n", "t.yaml:2: a control character, or bytes that are not UTF-8" },
    { "a: 1\nb: \xed\xa0\x80\n", "t.yaml:2: a control character" },
    { "a: \x1b[31m\n", "t.yaml:1: a control character" },
    { "a: 1\rb: 2\n", "t.yaml:1: a control character" },
    { "a: x\xe2\x80\xa8y\n", "t.yaml:1: a control character" },
    { "a: 1\nb: x\xef\xbf\xbfy\n", "t.yaml:2: not YAML: control characters are not allowed" },
    { "\xff\xfe\x61\x00", "t.yaml:1: a control character, or bytes that are not UTF-8" },
    { "a: 1\nb: \"\\e[31m\"\n", "t.yaml:2: a value holds a control character" },
    { "a: 1\nb: \"\\0\"\n", "t.yaml:2: a value holds a control character" },
    { "a: 1\n\"b\\0\": 1\n", "t.yaml:2: a key holds a control character" },
    { "a: 1\n\"b\\n\": 1\n", "t.yaml:2: a key holds a control character" },
    { "a: 1\n? [b]\n: 2\n", "t.yaml:2: a key that is a list or a mapping" },
    { "{a: 1}: 2\n", "t.yaml:1: a key that is a list or a mapping" },
    { "a: 1\n\"\": 2\n", "t.yaml:2: a key without text" },
    { "a: 1\n? \n: 2\n", "t.yaml:2: a key without text" },
    { "a: 1\nb\n", "t.yaml:2: not YAML: could not find expected ':'" },
    { "a: 1\n  b: 2\n", "t.yaml:2: not YAML: mapping values are not allowed in this context" },
    { "a:\n  - 1\n - 2\n", "t.yaml:3: not YAML: did not find expected key" },
    { "a: 1\nb: [1,\nc: 2\n", "t.yaml:3: not YAML: did not find expected ',' or ']', while parsing "
                              "a flow sequence that begins in line 2" },
    { "a: 1\nb: \"x\n", "t.yaml:2: not YAML: found unexpected end of stream" },
    { "a: [[[[[[[[x]]]]]]]]\n", "t.yaml:1: nested deeper than 8 levels" },
    { "a:\n - b:\n    - c:\n       - d:\n          - e:\n", "t.yaml:5: nested deeper" },
};

START_TEST(each_fault_is_told_with_its_line)
{
    const struct fault *fault = &faults[_i];
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    ck_assert_int_eq(parse(&tree, fault->text, &refusal), STATUS_MALFORMED);
    ck_assert_int_eq(refusal.status, STATUS_MALFORMED);
    ck_assert_ptr_null(tree);
    ck_assert_msg(strncmp(refusal.message, fault->message, strlen(fault->message)) == 0,
                  "wanted \"%s\", got \"%s\"", fault->message, refusal.message);
}
END_TEST

START_TEST(a_zero_byte_is_refused_with_its_line)
{
    static const char text[] = "a: 1\nb: x\0y\n";
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(yaml_tree_parse(&tree, "t.yaml", text, sizeof text - 1, &refusal),
                     STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "t.yaml:2: a zero byte"));
}
END_TEST

START_TEST(a_refusal_may_be_left_out)
{
    struct yaml_tree *tree = NULL;
    ck_assert_int_eq(yaml_tree_parse(&tree, "t.yaml", "a: &x 1", 7, NULL), STATUS_MALFORMED);
}
END_TEST

/* ---- bounds */

/* `part` again and again, up to the largest file; a zero ends it. */
static size_t repeated(const char *part, size_t times, char **out)
{
    size_t size = strlen(part);
    size_t most = YAML_FILE_BYTES_MAX / size;
    size_t repeats = times < most ? times : most;
    char *text = calloc(repeats * size + 1, 1);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < repeats * size; i++) {
        text[i] = part[i % size];
    }
    *out = text;
    return repeats * size;
}

static int64_t now_ms(void)
{
    struct timespec now;
    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* libyaml alone takes seconds to minutes for these. The bound is ten times what is promised,
 * for slow machines and sanitizers. */
static const char *const nestings[] = { "[",   "{",   "[\n",  "{\n",  "[{",   "- ",     "? ",
                                        "[? ", "{? ", "a: [", "{a: ", "[[],", "{a,b: {" };

START_TEST(deep_nesting_is_refused_before_it_costs_anything)
{
    char *text = NULL;
    size_t size = repeated(nestings[_i], 100000, &text);
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    int64_t before = now_ms();
    ck_assert_int_eq(yaml_tree_parse(&tree, "t.yaml", text, size, &refusal), STATUS_MALFORMED);
    int64_t taken = now_ms() - before;
    ck_assert_msg(taken < 1000, "%lld ms", (long long)taken);
    /* Where the first opening stands for a key, that is the first fault. */
    bool deep = strstr(refusal.message, ": nested deeper than 8 levels") != NULL;
    bool key = strstr(refusal.message, ": a key that is a list or a mapping") != NULL;
    ck_assert_msg(deep || key, "%s", refusal.message);
    ck_assert(deep || nestings[_i][0] != '[' || nestings[_i][1] != '\0');
    free(text);
}
END_TEST

static const char *const long_files[] = {
    "[a,", "a: b,\n", "- a\n", "a\n", "?",   "%TAG !a! b\n", "'",     "\"", "#",    "\n",
    "]",   ": ",      "!",     "&a ", "*a ", "|\n",          "---\n", "{}", "a:\n "
};

START_TEST(no_file_of_the_largest_size_takes_long)
{
    char *text = NULL;
    size_t size = repeated(long_files[_i], SIZE_MAX, &text);
    struct yaml_tree *tree = NULL;
    int64_t before = now_ms();
    enum status status = yaml_tree_parse(&tree, "t.yaml", text, size, NULL);
    int64_t taken = now_ms() - before;
    ck_assert(status == STATUS_OK || status == STATUS_MALFORMED);
    ck_assert_msg(taken < 2000, "%lld ms", (long long)taken);
    yaml_tree_close(&tree);
    free(text);
}
END_TEST

START_TEST(a_file_of_256_kib_is_read_and_one_byte_more_is_refused)
{
    static const char start[] = "a: 1\n#";
    char *text = malloc(YAML_FILE_BYTES_MAX + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, ' ', YAML_FILE_BYTES_MAX + 1);
    memcpy(text, start, sizeof start - 1);
    struct yaml_tree *tree = NULL;
    ck_assert_int_eq(yaml_tree_parse(&tree, "t.yaml", text, YAML_FILE_BYTES_MAX, NULL), STATUS_OK);
    yaml_tree_close(&tree);
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(yaml_tree_parse(&tree, "t.yaml", text, YAML_FILE_BYTES_MAX + 1, &refusal),
                     STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "t.yaml:1: larger than 256 KiB"));
    free(text);
}
END_TEST

START_TEST(the_densest_file_fits_the_trees_memory)
{
    char *text = NULL;
    size_t size = repeated("a,", SIZE_MAX, &text);
    text[0] = '[';
    text[1] = ' ';
    text[size - 1] = ']';
    struct yaml_tree *tree = NULL;
    ck_assert_int_eq(yaml_tree_parse(&tree, "t.yaml", text, size, NULL), STATUS_OK);
    ck_assert_uint_eq(count(yaml_tree_root(tree)), size / 2 - 1);
    yaml_tree_close(&tree);
    free(text);
}
END_TEST

START_TEST(a_mapping_has_1024_keys_and_no_more)
{
    char text[(YAML_KEYS_MAX + 1) * 10] = { 0 };
    size_t size = 0;
    size_t size_allowed = 0;
    for (unsigned i = 0; i <= YAML_KEYS_MAX; i++) {
        size_allowed = size;
        size += (size_t)snprintf(text + size, sizeof text - size, "k%u: v\n", i);
    }
    struct yaml_tree *tree = NULL;
    ck_assert_int_eq(yaml_tree_parse(&tree, "t.yaml", text, size_allowed, NULL), STATUS_OK);
    ck_assert_uint_eq(count(yaml_tree_root(tree)), YAML_KEYS_MAX);
    yaml_tree_close(&tree);
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(yaml_tree_parse(&tree, "t.yaml", text, size, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "t.yaml:1025: more than 1024 keys"));
}
END_TEST

START_TEST(a_long_file_name_leaves_room_for_the_sentence)
{
    char name[400] = { 0 };
    memset(name, 'x', sizeof name - 1);
    memcpy(name + sizeof name - 8, "/t.yaml", 8);
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(yaml_tree_parse(&tree, name, "a: *x", 5, &refusal), STATUS_MALFORMED);
    ck_assert_int_eq(strncmp(refusal.message, "...xxx", 6), 0);
    ck_assert_ptr_nonnull(strstr(refusal.message, "x/t.yaml:1: an alias (*); write the text"));
}
END_TEST

START_TEST(a_long_key_is_shown_cut_after_a_whole_character)
{
    char key[201] = { 0 };
    for (size_t i = 0; i < sizeof key - 1; i += 2) {
        key[i] = '\xc3';
        key[i + 1] = '\xa4';
    }
    char text[800] = { 0 };
    size_t size = (size_t)snprintf(text, sizeof text, "%s: 1\n%s: 1\n", key, key);
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    refusal_init(&refusal);
    ck_assert_int_eq(yaml_tree_parse(&tree, "t", text, size, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "\xc3\xa4...: a doubled key"));
}
END_TEST

/* ---- files */

struct folder {
    char path[64];
};

static struct folder folder_make(void)
{
    struct folder folder = { "/tmp/kith-yaml-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(folder.path));
    return folder;
}

static const char *file_path(const struct folder *folder, const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", folder->path, name);
    return out;
}

static void file_write(const struct folder *folder, const char *name, const char *text)
{
    char path[128] = { 0 };
    FILE *file = fopen(file_path(folder, name, path), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
}

static void folder_remove(const struct folder *folder)
{
    static const char *const names[] = { "a.yaml", "b.yaml", "c.yaml", "d.yaml", "sub/e.yaml" };
    char path[128] = { 0 };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unlink(file_path(folder, names[i], path));
    }
    (void)rmdir(file_path(folder, "sub", path));
    ck_assert_int_eq(rmdir(folder->path), 0);
}

static enum status load(const struct folder *folder, bool follow, struct yaml_tree **tree,
                        struct refusal *refusal)
{
    char path[128] = { 0 };
    refusal_init(refusal);
    return yaml_tree_load(tree, file_path(folder, "a.yaml", path), follow, refusal);
}

START_TEST(a_missing_file_is_not_found_and_a_folder_is_no_file)
{
    struct folder folder = folder_make();
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    ck_assert_int_eq(load(&folder, true, &tree, &refusal), STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(refusal.message, "/a.yaml: no such file"));
    ck_assert_int_eq(yaml_tree_load(&tree, folder.path, true, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, ": not a file"));
    ck_assert_ptr_null(tree);
    folder_remove(&folder);
}
END_TEST

START_TEST(a_pipe_is_refused_without_waiting_for_a_writer)
{
    struct folder folder = folder_make();
    char path[128] = { 0 };
    ck_assert_int_eq(mkfifo(file_path(&folder, "a.yaml", path), 0600), 0);
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    ck_assert_int_eq(load(&folder, true, &tree, &refusal), STATUS_MALFORMED);
    folder_remove(&folder);
}
END_TEST

START_TEST(a_file_that_is_too_large_is_refused)
{
    struct folder folder = folder_make();
    char *text = NULL;
    size_t size = repeated(" ", SIZE_MAX, &text);
    file_write(&folder, "a.yaml", text);
    char path[128] = { 0 };
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    ck_assert_int_eq(load(&folder, true, &tree, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, ":1: nothing in the file"));
    ck_assert_int_eq(truncate(file_path(&folder, "a.yaml", path), (off_t)size + 1), 0);
    ck_assert_int_eq(load(&folder, true, &tree, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, ":1: larger than 256 KiB"));
    free(text);
    folder_remove(&folder);
}
END_TEST

START_TEST(includes_append_lists_and_add_what_is_not_there_yet)
{
    struct folder folder = folder_make();
    char path[128] = { 0 };
    ck_assert_int_eq(mkdir(file_path(&folder, "sub", path), 0700), 0);
    file_write(&folder, "a.yaml", "version: 1\ninclude: [b.yaml, sub/e.yaml]\nlist: [one]\n");
    file_write(&folder, "b.yaml", "list:\n  - two\nmap: {x: 1}\n");
    file_write(&folder, "sub/e.yaml", "other: []\nlist: [three, four]\n");
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    ck_assert_int_eq(load(&folder, true, &tree, &refusal), STATUS_OK);

    const struct yaml_node *root = yaml_tree_root(tree);
    ck_assert_uint_eq(count(root), 5);
    ck_assert(child(root, "include")->used);
    const struct yaml_node *list = child(root, "list");
    ck_assert_uint_eq(count(list), 4);
    static const char *const texts[] = { "one", "two", "three", "four" };
    const struct yaml_node *item = list->first;
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(item->text, texts[i]);
        item = item->next;
    }
    ck_assert_str_eq(list->first->next->file, file_path(&folder, "b.yaml", path));
    ck_assert_uint_eq(list->first->next->line, 2);
    ck_assert_str_eq(child(child(root, "map"), "x")->text, "1");
    ck_assert_int_eq(child(root, "other")->kind, YAML_SEQUENCE);
    yaml_tree_close(&tree);

    ck_assert_int_eq(load(&folder, false, &tree, &refusal), STATUS_OK);
    ck_assert_uint_eq(count(child(yaml_tree_root(tree), "list")), 1);
    ck_assert(!child(yaml_tree_root(tree), "include")->used);
    yaml_tree_close(&tree);
    folder_remove(&folder);
}
END_TEST

START_TEST(an_absolute_path_is_included_as_it_stands)
{
    struct folder folder = folder_make();
    struct folder other = folder_make();
    char path[128] = { 0 };
    char text[160] = { 0 };
    (void)snprintf(text, sizeof text, "include:\n  - %s\n", file_path(&other, "b.yaml", path));
    file_write(&folder, "a.yaml", text);
    file_write(&other, "b.yaml", "list: [1]\n");
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    ck_assert_int_eq(load(&folder, true, &tree, &refusal), STATUS_OK);
    ck_assert_uint_eq(count(child(yaml_tree_root(tree), "list")), 1);
    yaml_tree_close(&tree);
    folder_remove(&folder);
    folder_remove(&other);
}
END_TEST

struct include_fault {
    const char *first;
    const char *second; /* b.yaml; NULL: none */
    const char *place;
    const char *message;
};

static const struct include_fault include_faults[] = {
    { "a: 1\ninclude:\n  - c.yaml\n", NULL, "a.yaml:3", "include: " },
    { "a: 1\ninclude: [c.yaml]\n", NULL, "a.yaml:2", "/c.yaml: no such file" },
    { "include: [a.yaml]\n", NULL, "a.yaml:1", "include: 'a.yaml' is this file itself" },
    { "include: [b.yaml,\n  ./b.yaml]\n", "l: []\n", "a.yaml:2", "is included twice" },
    { "include: [b.yaml]\n", "l: []\ninclude: [a.yaml]\n", "b.yaml:2", "include: only lists and" },
    { "include: [b.yaml]\n", "l: []\ninclude: {}\n", "b.yaml:2", "include: only lists and" },
    { "include: b.yaml\n", "l: []\n", "a.yaml:1", "include: must be a list" },
    { "include: {b: c}\n", "l: []\n", "a.yaml:1", "include: must be a list" },
    { "include:\n", "l: []\n", "a.yaml:1", "include: must be a list" },
    { "include: [[b.yaml]]\n", "l: []\n", "a.yaml:1", "include: not a path" },
    { "include: ['']\n", "l: []\n", "a.yaml:1", "include: not a path" },
    { "include: [b.yaml]\n", "- l\n", "b.yaml:1", "an included file must be a mapping" },
    { "include: [b.yaml]\n", "word\n", "b.yaml:1", "an included file must be a mapping" },
    { "include: [b.yaml]\n", "", "b.yaml:1", "nothing in the file" },
    { "include: [b.yaml]\n", "l: []\nx: 1\n", "b.yaml:2", "x: only lists and mappings" },
    { "m: {}\ninclude: [b.yaml]\n", "\nm: {}\n", "b.yaml:2", "m: a doubled key" },
    { "m: []\ninclude: [b.yaml]\n", "m: {}\n", "b.yaml:1", "m: a doubled key" },
    { "m: {}\ninclude: [b.yaml]\n", "m: []\n", "b.yaml:1", "m: a doubled key" },
    { "m: 1\ninclude: [b.yaml]\n", "m: []\n", "b.yaml:1", "m: a doubled key" },
    { "include: [b.yaml]\n", "l: []\nm: &x []\n", "b.yaml:2", "an anchor" },
};

START_TEST(each_fault_of_an_include_is_told_with_file_and_line)
{
    const struct include_fault *fault = &include_faults[_i];
    struct folder folder = folder_make();
    file_write(&folder, "a.yaml", fault->first);
    if (fault->second != NULL) {
        file_write(&folder, "b.yaml", fault->second);
    }
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    ck_assert_int_eq(load(&folder, true, &tree, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_null(tree);
    char path[128] = { 0 };
    (void)file_path(&folder, fault->place, path);
    ck_assert_msg(strncmp(refusal.message, path, strlen(path)) == 0, "%s", refusal.message);
    ck_assert_msg(strstr(refusal.message, fault->message) != NULL, "%s", refusal.message);
    folder_remove(&folder);
}
END_TEST

START_TEST(sixty_four_files_are_included_and_no_more)
{
    struct folder folder = folder_make();
    char text[(YAML_INCLUDES_MAX + 2) * 16] = "include:\n";
    char path[128] = { 0 };
    for (unsigned i = 0; i <= YAML_INCLUDES_MAX; i++) {
        char name[16] = { 0 };
        (void)snprintf(name, sizeof name, "f%u", i);
        file_write(&folder, name, "list: [x]\n");
        size_t size = strlen(text);
        (void)snprintf(text + size, sizeof text - size, "  - f%u\n", i);
        struct yaml_tree *tree = NULL;
        struct refusal refusal;
        if (i + 1 < YAML_INCLUDES_MAX) {
            continue;
        }
        file_write(&folder, "a.yaml", text);
        enum status wanted = i + 1 == YAML_INCLUDES_MAX ? STATUS_OK : STATUS_MALFORMED;
        ck_assert_int_eq(load(&folder, true, &tree, &refusal), wanted);
        if (wanted == STATUS_OK) {
            ck_assert_uint_eq(count(child(yaml_tree_root(tree), "list")), YAML_INCLUDES_MAX);
            yaml_tree_close(&tree);
        } else {
            ck_assert_ptr_nonnull(strstr(refusal.message, "a.yaml:66: include: more than 64"));
        }
    }
    for (unsigned i = 0; i <= YAML_INCLUDES_MAX; i++) {
        char name[16] = { 0 };
        (void)snprintf(name, sizeof name, "f%u", i);
        ck_assert_int_eq(unlink(file_path(&folder, name, path)), 0);
    }
    folder_remove(&folder);
}
END_TEST

START_TEST(files_that_come_to_too_many_nodes_are_refused)
{
    struct folder folder = folder_make();
    char *text = NULL;
    size_t size = repeated("a,", SIZE_MAX, &text);
    text[size - 1] = ']';
    static const char start[] = "l: [";
    memcpy(text, start, sizeof start - 1);
    file_write(&folder, "b.yaml", text);
    file_write(&folder, "c.yaml", text);
    file_write(&folder, "a.yaml", "include: [b.yaml]\n");
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    ck_assert_int_eq(load(&folder, true, &tree, &refusal), STATUS_OK);
    yaml_tree_close(&tree);
    file_write(&folder, "a.yaml", "include: [b.yaml, c.yaml]\n");
    ck_assert_int_eq(load(&folder, true, &tree, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "c.yaml:1: more than 16 MiB"));
    free(text);
    folder_remove(&folder);
}
END_TEST

START_TEST(files_that_come_to_too_many_keys_are_refused)
{
    struct folder folder = folder_make();
    char text[YAML_KEYS_MAX * 10] = { 0 };
    size_t size = 0;
    for (unsigned i = 0; i < YAML_KEYS_MAX; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "k%u: []\n", i);
    }
    file_write(&folder, "a.yaml", "include: [b.yaml]\n");
    file_write(&folder, "b.yaml", text);
    struct yaml_tree *tree = NULL;
    struct refusal refusal;
    ck_assert_int_eq(load(&folder, true, &tree, &refusal), STATUS_MALFORMED);
    ck_assert_ptr_nonnull(strstr(refusal.message, "b.yaml:1024: k1023: more than 1024 keys"));
    folder_remove(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("yaml_tree");
    TCase *reading = tcase_create("reading");
    tcase_add_test(reading, kinds_keys_texts_and_lines_are_kept_in_the_files_order);
    tcase_add_test(reading, carriage_returns_before_line_feeds_a_mark_and_dashes_above_are_read);
    tcase_add_test(reading, eight_levels_are_read);
    suite_add_tcase(suite, reading);

    TCase *refusing = tcase_create("refusing");
    tcase_add_loop_test(refusing, each_fault_is_told_with_its_line, 0,
                        sizeof faults / sizeof faults[0]);
    tcase_add_test(refusing, a_zero_byte_is_refused_with_its_line);
    tcase_add_test(refusing, a_refusal_may_be_left_out);
    tcase_add_test(refusing, a_long_file_name_leaves_room_for_the_sentence);
    tcase_add_test(refusing, a_long_key_is_shown_cut_after_a_whole_character);
    suite_add_tcase(suite, refusing);

    TCase *bounds = tcase_create("bounds");
    tcase_set_timeout(bounds, 60);
    tcase_add_loop_test(bounds, deep_nesting_is_refused_before_it_costs_anything, 0,
                        sizeof nestings / sizeof nestings[0]);
    tcase_add_loop_test(bounds, no_file_of_the_largest_size_takes_long, 0,
                        sizeof long_files / sizeof long_files[0]);
    tcase_add_test(bounds, a_file_of_256_kib_is_read_and_one_byte_more_is_refused);
    tcase_add_test(bounds, the_densest_file_fits_the_trees_memory);
    tcase_add_test(bounds, a_mapping_has_1024_keys_and_no_more);
    suite_add_tcase(suite, bounds);

    TCase *files = tcase_create("files");
    tcase_set_timeout(files, 60);
    tcase_add_test(files, a_missing_file_is_not_found_and_a_folder_is_no_file);
    tcase_add_test(files, a_pipe_is_refused_without_waiting_for_a_writer);
    tcase_add_test(files, a_file_that_is_too_large_is_refused);
    tcase_add_test(files, includes_append_lists_and_add_what_is_not_there_yet);
    tcase_add_test(files, an_absolute_path_is_included_as_it_stands);
    tcase_add_loop_test(files, each_fault_of_an_include_is_told_with_file_and_line, 0,
                        sizeof include_faults / sizeof include_faults[0]);
    tcase_add_test(files, sixty_four_files_are_included_and_no_more);
    tcase_add_test(files, files_that_come_to_too_many_nodes_are_refused);
    tcase_add_test(files, files_that_come_to_too_many_keys_are_refused);
    suite_add_tcase(suite, files);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
