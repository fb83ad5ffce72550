#include "services/campaign/channel_mail.h"

#include "common/base/id.h"
#include "common/base/time_text.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Three addresses at most, 254 bytes each, and what stands around them. */
#define HEADERS_BYTES 2048
/* RFC 2045: 57 bytes are a line of 76 in base64. */
#define TEXT_LINE_BYTES 57
/* RFC 2047: an encoded word has at most 75 characters, 12 of them around the base64. */
#define WORD_BYTES 45
#define WORD_BASE64_BYTES 80 /* of either, with the zero and room */
/* A subject that fits a line beside its name goes as it is. */
#define SUBJECT_PLAIN_BYTES 66

bool channel_mail_is_possible(const struct channel_intent *intent, const char **why)
{
    if (!campaign_mail_address_is_valid(intent->address)) {
        *why = "the address is no single e-mail address";
        return false;
    }
    if (!text_is_clean(intent->subject)) {
        *why = "the subject holds a control character or is not UTF-8";
        return false;
    }
    return true;
}

static void base64_write(struct span bytes, char out[WORD_BASE64_BYTES])
{
    assert(sodium_base64_ENCODED_LEN(bytes.size, sodium_base64_VARIANT_ORIGINAL) <=
           WORD_BASE64_BYTES);
    (void)sodium_bin2base64(out, WORD_BASE64_BYTES, bytes.data, bytes.size,
                            sodium_base64_VARIANT_ORIGINAL);
}

/* ---- headers */

/* "Thu, 01 Jan 1998 10:00:00 +0000" */
static void date_write(int64_t at_ms, char *out, size_t size)
{
    static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    int64_t day = day_of_ms(at_ms);
    int64_t second = (at_ms - day * MS_PER_DAY) / 1000;
    int year = 0;
    int month = 0;
    int month_day = 0;
    civil_from_days(day, &year, &month, &month_day);
    assert(month >= 1 && month <= 12);
    int week_day = (int)((day % 7 + 7) % 7); /* 1970 began on a Thursday */
    (void)snprintf(out, size, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[week_day], month_day,
                   months[month - 1], year, (int)(second / 3600), (int)(second / 60 % 60),
                   (int)(second % 60));
}

static bool subject_is_plain(struct span subject)
{
    for (size_t i = 0; i < subject.size; i++) {
        if (subject.data[i] >= 0x80 || subject.data[i] < ' ') {
            return false;
        }
    }
    /* What looks like an encoded word would be read as one. */
    return subject.size <= SUBJECT_PLAIN_BYTES &&
           (subject.size == 0 || memmem(subject.data, subject.size, "=?", 2) == NULL);
}

/* Of clean text, so that a word does not end within a character. */
static size_t word_size(struct span text)
{
    size_t size = text.size < WORD_BYTES ? text.size : WORD_BYTES;
    while (size < text.size && (text.data[size] & 0xc0) == 0x80) {
        size--;
    }
    return size;
}

static enum status subject_append(struct span subject, struct buffer *out)
{
    enum status status = buffer_append(out, span_of_text("Subject: "));
    if (subject_is_plain(subject)) {
        return status == STATUS_OK ? buffer_append(out, subject) : status;
    }
    const char *fold = "";
    while (subject.size > 0 && status == STATUS_OK) {
        size_t size = word_size(subject);
        char encoded[WORD_BASE64_BYTES] = { 0 };
        char word[2 * WORD_BASE64_BYTES] = { 0 };
        base64_write(span_of(subject.data, size), encoded);
        (void)snprintf(word, sizeof word, "%s=?UTF-8?B?%s?=", fold, encoded);
        status = buffer_append(out, span_of_text(word));
        subject = span_of(subject.data + size, subject.size - size);
        fold = "\r\n ";
    }
    return status;
}

static enum status headers_append(const struct channel_intent *intent, const char *from,
                                  struct buffer *out)
{
    char header[HEADERS_BYTES] = { 0 };
    char date[64] = { 0 };
    char dispatch[2 * sizeof intent->dispatch.bytes + 1] = { 0 };
    const char *domain = strchr(from, '@');
    assert(domain != NULL);
    hex_encode(span_of(intent->dispatch.bytes, sizeof intent->dispatch.bytes), dispatch);
    date_write(intent->at_ms, date, sizeof date);
    enum status status = STATUS_OK;
    if (intent->subject.size > 0) {
        status = subject_append(intent->subject, out);
        if (status == STATUS_OK) {
            status = buffer_append(out, span_of_text("\r\n"));
        }
    }
    int size = snprintf(header, sizeof header,
                        "From: <%s>\r\nTo: <%.*s>\r\nDate: %s\r\nMessage-ID: <%s%s>\r\n"
                        "X-Kith-Dispatch: %s\r\nMIME-Version: 1.0\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: base64\r\n\r\n",
                        from, (int)intent->address.size, (const char *)intent->address.data, date,
                        dispatch, domain, dispatch);
    assert(size > 0 && (size_t)size < sizeof header);
    return status == STATUS_OK ? buffer_append(out, span_of(header, (size_t)size)) : status;
}

/* ---- the text */

/* Lines of a text end in CR LF on their way (RFC 2046, 4.1.1), also inside base64. */
static enum status text_append(struct span text, struct buffer *out)
{
    uint8_t line[TEXT_LINE_BYTES] = { 0 };
    char encoded[WORD_BASE64_BYTES + 2] = { 0 };
    size_t size = 0;
    bool is_return_written = false;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < text.size && status == STATUS_OK;) {
        bool is_return = text.data[i] == '\n' && !is_return_written;
        line[size] = is_return ? '\r' : text.data[i];
        size++;
        is_return_written = is_return;
        i += is_return ? 0 : 1;
        if (size == sizeof line || i == text.size) {
            base64_write(span_of(line, size), encoded);
            size_t length = strlen(encoded);
            memcpy(encoded + length, "\r\n", 3);
            status = buffer_append(out, span_of(encoded, length + 2));
            size = 0;
        }
    }
    return status;
}

enum status channel_mail_encode(const struct channel_intent *intent, const char *from,
                                struct buffer *out)
{
    enum status status = headers_append(intent, from, out);
    return status == STATUS_OK ? text_append(intent->text, out) : status;
}
