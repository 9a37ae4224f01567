/* quiet.h - has any thread but the ticker run since the last question? Where none has, threads need
 * not be looked at and not be searched for.
 *
 * Source    the kernel's accounts of the process and of the ticker (getrusage), and how many
 *           threads there are. A thread that ran and sleeps again has left its processor, and that
 *           is counted, however little it used; one that has ended is missing. One that runs now is
 *           noticed by its CPU time, which is in the process's sum only up to the kernel's last
 *           tick on its processor: until then it is taken for asleep, and the next look puts right
 *           what was booked.
 * Callers   the ticker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_QUIET_H
#define CPROF_QUIET_H

#include <stdbool.h>
#include <stdint.h>

/* The process has so many threads now; UINT64_MAX: not known. The first answer of a process is
 * yes. */
bool cprof_quiet_have_others_run(uint64_t threads);

#endif
