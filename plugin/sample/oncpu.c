/* oncpu.c - see oncpu.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "oncpu.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "../../shared/base/kernel_clock.h"
#include "../../shared/segment/ledger.h"
#include "../ground/guard.h"
#include "../ground/machine.h"
#include "../python/gil_state.h"
#include "../python/gil_wait.h"
#include "../tags/tags.h"
#include "../threads/c_stack.h"
#include "../threads/engine_timer.h"
#include "../threads/perf_grid.h"
#include "../threads/rearm.h"
#include "../threads/threads.h"

/* One handler in so many is timed, and stands for all of them: reading the thread's clock is a
 * system call. */
#define TIMED_TICKS 16u

/* What the ABIs of x86-64 and aarch64 ask for. */
#define CPROF_STACK_ALIGNMENT 16u

static const struct cprof_python *interpreter;
static struct cprof_recorder *recorder_of_process;
static bool wants_native_leaf;
static uintptr_t (*request_state)(int core); /* of the host, or NULL */
static struct sigaction previous_action;

static _Atomic uint64_t open_period_ns; /* 0: closed */
static _Atomic uint32_t handlers_inside;
static _Atomic uint32_t ticks_begun;
static _Atomic bool is_misaligned;

static void count_miss(enum cprof_miss miss, uint64_t weight_ns)
{
    _Atomic uint64_t *counters = recorder_of_process->slot->counters;

    atomic_fetch_add_explicit(&counters[CPROF_COUNTER_MISSED + miss], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters[CPROF_COUNTER_MISSED_NS], weight_ns, memory_order_relaxed);
}

/* The thread state that the interrupted thread runs under, or 0. uWSGI serves a request of a
 * second mount under a state that it made on another thread: up to 3.10, where states are told
 * apart by the thread that made them, only the request can tell, and the state that holds the
 * GIL may seem to be ours. From 3.11 on it helps where the thread has let go of the GIL before
 * its first tick in the request. */
static uintptr_t choose_state(struct cprof_thread *thread, enum cprof_peek_way way,
                              const struct cprof_stack_bounds *stack)
{
    bool is_core = thread->core >= 0 && request_state;
    uintptr_t other = is_core ? request_state(thread->core) : 0, state;

    if (is_core && interpreter->layout.tstate_thread_id) {
        return other && cprof_has_frames(interpreter, way, other) ? other : thread->own.address;
    }
    state = cprof_current_state(interpreter, way, stack, &thread->remembered);
    if (other && !(state && cprof_has_frames(interpreter, way, state)) &&
        cprof_has_frames(interpreter, way, other)) {
        return other;
    }
    return state;
}

/* The interrupted instruction, where it is no part of the interpreter; else 0. */
static uintptr_t find_leaf(const ucontext_t *interrupted)
{
    uintptr_t pc = cprof_machine_pc(interrupted);
    bool is_native = pc < interpreter->text_low || pc >= interpreter->text_high;

    return wants_native_leaf && is_native && interpreter->text_high != 0 ? pc : 0;
}

/* A thread that the lock's condition variable wakes in vain, each 5 ms, waits on. */
static enum cprof_gil find_gil(const struct cprof_thread *thread, enum cprof_peek_way way,
                               uintptr_t state)
{
    if (!state) {
        return CPROF_GIL_UNKNOWN;
    }
    if (cprof_gil_is_mine(interpreter, state)) {
        return CPROF_GIL_HELD;
    }
    return cprof_gil_is_awaited(interpreter, way, state, thread->tid) ? CPROF_GIL_WAITING
                                                                      : CPROF_GIL_RELEASED;
}

/* A tick: whose, and what it stands for. */
struct tick {
    struct cprof_thread *thread;
    struct cprof_stack_bounds stack; /* all of the thread's; low 0: unknown */
    enum cprof_peek_way way;
    uint64_t weight_ns; /* both as in struct cprof_sample */
    uint64_t timer_weight_ns;
};

/* Walks the interrupted thread into the context. CPROF_MISS_COUNT: no miss. *state_found is the
 * thread state that it runs under, or 0. */
static enum cprof_miss walk(const struct tick *tick, const ucontext_t *interrupted,
                            struct cprof_context *context, struct cprof_sample *sample,
                            uintptr_t *state_found)
{
    struct cprof_thread *thread = tick->thread;
    struct cprof_stack_bounds stack = tick->stack;
    uintptr_t stack_pointer = cprof_machine_stack_pointer(interrupted), state;
    bool truncated;

    /* Without a frame: uWSGI's own code on its threads, else what a library does. */
    sample->depth = 0;
    sample->flags = thread->core < 0 ? CPROF_STACK_NATIVE : 0;
    if (!atomic_load_explicit(&thread->has_state, memory_order_acquire)) {
        sample->flags = CPROF_STACK_NATIVE;
        return CPROF_MISS_COUNT;
    }
    /* Another stack (a goroutine's, a coroutine's) says nothing about which part is in use. */
    if (stack_pointer >= stack.low && stack_pointer < stack.high) {
        stack.low = stack_pointer;
    }
    state = choose_state(thread, context->way, &stack);
    sample->gil = (uint8_t)find_gil(thread, context->way, state);
    *state_found = state;
    if (!state) {
        return CPROF_MISS_COUNT;
    }
    switch (cprof_walk(interpreter, context->way, state, cprof_machine_pc(interrupted),
                       context->raw, recorder_of_process->max_depth, &sample->depth, &truncated)) {
    case CPROF_WALK_DONE:
        break;
    case CPROF_WALK_ENTRY:
        return CPROF_MISS_ENTRY;
    case CPROF_WALK_STARTING:
        return CPROF_MISS_STARTING;
    case CPROF_WALK_PARKING: /* not of a chain that runs */
    case CPROF_WALK_UNREADABLE:
        return CPROF_MISS_UNREADABLE;
    }
    if (sample->depth > 0) {
        sample->flags = truncated ? CPROF_STACK_TRUNCATED : 0;
    }
    return CPROF_MISS_COUNT;
}

static enum cprof_miss record(struct cprof_thread *thread, uintptr_t state,
                              struct cprof_context *context, const struct cprof_sample *walked)
{
    struct cprof_sample sample = *walked;
    struct cprof_seen_tags seen;
    struct cprof_tag_list tags;

    cprof_tags_see(context->way, thread->core, state, &seen);
    cprof_tags_intern(&seen, &context->parts, &tags);
    sample.tag_ref = atomic_load_explicit(&thread->tag_ref, memory_order_acquire);
    sample.tags = &tags;
    sample.request = seen.request;
    return cprof_record_sample(recorder_of_process, context, &sample) == CPROF_RECORDED_UNREADABLE
               ? CPROF_MISS_UNREADABLE
               : CPROF_MISS_COUNT;
}

static void take_sample(const struct tick *tick, const ucontext_t *interrupted)
{
    _Atomic uint64_t *counters = recorder_of_process->slot->counters;
    struct cprof_context *context = cprof_context_acquire(recorder_of_process);
    struct cprof_sample sample = {
        .kind = CPROF_STACK_ON_CPU,
        .weight_ns = tick->weight_ns,
        .timer_weight_ns = tick->timer_weight_ns,
        .leaf_pc = find_leaf(interrupted),
    };
    enum cprof_miss miss = CPROF_MISS_CONTEXTS;
    uintptr_t state = 0;

    if (context) {
        context->way = tick->way;
        miss = walk(tick, interrupted, context, &sample, &state);
        if (miss == CPROF_MISS_COUNT) {
            miss = record(tick->thread, state, context, &sample);
        }
        cprof_context_release(context);
    }
    if (tick->weight_ns == 0) {
        return; /* neither a sample nor a miss */
    }
    if (miss != CPROF_MISS_COUNT) {
        count_miss(miss, tick->weight_ns);
        return;
    }
    atomic_fetch_add_explicit(&counters[CPROF_COUNTER_SAMPLES], 1, memory_order_relaxed);
}

/* A CPU timer's signal is delivered on the way back to user mode: if the kernel was running for
 * a system call, the interrupted instruction stands right behind the one that made it. */
static bool is_behind_system_call(enum cprof_peek_way way, const ucontext_t *interrupted)
{
    uintptr_t pc = cprof_machine_pc(interrupted);
    uint32_t code = 0;

    return cprof_peek_bytes(way, &code, pc - CPROF_MACHINE_SYSCALL_BYTES,
                            CPROF_MACHINE_SYSCALL_BYTES) &&
           code == CPROF_MACHINE_SYSCALL_CODE;
}

/* Takes the timer's tick of `interval_ns` apart: it is a sample of all of the thread's time where
 * it has no perf event, else of its time in system calls. Returns the raw sum that it is of. */
static _Atomic uint64_t *classify(struct tick *tick, uint64_t interval_ns,
                                  const ucontext_t *interrupted)
{
    _Atomic uint64_t *counters = recorder_of_process->slot->counters;

    tick->timer_weight_ns = interval_ns;
    if (tick->thread->perf_descriptor < 0) {
        tick->weight_ns = interval_ns;
        return &counters[CPROF_COUNTER_TIMER_WEIGHT_NS];
    }
    if (is_behind_system_call(tick->way, interrupted)) {
        tick->weight_ns = interval_ns;
        return &counters[CPROF_COUNTER_KERNEL_WEIGHT_NS];
    }
    return &counters[CPROF_COUNTER_OTHER_WEIGHT_NS];
}

/* How much room the handler has decides what it may do: whether a sample is taken, and whether a
 * read may fault, which puts another frame of the kernel's on the same stack. Returns whether there
 * is room for a sample. */
static bool look_at_stack(struct tick *tick, const ucontext_t *interrupted)
{
    size_t room;

    tick->stack = cprof_c_stack_bounds(tick->thread);
    room = cprof_c_stack_room(interrupted, &tick->stack);
    tick->way = room >= CPROF_HANDLER_STACK_BYTES + cprof_c_stack_fault_bytes()
                    ? cprof_peek_choose(&interrupted->uc_sigmask)
                    : CPROF_PEEK_SYSTEM;
    return room >= CPROF_HANDLER_STACK_BYTES;
}

/* Its time is not one that was sampled: the ticker takes it back. */
static void leave_out(const struct tick *tick)
{
    if (tick->weight_ns) {
        count_miss(CPROF_MISS_STACK, 0);
        atomic_fetch_add_explicit(&tick->thread->left_out_ns, tick->weight_ns,
                                  memory_order_relaxed);
    }
}

/* The thread's CPU time: a handler that has to wait for the processor costs nothing meanwhile. */
static uint64_t read_thread_clock_ns(void)
{
    return cprof_kernel_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* NULL: whose the tick was does not exist any more. What becomes of the signal of a timer that was
 * deleted meanwhile is unspecified (timer_delete(2)). */
static struct cprof_thread *thread_of(const siginfo_t *info)
{
    struct cprof_thread *thread;

    if (info->si_code != SI_TIMER) {
        return cprof_thread_of_descriptor(info->si_fd);
    }
    thread = cprof_thread_of_ticket(info->si_value.sival_int);
    return thread && atomic_load_explicit(&thread->armed, memory_order_relaxed) ? thread : NULL;
}

static void take_tick(const siginfo_t *info, const ucontext_t *interrupted, uint64_t period_ns)
{
    _Atomic uint64_t *counters = recorder_of_process->slot->counters;
    struct tick tick = {0};
    uint64_t interval_ns;
    _Atomic uint64_t *raw_sum;
    bool has_room;

    tick.thread = thread_of(info);
    if (!tick.thread) {
        count_miss(CPROF_MISS_STALE, 0);
        return;
    }
    has_room = look_at_stack(&tick, interrupted);
    if (info->si_code == SI_TIMER) {
        interval_ns = cprof_rearm_after_tick(tick.thread, period_ns);
        raw_sum = classify(&tick, interval_ns, interrupted);
        atomic_fetch_add_explicit(&counters[CPROF_COUNTER_TIMER_TICKS], 1, memory_order_relaxed);
    } else {
        interval_ns = cprof_perf_grid_take(&tick.thread->grid, period_ns, read_thread_clock_ns());
        if (interval_ns == 0) {
            return;
        }
        atomic_fetch_add_explicit(&counters[CPROF_COUNTER_PERF_TICKS], 1, memory_order_relaxed);
        tick.weight_ns = interval_ns;
        raw_sum = &counters[CPROF_COUNTER_PERF_WEIGHT_NS];
    }
    atomic_fetch_add_explicit(raw_sum, interval_ns, memory_order_relaxed);
    if (has_room) {
        take_sample(&tick, interrupted);
    } else {
        leave_out(&tick);
    }
}

/* Takes the tick, and the time if it is this one's turn. What the kernel needs to deliver the
 * signal is not seen here and stands for itself. */
static void take_and_time_tick(const siginfo_t *info, const ucontext_t *interrupted)
{
    _Atomic uint64_t *counters = recorder_of_process->slot->counters;
    uint64_t period_ns = atomic_load(&open_period_ns), before_ns = 0;
    bool is_timed;

    if (period_ns == 0) {
        return; /* a tick that was on its way when the window ended */
    }
    atomic_fetch_add_explicit(&counters[CPROF_COUNTER_DELIVERY_CPU_NS], CPROF_DELIVERY_NS,
                              memory_order_relaxed);
    is_timed = atomic_fetch_add_explicit(&ticks_begun, 1, memory_order_relaxed) % TIMED_TICKS ==
               TIMED_TICKS - 1;
    if (is_timed) {
        before_ns = read_thread_clock_ns();
    }
    take_tick(info, interrupted, period_ns);
    if (is_timed) {
        atomic_fetch_add_explicit(&counters[CPROF_COUNTER_HANDLER_CPU_NS],
                                  TIMED_TICKS * (read_thread_clock_ns() - before_ns),
                                  memory_order_relaxed);
    }
}

/* Timers say SI_TIMER; perf events what F_SETSIG makes of them (fcntl(2)). */
static bool is_tick(const siginfo_t *info)
{
    return info->si_code == SI_TIMER || info->si_code == POLL_IN || info->si_code == POLL_HUP;
}

/* Whoever had the signal before us gets what is not ours (urgent data on a socket). */
__attribute__((noinline)) static void pass_on(int signal_number, siginfo_t *info, void *context)
{
    int saved_errno = errno;

    if (previous_action.sa_flags & SA_SIGINFO) {
        previous_action.sa_sigaction(signal_number, info, context);
    } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
        previous_action.sa_handler(signal_number);
    }
    errno = saved_errno;
}

/* In a forked child of the app the guard reads zero and nothing of ours is touched.
 * `handlers_inside` is raised before the period is read, so that closing and then finding nobody
 * inside means that no handler will touch the log any more. */
__attribute__((noinline)) static void enter_tick(const siginfo_t *info,
                                                 const ucontext_t *interrupted)
{
    int saved_errno = errno;

    if (cprof_guard_is_set()) {
        atomic_fetch_add(&handlers_inside, 1);
        take_and_time_tick(info, interrupted);
        atomic_fetch_sub(&handlers_inside, 1);
    }
    errno = saved_errno;
}

/* An alternate stack on which next to nothing is left: the tick is counted, and its timer, which is
 * not armed again here, makes the ticker book the thread's time as lost. */
static bool is_tight(const ucontext_t *interrupted)
{
    static const struct cprof_stack_bounds unknown;

    return cprof_c_stack_room(interrupted, &unknown) < CPROF_TIGHT_STACK_BYTES;
}

static void count_tight_tick(void)
{
    if (cprof_guard_is_set()) {
        atomic_fetch_add(&handlers_inside, 1);
        if (atomic_load(&open_period_ns)) {
            count_miss(CPROF_MISS_STACK, 0);
        }
        atomic_fetch_sub(&handlers_inside, 1);
    }
}

/* Emulators that start handlers on a misaligned stack: see CPROF_ALIGNS_STACK. The kernel writes
 * the context at a multiple of 16 above it. */
static void note_alignment(const ucontext_t *interrupted)
{
    if ((uintptr_t)interrupted % CPROF_STACK_ALIGNMENT) {
        atomic_store_explicit(&is_misaligned, true, memory_order_relaxed);
    }
}

/* Runs on the thread that burnt the CPU time, perhaps on several at once. Its own frame is small:
 * how much room there is, is asked first. */
CPROF_ALIGNS_STACK static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    if (!is_tick(info)) {
        pass_on(signal_number, info, context);
        return;
    }
    note_alignment(context);
    if (is_tight(context)) {
        count_tight_tick();
        return;
    }
    enter_tick(info, context);
}

bool cprof_oncpu_is_misaligned(void)
{
    return atomic_load_explicit(&is_misaligned, memory_order_relaxed);
}

bool cprof_oncpu_owns_signal(void)
{
    struct sigaction standing;

    return sigaction(CPROF_SIGNAL, NULL, &standing) == 0 && (standing.sa_flags & SA_SIGINFO) &&
           standing.sa_sigaction == on_signal;
}

uintptr_t cprof_oncpu_standing_handler(void)
{
    struct sigaction standing;

    if (sigaction(CPROF_SIGNAL, NULL, &standing) != 0 || standing.sa_handler == SIG_DFL ||
        standing.sa_handler == SIG_IGN) {
        return 0;
    }
    return (uintptr_t)standing.sa_sigaction; /* the same word as sa_handler */
}

bool cprof_oncpu_install(const struct cprof_python *python, struct cprof_recorder *recorder,
                         const struct cprof_request_view *requests, bool native_leaf)
{
    static const int never_blocked[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};

    interpreter = python;
    recorder_of_process = recorder;
    wants_native_leaf = native_leaf;
    request_state = requests->thread_state;
    atomic_store(&open_period_ns, 0); /* a parent process may have been inside a window */
    atomic_store(&handlers_inside, 0);
    if (cprof_oncpu_owns_signal()) {
        return true;
    }
    /* No handler of the app runs inside ours: it could end the process (uWSGI's do) or take
     * long. Faults must come through: guarded reads depend on them. */
    (void)sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(never_blocked) / sizeof(never_blocked[0]); i++) {
        (void)sigdelset(&action.sa_mask, never_blocked[i]);
    }
    return sigaction(CPROF_SIGNAL, &action, &previous_action) == 0;
}

void cprof_oncpu_open(uint64_t period_ns)
{
    atomic_store(&open_period_ns, period_ns);
}

void cprof_oncpu_close(void)
{
    atomic_store(&open_period_ns, 0);
}

bool cprof_oncpu_drained(void)
{
    return atomic_load(&handlers_inside) == 0;
}

void cprof_oncpu_unblock(void)
{
    sigset_t ours;

    (void)sigemptyset(&ours);
    (void)sigaddset(&ours, CPROF_SIGNAL);
    (void)sigaddset(&ours, SIGSEGV);
    (void)sigaddset(&ours, SIGBUS);
    (void)pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}
