/* Checking what lies on disk, and leading a consumer on whose feed stands still. */
#include "cli/command.h"
#include "cli/config_check.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/suite.h"
#include "cli/supervisor_control.h"
#include "kith/v1/service.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_RANDOM_BYTES 16
/* Folders that were moved aside before; a further one is refused. */
#define ASIDE_MAX 1000

/* ---- config check */

static int config_check_run(const struct invocation *invocation)
{
    static const char *const names[] = { "FILE" };
    struct option_form form = { .word_names = names, .words_least = 1, .words_most = 1 };
    struct words words = { 0 };
    struct suite_config config = { 0 };
    int code = options_read(invocation, &form, &words);
    if (code == EXIT_DONE) {
        code = config_check(words.texts[0], &config);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    if (invocation->json) {
        json_t *object = json_object();
        output_put(object, "ok", json_true());
        output_put(object, "services", json_integer((json_int_t)config.service_count));
        output_line(object);
    } else {
        (void)printf("%s: ok, %zu services\n", words.texts[0], config.service_count);
    }
    suite_config_release(&config);
    return EXIT_DONE;
}

/* ---- verify */

struct verify {
    const char *config_option; /* NULL: the one that the suite ran with last */
    uint64_t shard;
    const char *service;
    struct path config;
    struct path data;
};

/* Which of the service's verbs; its finding and its exit code are passed on. */
static int verify_shard(const struct invocation *invocation, struct verify *verify, char *verb)
{
    struct path program;
    struct refusal refusal;
    int code = EXIT_DONE;
    char shard[24];
    char config_option[] = "--config";
    char data_option[] = "--data";
    char shard_option[] = "--shard";
    char json_option[] = "--json";
    refusal_init(&refusal);
    (void)snprintf(shard, sizeof shard, "%" PRIu64, verify->shard);
    enum status status = program_find(verify->service, &program, &refusal);
    if (status == STATUS_OK) {
        char *const argv[] = { program.text,
                               verb,
                               config_option,
                               verify->config.text,
                               data_option,
                               verify->data.text,
                               shard_option,
                               shard,
                               invocation->json ? json_option : NULL,
                               NULL };
        status = program_run(argv, &code, &refusal);
    }
    return status == STATUS_OK ? code : output_refusal(/* who= */ NULL, &refusal);
}

static int verify_config_find(const struct invocation *invocation, struct verify *verify)
{
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status = path_make(&verify->data, &refusal, "%s", invocation->data);
    if (status == STATUS_OK && verify->config_option != NULL) {
        status = path_make(&verify->config, &refusal, "%s", verify->config_option);
    } else if (status == STATUS_OK) {
        struct path link;
        status = path_make(&link, &refusal, "%s/run/config", invocation->data);
        if (status == STATUS_OK && realpath(link.text, verify->config.text) == NULL) {
            status = refusal_set(&refusal, STATUS_NOT_FOUND,
                                 "the configuration that the suite in %s ran with is not known, or "
                                 "gone; name it with --config FILE",
                                 invocation->data);
        }
    }
    return status == STATUS_OK ? EXIT_DONE : output_refusal(/* who= */ NULL, &refusal);
}

/* All shards unless one is named; the first that fails ends it. */
static int verify_shards(const struct invocation *invocation, struct verify *verify, char *verb,
                         bool shard_given)
{
    struct suite_config config = { 0 };
    struct refusal refusal;
    refusal_init(&refusal);
    if (suite_config_load(&config, verify->config.text, &refusal) != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", refusal.message);
        return EXIT_FAILED;
    }
    const struct suite_service *service = suite_service_find(&config, verify->service);
    uint32_t shards = service != NULL ? service->shards : 0;
    suite_config_release(&config);
    if (shards == 0) {
        output_say("this suite has no %s service; name it below services in %s", verify->service,
                   verify->config.text);
        return EXIT_FAILED;
    }
    if (shard_given) {
        return verify_shard(invocation, verify, verb);
    }
    int code = EXIT_DONE;
    for (uint32_t shard = 0; shard < shards && code == EXIT_DONE; shard++) {
        verify->shard = shard;
        code = verify_shard(invocation, verify, verb);
    }
    return code;
}

static int verify_run(const struct invocation *invocation, char *verb)
{
    static const char *const names[] = { "SERVICE" };
    struct verify verify = { 0 };
    struct option options[] = { { "--shard", OPTION_NUMBER, &verify.shard, false },
                                { "--config", OPTION_TEXT, &verify.config_option, false },
                                { "-c", OPTION_TEXT, &verify.config_option, false } };
    struct option_form form = { .options = options,
                                .option_count = 3,
                                .word_names = names,
                                .words_least = 1,
                                .words_most = 1 };
    struct words words = { 0 };
    int code = options_read(invocation, &form, &words);
    if (code == EXIT_DONE) {
        verify.service = words.texts[0];
        code = verify_config_find(invocation, &verify);
    }
    return code == EXIT_DONE ? verify_shards(invocation, &verify, verb, options[0].given) : code;
}

static int verify_journal_run(const struct invocation *invocation)
{
    char verb[] = "verify-journal";
    return verify_run(invocation, verb);
}

static int verify_state_run(const struct invocation *invocation)
{
    char verb[] = "verify-state";
    return verify_run(invocation, verb);
}

/* ---- consumer accept */

struct acceptance {
    struct words words;
    uint64_t from;
    uint64_t shard;
    uint64_t feed_shard;
    const char *reason;
};

static int accept_send(const struct invocation *invocation, struct suite *suite,
                       const struct acceptance *acceptance)
{
    uint8_t random[KEY_RANDOM_BYTES];
    char key[2 * KEY_RANDOM_BYTES + 1];
    char reason[LIMIT_TEXT_BYTES + 1];
    randombytes_buf(random, sizeof random);
    hex_encode(span_of(random, sizeof random), key);
    (void)snprintf(reason, sizeof reason, "%s", acceptance->reason);
    Kith__V1__AcceptRequest request = KITH__V1__ACCEPT_REQUEST__INIT;
    request.feed = acceptance->words.texts[1];
    request.has_shard = 1;
    request.shard = (uint32_t)acceptance->feed_shard;
    request.has_from = 1;
    request.from = acceptance->from;
    request.reason = reason;
    struct suite_call call = { .service = acceptance->words.texts[0],
                               .shard = (uint32_t)acceptance->shard,
                               .socket = SUITE_COMMANDS,
                               .method = "consumer.Accept",
                               .key = key,
                               .message = &request.base,
                               .reply = &kith__v1__accept_reply__descriptor,
                               .timeout_ms = suite_patience_ms(suite) };
    int code = EXIT_DONE;
    const Kith__V1__AcceptReply *reply = suite_ask(suite, &call, &code);
    if (reply != NULL) {
        json_t *object = json_object();
        output_put(object, "service", output_text_or_null(call.service));
        output_put(object, "shard", json_integer(call.shard));
        output_put(object, "feed", output_text_or_null(request.feed));
        output_put(object, "from", output_unsigned(acceptance->from));
        output_put(object, "seq", reply->has_seq ? output_unsigned(reply->seq) : json_null());
        output_object(invocation, object);
    }
    return code;
}

static int accept_read(const struct invocation *invocation, struct acceptance *acceptance)
{
    static const char *const names[] = { "SERVICE", "FEED" };
    struct option options[] = { { "--from", OPTION_NUMBER, &acceptance->from, false },
                                { "--reason", OPTION_TEXT, &acceptance->reason, false },
                                { "--shard", OPTION_NUMBER, &acceptance->shard, false },
                                { "--feed-shard", OPTION_NUMBER, &acceptance->feed_shard, false } };
    struct option_form form = { .options = options,
                                .option_count = 4,
                                .word_names = names,
                                .words_least = 2,
                                .words_most = 2 };
    int code = options_read(invocation, &form, &acceptance->words);
    if (code != EXIT_DONE) {
        return code;
    }
    if (!options[0].given) {
        return options_wrong_use(invocation,
                                 "--from SEQ is missing: what comes after it is folded");
    }
    if (acceptance->reason == NULL || acceptance->reason[0] == '\0' ||
        strlen(acceptance->reason) > LIMIT_TEXT_BYTES) {
        return options_wrong_use(invocation,
                                 "--reason TEXT is missing or longer than %d bytes: it is kept in "
                                 "the journal",
                                 LIMIT_TEXT_BYTES);
    }
    if (acceptance->shard >= LIMIT_SHARDS || acceptance->feed_shard >= LIMIT_SHARDS) {
        return options_wrong_use(invocation, "a shard is 0 to %d", LIMIT_SHARDS - 1);
    }
    return EXIT_DONE;
}

static int accept_run(const struct invocation *invocation)
{
    struct acceptance acceptance = { 0 };
    int code = accept_read(invocation, &acceptance);
    struct suite *suite = code == EXIT_DONE ? suite_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    code = suite_shards_needed(suite, acceptance.words.texts[0]) == 0
               ? EXIT_FAILED
               : accept_send(invocation, suite, &acceptance);
    suite_close(&suite);
    return code;
}

/* ---- consumer rebuild */

/* Moves DIR/SERVICE/SHARD to the first DIR/SERVICE/SHARD.before-N that is free. */
static enum status folder_move(const char *data, const char *service, uint32_t shard,
                               struct path *aside, struct refusal *refusal)
{
    struct path folder;
    struct stat facts;
    enum status status = path_make(&folder, refusal, "%s/%s/%" PRIu32, data, service, shard);
    for (unsigned i = 1; i <= ASIDE_MAX && status == STATUS_OK; i++) {
        status = path_make(aside, refusal, "%s.before-%u", folder.text, i);
        if (status == STATUS_OK && lstat(aside->text, &facts) != 0 && errno == ENOENT) {
            return rename(folder.text, aside->text) == 0
                       ? STATUS_OK
                       : refusal_set(refusal, STATUS_INTERNAL, "%s: cannot be moved: %s",
                                     folder.text, strerror(errno));
        }
    }
    return status == STATUS_OK
               ? refusal_set(refusal, STATUS_LIMIT, "%s: %d were moved aside already", folder.text,
                             ASIDE_MAX)
               : status;
}

static void moved_print(const struct invocation *invocation, const char *service, uint32_t shard,
                        const struct path *aside)
{
    if (!invocation->json) {
        (void)printf("%s/%" PRIu32 ": begins anew; what it had lies in %s\n", service, shard,
                     aside->text);
        return;
    }
    json_t *object = json_object();
    output_put(object, "service", output_text_or_null(service));
    output_put(object, "shard", json_integer(shard));
    output_put(object, "before", output_text_or_null(aside->text));
    output_line(object);
}

/* Whatever becomes of the folders, the service is started again. */
static int rebuild(const struct invocation *invocation, const char *service, uint32_t shards)
{
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status =
        control_ask(invocation->data, CONTROL_STOP, service, CONTROL_ANSWER_MS, &refusal);
    if (status != STATUS_OK) {
        return output_refusal(service, &refusal);
    }
    int code = EXIT_DONE;
    for (uint32_t shard = 0; shard < shards && status == STATUS_OK; shard++) {
        struct path aside;
        status = folder_move(invocation->data, service, shard, &aside, &refusal);
        if (status == STATUS_OK) {
            moved_print(invocation, service, shard, &aside);
        } else {
            code = output_refusal(service, &refusal);
        }
    }
    refusal_init(&refusal);
    if (control_ask(invocation->data, CONTROL_START, service, CONTROL_ANSWER_MS, &refusal) !=
        STATUS_OK) {
        code = output_refusal(service, &refusal);
    }
    return code;
}

static int rebuild_run(const struct invocation *invocation)
{
    static const char *const names[] = { "SERVICE" };
    struct option_form form = { .word_names = names, .words_least = 1, .words_most = 1 };
    struct words words = { 0 };
    int code = options_read(invocation, &form, &words);
    struct suite *suite = code == EXIT_DONE ? suite_open(invocation, &code) : NULL;
    if (suite == NULL) {
        return code;
    }
    const char *service = words.texts[0];
    uint32_t shards = suite_shards_needed(suite, service);
    suite_close(&suite);
    if (shards == 0) {
        return EXIT_FAILED;
    }
    if (strcmp(service, "ingestion") == 0) {
        output_say("ingestion reads no feed: there is nothing that it could be rebuilt from");
        return EXIT_FAILED;
    }
    if (strcmp(service, "campaign") == 0) {
        output_say("whom campaign has written to stands in no feed that it reads: it would write "
                   "to them again; see docs/operations.md");
        return EXIT_FAILED;
    }
    if (strcmp(service, "loyalty") == 0) {
        output_say("what was spent or taken back by command stands in no feed: it is only in the "
                   "old folder, and the ledger begins without it");
    }
    return rebuild(invocation, service, shards);
}

const struct command commands_check[] = {
    { .name = "config check",
      .usage = "config check FILE [--json]",
      .summary = "checks a configuration, down to each service's own part",
      .help = "Starts nothing. A fault is told as FILE:LINE: what is wrong and how to mend it.\n"
              "\n"
              "examples:\n"
              "  kith config check config/example.yaml\n"
              "  kith config check config/example.yaml && kith restart segmentation\n",
      .run = config_check_run },
    { .name = "verify journal",
      .usage = "verify journal SERVICE [--shard N] [--config FILE] [--json]",
      .summary = "walks a journal: checksums, chain, numbers without gaps",
      .help = "Works while the suite runs and while it does not.\n"
              "\n"
              "  --shard N      only this shard\n"
              "  --config FILE  when the one that the suite ran with is gone\n"
              "\n"
              "examples:\n"
              "  kith verify journal ingestion\n"
              "  kith verify journal loyalty --shard 0 --json\n",
      .needs_suite = true,
      .run = verify_journal_run },
    { .name = "verify state",
      .usage = "verify state SERVICE [--shard N] [--config FILE] [--json]",
      .summary = "rebuilds a service's state from its journal and compares",
      .help = "Prints a digest of each table, of the state and of the rebuilt one.\n"
              "\n"
              "  --shard N      only this shard\n"
              "  --config FILE  when the one that the suite ran with is gone\n"
              "\n"
              "examples:\n"
              "  kith verify state loyalty\n"
              "  kith verify state loyalty --json | jq .ok\n",
      .needs_suite = true,
      .run = verify_state_run },
    { .name = "consumer accept",
      .usage = "consumer accept SERVICE FEED --from SEQ --reason TEXT [--shard N] [--feed-shard N]",
      .summary = "lets a service go on with a feed that is not the one it knew",
      .help = "After a producer was restored, its consumers stand still, because what they have\n"
              "folded may be more than the producer has. This says that SERVICE goes on with what\n"
              "comes after SEQ all the same. It is journalled with the reason.\n"
              "\n"
              "  --from SEQ      the newest fact that counts as folded\n"
              "  --reason TEXT   why, for whoever reads the journal\n"
              "  --shard N       of SERVICE; 0 otherwise\n"
              "  --feed-shard N  of FEED; 0 otherwise\n"
              "\n"
              "examples:\n"
              "  kith consumer accept loyalty ingestion --from 69659 --reason 'restored backup'\n"
              "  kith consumer accept reporting loyalty --from 0 --reason 'ledger begun anew'\n",
      .needs_suite = true,
      .run = accept_run },
    { .name = "consumer rebuild",
      .usage = "consumer rebuild SERVICE [--json]",
      .summary = "lets a service begin anew from the feeds it reads",
      .help = "Stops it, moves its folder aside, and starts it. Nothing is deleted: it prints\n"
              "where the old folder lies.\n"
              "\n"
              "examples:\n"
              "  kith consumer rebuild reporting\n"
              "  kith consumer rebuild segmentation --json\n",
      .needs_suite = true,
      .run = rebuild_run },
    { .name = NULL },
};
