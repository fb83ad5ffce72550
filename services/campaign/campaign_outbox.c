/* Hands messages to the channels once they are durable, and takes outcomes back. */
#include "services/campaign/campaign_codec.h"
#include "services/campaign/campaign_internal.h"

#include <assert.h>
#include <unistd.h>

static const char lost_detail[] = "the channel is not in the configuration any more";
static const char changed_detail[] = "the channel is another by now, says the configuration";

/* ---- handing over */

void campaign_outbox_add(struct campaign_outbox *outbox, struct hash128 dispatch)
{
    if (!outbox->is_started) {
        return;
    }
    assert(outbox->intended_count < CAMPAIGN_OPEN_MAX);
    outbox->intended[outbox->intended_count++] = dispatch;
}

/* A message as the channel is given it: its spans look into the arena `input` and in here. */
struct handed {
    struct campaign_open open;
    struct campaign_subject subject;
    struct channel_intent intent;
};

static void handed_load(struct campaign *campaign, const struct view *view, struct span channel,
                        uint8_t place, struct handed *handed)
{
    bool found = campaign_open_load(view, channel, place, &handed->open) &&
                 campaign_customer_load(view, handed->open.customer, &handed->subject);
    assert(found && handed->open.key_id == 0);
    struct campaign_parts parts = { .text = { 0 } };
    arena_reset(&campaign->input);
    enum status status = campaign_message_decode(span_of(handed->open.message, handed->open.size),
                                                 &campaign->input, &parts);
    assert(status == STATUS_OK);
    handed->intent = (struct channel_intent){
        .dispatch = handed->open.dispatch,
        .campaign = campaign_name_span(&handed->open.campaign),
        .customer = span_of(handed->subject.bytes, handed->subject.size),
        .address = parts.address,
        .subject = parts.subject,
        .text = parts.text,
        .at_ms = handed->open.at_ms,
    };
}

static void outbox_synced(void *service, const struct view *view)
{
    struct campaign *campaign = service;
    struct campaign_outbox *outbox = &campaign->outbox;
    for (size_t i = 0; i < outbox->intended_count; i++) {
        struct campaign_dispatch dispatch = { .state = CAMPAIGN_PLANNED };
        bool found = campaign_dispatch_load(view, outbox->intended[i], &dispatch);
        assert(found && dispatch.state == CAMPAIGN_OPEN);
        struct span channel = campaign_name_span(&dispatch.channel);
        size_t index = campaigns_channel_find(&campaign->campaigns, channel);
        assert(index < campaign->campaigns.channel_count);
        struct handed handed;
        handed_load(campaign, view, channel, dispatch.place, &handed);
        channel_send(outbox->channels[index], &handed.intent);
    }
    outbox->intended_count = 0;
}

/* ---- life */

/* Where the open message with the smallest seq after `after` stands. False: there is none. */
static bool open_after(const struct view *view, struct span channel, uint64_t after, uint8_t *place,
                       uint64_t *seq)
{
    uint32_t places = campaign_places_load(view, channel);
    bool found = false;
    for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        struct campaign_open open = { .seq = 0 };
        if ((places >> i & 1U) == 1U && campaign_open_load(view, channel, i, &open) &&
            open.seq > after && (!found || open.seq < *seq)) {
            *place = i;
            *seq = open.seq;
            found = true;
        }
    }
    return found;
}

/* What another kind of channel was given, or one with another folder, this one cannot tell. */
static bool is_own(const struct campaign_channel *channel, const struct campaign_open *open)
{
    return hash128_equal(open->channel_identity, campaign_channel_identity(channel));
}

static void channel_recover_all(struct campaign *campaign, const struct view *view, size_t index)
{
    const struct campaign_channel *channel = &campaign->campaigns.channels[index];
    struct span name = span_of_text(channel->name);
    uint64_t seq = 0;
    uint8_t place = 0;
    while (open_after(view, name, seq, &place, &seq)) {
        struct handed handed;
        handed_load(campaign, view, name, place, &handed);
        if (is_own(channel, &handed.open)) {
            channel_recover(campaign->outbox.channels[index], &handed.intent);
        }
    }
}

/* An open message that no channel of the configuration can tell about. */
struct orphan {
    const struct campaigns *campaigns;
    const struct view *view;
    bool is_found;
    struct hash128 dispatch;
    const char *detail;
};

static void orphan_visit(void *argument, struct span name, uint32_t places)
{
    struct orphan *orphan = argument;
    size_t index = campaigns_channel_find(orphan->campaigns, name);
    bool is_lost = index == orphan->campaigns->channel_count;
    for (uint8_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX && !orphan->is_found; i++) {
        struct campaign_open open = { .seq = 0 };
        if ((places >> i & 1U) == 1U && campaign_open_load(orphan->view, name, i, &open) &&
            (is_lost || !is_own(&orphan->campaigns->channels[index], &open))) {
            orphan->is_found = true;
            orphan->dispatch = open.dispatch;
            orphan->detail = is_lost ? lost_detail : changed_detail;
        }
    }
}

static struct orphan orphan_find(const struct campaign *campaign, const struct view *view)
{
    struct orphan orphan = { .campaigns = &campaign->campaigns, .view = view };
    campaign_places_walk(view, orphan_visit, &orphan);
    return orphan;
}

static void wake_write(const struct campaign_outbox *outbox)
{
    /* It fails only when the counter is full, and then it is readable already. */
    const uint64_t one = 1;
    (void)!write(outbox->wake, &one, sizeof one);
}

static enum status outbox_start(void *service, const struct view *view, struct refusal *refusal)
{
    struct campaign *campaign = service;
    struct campaign_outbox *outbox = &campaign->outbox;
    for (size_t i = 0; i < campaign->campaigns.channel_count; i++) {
        struct channel_options options = {
            .channel = &campaign->campaigns.channels[i],
            .data = campaign->data,
            .shard = campaign->shard,
            .wake = outbox->wake,
        };
        enum status status = channel_open(&outbox->channels[i], &options, refusal);
        if (status != STATUS_OK) {
            return status;
        }
        channel_recover_all(campaign, view, i);
    }
    outbox->is_started = true;
    outbox->has_orphans = orphan_find(campaign, view).is_found;
    if (outbox->has_orphans) {
        wake_write(outbox);
    }
    return STATUS_OK;
}

static void outbox_stop(void *service)
{
    struct campaign *campaign = service;
    struct campaign_outbox *outbox = &campaign->outbox;
    for (size_t i = 0; i < CAMPAIGNS_CHANNELS_MAX; i++) {
        channel_close(&outbox->channels[i]);
    }
    outbox->is_started = false;
    outbox->intended_count = 0;
}

/* ---- taking back */

static int outbox_descriptor(void *service)
{
    const struct campaign *campaign = service;
    return campaign->outbox.wake;
}

static void outcome_emit(struct campaign *campaign, struct turn *turn,
                         const struct campaign_outcome *outcome)
{
    struct campaign_decision decision = { .becomes = CAMPAIGN_PLANNED };
    campaign_core_outcome(turn_view(turn), outcome, &decision);
    campaign_decision_emit(campaign, turn, &decision);
}

static void channel_outcome_emit(struct campaign *campaign, struct turn *turn,
                                 const struct channel_outcome *told)
{
    static const enum campaign_dispatch_state becomes[] = {
        [CHANNEL_SENT] = CAMPAIGN_SENT,
        [CHANNEL_REFUSED] = CAMPAIGN_SUPPRESSED,
        [CHANNEL_UNKNOWN] = CAMPAIGN_UNKNOWN,
    };
    struct campaign_outcome outcome = { .dispatch = told->dispatch,
                                        .becomes = becomes[told->result],
                                        .detail = span_of_text(told->detail) };
    outcome_emit(campaign, turn, &outcome);
}

static size_t orphans_take(struct campaign *campaign, struct turn *turn, size_t facts_max)
{
    size_t made = 0;
    while (campaign->outbox.has_orphans && made < facts_max) {
        struct orphan orphan = orphan_find(campaign, turn_view(turn));
        campaign->outbox.has_orphans = orphan.is_found;
        if (orphan.is_found) {
            struct campaign_outcome outcome = { .dispatch = orphan.dispatch,
                                                .becomes = CAMPAIGN_UNKNOWN,
                                                .detail = span_of_text(orphan.detail) };
            outcome_emit(campaign, turn, &outcome);
            made += 1;
        }
    }
    return made;
}

static bool outbox_take(void *service, struct turn *turn, size_t facts_max)
{
    struct campaign *campaign = service;
    struct campaign_outbox *outbox = &campaign->outbox;
    uint64_t written = 0;
    (void)!read(outbox->wake, &written, sizeof written);
    size_t made = orphans_take(campaign, turn, facts_max);
    for (size_t i = 0; i < campaign->campaigns.channel_count; i++) {
        struct channel_outcome told;
        while (made < facts_max && channel_outcome_take(outbox->channels[i], &told)) {
            channel_outcome_emit(campaign, turn, &told);
            made += 1;
        }
    }
    if (made >= facts_max) {
        wake_write(outbox);
    }
    return made > 0;
}

static bool outbox_holds(void *service, const struct view *view)
{
    struct campaign *campaign = service;
    if (!campaign->is_event_clock) {
        return false;
    }
    struct campaign_head head = { .rules_version = 0 };
    (void)campaign_head_load(view, &head);
    return head.planned > 0 || campaign_survey_renew(campaign, view)->is_running;
}

static bool outbox_is_stuck(void *service, char *why, size_t size)
{
    struct campaign *campaign = service;
    for (size_t i = 0; i < campaign->campaigns.channel_count; i++) {
        if (campaign->outbox.channels[i] != NULL &&
            channel_is_stuck(campaign->outbox.channels[i], why, size)) {
            return true;
        }
    }
    return false;
}

/* One channel that is stuck says nothing about what another has in hand. */
static bool outbox_is_out(void *service, const struct view *view)
{
    const struct campaign *campaign = service;
    char why[CHANNEL_DETAIL_BYTES];
    for (size_t i = 0; i < campaign->campaigns.channel_count; i++) {
        struct channel *channel = campaign->outbox.channels[i];
        struct span name = span_of_text(campaign->campaigns.channels[i].name);
        if (channel != NULL && campaign_places_load(view, name) != 0 &&
            !channel_is_stuck(channel, why, sizeof why)) {
            return true;
        }
    }
    return false;
}

const struct service_effects campaign_effects = {
    .start = outbox_start,
    .stop = outbox_stop,
    .synced = outbox_synced,
    .descriptor = outbox_descriptor,
    .take = outbox_take,
    .holds = outbox_holds,
    .is_stuck = outbox_is_stuck,
    .is_out = outbox_is_out,
};
