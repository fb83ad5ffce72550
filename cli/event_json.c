#include "cli/event_json.h"

#include "cli/output.h"

#include <assert.h>

json_t *money_json(const struct money *money)
{
    json_t *object = json_object();
    output_put(object, "minor", json_integer(money->minor));
    output_put(object, "currency", output_text_or_null(money->currency));
    return object;
}

json_t *attribute_json(const struct attribute *attribute)
{
    switch (attribute->kind) {
    case ATTRIBUTE_TEXT:
        return output_text(attribute->text);
    case ATTRIBUTE_INTEGER:
        return json_integer(attribute->integer);
    case ATTRIBUTE_FLAG:
        return json_boolean(attribute->integer != 0);
    case ATTRIBUTE_AT:
        return output_time(attribute->integer);
    case ATTRIBUTE_MONEY:
        return money_json(&attribute->money);
    }
    assert(false);
    return json_null();
}
