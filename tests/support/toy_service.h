/*
 * A service as small as can be, to test the shell around it: it counts points of customers.
 *
 *   toy.Add     command   emits one fact; under the event clock it may carry its time
 *   toy.At      command   sets a timer, whose tick emits a fact
 *   toy.Many    command   emits many facts of a given size
 *   toy.Together command  the same, asking that they stand in one block
 *   toy.Wide    command   emits nothing and answers with many bytes
 *   toy.Fail    command   refused by a rule
 *   toy.Bad     command   malformed
 *   toy.Abort   command   to be sent again
 *   toy.Get     question  a customer's sum
 *   toy.Until   question  the same, once it has come to an amount; blanks may follow
 *
 * It folds what other toys have added, and what they emit of that where it is told to, by
 * emitting an echo, and sets a timer for some. Its one rule is a factor: the digit with
 * which its rules' text begins. All state stands in one table.
 */
#ifndef KITH_TESTS_SUPPORT_TOY_SERVICE_H
#define KITH_TESTS_SUPPORT_TOY_SERVICE_H

#include "common/service/service.h"

#define TOY_TABLE SERVICE_TABLE_FIRST
#define TOY_FEEDS_MAX 4
/* Of an added amount that ends in this digit the folding toy sets a timer. */
#define TOY_TIMER_DIGIT 7

enum toy_fact {
    TOY_ADDED = 40,
    TOY_TIMED = 41,
    TOY_RANG = 42,
    TOY_ECHOED = 43,
};

struct toy_options {
    const char *name; /* "ingestion" and the like say where its feed stands in the order */
    const char *reads[TOY_FEEDS_MAX];
    size_t read_count;
    const char *rules; /* NULL: none, and the factor is 1 */
    bool folds_echoes; /* otherwise it ignores what others emit of what they fold */
    bool folds_to_nothing;
    bool keeps_keys_for_ever;
    bool keeps_no_journal;
    bool reaches_out; /* it has effects, as struct toy_outside says */
    int64_t timer_ms; /* how far ahead a folded amount sets its timer, or back; 0: never */
};

/* The world outside of a toy: what it was told, and what it answers. */
struct toy_outside {
    size_t started;
    size_t stopped;
    size_t synced;       /* how often it was told that something is durable */
    struct span watched; /* the customer whose sum is noted then */
    int64_t synced_sum;
    size_t back; /* so many amounts of 1 of the customer are to be taken */
    bool holds;
    bool is_stuck;
};

struct toy {
    struct toy_options options;
    struct service_definition definition;
    struct service_feed feeds[TOY_FEEDS_MAX];
    uint64_t decided; /* commands that have reached their handler */
    uint64_t ticked;
    struct toy_outside outside;
};

/* `toy` is the definition's service, and must stay where it is. */
void toy_init(struct toy *toy, const struct toy_options *options);

struct customer_id toy_customer(const char *text);

/* ---- bodies, into `out`, cleared first */

struct toy_add {
    const char *customer;
    int64_t n;
    int64_t at_ms; /* of the fact, under the event clock without feeds; 0: whenever */
};
void toy_add_encode(const struct toy_add *add, struct buffer *out);
/* `at_ms` is when the timer is due. */
void toy_at_encode(const struct toy_add *timer, struct buffer *out);
void toy_many_encode(uint32_t count, uint32_t bytes, struct buffer *out);
/* The sum in a reply of toy.Add and toy.Get. */
int64_t toy_sum_decode(struct span body);
/* The amount of a fact, and the seq of the fact that it echoes (0: none). */
int64_t toy_fact_amount(const struct fact *fact);
uint64_t toy_fact_source(const struct fact *fact);

#endif
