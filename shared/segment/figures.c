/* figures.c - see figures.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "figures.h"

/* In the order of enum cprof_figure, the misses in that of enum cprof_miss. */
static const struct cprof_figure_text texts[CPROF_FIGURE_COUNT] = {
    {"samples", "Stacks taken, on the CPU and of sleeping threads", true},
    {"windows", "Windows opened", true},
    {"profiles_written", "Profiles delivered, to a directory or to Cloud Profiler", true},
    {"profiles_uploaded", "Profiles that Cloud Profiler has accepted", true},
    {"profiles_failed", "Profiles that could not be delivered", true},
    {"bytes_uploaded", "Bytes of profiles that Cloud Profiler has accepted", true},
    {"seconds_since_upload", "Seconds since the last good upload, -1 if there was none", false},
    {"log_fill", "Per cent of its log that the fullest process has used", false},
    {"tag_overflows", "Samples with a tag [other]: it has too many values", true},
    {"tags_lost", "Samples without a tag that was set: too many combinations", true},
    {"misses_entry", "Ticks without a stack: the interpreter was entering its loop", true},
    {"misses_starting", "Ticks without a stack: the innermost frame was not linked yet", true},
    {"misses_unreadable", "Ticks without a stack: a frame could not be read", true},
    {"misses_contexts", "Ticks without a stack: too many handlers at once", true},
    {"misses_stale", "Ticks without a stack: their thread or window was gone", true},
    {"misses_blocked", "Threads that keep the signal blocked", true},
    {"misses_lost", "Ticks without a stack: the signal never came", true},
    {"misses_stack", "Ticks without a stack: no room for the handler on the thread's stack", true},
};

struct cprof_figure_text cprof_figure_text(enum cprof_figure figure)
{
    if ((unsigned)figure >= CPROF_FIGURE_COUNT) {
        return (struct cprof_figure_text){.name = "unknown", .meaning = ""};
    }
    return texts[figure];
}
