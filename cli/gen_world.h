/*
 * The world that `kith gen` writes about: how many subscribers, which days, and in which order
 * all are visited. Everything follows from the arguments; nothing here grows with them.
 *
 * A day has GEN_PASSES parts of equal length. In each of them every subscriber is visited once,
 * in an order of that part's own, and a visit's place in the order is its time of day. So the
 * events come in the order of time, and nothing is sorted.
 */
#ifndef KITH_CLI_GEN_WORLD_H
#define KITH_CLI_GEN_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#define GEN_SUBSCRIBERS_MAX 10000000
#define GEN_MONTHS_MAX 48
/* The first of the days, 2022-01-01; four years later still lies in the past. */
#define GEN_YEAR_FIRST 2022

#define GEN_PASSES 8
#define GEN_PASS_MS 10800000
/* Events of one visit. */
#define GEN_SLOT_EVENTS 64

struct gen_world {
    uint64_t key; /* of the seed */
    uint32_t subscribers;
    uint32_t months;
    int32_t days;
    bool calls;          /* each call instead of a day's sum */
    int64_t begun_at_ms; /* of day 0 */
    uint32_t share_ms;   /* of a visit: its part of a pass, rounded down */
    uint64_t stride;     /* from one subscriber to the next one in the order */
    uint64_t stride_back;
    int32_t month_starts[GEN_MONTHS_MAX + 1];
};

struct gen_settings {
    uint32_t subscribers; /* 1 to GEN_SUBSCRIBERS_MAX */
    uint32_t months;      /* 1 to GEN_MONTHS_MAX */
    uint64_t seed;
    bool calls;
};

/* A day, counted from 0, and what the calendar says of it. */
struct gen_date {
    int32_t day;
    int32_t month;     /* from 0 */
    int32_t month_day; /* from 1 */
    bool is_weekend;
    bool is_summer; /* July and August */
};

/* One visit. */
struct gen_visit {
    struct gen_date date;
    int32_t pass;
    uint32_t position; /* in the order of the pass */
    uint32_t number;   /* the subscriber, from 0 */
};

void gen_world_init(struct gen_world *world, const struct gen_settings *settings);
/* `day` from 0 to days - 1. */
struct gen_date gen_date_of(const struct gen_world *world, int32_t day);
/* The month, from 0, of a day within the months of the world. */
int32_t gen_month_of(const struct gen_world *world, int32_t day);

/* Each position has one number and each number one position. */
uint32_t gen_walk_number(const struct gen_world *world, int32_t day, int32_t pass,
                         uint32_t position);
uint32_t gen_walk_position(const struct gen_world *world, int32_t day, int32_t pass,
                           uint32_t number);
/* The number at the next position. */
uint32_t gen_walk_next(const struct gen_world *world, uint32_t number);

/* When the visit's event number `index` happens: no later than the next visit's first. */
int64_t gen_visit_at_ms(const struct gen_world *world, const struct gen_visit *visit,
                        uint32_t index);

#endif
