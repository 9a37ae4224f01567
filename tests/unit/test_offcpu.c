/* test_offcpu.c - a real interpreter's threads while they sleep, looked at as the ticker does; see
 * plugin/sample/offcpu.h. The threads end with the test program.
 *
 * sources: tests/unit/python_fixture.c tests/unit/fake_log.c
 * sources: plugin/python/runtime.c plugin/python/walker.c plugin/python/thread_state.c
 * sources: plugin/python/code_object.c plugin/python/text.c plugin/python/peek.c
 * sources: plugin/python/innermost.c
 * sources: plugin/record/known_text.c plugin/python/gil_state.c
 * sources: plugin/python/gil_wait.c plugin/python/greenlet.c plugin/record/recorder.c
 * sources: plugin/record/intern.c
 * sources: plugin/ground/guard.c plugin/threads/threads.c plugin/sample/sleep_state.c
 * sources: plugin/threads/descriptors.c plugin/threads/interval.c
 * sources: plugin/threads/engine_timer.c plugin/threads/rearm.c plugin/sample/greenlets.c
 * sources: plugin/sample/parked.c plugin/sample/offcpu.c plugin/sample/cpu_waits.c
 * sources: plugin/sample/still_stack.c
 * sources: plugin/tags/tags.c plugin/tags/tag_sets.c plugin/tags/tag_values.c
 * flags: $(embedded_python) -Wl,--wrap=cprof_guard_begin_reading
 *
 * SPDX-License-Identifier: MIT
 */
#include "python_fixture.h" /* first: Python.h asks for it */

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../gateway/profile/log_reader.h"
#include "../../plugin/ground/guard.h"
#include "../../plugin/sample/offcpu.h"
#include "../../plugin/sample/sleep_state.h"
#include "expect.h"
#include "fake_log.h"

#define LOG_BYTES   (UINT64_C(8) << 20)
#define SECONDS_MAX 60
#define GATES       8
#define MAX_DEPTH   64u

static struct cprof_segment segment;
static struct cprof_recorder recorder;
static sigset_t blocked;
static _Atomic bool is_serving; /* core 0, as the host says */

static bool request_is_running(int core)
{
    return core == 0 && atomic_load(&is_serving);
}

static _Atomic uintptr_t state_of_request; /* of core 0's, if not the core's own */

static uintptr_t request_thread_state(int core)
{
    return core == 0 ? atomic_load(&state_of_request) : 0;
}

static const struct cprof_request_view requests = {
    .is_running = request_is_running,
    .thread_state = request_thread_state,
};

/* Where test threads wait without Python's help. */
static sem_t gates[GATES];
static _Atomic bool is_holding, may_let_go;

/* As thread_watch.c does it, once it has met the thread and its state (NULL: it has none). */
static void register_thread(const char *name, int core, PyThreadState *state)
{
    struct cprof_thread *thread = cprof_thread_add((pid_t)syscall(SYS_gettid));
    struct cprof_context *context = cprof_context_acquire(&recorder);

    EXPECT(thread);
    (void)snprintf(thread->name, sizeof(thread->name), "%s", name);
    thread->core = core;
    if (state) {
        EXPECT(cprof_remember_state(&python, CPROF_PEEK_DIRECT, (uintptr_t)state, &thread->own));
    }
    EXPECT(context);
    atomic_store(&thread->tag_ref, cprof_record_tag(context, CPROF_NO_REF, "thread", name));
    cprof_context_release(context);
    atomic_store(&thread->has_state, 1);
    cprof_thread_publish(thread);
}

/* probe.register(name): the calling thread is looked at from now on. */
static PyObject *probe_register(PyObject *self, PyObject *name)
{
    (void)self;
    register_thread(PyUnicode_AsUTF8(name), -1, PyThreadState_Get());
    Py_RETURN_NONE;
}

/* probe.gate(number): waits, without the interpreter's lock, until the gate is opened once. */
static PyObject *probe_gate(PyObject *self, PyObject *number)
{
    sem_t *gate = &gates[PyLong_AsLong(number)];

    (void)self;
    Py_BEGIN_ALLOW_THREADS;
    while (sem_wait(gate) != 0) {
    }
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

/* probe.hold(): keeps the interpreter's lock, busy, until it may let go. */
static PyObject *probe_hold(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    atomic_store(&is_holding, true);
    while (!atomic_load(&may_let_go)) {
    }
    Py_RETURN_NONE;
}

static _Atomic bool may_stop;
static PyObject *probe_share_cpu(PyObject *self, PyObject *unused);
static PyObject *probe_may_stop(PyObject *self, PyObject *unused);

static PyMethodDef functions[] = {
    {"share_cpu", probe_share_cpu, METH_NOARGS, NULL},
    {"may_stop", probe_may_stop, METH_NOARGS, NULL},
    {"register", probe_register, METH_O, NULL},
    {"gate", probe_gate, METH_O, NULL},
    {"hold", probe_hold, METH_NOARGS, NULL},
    {0},
};

static bool has_time_left(time_t end)
{
    (void)sched_yield();
    return time(NULL) < end;
}

static struct cprof_thread *thread_called(const char *name)
{
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        if (strcmp(thread->name, name) == 0) {
            return thread;
        }
    }
    return NULL;
}

static const struct cprof_stack_record *stack_of(const struct cprof_thread *thread)
{
    return cprof_log_record(recorder.log, thread->sleep.ref);
}

static bool frame_is(const struct cprof_stack_record *stack, uint32_t index, const char *name)
{
    const struct cprof_code_record *code;

    if (index >= stack->depth) {
        return false;
    }
    code = cprof_log_record(recorder.log, stack->frames[index].code_ref);
    return code->name_bytes == strlen(name) && memcmp(code + 1, name, code->name_bytes) == 0;
}

static bool is_asleep_in(const char *name, uint32_t state, const char *leaf)
{
    const struct cprof_thread *thread = thread_called(name);

    return thread && thread->sleep.is_known && stack_of(thread)->state == state &&
           (leaf ? frame_is(stack_of(thread), 0, leaf) : stack_of(thread)->depth == 0);
}

/* Looks, without the interpreter's lock, until the thread is seen there. leaf NULL: no frame. */
static struct cprof_thread *expect_asleep_in(const char *name, uint32_t state, const char *leaf,
                                             uint64_t gap_mean_ns)
{
    time_t end = time(NULL) + SECONDS_MAX;

    do {
        EXPECT(has_time_left(end));
        (void)cprof_offcpu_look(gap_mean_ns);
    } while (!is_asleep_in(name, state, leaf));
    return thread_called(name);
}

/* A thread that began to be followed while it waited for a processor owes what it had waited: the
 * kernel adds it up at the wait's end. Looks book nothing until that is made up for. */
static bool is_anything_owed(void)
{
    bool is_owed = false;

    for (const struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        is_owed |= thread->sleep.due_ns < 0;
    }
    return is_owed;
}

/* Looks until nothing has moved since the look before, and nothing is owed. */
static void settle(void)
{
    time_t end = time(NULL) + SECONDS_MAX;

    while (cprof_offcpu_look(0) || is_anything_owed()) {
        EXPECT(has_time_left(end));
    }
}

static void open_gate(uint32_t number)
{
    EXPECT(sem_post(&gates[number]) == 0);
}

static uint64_t walks(void)
{
    return atomic_load(&recorder.slot->counters[CPROF_COUNTER_OFF_CPU_WALKS]);
}

/* From 3.11 on time.sleep() is a sleep; before it was a select(). */
static uint32_t state_of_time_sleep(void)
{
    return PY_VERSION_HEX >= 0x030B0000 ? CPROF_STATE_SLEEP : CPROF_STATE_POLL;
}

static void a_sleeping_thread_is_seen_where_it_sleeps(void)
{
    struct cprof_thread *thread;

    Py_BEGIN_ALLOW_THREADS;
    thread = expect_asleep_in("napper", state_of_time_sleep(), "nap", 0);
    EXPECT(frame_is(stack_of(thread), 1, "day") && stack_of(thread)->depth == 2);
    EXPECT(stack_of(thread)->kind == CPROF_STACK_OFF_CPU && stack_of(thread)->flags == 0);
    thread = expect_asleep_in("waiter", CPROF_STATE_FUTEX, "wait", 0);
    EXPECT(frame_is(stack_of(thread), 1, "day") && stack_of(thread)->depth == 2);
    thread = expect_asleep_in("listener", CPROF_STATE_RECV, "listen", 0);
    EXPECT(frame_is(stack_of(thread), 1, "day") && stack_of(thread)->depth == 2);
    Py_END_ALLOW_THREADS;
}

static void start_sleepers(void)
{
    python_fixture_run("import probe, _thread, time, _socket\n"
                       "lock = _thread.allocate_lock()\n"
                       "lock.acquire()\n"
                       "ends = _socket.socketpair()\n"
                       "def nap():\n"
                       "    time.sleep(10000)\n"
                       "def wait():\n"
                       "    lock.acquire()\n"
                       "def listen():\n"
                       "    ends[0].recv(1)\n"
                       "def day(name, work):\n"
                       "    probe.register(name)\n"
                       "    work()\n"
                       "_thread.start_new_thread(day, ('napper', nap))\n"
                       "_thread.start_new_thread(day, ('waiter', wait))\n"
                       "_thread.start_new_thread(day, ('listener', listen))\n");
}

/* What has been booked of a thread's wall time, and what the clocks say of it. */
struct account {
    uint64_t weight_ns, count, wall_ns, cpu_ns;
    uint64_t walks; /* of all threads */
};

static struct account account_of(const struct cprof_thread *thread)
{
    return (struct account){
        .weight_ns = atomic_load(&stack_of(thread)->weight_ns),
        .count = atomic_load(&stack_of(thread)->count),
        .wall_ns = thread->sleep.wall_seen_ns,
        .cpu_ns = thread->sleep.cpu_seen_ns,
        .walks = walks(),
    };
}

/* A thread that sleeps for good, and where all others have settled, too. */
static struct cprof_thread *settled_napper(void)
{
    struct cprof_thread *thread = expect_asleep_in("napper", state_of_time_sleep(), "nap", 0);

    settle();
    return thread;
}

static void looks_at_a_thread_that_stays_asleep_add_its_time_without_a_walk(void)
{
    struct account before, after;
    struct cprof_thread *thread;

    Py_BEGIN_ALLOW_THREADS;
    thread = settled_napper();
    before = account_of(thread);
    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT(!cprof_offcpu_look(UINT64_C(5000000)));
    }
    after = account_of(thread);
    EXPECT(after.walks == before.walks && after.cpu_ns == before.cpu_ns);
    EXPECT(after.count == before.count + 1000);
    EXPECT(after.weight_ns - before.weight_ns == after.wall_ns - before.wall_ns);
    EXPECT(after.wall_ns > before.wall_ns && thread->sleep.due_ns == 0);
    Py_END_ALLOW_THREADS;
}

/* A process that is killed leaves its log: what a look would have written down stands in it. */
static void a_stay_books_as_a_look_does_and_asks_nothing(void)
{
    struct account before, after;
    struct cprof_thread *thread;

    Py_BEGIN_ALLOW_THREADS;
    thread = settled_napper();
    before = account_of(thread);
    thread->sleep.cpu_seen_ns++; /* a look would find that it moved */
    EXPECT(!cprof_offcpu_stay(UINT64_C(5000000)));
    thread->sleep.cpu_seen_ns--;
    after = account_of(thread);
    EXPECT(after.walks == before.walks && after.count == before.count + 1);
    EXPECT(after.weight_ns - before.weight_ns == after.wall_ns - before.wall_ns);
    EXPECT(after.wall_ns > before.wall_ns && thread->sleep.due_ns == 0);
    Py_END_ALLOW_THREADS;
}

static void a_stay_looks_at_threads_whose_stack_is_not_known(void)
{
    struct cprof_thread *thread;

    Py_BEGIN_ALLOW_THREADS;
    thread = settled_napper();
    cprof_offcpu_forget(thread);
    cprof_offcpu_follow();
    EXPECT(cprof_offcpu_stay(0) && is_asleep_in("napper", state_of_time_sleep(), "nap"));
    EXPECT(!cprof_offcpu_stay(0));
    Py_END_ALLOW_THREADS;
}

static void start_walker(void)
{
    python_fixture_run("import probe, _thread\n"
                       "def first():\n"
                       "    probe.gate(0)\n"
                       "def second():\n"
                       "    probe.gate(1)\n"
                       "def day():\n"
                       "    probe.register('walker')\n"
                       "    while True:\n"
                       "        first()\n"
                       "        second()\n"
                       "_thread.start_new_thread(day, ())\n");
}

/* Waits until the thread sleeps before the gate, which no look tells it from. */
static void await_at_gate(const struct cprof_thread *thread, uint32_t number)
{
    struct cprof_thread copy = {.tid = thread->tid, .sleep = CPROF_SLEEP_NONE};
    time_t end = time(NULL) + SECONDS_MAX;
    struct cprof_sleep_state state;
    uintptr_t low = (uintptr_t)&gates[number], high = (uintptr_t)&gates[number + 1];

    while (!cprof_sleep_state_read(&copy, &state) || state.futex < low || state.futex >= high) {
        EXPECT(has_time_left(end));
    }
    cprof_sleep_close_files(&copy);
}

/* Waits until who was let through the gate has passed. */
static void await_passage(uint32_t number)
{
    time_t end = time(NULL) + SECONDS_MAX;
    int openings;

    do {
        EXPECT(has_time_left(end) && sem_getvalue(&gates[number], &openings) == 0);
    } while (openings > 0);
}

/* Lets the walker on from first() to second() between two looks. */
static void walk_on_between_looks(struct cprof_thread *thread)
{
    open_gate(0);
    await_at_gate(thread, 1);
}

/* And back. */
static void return_to_first(struct cprof_thread *thread)
{
    open_gate(1);
    (void)expect_asleep_in("walker", CPROF_STATE_FUTEX, "first", 0);
    await_at_gate(thread, 0);
    settle();
}

static void expect_split(struct cprof_thread *thread, const struct cprof_stack_record *old,
                         const struct cprof_stack_record *new, uint64_t gap_mean_ns)
{
    struct cprof_sleep before = thread->sleep;
    uint64_t old_ns = atomic_load(&old->weight_ns), new_ns = atomic_load(&new->weight_ns);
    int64_t due_ns, gap_ns, old_part_ns, new_part_ns;

    EXPECT(cprof_offcpu_look(gap_mean_ns) && stack_of(thread) == new);
    gap_ns = (int64_t)(thread->sleep.wall_seen_ns - before.wall_seen_ns);
    due_ns = before.due_ns + gap_ns - (int64_t)(thread->sleep.cpu_seen_ns - before.cpu_seen_ns) -
             (int64_t)(thread->sleep.run_queue_seen_ns - before.run_queue_seen_ns);
    old_part_ns = gap_mean_ns ? due_ns - (int64_t)gap_mean_ns : 0;
    old_part_ns = old_part_ns < -(int64_t)old_ns ? -(int64_t)old_ns : old_part_ns;
    new_part_ns = due_ns - old_part_ns;
    EXPECT(atomic_load(&old->weight_ns) == old_ns + (uint64_t)old_part_ns);
    EXPECT(atomic_load(&new->weight_ns) - new_ns == (new_part_ns > 0 ? (uint64_t)new_part_ns : 0));
    EXPECT(thread->sleep.due_ns == (new_part_ns > 0 ? 0 : new_part_ns));
}

static void a_stack_that_is_new_gets_the_mean_gap_and_the_old_one_the_rest(void)
{
    static const uint64_t gap_means_ns[] = {0, 20000, 100000, 10000000};
    const struct cprof_stack_record *old, *new;
    struct cprof_thread *thread;

    Py_BEGIN_ALLOW_THREADS;
    thread = expect_asleep_in("walker", CPROF_STATE_FUTEX, "first", 0);
    old = stack_of(thread);
    open_gate(0);
    (void)expect_asleep_in("walker", CPROF_STATE_FUTEX, "second", 0);
    new = stack_of(thread);
    for (size_t i = 0; i < sizeof(gap_means_ns) / sizeof(gap_means_ns[0]); i++) {
        return_to_first(thread);
        while (atomic_load(&old->weight_ns) <= gap_means_ns[i]) {
            (void)cprof_offcpu_look(0); /* so that enough can be taken back */
        }
        walk_on_between_looks(thread);
        expect_split(thread, old, new, gap_means_ns[i]);
    }
    return_to_first(thread);
    Py_END_ALLOW_THREADS;
}

/* The walker goes back from second() to first() within a look: after its state was read, before
 * its frames are. */
static bool moves_within_look;

bool __real_cprof_guard_begin_reading(void);
bool __wrap_cprof_guard_begin_reading(void);

bool __wrap_cprof_guard_begin_reading(void)
{
    if (moves_within_look) {
        moves_within_look = false;
        open_gate(1);
        await_at_gate(thread_called("walker"), 0);
    }
    return __real_cprof_guard_begin_reading();
}

static void a_thread_that_moves_within_a_look_is_not_recorded(void)
{
    const _Atomic uint64_t *moved = &recorder.slot->counters[CPROF_COUNTER_OFF_CPU_MOVED];
    struct cprof_thread *thread;
    uint64_t before;

    Py_BEGIN_ALLOW_THREADS;
    thread = expect_asleep_in("walker", CPROF_STATE_FUTEX, "first", 0);
    walk_on_between_looks(thread);
    before = atomic_load(moved);
    moves_within_look = true;
    (void)cprof_offcpu_look(0);
    EXPECT(!moves_within_look && !thread->sleep.is_known);
    EXPECT(atomic_load(moved) == before + 1);
    (void)expect_asleep_in("walker", CPROF_STATE_FUTEX, "first", 0);
    Py_END_ALLOW_THREADS;
}

static void what_is_owed_to_the_run_queue_stays_what_it_is(void)
{
    struct cprof_thread *thread = thread_called("walker");
    const struct cprof_stack_record *old = stack_of(thread), *new;

    Py_BEGIN_ALLOW_THREADS;
    open_gate(0);
    (void)expect_asleep_in("walker", CPROF_STATE_FUTEX, "second", 0);
    new = stack_of(thread);
    return_to_first(thread);
    walk_on_between_looks(thread);
    thread->sleep.due_ns -= 10000000000; /* more than the gap was */
    expect_split(thread, old, new, UINT64_C(100000000));
    EXPECT(thread->sleep.due_ns < 0 && thread->sleep.due_ns >= -10000000000);
    thread->sleep.due_ns += 10000000000;
    return_to_first(thread);
    Py_END_ALLOW_THREADS;
}

/* Everything that was booked, is due, or was used by the threads that are looked at. */
struct sums {
    uint64_t off_cpu_ns, runnable_ns, due_ns, cpu_ns, wall_ns;
};

static struct sums sum_up(void)
{
    const _Atomic uint64_t *counters = recorder.slot->counters;
    struct sums sums = {
        .off_cpu_ns = atomic_load(&counters[CPROF_COUNTER_OFF_CPU_WEIGHT_NS]),
        .runnable_ns = atomic_load(&counters[CPROF_COUNTER_RUNNABLE_NS]),
        .wall_ns = atomic_load(&counters[CPROF_COUNTER_WALL_CLOCK_NS]),
    };

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        sums.due_ns += (uint64_t)thread->sleep.due_ns;
        sums.cpu_ns += thread->sleep.cpu_seen_ns;
    }
    return sums;
}

static void expect_records_to_make(const struct sums *sums)
{
    uint64_t weights_ns[CPROF_STACK_RUNNABLE + 1] = {0};
    struct cprof_log_view view;
    struct cprof_error error;

    EXPECT(cprof_log_read(&view, &segment, 0, 1, &error) && view.rejected == 0);
    for (size_t i = 0; i < view.stack_count; i++) {
        const struct cprof_stack_record *stack = cprof_log_stack(&view, view.stacks[i]);

        weights_ns[stack->kind] += atomic_load(&stack->weight_ns);
    }
    EXPECT(weights_ns[CPROF_STACK_OFF_CPU] == sums->off_cpu_ns);
    EXPECT(weights_ns[CPROF_STACK_RUNNABLE] == sums->runnable_ns);
    cprof_log_view_reset(&view);
}

/* A window ends with a look whose gap was cut short: all of that gap goes to the new stack, but
 * nothing of what the thread slept before. */
static void what_was_slept_through_stays_goes_to_the_stack_of_then(void)
{
    const struct cprof_stack_record *old, *new;
    struct cprof_thread *thread;
    uint64_t old_ns, from_ns;
    int64_t slept_ns;

    Py_BEGIN_ALLOW_THREADS;
    thread = expect_asleep_in("walker", CPROF_STATE_FUTEX, "first", 0);
    old = stack_of(thread);
    open_gate(0);
    (void)expect_asleep_in("walker", CPROF_STATE_FUTEX, "second", 0);
    new = stack_of(thread);
    return_to_first(thread);
    old_ns = atomic_load(&old->weight_ns);
    from_ns = thread->sleep.wall_seen_ns;
    slept_ns = thread->sleep.due_ns;
    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT(!cprof_offcpu_stay(UINT64_C(1000000000)));
    }
    slept_ns += (int64_t)(thread->sleep.wall_seen_ns - from_ns);
    walk_on_between_looks(thread);
    expect_split(thread, old, new, 0);
    EXPECT(slept_ns > 0 && atomic_load(&old->weight_ns) == old_ns + (uint64_t)slept_ns);
    return_to_first(thread);
    Py_END_ALLOW_THREADS;
}

/* The walker moves as it likes; looks find it awake, asleep or moving. */
static void look_at_the_walker_many_times(uint64_t gap_mean_ns)
{
    for (uint32_t i = 0; i < 500; i++) {
        open_gate(i % 2);
        for (uint32_t j = 0; j < i % 7; j++) {
            (void)cprof_offcpu_look(gap_mean_ns);
        }
    }
}

static void all_time_is_booked_once_however_threads_move(void)
{
    static const uint64_t gap_means_ns[] = {0, 20000, 10000000};

    Py_BEGIN_ALLOW_THREADS;
    for (size_t i = 0; i < sizeof(gap_means_ns) / sizeof(gap_means_ns[0]); i++) {
        struct sums before, after;

        settle();
        before = sum_up();
        look_at_the_walker_many_times(gap_means_ns[i]);
        after = sum_up();
        EXPECT(after.off_cpu_ns - before.off_cpu_ns + after.runnable_ns - before.runnable_ns +
                   after.due_ns - before.due_ns ==
               after.wall_ns - before.wall_ns - (after.cpu_ns - before.cpu_ns));
        EXPECT(after.wall_ns > before.wall_ns);
    }
    Py_END_ALLOW_THREADS;
}

static void what_is_booked_stands_in_the_records(void)
{
    struct sums sums;

    start_walker();
    Py_BEGIN_ALLOW_THREADS;
    settle();
    look_at_the_walker_many_times(0);
    settle();
    sums = sum_up();
    expect_records_to_make(&sums);
    Py_END_ALLOW_THREADS;
}

static void a_thread_that_waits_for_the_interpreter_says_so(void)
{
    struct cprof_thread *thread;

    EXPECT(python.gil_low < python.gil_high);
    python_fixture_run("import probe, _thread\n"
                       "def late():\n"
                       "    probe.gate(2)\n"
                       "def wait():\n"
                       "    probe.register('late')\n"
                       "    late()\n"
                       "    probe.gate(7)\n"
                       "def keep():\n"
                       "    probe.register('keeper')\n"
                       "    probe.gate(4)\n"
                       "    probe.hold()\n"
                       "    probe.gate(7)\n"
                       "_thread.start_new_thread(wait, ())\n"
                       "_thread.start_new_thread(keep, ())\n");
    Py_BEGIN_ALLOW_THREADS;
    thread = expect_asleep_in("late", CPROF_STATE_FUTEX, "late", 0);
    open_gate(4);
    while (!atomic_load(&is_holding)) {
        (void)sched_yield();
    }
    open_gate(2);
    (void)expect_asleep_in("late", CPROF_STATE_GIL, "late", 0);
    EXPECT(frame_is(stack_of(thread), 1, "wait") && stack_of(thread)->flags == 0);
    EXPECT(!thread_called("keeper")->sleep.is_known || thread_called("keeper")->sleep.is_queued);
    atomic_store(&may_let_go, true);
    (void)expect_asleep_in("keeper", CPROF_STATE_FUTEX, "keep", 0);
    (void)expect_asleep_in("late", CPROF_STATE_FUTEX, "wait", 0);
    Py_END_ALLOW_THREADS;
}

/* As uWSGI's core threads wait for requests: with a thread state that has no frame. */
static void *serve(void *unused)
{
    (void)PyGILState_Ensure();
    register_thread("server", 0, PyEval_SaveThread());
    for (;;) {
        (void)sem_wait(&gates[3]);
    }
    return unused;
}

static void start_thread(void *(*body)(void *), void *data)
{
    pthread_t thread;

    EXPECT(pthread_create(&thread, NULL, body, data) == 0);
    EXPECT(pthread_detach(thread) == 0);
}

static void move_server_and_look(struct cprof_thread *thread)
{
    open_gate(3);
    await_passage(3);
    await_at_gate(thread, 3);
    EXPECT(cprof_offcpu_look(0) && thread->sleep.is_known);
}

static void a_thread_without_frames_is_idle_unless_it_serves_a_request(void)
{
    struct cprof_thread *thread;

    Py_BEGIN_ALLOW_THREADS;
    start_thread(serve, NULL);
    thread = expect_asleep_in("server", CPROF_STATE_FUTEX, NULL, 0);
    EXPECT(stack_of(thread)->flags == CPROF_STACK_IDLE);
    atomic_store(&is_serving, true);
    move_server_and_look(thread);
    EXPECT(stack_of(thread)->flags == 0 && stack_of(thread)->depth == 0);
    atomic_store(&is_serving, false);
    move_server_and_look(thread);
    EXPECT(stack_of(thread)->flags == CPROF_STACK_IDLE);
    Py_END_ALLOW_THREADS;
}

static void a_core_that_serves_under_another_state_is_walked_there(void)
{
    struct cprof_thread *thread = thread_called("server");
    const struct cprof_thread *napper = thread_called("napper");

    Py_BEGIN_ALLOW_THREADS;
    atomic_store(&state_of_request, napper->own.address);
    move_server_and_look(thread);
    EXPECT(frame_is(stack_of(thread), 0, "nap") && frame_is(stack_of(thread), 1, "day"));
    atomic_store(&state_of_request, 8); /* none: its own state serves */
    move_server_and_look(thread);
    EXPECT(stack_of(thread)->depth == 0);
    atomic_store(&state_of_request, 0);
    Py_END_ALLOW_THREADS;
}

static void a_state_that_became_another_one_is_not_walked(void)
{
    struct cprof_thread *thread = thread_called("walker");

    Py_BEGIN_ALLOW_THREADS;
    thread->own.id++;
    walk_on_between_looks(thread);
    EXPECT(cprof_offcpu_look(0) && thread->sleep.is_known);
    EXPECT(stack_of(thread)->depth == 0 && stack_of(thread)->flags == CPROF_STACK_IDLE);
    EXPECT(thread->own.address == 0); /* until it is met again */
    Py_END_ALLOW_THREADS;
}

static void a_thread_without_state_or_tags_is_not_looked_at(void)
{
    struct cprof_thread *thread = thread_called("server");
    uint32_t tag_ref = atomic_load(&thread->tag_ref);

    Py_BEGIN_ALLOW_THREADS;
    cprof_offcpu_forget(thread);
    atomic_store(&thread->has_state, 0);
    (void)cprof_offcpu_look(0);
    EXPECT(!thread->sleep.is_followed && thread->sleep.ref == CPROF_NO_REF);
    atomic_store(&thread->has_state, 1);
    atomic_store(&thread->tag_ref, CPROF_NO_REF);
    (void)cprof_offcpu_look(0);
    EXPECT(!thread->sleep.is_followed);
    atomic_store(&thread->tag_ref, tag_ref);
    (void)cprof_offcpu_look(0);
    EXPECT(thread->sleep.is_followed && stack_of(thread)->tag_ref == tag_ref);
    Py_END_ALLOW_THREADS;
}

static void a_stack_that_is_too_deep_is_cut_and_says_so(void)
{
    struct cprof_thread *thread;

    python_fixture_run("import probe, _thread\n"
                       "def down(depth):\n"
                       "    return down(depth - 1) if depth else probe.gate(7)\n"
                       "def dive():\n"
                       "    probe.register('diver')\n"
                       "    down(100)\n"
                       "_thread.start_new_thread(dive, ())\n");
    Py_BEGIN_ALLOW_THREADS;
    thread = expect_asleep_in("diver", CPROF_STATE_FUTEX, "down", 0);
    EXPECT(stack_of(thread)->depth == MAX_DEPTH);
    EXPECT(stack_of(thread)->flags == CPROF_STACK_TRUNCATED);
    Py_END_ALLOW_THREADS;
}

static void *spin(void *name)
{
    register_thread(name, -1, NULL);
    while (!atomic_load(&may_stop)) {
    }
    cprof_thread_remove(thread_called(name));
    return NULL;
}

static cpu_set_t first_cpu(void)
{
    cpu_set_t cpus;
    size_t first = 0;

    EXPECT(sched_getaffinity(getpid(), sizeof(cpus), &cpus) == 0);
    while (!CPU_ISSET(first, &cpus)) {
        first++;
    }
    CPU_ZERO(&cpus);
    CPU_SET(first, &cpus);
    return cpus;
}

/* Two threads that share one CPU always leave one of them waiting for it. */
static void start_spinners(pthread_t spinners[2], char names[2][8])
{
    pthread_attr_t attributes;
    cpu_set_t cpus = first_cpu();

    EXPECT(pthread_attr_init(&attributes) == 0);
    EXPECT(pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus) == 0);
    for (uint32_t i = 0; i < 2; i++) {
        EXPECT(pthread_create(&spinners[i], &attributes, spin, names[i]) == 0);
    }
    EXPECT(pthread_attr_destroy(&attributes) == 0);
}

static uint64_t runnable_time_of(const struct cprof_thread *thread)
{
    const struct cprof_stack_record *stack;

    if (!thread || thread->sleep.runnable_ref == CPROF_NO_REF) {
        return 0;
    }
    stack = cprof_log_record(recorder.log, thread->sleep.runnable_ref);
    EXPECT(stack->kind == CPROF_STACK_RUNNABLE && stack->depth == 0);
    EXPECT(stack->tag_ref == atomic_load(&thread->tag_ref));
    return atomic_load(&stack->weight_ns);
}

static void a_thread_that_waits_for_a_cpu_is_not_asleep(void)
{
    static char names[2][8] = {"one", "two"};
    time_t end = time(NULL) + SECONDS_MAX;
    pthread_t spinners[2];

    Py_BEGIN_ALLOW_THREADS;
    start_spinners(spinners, names);
    do {
        EXPECT(has_time_left(end));
        (void)cprof_offcpu_look(0);
    } while (runnable_time_of(thread_called("one")) < 20000000 ||
             runnable_time_of(thread_called("two")) < 20000000);
    for (uint32_t i = 0; i < 2; i++) {
        EXPECT(thread_called(names[i])->sleep.ref == CPROF_NO_REF);
    }
    atomic_store(&may_stop, true);
    EXPECT(pthread_join(spinners[0], NULL) == 0 && pthread_join(spinners[1], NULL) == 0);
    Py_END_ALLOW_THREADS;
}

/* A thread of Python's that shares its CPU with one that spins. It leaves the interpreter's lock to
 * others between its steps. */
static PyObject *probe_share_cpu(PyObject *self, PyObject *unused)
{
    cpu_set_t cpus = first_cpu();

    (void)self, (void)unused;
    EXPECT(sched_setaffinity(0, sizeof(cpus), &cpus) == 0);
    Py_RETURN_NONE;
}

static PyObject *probe_may_stop(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return PyBool_FromLong(atomic_load(&may_stop));
}

static uint64_t wait_in(const struct cprof_thread *thread, const char *leaf)
{
    const struct cprof_stack_record *stack;

    if (!thread->sleep.is_known || !thread->sleep.is_queued) {
        return 0;
    }
    stack = cprof_log_record(recorder.log, thread->sleep.queued_ref);
    EXPECT(stack->kind == CPROF_STACK_OFF_CPU && stack->tag_ref == atomic_load(&thread->tag_ref));
    return frame_is(stack, 0, leaf) ? atomic_load(&stack->timer_weight_ns) : 0;
}

static void a_thread_that_waits_for_a_cpu_is_seen_where_it_waits(void)
{
    static char names[2][8] = {"three", "four"};
    time_t end = time(NULL) + SECONDS_MAX;
    struct cprof_thread *thread;
    pthread_t spinners[2];

    atomic_store(&may_stop, false);
    python_fixture_run("import probe, _thread\n"
                       "def turn():\n"
                       "    while not probe.may_stop():\n"
                       "        pass\n"
                       "def work():\n"
                       "    probe.register('worker')\n"
                       "    probe.share_cpu()\n"
                       "    turn()\n"
                       "    probe.gate(7)\n"
                       "_thread.start_new_thread(work, ())\n");
    Py_BEGIN_ALLOW_THREADS;
    start_spinners(spinners, names);
    while (!(thread = thread_called("worker")) || wait_in(thread, "turn") == 0) {
        EXPECT(has_time_left(end));
        (void)cprof_offcpu_look(UINT64_C(1000000));
    }
    EXPECT(frame_is(cprof_log_record(recorder.log, thread->sleep.queued_ref), 1, "work"));
    EXPECT(thread->sleep.is_pushed_aside ||
           atomic_load(&recorder.slot->counters[CPROF_COUNTER_RUNNABLE_LOOKS]) > 0);
    /* The next look weighs that wait, whether anything runs until then or not. */
    EXPECT(cprof_offcpu_may_be_waiting());
    atomic_store(&may_stop, true);
    EXPECT(pthread_join(spinners[0], NULL) == 0 && pthread_join(spinners[1], NULL) == 0);
    Py_END_ALLOW_THREADS;
}

/* As a thread that has just been found waiting: the account of that wait comes when it ends. */
static void a_wait_that_has_not_ended_is_told_in_advance(void)
{
    struct cprof_thread *thread = thread_called("walker");
    struct sums before, after;

    Py_BEGIN_ALLOW_THREADS;
    settle();
    thread->sleep.is_queued = true;
    thread->sleep.queued_ref = thread->sleep.ref;
    thread->sleep.queued_ns = 0;
    before = sum_up();
    (void)cprof_offcpu_look(UINT64_C(1000000));
    EXPECT(thread->sleep.due_ns > 0 && thread->sleep.queued_ns >= (uint64_t)thread->sleep.due_ns);
    cprof_offcpu_settle();
    after = sum_up();
    EXPECT(thread->sleep.due_ns == 0 && after.runnable_ns > before.runnable_ns);
    EXPECT(after.off_cpu_ns - before.off_cpu_ns + after.runnable_ns - before.runnable_ns +
               after.due_ns - before.due_ns ==
           after.wall_ns - before.wall_ns);
    thread->sleep.is_queued = false;
    Py_END_ALLOW_THREADS;
}

static void a_process_that_ends_is_not_read_any_more(void)
{
    struct cprof_thread *thread = thread_called("walker");

    Py_BEGIN_ALLOW_THREADS;
    cprof_guard_clear();
    open_gate(0);
    open_gate(1);
    await_passage(1);
    await_at_gate(thread, 0);
    (void)cprof_offcpu_look(0);
    EXPECT(!thread->sleep.is_known && !cprof_guard_is_reading());
    EXPECT(cprof_guard_set());
    (void)expect_asleep_in("walker", CPROF_STATE_FUTEX, "first", 0);
    Py_END_ALLOW_THREADS;
}

static void a_thread_that_is_forgotten_is_followed_anew(void)
{
    struct cprof_thread *thread = thread_called("walker");
    uint64_t weight_ns;

    Py_BEGIN_ALLOW_THREADS;
    (void)expect_asleep_in("walker", CPROF_STATE_FUTEX, "first", 0);
    weight_ns = account_of(thread).weight_ns;
    cprof_offcpu_forget(thread);
    EXPECT(!thread->sleep.is_followed && thread->sleep.ref == CPROF_NO_REF);
    (void)expect_asleep_in("walker", CPROF_STATE_FUTEX, "first", 0);
    EXPECT(account_of(thread).weight_ns == weight_ns); /* the time between is nobody's */
    Py_END_ALLOW_THREADS;
}

static void begin(void)
{
    cprof_peek_install();
    python_fixture_begin(functions);
    fake_segment_open(&segment, 1, LOG_BYTES);
    EXPECT(cprof_recorder_create(&recorder, &python, cprof_segment_slot(&segment, 0),
                                 segment.base + cprof_segment_log_offset(0, LOG_BYTES), LOG_BYTES,
                                 MAX_DEPTH));
    cprof_recorder_begin(&recorder, 1, 1);
    EXPECT(cprof_guard_set() && cprof_threads_create());
    EXPECT(sigfillset(&blocked) == 0 && sigdelset(&blocked, SIGSEGV) == 0 &&
           sigdelset(&blocked, SIGBUS) == 0);
    for (uint32_t i = 0; i < GATES; i++) {
        EXPECT(sem_init(&gates[i], 0, 0) == 0);
    }
    cprof_offcpu_setup(recorder.slot, &python, &recorder, &requests, &blocked);
    cprof_offcpu_begin(false);
}

int main(void)
{
    begin();
    start_sleepers();
    RUN(a_sleeping_thread_is_seen_where_it_sleeps);
    RUN(looks_at_a_thread_that_stays_asleep_add_its_time_without_a_walk);
    RUN(a_stay_books_as_a_look_does_and_asks_nothing);
    RUN(a_stay_looks_at_threads_whose_stack_is_not_known);
    RUN(what_is_booked_stands_in_the_records);
    RUN(a_stack_that_is_new_gets_the_mean_gap_and_the_old_one_the_rest);
    RUN(a_thread_that_moves_within_a_look_is_not_recorded);
    RUN(what_is_owed_to_the_run_queue_stays_what_it_is);
    RUN(what_was_slept_through_stays_goes_to_the_stack_of_then);
    RUN(all_time_is_booked_once_however_threads_move);
    RUN(a_thread_without_frames_is_idle_unless_it_serves_a_request);
    RUN(a_core_that_serves_under_another_state_is_walked_there);
    RUN(a_thread_without_state_or_tags_is_not_looked_at);
    RUN(a_stack_that_is_too_deep_is_cut_and_says_so);
    RUN(a_thread_that_waits_for_a_cpu_is_not_asleep);
    RUN(a_thread_that_waits_for_a_cpu_is_seen_where_it_waits);
    RUN(a_wait_that_has_not_ended_is_told_in_advance);
    RUN(a_thread_that_waits_for_the_interpreter_says_so);
    RUN(a_process_that_ends_is_not_read_any_more);
    RUN(a_thread_that_is_forgotten_is_followed_anew);
    RUN(a_state_that_became_another_one_is_not_walked);
    return 0;
}
