/*
 * The records of campaign over a view or a change: one struct, one table, one encoding.
 *
 * A value is a version byte and big-endian numbers. A record that does not decode is rot that
 * slipped through a checksum, or a bug: the process ends.
 */
#ifndef KITH_CAMPAIGN_STORE_H
#define KITH_CAMPAIGN_STORE_H

#include "common/base/fact.h"
#include "common/base/view.h"
#include "common/rules/campaigns.h"
#include "services/campaign/campaign_key.h"

/* The text of an identifier (LIMIT_ID_BYTES) and what sealing adds to it. */
#define CAMPAIGN_SUBJECT_BYTES 128
/* The text of an attribute (LIMIT_TEXT_BYTES) and what sealing adds to it. */
#define CAMPAIGN_CONTACT_BYTES 1088
/* A message as it is sealed: its parts (CAMPAIGNS_MESSAGE_BYTES) and what goes around them. */
#define CAMPAIGN_SEALED_BYTES (CAMPAIGNS_MESSAGE_BYTES + 64)
/* "schedule/" and a time, or "command/" and a key. */
#define CAMPAIGN_STEP_BYTES (LIMIT_ID_BYTES + 16)
/* What a channel said, or the name of an attribute. */
#define CAMPAIGN_DETAIL_BYTES 200

/* A name from outside, by value. */
struct campaign_name {
    uint8_t size; /* 1..LIMIT_ID_BYTES; 0: none */
    char text[LIMIT_ID_BYTES + 1];
};
/* `text` is at most LIMIT_ID_BYTES (asserted). */
struct campaign_name campaign_name_of(struct span text);
struct span campaign_name_span(const struct campaign_name *name);

/* A customer's identifier as facts carry it, by value. */
struct campaign_subject {
    uint32_t key_id; /* 0: plain */
    uint8_t size;
    uint8_t bytes[CAMPAIGN_SUBJECT_BYTES];
};
/* At most CAMPAIGN_SUBJECT_BYTES (asserted: ingestion bounds them). */
struct campaign_subject campaign_subject_of(struct sealed sealed);
struct sealed campaign_subject_sealed(const struct campaign_subject *subject);

struct campaign_head {
    uint32_t rules_version; /* 0: none yet */
    struct hash128 rules_hash;
    uint64_t orders;  /* given to dispatches that were planned, over all campaigns */
    uint64_t planned; /* not decided yet */
    uint64_t open;    /* without an outcome */
};

/* What a campaign came to, and where it stands. */
struct campaign_standing {
    uint32_t rules_version; /* the newest that had it; not the head's: it is gone */
    int64_t since_ms;       /* when the rules that brought it were told */
    /* Its schedule as that version said it, and the instant after which the next one is due. */
    bool has_schedule;
    int64_t first_ms;
    uint32_t every_days;
    int64_t after_ms;
    bool is_running; /* the one due at after_ms is not through yet */
    bool has_cursor; /* and came as far as this customer */
    struct customer_id cursor;
    uint64_t queued;  /* the number of the newest that was planned */
    uint64_t taken;   /* and of the newest of them that is decided */
    uint64_t decided; /* the newest decision's number */
    uint64_t sent;
    uint64_t suppressed;
    uint64_t unknown;
    uint64_t open;
};

/* A dispatch in its campaign's queue. */
struct campaign_queued {
    struct hash128 dispatch;
    uint64_t order; /* over all campaigns */
    int64_t planned_at_ms;
};

/* Both are those of DispatchTrigger and SuppressedReason: numbers for ever. */
enum campaign_trigger {
    CAMPAIGN_BY_ENTRY = 0,
    CAMPAIGN_BY_SCHEDULE = 1,
    CAMPAIGN_BY_COMMAND = 2,
};
enum campaign_reason {
    CAMPAIGN_REASON_NONE = 0,
    CAMPAIGN_NOT_IN_SEGMENT = 1,
    CAMPAIGN_CAP_REACHED = 2,
    CAMPAIGN_NOT_VALID = 3,
    CAMPAIGN_NO_ADDRESS = 4,
    CAMPAIGN_MISSING_ATTRIBUTE = 5,
    CAMPAIGN_TOO_LONG = 6,
    CAMPAIGN_GONE = 7,
    CAMPAIGN_REFUSED = 8,
};
/* For ever: dispatches hold these numbers. */
enum campaign_dispatch_state {
    CAMPAIGN_PLANNED = 0,
    CAMPAIGN_OPEN = 1,
    CAMPAIGN_SENT = 2,
    CAMPAIGN_SUPPRESSED = 3,
    CAMPAIGN_UNKNOWN = 4,
};

struct campaign_step {
    uint8_t size;
    char text[CAMPAIGN_STEP_BYTES + 1];
};
/* `text` is at most CAMPAIGN_STEP_BYTES (asserted). */
struct campaign_step campaign_step_of(struct span text);
struct campaign_detail {
    uint8_t size;
    char text[CAMPAIGN_DETAIL_BYTES + 1];
};
/* `text` is at most CAMPAIGN_DETAIL_BYTES (asserted). */
struct campaign_detail campaign_detail_of(struct span text);

/* All that is known of a dispatch. While it is planned, what follows `step` is empty. */
struct campaign_dispatch {
    enum campaign_dispatch_state state;
    struct campaign_name campaign;
    struct customer_id customer;
    enum campaign_trigger trigger;
    struct campaign_step step;
    uint64_t number;
    struct campaign_name channel; /* empty: the campaign is gone */
    uint8_t place;                /* open: in its channel */
    enum campaign_reason reason;
    struct campaign_detail detail;
    int64_t decided_at_ms;
};

/* A message that was handed over, until its outcome is known. */
struct campaign_open {
    uint64_t seq; /* of the fact that says so */
    struct hash128 dispatch;
    struct hash128 channel_identity; /* as it was then */
    struct campaign_name campaign;
    struct customer_id customer;
    int64_t at_ms; /* when it was decided */
    uint32_t key_id;
    uint16_t size;
    uint8_t message[CAMPAIGN_SEALED_BYTES];
};

/* The newest intents of a campaign for a customer, oldest first. */
struct campaign_cap {
    uint8_t count;
    struct campaign_capped {
        uint64_t number;
        int64_t at_ms;
        bool is_open;
    } intents[CAMPAIGNS_CAP_MESSAGES_MAX];
};

struct campaign_contact {
    uint32_t key_id; /* 0: plain */
    uint16_t size;
    uint8_t bytes[CAMPAIGN_CONTACT_BYTES];
};

/* All loads: false, there is no such record, and the output is zeroed. */
bool campaign_head_load(const struct view *view, struct campaign_head *head);
void campaign_head_put(const struct change *change, const struct campaign_head *head);

bool campaign_standing_load(const struct view *view, struct span campaign,
                            struct campaign_standing *standing);
void campaign_standing_put(const struct change *change, struct span campaign,
                           const struct campaign_standing *standing);
/* Of a value that a scan met. */
void campaign_standing_decode(struct span value, struct campaign_standing *standing);

bool campaign_member_load(const struct view *view, struct span segment, struct customer_id customer,
                          int64_t *since_ms);
void campaign_member_put(const struct change *change, struct span segment,
                         struct customer_id customer, int64_t since_ms);
void campaign_member_delete(const struct change *change, struct span segment,
                            struct customer_id customer);
/* The first member behind `after`; NULL: the first of all. False: there is none. */
bool campaign_member_next(const struct view *view, struct span segment,
                          const struct customer_id *after, struct customer_id *customer);

bool campaign_customer_load(const struct view *view, struct customer_id customer,
                            struct campaign_subject *subject);
void campaign_customer_put(const struct change *change, struct customer_id customer,
                           const struct campaign_subject *subject);

bool campaign_contact_load(const struct view *view, struct customer_id customer,
                           struct span attribute, struct campaign_contact *contact);
/* At most CAMPAIGN_CONTACT_BYTES (asserted). */
void campaign_contact_put(const struct change *change, struct customer_id customer,
                          struct span attribute, struct sealed value);

bool campaign_queued_load(const struct view *view, struct span campaign, uint64_t number,
                          struct campaign_queued *queued);
void campaign_queued_put(const struct change *change, struct span campaign, uint64_t number,
                         const struct campaign_queued *queued);
void campaign_queued_delete(const struct change *change, struct span campaign, uint64_t number);

bool campaign_dispatch_load(const struct view *view, struct hash128 id,
                            struct campaign_dispatch *dispatch);
void campaign_dispatch_put(const struct change *change, struct hash128 id,
                           const struct campaign_dispatch *dispatch);

bool campaign_decision_load(const struct view *view, struct span campaign, uint64_t number,
                            struct hash128 *dispatch);
void campaign_decision_put(const struct change *change, struct span campaign, uint64_t number,
                           struct hash128 dispatch);

/* A bit for each place that is taken; 0 also for a channel that was never used. */
uint32_t campaign_places_load(const struct view *view, struct span channel);
void campaign_places_put(const struct change *change, struct span channel, uint32_t places);
/* Hands out each channel that was ever used. */
typedef void (*campaign_places_visit)(void *argument, struct span channel, uint32_t places);
void campaign_places_walk(const struct view *view, campaign_places_visit visit, void *argument);

bool campaign_open_load(const struct view *view, struct span channel, uint8_t place,
                        struct campaign_open *open);
void campaign_open_put(const struct change *change, struct span channel, uint8_t place,
                       const struct campaign_open *open);
void campaign_open_delete(const struct change *change, struct span channel, uint8_t place);

bool campaign_cap_load(const struct view *view, struct span campaign, struct customer_id customer,
                       struct campaign_cap *cap);
void campaign_cap_put(const struct change *change, struct span campaign,
                      struct customer_id customer, const struct campaign_cap *cap);

#endif
