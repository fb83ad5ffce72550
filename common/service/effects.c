/* What reaches outside: handed over once durable, taken back as input. */
#include "common/service/shell_internal.h"

#include <stdio.h>

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

bool effects_take(struct shell *shell)
{
    struct turn *turn = &shell->turn;
    if (shell->effects == NULL || shell->space.stops || turn->tick_facts >= LIMIT_TURN_TICK_FACTS ||
        turn_is_full(turn)) {
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

bool shell_effects_are_out(const struct shell *shell)
{
    return shell->effects != NULL && shell->effects->is_out(shell->service, &shell->view);
}

bool effects_are_stuck(const struct shell *shell, char *why, size_t size)
{
    return shell->effects != NULL && shell->effects->is_stuck(shell->service, why, size);
}
