#include "cli/gen_world.h"

#include "cli/gen_draw.h"
#include "common/base/time_text.h"

#include <assert.h>

/* Two events of a visit are at most a minute apart. */
#define GAP_MS_MOST 60000

_Static_assert(GEN_PASSES *GEN_PASS_MS == MS_PER_DAY, "the parts of a day are the day");

/* ---- the order */

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* What multiplied with `value` leaves 1 when divided by `modulus`; the two have no divisor in
 * common. Euclid's algorithm, with the factor of `value` carried along. */
static uint64_t inverse_of(uint64_t value, uint64_t modulus)
{
    int64_t left = (int64_t)modulus;
    int64_t right = (int64_t)value;
    int64_t left_factor = 0;
    int64_t right_factor = 1;
    while (right != 0) {
        int64_t times = left / right;
        int64_t rest = left - times * right;
        int64_t factor = left_factor - times * right_factor;
        left = right;
        left_factor = right_factor;
        right = rest;
        right_factor = factor;
    }
    assert(left == 1);
    return (uint64_t)(left_factor < 0 ? left_factor + (int64_t)modulus : left_factor) % modulus;
}

/* About the golden section, so that neighbours by number are far apart in time. */
static void order_choose(struct gen_world *world)
{
    uint64_t count = world->subscribers;
    uint64_t drawn = gen_draw(world->key, GEN_DRAW_ORDER);
    uint64_t stride = count * 618 / 1000 + drawn % (count / 8 + 1) + 1;
    while (common_divisor(stride, count) != 1) {
        stride++; /* ends at count + 1 at the latest */
    }
    world->stride = stride % count;
    world->stride_back = count == 1 ? 0 : inverse_of(world->stride, count);
}

/* Where a pass begins in the circle of numbers. */
static uint64_t walk_begin(const struct gen_world *world, int32_t day, int32_t pass)
{
    uint64_t part = (uint64_t)day * GEN_PASSES + (uint64_t)pass;
    return gen_draw(world->key, GEN_DRAW_DAYS + part) % world->subscribers;
}

uint32_t gen_walk_number(const struct gen_world *world, int32_t day, int32_t pass,
                         uint32_t position)
{
    assert(position < world->subscribers);
    return (uint32_t)((walk_begin(world, day, pass) + world->stride * position) %
                      world->subscribers);
}

uint32_t gen_walk_position(const struct gen_world *world, int32_t day, int32_t pass,
                           uint32_t number)
{
    assert(number < world->subscribers);
    uint64_t steps = number + world->subscribers - walk_begin(world, day, pass);
    return (uint32_t)(steps % world->subscribers * world->stride_back % world->subscribers);
}

uint32_t gen_walk_next(const struct gen_world *world, uint32_t number)
{
    uint64_t next = number + world->stride;
    return (uint32_t)(next >= world->subscribers ? next - world->subscribers : next);
}

/* The first half of a visit's share is for when it begins, the second for its events. Where a
 * share is too short for that they all have one instant. */
int64_t gen_visit_at_ms(const struct gen_world *world, const struct gen_visit *visit,
                        uint32_t index)
{
    uint64_t begin_ms = (uint64_t)visit->position * GEN_PASS_MS / world->subscribers;
    uint32_t gap_ms = world->share_ms / (2 * GEN_SLOT_EVENTS);
    gap_ms = gap_ms > GAP_MS_MOST ? GAP_MS_MOST : gap_ms;
    if (world->share_ms >= 2) {
        uint64_t drawn =
            gen_draw(world->key + visit->number, GEN_DRAW_DAYS + (uint64_t)visit->date.day);
        begin_ms += drawn % (world->share_ms / 2);
    }
    return world->begun_at_ms + (int64_t)visit->date.day * MS_PER_DAY +
           (int64_t)visit->pass * GEN_PASS_MS + (int64_t)begin_ms + (int64_t)index * gap_ms;
}

/* ---- the calendar */

void gen_world_init(struct gen_world *world, const struct gen_settings *settings)
{
    assert(settings->subscribers >= 1 && settings->subscribers <= GEN_SUBSCRIBERS_MAX);
    assert(settings->months >= 1 && settings->months <= GEN_MONTHS_MAX);
    *world = (struct gen_world){ .key = gen_mix(settings->seed),
                                 .subscribers = settings->subscribers,
                                 .months = settings->months,
                                 .calls = settings->calls };
    int64_t first = days_from_civil(GEN_YEAR_FIRST, 1, 1);
    for (uint32_t i = 0; i <= settings->months; i++) {
        int64_t day = days_from_civil(GEN_YEAR_FIRST + (int)(i / 12), (int)(i % 12) + 1, 1);
        world->month_starts[i] = (int32_t)(day - first);
    }
    world->days = world->month_starts[settings->months];
    world->begun_at_ms = first * MS_PER_DAY;
    world->share_ms = GEN_PASS_MS / settings->subscribers;
    order_choose(world);
}

int32_t gen_month_of(const struct gen_world *world, int32_t day)
{
    assert(day >= 0 && day < world->days);
    int32_t month = day / 31; /* none is longer, so it is this one or a later one */
    while (world->month_starts[month + 1] <= day) {
        month++;
    }
    return month;
}

struct gen_date gen_date_of(const struct gen_world *world, int32_t day)
{
    int32_t month = gen_month_of(world, day);
    /* Day 0 is a Saturday. */
    return (struct gen_date){ .day = day,
                              .month = month,
                              .month_day = day - world->month_starts[month] + 1,
                              .is_weekend = day % 7 < 2,
                              .is_summer = month % 12 == 6 || month % 12 == 7 };
}
