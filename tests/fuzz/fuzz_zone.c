/* link: common_base */
/* covers: common/base/zone_table.c common/base/zone_rule.c */
/*
 * Any bytes as a zone file: a table that answers for every instant, each period behind the one
 * before, or a sentence that says why it cannot be used.
 *
 * Input: a file; or, where it does not begin like one, the parts of one: how many changes and
 * types (1 byte), the bytes of both, and the rule.
 */
#include "common/base/limits.h"
#include "common/base/zone_table.h"

#include <assert.h>
#include <string.h>

#define CHANGES_MAX 16
#define TYPES_MAX 4
#define HEADER_BYTES 44

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void table_walk(const struct zone_table *table)
{
    int64_t at_s = LIMIT_TIME_LEAST_MS / 1000;
    for (int i = 0; i < 3 * CHANGES_MAX && at_s < LIMIT_TIME_MOST_MS / 1000; i++) {
        struct zone_period period = zone_table_period(table, at_s);
        assert(period.end_s > at_s);
        at_s = period.end_s;
    }
    for (size_t i = 1; i < table->change_count; i++) {
        assert(table->change_s[i] > table->change_s[i - 1]);
    }
}

static void file_try(struct span file)
{
    struct zone_table table = { .change_count = 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = zone_table_decode(file, &table, &refusal);
    assert(status == STATUS_OK || (status == STATUS_CORRUPT && refusal.message[0] != '\0'));
    if (status == STATUS_OK) {
        table_walk(&table);
        zone_table_release(&table);
    }
}

static void put(struct buffer *file, const void *bytes, size_t size)
{
    enum status status = buffer_append(file, span_of(bytes, size));
    assert(status == STATUS_OK);
}

/* Of a part with so many changes and types. */
static void header_put(struct buffer *file, uint32_t changes, uint32_t types)
{
    uint8_t header[HEADER_BYTES] = "TZif2";
    be32_put(header + 32, changes);
    be32_put(header + 36, types);
    put(file, header, sizeof header);
}

static void made_try(struct span input)
{
    uint32_t changes = input.data[0] % (CHANGES_MAX + 1);
    uint32_t types = input.data[0] / 32 % TYPES_MAX + 1;
    size_t fixed = (size_t)changes * 9 + (size_t)types * 6;
    struct buffer file;
    if (input.size < 1 + fixed) {
        return;
    }
    buffer_init(&file, input.size + (size_t)2 * HEADER_BYTES + 2);
    header_put(&file, 0, 0);
    header_put(&file, changes, types);
    put(&file, input.data + 1, fixed);
    put(&file, "\n", 1);
    put(&file, input.data + 1 + fixed, input.size - 1 - fixed);
    put(&file, "\n", 1);
    file_try(buffer_span(&file));
    buffer_release(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 4 && memcmp(data, "TZif", 4) == 0) {
        file_try(span_of(data, size));
    } else if (size > 0) {
        made_try(span_of(data, size));
    }
    return 0;
}
