/* The facts of a feed, as JSON lines. */
#include "cli/command.h"
#include "cli/fact_json.h"
#include "cli/feed_stream.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/suite.h"
#include "cli/wait_pass.h"
#include "common/wire/pb.h"

#include <stdio.h>
#include <string.h>

struct tail {
    struct feed_name feed;
    uint64_t from; /* the first seq */
    uint64_t count;
    bool counted; /* ends after `count` */
    bool follow;
    uint64_t end; /* without follow: the last seq */
};

static bool tail_is_over(const struct tail *tail, uint64_t printed, uint64_t newest)
{
    if (tail->counted && printed >= tail->count) {
        return true;
    }
    return !tail->follow && newest >= tail->end;
}

static int facts_print(struct suite *suite, struct feed_stream *stream, const struct tail *tail)
{
    struct refusal refusal;
    struct arena arena;
    refusal_init(&refusal);
    arena_init(&arena, (size_t)LIMIT_RECORD_BYTES * PB_ARENA_FACTOR + PB_ARENA_LEAST);
    uint64_t printed = 0;
    uint64_t newest = tail->from - 1;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !tail_is_over(tail, printed, newest)) {
        const struct fact *fact = NULL;
        int64_t timeout_ms = tail->follow ? -1 : suite_patience_ms(suite);
        status = feed_stream_next(stream, timeout_ms, &fact, &refusal);
        if (status != STATUS_OK) {
            break;
        }
        newest = fact->seq;
        if (!tail->follow && newest > tail->end) {
            break;
        }
        printed++;
        output_line(fact_json(&tail->feed, fact, &arena));
        if (tail->follow) {
            (void)fflush(stdout);
        }
    }
    arena_release(&arena);
    return status == STATUS_OK ? EXIT_DONE : output_refusal(tail->feed.name, &refusal);
}

static int tail_print(struct suite *suite, struct tail *tail)
{
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status =
        wait_feed_end(suite, tail->feed.name, tail->feed.shard, &tail->end, &refusal);
    if (status != STATUS_OK) {
        return output_refusal(tail->feed.name, &refusal);
    }
    struct feed_stream *stream = NULL;
    struct feed_stream_options options = { .service = tail->feed.name,
                                           .shard = tail->feed.shard,
                                           .after = tail->from - 1 };
    status = feed_stream_open(&stream, suite, &options, &refusal);
    if (status != STATUS_OK) {
        return output_refusal(tail->feed.name, &refusal);
    }
    int code = facts_print(suite, stream, tail);
    feed_stream_close(&stream);
    return code;
}

static int feed_check(const struct invocation *invocation, const struct suite *suite,
                      const struct tail *tail, uint64_t shard)
{
    if (strcmp(tail->feed.name, "reporting") == 0) {
        output_say("reporting keeps no feed: it only reads those of the others");
        return EXIT_FAILED;
    }
    uint32_t shards = suite_shards_needed(suite, tail->feed.name);
    if (shards == 0) {
        return EXIT_FAILED;
    }
    if (shard >= shards) {
        return options_wrong_use(invocation, "--shard is 0 to %u for %s", shards - 1,
                                 tail->feed.name);
    }
    return EXIT_DONE;
}

static int tail_read(const struct invocation *invocation, struct tail *tail, uint64_t *shard)
{
    static const char *const names[] = { "FEED" };
    struct option options[] = {
        { "--from", OPTION_NUMBER, &tail->from, false },
        { "--count", OPTION_NUMBER, &tail->count, false },
        { "--shard", OPTION_NUMBER, shard, false },
        { "--follow", OPTION_FLAG, &tail->follow, false },
    };
    struct option_form form = { .options = options,
                                .option_count = 4,
                                .word_names = names,
                                .words_least = 1,
                                .words_most = 1 };
    struct words words = { 0 };
    int code = options_read(invocation, &form, &words);
    if (code != EXIT_DONE) {
        return code;
    }
    tail->counted = options[1].given;
    if (tail->from == 0) {
        return options_wrong_use(invocation, "--from is 1 or more: the first fact has number 1");
    }
    if (strlen(words.texts[0]) >= sizeof tail->feed.name) {
        return options_wrong_use(invocation, "there is no feed '%s'", words.texts[0]);
    }
    memcpy(tail->feed.name, words.texts[0], strlen(words.texts[0]) + 1);
    return EXIT_DONE;
}

static int tail_run(const struct invocation *invocation)
{
    struct tail tail = { .from = 1 };
    uint64_t shard = 0;
    int code = tail_read(invocation, &tail, &shard);
    if (code != EXIT_DONE) {
        return code;
    }
    struct suite *suite = suite_open(invocation, &code);
    if (suite == NULL) {
        return code;
    }
    code = feed_check(invocation, suite, &tail, shard);
    if (code == EXIT_DONE) {
        tail.feed.shard = (uint32_t)shard;
        code = tail_print(suite, &tail);
    }
    suite_close(&suite);
    return code;
}

const struct command commands_tail[] = {
    { .name = "tail",
      .usage = "tail FEED [--from SEQ] [--count N] [--follow] [--shard N]",
      .summary = "the facts of a feed, one JSON object a line",
      .help = "FEED is ingestion, segmentation or loyalty. Without --follow it ends with the\n"
              "newest fact of when it began.\n"
              "\n"
              "  --from SEQ  begin with this fact; 1, the first, otherwise\n"
              "  --count N   end after N facts\n"
              "  --follow    wait for further facts, until interrupted\n"
              "  --shard N   of this shard; 0 otherwise\n"
              "\n"
              "examples:\n"
              "  kith tail ingestion --count 3\n"
              "  kith tail loyalty --from 1000 | jq 'select(.type==\"points.spent\")'\n"
              "  kith tail segmentation --follow\n",
      .needs_suite = true,
      .run = tail_run },
    { .name = NULL },
};
