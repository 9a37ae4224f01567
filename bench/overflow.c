/* overflow.c - see overflow.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "overflow.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../plugin/python/runtime.h"
#include "../plugin/sample/sampler.h"
#include "../plugin/tags/tags.h"
#include "../plugin/threads/engine_perf.h"
#include "../plugin/threads/engine_timer.h"
#include "../plugin/threads/rearm.h"
#include "../plugin/threads/threads.h"
#include "../shared/base/error.h"
#include "../shared/segment/segment.h"
#include "../shared/segment/window.h"

/* The linker puts this in the place of the real one (bench.mk): the ticker gives no thread a
 * perf event. bench_use does, for as long as that engine is measured. */
bool __wrap_cprof_engine_perf_arm(struct cprof_thread *thread, uint64_t period_ns);
bool __real_cprof_engine_perf_arm(struct cprof_thread *thread, uint64_t period_ns);

bool __wrap_cprof_engine_perf_arm(struct cprof_thread *thread, uint64_t period_ns)
{
    (void)thread, (void)period_ns;
    return false;
}

/* The same for the question whose the signal is: the handler that counts and then calls the
 * plugin's is one of an app that has taken it, and would get no ticks. */
bool __wrap_cprof_oncpu_owns_signal(void);

bool __wrap_cprof_oncpu_owns_signal(void)
{
    return true;
}

#define ALL_TAGS (CPROF_TAG_METHOD | CPROF_TAG_HOST | CPROF_TAG_MOUNT | CPROF_TAG_PATH)

#define EXPORTED __attribute__((visibility("default")))

#define LOG_BYTES (UINT64_C(64) << 20)

/* An iteration that was not interrupted takes some 30 ns, an interrupt alone over 1 us. */
#define GAP_NS_MIN UINT64_C(700)

/* Long: after a signal that the kernel swallowed, the ticker arms the timer again. */
#define SPIN_PERIODS   UINT64_C(1000)
#define ARMED_WAIT_NS  UINT64_C(5000000000)
#define WORDS_PER_LINE 8u
#define LINES_PER_LOOK 4u

static struct {
    struct cprof_error error;
    struct cprof_segment segment;
    _Atomic uint64_t *counters;
    struct cprof_thread *thread; /* NULL: another profiler is measured */
    uint64_t period_ns;
    int signal_number;
    struct sigaction profiler_action;
    enum bench_handler handler;
    enum bench_engine engine;
    _Atomic uint64_t runs[BENCH_ENGINES]; /* of any handler */
    long switches;
    _Atomic bool tagged;
} bench;

/* What uWSGI would say of the request. */
static uint64_t stamp_of_request(int core)
{
    (void)core;
    return atomic_load_explicit(&bench.tagged, memory_order_relaxed);
}

static uint32_t text_of_request(int core, enum cprof_tag_bit part, char *to, uint32_t to_bytes)
{
    static const char path[] = "/users/profile/settings";
    uint32_t bytes = part == CPROF_TAG_PATH ? sizeof(path) - 1 : sizeof("/use") - 1;

    (void)core;
    bytes = bytes < to_bytes ? bytes : to_bytes;
    memcpy(to, path, bytes);
    return bytes;
}

static uint32_t tag_of(const char *key)
{
    return cprof_tag_intern(cprof_tag_key(key, strlen(key)), key, strlen(key));
}

static const struct cprof_request_view request_view = {
    .stamp = stamp_of_request,
    .text = text_of_request,
};

static uint64_t thread_cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static bool start_sampler(uint32_t max_depth)
{
    struct cprof_python python;
    struct cprof_sampler_start start = {
        .max_depth = max_depth,
        .request_count = 1,
        .requests = request_view,
        .python = &python,
    };

    (void)cprof_engine_perf_ask(); /* without it there are none; bench_use finds a refusal */
    switch (cprof_python_find(&python, &bench.error)) {
    case CPROF_PYTHON_READY:
        break;
    case CPROF_PYTHON_ABSENT:
        return cprof_fail(&bench.error, "no Python in this process");
    case CPROF_PYTHON_REFUSED:
        return false;
    }
    if (!cprof_segment_create(&start.segment_fd, &(struct cprof_slot_counts){.workers = 1},
                              LOG_BYTES, &bench.error) ||
        !cprof_sampler_reserve_tags(ALL_TAGS) ||
        !cprof_segment_open(&bench.segment, start.segment_fd, &bench.error) ||
        !cprof_sampler_start(&start, &bench.error)) {
        return false;
    }
    bench.counters = cprof_segment_slot(&bench.segment, 0)->counters;
    cprof_sampler_add_core_thread(0, "bench");
    bench.thread = cprof_thread_of_tid((pid_t)syscall(SYS_gettid));
    return bench.thread != NULL || cprof_fail(&bench.error, "the thread was not registered");
}

static void open_window(void)
{
    uint64_t now_ns = cprof_now_ns();
    struct cprof_window window = {
        .kinds = CPROF_KIND_CPU,
        .source = CPROF_SOURCE_SCHEDULE,
        .period_ns = bench.period_ns,
        .start_ns = now_ns,
        .end_ns = now_ns + CPROF_WINDOW_NS_MAX,
        .start_unix_ns = cprof_now_unix_ns(),
    };

    cprof_window_open(cprof_segment_control(&bench.segment), 0, &window);
}

/* The first sample also shows that the handler finds this thread's stack. */
static bool wait_for_sample(void)
{
    uint64_t deadline_ns = cprof_now_ns() + ARMED_WAIT_NS;

    while (atomic_load(&bench.counters[CPROF_COUNTER_SAMPLES]) == 0) {
        if (cprof_now_ns() > deadline_ns) {
            return cprof_fail(&bench.error, "no sample was taken within 5 s");
        }
    }
    return true;
}

EXPORTED const char *bench_adopt(int signal_number, uint64_t period_ns)
{
    bench.signal_number = signal_number;
    bench.period_ns = period_ns;
    if (sigaction(signal_number, NULL, &bench.profiler_action) != 0 ||
        !(bench.profiler_action.sa_flags & SA_SIGINFO)) {
        return "no handler of the expected kind stands for the signal";
    }
    return NULL;
}

EXPORTED const char *bench_start(uint32_t max_depth, uint64_t period_ns)
{
    bench.period_ns = period_ns;
    if (!start_sampler(max_depth)) {
        return bench.error.text;
    }
    open_window();
    if (!wait_for_sample()) {
        return bench.error.text;
    }
    return bench_adopt(CPROF_SIGNAL, period_ns);
}

/* Stands before every handler, so that all runs are counted in one way. */
static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    bool is_perf = bench.thread && info->si_code != SI_TIMER;
    int saved_errno = errno;

    atomic_fetch_add_explicit(&bench.runs[is_perf ? BENCH_PERF : BENCH_TIMER], 1,
                              memory_order_relaxed);
    if (bench.handler == BENCH_PROFILER) {
        bench.profiler_action.sa_sigaction(signal_number, info, context);
    } else if (bench.thread && !is_perf) {
        (void)cprof_rearm_after_tick(bench.thread, bench.period_ns);
    }
    errno = saved_errno;
}

static bool use_engine(enum bench_engine engine)
{
    if (!bench.thread) {
        return engine == BENCH_TIMER;
    }
    cprof_engine_perf_disarm(bench.thread);
    return engine == BENCH_TIMER || __real_cprof_engine_perf_arm(bench.thread, bench.period_ns);
}

EXPORTED bool bench_use(enum bench_handler handler, enum bench_engine engine)
{
    struct sigaction action = bench.profiler_action; /* the same mask and flags for all */

    action.sa_sigaction = on_signal;
    if (handler == BENCH_NONE) {
        action.sa_handler = SIG_IGN;
        action.sa_flags &= ~SA_SIGINFO;
    }
    bench.handler = handler;
    bench.engine = engine;
    return use_engine(engine) && sigaction(bench.signal_number, &action, NULL) == 0;
}

EXPORTED bool bench_tag(bool tagged)
{
    struct cprof_python python;
    struct cprof_tag_scope scope = {.core = -1};
    uintptr_t context;

    if (cprof_python_find(&python, &bench.error) != CPROF_PYTHON_READY) {
        return false;
    }
    context =
        cprof_tags_context(&python, CPROF_PEEK_SYSTEM, (uintptr_t)python.current_thread_state());
    if (tagged) {
        scope.chain = cprof_tag_chain_with(cprof_tag_chain_with(CPROF_TAG_NO_CHAIN, tag_of("view")),
                                           tag_of("customer"));
    }
    atomic_store(&bench.tagged, tagged);
    return cprof_tag_scope_put(context, &scope) != CPROF_TAG_SCOPE_FULL &&
           (!tagged || (cprof_tag_set_for_request(0, 1, tag_of("route")) &&
                        cprof_tag_set_for_request(0, 1, tag_of("tenant"))));
}

/* An ignored overflow is known by the timer, which stands still until it is armed again. */
static bool ignored_overflow(void)
{
    struct itimerspec rest;

    return syscall(SYS_timer_gettime, bench.thread->timer, &rest) == 0 &&
           rest.it_value.tv_sec == 0 && rest.it_value.tv_nsec == 0 &&
           cprof_rearm(bench.thread, thread_cpu_ns(), bench.period_ns);
}

/* Whether another thread had the processor since the last call: then the gap is its time. */
static bool was_preempted(void)
{
    struct rusage usage;
    long switches;
    bool more;

    if (getrusage(RUSAGE_THREAD, &usage) != 0) {
        return true;
    }
    switches = usage.ru_nivcsw + usage.ru_nvcsw;
    more = switches != bench.switches;
    bench.switches = switches;
    return more;
}

static void keep(uint64_t gap_ns, uint64_t *kept, uint32_t *count, uint32_t max)
{
    if (*count < max) {
        kept[(*count)++] = gap_ns;
    }
}

/* Runs of the handlers, so that two looks tell what came in between. */
struct runs {
    uint64_t measured; /* by overflows of the engine that is measured */
    uint64_t other;
    uint64_t perf_samples; /* not every overflow of a perf event is one (perf_grid.h) */
};

static struct runs handler_runs(void)
{
    uint64_t timer = atomic_load(&bench.runs[BENCH_TIMER]);
    uint64_t perf = atomic_load(&bench.runs[BENCH_PERF]);

    uint64_t samples = bench.thread ? atomic_load(&bench.counters[CPROF_COUNTER_PERF_TICKS]) : 0;

    return bench.engine == BENCH_PERF ? (struct runs){perf, timer, samples}
                                      : (struct runs){timer, perf, samples};
}

static void sort_gap(struct bench_gaps *gaps, uint64_t gap_ns, const struct runs *before)
{
    struct runs now = handler_runs();
    uint64_t overflows = now.measured - before->measured;

    if (bench.handler == BENCH_NONE) {
        overflows = ignored_overflow() ? 1 : 0;
    }
    if (was_preempted() || now.other != before->other) {
        return;
    }
    if (bench.thread && bench.engine == BENCH_PERF && bench.handler == BENCH_PROFILER &&
        overflows == 1 && now.perf_samples == before->perf_samples) {
        return; /* no sample: it costs what an empty handler does, and a look at the clock */
    }
    if (overflows == 1) {
        keep(gap_ns, gaps->overflow_ns, &gaps->overflow_count, gaps->overflow_max);
    } else if (overflows == 0) {
        keep(gap_ns, gaps->tick_ns, &gaps->tick_count, gaps->tick_max);
    }
}

/* Reads a few cache lines, one after the other through all of the memory. */
static void walk_a_piece(struct bench_gaps *gaps)
{
    for (uint32_t line = 0; line < LINES_PER_LOOK; line++) {
        (void)*(volatile uint64_t *)&gaps->walked[gaps->walk_next];
        gaps->walk_next += WORDS_PER_LINE;
        if (gaps->walk_next >= gaps->walked_words) {
            gaps->walk_next = 0;
        }
    }
}

EXPORTED uint32_t bench_spin(struct bench_gaps *gaps, uint32_t more)
{
    uint32_t before = gaps->overflow_count;
    struct runs runs = handler_runs();
    uint64_t last_ns = cprof_now_ns();
    uint64_t deadline_ns = last_ns + more * SPIN_PERIODS * bench.period_ns;

    (void)was_preempted();
    while (gaps->overflow_count - before < more && last_ns < deadline_ns) {
        uint64_t now_ns;

        if (gaps->walked_words) {
            walk_a_piece(gaps);
        }
        now_ns = cprof_now_ns();
        if (now_ns - last_ns >= GAP_NS_MIN) {
            sort_gap(gaps, now_ns - last_ns, &runs);
            now_ns = cprof_now_ns();
            runs = handler_runs();
        }
        last_ns = now_ns;
    }
    return gaps->overflow_count - before;
}

EXPORTED void bench_read_counts(struct bench_counts *counts)
{
    *counts = (struct bench_counts){
        .samples = atomic_load(&bench.counters[CPROF_COUNTER_SAMPLES]),
        .log_full = atomic_load(&bench.counters[CPROF_COUNTER_LOG_FULL]),
    };
    for (unsigned i = 0; i < CPROF_MISS_COUNT; i++) {
        counts->misses += atomic_load(&bench.counters[CPROF_COUNTER_MISSED + i]);
    }
}
