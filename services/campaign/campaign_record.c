#include "services/campaign/campaign_record.h"

#include "common/wire/message.h"
#include "kith/v1/campaign_private.pb-c.h"

#include <assert.h>
#include <string.h>

_Static_assert(CAMPAIGN_RECORD_MOVED == (int)KITH__V1__CAMPAIGN_RECORD__RECORD_MOVED,
               "same numbers");
_Static_assert(CAMPAIGN_RECORD_PLANNED == (int)KITH__V1__CAMPAIGN_RECORD__RECORD_PLANNED,
               "same numbers");
_Static_assert(CAMPAIGN_RECORD_SCHEDULE_RAN == (int)KITH__V1__CAMPAIGN_RECORD__RECORD_SCHEDULE_RAN,
               "same numbers");

/* ---- pieces, written */

static ProtobufCBinaryData customer_bytes(const struct customer_id *customer)
{
    return pb_bytes(span_of(customer->bytes, sizeof customer->bytes));
}

static Kith__V1__Sealed sealed_write(struct sealed sealed)
{
    Kith__V1__Sealed message = KITH__V1__SEALED__INIT;
    message.has_key_id = sealed.key_id != 0;
    message.key_id = sealed.key_id;
    message.has_bytes = true;
    message.bytes = pb_bytes(sealed.bytes);
    return message;
}

static Kith__V1__CampaignPlan plan_write(const struct campaign_plan *plan, struct arena *arena)
{
    Kith__V1__CampaignPlan message = KITH__V1__CAMPAIGN_PLAN__INIT;
    message.has_dispatch = true;
    message.dispatch = pb_bytes(span_of(plan->dispatch.bytes, sizeof plan->dispatch.bytes));
    message.campaign = message_text(arena, campaign_name_span(&plan->campaign));
    message.has_trigger = true;
    message.trigger = (Kith__V1__DispatchTrigger)plan->trigger;
    message.step = message_text(arena, span_of(plan->step.text, plan->step.size));
    return message;
}

/* ---- records, written */

struct written_moved {
    Kith__V1__Sealed values[CAMPAIGNS_NEEDS_MAX];
    Kith__V1__ContactAttribute contact[CAMPAIGNS_NEEDS_MAX];
    Kith__V1__ContactAttribute *contact_pointers[CAMPAIGNS_NEEDS_MAX];
    Kith__V1__CampaignPlan plans[CAMPAIGNS_MAX];
    Kith__V1__CampaignPlan *plan_pointers[CAMPAIGNS_MAX];
};

static void moved_append(const struct campaign_moved *moved, struct arena *arena,
                         struct buffer *out)
{
    assert(moved->contact_count <= CAMPAIGNS_NEEDS_MAX && moved->plan_count <= CAMPAIGNS_MAX);
    struct written_moved written;
    for (size_t i = 0; i < moved->contact_count; i++) {
        written.values[i] = sealed_write(moved->contact[i].value);
        kith__v1__contact_attribute__init(&written.contact[i]);
        written.contact[i].name = message_text(arena, moved->contact[i].name);
        written.contact[i].value = &written.values[i];
        written.contact_pointers[i] = &written.contact[i];
    }
    for (size_t i = 0; i < moved->plan_count; i++) {
        written.plans[i] = plan_write(&moved->plans[i], arena);
        written.plan_pointers[i] = &written.plans[i];
    }
    Kith__V1__Sealed subject = sealed_write(campaign_subject_sealed(&moved->subject));
    Kith__V1__CampaignMoved message = KITH__V1__CAMPAIGN_MOVED__INIT;
    message.has_customer = true;
    message.customer = customer_bytes(&moved->customer);
    message.subject = &subject;
    message.segment = message_text(arena, campaign_name_span(&moved->segment));
    message.has_entered = true;
    message.entered = moved->entered;
    message.has_at_ms = true;
    message.at_ms = moved->at_ms;
    message.n_contact = moved->contact_count;
    message.contact = written.contact_pointers;
    message.n_plans = moved->plan_count;
    message.plans = written.plan_pointers;
    Kith__V1__CampaignRecord record = KITH__V1__CAMPAIGN_RECORD__INIT;
    record.record_case = KITH__V1__CAMPAIGN_RECORD__RECORD_MOVED;
    record.moved = &message;
    message_append(&record.base, out);
}

static void planned_append(const struct campaign_planned *planned, struct arena *arena,
                           struct buffer *out)
{
    Kith__V1__CampaignPlan plan = plan_write(&planned->plan, arena);
    Kith__V1__CampaignPlanned message = KITH__V1__CAMPAIGN_PLANNED__INIT;
    message.has_customer = true;
    message.customer = customer_bytes(&planned->customer);
    message.plan = &plan;
    message.has_at_ms = true;
    message.at_ms = planned->at_ms;
    Kith__V1__CampaignRecord record = KITH__V1__CAMPAIGN_RECORD__INIT;
    record.record_case = KITH__V1__CAMPAIGN_RECORD__RECORD_PLANNED;
    record.planned = &message;
    message_append(&record.base, out);
}

static void schedule_ran_append(const struct campaign_schedule_ran *ran, struct arena *arena,
                                struct buffer *out)
{
    Kith__V1__CampaignScheduleRan message = KITH__V1__CAMPAIGN_SCHEDULE_RAN__INIT;
    message.campaign = message_text(arena, campaign_name_span(&ran->campaign));
    message.has_due_ms = true;
    message.due_ms = ran->due_ms;
    message.has_after = ran->has_after;
    message.after = customer_bytes(&ran->after);
    message.has_done = true;
    message.done = ran->done;
    Kith__V1__CampaignRecord record = KITH__V1__CAMPAIGN_RECORD__INIT;
    record.record_case = KITH__V1__CAMPAIGN_RECORD__RECORD_SCHEDULE_RAN;
    record.schedule_ran = &message;
    message_append(&record.base, out);
}

void campaign_record_encode(const struct campaign_record *record, struct arena *arena,
                            struct buffer *out)
{
    switch (record->kind) {
    case CAMPAIGN_RECORD_MOVED:
        moved_append(&record->moved, arena, out);
        return;
    case CAMPAIGN_RECORD_PLANNED:
        planned_append(&record->planned, arena, out);
        return;
    case CAMPAIGN_RECORD_SCHEDULE_RAN:
        schedule_ran_append(&record->ran, arena, out);
        return;
    }
    assert(false);
}

/* ---- pieces, read */

static bool time_is_valid(int64_t at_ms)
{
    return at_ms >= LIMIT_TIME_LEAST_MS && at_ms <= LIMIT_TIME_MOST_MS;
}

static bool name_read(const char *text, struct campaign_name *name)
{
    if (!id_text_is_valid(pb_text(text))) {
        return false;
    }
    *name = campaign_name_of(pb_text(text));
    return true;
}

static bool customer_read(ProtobufCBinaryData bytes, struct customer_id *customer)
{
    if (bytes.len != sizeof customer->bytes) {
        return false;
    }
    memcpy(customer->bytes, bytes.data, sizeof customer->bytes);
    return true;
}

static bool contact_read(Kith__V1__ContactAttribute *const *messages, size_t count,
                         struct campaign_moved *moved)
{
    if (count > CAMPAIGNS_NEEDS_MAX) {
        return false;
    }
    moved->contact_count = count;
    for (size_t i = 0; i < count; i++) {
        const Kith__V1__ContactAttribute *message = messages[i];
        if (message->value == NULL || message->value->bytes.len > CAMPAIGN_CONTACT_BYTES ||
            !id_text_is_valid(pb_text(message->name))) {
            return false;
        }
        moved->contact[i] = (struct campaign_said){
            .name = pb_text(message->name),
            .value = { .key_id = message->value->key_id, .bytes = pb_span(message->value->bytes) },
        };
    }
    return true;
}

static bool plan_read(const Kith__V1__CampaignPlan *message, struct campaign_plan *plan)
{
    struct span step = pb_text(message->step);
    if (message->dispatch.len != sizeof plan->dispatch.bytes ||
        (unsigned)message->trigger > CAMPAIGN_BY_COMMAND || step.size < 1 ||
        step.size > CAMPAIGN_STEP_BYTES || !text_is_clean(step) ||
        !name_read(message->campaign, &plan->campaign)) {
        return false;
    }
    memcpy(plan->dispatch.bytes, message->dispatch.data, message->dispatch.len);
    plan->trigger = (enum campaign_trigger)message->trigger;
    plan->step = campaign_step_of(step);
    return true;
}

/* ---- segmentation's facts */

enum status campaign_moved_read(const struct fact *fact, struct arena *arena,
                                struct campaign_moved *moved)
{
    bool entered = fact->type == FACT_SEGMENT_ENTERED;
    if ((!entered && fact->type != FACT_SEGMENT_EXITED) || !fact->has_customer ||
        fact->subject.bytes.size == 0 || fact->subject.bytes.size > CAMPAIGN_SUBJECT_BYTES) {
        return STATUS_CORRUPT;
    }
    *moved = (struct campaign_moved){ .customer = fact->customer,
                                      .subject = campaign_subject_of(fact->subject),
                                      .entered = entered };
    const char *segment = NULL;
    bool valid = true;
    if (entered) {
        const Kith__V1__SegmentEntered *message =
            pb_unpack(&kith__v1__segment_entered__descriptor, arena, fact->body);
        segment = message == NULL ? NULL : message->segment;
        valid = message != NULL && contact_read(message->contact, message->n_contact, moved);
    } else {
        const Kith__V1__SegmentExited *message =
            pb_unpack(&kith__v1__segment_exited__descriptor, arena, fact->body);
        segment = message == NULL ? NULL : message->segment;
    }
    return valid && name_read(segment, &moved->segment) ? STATUS_OK : STATUS_CORRUPT;
}

/* ---- records, read */

static bool moved_read(const Kith__V1__CampaignMoved *message, struct campaign_moved *moved)
{
    if (message->subject == NULL || message->subject->bytes.len == 0 ||
        message->subject->bytes.len > CAMPAIGN_SUBJECT_BYTES || message->n_plans > CAMPAIGNS_MAX ||
        !time_is_valid(message->at_ms)) {
        return false;
    }
    *moved = (struct campaign_moved){
        .subject = campaign_subject_of((struct sealed){
            .key_id = message->subject->key_id, .bytes = pb_span(message->subject->bytes) }),
        .entered = message->entered,
        .at_ms = message->at_ms,
        .plan_count = message->n_plans,
    };
    bool valid = customer_read(message->customer, &moved->customer) &&
                 name_read(message->segment, &moved->segment) &&
                 contact_read(message->contact, message->n_contact, moved);
    for (size_t i = 0; i < message->n_plans && valid; i++) {
        valid = plan_read(message->plans[i], &moved->plans[i]);
    }
    return valid;
}

static bool planned_read(const Kith__V1__CampaignPlanned *message, struct campaign_planned *planned)
{
    planned->at_ms = message->at_ms;
    return message->plan != NULL && time_is_valid(message->at_ms) &&
           customer_read(message->customer, &planned->customer) &&
           plan_read(message->plan, &planned->plan);
}

static bool schedule_ran_read(const Kith__V1__CampaignScheduleRan *message,
                              struct campaign_schedule_ran *ran)
{
    *ran = (struct campaign_schedule_ran){ .due_ms = message->due_ms,
                                           .has_after = message->has_after,
                                           .done = message->done };
    return time_is_valid(message->due_ms) && name_read(message->campaign, &ran->campaign) &&
           (!message->has_after || customer_read(message->after, &ran->after));
}

enum status campaign_record_decode(struct span bytes, struct arena *arena,
                                   struct campaign_record *record)
{
    const Kith__V1__CampaignRecord *message =
        pb_unpack(&kith__v1__campaign_record__descriptor, arena, bytes);
    if (message == NULL) {
        return STATUS_CORRUPT;
    }
    bool valid = false;
    if (message->record_case == KITH__V1__CAMPAIGN_RECORD__RECORD_MOVED) {
        valid = moved_read(message->moved, &record->moved);
    } else if (message->record_case == KITH__V1__CAMPAIGN_RECORD__RECORD_PLANNED) {
        valid = planned_read(message->planned, &record->planned);
    } else if (message->record_case == KITH__V1__CAMPAIGN_RECORD__RECORD_SCHEDULE_RAN) {
        valid = schedule_ran_read(message->schedule_ran, &record->ran);
    }
    record->kind = (enum campaign_record_kind)message->record_case;
    return valid ? STATUS_OK : STATUS_CORRUPT;
}
