/* A service that replies before the sync. */
#include "common/service/shell_internal.h"

/* NOLINTBEGIN(readability-identifier-naming): the linker makes these names. */
void __real_turn_seal(struct turn *turn);
void __wrap_turn_seal(struct turn *turn);

void __wrap_turn_seal(struct turn *turn)
{
    __real_turn_seal(turn);
    replies_send(turn->shell);
}

/* NOLINTEND(readability-identifier-naming) */
