/* quiet.c - see quiet.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "quiet.h"

#include <sys/resource.h>

#include "../../shared/base/units.h"

#define ROUNDED_NS UINT64_C(2000) /* what getrusage cuts off: two times, in microseconds */

/* Of the others, when they were last known to have run. */
static struct {
    uint64_t ran_ns;   /* their CPU time, at most, */
    uint64_t switches; /* and how often they had left a processor, */
    uint64_t threads;  /* and how many there were; UINT64_MAX: not known */
} others;

/* What the kernel has counted of a thread, or of all of them. */
struct usage {
    uint64_t cpu_ns;
    uint64_t switches; /* how often a processor was left */
};

static uint64_t of_time(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_usec * NS_PER_US;
}

static struct usage usage_of(int who)
{
    struct rusage usage = {0};

    (void)getrusage(who, &usage);
    return (struct usage){
        .cpu_ns = of_time(&usage.ru_utime) + of_time(&usage.ru_stime),
        .switches = (uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw,
    };
}

/* The figures are not read at the same instant. The others have used at least what the process had
 * less what the ticker has behind that, and at most the same with what it had before; what is too
 * little to tell adds up. Their switches are known if the ticker was not switched meanwhile. */
bool cprof_quiet_have_others_run(uint64_t threads)
{
    struct usage before = usage_of(RUSAGE_THREAD), all = usage_of(RUSAGE_SELF);
    struct usage behind = usage_of(RUSAGE_THREAD);
    bool is_exact = before.switches == behind.switches;
    uint64_t switches = is_exact ? all.switches - behind.switches : UINT64_MAX;
    uint64_t at_most_ns = all.cpu_ns + ROUNDED_NS - before.cpu_ns;

    if (switches == others.switches && threads == others.threads && switches != UINT64_MAX &&
        threads != UINT64_MAX && all.cpu_ns <= others.ran_ns + behind.cpu_ns + ROUNDED_NS) {
        others.ran_ns = at_most_ns < others.ran_ns ? at_most_ns : others.ran_ns;
        return false;
    }
    others.switches = switches;
    others.threads = threads;
    others.ran_ns = at_most_ns;
    return true;
}
