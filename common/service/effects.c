/* What reaches outside: handed over once durable, taken back as input. */
#include "common/service/shell_internal.h"

#include <unistd.h>

/* Under the wall clock nothing is decided by what is known to be old. A feed that never comes
 * to its end is waited for this long, if it is no further behind than that. */
#define EFFECTS_PATIENCE_MS 1000
#define EFFECTS_FRESH_MS 5000

enum status shell_effects_start(struct shell *shell, struct refusal *refusal)
{
    const struct service_effects *effects = shell->definition->effects;
    if (effects == NULL) {
        return STATUS_OK;
    }
    shell->effects = effects;
    return effects->start(shell->service, &shell->view, refusal);
}

void effects_stop(struct shell *shell)
{
    if (shell->effects != NULL) {
        shell->effects->stop(shell->service);
        shell->effects = NULL;
    }
}

/* What was told while nothing may be taken is taken with the first turn that may: until then
 * the loop must not be woken for it again and again. */
static void descriptor_drain(struct shell *shell)
{
    uint64_t written = 0;
    int descriptor = shell->effects->descriptor(shell->service);
    if (descriptor >= 0) {
        (void)!read(descriptor, &written, sizeof written);
    }
}

bool effects_take(struct shell *shell)
{
    struct turn *turn = &shell->turn;
    if (shell->effects != NULL && shell->space.stops) {
        descriptor_drain(shell);
        return false;
    }
    if (shell->effects == NULL || turn->tick_facts >= LIMIT_TURN_TICK_FACTS || turn_is_full(turn)) {
        return false;
    }
    turn->cause = cause_of_now(shell);
    turn->may_emit = true;
    turn->emitted = 0;
    bool took =
        shell->effects->take(shell->service, turn, LIMIT_TURN_TICK_FACTS - turn->tick_facts);
    turn->may_emit = false;
    turn->tick_facts += turn->emitted;
    return took;
}

void effects_synced(struct shell *shell)
{
    if (shell->effects != NULL) {
        shell->effects->synced(shell->service, &shell->view);
    }
}

bool effects_hold(const struct shell *shell)
{
    const struct service_effects *effects = shell->definition->effects;
    return shell->options.event_clock && effects != NULL &&
           effects->holds(shell->service, &shell->view);
}

/* Is what is folded as fresh as it can be, or fresh enough where more comes all the time? */
bool effects_must_wait(struct shell *shell)
{
    if (shell->options.event_clock || shell->definition->effects == NULL) {
        return false;
    }
    int64_t now_ms = shell->options.clock.monotonic_ms(shell->options.clock.context);
    if (time_passes(shell)) {
        shell->caught_up_at_ms = now_ms;
        return false;
    }
    return shell->now_ms + EFFECTS_FRESH_MS < shell->turn.wall_ms ||
           now_ms - shell->caught_up_at_ms < EFFECTS_PATIENCE_MS;
}

bool shell_effects_are_out(const struct shell *shell)
{
    return shell->effects != NULL && !shell->space.stops &&
           shell->effects->is_out(shell->service, &shell->view);
}

bool effects_are_stuck(const struct shell *shell, char *why, size_t size)
{
    return shell->effects != NULL && shell->effects->is_stuck(shell->service, why, size);
}
