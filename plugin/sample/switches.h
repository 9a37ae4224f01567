/* switches.h - what it costs that perf events are switched on and off with their threads, and
 * when that is too much.
 *
 * A thread's event runs on a timer of the kernel's that is set whenever the thread gets a processor
 * and cancelled when it leaves it, at any period. An app that serves thousands of requests a second
 * pays for that more than for all else. What a switch costs is measured at the process's first
 * window, by switching an event of the ticker's own off and on; how many there were is the kernel's
 * account of the process (getrusage).
 *
 * A process whose switches took more than one part in fifty of its CPU time, or which passed the
 * ceiling of cloudprofiler-max-overhead while they were dearest, has no perf events from its next
 * window on: CPU timers do all (docs/engines.md). That lasts as long as the process.
 *
 * Callers   the ticker, in windows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SWITCHES_H
#define CPROF_SWITCHES_H

#include <stdint.h>

#include "../../shared/segment/ledger.h"

/* Sampling begins; counters are as they stand then. */
void cprof_switches_begin(_Atomic uint64_t *counters);

/* Brings the counter up to date. */
void cprof_switches_publish(_Atomic uint64_t *counters);

/* Sampling has ended, and this is what it cost. */
void cprof_switches_end(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths);

#endif
