#include "common/log/log.h"

#include "common/base/bytes.h"
#include "common/base/id.h"
#include "common/base/time_text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A caller's fields may come to this before they are written as the line wants them. */
#define FIELDS_BYTES LOG_LINE_BYTES
#define MESSAGE_BYTES 1024
/* A longer number loses digits in readers that hold numbers as doubles. */
#define NUMBER_DIGITS_MAX 15
#define THROTTLE_MS 1000

/* What ends a line always has room: this much is kept free for it. */
static const char json_end[] = "}\n";
static const char json_end_truncated[] = ",\"truncated\":true}\n";
static const char logfmt_end[] = "\n";
static const char logfmt_end_truncated[] = " truncated=true\n";
#define END_BYTES (sizeof json_end_truncated)
static_assert(sizeof logfmt_end_truncated <= END_BYTES, "the longest end is the one kept free");

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};
#define LEVEL_COUNT (sizeof level_names / sizeof level_names[0])

/* Text that grows up to a limit. What does not fit is not begun, and `full` stays set. */
struct writer {
    char *text;
    size_t size;
    size_t limit;
    bool full;
};

/* One key=value. */
struct field {
    struct span key;
    struct span value; /* quoted: what stands between the quotes, its escapes included */
    bool quoted;
};

/* ---- text */

static void writer_put(struct writer *writer, struct span bytes)
{
    if (writer->full || bytes.size > writer->limit - writer->size) {
        writer->full = true;
        return;
    }
    if (bytes.size > 0) {
        memcpy(writer->text + writer->size, bytes.data, bytes.size);
        writer->size += bytes.size;
    }
}

static void writer_put_text(struct writer *writer, const char *text)
{
    writer_put(writer, span_of_text(text));
}

static struct span span_skip(struct span span, size_t size)
{
    return span_of(span.data + size, span.size - size);
}

/* Of the character that `text` begins with; 0: it is a control character or no UTF-8. */
static size_t clean_size(struct span text)
{
    for (size_t size = 1; size <= 4 && size <= text.size; size++) {
        if (text_is_clean(span_of(text.data, size))) {
            return size;
        }
    }
    return 0;
}

/* Writes what is not clean as JSON would, and returns how many bytes that was. */
static size_t odd_character_put(struct writer *writer, struct span text)
{
    static const char named[] = "\n\r\t";
    static const char names[] = "nrt";
    uint8_t first = text.data[0];
    char escape[8] = { 0 };
    const char *found = first == 0 ? NULL : strchr(named, first);
    if (found != NULL) {
        (void)snprintf(escape, sizeof escape, "\\%c", names[found - named]);
    } else if (first < 0x80) {
        (void)snprintf(escape, sizeof escape, "\\u%04x", first);
    } else if (first == 0xc2 && text.size > 1 && text.data[1] >= 0x80 && text.data[1] < 0xa0) {
        /* The control characters above ASCII steer terminals too. */
        (void)snprintf(escape, sizeof escape, "\\u%04x", text.data[1]);
        writer_put_text(writer, escape);
        return 2;
    } else {
        (void)snprintf(escape, sizeof escape, "%s", "\xef\xbf\xbd");
    }
    writer_put_text(writer, escape);
    return 1;
}

/* Writes the first character of `text` as it may stand between quotes; returns its size. */
static size_t character_put(struct writer *writer, struct span text)
{
    size_t size = clean_size(text);
    if (size == 0) {
        return odd_character_put(writer, text);
    }
    bool escaped = text.data[0] == '"' || text.data[0] == '\\';
    char pair[2] = { '\\', (char)text.data[0] };
    writer_put(writer, escaped ? span_of(pair, sizeof pair) : span_of(text.data, size));
    return size;
}

/* The size of the escape that `text` begins with; 0: it begins with none. */
static size_t escape_size(struct span text)
{
    if (text.size < 2 || text.data[0] != '\\') {
        return 0;
    }
    if (text.data[1] != 'u') {
        return text.data[1] != 0 && strchr("\"\\/bfnrt", text.data[1]) != NULL ? 2 : 0;
    }
    uint8_t code[2] = { 0 };
    bool whole = text.size >= 6;
    return whole && hex_decode(span_of(text.data + 2, 4), code, sizeof code) == STATUS_OK ? 6 : 0;
}

/* What stood between quotes already: good escapes stay, all else is made good. */
static void quoted_put(struct writer *writer, struct span text)
{
    while (text.size > 0) {
        size_t size = escape_size(text);
        if (size == 0) {
            size = character_put(writer, text);
        } else {
            writer_put(writer, span_of(text.data, size));
        }
        text = span_skip(text, size);
    }
}

static void plain_put(struct writer *writer, struct span text)
{
    while (text.size > 0) {
        text = span_skip(text, character_put(writer, text));
    }
}

/* ---- fields from the caller's text */

static struct span take_until(struct span *rest, const char *ends)
{
    size_t size = 0;
    while (size < rest->size && strchr(ends, rest->data[size]) == NULL) {
        size++;
    }
    struct span taken = span_of(rest->data, size);
    *rest = span_skip(*rest, size);
    return taken;
}

/* After the opening quote: up to the closing one, which goes too. */
static struct span take_quoted(struct span *rest)
{
    size_t size = 0;
    while (size < rest->size && rest->data[size] != '"') {
        size += rest->data[size] == '\\' && size + 1 < rest->size ? 2 : 1;
    }
    struct span taken = span_of(rest->data, size);
    *rest = span_skip(*rest, size < rest->size ? size + 1 : size);
    return taken;
}

/* False: nothing is left. */
static bool field_take(struct span *rest, struct field *field)
{
    while (rest->size > 0 && rest->data[0] == ' ') {
        *rest = span_skip(*rest, 1);
    }
    if (rest->size == 0) {
        return false;
    }
    *field = (struct field){ .key = take_until(rest, " ="), .value = span_of_text("true") };
    if (rest->size == 0 || rest->data[0] == ' ') {
        return true;
    }
    *rest = span_skip(*rest, 1);
    field->quoted = rest->size > 0 && rest->data[0] == '"';
    if (field->quoted) {
        *rest = span_skip(*rest, 1);
        field->value = take_quoted(rest);
    } else {
        field->value = take_until(rest, " ");
    }
    return true;
}

/* ---- fields into a line */

static bool byte_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* JSON's form of a number without an exponent: an id such as 12e9 is no number. */
static bool value_is_number(struct span value)
{
    struct span rest = value.size > 0 && value.data[0] == '-' ? span_skip(value, 1) : value;
    if (rest.size == 0 || rest.size > NUMBER_DIGITS_MAX || !byte_is_digit(rest.data[0]) ||
        !byte_is_digit(rest.data[rest.size - 1])) {
        return false;
    }
    if (rest.size > 1 && rest.data[0] == '0' && rest.data[1] != '.') {
        return false;
    }
    unsigned points = 0;
    for (size_t i = 0; i < rest.size; i++) {
        points += rest.data[i] == '.' ? 1 : 0;
        if (rest.data[i] != '.' && !byte_is_digit(rest.data[i])) {
            return false;
        }
    }
    return points <= 1;
}

static bool value_is_literal(struct span value)
{
    return value_is_number(value) || span_equal(value, span_of_text("true")) ||
           span_equal(value, span_of_text("false"));
}

static void json_field_put(struct writer *writer, const struct field *field)
{
    writer_put_text(writer, writer->size == 0 ? "{\"" : ",\"");
    plain_put(writer, field->key);
    writer_put_text(writer, "\":");
    if (!field->quoted && value_is_literal(field->value)) {
        writer_put(writer, field->value);
        return;
    }
    writer_put_text(writer, "\"");
    if (field->quoted) {
        quoted_put(writer, field->value);
    } else {
        plain_put(writer, field->value);
    }
    writer_put_text(writer, "\"");
}

/* May stand without quotes in logfmt. */
static bool value_is_bare(struct span value)
{
    bool marked = value.size > 0 && (memchr(value.data, '"', value.size) != NULL ||
                                     memchr(value.data, '\\', value.size) != NULL);
    return value.size > 0 && !marked && text_is_clean(value);
}

static void logfmt_field_put(struct writer *writer, const struct field *field)
{
    writer_put_text(writer, writer->size == 0 ? "" : " ");
    plain_put(writer, field->key);
    writer_put_text(writer, "=");
    if (!field->quoted && value_is_bare(field->value)) {
        writer_put(writer, field->value);
        return;
    }
    writer_put_text(writer, "\"");
    if (field->quoted) {
        quoted_put(writer, field->value);
    } else {
        plain_put(writer, field->value);
    }
    writer_put_text(writer, "\"");
}

/* Whole or not at all. */
static void field_put(const struct log *log, struct writer *writer, const struct field *field)
{
    size_t before = writer->size;
    if (log->json) {
        json_field_put(writer, field);
    } else {
        logfmt_field_put(writer, field);
    }
    if (writer->full) {
        writer->size = before;
    }
}

static void head_put(const struct log *log, struct writer *writer, enum log_level level,
                     const char *message)
{
    char time[TIME_TEXT_BYTES] = { 0 };
    time_format(log->clock->wall_ms(log->clock->context), time);
    char quoted[MESSAGE_BYTES] = { 0 };
    (void)log_quote(message, quoted, sizeof quoted);
    const struct field head[] = {
        { .key = span_of_text("time"), .value = span_of_text(time) },
        { .key = span_of_text("level"), .value = span_of_text(level_names[level]) },
        { .key = span_of_text("service"), .value = span_of_text(log->service) },
        { .key = span_of_text("message"),
          .value = span_of(quoted + 1, strlen(quoted) - 2),
          .quoted = true },
    };
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
        field_put(log, writer, &head[i]);
    }
}

/* `cut`: the text did not fit its buffer, so its last field may be half of one. */
static void fields_put(const struct log *log, struct writer *writer, struct span text, bool cut)
{
    struct field field = { .quoted = false };
    while (!writer->full && field_take(&text, &field)) {
        if (cut && text.size == 0) {
            writer->full = true;
            return;
        }
        field_put(log, writer, &field);
    }
}

static void line_end(const struct log *log, struct writer *writer)
{
    const char *end = log->json ? json_end : logfmt_end;
    const char *end_truncated = log->json ? json_end_truncated : logfmt_end_truncated;
    struct span chosen = span_of_text(writer->full ? end_truncated : end);
    assert(chosen.size <= END_BYTES);
    memcpy(writer->text + writer->size, chosen.data, chosen.size);
    writer->size += chosen.size;
}

static void line_write(const struct log *log, const struct writer *writer)
{
    ssize_t written = 0;
    do {
        written = write(log->descriptor, writer->text, writer->size);
    } while (written < 0 && errno == EINTR);
}

/* ---- public */

void log_init(struct log *log, const struct clock *clock, int descriptor, const char *name)
{
    *log = (struct log){ .clock = clock,
                         .descriptor = descriptor,
                         .json = isatty(descriptor) == 0,
                         .least = LOG_LEVEL_INFO };
    (void)snprintf(log->service, sizeof log->service, "%s", name);
}

bool log_level_parse(const char *text, enum log_level *level)
{
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_line(const struct log *log, enum log_level level, const char *message, const char *fields,
              ...)
{
    if (level < log->least) {
        return;
    }
    int error = errno; /* whoever logs a failure goes on to ask what it was */
    char text[FIELDS_BYTES] = { 0 };
    int length = 0;
    if (fields != NULL) {
        va_list arguments;
        va_start(arguments, fields);
        length = vsnprintf(text, sizeof text, fields, arguments);
        va_end(arguments);
    }
    char line[LOG_LINE_BYTES] = { 0 };
    struct writer writer = { .text = line, .limit = sizeof line - END_BYTES };
    head_put(log, &writer, level, message);
    fields_put(log, &writer, span_of_text(text), length >= (int)sizeof text);
    line_end(log, &writer);
    line_write(log, &writer);
    errno = error;
}

const char *log_quote(const char *text, char *out, size_t size)
{
    assert(size >= 3);
    /* Room for the closing quote and the zero. */
    struct writer writer = { .text = out, .limit = size - 2 };
    writer_put_text(&writer, "\"");
    for (struct span rest = span_of_text(text); rest.size > 0 && !writer.full;) {
        rest = span_skip(rest, character_put(&writer, rest));
    }
    memcpy(out + writer.size, "\"", 2);
    return out;
}

bool log_throttle_pass(struct log_throttle *throttle, int64_t now_ms, uint64_t *suppressed)
{
    if (now_ms < throttle->next_ms) {
        throttle->suppressed++;
        return false;
    }
    *suppressed = throttle->suppressed;
    throttle->suppressed = 0;
    throttle->next_ms = now_ms + THROTTLE_MS;
    return true;
}
