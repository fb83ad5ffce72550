/* link: common_rules campaign_service */
/* covers: common/rules/campaigns.c services/campaign/channel_mail.c */
/*
 * Texts of campaigns from any bytes: templates are refused at a place within them or can be
 * filled; addresses that are taken cannot say anything else to a mail server; and what goes into
 * a mail's head stays there.
 */
#include "common/base/id.h"
#include "common/rules/campaigns.h"
#include "services/campaign/channel_internal.h"
#include "services/campaign/channel_mail.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Knows names of even length, and says them backwards. */
static bool value_answer(void *context, struct span name, struct span *value)
{
    struct buffer *said = context;
    assert(name.size >= 1 && name.size <= LIMIT_ID_BYTES);
    buffer_clear(said);
    for (size_t i = name.size; i > 0; i--) {
        enum status status = buffer_append(said, span_of(name.data + i - 1, 1));
        assert(status == STATUS_OK);
    }
    *value = buffer_span(said);
    return name.size % 2 == 0;
}

static void template_try(const char *text)
{
    size_t at = SIZE_MAX;
    struct buffer said;
    struct buffer out;
    struct span missing = { 0 };
    struct campaign_values values = { .context = &said, .value = value_answer };
    if (campaign_template_check(text, &at) != STATUS_OK) {
        assert(at <= strlen(text));
        return;
    }
    buffer_init(&said, LIMIT_ID_BYTES);
    buffer_init(&out, 256);
    enum status status = campaign_template_fill(text, &values, &out, &missing);
    assert(status == STATUS_OK || status == STATUS_NOT_FOUND || status == STATUS_LIMIT);
    assert(status != STATUS_NOT_FOUND || missing.size % 2 == 1);
    assert(status != STATUS_OK || out.size <= strlen(text));
    buffer_release(&out);
    buffer_release(&said);
}

static void address_try(struct span text)
{
    if (campaign_mail_address_is_valid(text)) {
        assert(text.size >= 3 && memchr(text.data, '@', text.size) != NULL);
        for (size_t i = 0; i < text.size; i++) {
            assert(text.data[i] > ' ' && text.data[i] < 0x7f &&
                   strchr("<>\"(),:;\\", text.data[i]) == NULL);
        }
    }
}

/* Lines of ASCII that end in CRLF, and a head of our own lines alone. */
static void mail_check(struct span mail)
{
    static const char *const names[] = {
        "From: ",       "To: ",           "Subject: ",         "Date: ",
        "Message-ID: ", "MIME-Version: ", "X-Kith-Dispatch: ", "Content-"
    };
    bool is_head = true;
    for (size_t at = 0; at < mail.size;) {
        const uint8_t *end = memchr(mail.data + at, '\n', mail.size - at);
        assert(end != NULL && end > mail.data + at && end[-1] == '\r');
        size_t size = (size_t)(end - 1 - (mail.data + at));
        assert(size <= 998);
        bool is_known = mail.data[at] == ' ';
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            is_known =
                is_known || strncmp((const char *)mail.data + at, names[i], strlen(names[i])) == 0;
        }
        is_head = is_head && size > 0;
        assert(!is_head || is_known);
        for (size_t i = 0; i < size; i++) {
            assert(mail.data[at + i] < 0x7f && mail.data[at + i] >= ' ');
        }
        at += size + 2;
    }
}

static void mail_try(struct span input)
{
    const char *why = NULL;
    size_t third = input.size / 3;
    struct buffer out;
    struct channel_intent intent = {
        .campaign = span_of_text("thanks"),
        .customer = span_of_text("ann"),
        .address = span_of_text("ann@example.org"),
        .subject = span_of(input.data, third),
        .text = span_of(input.data + third, input.size - third),
        .at_ms = INT64_C(899164800000),
    };
    if (input.size % 2 == 0) {
        intent.address = span_of(input.data, third);
        intent.subject = span_of_text("Thank you");
    }
    if (!channel_mail_is_possible(&intent, &why)) {
        assert(why != NULL && text_is_clean(span_of_text(why)));
        return;
    }
    buffer_init(&out, CHANNEL_MAIL_BYTES);
    if (channel_mail_encode(&intent, "care@operator.example", &out) == STATUS_OK) {
        mail_check(buffer_span(&out));
    }
    buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = memory_allocate(size + 1);
    memcpy(text, data, size);
    template_try(text);
    address_try(span_of(data, size));
    mail_try(span_of(data, size));
    free(text);
    return 0;
}
