#include "clients/c/kith_status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK "kith-cursor-1"
#define HEX_DIGITS "0123456789abcdef"

void kith_cursor_write(const struct kith_cursor *cursor, char text[KITH_CURSOR_TEXT_BYTES])
{
    int size = snprintf(text, KITH_CURSOR_TEXT_BYTES,
                        MARK " %016" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " ", cursor->epoch,
                        cursor->seq, cursor->block, cursor->block_seq);
    char *chain = text + size;
    for (size_t i = 0; i < sizeof cursor->chain; i++) {
        (void)snprintf(chain + 2 * i, 3, "%02x", cursor->chain[i]);
    }
}

/* A number and the space behind it. */
static bool number_read(const char **text, int base, uint64_t *number)
{
    const char *digits = base == 16 ? HEX_DIGITS : "0123456789";
    size_t size = strspn(*text, digits);
    if (size == 0 || (*text)[size] != ' ') {
        return false;
    }
    errno = 0;
    *number = strtoull(*text, NULL, base);
    *text += size + 1;
    return errno == 0;
}

static bool chain_read(const char *text, uint8_t *chain, size_t size)
{
    if (strspn(text, HEX_DIGITS) != 2 * size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        const char pair[] = { text[2 * i], text[2 * i + 1], '\0' };
        chain[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    const char *rest = text + 2 * size;
    return rest[strspn(rest, "\r\n")] == '\0';
}

enum kith_status kith_cursor_read(const char *text, struct kith_cursor *cursor,
                                  struct kith_error *error)
{
    struct kith_cursor read = { 0 };
    const char *rest = text == NULL ? "" : text;
    bool is_cursor = strncmp(rest, MARK " ", strlen(MARK " ")) == 0;
    if (is_cursor) {
        rest += strlen(MARK " ");
        is_cursor = number_read(&rest, 16, &read.epoch) && number_read(&rest, 10, &read.seq) &&
                    number_read(&rest, 10, &read.block) &&
                    number_read(&rest, 10, &read.block_seq) &&
                    chain_read(rest, read.chain, sizeof read.chain);
    }
    if (!is_cursor) {
        return kith_error_set(error, KITH_INVALID_ARGUMENT,
                              "this is no cursor that kith_cursor_write() wrote");
    }
    *cursor = read;
    return KITH_OK;
}
