/*
 * What a kind of channel is to channel.c: the queue and the thread are channel.c's, carrying
 * messages out is the kind's. All of a kind's functions but open are called by the worker.
 */
#ifndef KITH_CAMPAIGN_CHANNEL_INTERNAL_H
#define KITH_CAMPAIGN_CHANNEL_INTERNAL_H

#include "services/campaign/channel.h"

#include <stdatomic.h>

/* A message and what became of it. The worker's from the moment it is handed over until its
 * outcome is told. */
struct channel_job {
    struct channel_intent intent; /* spans look into `bytes` */
    uint8_t *bytes;
    bool is_recovered; /* stood open when the service began */
    struct channel_outcome outcome;
    /* The kind's answer: for this message's sake not now, and the outcome's detail says why.
     * Certain: nobody got it. */
    bool is_put_off;
    /* channel.c's. */
    uint32_t put_off_count;
    int64_t not_before_ms; /* monotonic; 0: at once */
};

#define CHANNEL_PUT_OFF_MOST 32

/* How long things take; tests make it short. */
struct channel_timing {
    int64_t delay_first_ms; /* before what failed is tried again; doubled each time */
    int64_t delay_most_ms;
    int64_t attempt_most_ms;  /* smtp: of one message, all in all */
    int64_t put_off_first_ms; /* before a message that was put off is tried again; doubled */
    uint32_t put_off_most;    /* so often, and it is refused; 1..CHANNEL_PUT_OFF_MOST */
};

struct channel_kind {
    struct channel_timing timing;
    size_t jobs_max; /* that `send` takes at once */
    /* Carries out the jobs in their order, as far as it goes, and sets their outcomes' results
     * and details, which are CHANNEL_SENT and empty before, or puts them off. Returns how many
     * it did that to; where that is less than `count`, `why` says what is in the way, and all
     * others are as if they had not been tried. */
    size_t (*send)(void *state, struct channel_job *const *jobs, size_t count,
                   char why[CHANNEL_DETAIL_BYTES]);
    void (*close)(void *state);
};
extern const struct channel_kind channel_file_kind;
extern const struct channel_kind channel_smtp_kind;

/* Each kind's state, for `options` whose `channel` lives as long as the state does. */
MUST_USE enum status channel_file_open(void **state, const struct channel_options *options,
                                       struct refusal *refusal);
/* `closing` turns true when the channel is to end: what has not been handed over to the server
 * is then given up. */
MUST_USE enum status channel_smtp_open(void **state, const struct channel_options *options,
                                       const struct channel_timing *timing,
                                       const atomic_bool *closing, struct refusal *refusal);

/* channel_open with another timing; NULL: the kind's own. */
MUST_USE enum status channel_open_timed(struct channel **channel,
                                        const struct channel_options *options,
                                        const struct channel_timing *timing,
                                        struct refusal *refusal);

#endif
