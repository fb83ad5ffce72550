#include "common/base/text_reader.h"

#include <assert.h>

struct text_reader text_reader_of(struct span text)
{
    if (text.size == 0) {
        return (struct text_reader){ .next = NULL, .end = NULL };
    }
    return (struct text_reader){ .next = text.data, .end = text.data + text.size };
}

bool text_reader_at_end(const struct text_reader *reader)
{
    return reader->next == reader->end;
}

bool text_reader_at(const struct text_reader *reader, char first, char last)
{
    return !text_reader_at_end(reader) && *reader->next >= (uint8_t)first &&
           *reader->next <= (uint8_t)last;
}

bool text_reader_at_digit(const struct text_reader *reader)
{
    return text_reader_at(reader, '0', '9');
}

bool text_reader_take(struct text_reader *reader, char wanted)
{
    if (!text_reader_at(reader, wanted, wanted)) {
        return false;
    }
    reader->next++;
    return true;
}

int text_reader_take_digit(struct text_reader *reader)
{
    assert(text_reader_at_digit(reader));
    return *reader->next++ - '0';
}
