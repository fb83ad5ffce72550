#include "common/wire/rules_fact.h"

#include "common/base/limits.h"
#include "common/wire/message.h"
#include "kith/v1/block.pb-c.h"

#include <assert.h>
#include <string.h>

/* The number of the field `text` in RulesChanged. */
#define FIELD_TEXT 5

void rules_fact_encode(const struct rules_fact *changed, const char *name, struct buffer *out)
{
    char copy[LIMIT_ID_BYTES + 1];
    size_t size = strlen(name);
    assert(size < sizeof copy);
    memcpy(copy, name, size + 1);
    Kith__V1__RulesChanged message = KITH__V1__RULES_CHANGED__INIT;
    message.name = copy;
    message.has_rules_version = true;
    message.rules_version = changed->version;
    message.has_text_hash = true;
    message.text_hash = pb_bytes(span_of(changed->hash.bytes, sizeof changed->hash.bytes));
    message.has_compiled = true;
    message.compiled = pb_bytes(changed->compiled);
    message_append(&message.base, out);
    /* The last field, written by hand: no copy of a long text only to end it with a NUL. */
    enum status status = pb_field_begin(out, FIELD_TEXT, changed->text.size);
    assert(status == STATUS_OK);
    status = buffer_append(out, changed->text);
    assert(status == STATUS_OK);
}

enum status rules_fact_decode(struct span body, const char *name, struct arena *arena,
                              struct rules_fact *changed)
{
    const Kith__V1__RulesChanged *message =
        pb_unpack(&kith__v1__rules_changed__descriptor, arena, body);
    if (message == NULL || message->rules_version == 0 ||
        !span_equal(pb_text(message->name), span_of_text(name))) {
        return STATUS_CORRUPT;
    }
    struct span compiled = pb_span(message->compiled);
    struct hash128 hash = hash128_of_span(compiled);
    if (!span_equal(pb_span(message->text_hash), span_of(hash.bytes, sizeof hash.bytes))) {
        return STATUS_CORRUPT;
    }
    *changed = (struct rules_fact){
        .version = message->rules_version,
        .hash = hash,
        .compiled = compiled,
        .text = pb_text(message->text),
    };
    return STATUS_OK;
}
