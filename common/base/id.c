#include "common/base/id.h"

#include "common/base/hash.h"
#include "common/base/limits.h"

#include <assert.h>
#include <string.h>

static_assert(PARTITION_COUNT == 1 << 10, "a partition is the first 10 bits of an id");

struct customer_id customer_id_of(struct span suite_key, const char *kind, struct span text)
{
    assert(suite_key.size == 32);
    struct span parts[] = { span_of_text(kind), text };
    struct hash128 hash = hash128_of(suite_key, parts, sizeof parts / sizeof parts[0]);
    struct customer_id id = { { 0 } };
    static_assert(sizeof id.bytes == sizeof hash.bytes, "an id is a whole hash");
    memcpy(id.bytes, hash.bytes, sizeof id.bytes);
    return id;
}

uint16_t customer_partition(struct customer_id id)
{
    return (uint16_t)(be16_get(id.bytes) >> 6);
}

/* What the first byte of a character says about it. */
struct utf8_form {
    size_t size;    /* bytes of the character; 0: nothing begins with this byte */
    uint32_t bits;  /* what the first byte adds to the code point */
    uint32_t least; /* a smaller code point has a shorter form */
};

static struct utf8_form utf8_form_of(uint8_t first)
{
    if (first < 0x80) {
        return (struct utf8_form){ .size = 1, .bits = first, .least = 0 };
    }
    if ((first & 0xe0) == 0xc0) {
        return (struct utf8_form){ .size = 2, .bits = first & 0x1f, .least = 0x80 };
    }
    if ((first & 0xf0) == 0xe0) {
        return (struct utf8_form){ .size = 3, .bits = first & 0x0f, .least = 0x800 };
    }
    if ((first & 0xf8) == 0xf0) {
        return (struct utf8_form){ .size = 4, .bits = first & 0x07, .least = 0x10000 };
    }
    return (struct utf8_form){ .size = 0 };
}

/* The size of the character that `text` begins with; 0: none that may stand in clean text. */
static size_t clean_character_size(struct span text)
{
    if (text.data[0] >= 0x20 && text.data[0] < 0x7f) {
        return 1;
    }
    struct utf8_form form = utf8_form_of(text.data[0]);
    if (form.size == 0 || form.size > text.size) {
        return 0;
    }
    uint32_t code = form.bits;
    for (size_t i = 1; i < form.size; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = (code << 6) | (text.data[i] & 0x3f);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    if (code < form.least || code > 0x10ffff || is_surrogate || is_control) {
        return 0;
    }
    return form.size;
}

/* One of each byte of a word. */
#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Eight characters of ASCII, and none a control. Where no byte is past 0x7f no sum has a carry. */
static bool word_is_plain(uint64_t word)
{
    uint64_t is_high = word;
    uint64_t is_delete = word + EACH_BYTE;
    uint64_t is_no_control = word + EACH_BYTE * 0x60;
    return ((is_high | is_delete | ~is_no_control) & (EACH_BYTE * 0x80)) == 0;
}

/* Takes off what nearly all texts are, eight bytes at a time; the last may be looked at twice. */
static struct span plain_words_pass(struct span text)
{
    uint64_t word = 0;
    while (text.size >= sizeof word) {
        memcpy(&word, text.data, sizeof word);
        if (!word_is_plain(word)) {
            return text;
        }
        size_t rest = text.size - sizeof word;
        size_t step = rest == 0 || rest >= sizeof word ? sizeof word : rest;
        text = span_of(text.data + step, text.size - step);
    }
    return text;
}

bool text_is_clean(struct span text)
{
    text = plain_words_pass(text);
    while (text.size > 0) {
        size_t size = clean_character_size(text);
        if (size == 0) {
            return false;
        }
        text = span_of(text.data + size, text.size - size);
    }
    return true;
}

static bool id_size_is_valid(struct span text)
{
    return text.size >= 1 && text.size <= LIMIT_ID_BYTES;
}

bool id_text_is_valid(struct span text)
{
    return id_size_is_valid(text) && text_is_clean(text);
}

static bool type_byte_is_valid(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_' ||
           byte == '.';
}

bool type_text_is_valid(struct span text)
{
    if (!id_size_is_valid(text)) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (!type_byte_is_valid(text.data[i])) {
            return false;
        }
    }
    return true;
}
