#include "common/rules/campaigns.h"

#include "common/base/id.h"

#include <assert.h>
#include <string.h>

#define NAME_OF_CUSTOMER "customer"
/* RFC 5321, 4.5.3.1.3: a path has at most 256 octets, two of them < and >. */
#define MAIL_ADDRESS_BYTES_MAX 254

/* ---- finding */

const struct campaign_rule *campaigns_find(const struct campaigns *campaigns, struct span name)
{
    for (size_t i = 0; i < campaigns->campaign_count; i++) {
        if (span_equal(span_of_text(campaigns->campaigns[i].name), name)) {
            return &campaigns->campaigns[i];
        }
    }
    return NULL;
}

size_t campaigns_channel_find(const struct campaigns *campaigns, struct span name)
{
    size_t index = 0;
    while (index < campaigns->channel_count &&
           !span_equal(span_of_text(campaigns->channels[index].name), name)) {
        index += 1;
    }
    return index;
}

struct hash128 campaign_channel_identity(const struct campaign_channel *channel)
{
    const uint8_t kind = (uint8_t)channel->kind;
    const struct span parts[] = { span_of(&kind, sizeof kind), span_of_text(channel->folder) };
    return hash128_of(span_of(NULL, 0), parts, sizeof parts / sizeof parts[0]);
}

/* ---- addresses */

static bool mail_byte_is_valid(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && strchr("\"(),:;<>@[\\]", byte) == NULL;
}

/* At least one byte, all of them plain. */
static bool mail_part_is_valid(struct span part)
{
    for (size_t i = 0; i < part.size; i++) {
        if (!mail_byte_is_valid(part.data[i])) {
            return false;
        }
    }
    return part.size > 0;
}

bool campaign_mail_address_is_valid(struct span address)
{
    if (address.size == 0 || address.size > MAIL_ADDRESS_BYTES_MAX) {
        return false;
    }
    const uint8_t *sign = memchr(address.data, '@', address.size);
    if (sign == NULL) {
        return false;
    }
    size_t local_size = (size_t)(sign - address.data);
    struct span domain = span_of(sign + 1, address.size - local_size - 1);
    return mail_part_is_valid(span_of(address.data, local_size)) && mail_part_is_valid(domain);
}

/* ---- templates */

enum part_kind { PART_TEXT, PART_NAME, PART_END, PART_FAULT };

/* What a template consists of, from its front. */
struct part {
    enum part_kind kind;
    struct span text; /* as it is, or the name */
};

/* The part at *at, and *at behind it; at a fault *at stays. */
static struct part part_next(const char **at)
{
    const char *begin = *at;
    if (begin[0] == '\0') {
        return (struct part){ .kind = PART_END };
    }
    size_t plain = strcspn(begin, "{}");
    if (plain > 0) {
        *at = begin + plain;
        return (struct part){ PART_TEXT, span_of(begin, plain) };
    }
    if (begin[1] == begin[0]) {
        *at = begin + 2;
        return (struct part){ PART_TEXT, span_of(begin, 1) };
    }
    struct span name = span_of(begin + 1, strcspn(begin + 1, "{}"));
    if (begin[0] == '}' || begin[1 + name.size] != '}' || !type_text_is_valid(name)) {
        return (struct part){ .kind = PART_FAULT };
    }
    *at = begin + name.size + 2;
    return (struct part){ PART_NAME, name };
}

enum status campaign_template_check(const char *text, size_t *at)
{
    const char *next = text;
    struct part part = part_next(&next);
    while (part.kind != PART_END && part.kind != PART_FAULT) {
        part = part_next(&next);
    }
    if (part.kind == PART_FAULT) {
        *at = (size_t)(next - text);
        return STATUS_MALFORMED;
    }
    return STATUS_OK;
}

enum status campaign_template_fill(const char *text, const struct campaign_values *values,
                                   struct buffer *out, struct span *missing)
{
    const char *next = text;
    for (struct part part = part_next(&next); part.kind != PART_END; part = part_next(&next)) {
        assert(part.kind != PART_FAULT);
        struct span value = part.text;
        if (part.kind == PART_NAME && !values->value(values->context, part.text, &value)) {
            *missing = part.text;
            return STATUS_NOT_FOUND;
        }
        enum status status = buffer_append(out, value);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* ---- needs */

/* Attributes, each once; `count` goes one past the bound, and no further. */
struct needs {
    struct span *names;
    size_t count;
};

static void needs_add(struct needs *needs, struct span name)
{
    size_t kept = needs->count < CAMPAIGNS_NEEDS_MAX ? needs->count : CAMPAIGNS_NEEDS_MAX;
    for (size_t i = 0; i < kept; i++) {
        if (span_equal(needs->names[i], name)) {
            return;
        }
    }
    if (kept < CAMPAIGNS_NEEDS_MAX) {
        needs->names[kept] = name;
    }
    needs->count = kept + 1;
}

static void needs_add_template(struct needs *needs, const char *text)
{
    const char *next = text;
    for (struct part part = part_next(&next); part.kind != PART_END; part = part_next(&next)) {
        assert(part.kind != PART_FAULT);
        if (part.kind == PART_NAME && !span_equal(part.text, span_of_text(NAME_OF_CUSTOMER))) {
            needs_add(needs, part.text);
        }
    }
}

size_t campaigns_needs(const struct campaigns *campaigns, struct span segment,
                       struct span needs[CAMPAIGNS_NEEDS_MAX])
{
    struct needs found = { .names = needs };
    for (size_t i = 0; i < campaigns->campaign_count; i++) {
        const struct campaign_rule *campaign = &campaigns->campaigns[i];
        if (!span_equal(span_of_text(campaign->segment), segment)) {
            continue;
        }
        assert(campaign->channel < campaigns->channel_count);
        const char *address = campaigns->channels[campaign->channel].address;
        if (address[0] != '\0') {
            needs_add(&found, span_of_text(address));
        }
        needs_add_template(&found, campaign->subject);
        needs_add_template(&found, campaign->text);
    }
    return found.count;
}
