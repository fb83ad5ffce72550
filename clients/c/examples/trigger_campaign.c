/* Has a campaign write to a customer: trigger_campaign ENDPOINT CAMPAIGN CUSTOMER KEY, the
 * endpoint being campaign's .cmd. With the same key it is sent once, however often this runs. */
#include <kith.h>
#include <stdio.h>
#include <time.h>

#define PATIENCE_MS 10000

static const char *const states[] = {
    [KITH_DISPATCH_PENDING] = "pending",
    [KITH_DISPATCH_SENT] = "sent",
    [KITH_DISPATCH_SUPPRESSED] = "suppressed",
    [KITH_DISPATCH_UNKNOWN] = "unknown",
};

int main(int count, char **words)
{
    if (count != 5) {
        (void)fprintf(stderr, "usage: trigger_campaign ENDPOINT CAMPAIGN CUSTOMER KEY\n");
        return 2;
    }
    struct kith_connection *connection = NULL;
    struct kith_dispatch_id id = { { 0 } };
    struct kith_dispatch dispatch = { .state = KITH_DISPATCH_PENDING };
    struct kith_error error = { .status = KITH_OK };
    /* A key made by kith_key_make() and kept with the order would do as well. */
    struct kith_key key = { .issued_at_ms = (int64_t)time(NULL) * 1000 };
    (void)snprintf(key.text, sizeof key.text, "%s", words[4]);
    struct kith_trigger trigger = { .campaign = words[2], .customer = words[3], .key = &key };
    bool is_done = kith_open(&connection, words[1], &error) == KITH_OK &&
                   kith_campaign_trigger(connection, &trigger, &id, &error) == KITH_OK &&
                   kith_dispatch_wait(connection, &id, PATIENCE_MS, &dispatch, &error) == KITH_OK;
    if (is_done) {
        printf("%s %s\n", states[dispatch.state], dispatch.reason);
    } else {
        (void)fprintf(stderr, "%s: %s\n", kith_status_name(error.status), error.text);
    }
    kith_close(&connection);
    return is_done ? 0 : 1;
}
