/*
 * The queue between the loop and the worker.
 *
 * Jobs stand in a line, which is a ring, and only ever go on: handed over, finished, taken. Those
 * between finished and handed over are the worker's, those between taken and finished are the
 * loop's, and the counters move under the mutex: so no job is ever touched by both.
 *
 * The worker takes the first that may be tried now. One that is put off keeps its place and lets
 * the others pass; what is finished goes before all that is not.
 */
#include "services/campaign/channel_internal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MS_PER_S 1000
#define NS_PER_MS 1000000

struct channel {
    struct campaign_channel rule;
    const struct channel_kind *kind;
    struct channel_timing timing;
    void *state; /* the kind's */
    int wake;
    bool has_sent; /* the loop's: recovering is over */
    pthread_t worker;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* by the monotonic clock */
    atomic_bool closing;    /* written under the mutex, read by the kind without it */

    /* Under the mutex. */
    uint64_t handed_over;
    uint64_t finished;
    uint64_t taken;
    char stuck[CHANNEL_DETAIL_BYTES];                  /* empty: all is well */
    struct channel_job *line[CAMPAIGNS_IN_FLIGHT_MAX]; /* each of `jobs` once */
    struct channel_job jobs[CAMPAIGNS_IN_FLIGHT_MAX];
};

/* These fail only where we are wrong. */
static void channel_lock(struct channel *channel)
{
    int error = pthread_mutex_lock(&channel->mutex);
    assert(error == 0);
}

static void channel_unlock(struct channel *channel)
{
    int error = pthread_mutex_unlock(&channel->mutex);
    assert(error == 0);
}

static struct channel_job **line_at(struct channel *channel, uint64_t number)
{
    return &channel->line[number % CAMPAIGNS_IN_FLIGHT_MAX];
}

/* ---- the worker */

/* Cannot fail but by a full counter, which wakes as well. */
static void wake_write(int wake)
{
    uint64_t one = 1;
    ssize_t written = write(wake, &one, sizeof one);
    assert(written == (ssize_t)sizeof one || errno == EAGAIN);
}

static int64_t monotonic_ms(void)
{
    struct timespec now = { 0 };
    int error = clock_gettime(CLOCK_MONOTONIC, &now);
    assert(error == 0);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

/* All of the worker's functions are called with the lock held. Those that wait or send let it go
 * meanwhile. */

/* Until then, or until the loop says something. */
static void worker_rest(struct channel *channel, int64_t until_ms)
{
    if (until_ms == INT64_MAX) {
        int error = pthread_cond_wait(&channel->changed, &channel->mutex);
        assert(error == 0);
        return;
    }
    struct timespec until = { .tv_sec = until_ms / MS_PER_S,
                              .tv_nsec = until_ms % MS_PER_S * NS_PER_MS };
    int error = pthread_cond_timedwait(&channel->changed, &channel->mutex, &until);
    assert(error == 0 || error == ETIMEDOUT);
}

/* Whatever is handed over meanwhile. */
static void worker_pause(struct channel *channel, int64_t delay_ms)
{
    int64_t until_ms = monotonic_ms() + delay_ms;
    while (!channel->closing && monotonic_ms() < until_ms) {
        worker_rest(channel, until_ms);
    }
}

/* What may be tried now, in the order of the line. None: *next_ms is when there will be some. */
static size_t jobs_choose(struct channel *channel, struct channel_job **jobs, int64_t *next_ms)
{
    int64_t now_ms = monotonic_ms();
    size_t count = 0;
    *next_ms = INT64_MAX;
    for (uint64_t i = channel->finished;
         i < channel->handed_over && count < channel->kind->jobs_max; i++) {
        struct channel_job *job = *line_at(channel, i);
        if (job->not_before_ms <= now_ms) {
            jobs[count] = job;
            count++;
        } else if (job->not_before_ms < *next_ms) {
            *next_ms = job->not_before_ms;
        }
    }
    return count;
}

/* Nothing may be tried now. Where the line is not empty, all that stand there were put off. */
static void waiting_tell(struct channel *channel)
{
    if (channel->finished < channel->handed_over) {
        const struct channel_job *first = *line_at(channel, channel->finished);
        assert(first->is_put_off);
        (void)snprintf(channel->stuck, sizeof channel->stuck, "the server puts it off: %.100s",
                       first->outcome.detail);
    }
}

/* It goes before all that is not finished. */
static void job_finish(struct channel *channel, struct channel_job *job)
{
    uint64_t number = channel->finished;
    while (*line_at(channel, number) != job) {
        number++;
        assert(number < channel->handed_over);
    }
    for (; number > channel->finished; number--) {
        *line_at(channel, number) = *line_at(channel, number - 1);
    }
    *line_at(channel, number) = job;
    channel->finished++;
}

/* True: so often that it is refused. */
static bool job_put_off(const struct channel_timing *timing, struct channel_job *job)
{
    job->put_off_count++;
    assert(job->put_off_count <= timing->put_off_most);
    if (job->put_off_count == timing->put_off_most) {
        char why[CHANNEL_DETAIL_BYTES] = "";
        memcpy(why, job->outcome.detail, sizeof why);
        job->outcome.result = CHANNEL_REFUSED;
        (void)snprintf(job->outcome.detail, sizeof job->outcome.detail, "put off too often: %.100s",
                       why);
        return true;
    }
    job->not_before_ms =
        monotonic_ms() + timing->put_off_first_ms * (INT64_C(1) << (job->put_off_count - 1));
    return false;
}

/* True: nothing is in the way. */
static bool worker_send(struct channel *channel, struct channel_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        jobs[i]->is_put_off = false;
        jobs[i]->outcome.detail[0] = '\0';
    }
    channel_unlock(channel);
    char why[CHANNEL_DETAIL_BYTES] = "";
    size_t done = channel->kind->send(channel->state, jobs, count, why);
    assert(done == count || (done < count && why[0] != '\0'));
    channel_lock(channel);
    uint64_t before = channel->finished;
    memcpy(channel->stuck, why, sizeof why);
    for (size_t i = 0; i < done; i++) {
        if (!jobs[i]->is_put_off || job_put_off(&channel->timing, jobs[i])) {
            job_finish(channel, jobs[i]);
        }
    }
    if (channel->finished > before) {
        wake_write(channel->wake);
    }
    return done == count;
}

static int64_t delay_after(const struct channel_timing *timing, int64_t delay_ms)
{
    int64_t doubled_ms = 2 * delay_ms;
    return doubled_ms < timing->delay_most_ms ? doubled_ms : timing->delay_most_ms;
}

static void *worker_run(void *context)
{
    struct channel *channel = context;
    struct channel_job *jobs[CAMPAIGNS_IN_FLIGHT_MAX] = { NULL };
    int64_t delay_ms = channel->timing.delay_first_ms;
    channel_lock(channel);
    while (!channel->closing) {
        int64_t next_ms = INT64_MAX;
        size_t count = jobs_choose(channel, jobs, &next_ms);
        if (count == 0) {
            waiting_tell(channel);
            worker_rest(channel, next_ms);
        } else if (worker_send(channel, jobs, count)) {
            delay_ms = channel->timing.delay_first_ms;
        } else {
            worker_pause(channel, delay_ms);
            delay_ms = delay_after(&channel->timing, delay_ms);
        }
    }
    channel_unlock(channel);
    return NULL;
}

/* Signals are the loop's; a server that hangs up must not end us by SIGPIPE either. */
static int worker_start(struct channel *channel)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before);
    assert(error == 0);
    int made = pthread_create(&channel->worker, NULL, worker_run, channel);
    error = pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert(error == 0);
    return made;
}

/* ---- open and close */

static void locks_init(struct channel *channel)
{
    pthread_condattr_t monotonic;
    int error = pthread_mutex_init(&channel->mutex, NULL);
    assert(error == 0);
    error = pthread_condattr_init(&monotonic);
    assert(error == 0);
    error = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    assert(error == 0);
    error = pthread_cond_init(&channel->changed, &monotonic);
    assert(error == 0);
    (void)pthread_condattr_destroy(&monotonic);
}

/* Without its worker. */
static void channel_release(struct channel *channel)
{
    for (size_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        free(channel->jobs[i].bytes);
    }
    (void)pthread_cond_destroy(&channel->changed);
    (void)pthread_mutex_destroy(&channel->mutex);
    free(channel);
}

static enum status kind_open(struct channel *channel, const struct channel_options *options,
                             struct refusal *refusal)
{
    struct channel_options own = *options;
    own.channel = &channel->rule;
    if (channel->rule.kind == CAMPAIGN_CHANNEL_SMTP) {
        return channel_smtp_open(&channel->state, &own, &channel->timing, &channel->closing,
                                 refusal);
    }
    return channel_file_open(&channel->state, &own, refusal);
}

enum status channel_open_timed(struct channel **channel, const struct channel_options *options,
                               const struct channel_timing *timing, struct refusal *refusal)
{
    const struct campaign_channel *rule = options->channel;
    assert(*channel == NULL);
    assert(rule->in_flight_max >= 1 && rule->in_flight_max <= CAMPAIGNS_IN_FLIGHT_MAX);
    struct channel *opened = memory_allocate(sizeof *opened);
    opened->rule = *rule;
    opened->kind = rule->kind == CAMPAIGN_CHANNEL_SMTP ? &channel_smtp_kind : &channel_file_kind;
    assert(opened->kind->jobs_max <= CAMPAIGNS_IN_FLIGHT_MAX);
    opened->timing = timing != NULL ? *timing : opened->kind->timing;
    assert(opened->timing.put_off_most <= CHANNEL_PUT_OFF_MOST);
    opened->wake = options->wake;
    for (size_t i = 0; i < CAMPAIGNS_IN_FLIGHT_MAX; i++) {
        opened->line[i] = &opened->jobs[i];
    }
    atomic_init(&opened->closing, false);
    locks_init(opened);
    enum status status = kind_open(opened, options, refusal);
    if (status == STATUS_OK) {
        int error = worker_start(opened);
        if (error == 0) {
            *channel = opened;
            return STATUS_OK;
        }
        status = refusal_set(refusal, STATUS_INTERNAL, "channel %s: no thread for it: %s",
                             rule->name, strerror(error));
        opened->kind->close(opened->state);
    }
    channel_release(opened);
    return status;
}

enum status channel_open(struct channel **channel, const struct channel_options *options,
                         struct refusal *refusal)
{
    return channel_open_timed(channel, options, NULL, refusal);
}

void channel_close(struct channel **channel)
{
    struct channel *closed = *channel;
    if (closed == NULL) {
        return;
    }
    channel_lock(closed);
    closed->closing = true;
    int error = pthread_cond_signal(&closed->changed);
    assert(error == 0);
    channel_unlock(closed);
    error = pthread_join(closed->worker, NULL);
    assert(error == 0);
    closed->kind->close(closed->state);
    channel_release(closed);
    *channel = NULL;
}

/* ---- the loop's side */

/* A copy at *at, which moves on. */
static struct span span_keep(struct span from, uint8_t **at)
{
    struct span kept = span_of(*at, from.size);
    if (from.size > 0) {
        memcpy(*at, from.data, from.size);
    }
    *at += from.size;
    return kept;
}

/* The job's place is free: nobody but us looks at it until handed_over moves on. */
static void job_fill(struct channel_job *job, const struct channel_intent *intent)
{
    size_t size = intent->campaign.size + intent->customer.size + intent->address.size +
                  intent->subject.size + intent->text.size;
    assert(job->bytes == NULL);
    job->bytes = memory_allocate(size + 1);
    uint8_t *at = job->bytes;
    job->intent = *intent;
    job->intent.campaign = span_keep(intent->campaign, &at);
    job->intent.customer = span_keep(intent->customer, &at);
    job->intent.address = span_keep(intent->address, &at);
    job->intent.subject = span_keep(intent->subject, &at);
    job->intent.text = span_keep(intent->text, &at);
    job->outcome = (struct channel_outcome){ .dispatch = intent->dispatch, .result = CHANNEL_SENT };
    job->is_put_off = false;
    job->put_off_count = 0;
    job->not_before_ms = 0;
}

static void hand_over(struct channel *channel, const struct channel_intent *intent,
                      bool is_recovered)
{
    channel_lock(channel);
    assert(channel->handed_over - channel->taken < CAMPAIGNS_IN_FLIGHT_MAX);
    struct channel_job *job = *line_at(channel, channel->handed_over);
    job_fill(job, intent);
    job->is_recovered = is_recovered;
    channel->handed_over++;
    int error = pthread_cond_signal(&channel->changed);
    assert(error == 0);
    channel_unlock(channel);
}

void channel_recover(struct channel *channel, const struct channel_intent *intent)
{
    assert(!channel->has_sent);
    hand_over(channel, intent, true);
}

void channel_send(struct channel *channel, const struct channel_intent *intent)
{
    channel->has_sent = true;
    channel_lock(channel);
    assert(channel->handed_over - channel->taken < channel->rule.in_flight_max);
    channel_unlock(channel);
    hand_over(channel, intent, false);
}

bool channel_outcome_take(struct channel *channel, struct channel_outcome *outcome)
{
    channel_lock(channel);
    bool is_there = channel->taken < channel->finished;
    if (is_there) {
        struct channel_job *job = *line_at(channel, channel->taken);
        *outcome = job->outcome;
        free(job->bytes);
        job->bytes = NULL;
        channel->taken++;
    }
    channel_unlock(channel);
    return is_there;
}

bool channel_is_stuck(struct channel *channel, char *why, size_t size)
{
    channel_lock(channel);
    bool is_stuck = channel->stuck[0] != '\0';
    if (is_stuck) {
        (void)snprintf(why, size, "%s", channel->stuck);
    }
    channel_unlock(channel);
    return is_stuck;
}
