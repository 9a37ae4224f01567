/* deadlines.c - see deadlines.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "deadlines.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/oldest.h"
#include "../../shared/segment/segment.h"
#include "../../shared/segment/window.h"
#include "request.h"

extern struct uwsgi_server uwsgi;

/* With log-master each logged line is a cycle. */
#define COPY_NS UINT64_C(200000000)

static struct {
    struct cprof_segment segment; /* base NULL: not begun */
    uint32_t slow_request_s;
    uint64_t copied_ns;
} deadlines;

bool cprof_deadlines_have_master(void)
{
    return uwsgi.master_process;
}

bool cprof_deadlines_begin(int segment_fd, uint32_t slow_request_s, struct cprof_error *error)
{
    if (deadlines.segment.base) {
        return true;
    }
    deadlines.slow_request_s = slow_request_s;
    if (!cprof_segment_open(&deadlines.segment, segment_fd, error)) {
        return false;
    }
    if (madvise(deadlines.segment.base, deadlines.segment.bytes, MADV_DONTFORK) != 0) {
        cprof_fail_errno(error, errno, "shared memory: MADV_DONTFORK");
        cprof_segment_close(&deadlines.segment);
        return false;
    }
    return true;
}

/* uWSGI strikes when the second of either deadline is over (core/master_checks.c). */
static uint64_t deadline_ns(const struct uwsgi_worker *worker)
{
    time_t first = worker->harakiri;

    if (worker->user_harakiri > 0 && (first <= 0 || worker->user_harakiri < first)) {
        first = worker->user_harakiri;
    }
    return first > 0 ? ((uint64_t)first + 1) * NS_PER_S : 0;
}

/* Whether a request is slow by nature is asked only where it matters. */
static struct cprof_oldest oldest_requests(int worker, uint64_t now_us)
{
    uint64_t from_us = cprof_oldest_followed_from_us(now_us, deadlines.slow_request_s);
    struct cprof_oldest oldest = {0};

    for (int i = 0; i < uwsgi.cores; i++) {
        const struct uwsgi_core *core = &uwsgi.workers[worker].cores[i];
        uint64_t start_us = core->in_request ? core->req.start_of_request : 0;
        bool is_excepted = deadlines.slow_request_s &&
                           cprof_oldest_would_follow(&oldest, start_us, from_us) &&
                           cprof_request_is_excepted_in(worker, i);

        cprof_oldest_add(&oldest, start_us, is_excepted ? UINT64_MAX : from_us);
    }
    return oldest;
}

/* The first slots are the workers. */
static struct cprof_slot *slot_of_worker(int worker)
{
    return worker >= 1 && worker <= uwsgi.numproc &&
                   (uint32_t)worker <= deadlines.segment.slot_count
               ? cprof_segment_slot(&deadlines.segment, (uint32_t)worker - 1)
               : NULL;
}

/* A worker that cheaper has ended, or that was ended otherwise and has no successor yet, leaves its
 * pid behind in the slot; only the master forks another one, which writes its own. */
static void copy_worker(struct cprof_slot *slot, int number)
{
    const struct uwsgi_worker *worker = &uwsgi.workers[number];
    uint64_t now_us = cprof_now_unix_ns() / NS_PER_US;
    bool lives = worker->pid > 0;
    struct cprof_oldest oldest = {0};

    if (lives) {
        oldest = oldest_requests(number, now_us);
    } else {
        atomic_store(&slot->pid, 0);
    }
    atomic_store(&slot->deadline_unix_ns, lives ? deadline_ns(worker) : 0);
    atomic_store(&slot->oldest_request_us, oldest.request_us);
    atomic_store(&slot->followed_request_us, oldest.followed_us);
    atomic_store(&slot->looked_us, now_us);
}

void cprof_deadlines_copy(void)
{
    uint64_t now_ns = cprof_now_ns();

    if (!deadlines.segment.base || now_ns - deadlines.copied_ns < COPY_NS) {
        return;
    }
    deadlines.copied_ns = now_ns;
    for (int i = 1; i <= uwsgi.numproc; i++) {
        struct cprof_slot *slot = slot_of_worker(i);

        if (slot && slot->kind == CPROF_SLOT_WORKER) {
            copy_worker(slot, i);
        }
    }
}

void cprof_deadlines_note_strike(int worker)
{
    struct cprof_slot *slot = deadlines.segment.base ? slot_of_worker(worker) : NULL;

    if (slot && slot->kind == CPROF_SLOT_WORKER) {
        atomic_store(&slot->struck_pid, (uint32_t)uwsgi.workers[worker].pid);
        atomic_store(&slot->struck_ns, cprof_now_ns());
    }
}
