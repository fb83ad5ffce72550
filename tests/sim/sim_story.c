/* What clients make up: events, commands and the questions in the end. */
#include "tests/sim/sim_story.h"

#include "common/wire/pb.h"
#include "kith/v1/campaign.pb-c.h"
#include "kith/v1/event.pb-c.h"
#include "kith/v1/ingestion.pb-c.h"
#include "kith/v1/loyalty.pb-c.h"
#include "kith/v1/reporting.pb-c.h"
#include "kith/v1/segmentation.pb-c.h"
#include "kith/v1/service.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS INT64_C(3600000)
#define MINUTE_MS INT64_C(60000)

const char *const sim_programmes[SIM_PROGRAMMES] = { "points", "miles" };
const char *const sim_segments[SIM_SEGMENTS] = { "often", "big", "gold", "asleep" };
const char *const sim_campaigns[SIM_CAMPAIGNS] = { "thanks", "news", "nudge", "letter" };

static void pack(const ProtobufCMessage *message, struct buffer *out)
{
    buffer_clear(out);
    enum status status = pb_pack(message, out);
    assert(status == STATUS_OK);
}

/* protobuf-c never writes to what it packs, but its type does not say so. */
static char *plain(const char *text)
{
    union {
        const char *read_only;
        char *plain;
    } both = { .read_only = text };
    return both.plain;
}

/* ---- events */

static void story_encode(const struct sim_clients *clients, struct sim_story *story)
{
    Kith__V1__Event event = KITH__V1__EVENT__INIT;
    Kith__V1__Money money = KITH__V1__MONEY__INIT;
    Kith__V1__Attribute attribute = KITH__V1__ATTRIBUTE__INIT;
    Kith__V1__Attribute *attributes[1] = { &attribute };
    char currency[] = "EUR";
    event.source = story->source;
    event.id = story->id;
    event.type = story->is_broken ? NULL : story->type;
    event.customer = plain(clients->customers[story->customer]);
    event.has_occurred_at_ms = true;
    event.occurred_at_ms = story->occurred_at_ms;
    event.has_schema_version = true;
    event.schema_version = 1;
    money.has_minor = true;
    money.minor = story->amount_minor;
    money.currency = currency;
    event.amount = story->amount_minor != 0 ? &money : NULL;
    attribute.name = story->attribute;
    attribute.value_case = KITH__V1__ATTRIBUTE__VALUE_TEXT;
    attribute.text = story->value;
    event.attributes = attributes;
    event.n_attributes = story->attribute[0] != '\0' ? 1 : 0;
    story->size = kith__v1__event__get_packed_size(&event);
    story->bytes = memory_allocate(story->size);
    (void)kith__v1__event__pack(&event, story->bytes);
}

/* When it happened. */
static int64_t instant_draw(struct sim_clients *clients, struct sim_random *random)
{
    uint64_t drawn = sim_below(random, 20);
    if (clients->world->swarm.is_event_clock) {
        clients->story_ms += sim_between(random, 0, 2 * HOUR_MS);
        if (drawn < 3) {
            sim_sometimes(clients->world, SIM_EVENT_LATE);
            return clients->story_ms - sim_between(random, 1, 50 * HOUR_MS);
        }
        return clients->story_ms;
    }
    int64_t wall_ms = sim_wall_ms(clients->world);
    if (drawn < 5) {
        sim_sometimes(clients->world, SIM_EVENT_LATE);
        return wall_ms - sim_between(random, 1, 60 * HOUR_MS);
    }
    return drawn == 5 ? wall_ms + sim_between(random, 1, 4 * MINUTE_MS)
                      : wall_ms - sim_between(random, 0, 2000);
}

static void profile_draw(struct sim_random *random, struct sim_story *story)
{
    static const char *const said[][2] = { { "tier", "gold" },   { "tier", "gold" },
                                           { "tier", "basic" },  { "tier", "" },
                                           { "phone", "+41 1" }, { "mail", "a@example.org" },
                                           { "phone", "+41 2" }, { "mail", "b@example.org" } };
    size_t i = (size_t)sim_below(random, sizeof said / sizeof said[0]);
    (void)snprintf(story->type, sizeof story->type, "profile_changed");
    (void)snprintf(story->attribute, sizeof story->attribute, "%s", said[i][0]);
    (void)snprintf(story->value, sizeof story->value, "%s", said[i][1]);
}

static void event_draw(struct sim_clients *clients, struct sim_random *random,
                       struct sim_story *story)
{
    clients->events += 1;
    (void)snprintf(story->source, sizeof story->source, "s%" PRIu64, sim_below(random, 2));
    (void)snprintf(story->id, sizeof story->id, "e%" PRIu64, clients->events);
    story->customer = (unsigned)sim_below(random, clients->customer_count);
    story->occurred_at_ms = instant_draw(clients, random);
    uint64_t drawn = sim_below(random, 10);
    if (drawn < 3) {
        profile_draw(random, story);
    } else {
        (void)snprintf(story->type, sizeof story->type, "%s",
                       drawn < 8    ? "purchase"
                       : drawn == 8 ? "bill_paid"
                                    : "usage");
        story->amount_minor = sim_between(random, 1, 9000);
    }
}

/* One that was sent before; NULL: there is none. */
static const struct sim_story *story_recall(const struct sim_clients *clients,
                                            struct sim_random *random)
{
    for (unsigned attempt = 0; attempt < 4 && clients->count > 0; attempt++) {
        const struct sim_command *command = clients->commands[sim_below(random, clients->count)];
        if (command->what == SIM_INGEST && command->item_count > 0) {
            return &command->items[sim_below(random, command->item_count)];
        }
    }
    return NULL;
}

static void story_copy(const struct sim_story *from, struct sim_story *story)
{
    *story = *from;
    story->bytes = memory_allocate(from->size);
    memcpy(story->bytes, from->bytes, from->size);
}

static void raw_draw(struct sim_clients *clients, struct sim_random *random,
                     struct sim_story *story)
{
    clients->events += 1;
    story->is_raw = true;
    (void)snprintf(story->source, sizeof story->source, "rows");
    (void)snprintf(story->id, sizeof story->id, "r%" PRIu64, clients->events);
    story->size = 1 + (size_t)sim_below(random, 40);
    story->bytes = memory_allocate(story->size);
    memset(story->bytes, 'x', story->size);
}

static void story_draw(struct sim_clients *clients, struct sim_random *random,
                       struct sim_story *story)
{
    uint64_t drawn = sim_below(random, 100);
    const struct sim_story *earlier = drawn < 20 ? story_recall(clients, random) : NULL;
    if (earlier != NULL && (drawn < 14 || earlier->is_raw || earlier->is_broken)) {
        story_copy(earlier, story);
        return;
    }
    if (drawn >= 96) {
        raw_draw(clients, random, story);
        return;
    }
    if (earlier != NULL) {
        *story = *earlier;
        story->amount_minor += 1;
        sim_sometimes(clients->world, SIM_EVENT_OTHER_CONTENT);
    } else {
        event_draw(clients, random, story);
        story->is_broken = drawn == 95;
    }
    if (drawn >= 92 && drawn < 95) {
        story->occurred_at_ms = sim_wall_ms(clients->world) + 10 * MINUTE_MS;
        sim_sometimes(clients->world, SIM_EVENT_FUTURE);
    }
    story_encode(clients, story);
}

static void ingest_encode(struct sim_command *command)
{
    Kith__V1__IngestRequest request = KITH__V1__INGEST_REQUEST__INIT;
    Kith__V1__IngestItem items[SIM_ITEMS_MAX];
    Kith__V1__IngestItem *pointers[SIM_ITEMS_MAX];
    Kith__V1__RawRow rows[SIM_ITEMS_MAX];
    char reason[] = "no column fits";
    for (size_t i = 0; i < command->item_count; i++) {
        struct sim_story *story = &command->items[i];
        ProtobufCBinaryData bytes = { .len = story->size, .data = story->bytes };
        kith__v1__ingest_item__init(&items[i]);
        kith__v1__raw_row__init(&rows[i]);
        pointers[i] = &items[i];
        if (story->is_raw) {
            rows[i].source = story->source;
            rows[i].id = story->id;
            rows[i].has_bytes = true;
            rows[i].bytes = bytes;
            rows[i].reason = reason;
            items[i].item_case = KITH__V1__INGEST_ITEM__ITEM_RAW;
            items[i].raw = &rows[i];
        } else {
            items[i].item_case = KITH__V1__INGEST_ITEM__ITEM_EVENT;
            items[i].event = bytes;
        }
    }
    request.items = pointers;
    request.n_items = command->item_count;
    request.run = command->run_batch > 0 ? command->run : NULL;
    request.has_run_batch = command->run_batch > 0;
    request.run_batch = command->run_batch;
    pack(&request.base, &command->body);
}

static void ingest_draw(struct sim_clients *clients, struct sim_client *client,
                        struct sim_command *command)
{
    command->what = SIM_INGEST;
    command->method = "ingestion.Ingest";
    command->item_count = 1 + (size_t)sim_below(&client->random, SIM_ITEMS_MAX);
    for (size_t i = 0; i < command->item_count; i++) {
        story_draw(clients, &client->random, &command->items[i]);
    }
    if (sim_chance(&client->random, 200)) {
        client->run_batch += 1;
        command->run_batch = client->run_batch;
        (void)snprintf(command->run, sizeof command->run, "run%u", client->number);
    }
    ingest_encode(command);
}

static void entry_draw(struct sim_clients *clients, struct sim_client *client,
                       struct sim_command *command)
{
    command->entry = 1 + sim_below(&client->random, 12);
    if (sim_chance(&client->random, 400)) {
        Kith__V1__QuarantineDropRequest drop = KITH__V1__QUARANTINE_DROP_REQUEST__INIT;
        command->what = SIM_ENTRY_DROP;
        command->method = "ingestion.QuarantineDrop";
        drop.has_entry = true;
        drop.entry = command->entry;
        pack(&drop.base, &command->body);
        return;
    }
    Kith__V1__QuarantineRetryRequest retry = KITH__V1__QUARANTINE_RETRY_REQUEST__INIT;
    command->what = SIM_ENTRY_RETRY;
    command->method = "ingestion.QuarantineRetry";
    retry.has_entry = true;
    retry.entry = command->entry;
    if (sim_chance(&client->random, 700)) {
        event_draw(clients, &client->random, &command->items[0]);
        story_encode(clients, &command->items[0]);
        command->item_count = 1;
        retry.has_event = true;
        retry.event =
            (ProtobufCBinaryData){ .len = command->items[0].size, .data = command->items[0].bytes };
    }
    pack(&retry.base, &command->body);
}

static void advance_draw(struct sim_clients *clients, struct sim_client *client,
                         struct sim_command *command)
{
    Kith__V1__AdvanceClockRequest advance = KITH__V1__ADVANCE_CLOCK_REQUEST__INIT;
    command->what = SIM_ADVANCE;
    command->method = "ingestion.AdvanceClock";
    command->by_ms = sim_between(&client->random, 1, 3 * HOUR_MS);
    clients->story_ms += command->by_ms;
    advance.has_by_ms = true;
    advance.by_ms = command->by_ms;
    pack(&advance.base, &command->body);
}

/* ---- points */

/* Of those whose account is on the node that is asked; the first one decides which that is. */
static unsigned customer_draw(const struct sim_clients *clients, struct sim_random *random,
                              const struct sim_command *command)
{
    unsigned drawn = (unsigned)sim_below(random, clients->customer_count);
    if (command->posting_count == 0) {
        return drawn;
    }
    unsigned first = command->postings[0].customer;
    uint32_t shard = sim_shard_of_customer(clients->world, "loyalty", first);
    return sim_shard_of_customer(clients->world, "loyalty", drawn) == shard ? drawn : first;
}

static void posting_draw(const struct sim_clients *clients, struct sim_random *random,
                         struct sim_command *command)
{
    struct sim_posting posting = { .customer = customer_draw(clients, random, command),
                                   .programme = (unsigned)sim_below(random, SIM_PROGRAMMES),
                                   .points = sim_between(random, 1, 60),
                                   .is_grant = sim_chance(random, 500) };
    command->postings[command->posting_count++] = posting;
}

static void spend_draw(const struct sim_clients *clients, struct sim_client *client,
                       struct sim_command *command)
{
    Kith__V1__SpendRequest spend = KITH__V1__SPEND_REQUEST__INIT;
    command->what = SIM_SPEND;
    command->method = "loyalty.Spend";
    posting_draw(clients, &client->random, command);
    command->postings[0].is_grant = false;
    spend.customer = plain(clients->customers[command->postings[0].customer]);
    spend.programme = plain(sim_programmes[command->postings[0].programme]);
    spend.has_points = true;
    spend.points = command->postings[0].points;
    pack(&spend.base, &command->body);
}

static void post_draw(const struct sim_clients *clients, struct sim_client *client,
                      struct sim_command *command)
{
    Kith__V1__PostRequest post = KITH__V1__POST_REQUEST__INIT;
    Kith__V1__Posting postings[SIM_ITEMS_MAX];
    Kith__V1__Posting *pointers[SIM_ITEMS_MAX];
    size_t count = 1 + (size_t)sim_below(&client->random, SIM_ITEMS_MAX);
    command->what = SIM_POST;
    command->method = "loyalty.Post";
    command->is_whole = sim_chance(&client->random, 400);
    for (size_t i = 0; i < count; i++) {
        posting_draw(clients, &client->random, command);
        const struct sim_posting *drawn = &command->postings[i];
        kith__v1__posting__init(&postings[i]);
        postings[i].has_kind = true;
        postings[i].kind = drawn->is_grant ? KITH__V1__POSTING_KIND__POSTING_GRANT
                                           : KITH__V1__POSTING_KIND__POSTING_SPEND;
        postings[i].customer = plain(clients->customers[drawn->customer]);
        postings[i].programme = plain(sim_programmes[drawn->programme]);
        postings[i].has_points = true;
        postings[i].points = drawn->points;
        pointers[i] = &postings[i];
    }
    post.postings = pointers;
    post.n_postings = count;
    post.has_all_or_nothing = true;
    post.all_or_nothing = command->is_whole;
    pack(&post.base, &command->body);
}

static void reverse_draw(const struct sim_clients *clients, struct sim_client *client,
                         struct sim_command *command)
{
    Kith__V1__ReverseRequest reverse = KITH__V1__REVERSE_REQUEST__INIT;
    command->what = SIM_REVERSE;
    command->method = "loyalty.Reverse";
    command->customer = (unsigned)sim_below(&client->random, clients->customer_count);
    command->reverses = 1 + sim_below(&client->random, 40 + clients->count);
    reverse.has_posting = true;
    reverse.posting = command->reverses;
    pack(&reverse.base, &command->body);
}

static void trigger_draw(const struct sim_clients *clients, struct sim_client *client,
                         struct sim_command *command)
{
    Kith__V1__TriggerRequest trigger = KITH__V1__TRIGGER_REQUEST__INIT;
    command->what = SIM_TRIGGER;
    command->method = "campaign.Trigger";
    command->campaign = (unsigned)sim_below(&client->random, SIM_CAMPAIGNS);
    command->customer = (unsigned)sim_below(&client->random, clients->customer_count);
    trigger.campaign = plain(sim_campaigns[command->campaign]);
    trigger.customer = plain(clients->customers[command->customer]);
    pack(&trigger.base, &command->body);
}

/* Another body under the key of a command that is answered. False: there is none. */
static bool reuse_draw(const struct sim_clients *clients, struct sim_client *client,
                       struct sim_command *command)
{
    for (unsigned attempt = 0; attempt < 4 && clients->count > 0; attempt++) {
        const struct sim_command *other =
            clients->commands[sim_below(&client->random, clients->count)];
        if (other->what == SIM_SPEND && other->is_answered && other->code == STATUS_OK) {
            spend_draw(clients, client, command);
            command->what = SIM_REUSE;
            command->node = other->node;
            command->issued_at_ms = other->issued_at_ms;
            memcpy(command->key, other->key, sizeof command->key);
            /* Never the same body. */
            command->postings[0].points += 1000;
            Kith__V1__SpendRequest spend = KITH__V1__SPEND_REQUEST__INIT;
            spend.customer = plain(clients->customers[command->postings[0].customer]);
            spend.has_points = true;
            spend.points = command->postings[0].points;
            pack(&spend.base, &command->body);
            return true;
        }
    }
    return false;
}

/* ---- feeds */

void sim_accept_encode(const char *feed, uint32_t shard, struct sim_command *command)
{
    Kith__V1__AcceptRequest accept = KITH__V1__ACCEPT_REQUEST__INIT;
    command->method = "consumer.Accept";
    accept.feed = plain(feed);
    accept.has_shard = true;
    accept.shard = shard;
    accept.has_from = true;
    accept.from = command->from;
    accept.reason = plain(SIM_REASON);
    pack(&accept.base, &command->body);
}

/* Nobody reads reporting. */
static void accept_draw(const struct sim_clients *clients, struct sim_client *client,
                        struct sim_command *command)
{
    command->what = SIM_ACCEPT_WRONG;
    command->node = (unsigned)sim_below(&client->random, clients->world->node_count);
    command->from = sim_below(&client->random, 1 + clients->events);
    sim_accept_encode("reporting", 0, command);
}

/* ---- questions */

static void balance_ask(const struct sim_clients *clients, struct sim_command *command)
{
    Kith__V1__BalanceRequest balance = KITH__V1__BALANCE_REQUEST__INIT;
    command->method = "loyalty.Balance";
    balance.customer = plain(clients->customers[command->customer]);
    balance.programme = plain(sim_programmes[command->subject]);
    pack(&balance.base, &command->body);
}

static void list_ask(struct sim_command *command)
{
    Kith__V1__ListRequest list = KITH__V1__LIST_REQUEST__INIT;
    command->method = "segmentation.List";
    list.segment = plain(sim_segments[command->subject]);
    list.has_limit = true;
    list.limit = SIM_PAGE;
    pack(&list.base, &command->body);
}

static void accounts_ask(struct sim_command *command)
{
    Kith__V1__AccountsRequest accounts = KITH__V1__ACCOUNTS_REQUEST__INIT;
    command->method = "loyalty.Accounts";
    accounts.has_limit = true;
    accounts.limit = SIM_PAGE;
    pack(&accounts.base, &command->body);
}

static void decisions_ask(struct sim_command *command)
{
    Kith__V1__DecisionsRequest decisions = KITH__V1__DECISIONS_REQUEST__INIT;
    command->method = "campaign.Decisions";
    decisions.campaign = plain(sim_campaigns[command->subject]);
    decisions.has_limit = true;
    decisions.limit = SIM_PAGE;
    pack(&decisions.base, &command->body);
}

void sim_question_encode(const struct sim_clients *clients, struct sim_command *command,
                         enum sim_question question)
{
    command->what = SIM_QUESTION;
    command->question = question;
    switch (question) {
    case SIM_ASK_BALANCE:
        balance_ask(clients, command);
        return;
    case SIM_ASK_LIST:
        list_ask(command);
        return;
    case SIM_ASK_TOTALS:
        command->method = "reporting.Totals"; /* and nothing in its body */
        return;
    case SIM_ASK_ACCOUNTS:
        accounts_ask(command);
        return;
    case SIM_ASK_DECISIONS:
        decisions_ask(command);
        return;
    case SIM_ASK_STATUS:
        command->method = "service.Status";
        return;
    case SIM_ASK_COUNT:
        break;
    }
    assert(false);
}

/* ---- which of them */

static const char *service_of(const struct sim_command *command)
{
    static const char *const names[] = { "ingestion", "loyalty", "segmentation", "campaign",
                                         "reporting" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size = strlen(names[i]);
        if (strncmp(command->method, names[i], size) == 0 && command->method[size] == '.') {
            return names[i];
        }
    }
    return "ingestion";
}

static void node_choose(const struct sim_clients *clients, struct sim_command *command)
{
    const char *service = service_of(command);
    unsigned customer =
        command->posting_count > 0 ? command->postings[0].customer : command->customer;
    uint32_t shard = strcmp(service, "ingestion") == 0
                         ? 0
                         : sim_shard_of_customer(clients->world, service, customer);
    command->node = sim_node_find(clients->world, service, shard)->number;
}

static void question_draw(const struct sim_clients *clients, struct sim_client *client,
                          struct sim_command *command)
{
    command->customer = (unsigned)sim_below(&client->random, clients->customer_count);
    command->subject = (unsigned)sim_below(&client->random, 2);
    sim_question_encode(clients, command,
                        (enum sim_question)sim_below(&client->random, SIM_ASK_COUNT));
}

void sim_command_draw(struct sim_clients *clients, struct sim_client *client,
                      struct sim_command *command)
{
    uint64_t drawn = sim_below(&client->random, 100);
    if (drawn < 50) {
        ingest_draw(clients, client, command);
    } else if (drawn < 56) {
        entry_draw(clients, client, command);
    } else if (drawn < 66) {
        spend_draw(clients, client, command);
    } else if (drawn < 74) {
        post_draw(clients, client, command);
    } else if (drawn < 80) {
        reverse_draw(clients, client, command);
    } else if (drawn < 90) {
        trigger_draw(clients, client, command);
    } else if (drawn < 93 && clients->world->swarm.is_event_clock) {
        advance_draw(clients, client, command);
    } else if (drawn < 95 && reuse_draw(clients, client, command)) {
        return;
    } else if (drawn == 95) {
        accept_draw(clients, client, command);
        return;
    } else {
        question_draw(clients, client, command);
    }
    node_choose(clients, command);
}
