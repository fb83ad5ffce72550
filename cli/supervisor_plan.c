#include "cli/supervisor_plan.h"

#include <assert.h>

const char *plan_phase_text(enum plan_phase phase)
{
    switch (phase) {
    case PLAN_STOPPED:
        return "stopped";
    case PLAN_STARTING:
        return "starting";
    case PLAN_RUNNING:
        return "running";
    case PLAN_RESTARTING:
        return "restarting";
    case PLAN_STOPPING:
        return "stopping";
    }
    assert(false);
    return "";
}

int64_t plan_delay_ms(const struct suite_restart *restart, uint32_t early_deaths)
{
    if (early_deaths == 0) {
        return 0;
    }
    int64_t delay_ms = restart->first_delay_ms;
    for (uint32_t i = 1; i < early_deaths && delay_ms < restart->most_delay_ms; i++) {
        delay_ms *= 2;
    }
    return delay_ms < restart->most_delay_ms ? delay_ms : restart->most_delay_ms;
}

void plan_start(struct plan *plan, int64_t now_ms)
{
    if (plan->phase == PLAN_STOPPED || plan->phase == PLAN_RESTARTING) {
        *plan =
            (struct plan){ .phase = PLAN_RESTARTING, .due_ms = now_ms, .restarts = plan->restarts };
    } else if (plan->phase == PLAN_STOPPING) {
        plan->start_again = true;
    }
}

bool plan_stop(struct plan *plan, int64_t now_ms)
{
    plan->start_again = false;
    switch (plan->phase) {
    case PLAN_STARTING:
    case PLAN_RUNNING:
        plan->phase = PLAN_STOPPING;
        plan->due_ms = now_ms + SUPERVISOR_STOP_MS;
        return true;
    case PLAN_RESTARTING:
        plan->phase = PLAN_STOPPED;
        return false;
    case PLAN_STOPPED:
    case PLAN_STOPPING:
        return false;
    }
    assert(false);
    return false;
}

void plan_started(struct plan *plan)
{
    assert(plan->phase == PLAN_RESTARTING);
    plan->phase = PLAN_STARTING;
}

void plan_ready(struct plan *plan)
{
    assert(plan->phase == PLAN_STARTING);
    plan->phase = PLAN_RUNNING;
    plan->early_deaths = 0;
}

void plan_died(struct plan *plan, const struct suite_restart *restart, int64_t now_ms)
{
    assert(plan->phase != PLAN_STOPPED && plan->phase != PLAN_RESTARTING);
    if (plan->phase == PLAN_STOPPING) {
        bool again = plan->start_again;
        plan->phase = PLAN_STOPPED;
        plan->start_again = false;
        if (again) {
            plan_start(plan, now_ms);
        }
        return;
    }
    plan->early_deaths += plan->phase == PLAN_STARTING ? 1 : 0;
    plan->restarts++;
    plan->phase = PLAN_RESTARTING;
    plan->due_ms = now_ms + plan_delay_ms(restart, plan->early_deaths);
}
