#include "common/config/yaml_build.h"

#include "common/base/id.h"
#include "common/config/yaml_fault.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <yaml.h>

/* A collection that is open. */
struct frame {
    struct yaml_node *node;
    struct yaml_node *last; /* its newest child */
    unsigned keys;
};

struct build {
    const struct yaml_source *source;
    struct span bytes;
    struct refusal *refusal;
    unsigned line_count;
    struct frame frames[YAML_DEPTH_MAX];
    size_t depth;
    const char *key; /* of the innermost mapping, its value not yet seen; NULL: none */
    unsigned key_line;
    struct yaml_node *root;
    bool done;
};

static struct yaml_place place_at(const struct build *build, size_t line)
{
    /* libyaml puts the end of a file that lacks its last line feed on a line of its own. */
    unsigned shown = line < build->line_count ? (unsigned)line : build->line_count;
    return (struct yaml_place){ .file = build->source->file, .line = shown };
}

static struct yaml_place place_of(const struct build *build, const yaml_event_t *event)
{
    return place_at(build, event->start_mark.line + 1);
}

/* ---- the bytes, before libyaml sees them */

static bool span_holds(struct span span, const char *part)
{
    return memmem(span.data, span.size, part, strlen(part)) != NULL;
}

/* Unicode's separators end a line for libyaml and for no editor: numbers would differ. */
static bool holds_odd_line_break(struct span line)
{
    return span_holds(line, "\xe2\x80\xa8") || span_holds(line, "\xe2\x80\xa9");
}

static enum status line_check(struct build *build, struct span line)
{
    struct yaml_place place = place_at(build, build->line_count);
    if (memchr(line.data, '\0', line.size) != NULL) {
        return yaml_fault(build->refusal, place, "a zero byte; write the file as plain text");
    }
    if (memchr(line.data, '\t', line.size) != NULL) {
        return yaml_fault(build->refusal, place,
                          "a tab; write blanks instead, or \\t inside double quotes");
    }
    /* libyaml compares each %TAG with all before it: 256 KiB of them take 0.7 s. */
    if (line.data[0] == '%') {
        return yaml_fault(build->refusal, place, "a directive (%%); take the line out");
    }
    if (!text_is_clean(line) || holds_odd_line_break(line)) {
        return yaml_fault(build->refusal, place,
                          "a control character, or bytes that are not UTF-8; save the file as "
                          "UTF-8 text");
    }
    return STATUS_OK;
}

/* Counts the lines on the way, so that the newest one is the one at fault. */
static enum status bytes_check(struct build *build)
{
    struct span bytes = build->bytes;
    while (bytes.size > 0) {
        const uint8_t *feed = memchr(bytes.data, '\n', bytes.size);
        size_t size = feed == NULL ? bytes.size : (size_t)(feed - bytes.data);
        build->line_count++;
        struct span line = span_of(bytes.data, size);
        if (feed != NULL && size > 0 && line.data[size - 1] == '\r') {
            line.size--;
        }
        enum status status = line.size == 0 ? STATUS_OK : line_check(build, line);
        if (status != STATUS_OK) {
            return status;
        }
        size_t taken = feed == NULL ? size : size + 1;
        bytes = span_of(bytes.data + taken, bytes.size - taken);
    }
    return STATUS_OK;
}

/* ---- events to nodes */

const char *yaml_text_copy(struct arena *arena, struct span text)
{
    char *copy = arena_allocate(arena, text.size + 1);
    if (copy == NULL) {
        return NULL;
    }
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    copy[text.size] = '\0';
    return copy;
}

static enum status full(struct build *build, struct yaml_place place)
{
    return yaml_fault(build->refusal, place, "more than %d MiB of config; split it",
                      YAML_TREE_BYTES_MAX / (1024 * 1024));
}

/* Line feeds and tabs come from blocks and escapes; of other control characters, which
 * only an escape can have written, no value of ours has a use. */
static bool scalar_is_clean(struct span text)
{
    while (text.size > 0) {
        size_t size = 0;
        while (size < text.size && text.data[size] != '\n' && text.data[size] != '\t') {
            size++;
        }
        if (!text_is_clean(span_of(text.data, size))) {
            return false;
        }
        size_t taken = size < text.size ? size + 1 : size;
        text = span_of(text.data + taken, text.size - taken);
    }
    return true;
}

static struct span scalar_span(const yaml_event_t *event)
{
    return span_of(event->data.scalar.value, event->data.scalar.length);
}

static enum status key_form_check(struct build *build, const yaml_event_t *event)
{
    struct span text = scalar_span(event);
    if (text.size == 0) {
        return yaml_fault(build->refusal, place_of(build, event),
                          "a key without text; write a name before the colon");
    }
    if (!text_is_clean(text)) {
        return yaml_fault(build->refusal, place_of(build, event),
                          "a key holds a control character; write it as plain text");
    }
    return STATUS_OK;
}

static enum status key_is_new_check(struct build *build, const struct frame *frame,
                                    const yaml_event_t *event)
{
    struct span text = scalar_span(event);
    const struct yaml_node *child = frame->node->first;
    while (child != NULL && !span_equal(span_of_text(child->key), text)) {
        child = child->next;
    }
    if (child == NULL) {
        return STATUS_OK;
    }
    char shown[YAML_SHOWN_BYTES] = { 0 };
    return yaml_fault(build->refusal, place_of(build, event),
                      "%s: a doubled key, it stands in line %u too; keep one of them",
                      yaml_text_show(child->key, shown), child->key_line);
}

static enum status key_take(struct build *build, struct frame *frame, const yaml_event_t *event)
{
    struct yaml_place place = place_of(build, event);
    if (event->type != YAML_SCALAR_EVENT) {
        return yaml_fault(build->refusal, place,
                          "a key that is a list or a mapping; write a name before the colon");
    }
    if (frame->keys == YAML_KEYS_MAX) {
        return yaml_fault(build->refusal, place, "more than %d keys in one mapping; use a list",
                          YAML_KEYS_MAX);
    }
    enum status status = key_form_check(build, event);
    if (status == STATUS_OK) {
        status = key_is_new_check(build, frame, event);
    }
    if (status != STATUS_OK) {
        return status;
    }
    build->key = yaml_text_copy(build->source->arena, scalar_span(event));
    build->key_line = place.line;
    frame->keys++;
    return build->key == NULL ? full(build, place) : STATUS_OK;
}

static void node_join(struct build *build, struct yaml_node *node)
{
    if (build->depth == 0) {
        build->root = node;
        return;
    }
    struct frame *frame = &build->frames[build->depth - 1];
    if (frame->last == NULL) {
        frame->node->first = node;
    } else {
        frame->last->next = node;
    }
    frame->last = node;
}

/* NULL: the arena is full. */
static struct yaml_node *node_add(struct build *build, const yaml_event_t *event,
                                  enum yaml_kind kind)
{
    struct yaml_node *node = arena_allocate(build->source->arena, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    struct yaml_place place = place_of(build, event);
    *node = (struct yaml_node){ .kind = kind,
                                .line = place.line,
                                .file = place.file,
                                .key = build->key,
                                .key_line = build->key_line,
                                .tree = build->source->tree };
    build->key = NULL;
    build->key_line = 0;
    node_join(build, node);
    return node;
}

static enum status scalar_add(struct build *build, const yaml_event_t *event)
{
    struct span text = scalar_span(event);
    if (!scalar_is_clean(text)) {
        return yaml_fault(build->refusal, place_of(build, event),
                          "a value holds a control character; write it as plain text");
    }
    struct yaml_node *node = node_add(build, event, YAML_SCALAR);
    const char *copy = yaml_text_copy(build->source->arena, text);
    if (node == NULL || copy == NULL) {
        return full(build, place_of(build, event));
    }
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = copy;
    return STATUS_OK;
}

static enum status collection_open(struct build *build, const yaml_event_t *event,
                                   enum yaml_kind kind)
{
    if (build->depth == YAML_DEPTH_MAX) {
        return yaml_fault(build->refusal, place_of(build, event),
                          "nested deeper than %d levels; write it flatter", YAML_DEPTH_MAX);
    }
    struct yaml_node *node = node_add(build, event, kind);
    if (node == NULL) {
        return full(build, place_of(build, event));
    }
    build->frames[build->depth] = (struct frame){ .node = node };
    build->depth++;
    return STATUS_OK;
}

/* What an event says besides its own matter. */
struct marks {
    bool anchor;
    bool tag;
};

static struct marks marks_of(const yaml_event_t *event)
{
    struct marks marks = { .anchor = false, .tag = false };
    if (event->type == YAML_SCALAR_EVENT) {
        marks.anchor = event->data.scalar.anchor != NULL;
        marks.tag = event->data.scalar.tag != NULL;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        marks.anchor = event->data.sequence_start.anchor != NULL;
        marks.tag = event->data.sequence_start.tag != NULL;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        marks.anchor = event->data.mapping_start.anchor != NULL;
        marks.tag = event->data.mapping_start.tag != NULL;
    }
    return marks;
}

static enum status node_event_handle(struct build *build, const yaml_event_t *event)
{
    struct marks marks = marks_of(event);
    if (marks.anchor) {
        return yaml_fault(build->refusal, place_of(build, event),
                          "an anchor (&); write the text itself, or put it in quotes");
    }
    if (marks.tag) {
        return yaml_fault(build->refusal, place_of(build, event),
                          "a tag (!); take it out, or put the text in quotes");
    }
    struct frame *frame = build->depth == 0 ? NULL : &build->frames[build->depth - 1];
    if (frame != NULL && frame->node->kind == YAML_MAPPING && build->key == NULL) {
        return key_take(build, frame, event);
    }
    if (event->type == YAML_SCALAR_EVENT) {
        return scalar_add(build, event);
    }
    bool sequence = event->type == YAML_SEQUENCE_START_EVENT;
    return collection_open(build, event, sequence ? YAML_SEQUENCE : YAML_MAPPING);
}

static enum status event_handle(struct build *build, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return STATUS_OK;
    case YAML_STREAM_END_EVENT:
        build->done = true;
        return STATUS_OK;
    case YAML_DOCUMENT_START_EVENT:
        if (build->root != NULL) {
            return yaml_fault(build->refusal, place_of(build, event),
                              "a second document; keep one in a file");
        }
        return STATUS_OK;
    case YAML_ALIAS_EVENT:
        return yaml_fault(build->refusal, place_of(build, event),
                          "an alias (*); write the text itself, or put it in quotes");
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        assert(build->depth > 0);
        build->depth--;
        return STATUS_OK;
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return node_event_handle(build, event);
    }
    return STATUS_OK;
}

/* ---- the parser */

/* libyaml gives a place in lines for all faults but those of its byte reader. */
static size_t fault_line(const struct build *build, const yaml_parser_t *parser)
{
    if (parser->error != YAML_READER_ERROR) {
        return parser->problem_mark.line + 1;
    }
    size_t line = 1;
    for (size_t i = 0; i < build->bytes.size && i < parser->problem_offset; i++) {
        line += build->bytes.data[i] == '\n' ? 1 : 0;
    }
    return line;
}

static enum status form_fault(const struct build *build, const yaml_parser_t *parser)
{
    const char *problem = parser->problem == NULL ? "no memory" : parser->problem;
    struct yaml_place place = place_at(build, fault_line(build, parser));
    if (parser->context != NULL && parser->context_mark.line + 1 != place.line) {
        return yaml_fault(build->refusal, place,
                          "not YAML: %s, %s that begins in line %zu; mend indentation, colons "
                          "or brackets there",
                          problem, parser->context, parser->context_mark.line + 1);
    }
    return yaml_fault(build->refusal, place,
                      "not YAML: %s; mend indentation, colons or brackets here", problem);
}

/*
 * libyaml's scanner visits each open bracket at each token, so deep nesting is quadratic:
 * 40,000 brackets take 4 s. It looks ahead no further than a key may be long (1,024 bytes on
 * one line), and events come out in between; stopping at the event that is too deep
 * therefore costs 3 ms whatever the file holds.
 */
static enum status events_handle(struct build *build, yaml_parser_t *parser)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !build->done) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            return form_fault(build, parser);
        }
        status = event_handle(build, &event);
        yaml_event_delete(&event);
    }
    return status;
}

static enum status bytes_parse(struct build *build)
{
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        return refusal_set(build->refusal, STATUS_INTERNAL, "no memory to read %s",
                           build->source->file);
    }
    /* Said, not guessed: bytes that look like UTF-16 are not UTF-8 and were refused. */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, build->bytes.data, build->bytes.size);
    enum status status = events_handle(build, &parser);
    yaml_parser_delete(&parser);
    return status;
}

/* Some editors begin a file with this mark. libyaml takes it for a column of the first line,
 * which then is indented. */
static struct span mark_skip(struct span bytes)
{
    struct span mark = span_of_text("\xef\xbb\xbf");
    return span_has_prefix(bytes, mark) ? span_of(bytes.data + mark.size, bytes.size - mark.size)
                                        : bytes;
}

enum status yaml_build(const struct yaml_source *source, struct yaml_node **root,
                       struct refusal *refusal)
{
    struct build build = { .source = source,
                           .bytes = mark_skip(source->bytes),
                           .refusal = refusal };
    struct yaml_place top = { .file = source->file, .line = 1 };
    if (source->bytes.size > YAML_FILE_BYTES_MAX) {
        return yaml_fault(refusal, top, "larger than %d KiB; split it and use include",
                          YAML_FILE_BYTES_MAX / 1024);
    }
    enum status status = bytes_check(&build);
    if (status == STATUS_OK && build.bytes.size > 0) {
        status = bytes_parse(&build);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (build.root == NULL) {
        return yaml_fault(refusal, top, "nothing in the file; write at least one key");
    }
    assert(build.depth == 0);
    *root = build.root;
    return STATUS_OK;
}
