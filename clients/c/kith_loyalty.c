#include "clients/c/kith_connection.h"
#include "clients/c/kith_reply.h"
#include "clients/c/kith_status.h"
#include "clients/c/kith_text.h"
#include "kith/v1/loyalty.pb-c.h"

enum kith_status kith_balance_read(struct kith_connection *connection, const char *customer,
                                   const char *programme, struct kith_balance *balance,
                                   struct kith_error *error)
{
    if (!kith_id_is_valid(customer)) {
        return kith_error_id(error, "customer");
    }
    if (programme != NULL && !kith_id_is_valid(programme)) {
        return kith_error_id(error, "programme");
    }
    Kith__V1__BalanceRequest request = KITH__V1__BALANCE_REQUEST__INIT;
    request.customer = kith_unconst_text(customer);
    request.programme = kith_unconst_text(programme);
    struct kith_question question = {
        .method = "loyalty.Balance",
        .message = &request.base,
        .reply = &kith__v1__balance_reply__descriptor,
    };
    struct kith_budget budget = { 0 };
    void *answer = NULL;
    enum kith_status status = kith_ask(connection, &question, &budget, &answer, error);
    if (status != KITH_OK) {
        return status;
    }
    const Kith__V1__BalanceReply *reply = answer;
    if (!reply->has_available) {
        status = kith_reply_senseless(question.method, "it holds no balance", error);
    } else {
        *balance = (struct kith_balance){
            .available_points = reply->available,
            .earned_points = reply->earned,
            .spent_points = reply->spent,
            .postings = reply->postings,
        };
        kith_text_take(reply->programme, balance->programme, sizeof balance->programme);
    }
    kith_unpacked_free(&budget, answer);
    return status;
}
