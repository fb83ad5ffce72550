/* The rules as the journal holds them, and as people read them. */
#include "common/base/time_text.h"
#include "common/wire/message.h"
#include "common/wire/rules_fact.h"
#include "kith/v1/campaign.pb-c.h"
#include "services/campaign/campaign_codec.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

_Static_assert(CAMPAIGN_CHANNEL_FILE == (int)KITH__V1__CHANNEL_KIND__CHANNEL_FILE, "same numbers");
_Static_assert(CAMPAIGN_CHANNEL_SMTP == (int)KITH__V1__CHANNEL_KIND__CHANNEL_SMTP, "same numbers");

/* Numbers of the fields of Campaigns. */
#define FIELD_CHANNELS 1
#define FIELD_CAMPAIGNS 2

/* A line for people: three names, five times or numbers, and the words around them. */
#define LINE_BYTES 512

/* ---- compiled */

static char *text_or_none(char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static void channel_append(const struct campaign_channel *channel, struct buffer *out)
{
    struct campaign_channel copy = *channel;
    Kith__V1__Channel message = KITH__V1__CHANNEL__INIT;
    message.name = copy.name;
    message.has_kind = true;
    message.kind = (Kith__V1__ChannelKind)copy.kind;
    message.address = text_or_none(copy.address);
    message.has_in_flight_max = true;
    message.in_flight_max = copy.in_flight_max;
    message.folder = text_or_none(copy.folder);
    message.url = text_or_none(copy.url);
    message.from = text_or_none(copy.from);
    message_element_append(FIELD_CHANNELS, &message.base, out);
}

static void rule_append(const struct campaigns *campaigns, const struct campaign_rule *rule,
                        struct buffer *out)
{
    struct campaign_rule copy = *rule;
    struct campaign_channel channel = campaigns->channels[rule->channel];
    Kith__V1__CampaignRule message = KITH__V1__CAMPAIGN_RULE__INIT;
    message.name = copy.name;
    message.segment = copy.segment;
    message.channel = channel.name;
    message.has_on_entry = true;
    message.on_entry = copy.on_entry;
    message.has_first_ms = copy.schedule.is_set;
    message.first_ms = copy.schedule.first_ms;
    message.has_every_days = copy.schedule.is_set;
    message.every_days = copy.schedule.every_days;
    message.subject = text_or_none(copy.subject);
    message.text = copy.text;
    message.has_cap_messages = true;
    message.cap_messages = copy.cap_messages;
    message.has_cap_days = true;
    message.cap_days = copy.cap_days;
    message.has_valid_from_ms = true;
    message.valid_from_ms = copy.valid_from_ms;
    message.has_valid_until_ms = true;
    message.valid_until_ms = copy.valid_until_ms;
    message_element_append(FIELD_CAMPAIGNS, &message.base, out);
}

void campaign_rules_encode(const struct campaigns *campaigns, struct buffer *out)
{
    for (size_t i = 0; i < campaigns->channel_count; i++) {
        channel_append(&campaigns->channels[i], out);
    }
    for (size_t i = 0; i < campaigns->campaign_count; i++) {
        rule_append(campaigns, &campaigns->campaigns[i], out);
    }
}

/* ---- for people */

static void line_append(struct buffer *out, const char *line, int length)
{
    assert(length > 0 && length < LINE_BYTES);
    enum status status = buffer_append(out, span_of(line, (size_t)length));
    assert(status == STATUS_OK);
}

static void schedule_text(const struct campaign_schedule *schedule, struct buffer *out)
{
    if (!schedule->is_set) {
        return;
    }
    char first[TIME_TEXT_BYTES] = "";
    time_format(schedule->first_ms, first);
    char line[LINE_BYTES];
    line_append(out, line,
                snprintf(line, sizeof line, ", schedule: {first: \"%s\", every_days: %" PRIu32 "}",
                         first, schedule->every_days));
}

/* Beyond what a calendar has stands for: without a bound. */
static void bound_text(const char *key, int64_t at_ms, struct buffer *out)
{
    if (at_ms < LIMIT_TIME_LEAST_MS || at_ms > LIMIT_TIME_MOST_MS) {
        return;
    }
    char time[TIME_TEXT_BYTES] = "";
    time_format(at_ms, time);
    char line[LINE_BYTES];
    line_append(out, line, snprintf(line, sizeof line, ", %s: \"%s\"", key, time));
}

static void rule_text(const struct campaigns *campaigns, const struct campaign_rule *rule,
                      struct buffer *out)
{
    char line[LINE_BYTES];
    line_append(out, line,
                snprintf(line, sizeof line, "  - {name: %s, segment: %s, channel: %s, on_entry: %s",
                         rule->name, rule->segment, campaigns->channels[rule->channel].name,
                         rule->on_entry ? "true" : "false"));
    schedule_text(&rule->schedule, out);
    if (rule->cap_messages > 0) {
        line_append(out, line,
                    snprintf(line, sizeof line,
                             ", cap: {messages: %" PRIu32 ", per_days: %" PRIu32 "}",
                             rule->cap_messages, rule->cap_days));
    }
    bound_text("valid_from", rule->valid_from_ms, out);
    bound_text("valid_until", rule->valid_until_ms, out);
    line_append(out, line, snprintf(line, sizeof line, "}\n"));
}

void campaign_rules_text(const struct campaigns *campaigns, struct buffer *out)
{
    char line[LINE_BYTES];
    line_append(out, line, snprintf(line, sizeof line, "channels:\n"));
    for (size_t i = 0; i < campaigns->channel_count; i++) {
        const struct campaign_channel *channel = &campaigns->channels[i];
        line_append(out, line,
                    snprintf(line, sizeof line, "  - {name: %s, kind: %s, in_flight_max: %" PRIu32,
                             channel->name,
                             channel->kind == CAMPAIGN_CHANNEL_FILE ? "file" : "smtp",
                             channel->in_flight_max));
        line_append(out, line,
                    snprintf(line, sizeof line, "%s%s}\n",
                             channel->address[0] != '\0' ? ", address: " : "", channel->address));
    }
    line_append(out, line, snprintf(line, sizeof line, "campaigns:\n"));
    for (size_t i = 0; i < campaigns->campaign_count; i++) {
        rule_text(campaigns, &campaigns->campaigns[i], out);
    }
}

/* ---- the fact */

static bool rule_decode(const Kith__V1__CampaignRule *message, struct campaign_listed *listed)
{
    struct span name = pb_text(message->name);
    if (!id_text_is_valid(name) || message->first_ms < LIMIT_TIME_LEAST_MS ||
        message->first_ms > LIMIT_TIME_MOST_MS) {
        return false;
    }
    *listed = (struct campaign_listed){
        .name = campaign_name_of(name),
        .schedule = { .is_set = message->has_first_ms,
                      .first_ms = message->first_ms,
                      .every_days = message->every_days },
    };
    return true;
}

enum status campaign_rules_fact_decode(struct span body, struct arena *arena,
                                       struct campaign_rules_change *change)
{
    struct rules_fact changed = { 0 };
    enum status status = rules_fact_decode(body, CAMPAIGN_RULES_NAME, arena, &changed);
    if (status != STATUS_OK) {
        return status;
    }
    const Kith__V1__Campaigns *campaigns =
        pb_unpack(&kith__v1__campaigns__descriptor, arena, changed.compiled);
    if (campaigns == NULL || campaigns->n_campaigns > CAMPAIGNS_MAX) {
        return STATUS_CORRUPT;
    }
    struct campaign_rules_change decoded = { .version = changed.version,
                                             .hash = changed.hash,
                                             .count = campaigns->n_campaigns };
    for (size_t i = 0; i < decoded.count; i++) {
        if (!rule_decode(campaigns->campaigns[i], &decoded.campaigns[i])) {
            return STATUS_CORRUPT;
        }
    }
    *change = decoded;
    return STATUS_OK;
}
