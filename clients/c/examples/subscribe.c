/* Prints the points that are posted: subscribe ENDPOINT FILE COUNT, the endpoint being loyalty's
 * .feed. It goes on where the cursor in FILE stands, and ends after COUNT facts, or when there is
 * nothing new for some seconds. */
#include <inttypes.h>
#include <kith.h>
#include <kith/v1/block.pb-c.h>
#include <kith/v1/loyalty.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 5000
#define TEXT_BYTES 4096

/* No file is a cursor that is all zero. */
static bool cursor_load(const char *path, struct kith_cursor *cursor, struct kith_error *error)
{
    char text[KITH_CURSOR_TEXT_BYTES] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return true;
    }
    bool is_read = fgets(text, sizeof text, file) != NULL;
    (void)fclose(file);
    return kith_cursor_read(is_read ? text : "", cursor, error) == KITH_OK;
}

/* The old cursor or the new one, never half of it. */
static bool cursor_save(const char *path, const struct kith_cursor *cursor)
{
    char text[KITH_CURSOR_TEXT_BYTES];
    char fresh[TEXT_BYTES];
    kith_cursor_write(cursor, text);
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    if (file == NULL) {
        return false;
    }
    bool is_written = fprintf(file, "%s\n", text) > 0;
    is_written = fclose(file) == 0 && is_written;
    return is_written && rename(fresh, path) == 0;
}

static void fact_print(const struct kith_fact *fact)
{
    Kith__V1__PointsPosted *posted =
        kith__v1__points_posted__unpack(NULL, fact->body_bytes, fact->body);
    if (posted != NULL) {
        printf("%" PRIu64 " %s %" PRId64 "\n", fact->seq, fact->subject, posted->points);
        kith__v1__points_posted__free_unpacked(posted, NULL);
    }
}

int main(int count, char **words)
{
    static const uint32_t types[] = { KITH__V1__FACT_TYPE__FACT_POINTS_EARNED,
                                      KITH__V1__FACT_TYPE__FACT_POINTS_SPENT,
                                      KITH__V1__FACT_TYPE__FACT_POINTS_REVERSED };
    if (count != 4) {
        (void)fprintf(stderr, "usage: subscribe ENDPOINT FILE COUNT\n");
        return 2;
    }
    struct kith_feed *feed = NULL;
    struct kith_error error = { .status = KITH_OK };
    struct kith_feed_options options = {
        .endpoint = words[1],
        .feed = "loyalty",
        .consumer = "example",
        .types = types,
        .type_count = sizeof types / sizeof types[0],
    };
    long left = strtol(words[3], NULL, 10);
    bool runs = cursor_load(words[2], &options.cursor, &error) &&
                kith_feed_open(&feed, &options, &error) == KITH_OK;
    while (runs && left > 0) {
        struct kith_fact fact;
        runs = kith_feed_next(feed, PATIENCE_MS, &fact, &error) == KITH_OK;
        if (runs) {
            fact_print(&fact);
            struct kith_cursor cursor = kith_feed_cursor(feed);
            runs = cursor_save(words[2], &cursor);
            kith_feed_saved(feed, fact.seq);
            left -= 1;
        }
    }
    if (error.status != KITH_OK) {
        (void)fprintf(stderr, "%s: %s\n", kith_status_name(error.status), error.text);
    }
    kith_feed_close(&feed);
    return left == 0 ? 0 : 1;
}
