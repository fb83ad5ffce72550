/*
 * The records of segmentation over a view or a change: one struct, one table, one encoding.
 *
 * A value is a version byte and big-endian numbers. A record that does not decode is rot that
 * slipped through a checksum, or a bug: the process ends.
 */
#ifndef KITH_SEGMENTATION_STORE_H
#define KITH_SEGMENTATION_STORE_H

#include "common/base/fact.h"
#include "common/base/view.h"
#include "common/rules/rules.h"
#include "services/segmentation/segmentation_key.h"

/* The text of an identifier (LIMIT_ID_BYTES) and what sealing adds to it. */
#define SEGMENTATION_SUBJECT_BYTES 128
/* Rules as compiled: what fits a RulesChanged beside their text. */
#define SEGMENTATION_COMPILED_BYTES (40 * 1024)
#define SEGMENTATION_NEVER INT64_MAX

/* A name from outside, by value. */
struct segmentation_name {
    uint8_t size; /* 1..LIMIT_ID_BYTES; 0: none */
    char text[LIMIT_ID_BYTES + 1];
};
/* `text` is at most LIMIT_ID_BYTES (asserted). */
struct segmentation_name segmentation_name_of(struct span text);
struct span segmentation_name_span(const struct segmentation_name *name);

/* A customer's identifier as facts carry it, by value. */
struct segmentation_subject {
    uint32_t key_id; /* 0: plain */
    uint8_t size;    /* 0: none */
    uint8_t bytes[SEGMENTATION_SUBJECT_BYTES];
};
/* At most SEGMENTATION_SUBJECT_BYTES (asserted: ingestion bounds them). */
struct segmentation_subject segmentation_subject_of(struct sealed sealed);
struct sealed segmentation_subject_sealed(const struct segmentation_subject *subject);

/* Over the window as it stands; all zeroes when nothing is in it. */
struct segmentation_figure {
    uint64_t count;
    rules_sum sum;
    int64_t oldest_ms; /* of the events in it */
};
/* The newest event of a (type, category). */
struct segmentation_latest {
    struct hash128 what;
    int64_t at_ms;
};

/* Kept with the customer itself, so that they are read and written with it: the figures of the
 * first features, and the first few (type, category). Further ones have a record each. */
#define SEGMENTATION_HELD_FIGURES 8
#define SEGMENTATION_HELD_LATEST 6
/* Customers belong to few segments at a time. */
#define SEGMENTATION_LISTED_MAX 8
#define SEGMENTATION_UNLISTED UINT8_MAX
#define SEGMENTATION_FIGURE_BITS 64

struct segmentation_customer {
    struct segmentation_subject subject; /* as it was first seen: lists are ordered by it */
    uint32_t version;                    /* of the rules that features and memberships are of */
    uint64_t events;                     /* ever folded */
    int64_t due_ms;                      /* as in the due table; SEGMENTATION_NEVER: not in it */
    /* What need not be looked for: a scan that finds nothing of a customer steps over all that
     * was deleted of the customers behind it. */
    int64_t oldest_ms; /* no event of history is older */
    int64_t newest_ms; /* none is newer */
    uint32_t figures;  /* with a record of their own */
    uint32_t memberships;
    /* Where its records are, so that they need not be looked for at all. */
    uint64_t figure_bits;  /* bit i: of feature i; as many as `figures`, or they say nothing */
    uint8_t segment_count; /* as many as `memberships`; SEGMENTATION_UNLISTED: not known */
    uint32_t segments[SEGMENTATION_LISTED_MAX]; /* ascending */
    struct segmentation_figure held[SEGMENTATION_HELD_FIGURES];
    uint8_t latest_count; /* no more have a record as long as there is room here */
    struct segmentation_latest latest[SEGMENTATION_HELD_LATEST];
};
/* A membership more, or one less. */
void segmentation_customer_join(struct segmentation_customer *customer, uint32_t segment);
void segmentation_customer_leave(struct segmentation_customer *customer, uint32_t segment);
/* One that was never seen. */
struct segmentation_customer segmentation_customer_new(void);
/* What lists name a customer by: the identifier's text, or the id in hexadecimal while the
 * text is sealed. */
struct segmentation_name segmentation_customer_text(struct customer_id id,
                                                    const struct segmentation_customer *customer);

struct segmentation_attribute {
    int64_t at_ms; /* of the event that said so */
    bool known;    /* false: it was taken away then */
    bool personal; /* kept for messages: no rule sees it */
    uint32_t key_id;
    bool has_integer;
    int64_t integer;
    struct span text; /* at most LIMIT_TEXT_BYTES; personal: under key_id */
};
/* An event as history keeps it. */
struct segmentation_entry {
    struct span type;
    struct span category; /* empty: none that rules could name */
    int64_t amount_minor;
};
struct segmentation_membership {
    uint32_t segment; /* its number */
    uint32_t version; /* of the rules that decided it */
    int64_t since_ms;
};
struct segmentation_segment {
    uint64_t members;
    struct segmentation_name name;
};
struct segmentation_head {
    uint32_t rules_version; /* 0: none yet */
    struct hash128 rules_hash;
    int64_t rules_at_ms;
    uint32_t segment_count; /* ever known: the newest segment's number */
    bool visiting;          /* not all customers are at the newest rules */
    bool has_visited;
    struct customer_id visited; /* the last one that is */
};

/* All loads: false, and the output zeroed: no such record. Spans live as view.h says. */
bool segmentation_customer_load(const struct view *view, struct customer_id id,
                                struct segmentation_customer *customer);
void segmentation_customer_put(const struct change *change, struct customer_id id,
                               const struct segmentation_customer *customer);
/* The first customer, or the first after `after`. */
bool segmentation_customer_next(const struct view *view, const struct customer_id *after,
                                struct customer_id *next);

bool segmentation_attribute_load(const struct view *view, struct customer_id id, struct span name,
                                 struct segmentation_attribute *attribute);
void segmentation_attribute_put(const struct change *change, struct customer_id id,
                                struct span name, const struct segmentation_attribute *attribute);

/* The events of the customer of `from`, from there on, oldest first, until `visit` says so. */
typedef bool (*segmentation_entry_visit)(void *argument, const struct segmentation_event_key *key,
                                         const struct segmentation_entry *entry);
void segmentation_entry_walk(const struct view *view, struct segmentation_event_key from,
                             segmentation_entry_visit visit, void *argument);
void segmentation_entry_put(const struct change *change, struct segmentation_event_key key,
                            const struct segmentation_entry *entry);
void segmentation_entry_delete(const struct change *change, struct segmentation_event_key key);

/* The figures of a customer; sets the others to zeroes up to `count`, beyond which there are none
 * (asserted). */
void segmentation_figures_load(const struct view *view, struct customer_id id,
                               const struct segmentation_customer *customer,
                               struct segmentation_figure *figures, size_t count);
/* Deletes them, whatever rules they are of. Here and below: the caller puts the customer. */
void segmentation_figures_delete(const struct change *change, struct customer_id id,
                                 struct segmentation_customer *customer);
struct segmentation_figures {
    const struct segmentation_figure *figures;
    const bool *changed;
    size_t count;
};
/* All figures that there are. */
void segmentation_figures_put(const struct change *change, struct customer_id id,
                              struct segmentation_customer *customer,
                              const struct segmentation_figures *from);

bool segmentation_latest_load(const struct view *view, struct customer_id id,
                              const struct segmentation_customer *customer, struct hash128 what,
                              int64_t *at_ms);
void segmentation_latest_put(const struct change *change, struct customer_id id,
                             struct segmentation_customer *customer, struct hash128 what,
                             int64_t at_ms);

bool segmentation_membership_load(const struct view *view, struct customer_id id, uint32_t segment,
                                  struct segmentation_membership *membership);
/* All `count` of a customer, by segment number; at most RULES_SEGMENTS_MAX (asserted). */
void segmentation_memberships_load(const struct view *view, struct customer_id id,
                                   struct segmentation_membership *memberships, size_t count);
void segmentation_membership_put(const struct change *change, struct customer_id id,
                                 const struct segmentation_membership *membership);
void segmentation_membership_delete(const struct change *change, struct customer_id id,
                                    uint32_t segment);

/* The members of a segment by text, from `from` on, until `visit` says so. */
typedef bool (*segmentation_member_visit)(void *argument, struct span text);
void segmentation_member_walk(const struct view *view, uint32_t segment, struct span from,
                              segmentation_member_visit visit, void *argument);
void segmentation_member_put(const struct change *change, uint32_t segment, struct span text,
                             struct customer_id id);
void segmentation_member_delete(const struct change *change, uint32_t segment, struct span text);

/* The front of the due table, kept from one question to the next: looking for it steps over
 * deleted records one by one until they are merged. */
struct segmentation_front {
    struct segmentation_due_key key; /* nothing is due before; SEGMENTATION_NEVER: nothing at all */
    bool is_exact;                   /* it is the first that is due */
};
struct segmentation_front segmentation_front_unknown(void);
/* Makes it exact. False: nobody is due. */
bool segmentation_front_find(const struct view *view, struct segmentation_front *front);
/* The customer has changed, and this is when it is due now. */
void segmentation_front_learn(struct segmentation_front *front, struct segmentation_due_key due);
void segmentation_due_put(const struct change *change, struct segmentation_due_key due);
void segmentation_due_delete(const struct change *change, struct segmentation_due_key due);

bool segmentation_segment_load(const struct view *view, uint32_t number,
                               struct segmentation_segment *segment);
void segmentation_segment_put(const struct change *change, uint32_t number,
                              const struct segmentation_segment *segment);
bool segmentation_number_load(const struct view *view, struct span name, uint32_t *number);
void segmentation_number_put(const struct change *change, struct span name, uint32_t number);

bool segmentation_head_load(const struct view *view, struct segmentation_head *head);
void segmentation_head_put(const struct change *change, const struct segmentation_head *head);

/* The rules of a version as compiled, appended to `out`. */
void segmentation_rules_load(const struct view *view, uint32_t version, struct buffer *out);
/* In pieces of a state record each. At most SEGMENTATION_COMPILED_BYTES (asserted). */
void segmentation_rules_put(const struct change *change, uint32_t version, struct span compiled);

#endif
