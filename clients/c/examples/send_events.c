/* Sends one purchase: send_events ENDPOINT ID CUSTOMER CENTS, the endpoint being ingestion's
 * .cmd. Sent twice with the same id it counts once. */
#include <inttypes.h>
#include <kith.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words)
{
    if (count != 5) {
        (void)fprintf(stderr, "usage: send_events ENDPOINT ID CUSTOMER CENTS\n");
        return 2;
    }
    struct kith_connection *connection = NULL;
    struct kith_batch *batch = NULL;
    struct kith_totals totals = { 0 };
    struct kith_error error = { .status = KITH_OK };
    struct kith_event event = {
        .source = "example",
        .id = words[2],
        .type = "purchase",
        .customer = words[3],
        .occurred_at_ms = INT64_C(1000) * 1000 * 1000 * 1000,
        .amount = { strtoll(words[4], NULL, 10), "EUR" },
    };
    kith_batch_open(&batch);
    bool is_done = kith_open(&connection, words[1], &error) == KITH_OK &&
                   kith_batch_add(batch, &event, &error) == KITH_OK && /* and more of them */
                   kith_batch_send(connection, batch, &totals, &error) == KITH_OK;
    if (is_done) {
        printf("accepted %" PRIu32 " duplicate %" PRIu32 " rejected %" PRIu32 " invalid %" PRIu32
               " seq %" PRIu64 "\n",
               totals.accepted, totals.duplicate, totals.rejected, totals.invalid, totals.seq_max);
    } else {
        (void)fprintf(stderr, "%s: %s\n", kith_status_name(error.status), error.text);
    }
    kith_batch_close(&batch);
    kith_close(&connection);
    return is_done ? 0 : 1;
}
