#include "cli/row_event.h"

#include "common/base/id.h"
#include "common/base/money.h"
#include "common/base/time_text.h"
#include "common/event/event_codec.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* An id that is longer is refused anyway. */
#define ID_BYTES (LIMIT_ID_BYTES + 1)
#define UNIX_S_MOST (LIMIT_TIME_MOST_MS / 1000)

struct row_mapper {
    const struct map *map;
    const struct zone *zone;
    /* Days of a file repeat, and a zone's rules cost more than all the rest of a row. */
    bool has_day;
    int64_t day;
    int64_t day_start_ms;
    struct attribute attributes[LIMIT_ATTRIBUTES];
    char id[ID_BYTES];
    size_t id_size;
    struct buffer encoded;
    struct refusal refusal;
    char reason[LIMIT_TEXT_BYTES];
};

/* A row on its way. */
struct making {
    struct row_mapper *mapper;
    const struct row *row;
    struct event event;
    bool is_faulty;
};

/* ---- faults: the first is told */

static void fault(struct making *making, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void fault(struct making *making, const char *format, ...)
{
    if (making->is_faulty) {
        return;
    }
    making->is_faulty = true;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(making->mapper->reason, sizeof making->mapper->reason, format, arguments);
    va_end(arguments);
}

static const char *column_name(const struct making *making, size_t column)
{
    return making->mapper->map->columns[column];
}

/* The text of a column; empty when the row has nothing there. */
static struct span cell_text(const struct making *making, size_t column)
{
    const struct row_cell *cell = &making->row->cells[column];
    return cell->is_there ? cell->text : span_of(NULL, 0);
}

/* ---- times */

static enum status digits_parse(struct span text, int64_t most, int64_t *value)
{
    int64_t parsed = 0;
    enum status status = integer_parse(text, &parsed);
    if (status != STATUS_OK || parsed > most || parsed < -most) {
        return STATUS_MALFORMED;
    }
    *value = parsed;
    return STATUS_OK;
}

static bool all_digits(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.size > 0;
}

static int number_at(struct span text, size_t at, size_t size)
{
    int number = 0;
    for (size_t i = at; i < at + size; i++) {
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}

static enum status plain_day_parse(struct span text, int64_t *day)
{
    if (text.size != 8 || !all_digits(text)) {
        return STATUS_MALFORMED;
    }
    int year = number_at(text, 0, 4);
    int month = number_at(text, 4, 2);
    int month_day = number_at(text, 6, 2);
    if (year < 1 || !date_is_valid(year, month, month_day)) {
        return STATUS_MALFORMED;
    }
    *day = days_from_civil(year, month, month_day);
    return STATUS_OK;
}

/* What `auto` takes a text for. */
static enum map_time time_guess(struct span text)
{
    if (all_digits(text)) {
        return text.size == 8 ? MAP_TIME_YYYYMMDD
                              : (text.size <= 10 ? MAP_TIME_UNIX_S : MAP_TIME_UNIX_MS);
    }
    return text.size == 10 ? MAP_TIME_YYYY_MM_DD : MAP_TIME_RFC3339;
}

/* A day alone, or an instant. */
struct moment {
    bool is_day;
    int64_t value; /* days or milliseconds since 1970 */
};

static enum status moment_parse(struct span text, enum map_time format, struct moment *moment)
{
    struct moment parsed = { .is_day = false };
    enum status status = STATUS_MALFORMED;
    switch (format == MAP_TIME_AUTO ? time_guess(text) : format) {
    case MAP_TIME_AUTO:
        break; /* a guess is never this */
    case MAP_TIME_YYYYMMDD:
        parsed.is_day = true;
        status = plain_day_parse(text, &parsed.value);
        break;
    case MAP_TIME_YYYY_MM_DD:
        parsed.is_day = true;
        status = date_parse(text, &parsed.value);
        break;
    case MAP_TIME_RFC3339:
        status = time_parse(text, &parsed.value);
        break;
    case MAP_TIME_UNIX_S:
        status = digits_parse(text, UNIX_S_MOST, &parsed.value);
        parsed.value *= 1000;
        break;
    case MAP_TIME_UNIX_MS:
        status = digits_parse(text, LIMIT_TIME_MOST_MS, &parsed.value);
        break;
    }
    if (status == STATUS_OK) {
        *moment = parsed;
    }
    return status == STATUS_OK ? STATUS_OK : STATUS_MALFORMED;
}

enum status row_time_parse(struct span text, enum map_time format, const struct zone *zone,
                           int64_t *at_ms)
{
    struct moment moment = { .is_day = false };
    enum status status = moment_parse(text, format, &moment);
    if (status == STATUS_OK) {
        *at_ms = moment.is_day ? zone_day_start_ms(zone, moment.value) : moment.value;
    }
    return status;
}

static bool mapper_time(struct row_mapper *mapper, struct span text, enum map_time format,
                        int64_t *at_ms)
{
    struct moment moment = { .is_day = false };
    if (moment_parse(text, format, &moment) != STATUS_OK) {
        return false;
    }
    if (!moment.is_day) {
        *at_ms = moment.value;
        return true;
    }
    if (!mapper->has_day || mapper->day != moment.value) {
        mapper->has_day = true;
        mapper->day = moment.value;
        mapper->day_start_ms = zone_day_start_ms(mapper->zone, moment.value);
    }
    *at_ms = mapper->day_start_ms;
    return true;
}

static const char *time_rule(enum map_time format)
{
    switch (format) {
    case MAP_TIME_AUTO:
        return "no time that can be told; name its format in the map";
    case MAP_TIME_YYYYMMDD:
        return "no day such as 19980630";
    case MAP_TIME_YYYY_MM_DD:
        return "no day such as 1998-06-30";
    case MAP_TIME_RFC3339:
        return "no time such as 1998-06-30T12:00:00Z";
    case MAP_TIME_UNIX_S:
        return "no number of seconds since 1970";
    case MAP_TIME_UNIX_MS:
        return "no number of milliseconds since 1970";
    }
    assert(false);
    return "";
}

static void time_make(struct making *making)
{
    const struct map *map = making->mapper->map;
    struct span text = cell_text(making, map->time_column);
    const char *name = column_name(making, map->time_column);
    if (text.size == 0) {
        fault(making, "occurred_at: column %s is empty", name);
        return;
    }
    if (!mapper_time(making->mapper, text, map->time, &making->event.occurred_at_ms)) {
        fault(making, "occurred_at: column %s is %s", name, time_rule(map->time));
    }
}

/* ---- id, type and customer */

static bool id_append(struct row_mapper *mapper, struct span text)
{
    if (text.size > sizeof mapper->id - mapper->id_size) {
        return false;
    }
    if (text.size > 0) {
        memcpy(mapper->id + mapper->id_size, text.data, text.size);
    }
    mapper->id_size += text.size;
    return true;
}

/* Of several columns each ':' and '\' in a text gets a '\' before it, so that ("a:b", "c")
 * and ("a", "b:c") stay two ids. */
static bool id_part_append(struct row_mapper *mapper, struct span text)
{
    if (mapper->map->id_column_count == 1) {
        return id_append(mapper, text);
    }
    bool fits = true;
    for (size_t i = 0; i < text.size && fits; i++) {
        bool is_special = text.data[i] == ':' || text.data[i] == '\\';
        fits = (!is_special || id_append(mapper, span_of("\\", 1))) &&
               id_append(mapper, span_of(text.data + i, 1));
    }
    return fits;
}

static void id_from_columns(struct making *making)
{
    struct row_mapper *mapper = making->mapper;
    const struct map *map = mapper->map;
    bool fits = id_append(mapper, span_of_text(map->id_prefix));
    for (size_t i = 0; i < map->id_column_count; i++) {
        struct span text = cell_text(making, map->id_columns[i]);
        if (text.size == 0) {
            fault(making, "id: column %s is empty", column_name(making, map->id_columns[i]));
            mapper->id_size = 0;
            return;
        }
        fits =
            fits && (i == 0 || id_append(mapper, span_of(":", 1))) && id_part_append(mapper, text);
    }
    if (!fits || mapper->id_size > LIMIT_ID_BYTES) {
        fault(making, "id: is longer than 64 bytes; name fewer columns in the map");
        mapper->id_size = 0;
    } else if (!id_text_is_valid(span_of(mapper->id, mapper->id_size))) {
        fault(making, "id: is no clean text");
        mapper->id_size = 0;
    }
}

static void id_from_row(struct row_mapper *mapper, const struct row *row,
                        const struct row_origin *origin)
{
    if (origin->kept_id.size > 0) {
        bool fits = id_append(mapper, origin->kept_id);
        assert(fits);
        return;
    }
    int size = snprintf(mapper->id, sizeof mapper->id, "%s:%" PRIu64, origin->digest, row->number);
    assert(size > 0 && (size_t)size < sizeof mapper->id);
    mapper->id_size = (size_t)size;
}

/* A row that is cut and has no id of its own is told from others by all of its bytes. */
static void id_from_whole(struct row_mapper *mapper, const struct row *row)
{
    static const char prefix[] = "row:";
    memcpy(mapper->id, prefix, sizeof prefix - 1);
    hex_encode(span_of(row->whole.bytes, sizeof row->whole.bytes), mapper->id + sizeof prefix - 1);
    mapper->id_size = sizeof prefix - 1 + 2 * sizeof row->whole.bytes;
}

static void id_make(struct making *making, const struct row_origin *origin)
{
    struct row_mapper *mapper = making->mapper;
    mapper->id_size = 0;
    if (mapper->map->id_is_row) {
        id_from_row(mapper, making->row, origin);
    } else if (making->row->is_cut) {
        id_from_whole(mapper, making->row);
    } else if (making->row->fault == NULL) {
        id_from_columns(making);
    }
    making->event.id = span_of(mapper->id, mapper->id_size);
}

static void type_make(struct making *making)
{
    const struct map *map = making->mapper->map;
    if (map->type_column == MAP_NO_COLUMN) {
        making->event.type = span_of_text(map->type.text);
        return;
    }
    struct span text = cell_text(making, map->type_column);
    const char *name = column_name(making, map->type_column);
    if (text.size == 0) {
        fault(making, "type: column %s is empty", name);
        return;
    }
    if (map->value_count == 0) {
        making->event.type = text;
        return;
    }
    for (size_t i = 0; i < map->value_count; i++) {
        if (span_equal(span_of_text(map->values[i].value), text)) {
            making->event.type = span_of_text(map->values[i].type.text);
            return;
        }
    }
    fault(making, "type: column %s holds none of the map's values", name);
}

static void customer_make(struct making *making)
{
    size_t column = making->mapper->map->customer_column;
    making->event.customer = cell_text(making, column);
    if (making->event.customer.size == 0) {
        fault(making, "customer: column %s is empty", column_name(making, column));
    }
}

/* ---- money */

/* False: nothing stands there, or a fault was told. */
static bool money_make(struct making *making, const char *what, const struct map_money *from,
                       struct money *money)
{
    struct span text = cell_text(making, from->column);
    if (text.size == 0) {
        return false;
    }
    struct money made = { .minor = 0 };
    if (decimal_parse(text, from->digits, &made.minor) != STATUS_OK) {
        fault(making,
              "%s: column %s is no amount of at most 10^15 with at most %u digits behind "
              "the point",
              what, column_name(making, from->column), from->digits);
        return false;
    }
    memcpy(made.currency, from->currency, sizeof made.currency);
    if (from->currency_column != MAP_NO_COLUMN) {
        struct span currency = cell_text(making, from->currency_column);
        if (currency.size != 3) {
            fault(making, "%s: column %s is no currency of three capital letters", what,
                  column_name(making, from->currency_column));
            return false;
        }
        memcpy(made.currency, currency.data, currency.size);
    }
    *money = made;
    return true;
}

static bool type_has_amount(const struct map *map, struct span type)
{
    for (size_t i = 0; i < map->amount_type_count; i++) {
        if (span_equal(span_of_text(map->amount_types[i].text), type)) {
            return true;
        }
    }
    return map->amount_type_count == 0;
}

static void amount_make(struct making *making)
{
    const struct map *map = making->mapper->map;
    if (map->has_amount && type_has_amount(map, making->event.type)) {
        making->event.has_amount =
            money_make(making, "amount", &map->amount, &making->event.amount);
    }
}

/* ---- attributes */

enum status row_flag_parse(struct span text, int64_t *flag)
{
    static const char *const texts[] = { "false", "true", "0", "1", "no", "yes" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (text.size == strlen(texts[i]) &&
            strncasecmp((const char *)text.data, texts[i], text.size) == 0) {
            *flag = (int64_t)(i % 2);
            return STATUS_OK;
        }
    }
    return STATUS_MALFORMED;
}

/* Fills the value of an attribute from a text that is there. False: a fault was told. */
static bool attribute_value_make(struct making *making, const struct map_attribute *from,
                                 struct span text, struct attribute *attribute)
{
    const char *name = column_name(making, from->column);
    switch (from->kind) {
    case ATTRIBUTE_TEXT:
        attribute->text = text;
        return true;
    case ATTRIBUTE_INTEGER:
        if (integer_parse(text, &attribute->integer) != STATUS_OK) {
            fault(making, "attribute %s: column %s is no whole number", from->name, name);
        }
        return !making->is_faulty;
    case ATTRIBUTE_FLAG:
        if (row_flag_parse(text, &attribute->integer) != STATUS_OK) {
            fault(making, "attribute %s: column %s is none of true, false, yes, no, 1 and 0",
                  from->name, name);
        }
        return !making->is_faulty;
    case ATTRIBUTE_AT:
        if (!mapper_time(making->mapper, text, from->time, &attribute->integer)) {
            fault(making, "attribute %s: column %s is %s", from->name, name, time_rule(from->time));
        }
        return !making->is_faulty;
    case ATTRIBUTE_MONEY:
        return money_make(making, from->name, &from->money, &attribute->money);
    }
    assert(false);
    return false;
}

static void attributes_make(struct making *making)
{
    const struct map *map = making->mapper->map;
    struct attribute *attributes = making->mapper->attributes;
    size_t count = 0;
    for (size_t i = 0; i < map->attribute_count && !making->is_faulty; i++) {
        const struct map_attribute *from = &map->attributes[i];
        struct span text = cell_text(making, from->column);
        struct attribute attribute = { .name = span_of_text(from->name),
                                       .kind = from->kind,
                                       .personal = from->personal };
        /* An empty cell says nothing: the event does not have the attribute. */
        if (text.size > 0 && attribute_value_make(making, from, text, &attribute)) {
            attributes[count++] = attribute;
        }
    }
    making->event.attributes = attributes;
    making->event.attribute_count = count;
}

/* ---- the whole */

static void event_make(struct making *making)
{
    struct row_mapper *mapper = making->mapper;
    making->event.source = span_of_text(mapper->map->source);
    making->event.schema_version = 1;
    type_make(making);
    customer_make(making);
    time_make(making);
    amount_make(making);
    attributes_make(making);
    if (!making->is_faulty && event_validate(&making->event, &mapper->refusal) != STATUS_OK) {
        fault(making, "%s", mapper->refusal.message);
    }
    if (!making->is_faulty && event_encode(&making->event, &mapper->encoded) != STATUS_OK) {
        fault(making, "the event is longer than 16384 bytes; map fewer columns");
    }
}

void row_mapper_open(struct row_mapper **mapper, const struct map *map, const struct zone *zone)
{
    assert(*mapper == NULL);
    struct row_mapper *opened = memory_allocate(sizeof *opened);
    opened->map = map;
    opened->zone = zone;
    buffer_init(&opened->encoded, LIMIT_EVENT_BYTES);
    *mapper = opened;
}

void row_mapper_close(struct row_mapper **mapper)
{
    if (*mapper != NULL) {
        buffer_release(&(*mapper)->encoded);
        free(*mapper);
        *mapper = NULL;
    }
}

void row_mapper_apply(struct row_mapper *mapper, const struct row *row,
                      const struct row_origin *origin, struct row_event *made)
{
    struct making making = { .mapper = mapper, .row = row };
    buffer_clear(&mapper->encoded);
    if (row->fault != NULL) {
        fault(&making, "%s", row->fault);
    }
    id_make(&making, origin);
    if (row->fault == NULL) {
        event_make(&making);
    }
    *made = (struct row_event){ .is_event = !making.is_faulty, .id = making.event.id };
    if (making.is_faulty) {
        made->reason = span_of_text(mapper->reason);
    } else {
        made->at_ms = making.event.occurred_at_ms;
        made->encoded = buffer_span(&mapper->encoded);
    }
}
