/*
 * The judge: works out from what clients sent and were told what must have come of it, in the
 * plainest way, and compares that with what the services say. It shares no code with them but the
 * messages' form.
 */
#ifndef KITH_TESTS_SIM_ORACLE_H
#define KITH_TESTS_SIM_ORACLE_H

#include "tests/sim/sim_world.h"

/* When all is quiet and the last questions are answered. What is wrong ends the process. */
void sim_oracle_judge(struct sim_world *world);

#endif
