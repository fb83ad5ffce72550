#include "clients/c/kith_connection.h"
#include "clients/c/kith_status.h"
#include "clients/c/kith_text.h"
#include "kith/v1/feed.pb-c.h"

/* One question is parked no longer than this, and its answer has so much time to come. */
#define PARKED_MS_MAX 5000
#define MARGIN_MS 2000

static enum kith_status wait_ask(struct kith_connection *connection, Kith__V1__WaitRequest *request,
                                 int64_t left_ms, bool *is_reached, struct kith_error *error)
{
    int64_t parked_ms = left_ms < 0 ? 0 : left_ms;
    parked_ms = parked_ms > PARKED_MS_MAX ? PARKED_MS_MAX : parked_ms;
    request->has_timeout_ms = true;
    request->timeout_ms = (uint32_t)parked_ms;
    struct kith_question question = {
        .method = "feed.Wait",
        .message = &request->base,
        .reply = &kith__v1__wait_reply__descriptor,
        .timeout_ms = parked_ms + MARGIN_MS,
        .attempt_ms = parked_ms + MARGIN_MS,
    };
    struct kith_budget budget = { 0 };
    void *answer = NULL;
    enum kith_status status = kith_ask(connection, &question, &budget, &answer, error);
    if (status == KITH_OK) {
        *is_reached = ((const Kith__V1__WaitReply *)answer)->reached;
        kith_unpacked_free(&budget, answer);
    }
    return status;
}

static enum kith_status positions_wait(struct kith_connection *connection,
                                       Kith__V1__WaitRequest *request, int64_t timeout_ms,
                                       struct kith_error *error)
{
    int64_t ends_at_ms = kith_monotonic_ms() + timeout_ms;
    int64_t left_ms = timeout_ms;
    bool is_reached = false;
    enum kith_status status = KITH_OK;
    do {
        status = wait_ask(connection, request, left_ms, &is_reached, error);
        left_ms = ends_at_ms - kith_monotonic_ms();
    } while (left_ms > 0 && (status == KITH_UNAVAILABLE || (status == KITH_OK && !is_reached)));
    if (status == KITH_OK && !is_reached) {
        return kith_error_set(error, KITH_DEADLINE_EXCEEDED,
                              "%s has not folded all these positions in %lld ms",
                              kith_connection_endpoint(connection), (long long)timeout_ms);
    }
    return status;
}

enum kith_status kith_wait(struct kith_connection *connection,
                           const struct kith_position *positions, size_t count, int64_t timeout_ms,
                           struct kith_error *error)
{
    if (count > KITH_WAIT_POSITIONS) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "%zu positions are given, and at most %d can be", count,
                              KITH_WAIT_POSITIONS);
    }
    Kith__V1__Position messages[KITH_WAIT_POSITIONS];
    Kith__V1__Position *list[KITH_WAIT_POSITIONS];
    for (size_t i = 0; i < count; i++) {
        if (!kith_id_is_valid(positions[i].feed)) {
            return kith_error_id(error, "a position's feed");
        }
        kith__v1__position__init(&messages[i]);
        messages[i].feed = kith_unconst_text(positions[i].feed);
        messages[i].has_shard = true;
        messages[i].shard = positions[i].shard;
        messages[i].has_seq = true;
        messages[i].seq = positions[i].seq;
        list[i] = &messages[i];
    }
    Kith__V1__WaitRequest request = KITH__V1__WAIT_REQUEST__INIT;
    request.positions = list;
    request.n_positions = count;
    return positions_wait(connection, &request, kith_timeout_within(timeout_ms), error);
}
