#include "clients/c/kith_text.h"

#include "clients/c/kith.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* One form of UTF-8: the first byte's range, how many follow, and the least it may stand for. */
struct form {
    uint8_t first;
    uint8_t last;
    uint8_t following;
    uint32_t least;
};

static const struct form forms[] = {
    { 0x20, 0x7E, 0, 0x20 },
    { 0xC2, 0xDF, 1, 0xA0 }, /* U+0080 to U+009F are control characters */
    { 0xE0, 0xEF, 2, 0x800 },
    { 0xF0, 0xF4, 3, 0x10000 },
};

#define FORM_COUNT (sizeof forms / sizeof forms[0])
#define CODE_POINT_MAX 0x10FFFF

static const struct form *form_of(uint8_t byte)
{
    for (size_t i = 0; i < FORM_COUNT; i++) {
        if (byte >= forms[i].first && byte <= forms[i].last) {
            return &forms[i];
        }
    }
    return NULL;
}

/* The bytes of the clean character at the beginning; 0: there is none. */
static size_t character_size(const char *text, size_t size)
{
    const struct form *form = size > 0 ? form_of((uint8_t)text[0]) : NULL;
    if (form == NULL || form->following >= size) {
        return 0;
    }
    uint32_t point = (uint8_t)text[0] & (form->following == 0 ? 0x7FU : 0x3FU >> form->following);
    for (size_t i = 1; i <= form->following; i++) {
        uint8_t byte = (uint8_t)text[i];
        if ((byte & 0xC0U) != 0x80U) {
            return 0;
        }
        point = point << 6 | (byte & 0x3FU);
    }
    bool is_surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (point < form->least || point > CODE_POINT_MAX || is_surrogate) {
        return 0;
    }
    return (size_t)form->following + 1;
}

bool kith_text_is_clean(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t step = character_size(text + at, size - at);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

bool kith_id_is_valid(const char *text)
{
    if (text == NULL) {
        return false;
    }
    size_t size = strnlen(text, KITH_ID_BYTES + 1);
    return size >= 1 && size <= KITH_ID_BYTES && kith_text_is_clean(text, size);
}

bool kith_type_is_valid(const char *text)
{
    if (text == NULL) {
        return false;
    }
    size_t size = strnlen(text, KITH_ID_BYTES + 1);
    return size >= 1 && size <= KITH_ID_BYTES &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.") == size;
}

void kith_text_clean(char *text)
{
    size_t size = strlen(text);
    size_t at = 0;
    while (at < size) {
        size_t step = character_size(text + at, size - at);
        if (step == 0) {
            text[at] = '?';
            step = 1;
        }
        at += step;
    }
}

void kith_text_take(const char *text, char *out, size_t room)
{
    (void)snprintf(out, room, "%s", text == NULL ? "" : text);
    kith_text_clean(out);
}
