/*
 * What the configuration says of campaigns and channels, checked whole: who is written to,
 * by which channel, in which words, how often. Pure: no state, no clock.
 *
 * Campaign decides by it; segmentation learns from it which attributes an entry carries.
 */
#ifndef KITH_RULES_CAMPAIGNS_H
#define KITH_RULES_CAMPAIGNS_H

#include "common/base/bytes.h"
#include "common/base/hash.h"
#include "common/base/limits.h"

#include <stdbool.h>

#define CAMPAIGNS_MAX 32
#define CAMPAIGNS_CHANNELS_MAX 8
#define CAMPAIGNS_CAP_MESSAGES_MAX 16 /* what is remembered of a customer */
#define CAMPAIGNS_CAP_DAYS_MAX 4000
#define CAMPAIGNS_SUBJECT_BYTES 120
#define CAMPAIGNS_TEMPLATE_BYTES 800
/* Attributes that the templates and channels of one segment's campaigns name. */
#define CAMPAIGNS_NEEDS_MAX 16
/* A message with its attributes in: an open intent is one record of the state. */
#define CAMPAIGNS_MESSAGE_BYTES 1400
/* Messages that a channel may be carrying out at once. */
#define CAMPAIGNS_IN_FLIGHT_MAX 32
#define CAMPAIGNS_PATH_BYTES 256

/* For ever: RulesChanged holds these numbers. */
enum campaign_channel_kind { CAMPAIGN_CHANNEL_FILE = 0, CAMPAIGN_CHANNEL_SMTP = 1 };

struct campaign_channel {
    char name[LIMIT_ID_BYTES + 1];
    enum campaign_channel_kind kind;
    char address[LIMIT_ID_BYTES + 1];  /* the attribute; empty: file only, lines without "to" */
    uint32_t in_flight_max;            /* 1..CAMPAIGNS_IN_FLIGHT_MAX */
    char folder[CAMPAIGNS_PATH_BYTES]; /* file; empty: DATA/outbox */
    char url[CAMPAIGNS_PATH_BYTES];    /* smtp: smtp://host:port */
    char from[CAMPAIGNS_PATH_BYTES];   /* smtp */
};

struct campaign_schedule {
    bool is_set;
    int64_t first_ms;
    uint32_t every_days; /* 0: once */
};

struct campaign_rule {
    char name[LIMIT_ID_BYTES + 1];
    char segment[LIMIT_ID_BYTES + 1];
    size_t channel; /* in `channels` */
    bool on_entry;
    struct campaign_schedule schedule;
    /* Templates: {customer} is the identifier, {NAME} an attribute, {{ and }} a brace. */
    char subject[CAMPAIGNS_SUBJECT_BYTES + 1]; /* smtp only */
    char text[CAMPAIGNS_TEMPLATE_BYTES + 1];
    uint32_t cap_messages;  /* 0: no cap */
    uint32_t cap_days;      /* the cap's window: (now - days, now] */
    int64_t valid_from_ms;  /* INT64_MIN: since ever */
    int64_t valid_until_ms; /* not included; INT64_MAX: for ever */
};

struct campaigns {
    size_t channel_count;
    struct campaign_channel channels[CAMPAIGNS_CHANNELS_MAX];
    size_t campaign_count;
    struct campaign_rule campaigns[CAMPAIGNS_MAX];
};

/* NULL: there is no such campaign. */
const struct campaign_rule *campaigns_find(const struct campaigns *campaigns, struct span name);
/* Its place in `channels`; channel_count: there is no such channel. */
size_t campaigns_channel_find(const struct campaigns *campaigns, struct span name);

/* Where this is the same, a channel finds again what it carried out before: kind and folder. */
struct hash128 campaign_channel_identity(const struct campaign_channel *channel);

/* The attributes that campaigns of `segment` need, each once, in the order of the
 * configuration; spans look into `campaigns`. At most CAMPAIGNS_NEEDS_MAX: that was checked.
 * While it is being checked: CAMPAIGNS_NEEDS_MAX + 1 where there are more. */
size_t campaigns_needs(const struct campaigns *campaigns, struct span segment,
                       struct span needs[CAMPAIGNS_NEEDS_MAX]);

/* One address as SMTP takes it between < and >, and nothing beside it: printable ASCII, one @
 * with something on both sides, no blank, quote, bracket, comma, colon or backslash. */
bool campaign_mail_address_is_valid(struct span address);

/* ---- templates */

/* STATUS_MALFORMED: a brace without its partner, or a name that no attribute can have; *at is
 * where. */
MUST_USE enum status campaign_template_check(const char *text, size_t *at);

/* Who answers for one customer, for `customer` too. False: not known. `value` lives until the
 * next call. */
struct campaign_values {
    void *context;
    bool (*value)(void *context, struct span name, struct span *value);
};
/* Appends the text with its attributes in. `missing` looks into `text`.
 *   STATUS_NOT_FOUND  an attribute is not known: *missing is its name
 *   STATUS_LIMIT      longer than the buffer takes
 * and `out` may hold a part. The text was checked (asserted). */
MUST_USE enum status campaign_template_fill(const char *text, const struct campaign_values *values,
                                            struct buffer *out, struct span *missing);

#endif
