#include "cli/ledger_verify.h"

#include "cli/feed_stream.h"
#include "cli/ledger_check.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/suite.h"
#include "cli/wait_pass.h"
#include "common/wire/pb.h"
#include "kith/v1/loyalty.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE_ACCOUNTS 1000

/* One shard under verification. */
struct verify {
    struct suite *suite;
    uint32_t shard;
    struct ledger_check *check;
    struct feed_stream *stream;
    struct arena arena;
    uint64_t seq; /* folded up to here */
    struct refusal refusal;
};

/* ---- the feed */

static bool is_posting(uint32_t type)
{
    return type == FACT_POINTS_EARNED || type == FACT_POINTS_SPENT ||
           type == FACT_POINTS_REVERSED || type == FACT_POINTS_GRANTED;
}

static enum status posting_add(struct verify *verify, const struct fact *fact)
{
    arena_reset(&verify->arena);
    const Kith__V1__PointsPosted *posted =
        pb_unpack(&kith__v1__points_posted__descriptor, &verify->arena, fact->body);
    if (posted == NULL || posted->programme == NULL || !fact->has_customer) {
        return refusal_set(&verify->refusal, STATUS_CORRUPT,
                           "seq %" PRIu64 ": is a posting without account, or cannot be read",
                           fact->seq);
    }
    struct ledger_posting posting = {
        .seq = fact->seq,
        .owner = { .programme = span_of_text(posted->programme),
                   .is_customer = true,
                   .customer = fact->customer },
        .counter = (uint32_t)posted->counter,
        .points = posted->points,
        .balance_after = posted->balance_after,
        .number = posted->number,
    };
    return ledger_check_post(verify->check, &posting, &verify->refusal);
}

/* Reads up to exactly `seq`. */
static enum status feed_fold(struct verify *verify, uint64_t seq)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && verify->seq < seq) {
        const struct fact *fact = NULL;
        status = feed_stream_next(verify->stream, suite_patience_ms(verify->suite), &fact,
                                  &verify->refusal);
        if (status != STATUS_OK) {
            break;
        }
        verify->seq = fact->seq;
        if (is_posting(fact->type)) {
            status = posting_add(verify, fact);
        }
    }
    return status;
}

/* ---- the accounts */

static enum status page_compare(struct verify *verify, const Kith__V1__AccountsReply *reply)
{
    for (size_t i = 0; i < reply->n_accounts; i++) {
        const Kith__V1__Account *account = reply->accounts[i];
        struct ledger_owner owner = { .programme = pb_text(account->programme),
                                      .is_customer = account->has_customer,
                                      .own = (uint32_t)account->own };
        if (account->has_customer && account->customer.len != sizeof owner.customer.bytes) {
            return refusal_set(&verify->refusal, STATUS_CORRUPT,
                               "an account's customer has %zu bytes", account->customer.len);
        }
        if (account->has_customer) {
            memcpy(owner.customer.bytes, account->customer.data, sizeof owner.customer.bytes);
        }
        enum status status = ledger_check_compare(verify->check, &owner, account->balance,
                                                  reply->seq, &verify->refusal);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* Each page is compared as of the seq that it states; the feed is folded up to there first.
 * An account that came after the first page may lie before its place, so only those that
 * were there then must all be seen. */
static enum status accounts_compare(struct verify *verify)
{
    uint8_t after[LIMIT_HEADER_BYTES];
    uint64_t first_seq = 0;
    bool is_first = true;
    Kith__V1__AccountsRequest request = KITH__V1__ACCOUNTS_REQUEST__INIT;
    request.has_limit = 1;
    request.limit = PAGE_ACCOUNTS;
    for (;;) {
        struct suite_call call = { .service = "loyalty",
                                   .shard = verify->shard,
                                   .socket = SUITE_COMMANDS,
                                   .method = "loyalty.Accounts",
                                   .message = &request.base,
                                   .reply = &kith__v1__accounts_reply__descriptor,
                                   .timeout_ms = suite_patience_ms(verify->suite) };
        const Kith__V1__AccountsReply *reply = suite_call(verify->suite, &call, &verify->refusal);
        if (reply == NULL) {
            return verify->refusal.status;
        }
        first_seq = is_first ? reply->seq : first_seq;
        is_first = false;
        enum status status = feed_fold(verify, reply->seq);
        if (status == STATUS_OK) {
            status = page_compare(verify, reply);
        }
        if (status != STATUS_OK) {
            return status;
        }
        if (!reply->has_next || reply->next.len == 0 || reply->next.len > sizeof after) {
            return ledger_check_complete(verify->check, first_seq, &verify->refusal);
        }
        memcpy(after, reply->next.data, reply->next.len);
        request.has_after = 1;
        request.after = (ProtobufCBinaryData){ .len = reply->next.len, .data = after };
    }
}

/* ---- all shards */

struct findings {
    struct ledger_totals totals;
    struct positions positions;
};

static enum status shard_verify(struct verify *verify, struct findings *findings)
{
    uint64_t end = 0;
    struct feed_stream_options options = { .service = "loyalty", .shard = verify->shard };
    enum status status =
        wait_feed_end(verify->suite, "loyalty", verify->shard, &end, &verify->refusal);
    if (status == STATUS_OK) {
        status = feed_stream_open(&verify->stream, verify->suite, &options, &verify->refusal);
    }
    if (status == STATUS_OK) {
        status = feed_fold(verify, end);
    }
    if (status == STATUS_OK) {
        status = accounts_compare(verify);
    }
    struct ledger_totals totals = ledger_check_totals(verify->check);
    findings->totals.postings += totals.postings;
    findings->totals.accounts += totals.accounts;
    findings->totals.sum += totals.sum;
    positions_lower(&findings->positions, "loyalty", verify->shard, verify->seq);
    return status;
}

static void findings_print(const struct invocation *invocation, const struct findings *findings,
                           const struct verify *verify)
{
    bool ok = verify->refusal.status == STATUS_OK;
    json_t *object = json_object();
    output_put(object, "ok", json_boolean(ok));
    output_put(object, "postings", output_unsigned(findings->totals.postings));
    output_put(object, "sum", json_integer(findings->totals.sum));
    output_put(object, "accounts", output_unsigned(findings->totals.accounts));
    output_put(object, "positions", positions_json(&findings->positions));
    if (!ok) {
        output_put(object, "shard", json_integer(verify->shard));
        output_put(object, "reason", output_text_or_null(verify->refusal.message));
    }
    output_object(invocation, object);
}

static int ledger_verify(const struct invocation *invocation, struct suite *suite)
{
    struct findings findings = { 0 };
    struct verify verify = { .suite = suite };
    enum status status = STATUS_OK;
    uint32_t shards = suite_shards(suite, "loyalty");
    refusal_init(&verify.refusal);
    arena_init(&verify.arena, (size_t)LIMIT_RECORD_BYTES * PB_ARENA_FACTOR + PB_ARENA_LEAST);
    for (uint32_t shard = 0; shard < shards && status == STATUS_OK; shard++) {
        verify.shard = shard;
        verify.seq = 0;
        ledger_check_open(&verify.check);
        status = shard_verify(&verify, &findings);
        feed_stream_close(&verify.stream);
        ledger_check_close(&verify.check);
    }
    arena_release(&verify.arena);
    if (status == STATUS_OK || status == STATUS_CORRUPT) {
        verify.refusal.status = status;
        findings_print(invocation, &findings, &verify);
        return status == STATUS_OK ? EXIT_DONE : EXIT_FAILED;
    }
    char who[64];
    (void)snprintf(who, sizeof who, "loyalty/%u", verify.shard);
    return output_refusal(who, &verify.refusal);
}

int loyalty_verify_run(const struct invocation *invocation)
{
    struct option_form form = { 0 };
    int code = options_read(invocation, &form, /* words= */ NULL);
    struct suite *suite = code == EXIT_DONE ? suite_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    if (suite_shards_needed(suite, "loyalty") == 0) {
        code = EXIT_FAILED;
    } else {
        code = wait_pass(suite, invocation, "loyalty");
    }
    if (code == EXIT_DONE) {
        code = ledger_verify(invocation, suite);
    }
    suite_close(&suite);
    return code;
}
