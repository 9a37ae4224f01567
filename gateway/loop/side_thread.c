/* side_thread.c - see side_thread.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "side_thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

/* Only what is touched of it is memory. */
#define STACK_BYTES ((size_t)256 << 10)

struct list {
    struct cprof_side_job *first, **end;
};

struct cprof_side_thread {
    const struct cprof_side_rule *rule;
    struct cprof_loop *loop;
    struct cprof_loop_watch watch; /* of what is brought back */
    pthread_t thread;
    bool has_thread;
    bool was_refused;
    /* Taken and not brought back. */
    unsigned jobs, urgent;
    size_t bytes;

    /* The rest is both threads', under the lock, which is never held while a job is worked. */
    pthread_mutex_t lock;
    pthread_cond_t stirred;
    struct list urgent_list, list, worked;
    bool is_others_turn; /* an urgent one was worked last */
    bool is_working;
    bool ends;
    bool is_left; /* by the loop: the thread frees all */
};

static void make_empty(struct list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void append(struct list *list, struct cprof_side_job *job)
{
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
}

static struct cprof_side_job *take_first(struct list *list)
{
    struct cprof_side_job *job = list->first;

    if (job) {
        list->first = job->next;
        list->end = list->first ? list->end : &list->first;
    }
    return job;
}

static void free_side(struct cprof_side_thread *side)
{
    (void)pthread_cond_destroy(&side->stirred);
    (void)pthread_mutex_destroy(&side->lock);
    close(side->watch.fd);
    free(side);
}

/* The thread */

/* Whoever asks for files again and again does not keep others from being written. */
static struct cprof_side_job *take_next(struct cprof_side_thread *side)
{
    bool is_urgent = side->urgent_list.first && !(side->is_others_turn && side->list.first);

    side->is_others_turn = is_urgent;
    return take_first(is_urgent ? &side->urgent_list : &side->list);
}

/* NULL: it is to end. */
static struct cprof_side_job *next_job(struct cprof_side_thread *side)
{
    struct cprof_side_job *job;

    (void)pthread_mutex_lock(&side->lock);
    while (!side->urgent_list.first && !side->list.first && !side->ends) {
        (void)pthread_cond_wait(&side->stirred, &side->lock);
    }
    job = take_next(side);
    side->is_working = job != NULL;
    (void)pthread_mutex_unlock(&side->lock);
    return job;
}

/* False: the loop has gone, and the job with it. */
static bool bring_back(struct cprof_side_thread *side, struct cprof_side_job *job)
{
    bool is_left;

    (void)pthread_mutex_lock(&side->lock);
    append(&side->worked, job);
    side->is_working = false;
    is_left = side->is_left;
    (void)pthread_mutex_unlock(&side->lock);
    if (!is_left) {
        (void)eventfd_write(side->watch.fd, 1); /* full: the loop is awake anyway */
    }
    return !is_left;
}

static void *work(void *context)
{
    struct cprof_side_thread *side = context;

    for (struct cprof_side_job *job; (job = next_job(side)) != NULL;) {
        job->work(job);
        if (!bring_back(side, job)) {
            free_side(side);
            break;
        }
    }
    return NULL;
}

/* The loop */

static int make_thread(struct cprof_side_thread *side)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int reason = pthread_attr_init(&attributes);

    if (reason != 0) {
        return reason;
    }
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    reason = pthread_create(&side->thread, &attributes, work, side);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return reason;
}

static bool has_thread(struct cprof_side_thread *side)
{
    int reason = side->has_thread ? 0 : make_thread(side);

    if (reason != 0 && !side->was_refused) {
        cprof_log(CPROF_LOG_WARNING,
                  "the system refuses a thread for %s (%s): the gateway does that work itself and "
                  "answers nobody while it lasts; allow it one process more",
                  side->rule->what, strerror(reason));
    }
    side->was_refused = reason != 0;
    if (reason == 0 && !side->has_thread) {
        side->has_thread = true;
        (void)pthread_setname_np(side->thread, side->rule->name);
    }
    return side->has_thread;
}

static void count(struct cprof_side_thread *side, const struct cprof_side_job *job, bool is_taken)
{
    unsigned *jobs = job->is_urgent ? &side->urgent : &side->jobs;

    *jobs += is_taken ? 1u : -1u;
    side->bytes += is_taken ? job->bytes : -job->bytes;
}

static bool has_room(const struct cprof_side_thread *side, const struct cprof_side_job *job)
{
    return job->is_urgent
               ? side->urgent < side->rule->urgent_max
               : side->jobs < side->rule->jobs_max && side->bytes <= side->rule->bytes_max;
}

static void finish(struct cprof_side_thread *side, struct cprof_side_job *job, bool was_worked)
{
    count(side, job, false);
    job->done(job, was_worked);
}

static struct cprof_side_job *take_worked(struct cprof_side_thread *side)
{
    struct cprof_side_job *job;

    (void)pthread_mutex_lock(&side->lock);
    job = take_first(&side->worked);
    (void)pthread_mutex_unlock(&side->lock);
    return job;
}

static void finish_worked(struct cprof_side_thread *side)
{
    for (struct cprof_side_job *job; (job = take_worked(side)) != NULL;) {
        finish(side, job, true);
    }
}

static void ready(void *context, short events)
{
    struct cprof_side_thread *side = context;
    eventfd_t times;

    (void)events;
    (void)eventfd_read(side->watch.fd, &times);
    finish_worked(side);
}

struct cprof_side_thread *cprof_side_thread_create(struct cprof_loop *loop,
                                                   const struct cprof_side_rule *rule,
                                                   struct cprof_error *error)
{
    struct cprof_side_thread *side = calloc(1, sizeof(*side));

    if (!side) {
        cprof_fail(error, "no memory for a thread for %s", rule->what);
        return NULL;
    }
    *side = (struct cprof_side_thread){
        .rule = rule,
        .loop = loop,
        .watch = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                  .events = POLLIN,
                  .ready = ready,
                  .context = side},
    };
    (void)pthread_mutex_init(&side->lock, NULL);
    (void)pthread_cond_init(&side->stirred, NULL);
    make_empty(&side->urgent_list);
    make_empty(&side->list);
    make_empty(&side->worked);
    if (side->watch.fd < 0 || !cprof_loop_add_watch(loop, &side->watch)) {
        cprof_fail(error, "no descriptor, or no place in the loop, for %s", rule->what);
        free_side(side);
        return NULL;
    }
    return side;
}

bool cprof_side_thread_take(struct cprof_side_thread *side, struct cprof_side_job *job)
{
    if (side && !has_room(side, job)) {
        return false;
    }
    if (!side || !has_thread(side)) {
        job->work(job);
        job->done(job, true);
        return true;
    }
    count(side, job, true);
    (void)pthread_mutex_lock(&side->lock);
    append(job->is_urgent ? &side->urgent_list : &side->list, job);
    (void)pthread_cond_signal(&side->stirred);
    (void)pthread_mutex_unlock(&side->lock);
    return true;
}

unsigned cprof_side_thread_waiting(const struct cprof_side_thread *side)
{
    return side ? side->jobs : 0;
}

static void wait_for_one(const struct cprof_side_thread *side, uint64_t until_ns)
{
    struct pollfd fd = {.fd = side->watch.fd, .events = POLLIN};
    uint64_t now_ns = cprof_now_ns();

    if (now_ns < until_ns) {
        (void)poll(&fd, 1, (int)((until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS));
    }
}

/* What is not begun becomes the caller's. */
static void tell_to_end(struct cprof_side_thread *side, struct list *unworked)
{
    (void)pthread_mutex_lock(&side->lock);
    make_empty(unworked);
    for (struct cprof_side_job *job; (job = take_first(&side->urgent_list)) != NULL ||
                                     (job = take_first(&side->list)) != NULL;) {
        append(unworked, job);
    }
    side->ends = true;
    (void)pthread_cond_signal(&side->stirred);
    (void)pthread_mutex_unlock(&side->lock);
}

/* Of a thread whose job does not end. From then on all is the thread's, which may free it as soon
 * as it has the lock. */
static bool leave(struct cprof_side_thread *side)
{
    bool is_working;

    (void)pthread_mutex_lock(&side->lock);
    is_working = side->is_working;
    side->is_left = is_working;
    if (is_working) {
        (void)pthread_detach(side->thread);
    }
    (void)pthread_mutex_unlock(&side->lock);
    return is_working;
}

bool cprof_side_thread_end(struct cprof_side_thread *side, uint64_t wait_ns)
{
    uint64_t until_ns = cprof_now_ns() + wait_ns;
    struct list unworked;

    if (!side) {
        return true;
    }
    while (side->jobs + side->urgent > 0 && cprof_now_ns() < until_ns) {
        wait_for_one(side, until_ns);
        ready(side, POLLIN);
    }
    tell_to_end(side, &unworked);
    for (struct cprof_side_job *job; (job = take_first(&unworked)) != NULL;) {
        finish(side, job, false);
    }
    cprof_loop_remove_watch(side->loop, &side->watch);
    if (side->has_thread && leave(side)) {
        return false;
    }
    if (side->has_thread) {
        (void)pthread_join(side->thread, NULL);
    }
    finish_worked(side);
    free_side(side);
    return true;
}
