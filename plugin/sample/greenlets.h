/* greenlets.h - which greenlets there are in this process, by address.
 *
 * tp_new and tp_dealloc of the greenlet type are replaced once, as code_deaths.h does with code
 * objects: a greenlet is noted when it is made and forgotten before it is freed. No call into
 * Python is needed, and none of the app's switches is slowed (a trace function, which others
 * use, runs at each of them). What C code makes by PyGreenlet_New, as uWSGI's greenlet plugin does,
 * comes without tp_new: who knows of such a one notes it.
 *
 * Callers   watching: the main thread of a worker, before its loop starts. The hooks: any thread
 *           with the GIL. Reading: the ticker.
 * Memory    one private mapping, made when watching begins.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_GREENLETS_H
#define CPROF_GREENLETS_H

#include <stdbool.h>
#include <stdint.h>

#include "../python/runtime.h"

#define CPROF_GREENLETS_MAX 4096u /* more at a time are not seen, which is counted and logged */

/* A greenlet and, for the ticker alone, where it was seen. */
struct cprof_greenlet {
    _Atomic uintptr_t address; /* 0: free */
    _Atomic uint32_t birth;    /* differs from that of every earlier one in this place */
    uint32_t birth_seen;
    uint32_t ref; /* record of the stack in which it was parked at the last look, or NO_REF */
};

/* From now on greenlets of this type and of types derived from it are noted, if the calling
 * thread, which is the one whose they are, makes them. `python` must live as long as the process.
 * False: no memory. */
bool cprof_greenlets_watch(const struct cprof_python *python, void *greenlet_type);

/* Notes a greenlet that was made otherwise, unless it is noted. By the thread whose they are, while
 * the greenlet is alive. */
void cprof_greenlets_note(uintptr_t address);

/* Whether greenlets of the thread `tid` are noted. */
bool cprof_greenlets_belong_to(int32_t tid);

/* The noted ones in turn: start with NULL, ends with NULL. */
struct cprof_greenlet *cprof_greenlet_next(const struct cprof_greenlet *previous);

/* Places from 0 up to this, and no others, have ever been used. */
uint32_t cprof_greenlets_places(void);

/* The one that is noted in a place below that number; NULL: none. */
struct cprof_greenlet *cprof_greenlet_at(uint32_t place);

/* How many there are now that have no place. */
uint32_t cprof_greenlets_left_out(void);

#endif
