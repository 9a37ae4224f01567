/* test_turn_clock.c - see gateway/loop/turn_clock.h.
 *
 * SPDX-License-Identifier: MIT
 */
// flags: -Wl,--wrap=cprof_now_ns,--wrap=pread
#include "../../gateway/loop/turn_clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "expect.h"

static uint64_t now_ns, delay_ns;
static bool is_unknown;
static struct cprof_turn_clock clock_of_loop;

uint64_t __wrap_cprof_now_ns(void);
ssize_t __wrap_pread(int fd, void *to, size_t bytes, off_t offset);

uint64_t __wrap_cprof_now_ns(void)
{
    return now_ns;
}

ssize_t __wrap_pread(int fd, void *to, size_t bytes, off_t offset)
{
    EXPECT(fd == clock_of_loop.schedstat_fd && offset == 0);
    return is_unknown ? -1
                      : snprintf(to, bytes, "123456789 %llu 42\n", (unsigned long long)delay_ns);
}

static void begin_test(void)
{
    now_ns = 1000 * NS_PER_S;
    delay_ns = 5 * NS_PER_S;
    is_unknown = false;
    cprof_turn_clock_open(&clock_of_loop);
    EXPECT(clock_of_loop.schedstat_fd >= 0);
}

static void turn(uint64_t takes_ms, uint64_t waits_ms)
{
    cprof_turn_clock_begin(&clock_of_loop);
    now_ns += takes_ms * NS_PER_MS;
    delay_ns += waits_ms * NS_PER_MS;
    cprof_turn_clock_end(&clock_of_loop);
}

static bool longest_are(uint64_t ever_ms, uint64_t last_minute_ms)
{
    return cprof_turn_clock_longest_ns(&clock_of_loop) == ever_ms * NS_PER_MS &&
           cprof_turn_clock_last_minute_ns(&clock_of_loop) == last_minute_ms * NS_PER_MS;
}

static void the_longest_turn_counts(void)
{
    begin_test();
    EXPECT(longest_are(0, 0));
    turn(3, 0);
    turn(12, 0);
    turn(7, 0);
    EXPECT(longest_are(12, 12));
    cprof_turn_clock_close(&clock_of_loop);
}

static void a_wait_for_a_processor_is_not_the_loops(void)
{
    begin_test();
    turn(100, 95);
    turn(20, 8);
    EXPECT(longest_are(12, 12));
    turn(10, 11); /* clocks are not read at once */
    EXPECT(longest_are(12, 12));
    cprof_turn_clock_close(&clock_of_loop);
}

static void where_the_kernel_does_not_tell_all_of_a_turn_counts(void)
{
    begin_test();
    is_unknown = true;
    turn(100, 95);
    EXPECT(longest_are(100, 100));
    cprof_turn_clock_close(&clock_of_loop);
}

static void after_a_minute_a_turn_is_long_ago(void)
{
    begin_test();
    turn(50, 0);
    now_ns += 50 * NS_PER_S;
    turn(4, 0);
    EXPECT(longest_are(50, 50));
    now_ns += 10 * NS_PER_S;
    EXPECT(longest_are(50, 4));
    now_ns += 3600 * NS_PER_S;
    EXPECT(longest_are(50, 0));
    cprof_turn_clock_close(&clock_of_loop);
}

int main(void)
{
    RUN(the_longest_turn_counts);
    RUN(a_wait_for_a_processor_is_not_the_loops);
    RUN(where_the_kernel_does_not_tell_all_of_a_turn_counts);
    RUN(after_a_minute_a_turn_is_long_ago);
    return 0;
}
