/* cpu_waits.c - see cpu_waits.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu_waits.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../shared/base/kernel_clock.h"
#include "sleep_state.h"

/* A thread that has waited for a CPU for less than one part in so many of its time is not asked
 * whether it does, while its clock stands still. */
#define WAIT_PART_MIN 64u

/* Looks in a row that ask; then the 8th, the 16th, the 32nd ... */
#define ASKING_LOOKS 4u

static struct {
    struct cprof_slot *slot;
    struct cprof_recorder *recorder;
    bool are_seen;          /* a thread that stands still without being asleep waits for a CPU */
    bool has_one_processor; /* on which the ticker runs, too */
    uint64_t rest_cpu_ns;   /* the ticker's CPU clock when it went to sleep last */
} waits;

void cprof_cpu_waits_setup(struct cprof_slot *slot, struct cprof_recorder *recorder)
{
    waits.slot = slot;
    waits.recorder = recorder;
}

/* Where CPU clocks move by ticks (gVisor) a thread that runs seems to stand still. The ticker's own
 * clock tells: it moves from one reading to the next, or it does not. */
static bool clocks_are_fine(void)
{
    uint64_t first_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t second_ns = cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);

    return first_ns < second_ns && second_ns < cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static bool may_use_one_processor(void)
{
    cpu_set_t processors;

    return sched_getaffinity(0, sizeof(processors), &processors) == 0 &&
           CPU_COUNT(&processors) == 1;
}

void cprof_cpu_waits_begin(void)
{
    waits.are_seen = clocks_are_fine();
    waits.has_one_processor = may_use_one_processor();
}

void cprof_cpu_waits_rest(uint64_t ticker_cpu_ns)
{
    waits.rest_cpu_ns = ticker_cpu_ns;
}

bool cprof_cpu_waits_are_seen(const struct cprof_thread *thread)
{
    return waits.are_seen && thread->sleep.has_account;
}

/* The record in which the thread's run-queue time is summed up. */
static uint32_t find_runnable(struct cprof_thread *thread)
{
    struct cprof_context *context = cprof_context_acquire(waits.recorder);
    struct cprof_sample sample = {
        .tag_ref = atomic_load(&thread->tag_ref),
        .kind = CPROF_STACK_RUNNABLE,
    };
    uint32_t ref = CPROF_NO_REF;

    if (context) {
        (void)cprof_record_find(waits.recorder, context, &sample, &ref);
        cprof_context_release(context);
    }
    return ref;
}

/* Takes run-queue time off what is due. False: the log is full, and it stays with the sleeping
 * stacks. */
static bool book_run_queue(struct cprof_thread *thread, uint64_t waited_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;

    if (sleep->runnable_ref == CPROF_NO_REF) {
        sleep->runnable_ref = find_runnable(thread);
    }
    if (sleep->runnable_ref == CPROF_NO_REF) {
        return false;
    }
    sleep->due_ns -= (int64_t)waited_ns;
    (void)cprof_record_add(waits.recorder, sleep->runnable_ref, (int64_t)waited_ns, 1);
    atomic_fetch_add(&waits.slot->counters[CPROF_COUNTER_RUNNABLE_NS], waited_ns);
    return true;
}

/* Run-queue time is neither sleep nor CPU time. The kernel adds it up when a wait ends, so that a
 * look may find more of it than time has passed: what is due becomes negative then, and the next
 * looks make up for it. */
void cprof_cpu_waits_take_account(struct cprof_thread *thread)
{
    struct cprof_sleep *sleep = &thread->sleep;
    uint64_t total_ns, waited_ns;

    if (!cprof_sleep_run_queue(thread, &total_ns) || total_ns <= sleep->run_queue_seen_ns) {
        return;
    }
    waited_ns = total_ns - sleep->run_queue_seen_ns;
    sleep->run_queue_seen_ns = total_ns;
    sleep->waited_ns += waited_ns;
    (void)book_run_queue(thread, waited_ns);
}

/* The thread waits for a CPU in the stack of queued_ref, as a look of this weight has found. One
 * that the ticker itself may have pushed aside counts only where no other says anything. */
void cprof_cpu_waits_book(const struct cprof_sleep *sleep, uint64_t weight_ns)
{
    if (sleep->is_pushed_aside) {
        weight_ns = 1;
    } else {
        atomic_fetch_add(&waits.slot->counters[CPROF_COUNTER_RUNNABLE_LOOKS], 1);
    }
    cprof_record_add_wait(waits.recorder, sleep->queued_ref, weight_ns);
}

/* The thread still waits, and the kernel will account for it when that ends: too late for what is
 * written down now. The account is told in advance. */
void cprof_cpu_waits_book_pending(struct cprof_thread *thread)
{
    struct cprof_sleep *sleep = &thread->sleep;
    uint64_t due_ns = sleep->due_ns > 0 ? (uint64_t)sleep->due_ns : 0;
    uint64_t pending_ns = due_ns < sleep->queued_ns ? due_ns : sleep->queued_ns;

    if (sleep->is_known && sleep->is_queued && pending_ns > 0 &&
        book_run_queue(thread, pending_ns)) {
        sleep->run_queue_seen_ns += pending_ns;
        sleep->queued_ns = 0;
    }
}

/* Does the thread wait only because the ticker woke up? On the ticker's own processor it may have
 * run until then. The scheduler's clock of that processor says when it did, and what the ticker has
 * used since it went to sleep says when it woke up, a few microseconds early; where that is not
 * told, nothing that waits on this processor counts. But for a process that has one processor, all
 * does: what the ticker adds is then shared out as CPU time is. */
static bool was_pushed_aside(struct cprof_thread *thread)
{
    struct cprof_last_run its, own;
    int processor = cprof_sleep_processor(thread);

    if (processor >= 0 && processor != sched_getcpu()) {
        return false;
    }
    if (!cprof_sleep_last_run(thread->tid, &its) ||
        !cprof_sleep_last_run((pid_t)syscall(SYS_gettid), &own)) {
        return !waits.has_one_processor;
    }
    return its.at_ns + own.cpu_ns >= own.at_ns + waits.rest_cpu_ns;
}

/* The thread stands still and waits for a CPU, in the stack of `ref`. What is due is left: the
 * kernel will say how much of it was spent in the queue. */
void cprof_cpu_waits_begin_one(struct cprof_thread *thread, uint32_t ref, uint64_t weight_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;

    sleep->is_known = true;
    sleep->is_queued = true;
    sleep->is_unnamed = false;
    sleep->queued_ref = ref;
    sleep->queued_ns = weight_ns;
    sleep->is_pushed_aside = was_pushed_aside(thread);
    cprof_cpu_waits_book(sleep, weight_ns);
}

bool cprof_cpu_waits_often(const struct cprof_sleep *sleep)
{
    return waits.are_seen && sleep->waited_ns > sleep->followed_ns / WAIT_PART_MIN;
}

static bool is_worth_asking(const struct cprof_sleep *sleep)
{
    return cprof_cpu_waits_often(sleep) && (sleep->still_looks <= ASKING_LOOKS ||
                                            (sleep->still_looks & (sleep->still_looks - 1)) == 0);
}

/* The thread was asleep, and its clock stands still; but it may have been woken and wait for a CPU
 * since. It is asked where waits are worth it, and more and more rarely while it stands still: a
 * look that asks weighs what those before it would have weighed. Returns that weight if the thread
 * was woken, else 0. */
uint64_t cprof_cpu_waits_ask(struct cprof_thread *thread, uint64_t weight_ns)
{
    struct cprof_sleep *sleep = &thread->sleep;

    sleep->still_looks++;
    sleep->unasked_ns += weight_ns;
    if (!is_worth_asking(sleep)) {
        return 0;
    }
    weight_ns = sleep->unasked_ns;
    sleep->unasked_ns = 0;
    return cprof_sleep_has_ended(thread) ? weight_ns : 0;
}
