/* Reads a customer's points: read_balance ENDPOINT CUSTOMER, the endpoint being loyalty's .cmd. */
#include <inttypes.h>
#include <kith.h>
#include <stdio.h>

int main(int count, char **words)
{
    if (count != 3) {
        (void)fprintf(stderr, "usage: read_balance ENDPOINT CUSTOMER\n");
        return 2;
    }
    struct kith_connection *connection = NULL;
    struct kith_balance balance = { .postings = 0 };
    struct kith_error error = { .status = KITH_OK };
    bool is_done = kith_open(&connection, words[1], &error) == KITH_OK &&
                   kith_balance_read(connection, words[2], NULL, &balance, &error) == KITH_OK;
    if (is_done) {
        printf("%s %" PRId64 "\n", balance.programme, balance.available_points);
    } else {
        (void)fprintf(stderr, "%s: %s\n", kith_status_name(error.status), error.text);
    }
    kith_close(&connection);
    return is_done ? 0 : 1;
}
