/* test_windows.c - see gateway/windows/windows.h. Real segments, real logs, the real loop; the
 * workers are written by hand, and the time passes by a millisecond for each turn of the loop and
 * not else, so that each profile's samples are known to the last one.
 *
 * sources: tests/unit/fake_log.c
 * flags: -Wl,--wrap=cprof_now_ns -Wl,--wrap=cprof_pages_take -Wl,--wrap=cprof_snapshot_step
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/windows/windows.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "../../gateway/windows/overhead.h"
#include "../../shared/segment/pages.h"
#include "../../shared/segment/window.h"
#include "expect.h"
#include "fake_log.h"

#define MS          UINT64_C(1000000)
#define S           (1000 * MS)
#define DEADLINE_NS (20 * S)
#define LONG_NS     (3000 * S) /* a window that outlasts the test */

/* What became of a window. */
struct end {
    unsigned calls;
    int handle;
    bool is_lost, adopted, steady, released_at_once;
    double worst_percent;
    uint64_t samples;
    char period_comment[200]; /* why it is longer; "": it is not */
    struct cprof_window window;
    uint64_t cpu_count, wall_count; /* samples of the function `work` */
    uint64_t wall_ns;
    uint64_t sampled_ns; /* as the profiles say */
    char parts_comment[120];
    char slot_comment[1200];
    char ticket[64];
    size_t running_count; /* requests that ran when it ended, as far as is known */
};

static struct cprof_segment segment;
static struct cprof_control *control;
static bool memory_is_refused;

bool __real_cprof_pages_take(void *start, size_t bytes);
bool __wrap_cprof_pages_take(void *start, size_t bytes);

bool __wrap_cprof_pages_take(void *start, size_t bytes)
{
    return !memory_is_refused && __real_cprof_pages_take(start, bytes);
}

static unsigned slots_looked_at; /* for a look at all logs */
static bool looks_are_refused;

bool __real_cprof_snapshot_step(struct cprof_snapshot *snapshot,
                                const struct cprof_segment *segment, uint32_t epoch,
                                const struct cprof_snapshot_bounds *bounds,
                                struct cprof_error *error);
bool __wrap_cprof_snapshot_step(struct cprof_snapshot *snapshot,
                                const struct cprof_segment *segment, uint32_t epoch,
                                const struct cprof_snapshot_bounds *bounds,
                                struct cprof_error *error);

bool __wrap_cprof_snapshot_step(struct cprof_snapshot *snapshot,
                                const struct cprof_segment *looked_at, uint32_t epoch,
                                const struct cprof_snapshot_bounds *bounds,
                                struct cprof_error *error)
{
    slots_looked_at++;
    if (looks_are_refused) {
        return cprof_fail(error, "refused");
    }
    return __real_cprof_snapshot_step(snapshot, looked_at, epoch, bounds, error);
}

static struct cprof_slot *slot;
static struct cprof_log_writer writer;
static struct cprof_loop loop;
static struct cprof_windows *windows;
static struct cprof_config config;
static uint32_t on_cpu_ref, off_cpu_ref;

static uint64_t now_ns = 1000 * S;

uint64_t __wrap_cprof_now_ns(void);
uint64_t __wrap_cprof_now_ns(void)
{
    return now_ns;
}

/* The loop runs until this says true. */
static bool (*condition)(const void *argument);
static const void *condition_argument;
static uint64_t condition_deadline_ns;
static struct cprof_loop_timer condition_timer;

static void check_condition(void *context, uint64_t time_ns)
{
    (void)context;
    condition_timer.due_ns = 0;
    if (condition(condition_argument)) {
        cprof_loop_stop(&loop);
        return;
    }
    EXPECT(time_ns < condition_deadline_ns);
    now_ns += MS;
}

static void run_until(bool (*is_true)(const void *argument), const void *argument)
{
    condition = is_true;
    condition_argument = argument;
    condition_deadline_ns = now_ns + DEADLINE_NS;
    condition_timer.due_ns = 0;
    loop.stopped = false;
    cprof_loop_run(&loop);
}

static bool has_ended(const void *end)
{
    return ((const struct end *)end)->calls > 0;
}

static bool mask_is(const void *mask)
{
    return atomic_load(&control->window_mask) == *(const uint32_t *)mask;
}

static bool epoch_is(const void *epoch)
{
    return atomic_load(&control->epoch) == *(const uint32_t *)epoch;
}

static void await_mask(uint32_t mask)
{
    run_until(mask_is, &mask);
}

static void await_epoch(uint32_t epoch)
{
    run_until(epoch_is, &epoch);
}

/* A gateway's windows; the segment stays as it is. */
static void start_windows(void)
{
    struct cprof_error error;

    cprof_loop_init(&loop);
    condition_timer = (struct cprof_loop_timer){.due_ns = 0, .fire = check_condition};
    EXPECT(cprof_loop_add_timer(&loop, &condition_timer));
    windows = cprof_windows_create(&config, &segment, &loop, &error);
    EXPECT(windows);
}

/* As a SIGKILL of the gateway. */
static void kill_windows(void)
{
    cprof_windows_destroy(windows);
    windows = NULL;
}

/* The log of one worker in the present epoch, with a stack of each kind that nothing was counted
 * on yet. */
static void start_worker(void)
{
    uint32_t epoch = atomic_load(&control->epoch);
    struct cprof_frame frame;

    slot = cprof_segment_slot(&segment, 0);
    writer = fake_writer(&segment, 0, epoch, 1);
    frame = (struct cprof_frame){
        .code_ref = fake_code(&writer, &(struct fake_code){.name = "work", .file = "a.py"})};
    on_cpu_ref = fake_stack(&writer, &(struct fake_stack){.frames = &frame, .depth = 1});
    off_cpu_ref = fake_stack(&writer, &(struct fake_stack){.frames = &frame,
                                                           .depth = 1,
                                                           .kind = CPROF_STACK_OFF_CPU,
                                                           .state = CPROF_STATE_RECV});
    EXPECT(on_cpu_ref != CPROF_NO_REF && off_cpu_ref != CPROF_NO_REF);
}

/* The worker is seen to write from now on: it has not closed its log. */
static void join(void)
{
    atomic_store(&slot->pid, (uint32_t)getpid());
    atomic_store(&slot->closed_epoch, atomic_load(&control->epoch) - 1);
    atomic_store(&slot->joined_epoch, atomic_load(&control->epoch));
}

static void settle(void)
{
    atomic_store(&slot->settled_ns, cprof_now_ns());
}

static struct cprof_stack_record *record(uint32_t ref)
{
    uint8_t *log = segment.base + cprof_segment_log_offset(0, segment.log_bytes);

    return cprof_log_record(log, ref);
}

static void sample(uint32_t ref, uint64_t count, uint64_t weight_ns)
{
    atomic_fetch_add(&record(ref)->weight_ns, weight_ns);
    atomic_fetch_add(&record(ref)->count, count);
    if (ref == on_cpu_ref) {
        atomic_fetch_add(&slot->counters[CPROF_COUNTER_SAMPLES], count);
        atomic_fetch_add(&slot->counters[CPROF_COUNTER_CPU_CLOCK_NS], weight_ns);
        atomic_fetch_add(&slot->counters[CPROF_COUNTER_SAMPLED_CLOCK_NS], weight_ns);
    }
}

static void work(uint64_t count)
{
    sample(on_cpu_ref, count, count * 10 * MS);
}

static void begin_test(void)
{
    slots_looked_at = 0;
    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    control = cprof_segment_control(&segment);
    config = (struct cprof_config){.tags = CPROF_TAG_WORKER, .max_depth = 128};
    start_windows();
    cprof_windows_begin(windows, NULL, 0);
    start_worker();
}

static void end_test(void)
{
    cprof_windows_destroy(windows);
    fake_segment_close(&segment);
}

static uint64_t count_in(const struct cprof_table *table, uint64_t *sum_ns)
{
    uint64_t count = 0;

    for (size_t i = 0; i < table->sample_count; i++) {
        count += table->samples[i].count;
    }
    for (size_t i = 0; i < table->comment_count; i++) {
        const char *comment = cprof_table_text_at(table, table->comments[i]);

        EXPECT(strncmp(comment, "rejected", 8) != 0 || strcmp(comment, "rejected records: 0") == 0);
    }
    *sum_ns = cprof_table_total_ns(table);
    return count;
}

static void note_comment(char *to, size_t bytes, const struct cprof_table *table,
                         const char *prefix)
{
    for (size_t i = 0; i < table->comment_count; i++) {
        const char *comment = cprof_table_text_at(table, table->comments[i]);

        if (strncmp(comment, prefix, strlen(prefix)) == 0) {
            EXPECT(to[0] == '\0');
            (void)snprintf(to, bytes, "%s", comment);
        }
    }
}

static void note_comments(struct end *end, const struct cprof_table *table)
{
    note_comment(end->period_comment, sizeof(end->period_comment), table, "period:");
    note_comment(end->parts_comment, sizeof(end->parts_comment), table, "parts:");
    note_comment(end->slot_comment, sizeof(end->slot_comment), table, "worker 1:");
}

static void note_end(void *context, const struct cprof_window_result *result)
{
    struct end *end = context;
    uint64_t cpu_ns;

    end->calls++;
    end->handle = result->handle;
    end->adopted = result->adopted;
    end->steady = result->steady;
    end->samples = result->harvest ? result->harvest->samples : 0;
    end->worst_percent = result->harvest ? result->harvest->worst_percent : 0;
    end->window = *result->window;
    end->is_lost = !result->harvest;
    end->running_count = result->harvest ? result->harvest->running.count : 0;
    EXPECT(strlen(result->ticket) == result->ticket_bytes);
    (void)snprintf(end->ticket, sizeof(end->ticket), "%s", result->ticket);
    for (unsigned i = 0; result->harvest && i < result->harvest->count; i++) {
        const struct cprof_table *table = &result->harvest->profiles[i].table;

        EXPECT(table->duration_ns == result->harvest->duration_ns);
        EXPECT(table->time_unix_ns == result->window->start_unix_ns);
        end->sampled_ns = table->duration_ns;
        if (table->kind == CPROF_KIND_CPU) {
            end->cpu_count = count_in(table, &cpu_ns);
            note_comments(end, table);
        } else {
            end->wall_count = count_in(table, &end->wall_ns);
        }
    }
    if (end->released_at_once) {
        cprof_windows_release(windows, result->handle);
    }
}

static struct cprof_window_order an_order(struct end *end, uint32_t source, uint64_t duration_ns)
{
    return (struct cprof_window_order){
        .kinds = CPROF_KIND_CPU,
        .source = source,
        .period_ns = 10 * MS,
        .duration_ns = duration_ns,
        .latest_start_ns = CPROF_LOOP_NEVER,
        .finished = note_end,
        .context = end,
    };
}

static int order(const struct cprof_window_order *wanted)
{
    struct cprof_error error;
    int handle = cprof_windows_order(windows, wanted, &error);

    EXPECT(handle >= 0);
    return handle;
}

static int order_for(struct end *end, uint64_t duration_ns)
{
    struct cprof_window_order wanted = an_order(end, CPROF_SOURCE_DEMAND, duration_ns);

    return order(&wanted);
}

static void a_window_alone_gets_all_samples_and_the_logs_are_given_back(void)
{
    struct end end = {.released_at_once = true};

    begin_test();
    (void)order_for(&end, 100 * MS);
    await_mask(1);
    work(7);
    run_until(has_ended, &end);

    EXPECT(!end.is_lost && !end.adopted && end.cpu_count == 7 && end.ticket[0] == '\0');
    EXPECT(!(end.window.flags & CPROF_WINDOW_HAS_BASE));
    await_epoch(3);
    EXPECT(atomic_load(&slot->claim) == UINT64_C(3) << 32 && control->window_mask == 0);
    end_test();
}

static void each_of_two_that_overlap_gets_what_was_sampled_while_it_was_open(void)
{
    struct end first = {0}, second = {0};

    begin_test();
    (void)order_for(&first, 300 * MS);
    await_mask(1);
    work(5);
    (void)order_for(&second, 600 * MS);
    await_mask(3);
    work(7);
    run_until(has_ended, &first);
    work(11);
    run_until(has_ended, &second);

    EXPECT(first.cpu_count == 12 && second.cpu_count == 18);
    EXPECT(second.window.flags & CPROF_WINDOW_HAS_BASE);
    EXPECT(atomic_load(&control->window_mask) == 3 && atomic_load(&control->epoch) == 2);
    cprof_windows_release(windows, first.handle);
    EXPECT(atomic_load(&control->window_mask) == 2 && atomic_load(&control->epoch) == 2);
    cprof_windows_release(windows, second.handle);
    EXPECT(atomic_load(&control->window_mask) == 0 && atomic_load(&control->epoch) == 3);
    end_test();
}

/* There is nothing between the end and the reading that one more look at the logs would find. */
static void two_that_end_together_are_read_without_a_look_at_their_end(void)
{
    struct end first = {0}, second = {0};
    struct cprof_window_order wanted = an_order(&second, CPROF_SOURCE_DEMAND, 0);

    begin_test();
    (void)order_for(&first, 300 * MS);
    await_mask(1);
    work(5);
    wanted.end_ns = control->windows[0].end_ns;
    (void)order(&wanted);
    await_mask(3);
    EXPECT(slots_looked_at == 1); /* the base of the second one */
    work(7);
    run_until(has_ended, &first);
    run_until(has_ended, &second);

    EXPECT(first.cpu_count == 12 && second.cpu_count == 7 && slots_looked_at == 1);
    end_test();
}

static void only_a_window_that_no_shorter_period_changed_is_steady(void)
{
    struct end slow = {0}, quick = {0}, late = {0}, alone = {.released_at_once = true};
    struct cprof_window_order wanted = an_order(&slow, CPROF_SOURCE_SCHEDULE, 300 * MS);

    begin_test();
    wanted.period_ns = 20 * MS;
    (void)order(&wanted);
    await_mask(1);
    (void)order_for(&quick, 100 * MS);
    await_mask(3);
    wanted = an_order(&late, CPROF_SOURCE_CLOUD, 300 * MS);
    wanted.period_ns = 40 * MS;
    (void)order(&wanted);
    await_mask(7);
    run_until(has_ended, &slow);
    run_until(has_ended, &late);
    cprof_windows_release(windows, slow.handle);
    cprof_windows_release(windows, quick.handle);
    cprof_windows_release(windows, late.handle);
    (void)order_for(&alone, 100 * MS);
    run_until(has_ended, &alone);

    EXPECT(quick.steady && !slow.steady && !late.steady && alone.steady);
    end_test();
}

static void use_cpu(uint64_t handler_ns, uint64_t ticker_ns, uint64_t worker_ns, uint64_t wall_ns)
{
    _Atomic uint64_t *counters = slot->counters;

    atomic_fetch_add(&counters[CPROF_COUNTER_HANDLER_CPU_NS], handler_ns);
    atomic_fetch_add(&counters[CPROF_COUNTER_TICKER_CPU_NS], ticker_ns);
    atomic_fetch_add(&counters[CPROF_COUNTER_CPU_CLOCK_NS], worker_ns);
    atomic_fetch_add(&counters[CPROF_COUNTER_SAMPLING_NS], wall_ns);
}

static void a_window_says_what_it_cost_alone(void)
{
    struct end first = {0}, second = {0};

    begin_test();
    (void)order_for(&first, 300 * MS);
    await_mask(1);
    use_cpu(100 * MS, 0, S, S);
    (void)order_for(&second, 600 * MS);
    await_mask(3);
    use_cpu(10 * MS, 5 * MS, S, S);
    run_until(has_ended, &first);
    run_until(has_ended, &second);

    EXPECT(first.worst_percent == 5.75);
    EXPECT(second.worst_percent == 1.5);
    end_test();
}

static void a_window_counts_its_own_samples_of_all_slots(void)
{
    struct end first = {0}, second = {0};

    begin_test();
    (void)order_for(&first, 300 * MS);
    await_mask(1);
    atomic_fetch_add(&slot->counters[CPROF_COUNTER_SAMPLES], 7);
    (void)order_for(&second, 600 * MS);
    await_mask(3);
    atomic_fetch_add(&slot->counters[CPROF_COUNTER_SAMPLES], 5);
    run_until(has_ended, &first);
    run_until(has_ended, &second);

    EXPECT(first.samples == 12 && second.samples == 5);
    end_test();
}

static void a_profile_says_why_its_period_is_longer_than_the_one_that_is_set(void)
{
    struct end stretched = {0}, own = {0};
    struct cprof_window_order wanted;

    begin_test();
    config.set_period_ms = 5;
    config.period_ms = 10;
    config.max_samples = 1000;
    config.max_overhead_hundredths = 105;
    (void)order_for(&stretched, 100 * MS);
    run_until(has_ended, &stretched);
    wanted = an_order(&own, CPROF_SOURCE_DEMAND, 100 * MS);
    wanted.period_ns = 40 * MS;
    (void)order(&wanted);
    run_until(has_ended, &own);

    EXPECT(stretched.window.flags & CPROF_WINDOW_STRETCHED);
    EXPECT(strcmp(stretched.period_comment,
                  "period: longer than the 5 ms that are set, to keep within "
                  "cloudprofiler-max-samples (1000 a second) and cloudprofiler-max-overhead "
                  "(1.05 %)") == 0);
    EXPECT(!(own.window.flags & CPROF_WINDOW_STRETCHED) && own.period_comment[0] == '\0');
    end_test();
}

static void a_window_without_a_busy_worker_does_not_say_what_it_cost(void)
{
    struct end end = {0};

    begin_test();
    (void)order_for(&end, 100 * MS);
    run_until(has_ended, &end);

    EXPECT(!end.is_lost && end.worst_percent == CPROF_OVERHEAD_UNKNOWN);
    end_test();
}

static void a_stack_that_is_new_in_the_second_window_is_in_it_whole(void)
{
    struct end first = {0}, second = {0};
    struct cprof_frame frame;

    begin_test();
    (void)order_for(&first, 300 * MS);
    await_mask(1);
    work(5);
    (void)order_for(&second, 200 * MS);
    await_mask(3);
    frame = (struct cprof_frame){
        .code_ref = fake_code(&writer, &(struct fake_code){.name = "new", .file = "a.py"})};
    (void)fake_stack(&writer, &(struct fake_stack){
                                  .frames = &frame, .depth = 1, .count = 3, .weight_ns = 30 * MS});
    run_until(has_ended, &first);
    run_until(has_ended, &second);

    EXPECT(first.cpu_count == 8 && second.cpu_count == 3);
    end_test();
}

static void a_wall_window_beside_a_cpu_window_takes_its_own_sleep_alone(void)
{
    struct end wall = {0}, cpu = {0}, late = {0};
    struct cprof_window_order order_of_wall = an_order(&wall, CPROF_SOURCE_CLOUD, 300 * MS);
    struct cprof_window_order order_of_late = an_order(&late, CPROF_SOURCE_DEMAND, 300 * MS);

    order_of_wall.kinds = CPROF_KINDS_ALL;
    order_of_late.kinds = CPROF_KIND_WALL;
    begin_test();
    (void)order(&order_of_wall);
    await_mask(1);
    sample(off_cpu_ref, 4, 40 * MS);
    work(2);
    (void)order_for(&cpu, 200 * MS);
    (void)order(&order_of_late);
    await_mask(7);
    sample(off_cpu_ref, 8, 80 * MS);
    work(1);
    run_until(has_ended, &wall);
    run_until(has_ended, &cpu);
    run_until(has_ended, &late);

    EXPECT(wall.cpu_count == 3 && wall.wall_count == 15 && wall.wall_ns == 150 * MS);
    EXPECT(cpu.cpu_count == 1 && cpu.wall_count == 0);
    EXPECT(late.cpu_count == 0 && late.wall_count == 9 && late.wall_ns == 90 * MS);
    end_test();
}

static void a_weight_that_is_corrected_below_the_first_look_counts_as_nothing(void)
{
    struct end first = {0}, second = {0};
    struct cprof_window_order wanted = an_order(&second, CPROF_SOURCE_DEMAND, 100 * MS);

    begin_test();
    (void)order_for(&first, 300 * MS);
    await_mask(1);
    sample(off_cpu_ref, 4, 40 * MS);
    wanted.kinds = CPROF_KIND_WALL;
    (void)order(&wanted);
    await_mask(3);
    atomic_fetch_sub(&record(off_cpu_ref)->weight_ns, 15 * MS);
    work(1);
    run_until(has_ended, &second);

    EXPECT(second.wall_count == 1 && second.wall_ns == 10 * MS);
    end_test();
}

static bool is_later_than(const void *time_ns)
{
    return now_ns > *(const uint64_t *)time_ns;
}

static void pass(uint64_t duration_ns)
{
    uint64_t time_ns = now_ns + duration_ns;

    run_until(is_later_than, &time_ns);
}

/* The worker says only later that its clocks are up to date: what it counts until then is not the
 * new window's. The same at the end: all until then is the window's. */
static void both_looks_wait_until_slots_have_settled(void)
{
    struct end first = {0}, second = {0};

    begin_test();
    join();
    (void)order_for(&first, LONG_NS);
    await_mask(1);
    work(5);
    (void)order_for(&second, 400 * MS);
    await_mask(3);
    pass(50 * MS);
    work(7);
    settle();
    pass(50 * MS);
    work(11);
    pass(600 * MS);
    EXPECT(!has_ended(&second));
    work(13);
    settle();
    run_until(has_ended, &second);

    EXPECT(second.cpu_count == 24);
    end_test();
}

static void a_stopped_process_holds_the_looks_up_for_a_moment_only(void)
{
    struct end first = {0}, second = {0};

    begin_test();
    join();
    (void)order_for(&first, LONG_NS);
    await_mask(1);
    work(5);
    (void)order_for(&second, 1000 * MS);
    await_mask(3);
    pass(250 * MS);
    work(7);
    pass(1900 * MS);

    EXPECT(has_ended(&second) && second.cpu_count == 7);
    end_test();
}

static void a_window_behind_one_that_is_not_delivered_yet_loses_nothing(void)
{
    struct end first = {0}, second = {0};

    begin_test();
    (void)order_for(&first, 100 * MS);
    await_mask(1);
    work(5);
    run_until(has_ended, &first);
    (void)order_for(&second, 100 * MS);
    await_mask(3);
    work(7);
    run_until(has_ended, &second);

    EXPECT(first.cpu_count == 5 && second.cpu_count == 7);
    end_test();
}

static void fill_half_of_the_log(void)
{
    atomic_fetch_add(&slot->claim, segment.log_bytes / CPROF_CHUNK_BYTES / 2);
}

/* The worker is done with its log, and writes to the one of the epoch that follows. */
static void meet_next_epoch(void)
{
    await_epoch(atomic_load(&control->epoch) + 1);
    start_worker();
}

static void a_window_that_outlasts_its_logs_has_the_samples_of_all_its_parts(void)
{
    struct end end = {0};
    struct cprof_window open[CPROF_WINDOWS_MAX];
    uint64_t order_ns, gap_ns;
    char comment[120];

    begin_test();
    (void)order_for(&end, 5000 * MS);
    await_mask(1);
    order_ns = control->windows[0].start_ns;
    for (unsigned i = 0; i < 3; i++) {
        work(5);
        fill_half_of_the_log();
        meet_next_epoch();
        EXPECT(cprof_windows_read(windows, open) == 1);
        EXPECT(open[0].start_ns == order_ns && open[0].end_ns == order_ns + 5000 * MS);
    }
    work(7);
    run_until(has_ended, &end);

    EXPECT(cprof_windows_read(windows, open) == 0);
    EXPECT(!end.is_lost && end.steady && end.calls == 1 && end.cpu_count == 22);
    EXPECT(end.samples == 22);
    EXPECT(end.window.start_ns == order_ns && end.window.end_ns == order_ns + 5000 * MS);
    gap_ns = 5000 * MS - end.sampled_ns;
    EXPECT(gap_ns > 0 && gap_ns < 30 * MS);
    (void)snprintf(comment, sizeof(comment),
                   "parts: 4, as logs were half full; %.3f s between them are not sampled and not "
                   "in the window's time",
                   (double)gap_ns / 1e9);
    EXPECT(strcmp(end.parts_comment, comment) == 0);
    EXPECT(strstr(end.slot_comment, " samples=22 ") && strstr(end.slot_comment, "_ns=220000000 "));
    end_test();
}

static void a_window_whose_log_is_never_half_full_is_of_one_part(void)
{
    struct end end = {0};

    begin_test();
    (void)order_for(&end, 5000 * MS);
    await_mask(1);
    atomic_fetch_add(&slot->claim, segment.log_bytes / CPROF_CHUNK_BYTES / 2 - 1);
    work(5);
    run_until(has_ended, &end);

    EXPECT(end.cpu_count == 5 && end.sampled_ns == 5000 * MS && end.parts_comment[0] == '\0');
    EXPECT(atomic_load(&control->epoch) == 2);
    end_test();
}

static void a_window_opens_at_once_beside_a_long_one_whose_log_is_half_full(void)
{
    struct end long_one = {0}, second = {0};
    uint64_t ordered_ns;

    begin_test();
    (void)order_for(&long_one, LONG_NS);
    await_mask(1);
    work(5);
    fill_half_of_the_log();
    ordered_ns = now_ns;
    (void)order_for(&second, 400 * MS);
    await_mask(3);
    EXPECT(now_ns - ordered_ns < 20 * MS);
    meet_next_epoch();
    work(7);
    run_until(has_ended, &second);

    EXPECT(!second.is_lost && second.cpu_count == 7 && !has_ended(&long_one));
    end_test();
}

/* Nothing was sampled for an hour, and a window lasts for nearly another one. */
static void a_window_opens_at_once_beside_another_however_old_the_logs_are(void)
{
    struct end first = {0}, second = {0};
    uint64_t ordered_ns;

    begin_test();
    now_ns += 3600 * S;
    (void)order_for(&first, 3000 * S);
    await_mask(1);
    work(5);
    now_ns += 2000 * S;
    ordered_ns = now_ns;
    (void)order_for(&second, 100 * MS);
    await_mask(3);
    EXPECT(now_ns - ordered_ns < 20 * MS);
    work(7);
    run_until(has_ended, &second);

    EXPECT(!second.is_lost && second.cpu_count == 7 && atomic_load(&control->epoch) == 2);
    end_test();
}

static void what_windows_of_several_parts_cost_is_added_up(void)
{
    struct end end = {0}, costly = {0};

    begin_test();
    (void)order_for(&end, 5000 * MS);
    await_mask(1);
    use_cpu(100 * MS, 0, S, S);
    fill_half_of_the_log();
    meet_next_epoch();
    (void)order_for(&costly, 1000 * MS);
    await_mask(3);
    use_cpu(10 * MS, 5 * MS, S, S);
    run_until(has_ended, &costly);
    run_until(has_ended, &end);

    EXPECT(costly.worst_percent == 1.5 && end.worst_percent == 5.75);
    end_test();
}

static void windows_that_are_open_together_go_on_together(void)
{
    struct end first = {0}, second = {0};
    struct cprof_window_order wanted = an_order(&second, CPROF_SOURCE_CLOUD, 4000 * MS);

    begin_test();
    (void)order_for(&first, 3000 * MS);
    await_mask(1);
    work(1);
    wanted.kinds = CPROF_KINDS_ALL;
    (void)order(&wanted);
    await_mask(3);
    work(2);
    sample(off_cpu_ref, 3, 30 * MS);
    fill_half_of_the_log();
    meet_next_epoch();
    EXPECT(atomic_load(&control->window_mask) == 3);
    EXPECT(control->windows[0].start_ns == control->windows[1].start_ns);
    work(4);
    sample(off_cpu_ref, 5, 50 * MS);
    run_until(has_ended, &first);
    work(8);
    run_until(has_ended, &second);

    EXPECT(first.cpu_count == 7 && second.cpu_count == 14);
    EXPECT(second.wall_count == 22 && second.wall_ns == 220 * MS);
    EXPECT(first.sampled_ns < 3000 * MS && first.sampled_ns > 2970 * MS);
    end_test();
}

static struct cprof_request_entry *begin_request(unsigned index)
{
    struct cprof_request_entry *entry = &cprof_segment_requests(&segment, 0)[index];

    *entry = (struct cprof_request_entry){
        .mark = index + 1, .start_us = 5, .method_bytes = 3, .uri_bytes = 2};
    memcpy(entry->method, "GET", 3);
    memcpy(entry->uri, "/x", 2);
    return entry;
}

static void of_several_parts_the_last_one_says_which_requests_run(void)
{
    struct end end = {0};
    struct cprof_window_order wanted = an_order(&end, CPROF_SOURCE_WATCH, 3000 * MS);
    struct cprof_request_entry *ends;

    begin_test();
    wanted.kinds = CPROF_KIND_WALL;
    wanted.flags = CPROF_WINDOW_REQUESTS;
    (void)order(&wanted);
    await_mask(1);
    join();
    (void)begin_request(0);
    ends = begin_request(1);
    fill_half_of_the_log();
    pass(300 * MS);
    atomic_store(&slot->closed_epoch, 2);
    meet_next_epoch();
    join();
    ends->end_us = 6;
    settle();
    pass(2500 * MS);
    atomic_store(&slot->closed_epoch, 3);
    run_until(has_ended, &end);

    EXPECT(!end.is_lost && end.running_count == 1);
    end_test();
}

/* A process that does not close its log makes a look at the part's end needed. */
static void a_window_that_is_lost_at_the_end_of_a_part_is_not_sampled_any_more(void)
{
    struct end first = {0}, second = {0};
    struct cprof_window open[CPROF_WINDOWS_MAX];

    begin_test();
    (void)order_for(&first, LONG_NS);
    (void)order_for(&second, LONG_NS);
    await_mask(3);
    join();
    settle();
    pass(100 * MS);
    fill_half_of_the_log();
    looks_are_refused = true;
    run_until(has_ended, &first);
    looks_are_refused = false;

    EXPECT(first.is_lost && cprof_windows_read(windows, open) == !has_ended(&second));
    end_test();
}

/* Half a log is as much as a process needs to begin: it would be cut all the time. */
static void a_log_that_is_half_full_again_at_once_is_given_back_after_a_while(void)
{
    struct end end = {0};
    uint64_t cut_ns;

    begin_test();
    (void)order_for(&end, LONG_NS);
    await_mask(1);
    fill_half_of_the_log();
    meet_next_epoch();
    cut_ns = now_ns;
    fill_half_of_the_log();
    meet_next_epoch();

    EXPECT(now_ns - cut_ns > 900 * MS && now_ns - cut_ns < 1500 * MS);
    end_test();
}

static void a_window_whose_end_comes_between_two_parts_is_complete(void)
{
    struct end end = {0};

    begin_test();
    join();
    (void)order_for(&end, 700 * MS);
    await_mask(1);
    work(5);
    fill_half_of_the_log();
    pass(650 * MS);
    EXPECT(!has_ended(&end) && control->windows[0].end_ns < now_ns);
    pass(200 * MS);
    atomic_store(&slot->closed_epoch, 2);
    run_until(has_ended, &end);

    EXPECT(!end.is_lost && end.cpu_count == 5 && end.sampled_ns < 600 * MS);
    end_test();
}

static void a_process_that_did_not_close_its_log_comes_back_to_the_window_when_it_does(void)
{
    struct end end = {0};

    begin_test();
    join();
    (void)order_for(&end, 6000 * MS);
    await_mask(1);
    work(5);
    fill_half_of_the_log();
    await_epoch(3);
    EXPECT(atomic_load(&slot->claim) >> 32 == 2);
    pass(1000 * MS);
    EXPECT(atomic_load(&slot->claim) >> 32 == 2);
    atomic_store(&slot->closed_epoch, 2);
    pass(300 * MS);
    EXPECT(atomic_load(&slot->claim) == UINT64_C(3) << 32);
    start_worker();
    work(7);
    run_until(has_ended, &end);

    EXPECT(end.cpu_count == 12);
    end_test();
}

static void a_window_that_is_cancelled_between_two_parts_holds_up_nobody(void)
{
    struct end first = {0}, second = {0};
    int handle;

    begin_test();
    handle = order_for(&first, LONG_NS);
    (void)order_for(&second, 3000 * MS);
    await_mask(3);
    join();
    work(5);
    fill_half_of_the_log();
    pass(400 * MS); /* its part has ended, and the worker has not closed its log */
    cprof_windows_cancel(windows, handle);
    atomic_store(&slot->closed_epoch, 2);
    meet_next_epoch();
    work(7);
    run_until(has_ended, &second);

    EXPECT(!has_ended(&first) && second.cpu_count == 12);
    end_test();
}

/* What was read of them is gone; what stands in the logs is the next gateway's. */
static void a_killed_gateways_windows_of_several_parts_are_made_of_the_last_one(void)
{
    struct end first = {0}, beside = {0}, late = {0}, ends[3] = {{0}};
    struct cprof_window_order wanted = an_order(&first, CPROF_SOURCE_CLOUD, 5000 * MS);

    begin_test();
    (void)order(&wanted);
    (void)order_for(&beside, 5000 * MS);
    await_mask(3);
    work(5);
    fill_half_of_the_log();
    meet_next_epoch();
    work(7);
    wanted = an_order(&late, CPROF_SOURCE_SCHEDULE, 5000 * MS);
    (void)order(&wanted);
    await_mask(7);
    kill_windows();
    start_windows();
    cprof_windows_adopt(windows, CPROF_SOURCE_CLOUD, note_end, &ends[0]);
    cprof_windows_adopt(windows, CPROF_SOURCE_DEMAND, note_end, &ends[1]);
    cprof_windows_adopt(windows, CPROF_SOURCE_SCHEDULE, note_end, &ends[2]);
    cprof_windows_begin(windows, NULL, 0);
    work(11);
    run_until(has_ended, &ends[0]);
    run_until(has_ended, &ends[1]);

    EXPECT(ends[2].is_lost && !ends[0].is_lost && !ends[1].is_lost);
    EXPECT(ends[0].cpu_count == 18 && ends[1].cpu_count == 18);
    EXPECT(ends[0].window.flags & CPROF_WINDOW_LATER_PART);
    EXPECT(ends[0].sampled_ns == ends[0].window.end_ns - ends[0].window.start_ns);
    end_test();
}

static void a_part_that_a_gateway_was_reading_when_it_was_killed_is_read_by_the_next(void)
{
    struct end first = {0}, adopted = {0};
    struct cprof_window_order wanted = an_order(&first, CPROF_SOURCE_CLOUD, 5000 * MS);

    begin_test();
    (void)order(&wanted);
    await_mask(1);
    join();
    work(5);
    fill_half_of_the_log();
    pass(400 * MS);
    kill_windows();
    atomic_store(&slot->closed_epoch, 2);
    start_windows();
    cprof_windows_adopt(windows, CPROF_SOURCE_CLOUD, note_end, &adopted);
    cprof_windows_begin(windows, NULL, 0);
    run_until(has_ended, &adopted);

    EXPECT(!adopted.is_lost && adopted.cpu_count == 5 && adopted.sampled_ns < 400 * MS);
    end_test();
}

/* Its profiles are made: it waits for an upload. */
static void a_window_that_is_not_delivered_yet_does_not_hold_half_full_logs(void)
{
    struct end first = {0}, second = {0}, third = {0};

    begin_test();
    (void)order_for(&first, 200 * MS);
    await_mask(1);
    run_until(has_ended, &first);
    fill_half_of_the_log();
    (void)order_for(&second, 5000 * MS);
    await_epoch(3);
    EXPECT(atomic_load(&control->window_mask) == 2);
    EXPECT(!(control->windows[1].flags & CPROF_WINDOW_HAS_BASE));
    start_worker();
    work(5);
    (void)order_for(&third, 100 * MS);
    run_until(has_ended, &third);
    fill_half_of_the_log();
    meet_next_epoch();
    work(7);
    run_until(has_ended, &second);

    EXPECT(!first.is_lost && !third.is_lost && second.cpu_count == 12);
    end_test();
}

static void an_order_that_has_to_wait_for_too_long_is_lost(void)
{
    struct end first = {0}, second = {0};
    struct cprof_window_order wanted = an_order(&second, CPROF_SOURCE_DEMAND, S);

    begin_test();
    join();
    (void)order_for(&first, 100 * MS);
    await_mask(1);
    pass(120 * MS);
    wanted.latest_start_ns = cprof_now_ns() + 20 * MS;
    (void)order(&wanted); /* while the worker does not close its log */
    run_until(has_ended, &second);

    EXPECT(second.is_lost && !has_ended(&first) && atomic_load(&control->profiles_failed) == 1);
    EXPECT(slots_looked_at == 0);
    end_test();
}

static void a_cancelled_window_calls_nobody_and_leaves_nothing(void)
{
    struct end first = {0}, second = {0};
    int handle;

    begin_test();
    (void)order_for(&first, LONG_NS);
    await_mask(1);
    handle = order_for(&second, LONG_NS);
    await_mask(3);
    cprof_windows_cancel(windows, handle);
    EXPECT(atomic_load(&control->window_mask) == 1);
    EXPECT(cprof_windows_count(windows, CPROF_SOURCE_DEMAND) == 1);
    cprof_windows_cancel(windows, 0);
    await_epoch(3);

    EXPECT(!has_ended(&first) && !has_ended(&second) && control->window_mask == 0);
    end_test();
}

/* In the turn behind the one in which a window ended, its profiles are not made yet. */
static bool is_read_now(const void *window_end_ns)
{
    return now_ns > *(const uint64_t *)window_end_ns;
}

static void what_is_sampled_while_a_window_is_read_is_not_in_it(void)
{
    struct end first = {0}, second = {0};
    uint64_t first_end_ns;

    begin_test();
    (void)order_for(&first, 300 * MS);
    await_mask(1);
    first_end_ns = control->windows[0].end_ns;
    work(5);
    (void)order_for(&second, 600 * MS);
    await_mask(3);
    work(7);
    run_until(is_read_now, &first_end_ns);
    EXPECT(!has_ended(&first));
    work(11);
    run_until(has_ended, &first);
    work(13);
    run_until(has_ended, &second);

    EXPECT(first.cpu_count == 12 && second.cpu_count == 31);
    end_test();
}

static void a_window_that_is_cancelled_while_it_is_read_calls_nobody(void)
{
    struct end end = {0};
    uint64_t end_ns;
    int handle;

    begin_test();
    handle = order_for(&end, 300 * MS);
    await_mask(1);
    end_ns = control->windows[handle].end_ns;
    work(5);
    run_until(is_read_now, &end_ns);
    EXPECT(!has_ended(&end));
    cprof_windows_cancel(windows, handle);
    await_epoch(3);

    EXPECT(!has_ended(&end) && control->window_mask == 0);
    end_test();
}

static void a_window_that_a_gateway_was_reading_when_it_was_killed_is_read_by_the_next(void)
{
    struct end end = {0}, again = {0};
    uint64_t end_ns;

    begin_test();
    (void)order_for(&end, 300 * MS);
    await_mask(1);
    end_ns = control->windows[0].end_ns;
    work(5);
    run_until(is_read_now, &end_ns);
    kill_windows();
    start_windows();
    cprof_windows_adopt(windows, CPROF_SOURCE_DEMAND, note_end, &again);
    cprof_windows_begin(windows, NULL, 0);
    run_until(has_ended, &again);

    EXPECT(!has_ended(&end) && again.calls == 1 && again.cpu_count == 5);
    end_test();
}

static void orders_out_of_bounds_and_one_too_many_are_refused(void)
{
    struct end end = {0};
    struct cprof_window_order good = an_order(&end, CPROF_SOURCE_DEMAND, LONG_NS), bad[10];
    struct cprof_error error;

    begin_test();
    for (unsigned i = 0; i < 10; i++) {
        bad[i] = good;
    }
    bad[0].kinds = 0;
    bad[1].kinds = 4;
    bad[2].source = 0;
    bad[3].source = CPROF_SOURCE_WATCH + 1;
    bad[4].period_ns = CPROF_PERIOD_NS_MAX + 1;
    bad[5].duration_ns = CPROF_WINDOW_NS_MAX + 1;
    bad[6].end_ns = 1;
    bad[7].ticket = "a\0b";
    bad[7].ticket_bytes = 3;
    bad[8].ticket = "a";
    bad[8].ticket_bytes = CPROF_TICKET_BYTES_MAX + 1;
    bad[9].flags = CPROF_WINDOW_HAS_BASE;
    for (unsigned i = 0; i < 10; i++) {
        EXPECT(cprof_windows_order(windows, &bad[i], &error) == -1);
    }
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX - 1; i++) {
        EXPECT(order(&good) == (int)i);
    }
    EXPECT(cprof_windows_order(windows, &good, &error) == -1);
    EXPECT(cprof_windows_count(windows, CPROF_SOURCE_DEMAND) == CPROF_WINDOWS_MAX - 1);
    end_test();
}

static void a_look_has_a_place_beside_as_many_profiles_as_there_may_be(void)
{
    struct end end = {0}, seen = {.released_at_once = true};
    struct cprof_window_order profile = an_order(&end, CPROF_SOURCE_DEMAND, LONG_NS);
    struct cprof_window_order look = an_order(&seen, CPROF_SOURCE_WATCH, 200 * MS);
    struct cprof_error error;

    begin_test();
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX - 1; i++) {
        (void)order(&profile);
    }
    (void)order(&look);
    EXPECT(cprof_windows_order(windows, &look, &error) == -1);
    run_until(has_ended, &seen);
    EXPECT(!seen.is_lost && cprof_windows_order(windows, &profile, &error) == -1);
    (void)order(&look);
    end_test();
}

static void a_killed_gateways_window_goes_to_the_adopter_with_its_ticket(void)
{
    struct end first = {0}, adopted = {.released_at_once = true};
    struct cprof_window_order wanted = an_order(&first, CPROF_SOURCE_CLOUD, 300 * MS);

    begin_test();
    wanted.ticket = "the profile's name";
    wanted.ticket_bytes = strlen(wanted.ticket);
    (void)order(&wanted);
    await_mask(1);
    work(5);
    kill_windows();
    work(7);
    start_windows();
    cprof_windows_adopt(windows, CPROF_SOURCE_CLOUD, note_end, &adopted);
    cprof_windows_begin(windows, NULL, 0);
    EXPECT(cprof_windows_count(windows, CPROF_SOURCE_CLOUD) == 1);
    run_until(has_ended, &adopted);

    EXPECT(!has_ended(&first) && adopted.adopted && adopted.cpu_count == 12);
    EXPECT(strcmp(adopted.ticket, "the profile's name") == 0);
    EXPECT(adopted.window.end_ns - adopted.window.start_ns == 300 * MS);
    await_epoch(3);
    end_test();
}

static void a_window_that_was_handed_over_and_not_released_is_made_again(void)
{
    struct end first = {0}, adopted = {0};
    struct cprof_window_order wanted = an_order(&first, CPROF_SOURCE_CLOUD, 100 * MS);

    begin_test();
    (void)order(&wanted);
    await_mask(1);
    work(5);
    run_until(has_ended, &first);
    kill_windows();
    start_windows();
    cprof_windows_adopt(windows, CPROF_SOURCE_CLOUD, note_end, &adopted);
    cprof_windows_begin(windows, NULL, 0);
    run_until(has_ended, &adopted);

    EXPECT(first.cpu_count == 5 && adopted.cpu_count == 5 && adopted.adopted);
    EXPECT(adopted.window.end_ns == first.window.end_ns);
    end_test();
}

static void a_window_whose_first_look_died_with_a_gateway_is_lost_and_counted(void)
{
    struct end first = {0}, second = {0}, adopted = {.released_at_once = true}, lost = {0};
    struct cprof_window_order wanted = an_order(&first, CPROF_SOURCE_SCHEDULE, 300 * MS);

    begin_test();
    (void)order(&wanted);
    await_mask(1);
    work(5);
    wanted = an_order(&second, CPROF_SOURCE_CLOUD, LONG_NS);
    wanted.kinds = CPROF_KINDS_ALL;
    wanted.ticket = "name";
    wanted.ticket_bytes = 4;
    (void)order(&wanted);
    await_mask(3);
    kill_windows();
    start_windows();
    cprof_windows_adopt(windows, CPROF_SOURCE_SCHEDULE, note_end, &adopted);
    cprof_windows_adopt(windows, CPROF_SOURCE_CLOUD, note_end, &lost);
    cprof_windows_begin(windows, NULL, 0);

    EXPECT(has_ended(&lost) && lost.is_lost && lost.adopted && strcmp(lost.ticket, "name") == 0);
    EXPECT(atomic_load(&control->profiles_failed) == 2 && control->window_mask == 1);
    cprof_windows_release(windows, lost.handle);
    run_until(has_ended, &adopted);
    EXPECT(adopted.cpu_count == 5);
    await_epoch(3);
    end_test();
}

static void a_window_that_others_outlasted_is_as_long_as_its_samples(void)
{
    struct end first = {0}, second = {0}, adopted = {0};
    struct cprof_window_order wanted = an_order(&first, CPROF_SOURCE_SCHEDULE, 100 * MS);

    begin_test();
    (void)order(&wanted);
    await_mask(1);
    work(5);
    (void)order_for(&second, 300 * MS);
    run_until(has_ended, &first); /* and is not released */
    work(7);
    run_until(has_ended, &second);
    cprof_windows_release(windows, second.handle);
    kill_windows();
    start_windows();
    cprof_windows_adopt(windows, CPROF_SOURCE_SCHEDULE, note_end, &adopted);
    cprof_windows_begin(windows, NULL, 0);
    run_until(has_ended, &adopted);

    EXPECT(adopted.cpu_count == 12 && adopted.window.end_ns == second.window.end_ns);
    end_test();
}

static void a_ticket_that_is_none_is_not_handed_on(void)
{
    struct end first = {0}, adopted = {0};
    struct cprof_window_order wanted = an_order(&first, CPROF_SOURCE_CLOUD, 100 * MS);
    static const uint32_t lengths[] = {3, CPROF_TICKET_BYTES_MAX + 1, UINT32_MAX};

    begin_test();
    wanted.ticket = "a";
    wanted.ticket_bytes = 1;
    (void)order(&wanted);
    await_mask(1);
    for (unsigned i = 0; i < 3; i++) {
        memcpy(cprof_segment_tickets(&segment)->text[0], "a\0b", 3);
        control->windows[0].ticket_bytes = lengths[i];
        kill_windows();
        start_windows();
        adopted = (struct end){0};
        cprof_windows_adopt(windows, CPROF_SOURCE_CLOUD, note_end, &adopted);
        cprof_windows_begin(windows, NULL, 0);
        run_until(has_ended, &adopted);
        EXPECT(adopted.ticket[0] == '\0' && !adopted.is_lost);
    }
    end_test();
}

static void a_ticket_without_memory_costs_its_window_nothing(void)
{
    struct end first = {0}, adopted = {0};
    struct cprof_window_order wanted = an_order(&first, CPROF_SOURCE_CLOUD, 100 * MS);

    begin_test();
    wanted.ticket = "name";
    wanted.ticket_bytes = 4;
    memory_is_refused = true;
    (void)order(&wanted);
    await_mask(1);
    memory_is_refused = false;
    EXPECT(control->windows[0].ticket_bytes == 0);
    work(5);
    run_until(has_ended, &first);
    EXPECT(first.cpu_count == 5 && strcmp(first.ticket, "name") == 0);

    kill_windows();
    start_windows();
    cprof_windows_adopt(windows, CPROF_SOURCE_CLOUD, note_end, &adopted);
    cprof_windows_begin(windows, NULL, 0);
    run_until(has_ended, &adopted);
    EXPECT(adopted.cpu_count == 5 && adopted.ticket[0] == '\0');
    end_test();
}

static void windows_of_before_a_reload_go_to_their_adopters(void)
{
    struct end first = {0}, second = {0}, of_schedule = {.released_at_once = true}, of_cloud = {0};
    struct cprof_window_order wanted = an_order(&first, CPROF_SOURCE_CLOUD, LONG_NS);
    struct cprof_segment previous;
    int previous_fd;

    begin_test();
    wanted.ticket = "name";
    wanted.ticket_bytes = 4;
    (void)order(&wanted);
    await_mask(1);
    work(5);
    wanted = an_order(&second, CPROF_SOURCE_SCHEDULE, LONG_NS);
    (void)order(&wanted);
    await_mask(3);
    atomic_store(&control->closed_ns, cprof_now_ns());
    kill_windows();

    previous = segment;
    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    start_windows();
    cprof_windows_adopt(windows, CPROF_SOURCE_CLOUD, note_end, &of_cloud);
    cprof_windows_adopt(windows, CPROF_SOURCE_SCHEDULE, note_end, &of_schedule);
    previous_fd = dup(previous.fd);
    EXPECT(previous_fd >= 0);
    cprof_windows_begin(windows, &previous_fd, 1);
    EXPECT(of_cloud.calls == 0 && of_schedule.calls == 0); /* the loop is not held up */
    run_until(has_ended, &of_schedule);
    run_until(has_ended, &of_cloud);

    EXPECT(of_cloud.calls == 1 && of_cloud.cpu_count == 5 && strcmp(of_cloud.ticket, "name") == 0);
    EXPECT(of_cloud.window.end_ns == atomic_load(&cprof_segment_control(&previous)->closed_ns));
    EXPECT(of_schedule.calls == 1 && of_schedule.is_lost);
    EXPECT(cprof_windows_count(windows, CPROF_SOURCE_CLOUD) == 1);
    EXPECT(cprof_windows_count(windows, CPROF_SOURCE_SCHEDULE) == 0);
    EXPECT(atomic_load(&cprof_segment_control(&previous)->harvested) == 0);
    cprof_windows_release(windows, of_cloud.handle);
    EXPECT(atomic_load(&cprof_segment_control(&previous)->harvested) == 1);
    EXPECT(cprof_windows_count(windows, CPROF_SOURCE_CLOUD) == 0);
    fake_segment_close(&previous);
    end_test();
}

static void a_scribbled_mask_is_put_right_when_the_next_window_opens(void)
{
    struct end first = {0}, second = {0};

    begin_test();
    (void)order_for(&first, LONG_NS);
    await_mask(1);
    atomic_store(&control->window_mask, 0xfffffffe);
    (void)order_for(&second, LONG_NS);
    await_mask(3);
    end_test();
}

int main(void)
{
    RUN(a_window_alone_gets_all_samples_and_the_logs_are_given_back);
    RUN(each_of_two_that_overlap_gets_what_was_sampled_while_it_was_open);
    RUN(two_that_end_together_are_read_without_a_look_at_their_end);
    RUN(only_a_window_that_no_shorter_period_changed_is_steady);
    RUN(a_window_says_what_it_cost_alone);
    RUN(a_window_counts_its_own_samples_of_all_slots);
    RUN(a_profile_says_why_its_period_is_longer_than_the_one_that_is_set);
    RUN(a_window_without_a_busy_worker_does_not_say_what_it_cost);
    RUN(a_stack_that_is_new_in_the_second_window_is_in_it_whole);
    RUN(a_wall_window_beside_a_cpu_window_takes_its_own_sleep_alone);
    RUN(a_weight_that_is_corrected_below_the_first_look_counts_as_nothing);
    RUN(both_looks_wait_until_slots_have_settled);
    RUN(a_stopped_process_holds_the_looks_up_for_a_moment_only);
    RUN(a_window_behind_one_that_is_not_delivered_yet_loses_nothing);
    RUN(a_window_that_outlasts_its_logs_has_the_samples_of_all_its_parts);
    RUN(a_window_whose_log_is_never_half_full_is_of_one_part);
    RUN(a_window_opens_at_once_beside_a_long_one_whose_log_is_half_full);
    RUN(a_window_opens_at_once_beside_another_however_old_the_logs_are);
    RUN(what_windows_of_several_parts_cost_is_added_up);
    RUN(windows_that_are_open_together_go_on_together);
    RUN(of_several_parts_the_last_one_says_which_requests_run);
    RUN(a_window_that_is_lost_at_the_end_of_a_part_is_not_sampled_any_more);
    RUN(a_log_that_is_half_full_again_at_once_is_given_back_after_a_while);
    RUN(a_window_whose_end_comes_between_two_parts_is_complete);
    RUN(a_process_that_did_not_close_its_log_comes_back_to_the_window_when_it_does);
    RUN(a_window_that_is_cancelled_between_two_parts_holds_up_nobody);
    RUN(a_killed_gateways_windows_of_several_parts_are_made_of_the_last_one);
    RUN(a_part_that_a_gateway_was_reading_when_it_was_killed_is_read_by_the_next);
    RUN(a_window_that_is_not_delivered_yet_does_not_hold_half_full_logs);
    RUN(an_order_that_has_to_wait_for_too_long_is_lost);
    RUN(a_cancelled_window_calls_nobody_and_leaves_nothing);
    RUN(what_is_sampled_while_a_window_is_read_is_not_in_it);
    RUN(a_window_that_is_cancelled_while_it_is_read_calls_nobody);
    RUN(a_window_that_a_gateway_was_reading_when_it_was_killed_is_read_by_the_next);
    RUN(orders_out_of_bounds_and_one_too_many_are_refused);
    RUN(a_look_has_a_place_beside_as_many_profiles_as_there_may_be);
    RUN(a_killed_gateways_window_goes_to_the_adopter_with_its_ticket);
    RUN(a_window_that_was_handed_over_and_not_released_is_made_again);
    RUN(a_window_whose_first_look_died_with_a_gateway_is_lost_and_counted);
    RUN(a_window_that_others_outlasted_is_as_long_as_its_samples);
    RUN(a_ticket_that_is_none_is_not_handed_on);
    RUN(a_ticket_without_memory_costs_its_window_nothing);
    RUN(windows_of_before_a_reload_go_to_their_adopters);
    RUN(a_scribbled_mask_is_put_right_when_the_next_window_opens);
    return 0;
}
