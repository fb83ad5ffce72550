/*
 * What happens next: a binary heap of events by virtual time. Those of one instant are in an
 * order that the seed decides.
 */
#ifndef KITH_TESTS_SIM_SCHEDULE_H
#define KITH_TESTS_SIM_SCHEDULE_H

#include "tests/sim/sim_random.h"

#include <stddef.h>

enum sim_event_kind {
    SIM_DELIVER, /* a message arrives */
    SIM_WAKE,    /* a service takes a turn */
    SIM_CARRY,   /* a channel carries messages out */
    SIM_ASK,     /* a client sends something new */
    SIM_RETRY,   /* a client looks for what was not answered */
    SIM_FAULT,   /* something breaks */
    SIM_START,   /* a service that was ended starts again */
    SIM_LOOK,    /* is all done? */
};

struct sim_event {
    int64_t at_us;
    uint64_t tie;
    enum sim_event_kind kind;
    uint32_t target;
    uint64_t number; /* of the target's life or wake: one that has passed means nothing */
    void *message;   /* SIM_DELIVER */
};

struct sim_schedule {
    struct sim_random random;
    struct sim_event *heap;
    size_t count;
    size_t capacity;
};

void sim_schedule_init(struct sim_schedule *schedule, struct sim_random random);
/* What is still in it is not freed. */
void sim_schedule_release(struct sim_schedule *schedule);
/* `tie` is drawn here. */
void sim_schedule_put(struct sim_schedule *schedule, struct sim_event event);
bool sim_schedule_take(struct sim_schedule *schedule, struct sim_event *event);

#endif
