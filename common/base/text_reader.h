/*
 * A text that is read from its front, byte by byte: what our small parsers share.
 */
#ifndef KITH_BASE_TEXT_READER_H
#define KITH_BASE_TEXT_READER_H

#include "common/base/bytes.h"

/* The rest of the text; it must outlive the reader. */
struct text_reader {
    const uint8_t *next;
    const uint8_t *end;
};

struct text_reader text_reader_of(struct span text);
bool text_reader_at_end(const struct text_reader *reader);
/* Does a byte from `first` to `last` come next? */
bool text_reader_at(const struct text_reader *reader, char first, char last);
bool text_reader_at_digit(const struct text_reader *reader);
/* Steps over `wanted` if that comes next; otherwise false, and the reader stays. */
bool text_reader_take(struct text_reader *reader, char wanted);
/* The value of the digit that comes next, which must be one, and steps over it. */
int text_reader_take_digit(struct text_reader *reader);

#endif
