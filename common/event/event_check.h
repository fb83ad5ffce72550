/*
 * What an event must be, whoever made it: bounds, forms, and what the known types need.
 * Faults are collected, so that a sender can mend all of them at once.
 */
#ifndef KITH_EVENT_EVENT_CHECK_H
#define KITH_EVENT_EVENT_CHECK_H

#include "common/base/event.h"
#include "common/base/refusal.h"

/* Begin with zeroes and a refusal; NULL takes no sentences. The refusal is untouched
 * until the first fault. */
struct event_faults {
    struct refusal *refusal;
    size_t count;
    /* Where the next fault stands: "attributes[2].money.". */
    size_t attribute; /* from 1; 0: in none */
    const char *part; /* "amount." or "money."; NULL: in none */
};

void event_fault(struct event_faults *faults, const char *field, const char *rule,
                 const char *mend);
void event_check(const struct event *event, struct event_faults *faults);

#endif
