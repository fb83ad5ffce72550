/* The suite that is simulated: its rules are few, and each of them is worked out again by the
 * oracle. Who changes one here changes sim_oracle.c too. */
#include "tests/sim/sim_world.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char rules[] =
    "programmes:\n"
    "  - name: points\n"
    "    earn:\n"
    "      - {event: purchase, points: 1, unit_minor: 100, rounding: floor}\n"
    "      - {event: bill_paid, points: 3, unit_minor: 200, rounding: half_up}\n"
    "  - name: miles\n"
    "    earn:\n"
    "      - {event: purchase, points: 2, unit_minor: 150, rounding: ceiling}\n"
    "segments:\n"
    "  - name: often\n"
    "    rule: {count: purchase, over_days: 2, at_least: 3}\n"
    "  - name: big\n"
    "    rule: {sum: purchase, over_days: 3, at_least: \"100.00\"}\n"
    "  - name: gold\n"
    "    rule: {attribute: tier, equals: gold}\n"
    "  - name: asleep\n"
    "    rule:\n"
    "      all:\n"
    "        - attribute: tier\n"
    "          equals: gold\n"
    "        - not:\n"
    "            count: purchase\n"
    "            over_days: 1\n"
    "            at_least: 1\n"
    "channels:\n"
    "  - {name: outbox, kind: file, address: phone}\n"
    "  - {name: post, kind: smtp, url: \"smtp://127.0.0.1:25\", from: \"kith@example.org\",\n"
    "     address: mail}\n"
    "campaigns:\n"
    "  - name: thanks\n"
    "    segment: big\n"
    "    channel: outbox\n"
    "    on_entry: true\n"
    "    text: \"Thank you, {customer}\"\n"
    "    cap: {messages: 1, per_days: 2}\n"
    "  - name: news\n"
    "    segment: gold\n"
    "    channel: outbox\n"
    "    schedule: {first: \"%s\", every_days: 1}\n"
    "    text: \"News for {customer}\"\n"
    "  - name: nudge\n"
    "    segment: often\n"
    "    channel: outbox\n"
    "    text: \"Still there, {customer}?\"\n"
    "    cap: {messages: 2, per_days: 1}\n"
    "  - name: letter\n"
    "    segment: gold\n"
    "    channel: post\n"
    "    on_entry: true\n"
    "    subject: \"To {customer}\"\n"
    "    text: \"Dear {customer}\"\n";

static void file_write(const char *path, const void *bytes, size_t size)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert(descriptor >= 0);
    ssize_t written = write(descriptor, bytes, size);
    assert(written == (ssize_t)size);
    (void)close(descriptor); /* nothing here is meant to last */
}

void sim_config_write(struct sim_world *world)
{
    static const char *const services[] = { "ingestion", "loyalty", "segmentation", "campaign",
                                            "reporting" };
    char text[8192];
    uint8_t key[SUITE_KEY_BYTES];
    size_t size = 0;
    bool is_event = world->swarm.is_event_clock;
    size += (size_t)snprintf(text, sizeof text,
                             "version: 1\nsuite: {clock: %s, time_zone: UTC}\nservices:\n",
                             is_event ? "event" : "wall");
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        uint32_t shards = i == 0 ? 1 : world->swarm.consumer_shards;
        size += (size_t)snprintf(text + size, sizeof text - size, "  %s: {shards: %u}\n",
                                 services[i], shards);
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size += (size_t)snprintf(text + size, sizeof text - size, rules,
                             is_event ? "2025-12-28T09:00:00Z" : "2026-01-06T09:00:00Z");
#pragma GCC diagnostic pop
    assert(size < sizeof text);
    file_write(world->config, text, size);
    memset(key, 7, sizeof key);
    char path[192];
    (void)snprintf(path, sizeof path, "%s/suite.key", world->folder);
    file_write(path, key, sizeof key);
}

/* Bounds so small that they are reached: batches of a turn, what memory holds, how much of a
 * checkpoint is made at once. */
void sim_limits_shrink(struct sim_world *world, struct sim_node *node, struct sim_random *random)
{
    struct suite_service *limits = &node->limits;
    limits->journal_map_bytes = (uint64_t)64 * 1024 * 1024;
    limits->state_map_bytes = (uint64_t)64 * 1024 * 1024;
    limits->checkpoint_interval_ms = (uint32_t)sim_between(random, 500, 6000);
    if (!world->swarm.has_small) {
        return;
    }
    if (sim_chance(random, 500)) {
        limits->turn_requests_max = (uint32_t)sim_between(random, 1, 8);
    }
    if (sim_chance(random, 500)) {
        limits->turn_bytes_max = (uint32_t)sim_between(random, 512, 16384);
    }
    if (sim_chance(random, 500)) {
        limits->memtable_bytes_max = (uint64_t)sim_between(random, 4096, 65536);
    }
    if (sim_chance(random, 700)) {
        limits->checkpoint_records = (uint32_t)sim_between(random, 1, 20);
    }
    if (sim_chance(random, 500)) {
        limits->checkpoint_interval_ms = (uint32_t)sim_between(random, 100, 400);
    }
}
