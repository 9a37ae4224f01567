/* test_watch.c - see gateway/askers/watch.h: which of uWSGI's strikes at workers are reported. What
 * a worker did is seen in servers (tests/e2e/test_harakiri.py).
 *
 * sources: tests/unit/fake_log.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/askers/watch.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "../../shared/base/log.h"
#include "expect.h"
#include "fake_log.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static struct cprof_segment segment;
static struct cprof_config config = {.worker_count = 1, .period_ms = 10, .gateway_memory_mib = 64};
static struct cprof_loop loop;
static struct cprof_sinks sinks;
static struct cprof_windows *windows;
static struct cprof_watch *watch;
static char logged[1024];

static void keep_line(const char *line)
{
    (void)snprintf(logged, sizeof(logged), "%s", line);
}

static void begin_watch(void)
{
    struct cprof_error error;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    cprof_loop_init(&loop);
    windows = cprof_windows_create(&config, &segment, &loop, &error);
    EXPECT(windows);
    watch = cprof_watch_create(&config, &segment, windows, &loop, &sinks, &error);
    EXPECT(watch);
    logged[0] = '\0';
    cprof_log_setup(keep_line, CPROF_LOG_WARNING);
}

static void end_watch(void)
{
    cprof_watch_destroy(watch);
    cprof_windows_destroy(windows);
    fake_segment_close(&segment);
}

/* Whether a look that read its clock at `read_ns` reports what the master did at `struck_ns`. */
static bool is_reported(uint64_t struck_ns, uint64_t read_ns)
{
    struct cprof_slot *slot;
    bool found;

    begin_watch();
    slot = cprof_segment_slot(&segment, 0);
    atomic_store(&slot->struck_pid, 4711);
    atomic_store(&slot->struck_ns, struck_ns);
    cprof_watch_look(watch, read_ns);
    found = strstr(logged, "harakiri: what worker 0 (pid 4711)") != NULL ||
            strstr(logged, "harakiri: what worker 1 (pid 4711)") != NULL;
    end_watch();
    return found;
}

static void a_strike_is_reported(void)
{
    EXPECT(is_reported(100 * S, 101 * S));
}

static void so_is_one_that_came_after_the_clock_was_read(void)
{
    EXPECT(is_reported(100 * S + 1, 100 * S));
    EXPECT(is_reported(100 * S + 50 * MS, 100 * S));
}

static void one_of_long_ago_or_of_nonsense_is_not(void)
{
    EXPECT(!is_reported(100 * S, 130 * S));
    EXPECT(!is_reported(130 * S, 100 * S));
    EXPECT(!is_reported(UINT64_MAX, 100 * S));
}

int main(void)
{
    RUN(a_strike_is_reported);
    RUN(so_is_one_that_came_after_the_clock_was_read);
    RUN(one_of_long_ago_or_of_nonsense_is_not);
    return 0;
}
