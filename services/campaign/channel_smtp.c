/*
 * Messages as e-mails, by libcurl: one connection, one message after the other.
 *
 * What became of a message is decided by how far it came. Until the server has heard whom it is
 * for, what it says is about us. Until it has asked for the e-mail itself nobody can have got it;
 * from then on only its last word tells, and where that does not come, nobody knows.
 *
 *                    the server says                    otherwise
 *   not addressed    4xx, 5xx: stuck                    stuck
 *   addressed        4xx: put off, 5xx: refused         stuck
 *   handed over      the same, and 2xx: sent            unknown
 *
 * Two codes are about us whenever they come: 421, it closes, and 530, it wants a login. Where the
 * channel is stuck, it tries again for ever.
 */
#include "services/campaign/channel_internal.h"
#include "services/campaign/channel_mail.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* "550 5.1.1". No more of what servers say is kept: they like to repeat the address. */
#define REPLY_BYTES 16
#define CODE_BYTES 3
#define DETAILED_CODE_BYTES 9
#define CODE_CLOSES 421
#define CODE_LOGIN 530

struct channel_smtp {
    const struct campaign_channel *channel;
    const atomic_bool *closing;
    CURL *curl;
    char error[CURL_ERROR_SIZE];
    /* The message in hand. */
    struct buffer mail;
    size_t mail_read;
    bool is_addressed;   /* the server heard whom it is for */
    bool is_handed_over; /* the server asked for it, and some of it may be with it */
    char reply[REPLY_BYTES];
};

/* ---- what libcurl calls */

static size_t mail_read(char *out, size_t size, size_t count, void *context)
{
    struct channel_smtp *smtp = context;
    size_t room = size * count;
    size_t rest = smtp->mail.size - smtp->mail_read;
    size_t taken = rest < room ? rest : room;
    smtp->is_handed_over = true;
    if (taken > 0) {
        memcpy(out, smtp->mail.data + smtp->mail_read, taken);
    }
    smtp->mail_read += taken;
    return taken;
}

/* The size of the code of RFC 3463 with which `text` begins, such as "5.1.1"; 0: with none. */
static size_t detailed_code_size(struct span text)
{
    size_t size = 0;
    size_t points = 0;
    while (size < text.size && size < DETAILED_CODE_BYTES &&
           ((text.data[size] >= '0' && text.data[size] <= '9') || text.data[size] == '.')) {
        points += text.data[size] == '.' ? 1 : 0;
        size++;
    }
    return points == 2 ? size : 0;
}

/* A line of the server's reply, without a zero at its end: "550 5.1.1 no such mailbox". What
 * says no is kept: to QUIT, which may follow, servers say yes. */
static size_t reply_take(char *line, size_t size, size_t count, void *context)
{
    struct channel_smtp *smtp = context;
    struct span text = span_of(line, size * count);
    if (text.size > CODE_BYTES && (line[0] == '4' || line[0] == '5')) {
        struct span rest = span_of(text.data + CODE_BYTES + 1, text.size - CODE_BYTES - 1);
        size_t detailed = detailed_code_size(rest);
        (void)snprintf(smtp->reply, sizeof smtp->reply, "%.*s%s%.*s", CODE_BYTES, line,
                       detailed > 0 ? " " : "", (int)detailed, (const char *)rest.data);
    }
    return text.size;
}

/* What libcurl sends is told here only, before the reply to it. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl says what its parameters are. */
static int command_see(CURL *curl, curl_infotype kind, char *bytes, size_t size, void *context)
{
    static const char command[] = "RCPT ";
    struct channel_smtp *smtp = context;
    (void)curl;
    if (kind == CURLINFO_HEADER_OUT && size >= sizeof command - 1 &&
        memcmp(bytes, command, sizeof command - 1) == 0) {
        smtp->is_addressed = true;
    }
    return 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl says what its parameters are. */
static size_t bytes_drop(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

/* Called about once a second at least. What may be with the server already is waited for. */
static int progress_look(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                         curl_off_t up)
{
    const struct channel_smtp *smtp = context;
    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
    return *smtp->closing && !smtp->is_handed_over ? 1 : 0;
}

/* ---- opening */

static bool options_set(struct channel_smtp *smtp, const struct channel_timing *timing)
{
    CURL *curl = smtp->curl;
    const struct campaign_channel *channel = smtp->channel;
    return curl_easy_setopt(curl, CURLOPT_URL, channel->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK &&
           /* Or it would be looked for in the environment. */
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_MAIL_FROM, channel->from) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timing->attempt_most_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, smtp->error) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_READFUNCTION, mail_read) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_READDATA, smtp) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, reply_take) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERDATA, smtp) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, command_see) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_DEBUGDATA, smtp) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, bytes_drop) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, progress_look) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFODATA, smtp) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

static void channel_smtp_close(void *state)
{
    struct channel_smtp *smtp = state;
    curl_socket_t open_socket = CURL_SOCKET_BAD;
    /* Ending the connection says QUIT and waits for the answer, for two minutes if need be. With
     * the way back shut it is said, and that is all. */
    if (smtp->curl != NULL &&
        curl_easy_getinfo(smtp->curl, CURLINFO_ACTIVESOCKET, &open_socket) == CURLE_OK &&
        open_socket != CURL_SOCKET_BAD) {
        (void)shutdown(open_socket, SHUT_RD);
    }
    curl_easy_cleanup(smtp->curl);
    curl_global_cleanup();
    buffer_release(&smtp->mail);
    free(smtp);
}

enum status channel_smtp_open(void **state, const struct channel_options *options,
                              const struct channel_timing *timing, const atomic_bool *closing,
                              struct refusal *refusal)
{
    CURLcode begun = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (begun != CURLE_OK) {
        return refusal_set(refusal, STATUS_INTERNAL, "channel %s: libcurl does not start: %s",
                           options->channel->name, curl_easy_strerror(begun));
    }
    struct channel_smtp *smtp = memory_allocate(sizeof *smtp);
    smtp->channel = options->channel;
    smtp->closing = closing;
    buffer_init(&smtp->mail, CHANNEL_MAIL_BYTES);
    smtp->curl = curl_easy_init();
    if (smtp->curl == NULL || !options_set(smtp, timing)) {
        channel_smtp_close(smtp);
        return refusal_set(refusal, STATUS_INTERNAL, "channel %s: this libcurl cannot do %s",
                           options->channel->name, options->channel->url);
    }
    *state = smtp;
    return STATUS_OK;
}

/* ---- sending */

/* True, for its caller to hand on: the job has its outcome. */
static bool __attribute__((format(printf, 3, 4)))
job_end(struct channel_job *job, enum channel_result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    job->outcome.result = result;
    (void)vsnprintf(job->outcome.detail, sizeof job->outcome.detail, format, arguments);
    va_end(arguments);
    return true;
}

/* True, for its caller to hand on: the job has been tried. */
static bool job_put_off(const struct channel_smtp *smtp, struct channel_job *job)
{
    job->is_put_off = true;
    (void)snprintf(job->outcome.detail, sizeof job->outcome.detail, "%s", smtp->reply);
    return true;
}

/* libcurl's words may hold what a server said. */
static void fault_tell(const struct channel_smtp *smtp, CURLcode result,
                       char why[CHANNEL_DETAIL_BYTES])
{
    const char *text = smtp->error[0] != '\0' ? smtp->error : curl_easy_strerror(result);
    (void)snprintf(why, CHANNEL_DETAIL_BYTES, "%.*s", CHANNEL_DETAIL_BYTES - 1, text);
    for (char *at = why; at[0] != '\0'; at++) {
        if (at[0] < ' ' || at[0] > '~') {
            at[0] = '?';
        }
    }
}

/* False: the channel is stuck, and `why` says why. */
static bool outcome_judge(const struct channel_smtp *smtp, CURLcode result, long code,
                          struct channel_job *job, char why[CHANNEL_DETAIL_BYTES])
{
    long class = code / 100;
    bool is_no = class == 4 || class == 5;
    /* After the question for the e-mail, 354, a code is the last word on it. */
    if (result == CURLE_OK || (smtp->is_handed_over && class == 2)) {
        return true;
    }
    if (is_no && smtp->is_addressed && code != CODE_CLOSES && code != CODE_LOGIN) {
        return class == 4 ? job_put_off(smtp, job)
                          : job_end(job, CHANNEL_REFUSED, "the server refused it: %s", smtp->reply);
    }
    if (is_no) {
        (void)snprintf(why, CHANNEL_DETAIL_BYTES, "the server %s: %s",
                       class == 4 ? "puts us off" : "refuses us", smtp->reply);
        return false;
    }
    if (smtp->is_handed_over) {
        return job_end(job, CHANNEL_UNKNOWN, "%s",
                       result == CURLE_OPERATION_TIMEDOUT
                           ? "the server had the message and did not answer in time"
                           : "the server had the message and hung up without an answer");
    }
    fault_tell(smtp, result, why);
    return false;
}

/* False: the channel is stuck, and `why` says why. */
static bool job_attempt(struct channel_smtp *smtp, struct channel_job *job,
                        char why[CHANNEL_DETAIL_BYTES])
{
    char address[CAMPAIGNS_PATH_BYTES + 2] = { 0 };
    (void)snprintf(address, sizeof address, "<%.*s>", (int)job->intent.address.size,
                   (const char *)job->intent.address.data);
    struct curl_slist *to = curl_slist_append(NULL, address);
    assert(to != NULL);
    smtp->mail_read = 0;
    smtp->is_addressed = false;
    smtp->is_handed_over = false;
    smtp->reply[0] = '\0';
    smtp->error[0] = '\0';
    CURLcode result = curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, to);
    assert(result == CURLE_OK);
    result = curl_easy_setopt(smtp->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)smtp->mail.size);
    assert(result == CURLE_OK);
    result = curl_easy_perform(smtp->curl);
    long code = 0;
    (void)curl_easy_getinfo(smtp->curl, CURLINFO_RESPONSE_CODE, &code);
    bool is_over = outcome_judge(smtp, result, code, job, why);
    (void)curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, NULL);
    curl_slist_free_all(to);
    return is_over;
}

static bool job_carry_out(struct channel_smtp *smtp, struct channel_job *job,
                          char why[CHANNEL_DETAIL_BYTES])
{
    const char *impossible = NULL;
    if (job->is_recovered) {
        return job_end(job, CHANNEL_UNKNOWN, "the service ended while it was being sent");
    }
    if (!channel_mail_is_possible(&job->intent, &impossible)) {
        return job_end(job, CHANNEL_REFUSED, "%s", impossible);
    }
    buffer_clear(&smtp->mail);
    if (channel_mail_encode(&job->intent, smtp->channel->from, &smtp->mail) != STATUS_OK) {
        return job_end(job, CHANNEL_REFUSED, "the message is too long for an e-mail");
    }
    return job_attempt(smtp, job, why);
}

static size_t channel_smtp_send(void *state, struct channel_job *const *jobs, size_t count,
                                char why[CHANNEL_DETAIL_BYTES])
{
    size_t done = 0;
    while (done < count && job_carry_out(state, jobs[done], why)) {
        done++;
    }
    return done;
}

/* Half a minute is long for a server that is at hand, which is what the url is to name, and as
 * long as anybody likes to wait for a service to end.
 *
 * Five attempts within five minutes, 20 s, 40 s, 80 s and 160 s apart: that is what servers that
 * want to see a second attempt ask for, and a name that cannot be looked up mostly can by then.
 * Meanwhile the message takes one of the channel's places, so it must not be hours; and where a
 * server puts off all, no more are given up in this time than there are places. */
const struct channel_kind channel_smtp_kind = {
    .timing = { .delay_first_ms = 100,
                .delay_most_ms = 30000,
                .attempt_most_ms = 30000,
                .put_off_first_ms = 20000,
                .put_off_most = 5 },
    .jobs_max = 1,
    .send = channel_smtp_send,
    .close = channel_smtp_close,
};
