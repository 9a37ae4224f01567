/* windows_gateway.c - a gateway program for tests/e2e/test_windows.py: orders a window at its start
 * and another one, with half the period, each time that it gets SIGUSR1. Every profile goes to the
 * output directory.
 *
 * CPROF_TEST_KINDS   two digits: what the first window collects (1 CPU, 2 wall, 3 both), and what
 *                    the others do; 33 if it is not set
 * CPROF_TEST_KEEP    if it is set, no window is ever released
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../../gateway/config_reader.h"
#include "../../gateway/loop/loop.h"
#include "../../gateway/sinks/directory.h"
#include "../../gateway/windows/windows.h"
#include "../../shared/base/log.h"
#include "../../shared/segment/window.h"
#include "expect.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

static struct cprof_config config;
static struct cprof_windows *windows;
static struct cprof_sinks sinks;

static void write_line(const char *line)
{
    (void)fputs(line, stderr);
}

static void deliver(void *context, const struct cprof_window_result *result)
{
    const struct cprof_why why = {.reason = CPROF_REASON_SCHEDULE};

    (void)context;
    EXPECT(result->harvest);
    for (unsigned i = 0; i < result->harvest->count; i++) {
        cprof_sinks_deliver(&sinks, &result->harvest->profiles[i], &why);
    }
    EXPECT(sinks.list[0]->counts.dropped == 0);
    if (!getenv("CPROF_TEST_KEEP")) {
        cprof_windows_release(windows, result->handle);
    }
}

static void order_window(unsigned place, uint64_t period_ns)
{
    const char *kinds = getenv("CPROF_TEST_KINDS");
    struct cprof_window_order order = {
        .kinds = kinds ? (uint32_t)(kinds[place] - '0') : (uint32_t)CPROF_KINDS_ALL,
        .source = CPROF_SOURCE_DEMAND,
        .period_ns = period_ns,
        .duration_ns = config.output_duration_s * NS_PER_S,
        .latest_start_ns = CPROF_LOOP_NEVER,
        .finished = deliver,
    };
    struct cprof_error error;

    EXPECT(cprof_windows_order(windows, &order, &error) >= 0);
}

static void take_signal(void *context, short events)
{
    const int *descriptor = context;
    struct signalfd_siginfo info;

    (void)events;
    EXPECT(read(*descriptor, &info, sizeof(info)) == (ssize_t)sizeof(info));
    order_window(1, config.period_ms * NS_PER_MS / 2);
}

static int open_signal(void)
{
    sigset_t set;
    int descriptor;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    EXPECT(descriptor >= 0);
    return descriptor;
}

static int descriptor_of(int argc, char **argv, const char *option)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], option) == 0) {
            return (int)strtol(argv[i + 1], NULL, 10);
        }
    }
    return -1;
}

int main(int argc, char **argv)
{
    int signal_descriptor = open_signal();
    struct cprof_loop_watch watch = {.fd = signal_descriptor,
                                     .events = POLLIN,
                                     .ready = take_signal,
                                     .context = &signal_descriptor};
    struct cprof_output *output;
    struct cprof_segment segment;
    struct cprof_loop loop;
    struct cprof_error error;

    cprof_log_setup(write_line, CPROF_LOG_DEBUG);
    EXPECT(cprof_config_read(&config, descriptor_of(argc, argv, "--config-fd"), &error));
    EXPECT(cprof_segment_open(&segment, descriptor_of(argc, argv, "--segment-fd"), &error));
    output = cprof_output_create(&config);
    EXPECT(output);
    EXPECT(cprof_sinks_add(&sinks, cprof_directory_sink_create(&config, output, NULL, NULL)));
    cprof_loop_init(&loop);
    windows = cprof_windows_create(&config, &segment, &loop, &error);
    EXPECT(windows && cprof_loop_add_watch(&loop, &watch));
    cprof_windows_begin(windows, NULL, 0);
    order_window(0, config.period_ms * NS_PER_MS);
    cprof_loop_run(&loop);
    return 0;
}
