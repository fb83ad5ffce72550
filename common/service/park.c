/* Questions whose answer is not known yet: kept, and asked again when something changed. */
#include "common/service/shell_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The reply must be back before the asker gives up: this much earlier than its timeout, but
 * not before half of it. Whoever waits for longer than LIMIT_PARKED_MS asks again. */
#define REPLY_MARGIN_MS 250

struct parked {
    struct route route;
    struct request_header header;
    const struct service_method *method;
    int64_t until_ms; /* monotonic: then what is known is sent */
    size_t size;
    uint8_t body[LIMIT_PARKED_BODY_BYTES];
};

struct park {
    size_t count;
    struct parked *questions[LIMIT_PARKED_QUESTIONS]; /* oldest first */
};

void park_open(struct park **park)
{
    *park = memory_allocate(sizeof **park);
}

void park_close(struct park **park)
{
    if (*park == NULL) {
        return;
    }
    for (size_t i = 0; i < (*park)->count; i++) {
        free((*park)->questions[i]);
    }
    free(*park);
    *park = NULL;
}

static int64_t monotonic_now(const struct shell *shell)
{
    return shell->options.clock.monotonic_ms(shell->options.clock.context);
}

/* How long a question is kept whose asker waits for so long. */
static int64_t kept_ms(int64_t timeout_ms)
{
    int64_t margin_ms = timeout_ms / 2 < REPLY_MARGIN_MS ? timeout_ms / 2 : REPLY_MARGIN_MS;
    int64_t left_ms = timeout_ms - margin_ms;
    return left_ms < LIMIT_PARKED_MS ? left_ms : LIMIT_PARKED_MS;
}

void question_answer(struct shell *shell, const struct message *message,
                     const struct request_header *header, const struct service_method *method)
{
    struct park *park = shell->park;
    struct parked asked = { .route = message->route, .header = *header, .method = method };
    int64_t timeout_ms = header->timeout_ms;
    (void)method_run(shell, &message->route, header, method, message->body);
    if (!shell->turn.is_early || timeout_ms == 0 || park->count == LIMIT_PARKED_QUESTIONS ||
        message->body.size > LIMIT_PARKED_BODY_BYTES) {
        return;
    }
    shell->outgoing_count -= 1; /* not the last word: it is not sent */
    asked.until_ms = monotonic_now(shell) + kept_ms(timeout_ms);
    asked.size = message->body.size;
    if (asked.size > 0) {
        memcpy(asked.body, message->body.data, asked.size);
    }
    struct parked *parked = memory_allocate(sizeof *parked);
    *parked = asked;
    park->questions[park->count++] = parked;
}

/* True: the answer is on its way out, and the question is gone. */
static bool ask_again(struct shell *shell, struct parked *parked, bool is_over)
{
    (void)method_run(shell, &parked->route, &parked->header, parked->method,
                     span_of(parked->body, parked->size));
    if (shell->turn.is_early && !is_over) {
        shell->outgoing_count -= 1;
        return false;
    }
    free(parked);
    return true;
}

void park_ask(struct shell *shell)
{
    struct park *park = shell->park;
    bool changed = shell->park_changed || shell->turn.begun || shell->turn.block_count > 0;
    int64_t now = monotonic_now(shell);
    size_t kept = 0;
    shell->park_changed = false;
    for (size_t i = 0; i < park->count; i++) {
        struct parked *parked = park->questions[i];
        bool is_over = now >= parked->until_ms;
        bool asks = changed || is_over;
        if (asks && shell->outgoing_count == LIMIT_TURN_REQUESTS) {
            shell->park_changed = true; /* the rest in the next turn */
            asks = false;
        }
        if (!asks || !ask_again(shell, parked, is_over)) {
            park->questions[kept++] = parked;
        }
    }
    park->count = kept;
}

int64_t park_deadline(const struct shell *shell)
{
    int64_t deadline_ms = INT64_MAX;
    if (shell->park_changed && shell->park->count > 0) {
        return INT64_MIN;
    }
    for (size_t i = 0; i < shell->park->count; i++) {
        if (shell->park->questions[i]->until_ms < deadline_ms) {
            deadline_ms = shell->park->questions[i]->until_ms;
        }
    }
    return deadline_ms;
}
