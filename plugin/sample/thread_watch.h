/* thread_watch.h - keeps an eye on the process's threads while a window is open: which there are,
 * which Python thread state is whose, whether their ticks come, how much CPU time they used.
 *
 * A look costs little more than reading one directory; ticker.c decides how often there is one.
 *
 * Callers   setup at the sampler's start; all else the ticker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_THREAD_WATCH_H
#define CPROF_THREAD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/segment/layout.h"
#include "../python/peek.h"
#include "../python/runtime.h"
#include "../record/recorder.h"

/* In the main thread, whose name is the process's. The process will have `core_count` threads of
 * uWSGI's. All that is given must live as long as the process. */
void cprof_thread_watch_setup(struct cprof_slot *slot, const struct cprof_python *python,
                              struct cprof_recorder *recorder, uint32_t core_count);

/* In the ticker's thread, which is no thread to be sampled. Where it has a descriptor table of
 * its own, a descriptor is kept open through a window. */
void cprof_thread_watch_enter(bool has_own_descriptors);

/* A window begins: threads are armed from the next look on. The interpreter is read in `way`,
 * which must do whatever the app does meanwhile (cprof_peek_choose_lasting). */
void cprof_thread_watch_begin(uint64_t period_ns, enum cprof_peek_way way);

/* From now on perf events tick, and new timers are armed, for this period; a timer that is armed
 * takes it up at its next tick. */
void cprof_thread_watch_set_period(uint64_t period_ns);

/* What the threads that are known have used until now does not count. */
void cprof_thread_watch_start_clocks(void);

/* Brings the clocks of all threads up to date, without looking for new ones. */
void cprof_thread_watch_follow_clocks(void);

/* Arms threads that are new, forgets those that are gone, follows the clocks of all. Without
 * `ticks` (their signal is the app's) no thread has or gets any; sleepers are seen all the same.
 * Returns whether a thread was new or gone. One beyond those that are sampled is neither. */
bool cprof_thread_watch_look(bool ticks);

/* How many threads the process has now; UINT64_MAX: not known. */
uint64_t cprof_thread_watch_count(void);

/* The window has ended and no handler is inside any more (cprof_oncpu_drained): what they read of
 * their threads is forgotten. What threads used since their clocks were last followed does not
 * count. */
void cprof_thread_watch_end(void);

#endif
