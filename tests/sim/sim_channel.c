/*
 * Channels in a simulated world: what services/campaign/channel.c does with a thread happens here
 * at an instant that the seed decides. Lines of files are written by the real channel_file.c; a
 * mail server is made up, and remembers whom it took a message for.
 */
#include "services/campaign/channel_internal.h"
#include "tests/sim/sim_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARRY_LEAST_US 100
#define CARRY_MOST_US 8000

struct channel {
    struct sim_world *world;
    unsigned owner;
    unsigned index; /* in world->channels */
    uint64_t life;
    struct campaign_channel rule;
    void *state; /* file */
    bool has_sent;
    size_t count;    /* handed over and not taken */
    size_t finished; /* of these, the first */
    struct channel_job jobs[CAMPAIGNS_IN_FLIGHT_MAX];
};

/* ---- carrying out */

static void carry_later(struct channel *channel)
{
    struct sim_world *world = channel->world;
    int64_t delay_us = sim_between(&world->carrying, CARRY_LEAST_US, CARRY_MOST_US);
    if (sim_chance(&world->carrying, 20)) {
        delay_us *= 50;
    }
    struct sim_event event = { .at_us = world->now_us + delay_us,
                               .kind = SIM_CARRY,
                               .target = channel->index,
                               .number = channel->life };
    sim_schedule_put(&world->schedule, event);
}

static void file_carry(struct channel *channel)
{
    struct channel_job *jobs[CAMPAIGNS_IN_FLIGHT_MAX] = { NULL };
    char why[CHANNEL_DETAIL_BYTES] = "";
    size_t count = channel->count - channel->finished;
    for (size_t i = 0; i < count; i++) {
        jobs[i] = &channel->jobs[channel->finished + i];
    }
    size_t done = channel_file_kind.send(channel->state, jobs, count, why);
    if (done != count) {
        sim_sometimes(channel->world, SIM_SYNC_OF_LINES_FAILED);
        sim_log(channel->world, "channel %s: %s", channel->rule.name, why);
    }
    channel->finished += done;
}

static void provided_note(struct channel *channel, const struct hash128 *dispatch)
{
    struct sim_world *world = channel->world;
    for (size_t i = 0; i < world->provided_count; i++) {
        if (memcmp(world->provided[i].dispatch, dispatch->bytes, sizeof dispatch->bytes) == 0) {
            world->provided[i].count += 1;
            return;
        }
    }
    assert(world->provided_count < SIM_PROVIDED_MAX);
    struct sim_provided *provided = &world->provided[world->provided_count++];
    memcpy(provided->dispatch, dispatch->bytes, sizeof provided->dispatch);
    provided->count = 1;
}

/* The server takes it, refuses it, or is gone before it has answered. */
static void mail_carry_one(struct channel *channel, struct channel_job *job)
{
    uint64_t drawn = sim_below(&channel->world->carrying, 20);
    if (job->is_recovered || drawn == 0) {
        if (!job->is_recovered && sim_chance(&channel->world->carrying, 500)) {
            provided_note(channel, &job->intent.dispatch);
        }
        job->outcome.result = CHANNEL_UNKNOWN;
        (void)snprintf(job->outcome.detail, sizeof job->outcome.detail, "the server is gone");
    } else if (drawn == 1) {
        job->outcome.result = CHANNEL_REFUSED;
        (void)snprintf(job->outcome.detail, sizeof job->outcome.detail, "no such mailbox");
    } else {
        provided_note(channel, &job->intent.dispatch);
        job->outcome.result = CHANNEL_SENT;
    }
}

void sim_channel_carry(struct sim_world *world, unsigned index, uint64_t life)
{
    struct channel *channel = world->channels[index];
    if (channel == NULL || channel->life != life || channel->finished == channel->count) {
        return;
    }
    struct sim_node *node = &world->nodes[channel->owner];
    world->running = node;
    if (channel->rule.kind == CAMPAIGN_CHANNEL_FILE) {
        file_carry(channel);
    } else {
        mail_carry_one(channel, &channel->jobs[channel->finished]);
        channel->finished += 1;
    }
    world->running = NULL;
    if (channel->finished < channel->count) {
        carry_later(channel);
    }
    sim_wake(world, node, world->now_us);
}

/* ---- what campaign calls */

enum status channel_open_timed(struct channel **channel, const struct channel_options *options,
                               const struct channel_timing *timing, struct refusal *refusal)
{
    (void)timing; /* the seed's */
    struct sim_world *world = sim_world_current();
    assert(*channel == NULL && world->running != NULL);
    struct channel *opened = memory_allocate(sizeof *opened);
    opened->world = world;
    opened->owner = world->running->number;
    opened->rule = *options->channel;
    opened->life = ++world->channel_lives;
    while (world->channels[opened->index] != NULL) {
        opened->index += 1;
        assert(opened->index < SIM_CHANNELS_MAX);
    }
    enum status status = STATUS_OK;
    if (opened->rule.kind == CAMPAIGN_CHANNEL_FILE) {
        status = channel_file_open(&opened->state, options, refusal);
    }
    if (status != STATUS_OK) {
        free(opened);
        return status;
    }
    world->channels[opened->index] = opened;
    *channel = opened;
    return STATUS_OK;
}

enum status channel_open(struct channel **channel, const struct channel_options *options,
                         struct refusal *refusal)
{
    return channel_open_timed(channel, options, NULL, refusal);
}

void channel_close(struct channel **channel)
{
    struct channel *closing = *channel;
    if (closing == NULL) {
        return;
    }
    closing->world->channels[closing->index] = NULL;
    for (size_t i = 0; i < closing->count; i++) {
        free(closing->jobs[i].bytes);
    }
    if (closing->state != NULL) {
        channel_file_kind.close(closing->state);
    }
    free(closing);
    *channel = NULL;
}

/* Copies the bytes of one text; returns where the next goes. */
static uint8_t *text_keep(uint8_t *place, struct span *text)
{
    if (text->size > 0) {
        memcpy(place, text->data, text->size);
    }
    text->data = place;
    return place + text->size;
}

static void hand_over(struct channel *channel, const struct channel_intent *intent,
                      bool is_recovered)
{
    assert(channel->count < CAMPAIGNS_IN_FLIGHT_MAX);
    struct channel_job *job = &channel->jobs[channel->count++];
    *job = (struct channel_job){ .intent = *intent, .is_recovered = is_recovered };
    size_t size = intent->campaign.size + intent->customer.size + intent->address.size +
                  intent->subject.size + intent->text.size;
    job->bytes = memory_allocate(size + 1);
    uint8_t *place = text_keep(job->bytes, &job->intent.campaign);
    place = text_keep(place, &job->intent.customer);
    place = text_keep(place, &job->intent.address);
    place = text_keep(place, &job->intent.subject);
    (void)text_keep(place, &job->intent.text);
    job->outcome.dispatch = intent->dispatch;
    carry_later(channel);
}

void channel_recover(struct channel *channel, const struct channel_intent *intent)
{
    assert(!channel->has_sent);
    sim_sometimes(channel->world, SIM_INTENT_RECOVERED);
    hand_over(channel, intent, true);
}

void channel_send(struct channel *channel, const struct channel_intent *intent)
{
    channel->has_sent = true;
    /* A blow has fallen in this turn: who would have handed it over is no more. */
    if (channel->world->network.ports[channel->owner].is_mute) {
        return;
    }
    hand_over(channel, intent, false);
}

bool channel_outcome_take(struct channel *channel, struct channel_outcome *outcome)
{
    if (channel->finished == 0) {
        return false;
    }
    *outcome = channel->jobs[0].outcome;
    free(channel->jobs[0].bytes);
    channel->count -= 1;
    channel->finished -= 1;
    memmove(channel->jobs, channel->jobs + 1, channel->count * sizeof channel->jobs[0]);
    return true;
}

/* Nothing here stays as it is for long. */
bool channel_is_stuck(struct channel *channel, char *why, size_t size)
{
    (void)channel;
    if (size > 0) {
        why[0] = '\0';
    }
    return false;
}
