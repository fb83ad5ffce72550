#include "tests/sim/sim_clients.h"

#include "common/base/id.h"
#include "common/wire/wire.h"
#include "tests/sim/sim_story.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 8
#define COMMANDS_LEAST 20
#define COMMANDS_MOST 120
#define PAUSE_MOST_US 120000
/* How long an answer is waited for. */
#define PATIENCE_LEAST_US 150000
#define PATIENCE_MOST_US 900000
/* After a "not now". */
#define AGAIN_US 100000
#define STORY_BEGIN_MS (SIM_WALL_MS - INT64_C(10) * 24 * 3600 * 1000)

unsigned sim_client_port(unsigned number)
{
    return SIM_NODES_MAX + number;
}

uint32_t sim_shard_of_customer(const struct sim_world *world, const char *service,
                               unsigned customer)
{
    uint32_t shards = sim_shards_of(world, service);
    return world->clients->partitions[customer] * shards / PARTITION_COUNT;
}

/* ---- life */

void sim_clients_open(struct sim_world *world)
{
    struct sim_clients *clients = memory_allocate(sizeof *clients);
    struct sim_random random = sim_stream(world->options.seed, 20);
    uint8_t key[SUITE_KEY_BYTES];
    memset(key, 7, sizeof key);
    world->clients = clients;
    clients->world = world;
    clients->story_ms = STORY_BEGIN_MS;
    buffer_init(&clients->header, LIMIT_HEADER_BYTES);
    clients->customer_count = (unsigned)sim_between(&random, 2, SIM_CUSTOMERS_MAX);
    for (unsigned i = 0; i < clients->customer_count; i++) {
        (void)snprintf(clients->customers[i], sizeof clients->customers[i], "customer%u", i);
        struct customer_id id = customer_id_of(span_of(key, sizeof key), "customer",
                                               span_of_text(clients->customers[i]));
        clients->partitions[i] = customer_partition(id);
    }
    for (unsigned i = 0; i <= SIM_OPERATOR; i++) {
        struct sim_client *client = &clients->clients[i];
        client->number = i;
        client->random = sim_stream(world->options.seed, 21 + i);
        sim_port_open(&world->network, sim_client_port(i), NULL, 0);
    }
    for (unsigned i = 0; i < SIM_CLIENTS; i++) {
        clients->clients[i].left = (uint64_t)sim_between(&random, COMMANDS_LEAST, COMMANDS_MOST);
        struct sim_event event = { .at_us = sim_between(&random, 1000, 50000),
                                   .kind = SIM_ASK,
                                   .target = i };
        sim_schedule_put(&world->schedule, event);
    }
}

void sim_clients_close(struct sim_world *world)
{
    struct sim_clients *clients = world->clients;
    for (size_t i = 0; i < clients->count; i++) {
        struct sim_command *command = clients->commands[i];
        for (size_t j = 0; j < command->item_count; j++) {
            free(command->items[j].bytes);
        }
        buffer_release(&command->body);
        free(command->answer);
        free(command);
    }
    for (unsigned i = 0; i <= SIM_OPERATOR; i++) {
        sim_port_close(&world->network, sim_client_port(i));
    }
    buffer_release(&clients->header);
    free(clients->commands);
    free(clients);
    world->clients = NULL;
}

/* ---- sending */

struct sim_command *sim_command_add(struct sim_clients *clients, unsigned client)
{
    struct sim_command *command = memory_allocate(sizeof *command);
    if ((clients->count & (clients->count + 1)) == 0) {
        clients->commands = memory_resize(clients->commands,
                                          2 * (clients->count + 1) * sizeof(struct sim_command *));
    }
    command->number = clients->count + 1;
    command->client = client;
    (void)snprintf(command->key, sizeof command->key, "k%" PRIu64, command->number);
    command->issued_at_ms = sim_wall_ms(clients->world);
    buffer_init(&command->body, LIMIT_BODY_BYTES);
    return command;
}

static void command_send(struct sim_clients *clients, struct sim_command *command)
{
    struct sim_world *world = clients->world;
    struct sim_client *client = &clients->clients[command->client];
    struct request_header header = { .request_id = command->number,
                                     .timeout_ms = command->timeout_ms };
    (void)snprintf(header.method, sizeof header.method, "%s", command->method);
    if (command->what != SIM_QUESTION) {
        (void)snprintf(header.key, sizeof header.key, "%s", command->key);
        header.key_size = strlen(command->key);
        header.issued_at_ms = command->issued_at_ms;
    }
    request_header_encode(&header, &clients->header);
    sim_network_ask(&world->network, sim_client_port(command->client), command->node,
                    buffer_span(&clients->header), buffer_span(&command->body));
    command->attempts += 1;
    command->next_at_us =
        world->now_us + sim_between(&client->random, PATIENCE_LEAST_US, PATIENCE_MOST_US);
    sim_log(world, "client %u sends %" PRIu64 " %s to %s/%" PRIu32 ", attempt %" PRIu64,
            command->client, command->number, command->method,
            world->nodes[command->node].definition->name, world->nodes[command->node].shard,
            command->attempts);
}

void sim_command_begin(struct sim_clients *clients, struct sim_command *command)
{
    clients->commands[clients->count++] = command;
    clients->clients[command->client].open += 1;
    command->starts = clients->world->nodes[command->node].starts;
    command_send(clients, command);
}

void sim_client_ask(struct sim_world *world, unsigned client)
{
    struct sim_clients *clients = world->clients;
    struct sim_client *asking = &clients->clients[client];
    if (asking->left == 0) {
        return;
    }
    if (asking->open < OPEN_MAX) {
        struct sim_command *command = sim_command_add(clients, client);
        command->timeout_ms = sim_chance(&asking->random, 300) ? 500 : 0;
        sim_command_draw(clients, asking, command);
        asking->left -= 1;
        sim_command_begin(clients, command);
    }
    struct sim_event event = { .at_us =
                                   world->now_us + sim_between(&asking->random, 0, PAUSE_MOST_US),
                               .kind = SIM_ASK,
                               .target = client };
    sim_schedule_put(&world->schedule, event);
}

void sim_clients_retry(struct sim_world *world)
{
    struct sim_clients *clients = world->clients;
    for (size_t i = 0; i < clients->count && clients->answered < clients->count; i++) {
        struct sim_command *command = clients->commands[i];
        if (!command->is_answered && command->next_at_us <= world->now_us) {
            command_send(clients, command);
        }
    }
}

/* ---- hearing */

/* Says nothing about the command itself: the same is sent again. */
static bool is_not_now(unsigned code)
{
    return code == STATUS_LIMIT || code == STATUS_ABORTED || code == STATUS_TIMEOUT ||
           code == STATUS_UNREACHABLE;
}

/* Whatever is heard of a command later says what was said first. */
static void compare(const struct sim_clients *clients, struct sim_command *command,
                    const struct reply_header *header, struct span body)
{
    if (command->what == SIM_QUESTION || is_not_now((unsigned)header->refusal.status)) {
        return;
    }
    bool is_same = command->code == (unsigned)header->refusal.status &&
                   strcmp(command->message, header->refusal.message) == 0 &&
                   span_equal(span_of(command->answer, command->answer_size), body);
    if (!is_same) {
        sim_fail(clients->world,
                 "command %" PRIu64 " (%s, key %s) was answered with code %u '%s', and later "
                 "with code %u '%s'",
                 command->number, command->method, command->key, command->code, command->message,
                 (unsigned)header->refusal.status, header->refusal.message);
    }
    sim_sometimes(clients->world, SIM_ANSWERED_TWICE);
}

static void look(struct sim_clients *clients, const struct sim_command *command)
{
    struct sim_world *world = clients->world;
    if (command->attempts > 1 && command->what != SIM_QUESTION) {
        sim_sometimes(world, SIM_RETRY_ANSWERED);
        if (world->nodes[command->node].starts > command->starts) {
            sim_sometimes(world, SIM_RETRY_AFTER_BLOW);
        }
    }
    if (command->what == SIM_ACCEPT && !world->is_calm) {
        sim_sometimes(world, SIM_LED_ON_IN_TROUBLE);
    }
    if (command->was_put_off) {
        sim_sometimes(world, SIM_REFUSED_UNTIL_LATER);
    }
}

static void answer_keep(struct sim_clients *clients, struct sim_command *command,
                        const struct reply_header *header, struct span body)
{
    command->is_answered = true;
    command->code = (unsigned)header->refusal.status;
    (void)snprintf(command->message, sizeof command->message, "%s", header->refusal.message);
    command->answer = memory_allocate(body.size + 1);
    command->answer_size = body.size;
    if (body.size > 0) {
        memcpy(command->answer, body.data, body.size);
    }
    clients->clients[command->client].open -= 1;
    clients->answered += 1;
    look(clients, command);
    sim_log(clients->world, "client %u hears of %" PRIu64 " %s: %s %s", command->client,
            command->number, command->method, status_code_text(header->refusal.status),
            header->refusal.message);
    sim_digest_add(clients->world, command->number * 32 + command->code);
}

static void answer_take(struct sim_clients *clients, const struct message *message)
{
    struct reply_header header;
    enum status status = reply_header_decode(message->header, &header);
    if (status != STATUS_OK || header.request_id == 0 || header.request_id > clients->count) {
        sim_fail(clients->world, "a reply has no readable header");
    }
    struct sim_command *command = clients->commands[header.request_id - 1];
    command->answers += 1;
    if (command->is_answered) {
        compare(clients, command, &header, message->body);
    } else if (is_not_now((unsigned)header.refusal.status)) {
        if (header.refusal.status == STATUS_ABORTED) {
            sim_sometimes(clients->world, SIM_RUN_OUT_OF_ORDER);
        }
        command->was_put_off = true;
        command->next_at_us = clients->world->now_us + AGAIN_US;
    } else {
        answer_keep(clients, command, &header, message->body);
    }
}

void sim_client_hear(struct sim_world *world, unsigned port)
{
    struct message message;
    while (sim_client_take(&world->network, port, &message)) {
        answer_take(world->clients, &message);
        sim_client_give_back(&world->network, &message);
    }
}

bool sim_clients_are_done(const struct sim_world *world)
{
    const struct sim_clients *clients = world->clients;
    for (unsigned i = 0; i < SIM_CLIENTS; i++) {
        if (clients->clients[i].left > 0) {
            return false;
        }
    }
    return clients->answered == clients->count;
}

/* ---- the end */

static void question_ask(struct sim_clients *clients, enum sim_question question, unsigned node,
                         const unsigned about[2])
{
    struct sim_command *command = sim_command_add(clients, 0);
    command->customer = about[0];
    command->subject = about[1];
    command->node = node;
    sim_question_encode(clients, command, question);
    sim_command_begin(clients, command);
}

static void node_ask(struct sim_clients *clients, enum sim_question question,
                     const struct sim_node *node, unsigned subjects)
{
    for (unsigned i = 0; i < subjects; i++) {
        question_ask(clients, question, node->number, (unsigned[2]){ 0, i });
    }
}

void sim_clients_ask_last(struct sim_world *world)
{
    struct sim_clients *clients = world->clients;
    clients->first_question = clients->count;
    for (unsigned i = 0; i < clients->customer_count; i++) {
        uint32_t shard = sim_shard_of_customer(world, "loyalty", i);
        const struct sim_node *node = sim_node_find(world, "loyalty", shard);
        for (unsigned j = 0; j < SIM_PROGRAMMES; j++) {
            question_ask(clients, SIM_ASK_BALANCE, node->number, (unsigned[2]){ i, j });
        }
    }
    for (size_t i = 0; i < world->node_count; i++) {
        const struct sim_node *node = &world->nodes[i];
        const char *name = node->definition->name;
        node_ask(clients, SIM_ASK_STATUS, node, 1);
        if (strcmp(name, "loyalty") == 0) {
            node_ask(clients, SIM_ASK_ACCOUNTS, node, 1);
        } else if (strcmp(name, "segmentation") == 0) {
            node_ask(clients, SIM_ASK_LIST, node, SIM_SEGMENTS);
            node_ask(clients, SIM_ASK_STATUS, node, 1);
        } else if (strcmp(name, "campaign") == 0) {
            node_ask(clients, SIM_ASK_DECISIONS, node, SIM_CAMPAIGNS);
        } else if (strcmp(name, "reporting") == 0) {
            node_ask(clients, SIM_ASK_TOTALS, node, 1);
        }
    }
}
