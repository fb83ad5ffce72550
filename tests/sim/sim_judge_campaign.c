#include "tests/sim/sim_judge.h"

void sim_judge_campaign(struct sim_judge *judge)
{
    (void)judge;
}
