/* Time, where events make it: for history, demonstrations and tests. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/suite.h"
#include "kith/v1/ingestion.pb-c.h"

#include <sodium.h>
#include <stdio.h>

#define KEY_RANDOM_BYTES 16

struct advance {
    const char *key; /* NULL: a fresh one */
    bool to_given;
    int64_t to_ms;
    int64_t by_ms;
};

static int advance_send(const struct invocation *invocation, struct suite *suite,
                        const struct advance *advance)
{
    uint8_t random[KEY_RANDOM_BYTES];
    char fresh[2 * KEY_RANDOM_BYTES + 1];
    randombytes_buf(random, sizeof random);
    hex_encode(span_of(random, sizeof random), fresh);
    Kith__V1__AdvanceClockRequest request = KITH__V1__ADVANCE_CLOCK_REQUEST__INIT;
    request.has_to_ms = advance->to_given;
    request.to_ms = advance->to_ms;
    request.has_by_ms = !advance->to_given;
    request.by_ms = advance->by_ms;
    struct suite_call call = { .service = "ingestion",
                               .socket = SUITE_COMMANDS,
                               .method = "ingestion.AdvanceClock",
                               .key = advance->key != NULL ? advance->key : fresh,
                               .message = &request.base,
                               .reply = &kith__v1__advance_clock_reply__descriptor,
                               .timeout_ms = suite_patience_ms(suite) };
    int code = EXIT_DONE;
    const Kith__V1__AdvanceClockReply *reply = suite_ask(suite, &call, &code);
    if (reply != NULL) {
        json_t *object = json_object();
        output_put(object, "now", output_time(reply->now_ms));
        output_put(object, "seq", output_unsigned(reply->seq));
        output_object(invocation, object);
    }
    return code;
}

static int advance_run(const struct invocation *invocation)
{
    struct advance advance = { 0 };
    struct option options[] = {
        { "--to", OPTION_TIME, &advance.to_ms, false },
        { "--by", OPTION_DURATION, &advance.by_ms, false },
        { "--key", OPTION_TEXT, &advance.key, false },
    };
    struct option_form form = { .options = options, .option_count = 3 };
    int code = options_read(invocation, &form, /* words= */ NULL);
    if (code != EXIT_DONE) {
        return code;
    }
    advance.to_given = options[0].given;
    if (options[0].given == options[1].given) {
        return options_wrong_use(invocation, "give either --to TIME or --by DURATION");
    }
    struct suite *suite = suite_open(invocation, &code);
    if (suite == NULL) {
        return code;
    }
    if (suite_shards_needed(suite, "ingestion") == 0) {
        code = EXIT_FAILED;
    } else if (!suite_facts(suite)->event_clock) {
        output_say("this suite goes by the clock on the wall; only one with clock: event in %s "
                   "can be advanced",
                   suite_facts(suite)->config);
        code = EXIT_FAILED;
    } else {
        code = advance_send(invocation, suite, &advance);
    }
    suite_close(&suite);
    return code;
}

const struct command commands_clock[] = {
    { .name = "clock advance",
      .usage = "clock advance (--to TIME | --by DURATION) [--key KEY] [--json]",
      .summary = "moves time on, in a suite with clock: event",
      .help = "Time that passes without events: what falls due by time alone happens then, such\n"
              "as leaving a segment. Time never goes back.\n"
              "\n"
              "  --to TIME      such as 1998-06-30T00:00:00Z\n"
              "  --by DURATION  such as 1d, 90m, PT1H; from the suite's now\n"
              "  --key KEY      names this attempt: sent again, it moves time only once\n"
              "\n"
              "examples:\n"
              "  kith clock advance --to 1998-07-01T00:00:00Z\n"
              "  kith clock advance --by 90d --json\n",
      .needs_suite = true,
      .run = advance_run },
    { .name = NULL },
};
