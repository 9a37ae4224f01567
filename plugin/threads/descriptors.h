/* descriptors.h - how many descriptors the ticker may keep open through a window.
 *
 * A thread is worth up to four: its perf event, its account and up to two of its state in /proc.
 * With many threads they would use up what the process may have (RLIMIT_NOFILE, 1024 by default),
 * and then nothing can be opened even for a moment: no thread's state could be read. So the last
 * few numbers are never kept. Who finds none left does without: the timer for the perf event,
 * opening at each look for the files.
 *
 * Callers   the ticker only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_DESCRIPTORS_H
#define CPROF_DESCRIPTORS_H

#include <stdbool.h>

/* A window begins: asks what the limit is now. The app may have changed it. */
void cprof_descriptors_begin(void);

/* Whether `descriptor`, which has just been opened, may stay open. The kernel gives the lowest
 * free number, so that a low one means that many are left. */
bool cprof_descriptors_may_keep(int descriptor);

#endif
