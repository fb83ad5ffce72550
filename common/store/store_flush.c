/*
 * The flush thread: makes the pieces of a checkpoint while the loop goes on.
 *
 * What it reads is either never written to while a checkpoint runs (the frozen memtable, the
 * options) or its own until it has said that it is done (the checkpoint, the sorted entries).
 * LMDB keeps its write transactions and the loop's read transaction apart.
 */
#include "common/store/store_internal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* The longest that the loop stands still for the flush thread. */
#define FLUSH_WAIT_MS 50

struct flush {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t is_wanted; /* for the thread: a checkpoint is to be made, or the end has come */
    pthread_cond_t has_moved; /* for the loop: a piece more, or done */
    bool has_work;
    bool must_end;
    enum status status; /* not good: the thread has ended */
    uint64_t pieces;    /* made since open */
};

static void flush_lock(struct flush *flush)
{
    int code = pthread_mutex_lock(&flush->lock);
    assert(code == 0);
}

static void flush_unlock(struct flush *flush)
{
    int code = pthread_mutex_unlock(&flush->lock);
    assert(code == 0);
}

/* False: the thread must end. After a piece that was not committed, what is in memory is ahead
 * of the file: the next one would build on what is not there. `in_background`: there is other
 * work, so do not wait. */
static bool work_await(struct flush *flush, bool in_background, bool *has_checkpoint)
{
    flush_lock(flush);
    while (!flush->has_work && !flush->must_end && !in_background && flush->status == STATUS_OK) {
        int code = pthread_cond_wait(&flush->is_wanted, &flush->lock);
        assert(code == 0);
    }
    bool goes_on = !flush->must_end && flush->status == STATUS_OK;
    *has_checkpoint = flush->has_work;
    flush_unlock(flush);
    return goes_on;
}

static void piece_report(struct store *store, enum status status)
{
    struct flush *flush = store->flush;
    flush_lock(flush);
    flush->pieces++;
    flush->has_work = status == STATUS_OK && store->checkpoint.phase != CHECKPOINT_IDLE;
    flush->status = status;
    (void)pthread_cond_signal(&flush->has_moved);
    flush_unlock(flush);
}

static void work_report(struct flush *flush, enum status status)
{
    flush_lock(flush);
    flush->status = status;
    (void)pthread_cond_signal(&flush->has_moved);
    flush_unlock(flush);
}

static void *flush_main(void *argument)
{
    struct store *store = argument;
    (void)pthread_setname_np(pthread_self(), "flush"); /* for people who look */
    bool in_background = store_runs_have_work(store);
    bool has_checkpoint = false;
    enum status status = STATUS_OK;
    /* After a failure the runs in memory are ahead of the file: nothing may follow. */
    while (status == STATUS_OK && work_await(store->flush, in_background, &has_checkpoint)) {
        /* By turns, so that merges keep up with what checkpoints bring. */
        if (has_checkpoint) {
            status = store_piece_make(store);
            piece_report(store, status);
        }
        if (status == STATUS_OK && store_runs_have_work(store)) {
            status = store_runs_work(store);
            work_report(store->flush, status);
        }
        in_background = store_runs_have_work(store);
    }
    return NULL;
}

void store_flush_open(struct store *store)
{
    assert(store->flush == NULL);
    struct flush *flush = memory_allocate(sizeof *flush);
    store->flush = flush;
    int code = pthread_mutex_init(&flush->lock, NULL);
    assert(code == 0);
    code = pthread_cond_init(&flush->is_wanted, NULL);
    assert(code == 0);
    pthread_condattr_t monotonic;
    code = pthread_condattr_init(&monotonic);
    assert(code == 0);
    code = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    assert(code == 0);
    code = pthread_cond_init(&flush->has_moved, &monotonic);
    assert(code == 0);
    (void)pthread_condattr_destroy(&monotonic);
    /* Signals are the loop's. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&flush->thread, NULL, flush_main, store);
    if (code == EAGAIN) {
        memory_exhausted("a thread"); /* like memory: a host without one to spare runs no service */
    }
    assert(code == 0);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void store_flush_close(struct store *store)
{
    struct flush *flush = store->flush;
    if (flush == NULL) {
        return;
    }
    flush_lock(flush);
    flush->must_end = true;
    (void)pthread_cond_signal(&flush->is_wanted);
    flush_unlock(flush);
    int code = pthread_join(flush->thread, NULL);
    assert(code == 0);
    (void)pthread_cond_destroy(&flush->is_wanted);
    (void)pthread_cond_destroy(&flush->has_moved);
    (void)pthread_mutex_destroy(&flush->lock);
    free(flush);
    store->flush = NULL;
}

void store_flush_begin(struct store *store)
{
    struct flush *flush = store->flush;
    flush_lock(flush);
    assert(!flush->has_work);
    flush->has_work = true;
    (void)pthread_cond_signal(&flush->is_wanted);
    flush_unlock(flush);
}

static struct timespec deadline_after(int64_t ms)
{
    struct timespec time = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    int64_t ns = time.tv_nsec + ms * 1000000;
    time.tv_sec += (time_t)(ns / 1000000000);
    time.tv_nsec = (long)(ns % 1000000000);
    return time;
}

enum status store_flush_status(struct store *store)
{
    flush_lock(store->flush);
    enum status status = store->flush->status;
    flush_unlock(store->flush);
    return status;
}

enum status store_flush_look(struct store *store, unsigned pieces, bool *is_done)
{
    struct flush *flush = store->flush;
    struct timespec deadline = deadline_after(FLUSH_WAIT_MS);
    flush_lock(flush);
    uint64_t wanted = flush->pieces + pieces;
    int code = 0;
    while (code == 0 && flush->status == STATUS_OK && flush->has_work && flush->pieces < wanted) {
        code = pthread_cond_timedwait(&flush->has_moved, &flush->lock, &deadline);
        assert(code == 0 || code == ETIMEDOUT);
    }
    *is_done = !flush->has_work;
    enum status status = flush->status;
    flush_unlock(flush);
    return status;
}
