#include "clients/c/kith_connection.h"
#include "clients/c/kith_reply.h"
#include "clients/c/kith_status.h"
#include "clients/c/kith_text.h"
#include "kith/v1/campaign.pb-c.h"

#include <string.h>

/* The service keeps a question until it knows, and answers shortly before its time-out. One asks
 * no longer than this, so that a service that was started anew is asked again soon; and no
 * shorter, so that an answer has time to come. */
#define QUESTION_MS_MAX 5000
#define QUESTION_MS_LEAST 1000
#define REASON_PREFIX "SUPPRESSED_"

enum kith_status kith_campaign_trigger(struct kith_connection *connection,
                                       const struct kith_trigger *trigger,
                                       struct kith_dispatch_id *dispatch, struct kith_error *error)
{
    if (!kith_id_is_valid(trigger->campaign)) {
        return kith_error_id(error, "campaign");
    }
    if (!kith_id_is_valid(trigger->customer)) {
        return kith_error_id(error, "customer");
    }
    if (trigger->key == NULL) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT, "the key is missing");
    }
    Kith__V1__TriggerRequest request = KITH__V1__TRIGGER_REQUEST__INIT;
    request.campaign = kith_unconst_text(trigger->campaign);
    request.customer = kith_unconst_text(trigger->customer);
    struct kith_question question = {
        .method = "campaign.Trigger",
        .key = trigger->key,
        .message = &request.base,
        .reply = &kith__v1__dispatch_reply__descriptor,
    };
    struct kith_budget budget = { 0 };
    void *answer = NULL;
    enum kith_status status = kith_ask(connection, &question, &budget, &answer, error);
    if (status != KITH_OK) {
        return status;
    }
    const Kith__V1__DispatchReply *reply = answer;
    if (reply->dispatch.len != sizeof dispatch->bytes) {
        status = kith_reply_senseless(question.method, "it names no dispatch", error);
    } else {
        memcpy(dispatch->bytes, reply->dispatch.data, sizeof dispatch->bytes);
    }
    kith_unpacked_free(&budget, answer);
    return status;
}

/* ---- what became of it */

/* False: a state that this version does not know. */
static bool state_take(Kith__V1__DispatchState state, enum kith_dispatch_state *out)
{
    switch (state) {
    case KITH__V1__DISPATCH_STATE__DISPATCH_IS_PENDING:
        *out = KITH_DISPATCH_PENDING;
        return true;
    case KITH__V1__DISPATCH_STATE__DISPATCH_IS_SENT:
        *out = KITH_DISPATCH_SENT;
        return true;
    case KITH__V1__DISPATCH_STATE__DISPATCH_IS_SUPPRESSED:
        *out = KITH_DISPATCH_SUPPRESSED;
        return true;
    case KITH__V1__DISPATCH_STATE__DISPATCH_IS_UNKNOWN:
        *out = KITH_DISPATCH_UNKNOWN;
        return true;
    case _KITH__V1__DISPATCH_STATE_IS_INT_SIZE:
    default:
        return false;
    }
}

static void reason_take(Kith__V1__SuppressedReason reason, char *out, size_t room)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&kith__v1__suppressed_reason__descriptor, (int)reason);
    const char *name = value == NULL ? "" : value->name;
    size_t prefix = strlen(REASON_PREFIX);
    kith_text_take(strncmp(name, REASON_PREFIX, prefix) == 0 ? name + prefix : name, out, room);
}

static enum kith_status dispatch_take(const Kith__V1__DispatchReply *reply,
                                      struct kith_dispatch *dispatch, struct kith_error *error)
{
    struct kith_dispatch taken = { .number = reply->number, .decided_at_ms = reply->decided_at_ms };
    if (!reply->has_state || !state_take(reply->state, &taken.state)) {
        return kith_reply_senseless("campaign.Dispatch", "it is in no known state", error);
    }
    if (taken.state == KITH_DISPATCH_SUPPRESSED) {
        reason_take(reply->reason, taken.reason, sizeof taken.reason);
    }
    kith_text_take(reply->detail, taken.detail, sizeof taken.detail);
    kith_text_take(reply->channel, taken.channel, sizeof taken.channel);
    *dispatch = taken;
    return KITH_OK;
}

static enum kith_status dispatch_ask(struct kith_connection *connection,
                                     const struct kith_dispatch_id *id, int64_t wait_ms,
                                     struct kith_dispatch *dispatch, struct kith_error *error)
{
    Kith__V1__DispatchRequest request = KITH__V1__DISPATCH_REQUEST__INIT;
    request.has_dispatch = true;
    request.dispatch = kith_unconst_bytes(id->bytes, sizeof id->bytes);
    struct kith_question question = {
        .method = "campaign.Dispatch",
        .message = &request.base,
        .reply = &kith__v1__dispatch_reply__descriptor,
        .timeout_ms = wait_ms,
        .attempt_ms = wait_ms,
    };
    struct kith_budget budget = { 0 };
    void *answer = NULL;
    enum kith_status status = kith_ask(connection, &question, &budget, &answer, error);
    if (status == KITH_OK) {
        status = dispatch_take(answer, dispatch, error);
        kith_unpacked_free(&budget, answer);
    }
    return status;
}

static int64_t question_ms(int64_t left_ms)
{
    if (left_ms < QUESTION_MS_LEAST) {
        return QUESTION_MS_LEAST;
    }
    return left_ms > QUESTION_MS_MAX ? QUESTION_MS_MAX : left_ms;
}

enum kith_status kith_dispatch_wait(struct kith_connection *connection,
                                    const struct kith_dispatch_id *id, int64_t timeout_ms,
                                    struct kith_dispatch *dispatch, struct kith_error *error)
{
    int64_t left_ms = kith_timeout_within(timeout_ms);
    int64_t ends_at_ms = kith_monotonic_ms() + left_ms;
    struct kith_dispatch asked = { .state = KITH_DISPATCH_PENDING };
    enum kith_status status = KITH_OK;
    bool goes_on = true;
    while (goes_on) {
        status = dispatch_ask(connection, id, question_ms(left_ms), &asked, error);
        left_ms = ends_at_ms - kith_monotonic_ms();
        bool is_open = status == KITH_UNAVAILABLE ||
                       (status == KITH_OK && asked.state == KITH_DISPATCH_PENDING);
        goes_on = is_open && left_ms > 0;
    }
    if (status == KITH_OK) {
        *dispatch = asked;
    }
    return status;
}
