#include "common/config/yaml_fault.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Of a message's 256 bytes the file's name may take this many; the rest is the sentence. */
#define FILE_SHOWN_BYTES 100

static bool continues_character(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

static const char *file_tail(const char *file)
{
    size_t size = strlen(file);
    if (size <= FILE_SHOWN_BYTES) {
        return file;
    }
    const char *tail = file + size - FILE_SHOWN_BYTES;
    while (continues_character(*tail)) {
        tail++;
    }
    return tail;
}

enum status yaml_fault(struct refusal *refusal, struct yaml_place place, const char *format, ...)
{
    char sentence[sizeof refusal->message] = { 0 };
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    const char *tail = file_tail(place.file);
    return refusal_set(refusal, STATUS_MALFORMED, "%s%s:%u: %s", tail == place.file ? "" : "...",
                       tail, place.line, sentence);
}

const char *yaml_text_show(const char *text, char out[YAML_SHOWN_BYTES])
{
    static const char more[] = "...";
    size_t size = strlen(text);
    bool whole = size < YAML_SHOWN_BYTES;
    if (!whole) {
        size = YAML_SHOWN_BYTES - sizeof more;
        while (size > 0 && continues_character(text[size])) {
            size--;
        }
    }
    for (size_t i = 0; i < size; i++) {
        char byte = text[i];
        if (byte == '\n' || byte == '\t') {
            byte = ' ';
        }
        out[i] = byte;
    }
    memcpy(out + size, whole ? "" : more, whole ? 1 : sizeof more);
    return out;
}
