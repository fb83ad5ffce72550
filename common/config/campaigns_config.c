#include "common/config/campaigns_config.h"

#include "common/base/id.h"
#include "common/base/time_text.h"
#include "common/config/yaml_fault.h"

#include <assert.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define URL_PORT_MAX 65535

/* File lines of one sync go together, so as many as may be. E-mails go one by one, and those in
 * flight are unknown after a crash, so as few as keep the connection busy. */
#define IN_FLIGHT_FILE CAMPAIGNS_IN_FLIGHT_MAX
#define IN_FLIGHT_SMTP 4

static const char *const kind_names[] = { "file", "smtp", NULL };
static_assert(CAMPAIGN_CHANNEL_FILE == 0 && CAMPAIGN_CHANNEL_SMTP == 1,
              "kind_names is in their order");
static_assert(sizeof(enum campaign_channel_kind) == sizeof(int), "a choice is stored as an int");

struct times_fields {
    char first[TIME_TEXT_BYTES * 2];
    char from[TIME_TEXT_BYTES * 2];
    char until[TIME_TEXT_BYTES * 2];
};

/* clang-format off */
#define TEXT(owner, name, ...) \
    { .key = #name, .kind = CONFIG_TEXT, .least = 1, .offset = offsetof(struct owner, name), \
      .size = sizeof(((struct owner *)NULL)->name), __VA_ARGS__ }

static const struct config_field channel_table[] = {
    TEXT(campaign_channel, name, .required = true),
    { .key = "kind", .kind = CONFIG_CHOICE, .required = true, .choices = kind_names,
      .offset = offsetof(struct campaign_channel, kind) },
    TEXT(campaign_channel, address, .required = false),
    { .key = "in_flight_max", .kind = CONFIG_U32, .least = 1, .most = CAMPAIGNS_IN_FLIGHT_MAX,
      .offset = offsetof(struct campaign_channel, in_flight_max) },
    TEXT(campaign_channel, folder, .required = false),
    TEXT(campaign_channel, url, .required = false),
    TEXT(campaign_channel, from, .required = false),
};
static const struct config_field campaign_table[] = {
    TEXT(campaign_rule, name, .required = true),
    TEXT(campaign_rule, segment, .required = true),
    { .key = "on_entry", .kind = CONFIG_BOOL, .offset = offsetof(struct campaign_rule, on_entry) },
    TEXT(campaign_rule, subject, .required = false),
};
static const struct config_field cap_table[] = {
    { .key = "messages", .kind = CONFIG_U32, .required = true, .least = 1,
      .most = CAMPAIGNS_CAP_MESSAGES_MAX, .offset = offsetof(struct campaign_rule, cap_messages) },
    { .key = "per_days", .kind = CONFIG_U32, .required = true, .least = 1,
      .most = CAMPAIGNS_CAP_DAYS_MAX, .offset = offsetof(struct campaign_rule, cap_days) },
};
static const struct config_field every_field =
    { .key = "every_days", .kind = CONFIG_U32, .most = CAMPAIGNS_CAP_DAYS_MAX,
      .offset = offsetof(struct campaign_schedule, every_days) };
static const struct config_field first_field = TEXT(times_fields, first, .required = true);
static const struct config_field valid_table[] = {
    TEXT(times_fields, from, .required = false),
    TEXT(times_fields, until, .required = false),
};
/* clang-format on */

/* ---- shared */

static enum status list_check(const struct yaml_node *list, const char *key, size_t most,
                              struct refusal *refusal)
{
    size_t count = 0;
    for (const struct yaml_node *item = list->first; item != NULL; item = item->next) {
        count++;
        if (count > most) {
            return config_fault(item, refusal, "%s: has more than %zu entries; leave some away",
                                key, most);
        }
    }
    return STATUS_OK;
}

static enum status time_read(struct yaml_node *node, const char *key, const char *text,
                             int64_t *at_ms, struct refusal *refusal)
{
    if (time_parse(span_of_text(text), at_ms) != STATUS_OK) {
        char shown[YAML_SHOWN_BYTES] = { 0 };
        return config_fault(config_child(node, key), refusal,
                            "%s: '%s' is no time; write one such as \"2026-01-01T10:00:00Z\"", key,
                            yaml_text_show(text, shown));
    }
    return STATUS_OK;
}

/* ---- channels */

/* "HOST", "HOST:PORT", and behind either perhaps "/NAME", by which we greet. */
static bool url_rest_is_valid(const char *rest)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789.-";
    size_t host =
        rest[0] == '[' ? strspn(rest + 1, "0123456789abcdefABCDEF:.") + 1 : strspn(rest, letters);
    if (rest[0] == '[') {
        host = rest[host] == ']' ? host + 1 : 0;
    }
    const char *at = rest + host;
    if (host > 0 && at[0] == ':') {
        long port = 0;
        size_t digits = 0;
        for (at++; at[0] >= '0' && at[0] <= '9' && port <= URL_PORT_MAX; at++, digits++) {
            port = port * 10 + (at[0] - '0');
        }
        host = port >= 1 && port <= URL_PORT_MAX ? host + digits : 0;
    }
    bool is_over = at[0] == '\0' || (at[0] == '/' && at[1 + strspn(at + 1, letters)] == '\0');
    return host > 0 && is_over;
}

static enum status url_check(struct yaml_node *node, const char *url, struct refusal *refusal)
{
    struct yaml_node *place = config_child(node, "url");
    const char *rest = NULL;
    if (strncmp(url, "smtp://", 7) == 0) {
        rest = url + 7;
    } else if (strncmp(url, "smtps://", 8) == 0) {
        rest = url + 8;
    }
    if (rest == NULL) {
        return config_fault(place, refusal,
                            "url: must begin with smtp:// or smtps://; write smtp://HOST:PORT");
    }
    if (strchr(rest, '@') != NULL) {
        return config_fault(place, refusal,
                            "url: holds a login, which would be kept for ever; name a server that "
                            "takes your e-mails without one");
    }
    if (!url_rest_is_valid(rest)) {
        return config_fault(place, refusal, "url: is none of a server; write smtp://HOST:PORT");
    }
    return STATUS_OK;
}

static enum status child_refuse(struct yaml_node *node, const char *key, const char *wanted,
                                struct refusal *refusal)
{
    struct yaml_node *child = config_child(node, key);
    if (child != NULL) {
        return config_fault(child, refusal, "%s: goes with kind: %s only; take it out", key,
                            wanted);
    }
    return STATUS_OK;
}

static enum status file_check(struct yaml_node *node, const struct campaign_channel *channel,
                              struct refusal *refusal)
{
    enum status status = child_refuse(node, "url", "smtp", refusal);
    if (status == STATUS_OK) {
        status = child_refuse(node, "from", "smtp", refusal);
    }
    if (status == STATUS_OK && channel->folder[0] != '\0' && channel->folder[0] != '/') {
        return config_fault(config_child(node, "folder"), refusal,
                            "folder: must begin with '/'; write the whole path, or take it out for "
                            "outbox in the data folder");
    }
    return status;
}

static enum status smtp_check(struct yaml_node *node, const struct campaign_channel *channel,
                              struct refusal *refusal)
{
    static const char *const needed[] = { "url", "from", "address" };
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        if (config_child(node, needed[i]) == NULL) {
            return config_fault(node, refusal, "%s: is missing; kind: smtp needs one", needed[i]);
        }
    }
    enum status status = child_refuse(node, "folder", "file", refusal);
    if (status == STATUS_OK) {
        status = url_check(node, channel->url, refusal);
    }
    if (status == STATUS_OK && !campaign_mail_address_is_valid(span_of_text(channel->from))) {
        return config_fault(config_child(node, "from"), refusal,
                            "from: is no e-mail address; write one such as care@operator.example");
    }
    return status;
}

/* Names of files and of attributes are made of these. */
static enum status plain_check(struct yaml_node *node, const char *key, const char *text,
                               struct refusal *refusal)
{
    if (text[0] != '\0' && !type_text_is_valid(span_of_text(text))) {
        char shown[YAML_SHOWN_BYTES] = { 0 };
        return config_fault(config_child(node, key), refusal,
                            "%s: '%s' cannot be one; write small letters, digits, '_' and '.'", key,
                            yaml_text_show(text, shown));
    }
    return STATUS_OK;
}

static enum status channel_read(struct yaml_node *node, struct campaigns *campaigns,
                                struct refusal *refusal)
{
    struct campaign_channel channel = { .kind = CAMPAIGN_CHANNEL_FILE };
    enum status status =
        config_fields_read(node, channel_table, COUNT_OF(channel_table), &channel, refusal);
    if (status == STATUS_OK) {
        status = config_keys_check(node, refusal);
    }
    if (status == STATUS_OK) {
        status = plain_check(node, "name", channel.name, refusal);
    }
    if (status == STATUS_OK) {
        status = plain_check(node, "address", channel.address, refusal);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (campaigns_channel_find(campaigns, span_of_text(channel.name)) < campaigns->channel_count) {
        return config_fault(node, refusal, "name: '%s' is a channel above; choose another name",
                            channel.name);
    }
    bool is_file = channel.kind == CAMPAIGN_CHANNEL_FILE;
    if (channel.in_flight_max == 0) {
        channel.in_flight_max = is_file ? IN_FLIGHT_FILE : IN_FLIGHT_SMTP;
    }
    status = is_file ? file_check(node, &channel, refusal) : smtp_check(node, &channel, refusal);
    if (status == STATUS_OK) {
        campaigns->channels[campaigns->channel_count] = channel;
        campaigns->channel_count += 1;
    }
    return status;
}

/* ---- campaigns */

static bool segment_is_there(const struct suite_config *config, const char *name)
{
    struct yaml_node *item = config->segments == NULL ? NULL : config->segments->first;
    for (; item != NULL; item = item->next) {
        const struct yaml_node *named = config_child(item, "name");
        if (named != NULL && named->kind == YAML_SCALAR && strcmp(named->text, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum status template_check(const struct yaml_node *node, struct refusal *refusal)
{
    size_t at = 0;
    if (campaign_template_check(node->text, &at) == STATUS_OK) {
        return STATUS_OK;
    }
    char shown[YAML_SHOWN_BYTES] = { 0 };
    return config_fault(node, refusal,
                        "%s: at '%s' a brace stands alone or names no attribute; write {NAME}, or "
                        "{{ or }} for a brace",
                        node->key, yaml_text_show(node->text + at, shown));
}

/* Line ends are the one control character that a text may hold. */
static bool lines_are_clean(const char *text)
{
    for (const char *line = text; line[0] != '\0';) {
        size_t size = strcspn(line, "\n");
        if (!text_is_clean(span_of(line, size))) {
            return false;
        }
        line += line[size] == '\n' ? size + 1 : size;
    }
    return true;
}

static enum status text_read(struct yaml_node *node, struct campaign_rule *campaign,
                             struct refusal *refusal)
{
    const struct yaml_node *text = config_child(node, "text");
    if (text == NULL) {
        return config_fault(node, refusal, "text: is missing; write what '%s' says",
                            campaign->name);
    }
    if (text->kind != YAML_SCALAR) {
        return config_fault(text, refusal, "text: must be one text, not a list or a mapping");
    }
    size_t size = strlen(text->text);
    if (size < 1 || size > CAMPAIGNS_TEMPLATE_BYTES) {
        return config_fault(text, refusal, "text: has %zu bytes; write 1 to %d", size,
                            CAMPAIGNS_TEMPLATE_BYTES);
    }
    if (!lines_are_clean(text->text)) {
        return config_fault(text, refusal,
                            "text: holds a tab or another control character; write blanks");
    }
    memcpy(campaign->text, text->text, size + 1);
    return template_check(text, refusal);
}

static enum status subject_check(struct yaml_node *node, const struct campaign_channel *channel,
                                 struct refusal *refusal)
{
    const struct yaml_node *subject = config_child(node, "subject");
    if (subject == NULL) {
        return STATUS_OK;
    }
    if (channel->kind != CAMPAIGN_CHANNEL_SMTP) {
        return config_fault(subject, refusal,
                            "subject: goes with a channel of kind: smtp only; take it out");
    }
    return template_check(subject, refusal);
}

static enum status cap_read(struct yaml_node *node, struct campaign_rule *campaign,
                            struct refusal *refusal)
{
    struct yaml_node *cap = config_child(node, "cap");
    if (cap == NULL) {
        return STATUS_OK;
    }
    enum status status = config_fields_read(cap, cap_table, COUNT_OF(cap_table), campaign, refusal);
    return status == STATUS_OK ? config_keys_check(cap, refusal) : status;
}

static enum status schedule_read(struct yaml_node *node, struct campaign_schedule *schedule,
                                 struct refusal *refusal)
{
    struct yaml_node *own = config_child(node, "schedule");
    if (own == NULL) {
        return STATUS_OK;
    }
    struct times_fields times = { .first = "" };
    enum status status = config_fields_read(own, &first_field, 1, &times, refusal);
    if (status == STATUS_OK) {
        status = config_fields_read(own, &every_field, 1, schedule, refusal);
    }
    if (status == STATUS_OK) {
        status = config_keys_check(own, refusal);
    }
    if (status == STATUS_OK) {
        status = time_read(own, "first", times.first, &schedule->first_ms, refusal);
    }
    schedule->is_set = status == STATUS_OK;
    return status;
}

static enum status valid_read(struct yaml_node *node, struct campaign_rule *campaign,
                              struct refusal *refusal)
{
    struct yaml_node *valid = config_child(node, "valid");
    if (valid == NULL) {
        return STATUS_OK;
    }
    struct times_fields times = { .first = "" };
    enum status status =
        config_fields_read(valid, valid_table, COUNT_OF(valid_table), &times, refusal);
    if (status == STATUS_OK) {
        status = config_keys_check(valid, refusal);
    }
    if (status == STATUS_OK && times.from[0] != '\0') {
        status = time_read(valid, "from", times.from, &campaign->valid_from_ms, refusal);
    }
    if (status == STATUS_OK && times.until[0] != '\0') {
        status = time_read(valid, "until", times.until, &campaign->valid_until_ms, refusal);
    }
    if (status == STATUS_OK && campaign->valid_from_ms >= campaign->valid_until_ms) {
        return config_fault(valid, refusal, "valid: from is not before until; swap or mend them");
    }
    return status;
}

static enum status channel_choose(struct yaml_node *node, const struct campaigns *campaigns,
                                  struct campaign_rule *campaign, struct refusal *refusal)
{
    struct {
        char channel[LIMIT_ID_BYTES + 1];
    } fields = { "" };
    static const struct config_field field = { .key = "channel",
                                               .kind = CONFIG_TEXT,
                                               .required = true,
                                               .least = 1,
                                               .size = LIMIT_ID_BYTES + 1 };
    enum status status = config_fields_read(node, &field, 1, &fields, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    campaign->channel = campaigns_channel_find(campaigns, span_of_text(fields.channel));
    if (campaign->channel == campaigns->channel_count) {
        return config_fault(config_child(node, "channel"), refusal,
                            "channel: '%s' is none of the channels; name one, or add it there",
                            fields.channel);
    }
    return STATUS_OK;
}

/* The parts that are read by a table of their own, or checked against others. */
static enum status parts_read(struct yaml_node *node, const struct campaigns *campaigns,
                              struct campaign_rule *campaign, struct refusal *refusal)
{
    enum status status = channel_choose(node, campaigns, campaign, refusal);
    if (status == STATUS_OK) {
        status = text_read(node, campaign, refusal);
    }
    if (status == STATUS_OK) {
        status = subject_check(node, &campaigns->channels[campaign->channel], refusal);
    }
    if (status == STATUS_OK) {
        status = schedule_read(node, &campaign->schedule, refusal);
    }
    if (status == STATUS_OK) {
        status = cap_read(node, campaign, refusal);
    }
    if (status == STATUS_OK) {
        status = valid_read(node, campaign, refusal);
    }
    return status == STATUS_OK ? config_keys_check(node, refusal) : status;
}

static enum status needs_check(const struct yaml_node *node, const struct campaigns *campaigns,
                               const char *segment, struct refusal *refusal)
{
    struct span needs[CAMPAIGNS_NEEDS_MAX];
    if (campaigns_needs(campaigns, span_of_text(segment), needs) > CAMPAIGNS_NEEDS_MAX) {
        return config_fault(node, refusal,
                            "segment: the campaigns of '%s' and their channels name more than %d "
                            "attributes together; name fewer",
                            segment, CAMPAIGNS_NEEDS_MAX);
    }
    return STATUS_OK;
}

static enum status campaign_read(struct yaml_node *node, const struct suite_config *config,
                                 struct campaigns *campaigns, struct refusal *refusal)
{
    struct campaign_rule *campaign = &campaigns->campaigns[campaigns->campaign_count];
    *campaign = (struct campaign_rule){ .valid_from_ms = INT64_MIN, .valid_until_ms = INT64_MAX };
    enum status status =
        config_fields_read(node, campaign_table, COUNT_OF(campaign_table), campaign, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    if (campaigns_find(campaigns, span_of_text(campaign->name)) != NULL) {
        return config_fault(node, refusal, "name: '%s' is a campaign above; choose another name",
                            campaign->name);
    }
    if (!segment_is_there(config, campaign->segment)) {
        return config_fault(config_child(node, "segment"), refusal,
                            "segment: '%s' is none of the segments; name one, or add it there",
                            campaign->segment);
    }
    status = parts_read(node, campaigns, campaign, refusal);
    if (status != STATUS_OK) {
        return status;
    }
    campaigns->campaign_count += 1;
    return needs_check(node, campaigns, campaign->segment, refusal);
}

enum status campaigns_config_read(const struct suite_config *config, struct campaigns *campaigns,
                                  struct refusal *refusal)
{
    memset(campaigns, 0, sizeof *campaigns);
    enum status status = STATUS_OK;
    if (config->channels != NULL) {
        status = list_check(config->channels, "channels", CAMPAIGNS_CHANNELS_MAX, refusal);
        for (struct yaml_node *item = config->channels->first; item != NULL && status == STATUS_OK;
             item = item->next) {
            status = channel_read(item, campaigns, refusal);
        }
    }
    if (config->campaigns != NULL && status == STATUS_OK) {
        status = list_check(config->campaigns, "campaigns", CAMPAIGNS_MAX, refusal);
        for (struct yaml_node *item = config->campaigns->first; item != NULL && status == STATUS_OK;
             item = item->next) {
            status = campaign_read(item, config, campaigns, refusal);
        }
    }
    return status;
}
