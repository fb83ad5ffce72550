/*
 * What breaks, and when.
 */
#ifndef KITH_TESTS_SIM_FAULT_H
#define KITH_TESTS_SIM_FAULT_H

#include "tests/sim/sim_world.h"

#define SIM_TROUBLES 15
/* Their names. */
extern const char *const sim_troubles[SIM_TROUBLES];
struct sim_swarm sim_swarm_draw(const struct sim_options *options);
/* The network as the swarm has it. */
struct sim_weather sim_weather_draw(const struct sim_swarm *swarm, struct sim_random *random);
/* Before anything has started: blows that fall while the stores are made. */
void sim_fault_first(struct sim_world *world);
/* Lets one thing break. */
void sim_fault(struct sim_world *world);
/* Ends those on whom a blow has fallen, and has them start again later. */
void sim_blows_settle(struct sim_world *world);
/* Trouble is over: whoever is down starts. */
void sim_calm(struct sim_world *world);

#endif
