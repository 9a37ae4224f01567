/* test_engine_timer.c - see plugin/threads/engine_timer.h and rearm.h.
 *
 * sources: plugin/threads/interval.c
 * sources: plugin/threads/engine_timer.c plugin/threads/rearm.c plugin/threads/threads.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/threads/engine_timer.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../plugin/threads/rearm.h"
#include "expect.h"

#define MS UINT64_C(1000000)

static struct cprof_thread *thread;

static void begin(void)
{
    EXPECT(cprof_threads_create());
    thread = cprof_thread_add((pid_t)syscall(SYS_gettid));
    EXPECT(thread);
    cprof_thread_publish(thread);
}

static uint64_t thread_clock_ns(void)
{
    struct timespec now;

    EXPECT(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

/* Works for so much CPU time: no deadline is needed, since only work moves this clock. */
static void burn(uint64_t ns)
{
    uint64_t until_ns = thread_clock_ns() + ns;

    while (thread_clock_ns() < until_ns) {
    }
}

static void intervals_are_random_around_the_period_and_add_up(void)
{
    enum { TICKS = 20000 };
    uint64_t sum_ns = 0, start_ns;
    uint32_t below = 0;

    begin();
    EXPECT(cprof_engine_timer_arm(thread, 1000 * MS));
    start_ns = atomic_load(&thread->timing.next_ns) - atomic_load(&thread->timing.interval_ns);
    for (uint32_t i = 0; i < TICKS; i++) {
        uint64_t weight_ns = cprof_rearm_after_tick(thread, 1000 * MS);

        EXPECT(weight_ns >= 500 * MS && weight_ns < 1500 * MS);
        below += weight_ns < 1000 * MS;
        sum_ns += weight_ns;
    }
    /* No tick is late and none early: the weights are the time. */
    EXPECT(atomic_load(&thread->timing.next_ns) - atomic_load(&thread->timing.interval_ns) ==
           start_ns + sum_ns);
    /* Eight standard deviations: 289 ms / sqrt(20000) around the mean, 71 around the half. */
    EXPECT(sum_ns / TICKS > 984 * MS && sum_ns / TICKS < 1016 * MS);
    EXPECT(below > TICKS / 2 - 8 * 71 && below < TICKS / 2 + 8 * 71);
    cprof_engine_timer_disarm(thread);
}

/* The generator's state decides what is drawn: the same draw with and without lateness. */
static void a_first_tick_is_due_as_much_earlier_as_ticks_are_late(void)
{
    enum { DRAWS = 1000 };
    uint32_t at_once = 0;

    begin();
    EXPECT(cprof_engine_timer_arm(thread, 1000 * MS));
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        uint64_t due_ns, weight_ns, early_ns;

        thread->timing.random = seed;
        EXPECT(cprof_rearm_first(thread, 5000 * MS, 1000 * MS, 0));
        due_ns = atomic_load(&thread->timing.next_ns);
        weight_ns = atomic_load(&thread->timing.interval_ns);
        EXPECT(due_ns > 5000 * MS && due_ns - 5000 * MS <= weight_ns);
        EXPECT(weight_ns >= 500 * MS && weight_ns < 1500 * MS);

        thread->timing.random = seed;
        EXPECT(cprof_rearm_first(thread, 5000 * MS, 1000 * MS, 100 * MS));
        early_ns = atomic_load(&thread->timing.next_ns);
        EXPECT(early_ns == (due_ns > 5100 * MS ? due_ns - 100 * MS : 5000 * MS + 1));
        EXPECT(atomic_load(&thread->timing.interval_ns) == weight_ns);
        at_once += early_ns == 5000 * MS + 1;
    }
    /* One in ten, of 1,000 that deviate by 9.5. */
    EXPECT(at_once > 100 - 5 * 10 && at_once < 100 + 5 * 10);
    cprof_engine_timer_disarm(thread);
}

static _Atomic uint64_t ticks, weight_sum_ns;

static void on_tick(int signal_number, siginfo_t *info, void *context)
{
    struct cprof_thread *found = cprof_thread_of_ticket(info->si_value.sival_int);

    (void)signal_number, (void)context;
    if (info->si_code == SI_TIMER && found) {
        atomic_fetch_add(&weight_sum_ns, cprof_rearm_after_tick(found, 2 * MS));
        atomic_fetch_add(&ticks, 1);
    }
}

static void the_weights_of_the_ticks_are_the_cpu_time(void)
{
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    uint64_t armed_at_ns, next_ns, interval_ns;

    begin();
    EXPECT(sigaction(CPROF_SIGNAL, &action, NULL) == 0);
    EXPECT(cprof_engine_timer_arm(thread, 2 * MS) && thread->armed);
    armed_at_ns = atomic_load(&thread->timing.next_ns) - atomic_load(&thread->timing.interval_ns);
    /* How late a tick comes depends on who else runs; but come it does. */
    while (weight_sum_ns < 200 * MS && thread_clock_ns() < armed_at_ns + 5000 * MS) {
        burn(10 * MS);
    }
    cprof_engine_timer_disarm(thread);
    EXPECT(!thread->armed);

    next_ns = atomic_load(&thread->timing.next_ns);
    interval_ns = atomic_load(&thread->timing.interval_ns);
    EXPECT(ticks > 0 && weight_sum_ns == next_ns - interval_ns - armed_at_ns);
    EXPECT(weight_sum_ns >= 200 * MS);
}

static void a_disarmed_timer_is_silent(void)
{
    uint64_t before;

    begin();
    EXPECT(cprof_engine_timer_arm(thread, 1 * MS));
    cprof_engine_timer_disarm(thread);
    cprof_engine_timer_disarm(thread); /* harmless */
    before = atomic_load(&ticks);
    burn(30 * MS);
    EXPECT(atomic_load(&ticks) == before);
}

static void a_thread_that_is_gone_gets_no_timer(void)
{
    EXPECT(cprof_threads_create());
    thread = cprof_thread_add(1 << 22); /* the greatest thread id is below */
    EXPECT(thread && !cprof_engine_timer_arm(thread, 10 * MS) && !thread->armed);
}

static void a_timer_whose_signal_was_lost_is_armed_again_at_the_second_look(void)
{
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    uint64_t overdue_ns, lost_ns;

    begin();
    EXPECT(sigaction(CPROF_SIGNAL, &ignored, NULL) == 0);
    EXPECT(cprof_engine_timer_arm(thread, 1 * MS));
    EXPECT(cprof_engine_timer_revive(thread, 1 * MS) == 0);
    overdue_ns = atomic_load(&thread->timing.next_ns);
    burn(60 * MS);

    EXPECT(cprof_engine_timer_advance(thread, thread_clock_ns()) >= 60 * MS);
    EXPECT(cprof_engine_timer_revive(thread, 1 * MS) == 0);
    lost_ns = cprof_engine_timer_revive(thread, 1 * MS);
    EXPECT(lost_ns >= 50 * MS);
    EXPECT(atomic_load(&thread->timing.next_ns) > overdue_ns + 50 * MS);
    EXPECT(cprof_engine_timer_revive(thread, 1 * MS) == 0);
    cprof_engine_timer_disarm(thread);
}

int main(void)
{
    RUN(intervals_are_random_around_the_period_and_add_up);
    RUN(a_first_tick_is_due_as_much_earlier_as_ticks_are_late);
    RUN(the_weights_of_the_ticks_are_the_cpu_time);
    RUN(a_disarmed_timer_is_silent);
    RUN(a_thread_that_is_gone_gets_no_timer);
    RUN(a_timer_whose_signal_was_lost_is_armed_again_at_the_second_look);
    return 0;
}
