/* test_merge_wall.c - wall profiles; see gateway/profile/merge.h.
 *
 * sources: tests/unit/fake_log.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <string.h>

#include "../../gateway/profile/merge.h"
#include "expect.h"
#include "fake_log.h"

#define EPOCH 1
#define MS    UINT64_C(1000000)

/* The longest that all threads of a process can wait in the window of 10 s (gateway/profile). */
#define WAITING_NS_MAX (11000 * MS * 4096)

static struct cprof_segment segment;
static struct cprof_log_writer writer;
static struct cprof_table table;
static struct cprof_config config;
static uint32_t thread; /* the tag of the thread that stacks are added for */

static void begin_test(void)
{
    config = (struct cprof_config){.tags = CPROF_TAG_WORKER | CPROF_TAG_THREAD | CPROF_TAG_STATE};
    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    thread = fake_tag(&writer, CPROF_NO_REF, "thread", "core0");
    cprof_table_init(&table);
}

/* May be called again for the other kind: the logs stay as they are. */
static void merge(enum cprof_kind kind)
{
    struct cprof_window window = {
        .epoch = EPOCH,
        .kinds = CPROF_KINDS_ALL,
        .period_ns = 10 * MS,
        .start_ns = 1,
        .end_ns = 10000 * MS + 1,
    };
    struct cprof_log_view view;
    struct cprof_merge merging;
    struct cprof_error error;

    cprof_table_reset(&table);
    cprof_table_init(&table);
    cprof_merge_begin(&merging, &table, &config, &window, kind);
    EXPECT(cprof_log_read(&view, &segment, 0, EPOCH, &error));
    EXPECT(cprof_merge_slot(&merging, &view, &error));
    cprof_log_view_reset(&view);
    EXPECT(cprof_merge_end(&merging, &error));
    EXPECT(table.kind == kind);
}

static void end_test(void)
{
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

/* A stack of one function of its own; without a name, one of no frame. */
static void add(enum cprof_stack_kind kind, const char *function, uint32_t state, uint8_t flags,
                uint64_t weight_ns)
{
    struct cprof_frame frame = {0};
    struct fake_stack stack = {.frames = &frame,
                               .kind = kind,
                               .state = state,
                               .flags = flags,
                               .tag_ref = thread,
                               .count = weight_ns / (10 * MS),
                               .weight_ns = weight_ns};

    if (function) {
        frame.code_ref = fake_code(&writer, &(struct fake_code){.name = function, .file = "a.py"});
        stack.depth = 1;
    }
    EXPECT(fake_stack(&writer, &stack));
}

static void run(const char *function, uint64_t weight_ns)
{
    add(CPROF_STACK_ON_CPU, function, CPROF_STATE_NONE, 0, weight_ns);
}

static void sleep_in(const char *function, uint32_t state, uint64_t weight_ns)
{
    add(CPROF_STACK_OFF_CPU, function, state, 0, weight_ns);
}

static void queue(uint64_t weight_ns)
{
    add(CPROF_STACK_RUNNABLE, NULL, CPROF_STATE_NONE, 0, weight_ns);
}

static const char *leaf_of(const struct cprof_sample *sample)
{
    uint32_t location = table.location_pool[sample->first_location];

    return cprof_table_text_at(&table, table.functions[table.locations[location].function].name);
}

/* The label's value, or "". */
static const char *label_of(const struct cprof_sample *sample, const char *key)
{
    for (uint32_t i = 0; i < sample->label_count; i++) {
        const struct cprof_label *label = &table.label_pool[sample->first_label + i];

        if (strcmp(cprof_table_text_at(&table, label->key), key) == 0) {
            return cprof_table_text_at(&table, label->value);
        }
    }
    return "";
}

/* The one sample of this leaf and state; without one, an empty sample. */
static struct cprof_sample sample_of(const char *leaf, const char *state)
{
    struct cprof_sample found = {0};

    for (size_t i = 0; i < table.sample_count; i++) {
        const struct cprof_sample *sample = &table.samples[i];

        if (strcmp(leaf_of(sample), leaf) == 0 && strcmp(label_of(sample, "state"), state) == 0) {
            EXPECT(found.depth == 0);
            found = *sample;
        }
    }
    return found;
}

static uint64_t ns_of(const char *leaf, const char *state)
{
    return sample_of(leaf, state).value_ns;
}

static bool has_comment(const char *text)
{
    for (size_t i = 0; i < table.comment_count; i++) {
        if (strcmp(cprof_table_text_at(&table, table.comments[i]), text) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_function(const char *name)
{
    for (size_t i = 0; i < table.function_count; i++) {
        if (strcmp(cprof_table_text_at(&table, table.functions[i].name), name) == 0) {
            return true;
        }
    }
    return false;
}

static void wall_time_is_running_and_sleeping_and_cpu_time_stays_what_it_is(void)
{
    begin_test();
    run("f", 30 * MS);
    sleep_in("g", CPROF_STATE_RECV, 500 * MS);
    run("h", 40 * MS + 1);
    sleep_in("f", CPROF_STATE_GIL, 70 * MS);
    fake_close(&segment, 0, EPOCH, 77 * MS);

    merge(CPROF_KIND_CPU);
    EXPECT(cprof_table_total_ns(&table) == 77 * MS && table.sample_count == 2);
    EXPECT(ns_of("f", "") == 33 * MS - 1 && sample_of("f", "").count == 3);
    EXPECT(!has_function("g") && has_comment("rejected records: 0"));

    merge(CPROF_KIND_WALL);
    EXPECT(ns_of("f", "running") == 33 * MS - 1 && sample_of("f", "running").count == 3);
    EXPECT(ns_of("h", "running") == 44 * MS + 1);
    EXPECT(ns_of("g", "recv") == 500 * MS && sample_of("g", "recv").count == 50);
    EXPECT(ns_of("f", "gil") == 70 * MS);
    EXPECT(cprof_table_total_ns(&table) == 647 * MS && table.sample_count == 4);
    EXPECT(has_comment("rejected records: 0"));
    end_test();
}

static void any_state_has_a_name(void)
{
    begin_test();
    sleep_in("f", CPROF_STATE_SLEEP, 10 * MS);
    sleep_in("g", CPROF_STATE_SYSTEM_CALL + 4000, 10 * MS);
    sleep_in("h", CPROF_STATE_NONE, 10 * MS);
    sleep_in("i", CPROF_STATE_COUNT, 10 * MS);
    sleep_in("j", UINT32_MAX, 10 * MS);
    merge(CPROF_KIND_WALL);
    EXPECT(ns_of("f", "sleep") && ns_of("g", "system call 4000"));
    EXPECT(ns_of("h", "asleep") && ns_of("i", "asleep") && ns_of("j", "asleep"));
    end_test();
}

static void the_state_is_a_label_only_where_it_is_asked_for(void)
{
    begin_test();
    config.tags = CPROF_TAG_THREAD;
    thread = fake_tag(&writer, thread, "state", "of the app's own");
    run("f", 10 * MS);
    sleep_in("f", CPROF_STATE_RECV, 20 * MS);
    queue(5 * MS);
    merge(CPROF_KIND_WALL);
    EXPECT(table.sample_count == 1 && ns_of("f", "") == 35 * MS);
    EXPECT(strcmp(label_of(&table.samples[0], "thread"), "core0") == 0);
    EXPECT(table.samples[0].label_count == 1);
    end_test();
}

static void idle_threads_are_left_out_unless_asked_for(void)
{
    begin_test();
    add(CPROF_STACK_OFF_CPU, NULL, CPROF_STATE_ACCEPT, CPROF_STACK_IDLE, 9000 * MS);
    sleep_in(NULL, CPROF_STATE_SEND, 10 * MS);
    merge(CPROF_KIND_WALL);
    EXPECT(table.sample_count == 1 && ns_of("[uWSGI]", "send") == 10 * MS);

    config.wall_idle = 1;
    merge(CPROF_KIND_WALL);
    EXPECT(table.sample_count == 2 && ns_of("[idle]", "accept") == 9000 * MS);

    merge(CPROF_KIND_CPU);
    EXPECT(table.sample_count == 0);
    end_test();
}

/* 10 ms asleep in a function of `inner` that one of `outer` has called. */
static void sleep_in_files(const char *function, enum cprof_state state, const char *inner,
                           const char *outer)
{
    struct cprof_frame frames[] = {
        {.code_ref = fake_code(&writer, &(struct fake_code){.name = function, .file = inner})},
        {.code_ref = fake_code(&writer, &(struct fake_code){.name = "outer", .file = outer})},
    };
    struct fake_stack stack = {.frames = frames,
                               .depth = 2,
                               .kind = CPROF_STACK_OFF_CPU,
                               .state = state,
                               .tag_ref = thread,
                               .count = 1,
                               .weight_ns = 10 * MS};

    EXPECT(fake_stack(&writer, &stack));
}

static void only_what_is_all_of_gevent_is_idle(void)
{
    begin_test();
    config.wall_idle = 1;
    sleep_in_files("idle", CPROF_STATE_POLL, "/lib/gevent/_ffi/loop.py", "/lib/gevent/hub.py");
    sleep_in_files("idle", CPROF_STATE_GREENLET, "/srv/gevent/lib/gevent/hub.py",
                   "/srv/gevent/lib/gevent/greenlet.py");
    sleep_in_files("busy", CPROF_STATE_RECV, "/lib/gevent/hub.py", "/lib/gevent/hub.py");
    sleep_in_files("a", CPROF_STATE_GREENLET, "/lib/gevent/hub.py", "/srv/app.py");
    sleep_in_files("b", CPROF_STATE_GREENLET, "/lib/gevent/hub.py", "/srv/gevent/app.py");
    sleep_in_files("c", CPROF_STATE_GREENLET, "/srv/gevent/lib/gevent/hub.py",
                   "/srv/gevent/app.py");
    merge(CPROF_KIND_WALL);
    EXPECT(ns_of("[idle]", "poll") == 10 * MS && ns_of("[idle]", "greenlet") == 10 * MS);
    EXPECT(ns_of("busy", "recv") == 10 * MS && table.sample_count == 6);
    EXPECT(ns_of("a", "greenlet") && ns_of("b", "greenlet") && ns_of("c", "greenlet"));
    end_test();
}

static void run_queue_time_goes_to_what_its_thread_ran(void)
{
    begin_test();
    queue(80 * MS);
    run("f", 30 * MS);
    sleep_in("g", CPROF_STATE_RECV, 500 * MS);
    /* Tags of a request stand behind the thread's own. */
    thread = fake_tag(&writer, thread, "path", "/pay");
    run("h", 10 * MS);
    thread = fake_tag(&writer, CPROF_NO_REF, "thread", "core1");
    run("f", 1000 * MS);
    merge(CPROF_KIND_WALL);
    EXPECT(ns_of("f", "runnable") == 60 * MS && sample_of("f", "runnable").count == 0);
    EXPECT(ns_of("h", "runnable") == 20 * MS && ns_of("g", "runnable") == 0);
    EXPECT(cprof_table_total_ns(&table) == 1620 * MS);

    merge(CPROF_KIND_CPU);
    EXPECT(cprof_table_total_ns(&table) == 1040 * MS);
    end_test();
}

/* The waits are in `function`, which has `weight_ns` of sleep. */
static void wait_in(const char *function, uint8_t flags, uint64_t weight_ns, uint64_t wait_ns)
{
    struct cprof_frame frame = {0};
    struct fake_stack stack = {.frames = &frame,
                               .kind = CPROF_STACK_OFF_CPU,
                               .state = weight_ns ? CPROF_STATE_RECV : CPROF_STATE_NONE,
                               .flags = flags,
                               .tag_ref = thread,
                               .weight_ns = weight_ns,
                               .timer_weight_ns = wait_ns};

    if (function) {
        frame.code_ref = fake_code(&writer, &(struct fake_code){.name = function, .file = "a.py"});
        stack.depth = 1;
    }
    EXPECT(fake_stack(&writer, &stack));
}

static void run_queue_time_goes_to_where_looks_found_its_thread_waiting(void)
{
    begin_test();
    queue(80 * MS);
    run("f", 30 * MS);
    wait_in("slept", 0, 500 * MS, 50 * MS);
    wait_in("pushed aside", 0, 0, 20 * MS);
    wait_in(NULL, CPROF_STACK_IDLE, 9000 * MS, 10 * MS);
    merge(CPROF_KIND_WALL);
    EXPECT(ns_of("slept", "runnable") == 50 * MS && ns_of("slept", "recv") == 500 * MS);
    EXPECT(ns_of("pushed aside", "runnable") == 20 * MS && ns_of("f", "runnable") == 0);
    EXPECT(sample_of("pushed aside", "runnable").count == 0);
    /* Work has come: the thread was idle, and is not any more. */
    EXPECT(ns_of("[uWSGI]", "runnable") == 10 * MS && table.sample_count == 5);
    EXPECT(cprof_table_total_ns(&table) == 610 * MS);

    merge(CPROF_KIND_CPU);
    EXPECT(cprof_table_total_ns(&table) == 30 * MS);
    end_test();
}

static void run_queue_time_of_a_thread_that_never_ran_goes_to_where_it_slept(void)
{
    begin_test();
    config.wall_idle = 1;
    queue(6 * MS);
    sleep_in("g", CPROF_STATE_RECV, 100 * MS);
    sleep_in("h", CPROF_STATE_RECV, 200 * MS);
    add(CPROF_STACK_OFF_CPU, NULL, CPROF_STATE_ACCEPT, CPROF_STACK_IDLE, 9000 * MS);
    thread = fake_tag(&writer, CPROF_NO_REF, "thread", "core1");
    queue(7 * MS);
    merge(CPROF_KIND_WALL);
    EXPECT(ns_of("g", "runnable") == 2 * MS && ns_of("h", "runnable") == 4 * MS);
    EXPECT(ns_of("[idle]", "runnable") == 0 && ns_of("[runnable]", "runnable") == 7 * MS);
    EXPECT(cprof_table_total_ns(&table) == 9313 * MS);
    end_test();
}

static void cpu_time_without_a_stack_is_running(void)
{
    begin_test();
    run("f", 10 * MS);
    atomic_store(&writer.slot->counters[CPROF_COUNTER_LOG_FULL], 2);
    atomic_store(&writer.slot->counters[CPROF_COUNTER_LOG_FULL_NS], 20 * MS);
    fake_close(&segment, 0, EPOCH, 90 * MS);
    merge(CPROF_KIND_WALL);
    EXPECT(ns_of("f", "running") == 20 * MS && ns_of("[log full]", "running") == 40 * MS);
    EXPECT(ns_of("[unsampled]", "running") == 30 * MS);
    end_test();
}

static void impossible_numbers_are_left_out(void)
{
    begin_test();
    sleep_in("most", CPROF_STATE_RECV, WAITING_NS_MAX);
    sleep_in("more", CPROF_STATE_RECV, WAITING_NS_MAX + 1);
    sleep_in("far more", CPROF_STATE_RECV, UINT64_MAX);
    queue(WAITING_NS_MAX);
    queue(WAITING_NS_MAX + 1);
    queue(UINT64_MAX);
    merge(CPROF_KIND_WALL);
    EXPECT(ns_of("most", "recv") == WAITING_NS_MAX);
    EXPECT(ns_of("most", "runnable") == WAITING_NS_MAX);
    EXPECT(cprof_table_total_ns(&table) == 2 * WAITING_NS_MAX);
    EXPECT(has_comment("rejected records: 4"));

    merge(CPROF_KIND_CPU);
    EXPECT(table.sample_count == 0 && has_comment("rejected records: 0"));
    end_test();
}

/* If each record looked for its thread's stacks, this would take minutes. */
static void many_records_of_one_thread_take_no_more_than_their_share_of_time(void)
{
    size_t records = 0;
    struct fake_stack stack = {.count = 1, .weight_ns = MS};

    begin_test();
    fake_segment_close(&segment);
    fake_segment_open(&segment, 1, UINT64_C(16) << 20);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    for (;; records++) {
        stack.kind = records % 2 ? CPROF_STACK_RUNNABLE : CPROF_STACK_ON_CPU;
        if (fake_stack(&writer, &stack) == CPROF_NO_REF) {
            break;
        }
    }
    EXPECT(records > 290000);
    merge(CPROF_KIND_WALL);
    EXPECT(ns_of("[uWSGI]", "running") == (records + 1) / 2 * MS);
    EXPECT(ns_of("[uWSGI]", "runnable") == records / 2 * MS);
    end_test();
}

static void comments_tell_how_wall_time_was_found(void)
{
    _Atomic uint64_t *counters;

    begin_test();
    counters = writer.slot->counters;
    sleep_in("f", CPROF_STATE_RECV, 20 * MS);
    queue(3 * MS);
    atomic_store(&counters[CPROF_COUNTER_WALL_CLOCK_NS], 30 * MS);
    atomic_store(&counters[CPROF_COUNTER_RUNNABLE_LOOKS], 6);
    atomic_store(&counters[CPROF_COUNTER_OFF_CPU_MOVED], 4);
    atomic_store(&counters[CPROF_COUNTER_OFF_CPU_WALKS], 5);
    merge(CPROF_KIND_WALL);
    EXPECT(has_comment(
        "worker 1: samples=0 timer_ticks=0 expected_timer_ticks=0 timer_raw_ns=0 "
        "cpu_clock_ns=0 ticker_cpu_ns=0 handler_cpu_ns=0 sampling_ns=0 wall_clock_ns=30000000 "
        "off_cpu_looks=2 off_cpu_weight_ns=20000000 runnable_ns=3000000 runnable_looks=6 "
        "off_cpu_moved=4 off_cpu_walks=5 delivery_cpu_ns=0 (ended early)"));
    EXPECT(has_comment("wall clock nanoseconds: 30000000") && has_comment("off-cpu looks: 2"));
    EXPECT(has_comment("off-cpu weight nanoseconds: 20000000"));
    EXPECT(has_comment("runnable nanoseconds: 3000000") && has_comment("runnable looks: 6"));
    EXPECT(has_comment("off-cpu moved: 4"));
    EXPECT(has_comment("off-cpu walks: 5") && has_comment("cpu clock nanoseconds: 0"));
    EXPECT(has_comment("window: 10.000 s, one sample each 10.000 ms of CPU time, "
                       "looks at sleeping threads 10.000 ms to a second apart on average"));

    merge(CPROF_KIND_CPU);
    EXPECT(!has_comment("off-cpu walks: 5"));
    EXPECT(has_comment("window: 10.000 s, one sample each 10.000 ms of CPU time"));
    end_test();
}

int main(void)
{
    RUN(wall_time_is_running_and_sleeping_and_cpu_time_stays_what_it_is);
    RUN(any_state_has_a_name);
    RUN(the_state_is_a_label_only_where_it_is_asked_for);
    RUN(idle_threads_are_left_out_unless_asked_for);
    RUN(only_what_is_all_of_gevent_is_idle);
    RUN(run_queue_time_goes_to_what_its_thread_ran);
    RUN(run_queue_time_goes_to_where_looks_found_its_thread_waiting);
    RUN(run_queue_time_of_a_thread_that_never_ran_goes_to_where_it_slept);
    RUN(cpu_time_without_a_stack_is_running);
    RUN(impossible_numbers_are_left_out);
    RUN(many_records_of_one_thread_take_no_more_than_their_share_of_time);
    RUN(comments_tell_how_wall_time_was_found);
    return 0;
}
