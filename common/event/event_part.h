/*
 * What Event and EventAccepted have in common: reading by a list of fields, money and
 * attributes, in both directions.
 */
#ifndef KITH_EVENT_EVENT_PART_H
#define KITH_EVENT_EVENT_PART_H

#include "common/base/arena.h"
#include "common/base/field.h"
#include "common/event/event_check.h"

/* What fields a message has: the place in the list is the number. */
struct shape_field {
    const char *name;
    enum field_kind kind;
    bool repeated;
};
struct shape {
    const struct shape_field *fields;
    uint32_t count; /* numbers run from 1 to count - 1 */
};

#define SHAPE_OF(array)                                                                            \
    {                                                                                              \
        (array), sizeof(array) / sizeof(array)[0]                                                  \
    }

/* One message as it is being read. */
struct reading {
    const struct shape *shape;
    struct event_faults *faults;
    struct span rest;
    uint32_t seen; /* bit n: field n was there */
};

/* The next field of the shape. What does not fit is a fault and left out. */
bool reading_next(struct reading *reading, struct field *field);
/* Whether the field of this number was read. */
static inline bool reading_saw(const struct reading *reading, uint32_t number)
{
    return (reading->seen >> number & 1U) != 0;
}

/* `part` stands in faults: "amount.". */
void money_decode(struct span bytes, const char *part, struct event_faults *faults,
                  struct money *money);
uint32_t schema_version_decode(uint64_t value, struct event_faults *faults);

/* The attributes of a message while they are read. Begin with an arena and zeroes. */
struct attribute_list {
    struct arena *arena;
    struct attribute *attributes;
    size_t count;
    size_t room; /* more than LIMIT_ATTRIBUTES are counted only */
};

/* Decodes one more. The first makes room for all that the rest of the message can hold.
 * STATUS_LIMIT: the arena is too small. */
MUST_USE enum status attributes_add(struct attribute_list *list, const struct reading *reading,
                                    struct span bytes);

/* Writes nothing for an empty text: absent and empty say the same. */
void text_write(struct field_writer *writer, uint32_t number, struct span text);
void money_put(struct field_writer *writer, uint32_t number, const struct money *money);
/* The fields of an Attribute; attribute_put() writes it as a field of its owner. */
void attribute_write(struct field_writer *writer, const struct attribute *attribute);
void attribute_put(struct field_writer *writer, uint32_t number, const struct attribute *attribute);

#endif
