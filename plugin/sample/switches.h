/* switches.h - what it costs that perf events are switched on and off with their threads, and
 * when that is too much.
 *
 * A thread's event runs on a timer of the kernel's that is set whenever the thread gets a processor
 * and cancelled when it leaves it, at any period. An app that serves thousands of requests a second
 * pays for that more than for all else. What a switch costs depends on the period. It is measured
 * as the first window of a period begins, by switching an event of the ticker's own off and on; how
 * many there were is the kernel's account of the process (getrusage).
 *
 * Too much  is more than 3 % of the process's CPU time, or more than cloudprofiler-max-overhead if
 *           that is higher; without a ceiling nothing is (ledger.h). After two such windows in
 *           a row the process has no perf events: CPU timers do all (docs/engines.md). That lasts
 *           as long as the process, so that one window is not enough: it may have been a burst, as
 *           at a start, or the measurement a bad one. What a switch costs is measured anew for the
 *           second one. Windows that are too short to be judged do not count.
 *
 * Callers   the ticker, in windows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SWITCHES_H
#define CPROF_SWITCHES_H

#include <stdint.h>

#include "../../shared/segment/ledger.h"

/* Sampling begins, for a sample each period_ns; counters are as they stand then. */
void cprof_switches_begin(_Atomic uint64_t *counters, uint64_t period_ns);

/* Brings the counter up to date. */
void cprof_switches_publish(_Atomic uint64_t *counters);

/* Sampling has ended, and this is what it cost. */
void cprof_switches_end(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths);

#endif
