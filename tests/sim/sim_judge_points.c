/* Points: each earning follows from one event by the rule, each other posting from one command,
 * and all of it adds up. */
#include "kith/v1/loyalty.pb-c.h"
#include "tests/sim/sim_judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a customer has in a programme. */
struct purse {
    int64_t balance;
    int64_t earned;
    int64_t spent;
    uint64_t postings;
};

struct line {
    const struct sim_fact *fact;
    Kith__V1__PointsPosted *posted;
    unsigned customer;
    unsigned programme;
    unsigned claims;
    bool is_reversed;
};

struct ledger {
    struct sim_judge *judge;
    const struct sim_node *node;
    size_t count;
    struct line *lines; /* by seq - 1; without a posting where the fact is none */
    struct purse purses[SIM_CUSTOMERS_MAX][SIM_PROGRAMMES];
};

/* ---- the rules, written a second time */

static int64_t points_of(const struct sim_story *story, unsigned programme)
{
    int64_t minor = story->amount_minor;
    bool is_purchase = strcmp(story->type, "purchase") == 0;
    if (minor <= 0) {
        return 0;
    }
    if (programme == 1) {
        return is_purchase ? (minor * 2 + 149) / 150 : 0;
    }
    if (is_purchase) {
        return minor / 100;
    }
    return strcmp(story->type, "bill_paid") == 0 ? (minor * 3 * 2 + 200) / 400 : 0;
}

/* ---- lines */

_Noreturn static void line_wrong(const struct ledger *ledger, const struct line *line,
                                 const char *what)
{
    sim_fail(ledger->judge->world, "loyalty/%" PRIu32 ", posting %" PRIu64 ": %s",
             ledger->node->shard, line->fact->seq, what);
}

static bool is_posting(const Kith__V1__Fact *fact)
{
    return fact->type >= KITH__V1__FACT_TYPE__FACT_POINTS_EARNED &&
           fact->type <= KITH__V1__FACT_TYPE__FACT_POINTS_GRANTED;
}

/* Adds it to its purse, whose new balance it must say. */
static void line_add(struct ledger *ledger, struct line *line)
{
    const Kith__V1__PointsPosted *posted = line->posted;
    if (line->customer == SIM_CUSTOMERS_MAX || line->programme == SIM_PROGRAMMES) {
        line_wrong(ledger, line, "it is nobody's, or of no programme");
    }
    struct purse *purse = &ledger->purses[line->customer][line->programme];
    purse->balance += posted->points;
    purse->postings += 1;
    if (posted->counter == KITH__V1__LEDGER_ACCOUNT__LEDGER_ISSUED) {
        purse->earned += posted->points;
    } else {
        purse->spent -= posted->points;
    }
    if (purse->balance < 0 || purse->balance != posted->balance_after ||
        purse->postings != posted->number) {
        line_wrong(ledger, line, "its balance or its number does not follow from those before");
    }
}

static void lines_read(struct ledger *ledger)
{
    const struct sim_facts *facts = &ledger->judge->facts[ledger->node->number];
    ledger->count = facts->count;
    ledger->lines = memory_allocate((facts->count + 1) * sizeof *ledger->lines);
    for (size_t i = 0; i < facts->count; i++) {
        struct line *line = &ledger->lines[i];
        const Kith__V1__Fact *fact = facts->facts[i].fact;
        line->fact = &facts->facts[i];
        if (!is_posting(fact)) {
            continue;
        }
        line->posted = kith__v1__points_posted__unpack(NULL, fact->body.len, fact->body.data);
        line->customer = sim_customer_of(ledger->judge, fact);
        line->programme = sim_text_find(line->posted->programme, sim_programmes, SIM_PROGRAMMES);
        line_add(ledger, line);
    }
}

/* ---- earnings */

static void earned_judge(struct ledger *ledger, const struct sim_accepted *accepted,
                         unsigned programme)
{
    int64_t points = points_of(accepted->story, programme);
    unsigned found = 0;
    for (size_t i = 0; i < ledger->count; i++) {
        struct line *line = &ledger->lines[i];
        const Kith__V1__PointsPosted *posted = line->posted;
        if (posted == NULL || line->programme != programme ||
            line->fact->fact->type != KITH__V1__FACT_TYPE__FACT_POINTS_EARNED ||
            strcmp(posted->source, accepted->story->source) != 0 ||
            strcmp(posted->event_id, accepted->story->id) != 0) {
            continue;
        }
        if (posted->points != points || line->customer != accepted->story->customer) {
            line_wrong(ledger, line, "its points are not what the rule gives");
        }
        line->claims += 1;
        found += 1;
    }
    if (found != (points > 0 ? 1 : 0)) {
        sim_fail(ledger->judge->world,
                 "event %s/%s is worth %" PRId64 " %s, and they were posted %u times",
                 accepted->story->source, accepted->story->id, points, sim_programmes[programme],
                 found);
    }
}

static void earnings_judge(struct ledger *ledger, const struct sim_accepted *accepted)
{
    uint32_t shard =
        sim_shard_of_customer(ledger->judge->world, "loyalty", accepted->story->customer);
    for (unsigned i = 0; i < SIM_PROGRAMMES && shard == ledger->node->shard; i++) {
        earned_judge(ledger, accepted, i);
    }
}

/* ---- commands */

static struct line *line_claim(struct ledger *ledger, const struct sim_command *command,
                               uint64_t seq, uint32_t type)
{
    struct line *line = seq == 0 || seq > ledger->count ? NULL : &ledger->lines[seq - 1];
    if (line == NULL || line->posted == NULL || line->fact->fact->type != type) {
        sim_fail(ledger->judge->world,
                 "command %" PRIu64 " (%s) was told of posting %" PRIu64
                 ", which is not there or is another",
                 command->number, command->method, seq);
    }
    line->claims += 1;
    return line;
}

static void posting_claim(struct ledger *ledger, const struct sim_command *command, size_t item,
                          uint64_t seq)
{
    const struct sim_posting *asked = &command->postings[item];
    uint32_t type = asked->is_grant ? KITH__V1__FACT_TYPE__FACT_POINTS_GRANTED
                                    : KITH__V1__FACT_TYPE__FACT_POINTS_SPENT;
    const struct line *line = line_claim(ledger, command, seq, type);
    if (line->customer != asked->customer || line->programme != asked->programme ||
        line->posted->points != (asked->is_grant ? asked->points : -asked->points)) {
        line_wrong(ledger, line, "it is not what the command asked for");
    }
}

static bool is_refusal(unsigned code)
{
    return code == STATUS_REFUSED || code == STATUS_NOT_FOUND;
}

static void refused_judge(const struct ledger *ledger, const struct sim_command *command)
{
    if (!is_refusal(command->code)) {
        sim_fail(ledger->judge->world, "command %" PRIu64 " (%s): code %u %s", command->number,
                 command->method, command->code, command->message);
    }
}

static void post_reply_judge(struct ledger *ledger, const struct sim_command *command)
{
    if (command->code != STATUS_OK) {
        refused_judge(ledger, command);
        sim_sometimes(ledger->judge->world,
                      command->what == SIM_SPEND ? SIM_SPEND_REFUSED : SIM_REVERSAL_REFUSED);
        return;
    }
    Kith__V1__PostReply *reply =
        kith__v1__post_reply__unpack(NULL, command->answer_size, command->answer);
    if (command->what == SIM_SPEND) {
        posting_claim(ledger, command, 0, reply->posting);
    } else {
        const struct line *line =
            line_claim(ledger, command, reply->posting, KITH__V1__FACT_TYPE__FACT_POINTS_REVERSED);
        struct line *first = &ledger->lines[command->reverses - 1];
        if (line->posted->reverses != command->reverses || first->posted == NULL ||
            first->posted->points != -line->posted->points || first->is_reversed ||
            first->customer != line->customer) {
            line_wrong(ledger, line, "it takes back another posting, or one for the second time");
        }
        first->is_reversed = true;
        sim_sometimes(ledger->judge->world, SIM_REVERSED);
    }
    if (reply->balance != ledger->lines[reply->posting - 1].posted->balance_after) {
        line_wrong(ledger, &ledger->lines[reply->posting - 1], "its reply told another balance");
    }
    kith__v1__post_reply__free_unpacked(reply, NULL);
}

/* Returns the item after its last. */
static size_t run_judge(struct ledger *ledger, const struct sim_command *command,
                        const Kith__V1__PostRun *run, size_t item)
{
    bool is_posted = run->code == STATUS_OK;
    if (!is_posted && (command->is_whole || !is_refusal(run->code))) {
        sim_fail(ledger->judge->world, "command %" PRIu64 ": a posting has code %u",
                 command->number, run->code);
    }
    for (uint32_t i = 0; i < run->count && is_posted && item + i < command->posting_count; i++) {
        posting_claim(ledger, command, item + i, run->first_posting + i);
    }
    return item + run->count;
}

static void batch_judge(struct ledger *ledger, const struct sim_command *command)
{
    if (command->code != STATUS_OK) {
        refused_judge(ledger, command);
        if (!command->is_whole) {
            sim_fail(ledger->judge->world, "command %" PRIu64 ": one refusal refused all",
                     command->number);
        }
        sim_sometimes(ledger->judge->world, SIM_BATCH_REFUSED_WHOLE);
        return;
    }
    Kith__V1__PostBatchReply *reply =
        kith__v1__post_batch_reply__unpack(NULL, command->answer_size, command->answer);
    size_t item = 0;
    for (size_t i = 0; i < reply->n_results; i++) {
        item = run_judge(ledger, command, reply->results[i], item);
    }
    if (item != command->posting_count) {
        sim_fail(ledger->judge->world, "command %" PRIu64 ": %zu results for %zu postings",
                 command->number, item, command->posting_count);
    }
    kith__v1__post_batch_reply__free_unpacked(reply, NULL);
}

/* ---- what the ledger says of itself */

static void balance_judge(const struct ledger *ledger, const struct sim_command *command)
{
    const struct purse *purse = &ledger->purses[command->customer][command->subject];
    if (command->code == STATUS_NOT_FOUND && purse->postings == 0) {
        return;
    }
    Kith__V1__BalanceReply *reply =
        kith__v1__balance_reply__unpack(NULL, command->answer_size, command->answer);
    if (command->code != STATUS_OK || reply->available != purse->balance ||
        reply->earned != purse->earned || reply->spent != purse->spent ||
        reply->postings != purse->postings) {
        sim_fail(ledger->judge->world,
                 "%s of %s: %" PRId64 " are there by its postings, told was code %u, %" PRId64,
                 sim_programmes[command->subject],
                 ledger->judge->clients->customers[command->customer], purse->balance,
                 command->code, reply == NULL ? 0 : reply->available);
    }
    kith__v1__balance_reply__free_unpacked(reply, NULL);
}

static void accounts_judge(const struct ledger *ledger, const struct sim_command *command)
{
    Kith__V1__AccountsReply *reply =
        kith__v1__accounts_reply__unpack(NULL, command->answer_size, command->answer);
    int64_t sum = 0;
    int64_t customers = 0;
    int64_t purses = 0;
    for (size_t i = 0; i < reply->n_accounts; i++) {
        sum += reply->accounts[i]->balance;
        customers += reply->accounts[i]->has_customer ? reply->accounts[i]->balance : 0;
    }
    for (unsigned i = 0; i < SIM_CUSTOMERS_MAX * SIM_PROGRAMMES; i++) {
        purses += ledger->purses[i / SIM_PROGRAMMES][i % SIM_PROGRAMMES].balance;
    }
    if (sum != 0 || customers != purses) {
        sim_fail(ledger->judge->world,
                 "loyalty/%" PRIu32 ": accounts come to %" PRId64 ", customers' to %" PRId64
                 " of %" PRId64,
                 ledger->node->shard, sum, customers, purses);
    }
    kith__v1__accounts_reply__free_unpacked(reply, NULL);
}

static void question_judge(const struct ledger *ledger, const struct sim_command *command)
{
    if (command->number <= ledger->judge->clients->first_question) {
        return;
    }
    if (command->question == SIM_ASK_BALANCE) {
        balance_judge(ledger, command);
    } else if (command->question == SIM_ASK_ACCOUNTS) {
        accounts_judge(ledger, command);
    }
}

static void command_judge(struct ledger *ledger, const struct sim_command *command)
{
    if (command->what == SIM_SPEND || command->what == SIM_REVERSE) {
        post_reply_judge(ledger, command);
    } else if (command->what == SIM_POST) {
        batch_judge(ledger, command);
    } else if (command->what == SIM_QUESTION) {
        question_judge(ledger, command);
    }
}

static void line_end(const struct ledger *ledger, struct line *line)
{
    if (line->posted == NULL) {
        return;
    }
    if (line->claims != 1) {
        line_wrong(ledger, line, line->claims == 0 ? "nobody asked for it" : "it was told to two");
    }
    kith__v1__points_posted__free_unpacked(line->posted, NULL);
}

static void ledger_judge(struct ledger *ledger)
{
    const struct sim_judge *judge = ledger->judge;
    lines_read(ledger);
    for (size_t i = 0; i < judge->accepted_count; i++) {
        earnings_judge(ledger, &judge->accepted[i]);
    }
    for (size_t i = 0; i < judge->clients->count; i++) {
        if (judge->clients->commands[i]->node == ledger->node->number) {
            command_judge(ledger, judge->clients->commands[i]);
        }
    }
    for (size_t i = 0; i < ledger->count; i++) {
        line_end(ledger, &ledger->lines[i]);
    }
    free(ledger->lines);
}

void sim_judge_points(struct sim_judge *judge)
{
    for (uint32_t shard = 0; shard < sim_shards_of(judge->world, "loyalty"); shard++) {
        struct ledger ledger = { .judge = judge,
                                 .node = sim_node_find(judge->world, "loyalty", shard) };
        ledger_judge(&ledger);
    }
}
