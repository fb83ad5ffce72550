/*
 * What the files of the service share. Nobody else includes this.
 *
 *   campaign_service.c   life, rules, what is folded, evolve, commands and questions
 *   campaign_pump.c      decides what can be decided
 *   campaign_outbox.c    hands messages to the channels and takes outcomes back
 */
#ifndef KITH_CAMPAIGN_INTERNAL_H
#define KITH_CAMPAIGN_INTERNAL_H

#include "common/service/service.h"
#include "services/campaign/campaign_record.h"
#include "services/campaign/channel.h"

#define CAMPAIGN_SUITE_KEY_BYTES 32
/* One for each producer's shard, and campaign's own. */
#define CAMPAIGN_POSITIONS_MAX (LIMIT_FEEDS + 1)
#define CAMPAIGN_OPEN_MAX (CAMPAIGNS_CHANNELS_MAX * CAMPAIGNS_IN_FLIGHT_MAX)

/* Where messages leave. */
struct campaign_outbox {
    bool is_started;
    int wake; /* an eventfd, written to by channels, for as long as the service lives */
    struct channel *channels[CAMPAIGNS_CHANNELS_MAX];
    /* Intended in this turn: handed over once it is durable. */
    size_t intended_count;
    struct hash128 intended[CAMPAIGN_OPEN_MAX];
    bool has_orphans; /* open messages of channels that the configuration lost or changed */
};

struct campaign {
    uint8_t suite_key[CAMPAIGN_SUITE_KEY_BYTES];
    char *data; /* the suite's folder */
    uint32_t shard;
    bool is_event_clock;
    struct campaigns campaigns; /* as configured; from start on also what is in force */
    struct campaign_setup setup;
    struct buffer compiled;
    struct buffer text;
    /* What is next, as of the newest change. */
    bool is_surveyed;
    struct campaign_survey survey;
    /* Channels whose next decision waits for an outcome, as of the same. */
    bool is_blocked[CAMPAIGNS_CHANNELS_MAX];
    struct arena input;              /* of the request or fact in hand */
    struct arena evolved;            /* of what is evolved meanwhile */
    struct buffer body;              /* of the fact or record that is emitted */
    struct buffer sealed;            /* of its message */
    struct campaign_message message; /* in its parts */
    struct campaign_record record;   /* before it is encoded */
    struct campaign_record reading;  /* what is evolved meanwhile */
    struct campaign_outbox outbox;
    struct turn_position positions[CAMPAIGN_POSITIONS_MAX];
};

/* ---- campaign_service.c */

/* Journals campaign->record. */
void campaign_record_emit(struct campaign *campaign, struct turn *turn);

/* ---- campaign_pump.c */

const struct campaign_survey *campaign_survey_renew(struct campaign *campaign,
                                                    const struct view *view);
/* State has changed. */
void campaign_survey_forget(struct campaign *campaign);
/* Journals a decision or an outcome. */
void campaign_decision_emit(struct campaign *campaign, struct turn *turn,
                            const struct campaign_decision *decision);
/* Decides what can be decided now, in at most `facts_max` steps. */
void campaign_pump(struct campaign *campaign, struct turn *turn, size_t facts_max);

/* ---- campaign_outbox.c */

extern const struct service_effects campaign_effects;
/* A message that is handed over once this turn is durable. */
void campaign_outbox_add(struct campaign_outbox *outbox, struct hash128 dispatch);

#endif
