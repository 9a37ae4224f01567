/* counters.c - see counters.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "counters.h"

#include <string.h>

#define MISSED_KEY "missed_"

#define MISS(reason) CPROF_SHOWN_COUNTED, .key = MISSED_KEY reason, .metric = "misses_" reason

static const struct cprof_counter_text texts[CPROF_COUNTER_COUNT] = {
    [CPROF_COUNTER_SAMPLES] = {CPROF_SHOWN_ALWAYS, .key = "samples", .title = "samples"},
    [CPROF_COUNTER_TIMER_TICKS] = {CPROF_SHOWN_ALWAYS, .key = "timer_ticks"},
    [CPROF_COUNTER_PERF_TICKS] = {CPROF_SHOWN_WITH_PERF, .key = "perf_ticks"},
    [CPROF_COUNTER_PERF_WEIGHT_NS] = {CPROF_SHOWN_WITH_PERF, .key = "perf_user_ns",
                                      .title = "perf user nanoseconds"},
    [CPROF_COUNTER_KERNEL_WEIGHT_NS] = {CPROF_SHOWN_WITH_PERF, .key = "system_call_ns",
                                        .title = "system call nanoseconds"},
    [CPROF_COUNTER_PERF_REFUSED] = {.counts_threads = true},
    [CPROF_COUNTER_CPU_CLOCK_NS] = {CPROF_SHOWN_ALWAYS, .key = "cpu_clock_ns",
                                    .title = "cpu clock nanoseconds"},
    [CPROF_COUNTER_TICKER_CPU_NS] = {CPROF_SHOWN_ALWAYS, .key = "ticker_cpu_ns",
                                     .title = "ticker cpu nanoseconds"},
    [CPROF_COUNTER_HANDLER_CPU_NS] = {CPROF_SHOWN_ALWAYS, .key = "handler_cpu_ns",
                                      .title = "handler cpu nanoseconds"},
    [CPROF_COUNTER_SAMPLING_NS] = {CPROF_SHOWN_ALWAYS, .key = "sampling_ns"},
    [CPROF_COUNTER_THREADS_SEEN] = {.counts_threads = true},
    [CPROF_COUNTER_MISSED + CPROF_MISS_ENTRY] =
        {MISS("entry"), .meaning = "Ticks without a stack: the interpreter was entering its loop"},
    [CPROF_COUNTER_MISSED + CPROF_MISS_STARTING] =
        {MISS("starting"),
         .meaning = "Ticks without a stack: the innermost frame was not linked yet"},
    [CPROF_COUNTER_MISSED +
        CPROF_MISS_UNREADABLE] = {MISS("unreadable"),
                                  .meaning = "Ticks without a stack: a frame could not be read"},
    [CPROF_COUNTER_MISSED +
        CPROF_MISS_CONTEXTS] = {MISS("contexts"),
                                .meaning = "Ticks without a stack: too many handlers at once"},
    [CPROF_COUNTER_MISSED +
        CPROF_MISS_STALE] = {MISS("stale"),
                             .meaning = "Ticks without a stack: their thread or window was gone"},
    [CPROF_COUNTER_MISSED +
        CPROF_MISS_BLOCKED] = {MISS("blocked"), .counts_threads = true,
                               .meaning = "Threads that keep the signal blocked"},
    [CPROF_COUNTER_MISSED +
        CPROF_MISS_LOST] = {MISS("lost"),
                            .meaning = "Ticks without a stack: the signal never came"},
    [CPROF_COUNTER_MISSED + CPROF_MISS_STACK] =
        {MISS("stack"),
         .meaning = "Ticks without a stack: no room for the handler on the thread's stack"},
    [CPROF_COUNTER_MISSED_NS] = {CPROF_SHOWN_IN_SUMS, .key = "missed_ns",
                                 .title = "missed nanoseconds"},
    [CPROF_COUNTER_LOG_FULL] =
        {CPROF_SHOWN_IN_SUMS, .key = "log_full", .title = "log full",
         .meaning = "Samples whose stack was new and found no room in the log: [log full]"},
    [CPROF_COUNTER_MEMORY_REFUSED] = {CPROF_SHOWN_COUNTED, .key = "memory_refused",
                                      .title = "memory refused"},
    [CPROF_COUNTER_LEAVES_LEFT_OUT] =
        {CPROF_SHOWN_COUNTED, .key = "native_leaves_left_out", .title = "native leaves left out",
         .note = " samples show no native function, as that found no room in the log",
         .meaning = "Samples without their native function, which found no room in the log"},
    [CPROF_COUNTER_TAG_OVERFLOWS] =
        {CPROF_SHOWN_COUNTED, .key = "tag_overflows", .title = "tag overflows",
         .note = " samples have the value [other] for a tag, of which a process had more than "
                 "1,000 values, or too many combinations",
         .meaning = "Samples with a tag [other]: it has too many values"},
    [CPROF_COUNTER_TAGS_LOST] = {CPROF_SHOWN_COUNTED, .key = "tags_lost", .title = "tags lost",
                                 .note = " samples lack a tag of a block, as a process had more "
                                         "than 65,536 combinations of tags",
                                 .meaning =
                                     "Samples without a tag that was set: too many combinations"},
    [CPROF_COUNTER_WALL_CLOCK_NS] = {CPROF_SHOWN_WALL, .key = "wall_clock_ns",
                                     .title = "wall clock nanoseconds"},
    [CPROF_COUNTER_OFF_CPU_LOOKS] = {CPROF_SHOWN_WALL, .key = "off_cpu_looks",
                                     .title = "off-cpu looks"},
    [CPROF_COUNTER_OFF_CPU_WEIGHT_NS] = {CPROF_SHOWN_WALL, .key = "off_cpu_weight_ns",
                                         .title = "off-cpu weight nanoseconds"},
    [CPROF_COUNTER_RUNNABLE_NS] = {CPROF_SHOWN_WALL, .key = "runnable_ns",
                                   .title = "runnable nanoseconds"},
    [CPROF_COUNTER_RUNNABLE_LOOKS] = {CPROF_SHOWN_WALL, .key = "runnable_looks",
                                      .title = "runnable looks"},
    [CPROF_COUNTER_OFF_CPU_MOVED] = {CPROF_SHOWN_WALL, .key = "off_cpu_moved",
                                     .title = "off-cpu moved"},
    [CPROF_COUNTER_OFF_CPU_WALKS] = {CPROF_SHOWN_WALL, .key = "off_cpu_walks",
                                     .title = "off-cpu walks"},
    [CPROF_COUNTER_DELIVERY_CPU_NS] = {CPROF_SHOWN_ALWAYS, .key = "delivery_cpu_ns",
                                       .title = "delivery cpu nanoseconds"},
    [CPROF_COUNTER_SWITCH_CPU_NS] = {CPROF_SHOWN_WITH_PERF, .key = "switch_cpu_ns",
                                     .title = "switch cpu nanoseconds"},
    [CPROF_COUNTER_PERF_GIVEN_UP] =
        {CPROF_SHOWN_COUNTED, .counts_threads = true, .key = "perf_given_up",
         .title = "perf events given up",
         .note = " (processes that CPU timers sample alone, as perf events cost them too much)"},
    [CPROF_COUNTER_OFF_CPU_LOG_FULL_NS] =
        {CPROF_SHOWN_COUNTED, .key = "off_cpu_log_full_ns", .title = "off-cpu log full nanoseconds",
         .meaning = "Nanoseconds asleep in stacks that found no room in the log: [log full]"},
    [CPROF_COUNTER_THREADS_LEFT_OUT] =
        {CPROF_SHOWN_COUNTED, .counts_threads = true, .key = "threads_left_out",
         .title = "threads left out",
         .note = " threads are not followed, as a process had more than 512 of the app: wall "
                 "profiles lack them, and their CPU time stands as [unsampled]",
         .meaning = "Threads that were not followed in a window, as a process had more than 512"},
    [CPROF_COUNTER_GREENLETS_LEFT_OUT] =
        {CPROF_SHOWN_COUNTED, .counts_threads = true, .key = "greenlets_left_out",
         .title = "greenlets left out",
         .note = " greenlets are not followed, as a process had more than 4,096: wall profiles "
                 "lack them while they wait",
         .meaning =
             "Greenlets that were not followed in a window, as a process had more than 4,096"},
    [CPROF_COUNTER_SCOPES_LEFT_OUT] =
        {CPROF_SHOWN_COUNTED, .key = "tag_scopes_left_out", .title = "tag scopes left out",
         .note = " times tags of a block were not set, or the request of a greenlet was not known, "
                 "as a process had more than 8,192 contexts with tags",
         .meaning = "Times that tags were not set, as a process had more than 8,192 contexts"},
    [CPROF_COUNTER_LINES_LEFT_OUT] =
        {CPROF_SHOWN_COUNTED, .key = "line_tables_left_out", .title = "line tables left out",
         .note =
             " code objects show their first line for every line, as their line table is longer "
             "than 256 KiB",
         .meaning = "Code objects that show their first line alone: their line table is too long"},
};

struct cprof_counter_text cprof_counter_text(unsigned counter)
{
    return counter < CPROF_COUNTER_COUNT ? texts[counter] : (struct cprof_counter_text){0};
}

const char *cprof_miss_name(unsigned miss)
{
    return miss < CPROF_MISS_COUNT ? texts[CPROF_COUNTER_MISSED + miss].key + strlen(MISSED_KEY)
                                   : "unknown";
}
