#include "tests/sim/sim_schedule.h"

#include "common/base/bytes.h"

#include <stdlib.h>

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->tie < b->tie;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event kept = *a;
    *a = *b;
    *b = kept;
}

void sim_schedule_init(struct sim_schedule *schedule, struct sim_random random)
{
    *schedule = (struct sim_schedule){ .random = random };
}

void sim_schedule_release(struct sim_schedule *schedule)
{
    free(schedule->heap);
    *schedule = (struct sim_schedule){ .heap = NULL };
}

void sim_schedule_put(struct sim_schedule *schedule, struct sim_event event)
{
    if (schedule->count == schedule->capacity) {
        schedule->capacity = schedule->capacity == 0 ? 64 : 2 * schedule->capacity;
        schedule->heap = memory_resize(schedule->heap, schedule->capacity * sizeof *schedule->heap);
    }
    event.tie = sim_next(&schedule->random);
    size_t place = schedule->count++;
    schedule->heap[place] = event;
    while (place > 0 && is_before(&schedule->heap[place], &schedule->heap[(place - 1) / 2])) {
        swap(&schedule->heap[place], &schedule->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
}

/* Of a place and the two below it. */
static size_t least_of(const struct sim_schedule *schedule, size_t place)
{
    size_t least = place;
    for (size_t child = 2 * place + 1; child <= 2 * place + 2; child++) {
        if (child < schedule->count && is_before(&schedule->heap[child], &schedule->heap[least])) {
            least = child;
        }
    }
    return least;
}

bool sim_schedule_take(struct sim_schedule *schedule, struct sim_event *event)
{
    if (schedule->count == 0) {
        return false;
    }
    struct sim_event *heap = schedule->heap;
    *event = heap[0];
    schedule->count -= 1;
    heap[0] = heap[schedule->count];
    size_t place = 0;
    size_t least = least_of(schedule, place);
    while (least != place) {
        swap(&heap[place], &heap[least]);
        place = least;
        least = least_of(schedule, place);
    }
    return true;
}
