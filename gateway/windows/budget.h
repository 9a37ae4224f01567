/* budget.h - the rule that keeps the samples of the whole instance within
 * cloudprofiler-max-samples.
 *
 * How exact a profile's shares are depends on how many samples it has, not on how many processes
 * they come from; how many there are at one period grows with the processors that are busy. So each
 * window tells how many samples a second it had, what period would have given the budget, and the
 * next windows have that one, in all processes alike: none stands for more than others.
 *
 * A period is kept as long as the samples stay between four fifths and eleven tenths of the budget,
 * give or take two standard deviations of that many samples, so that chance does not change it with
 * each window.
 *
 * Callers   the gateway's thread. Pure.
 * Memory    the caller's; nothing to give back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_BUDGET_H
#define CPROF_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define CPROF_BUDGET_UNKNOWN (-1.0) /* samples a second that nobody can tell */

struct cprof_budget {
    uint32_t samples_per_s; /* 0: there is no budget */
    uint64_t period_ns;     /* that keeps within it; 0: any does */
};

/* What all slots together did in one window. The figures come from shared memory: any is fine. */
struct cprof_budget_measure {
    uint64_t samples;
    uint64_t duration_ns;
    uint64_t period_ns;
};

/* CPROF_BUDGET_UNKNOWN for a window of less than half a second. */
double cprof_budget_samples_per_s(const struct cprof_budget_measure *measure);

/* The period for one that is set, which may change at any time: at least that one; at most
 * CPROF_PERIOD_NS_MAX, if the one that is set is. Whole milliseconds if the one that is set is. */
uint64_t cprof_budget_period_ns(const struct cprof_budget *budget, uint64_t set_ns);

/* A window is over. Returns whether the period for set_ns is another one now. */
bool cprof_budget_judge(struct cprof_budget *budget, const struct cprof_budget_measure *measure,
                        uint64_t set_ns);

#endif
