/*
 * The language of segments: clauses over attributes and windowed figures of one customer,
 * joined by all, any and not. Compiled into flat arrays, checked and bounded while they are
 * built, evaluated against whoever answers for the figures. Pure: no state, no clock.
 *
 *   count, sum   of the events of a type in the window (now - days, now]; `category` takes
 *                those only whose category it is
 *   last         the newest event of a type: within days is inside that window, older than
 *                days is before it
 *   attribute    of the profile
 *
 * What is unknown satisfies no clause: an attribute that nobody gave, the last event of a
 * customer without one. `not` of such a clause holds.
 */
#ifndef KITH_RULES_RULES_H
#define KITH_RULES_RULES_H

#include "common/base/bytes.h"
#include "common/base/limits.h"

/* Each segment is decided anew with each event of a customer: these keep that short. */
#define RULES_SEGMENTS_MAX 64
#define RULES_CLAUSES_MAX 32 /* of one segment */
#define RULES_GROUPS_MAX 32  /* of one segment */
/* A lone clause has depth 1, each group around it adds 1. */
#define RULES_DEPTH_MAX 8
/* Of a clause `in`. */
#define RULES_VALUES_MAX 32
#define RULES_VALUE_BYTES 128
#define RULES_DAYS_MAX 4000
/* All names and values of a set of rules together, each counted once. */
#define RULES_TEXT_BYTES (24 * 1024)

#define RULES_SEGMENT_NODES_MAX (RULES_CLAUSES_MAX + RULES_GROUPS_MAX)
#define RULES_NODES_MAX (RULES_SEGMENTS_MAX * RULES_SEGMENT_NODES_MAX)
#define RULES_FEATURES_MAX (RULES_SEGMENTS_MAX * RULES_CLAUSES_MAX)
#define RULES_VALUES_ALL_MAX 4096

/* A sum of amounts: 10^15 minor units each, and more of them than 63 bits could hold. It is
 * exact whatever comes, and taking away again what was added gives back what was. */
__extension__ typedef __int128 rules_sum;

/* For ever: compiled rules hold these numbers. */
enum rules_kind {
    RULES_ALL = 1,
    RULES_ANY = 2,
    RULES_NOT = 3,
    RULES_COUNT = 4,
    RULES_SUM = 5,
    RULES_LAST = 6,
    RULES_ATTRIBUTE = 7,
};
enum rules_comparison {
    RULES_AT_LEAST = 1,
    RULES_AT_MOST = 2,
    RULES_MORE_THAN = 3,
    RULES_LESS_THAN = 4,
    RULES_EQUALS = 5,     /* a number; count and sum only */
    RULES_WITHIN = 6,     /* last only */
    RULES_OLDER_THAN = 7, /* last only */
    RULES_IN = 8,         /* one of the texts; attribute only */
};

/* A clause as it is given: spans are the giver's. */
struct rules_clause {
    enum rules_kind kind;
    struct span subject;  /* the type of event, or the attribute's name */
    struct span category; /* empty: any */
    uint32_t days;        /* count, sum, last: 1..RULES_DAYS_MAX */
    enum rules_comparison comparison;
    int64_t number; /* count: 0..LIMIT_AMOUNT; sum: minor units; attribute: any */
    size_t value_count;
    struct span values[RULES_VALUES_MAX];
};

/* ---- compiled; read with the functions below */

struct rules_text {
    uint16_t at;
    uint16_t size;
};
struct rules_node {
    enum rules_kind kind;
    enum rules_comparison comparison;
    uint16_t end;     /* the node after this one and all below it */
    uint16_t feature; /* count, sum, last */
    uint16_t value_first;
    uint16_t value_count;
    uint32_t days;
    int64_t number;
    struct rules_text attribute;
};
/* A figure that clauses need, once for all that share it. */
struct rules_feature {
    struct rules_text type;
    struct rules_text category; /* empty: any */
    uint32_t days;              /* 0: the newest event, however old */
};
struct rules_segment {
    struct rules_text name;
    uint16_t first; /* its nodes, each group before what is in it */
    uint16_t end;
};
/* A zeroed struct is an empty set of rules. */
struct rules {
    size_t segment_count;
    size_t node_count;
    size_t feature_count;
    size_t value_count;
    size_t text_size;
    struct rules_segment segments[RULES_SEGMENTS_MAX];
    struct rules_node nodes[RULES_NODES_MAX];
    struct rules_feature features[RULES_FEATURES_MAX];
    struct rules_text values[RULES_VALUES_ALL_MAX];
    uint8_t text[RULES_TEXT_BYTES];
};

struct span rules_span(const struct rules *rules, struct rules_text text);
/* RULES_SEGMENTS_MAX: there is no such segment. */
size_t rules_segment_find(const struct rules *rules, struct span name);
bool rules_kind_is_group(enum rules_kind kind);
/* The longest window of all, in days. */
uint32_t rules_days_most(const struct rules *rules);
/* Whether an event of this type and category (empty: none) counts for the feature. */
bool rules_feature_takes(const struct rules *rules, size_t feature, struct span type,
                         struct span category);

/* ---- building: segment begin, one clause or group, segment end; then the next */

struct rules_builder {
    struct rules *rules; /* cleared by rules_build */
    size_t depth;
    uint16_t open[RULES_DEPTH_MAX]; /* the groups around what comes next */
    size_t members[RULES_DEPTH_MAX + 1];
    size_t clause_count; /* of the segment */
    size_t group_count;
};

void rules_build(struct rules_builder *builder, struct rules *rules);
/* All of them:
 *   STATUS_LIMIT      one of the bounds above; rules and builder are to be thrown away
 *   STATUS_MALFORMED  no such rule can be, whatever the bounds */

/* STATUS_EXISTS: a segment of this name is there. */
MUST_USE enum status rules_segment_begin(struct rules_builder *builder, struct span name);
MUST_USE enum status rules_segment_end(struct rules_builder *builder);
/* RULES_ALL, RULES_ANY or RULES_NOT. */
MUST_USE enum status rules_group_begin(struct rules_builder *builder, enum rules_kind kind);
/* An empty group is malformed, and a `not` of more than one. */
MUST_USE enum status rules_group_end(struct rules_builder *builder);
MUST_USE enum status rules_clause_add(struct rules_builder *builder,
                                      const struct rules_clause *clause);
/* The clause at `node`, as it was given; spans look into `rules`. */
void rules_clause_get(const struct rules *rules, size_t node, struct rules_clause *clause);

/* ---- evaluation */

struct rules_window {
    uint64_t count;
    rules_sum sum;
};
struct rules_attribute {
    struct span text; /* as people read it */
    bool has_integer;
    int64_t integer;
};
/* Who answers for one customer, as of `now_ms`. */
struct rules_values {
    void *context;
    int64_t now_ms;
    struct rules_window (*window)(void *context, size_t feature);
    /* False: there was none. */
    bool (*latest)(void *context, size_t feature, int64_t *at_ms);
    /* False: not known. */
    bool (*attribute)(void *context, struct span name, struct rules_attribute *attribute);
};

bool rules_clause_holds(const struct rules *rules, size_t node, const struct rules_values *values);
bool rules_segment_holds(const struct rules *rules, size_t segment,
                         const struct rules_values *values);

#endif
