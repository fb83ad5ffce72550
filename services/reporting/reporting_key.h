/*
 * The tables of reporting and their keys. Numbers are big-endian, so that the rows of one
 * split lie in the order (day, value).
 *
 *   total      1                                        sums over everything
 *   day        attribute 2 | day 8 | kind 1 | value     sums of one day and value
 *   profile    customer 16                              values in force of the attributes
 *   attribute  name 1..64                               -> number
 *   head       1                                        attributes known
 *
 * Attribute 0 is no split: all of a day. `kind` is 0 for what is without the attribute, which
 * then has no value, and 1 for what has one: so an empty text is a value of its own.
 *
 * An attribute's number is given when the configuration first names it and never again.
 */
#ifndef KITH_REPORTING_KEY_H
#define KITH_REPORTING_KEY_H

#include "common/base/id.h"
#include "common/base/limits.h"

/* For ever: files hold these numbers. */
enum reporting_table {
    REPORTING_TABLE_TOTAL = 16,
    REPORTING_TABLE_DAY = 17,
    REPORTING_TABLE_PROFILE = 18,
    REPORTING_TABLE_ATTRIBUTE = 19,
    REPORTING_TABLE_HEAD = 20,
};

/* A value of an attribute as text. Longer ones are cut before the character that would pass
 * this: one row then stands for all that begin alike. */
#define REPORTING_VALUE_BYTES 64
/* The number of no split. */
#define REPORTING_ATTRIBUTE_NONE 0

struct reporting_value {
    bool present;
    uint8_t size;
    char text[REPORTING_VALUE_BYTES];
};

struct reporting_day_key {
    uint16_t attribute;
    int64_t day; /* since 1970-01-01, UTC */
    struct reporting_value value;
};

#define REPORTING_DAY_KEY_LEAST 11
#define REPORTING_DAY_KEY_BYTES (REPORTING_DAY_KEY_LEAST + REPORTING_VALUE_BYTES)

struct reporting_day_key_bytes {
    size_t size;
    uint8_t bytes[REPORTING_DAY_KEY_BYTES];
};

/* `key->value` may be absent. */
struct reporting_day_key_bytes reporting_day_key_encode(const struct reporting_day_key *key);
/* STATUS_MALFORMED: not such a key. */
MUST_USE enum status reporting_day_key_decode(struct span bytes, struct reporting_day_key *key);

#endif
