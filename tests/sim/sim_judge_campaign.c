/* Who was written to: each dispatch is decided once and has one end, and what left the house
 * agrees with that. */
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/segmentation.pb-c.h"
#include "tests/sim/sim_judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES 16
#define LINE_HEAD "{\"dispatch\":\""
#define POST "post"

/* By campaign: whose segment, by entry or not, and how many in how many days; 0: any. */
static const struct {
    const char *segment;
    bool on_entry;
    size_t cap_messages;
    int64_t cap_days;
} campaigns[SIM_CAMPAIGNS] = {
    { "big", true, 1, 2 },
    { "gold", false, 0, 0 },
    { "often", false, 2, 1 },
    { "gold", true, 0, 0 },
};

/* A message: decided by one fact, ended by the same or another. */
struct letter {
    uint8_t id[ID_BYTES];
    unsigned campaign;
    unsigned customer;
    bool is_intended;
    int64_t intended_at_ms;
    uint64_t decided_seq;
    uint64_t ended_seq; /* 0: not yet */
    uint32_t ended_by;  /* a FactType */
    bool is_mail;
    Kith__V1__SuppressedReason reason;
    char step[96];
};

struct desk {
    struct sim_judge *judge;
    const struct sim_node *node;
    int64_t since_ms; /* when its rules came into force */
    size_t count;
    struct letter *letters; /* in the order of their decisions */
    uint64_t numbers[SIM_CAMPAIGNS];
};

_Noreturn static void letter_wrong(const struct desk *desk, uint64_t seq, const char *what)
{
    sim_fail(desk->judge->world, "campaign/%" PRIu32 ", fact %" PRIu64 ": %s", desk->node->shard,
             seq, what);
}

/* ---- the facts */

static struct letter *letter_find(const struct desk *desk, const uint8_t *id)
{
    for (size_t i = 0; i < desk->count; i++) {
        if (memcmp(desk->letters[i].id, id, ID_BYTES) == 0) {
            return &desk->letters[i];
        }
    }
    return NULL;
}

static void letter_begin(struct desk *desk, const struct sim_fact *fact,
                         const Kith__V1__Dispatch *told)
{
    unsigned campaign = sim_text_find(told->campaign, sim_campaigns, SIM_CAMPAIGNS);
    unsigned customer = sim_customer_of(desk->judge, fact->fact);
    if (campaign == SIM_CAMPAIGNS || customer == SIM_CUSTOMERS_MAX ||
        sim_shard_of_customer(desk->judge->world, "campaign", customer) != desk->node->shard) {
        letter_wrong(desk, fact->seq, "of no campaign, or to nobody here");
    }
    desk->numbers[campaign] += 1;
    if (told->number != desk->numbers[campaign]) {
        letter_wrong(desk, fact->seq, "its number does not follow");
    }
    struct letter *letter = &desk->letters[desk->count++];
    *letter =
        (struct letter){ .campaign = campaign,
                         .customer = customer,
                         .decided_seq = fact->seq,
                         .intended_at_ms = fact->fact->recorded_at_ms,
                         .is_mail = told->channel != NULL && strcmp(told->channel, POST) == 0 };
    memcpy(letter->id, told->dispatch.data, ID_BYTES);
    (void)snprintf(letter->step, sizeof letter->step, "%s", told->step);
    for (size_t i = 0; i + 1 < desk->count; i++) {
        if (desk->letters[i].campaign == campaign && desk->letters[i].customer == customer &&
            strcmp(desk->letters[i].step, letter->step) == 0) {
            letter_wrong(desk, fact->seq, "it was decided before");
        }
    }
}

static void letter_tell(struct desk *desk, const struct sim_fact *fact,
                        const Kith__V1__Dispatch *told)
{
    struct letter *letter = letter_find(desk, told->dispatch.data);
    bool is_intent = fact->fact->type == KITH__V1__FACT_TYPE__FACT_DISPATCH_INTENDED;
    bool is_suppressed = fact->fact->type == KITH__V1__FACT_TYPE__FACT_DISPATCH_SUPPRESSED;
    if (letter == NULL && !is_intent && !is_suppressed) {
        letter_wrong(desk, fact->seq, "it ended, and was never intended");
    }
    if (letter == NULL) {
        letter_begin(desk, fact, told);
        letter = &desk->letters[desk->count - 1];
        letter->is_intended = is_intent;
    } else if (is_intent || !letter->is_intended || letter->ended_seq != 0) {
        letter_wrong(desk, fact->seq, "it was decided twice, or ended twice");
    }
    if (!is_intent) {
        letter->ended_seq = fact->seq;
        letter->ended_by = fact->fact->type;
        letter->reason = told->reason;
    }
}

static void letters_read(struct desk *desk)
{
    const struct sim_facts *facts = &desk->judge->facts[desk->node->number];
    desk->letters = memory_allocate((facts->count + 1) * sizeof *desk->letters);
    desk->since_ms = INT64_MAX;
    for (size_t i = 0; i < facts->count; i++) {
        const Kith__V1__Fact *fact = facts->facts[i].fact;
        if (fact->type == KITH__V1__FACT_TYPE__FACT_RULES_CHANGED) {
            desk->since_ms = fact->recorded_at_ms;
            continue;
        }
        if (fact->type == KITH__V1__FACT_TYPE__FACT_CONSUMER_ACCEPTED) {
            continue;
        }
        Kith__V1__Dispatch *told =
            kith__v1__dispatch__unpack(NULL, fact->body.len, fact->body.data);
        if (told == NULL || told->dispatch.len != ID_BYTES || told->step == NULL) {
            letter_wrong(desk, facts->facts[i].seq, "it cannot be read");
        }
        letter_tell(desk, &facts->facts[i], told);
        kith__v1__dispatch__free_unpacked(told, NULL);
    }
}

/* ---- why each was decided */

static const struct letter *step_find(const struct desk *desk, unsigned campaign, unsigned customer,
                                      const char *step)
{
    for (size_t i = 0; i < desk->count; i++) {
        const struct letter *letter = &desk->letters[i];
        if (letter->campaign == campaign && letter->customer == customer &&
            strcmp(letter->step, step) == 0) {
            return letter;
        }
    }
    return NULL;
}

/* An entry that campaign heard of under its rules is decided by each campaign that waits for it. */
static void entry_judge(const struct desk *desk, const struct sim_fact *fact, const char *segment)
{
    char step[96];
    unsigned customer = sim_customer_of(desk->judge, fact->fact);
    (void)snprintf(step, sizeof step, "entry/%" PRIu64, fact->seq);
    for (unsigned i = 0; i < SIM_CAMPAIGNS; i++) {
        bool should = campaigns[i].on_entry && strcmp(campaigns[i].segment, segment) == 0 &&
                      fact->fact->recorded_at_ms >= desk->since_ms;
        if ((step_find(desk, i, customer, step) != NULL) != should) {
            sim_fail(desk->judge->world, "%s entered %s by fact %" PRIu64 ": %s is%s decided",
                     desk->judge->clients->customers[customer], segment, fact->seq,
                     sim_campaigns[i], should ? " not" : "");
        }
    }
}

/* Of one shard of segmentation. */
static void entries_judge(const struct desk *desk, const struct sim_facts *facts)
{
    for (size_t i = 0; i < facts->count; i++) {
        const Kith__V1__Fact *fact = facts->facts[i].fact;
        if (fact->type != KITH__V1__FACT_TYPE__FACT_SEGMENT_ENTERED ||
            sim_shard_of_customer(desk->judge->world, "campaign",
                                  sim_customer_of(desk->judge, fact)) != desk->node->shard) {
            continue;
        }
        Kith__V1__SegmentEntered *entered =
            kith__v1__segment_entered__unpack(NULL, fact->body.len, fact->body.data);
        entry_judge(desk, &facts->facts[i], entered->segment);
        kith__v1__segment_entered__free_unpacked(entered, NULL);
    }
}

static void triggers_judge(const struct desk *desk, size_t *by_command)
{
    const struct sim_clients *clients = desk->judge->clients;
    for (size_t i = 0; i < clients->count; i++) {
        const struct sim_command *command = clients->commands[i];
        char step[96];
        if (command->what != SIM_TRIGGER || command->node != desk->node->number) {
            continue;
        }
        (void)snprintf(step, sizeof step, "command/%s", command->key);
        bool is_there = step_find(desk, command->campaign, command->customer, step) != NULL;
        if (command->code != STATUS_OK && command->code != STATUS_NOT_FOUND) {
            sim_fail(desk->judge->world, "trigger %s: code %u %s", command->key, command->code,
                     command->message);
        }
        if (is_there != (command->code == STATUS_OK)) {
            sim_fail(desk->judge->world, "trigger %s was answered with code %u and is%s decided",
                     command->key, command->code, is_there ? "" : " not");
        }
        *by_command += is_there ? 1 : 0;
    }
}

/* Messages of the campaign to the customer that count at the instant of this one's decision. */
static size_t counted_before(const struct desk *desk, const struct letter *letter, bool with_open)
{
    size_t count = 0;
    int64_t from_ms = letter->intended_at_ms - campaigns[letter->campaign].cap_days * SIM_DAY_MS;
    for (const struct letter *other = desk->letters; other < letter; other++) {
        bool was_over = other->ended_seq != 0 && other->ended_seq < letter->decided_seq;
        bool was_refused = other->ended_by == KITH__V1__FACT_TYPE__FACT_DISPATCH_SUPPRESSED;
        if (other->campaign == letter->campaign && other->customer == letter->customer &&
            other->is_intended && other->intended_at_ms > from_ms && !(was_refused && was_over) &&
            (with_open || !was_refused)) {
            count += 1;
        }
    }
    return count;
}

static void cap_judge(const struct desk *desk, const struct letter *letter)
{
    size_t most = campaigns[letter->campaign].cap_messages;
    bool is_capped = letter->reason == KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CAP_REACHED;
    if (letter->is_intended && most > 0 && counted_before(desk, letter, false) >= most) {
        letter_wrong(desk, letter->decided_seq, "it was sent beyond the cap");
    }
    if (is_capped && (most == 0 || counted_before(desk, letter, true) < most)) {
        letter_wrong(desk, letter->decided_seq, "the cap was not reached");
    }
}

/* One that left no room, decided at the same instant. */
static bool is_at_once(const struct desk *desk, const struct letter *letter)
{
    for (const struct letter *other = desk->letters; other < letter; other++) {
        if (other->campaign == letter->campaign && other->customer == letter->customer &&
            other->is_intended && other->intended_at_ms == letter->intended_at_ms) {
            return true;
        }
    }
    return false;
}

static void reason_look(struct sim_world *world, const struct letter *letter)
{
    if (letter->ended_by == KITH__V1__FACT_TYPE__FACT_DISPATCH_UNKNOWN) {
        sim_sometimes(world, SIM_DISPATCH_UNKNOWN);
    } else if (letter->ended_by == KITH__V1__FACT_TYPE__FACT_DISPATCH_SENT) {
        sim_sometimes(world, letter->step[0] == 'e'   ? SIM_SENT_BY_ENTRY
                             : letter->step[0] == 's' ? SIM_SENT_BY_SCHEDULE
                                                      : SIM_SENT_BY_COMMAND);
    } else if (letter->reason == KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CAP_REACHED) {
        sim_sometimes(world, SIM_CAP_REACHED);
    } else if (letter->reason == KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NOT_IN_SEGMENT) {
        sim_sometimes(world, SIM_NOT_IN_SEGMENT);
    } else if (letter->reason == KITH__V1__SUPPRESSED_REASON__SUPPRESSED_NO_ADDRESS) {
        sim_sometimes(world, SIM_NO_ADDRESS);
    } else if (letter->reason == KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CHANNEL_REFUSED) {
        sim_sometimes(world, SIM_CHANNEL_REFUSED);
    }
}

/* ---- what left */

/* A file's bytes, on the heap. */
struct text {
    char *bytes;
    size_t size;
};

static unsigned provided_count(const struct sim_world *world, const struct letter *letter)
{
    for (size_t i = 0; i < world->provided_count; i++) {
        if (memcmp(world->provided[i].dispatch, letter->id, ID_BYTES) == 0) {
            return world->provided[i].count;
        }
    }
    return 0;
}

/* How many lines of the file begin with it. */
static unsigned lines_count(const struct text *text, const struct letter *letter)
{
    char head[sizeof LINE_HEAD + 2 * ID_BYTES];
    size_t size = sizeof LINE_HEAD - 1;
    unsigned count = 0;
    memcpy(head, LINE_HEAD, sizeof LINE_HEAD);
    for (size_t i = 0; i < ID_BYTES; i++) {
        (void)snprintf(head + size + 2 * i, 3, "%02x", letter->id[i]);
    }
    size_t wanted = size + 2 * ID_BYTES;
    const char *end = text->bytes + text->size;
    const char *at = memmem(text->bytes, text->size, head, wanted);
    while (at != NULL) {
        count += at == text->bytes || at[-1] == '\n' ? 1 : 0;
        at = memmem(at + 1, (size_t)(end - at - 1), head, wanted);
    }
    return count;
}

static void left_judge(const struct desk *desk, const struct letter *letter,
                       const struct text *text)
{
    unsigned lines = lines_count(text, letter);
    unsigned mails = provided_count(desk->judge->world, letter);
    unsigned least = letter->ended_by == KITH__V1__FACT_TYPE__FACT_DISPATCH_SENT ? 1 : 0;
    bool is_unknown = letter->ended_by == KITH__V1__FACT_TYPE__FACT_DISPATCH_UNKNOWN;
    unsigned most = is_unknown ? 1 : least;
    if (is_unknown && !letter->is_mail) {
        letter_wrong(desk, letter->ended_seq, "what became of a line is never unknown");
    }
    if ((letter->is_mail ? lines : mails) != 0 || lines + mails < least || lines + mails > most) {
        sim_fail(desk->judge->world,
                 "campaign/%" PRIu32 ": %s to %s, %s: %u lines and %u mails left, and it ended "
                 "by fact %" PRIu64 " of type %" PRIu32,
                 desk->node->shard, sim_campaigns[letter->campaign],
                 desk->judge->clients->customers[letter->customer], letter->step, lines, mails,
                 letter->ended_seq, letter->ended_by);
    }
}

/* Empty where there is none. */
static struct text file_read(const struct desk *desk, size_t *lines)
{
    char path[192];
    (void)snprintf(path, sizeof path, "%s/outbox/outbox-%" PRIu32 ".ndjson",
                   desk->judge->world->folder, desk->node->shard);
    FILE *file = fopen(path, "re");
    struct text text = { .bytes = memory_allocate(1) };
    char piece[4096];
    size_t got = file == NULL ? 0 : fread(piece, 1, sizeof piece, file);
    while (got > 0) {
        text.bytes = memory_resize(text.bytes, text.size + got);
        memcpy(text.bytes + text.size, piece, got);
        text.size += got;
        got = fread(piece, 1, sizeof piece, file);
    }
    if (file != NULL) {
        (void)fclose(file); /* only read from */
    }
    *lines = 0;
    for (size_t i = 0; i < text.size; i++) {
        *lines += text.bytes[i] == '\n' ? 1 : 0;
    }
    return text;
}

static void decisions_judge(const struct desk *desk, const struct sim_command *command)
{
    Kith__V1__DecisionsReply *reply =
        kith__v1__decisions_reply__unpack(NULL, command->answer_size, command->answer);
    if (command->code != STATUS_OK || reply->n_decisions != desk->numbers[command->subject]) {
        sim_fail(desk->judge->world, "campaign %s: %zu decisions are told of %" PRIu64 " (code %u)",
                 sim_campaigns[command->subject], reply == NULL ? 0 : reply->n_decisions,
                 desk->numbers[command->subject], command->code);
    }
    kith__v1__decisions_reply__free_unpacked(reply, NULL);
}

static void answers_judge(const struct desk *desk)
{
    const struct sim_clients *clients = desk->judge->clients;
    for (size_t i = clients->first_question; i < clients->count; i++) {
        const struct sim_command *command = clients->commands[i];
        if (command->node == desk->node->number && command->question == SIM_ASK_DECISIONS) {
            decisions_judge(desk, command);
        }
    }
}

/* ---- all of it */

static void desk_judge(struct desk *desk)
{
    size_t lines = 0;
    size_t sent = 0;
    size_t by_command = 0;
    size_t commands = 0;
    letters_read(desk);
    for (uint32_t shard = 0; shard < sim_shards_of(desk->judge->world, "segmentation"); shard++) {
        const struct sim_node *node = sim_node_find(desk->judge->world, "segmentation", shard);
        entries_judge(desk, &desk->judge->facts[node->number]);
    }
    triggers_judge(desk, &by_command);
    answers_judge(desk);
    struct text text = file_read(desk, &lines);
    for (size_t i = 0; i < desk->count; i++) {
        const struct letter *letter = &desk->letters[i];
        if (letter->ended_seq == 0) {
            letter_wrong(desk, letter->decided_seq, "it has no end");
        }
        cap_judge(desk, letter);
        reason_look(desk->judge->world, letter);
        if (letter->reason == KITH__V1__SUPPRESSED_REASON__SUPPRESSED_CAP_REACHED &&
            is_at_once(desk, letter)) {
            sim_sometimes(desk->judge->world, SIM_CAP_AT_ONCE);
        }
        left_judge(desk, letter, &text);
        sent += !letter->is_mail && letter->ended_by == KITH__V1__FACT_TYPE__FACT_DISPATCH_SENT;
        commands += strncmp(letter->step, "command/", 8) == 0 ? 1 : 0;
    }
    if (lines != sent || commands != by_command) {
        sim_fail(desk->judge->world,
                 "campaign/%" PRIu32 ": %zu lines for %zu messages, %zu dispatches by command "
                 "for %zu commands",
                 desk->node->shard, lines, sent, commands, by_command);
    }
    free(text.bytes);
    free(desk->letters);
}

void sim_judge_campaign(struct sim_judge *judge)
{
    for (uint32_t shard = 0; shard < sim_shards_of(judge->world, "campaign"); shard++) {
        struct desk desk = { .judge = judge,
                             .node = sim_node_find(judge->world, "campaign", shard) };
        desk_judge(&desk);
    }
}
