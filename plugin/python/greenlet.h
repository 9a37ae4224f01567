/* greenlet.h - what must be known of the greenlet package, which keeps several stacks in one
 * thread: its type, and where a parked greenlet keeps its innermost frame.
 *
 * The latter differs between releases (a C struct up to 0.4, a C++ object behind a pointer since
 * 1.0) and is no part of its interface. It is learnt: exactly one word of a parked greenlet
 * points to a frame object. (greenlet 3.5.6 with CPython 3.11 and 3.13: offset 104 behind the
 * pointer; a running greenlet has NULL there.)
 *
 * Callers   the type: the main thread of a worker, before requests are served. Frames: the
 *           ticker, while the thread that owns the greenlet sleeps, or has not switched.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_GREENLET_H
#define CPROF_PYTHON_GREENLET_H

#include <stdbool.h>
#include <stdint.h>

#include "peek.h"
#include "runtime.h"

/* The type greenlet.greenlet, imported if need be, or NULL. *keep_contexts: whether each greenlet
 * has a context (PEP 567) of its own, which its release says. Takes the GIL and calls Python. */
void *cprof_greenlet_type(bool *keep_contexts);

/* The greenlet that runs on the calling thread, which has the GIL; 0: not known. After
 * cprof_greenlet_type. */
uintptr_t cprof_greenlet_current(void);

/* Where a frame was found. */
struct cprof_greenlet_layout {
    uint16_t implementation; /* offset of the pointer to the part that keeps the frame, 0: the
                              * object keeps it itself */
    uint16_t frame;          /* offset of the frame object there; 0: not learnt yet */
    uint16_t context;        /* offset of its context in the same part; 0: not learnt yet */
};

/* Learns from the greenlet object at `address`, if it is parked. */
bool cprof_greenlet_learn(const struct cprof_python *python, enum cprof_peek_way way,
                          uintptr_t address, struct cprof_greenlet_layout *layout);

/* The frame object at the inner end of the greenlet's stack; 0: it runs, has not begun or has
 * ended. */
uintptr_t cprof_greenlet_frame(const struct cprof_python *python, enum cprof_peek_way way,
                               const struct cprof_greenlet_layout *layout, uintptr_t address);

/* Learns where a parked greenlet keeps its context (PEP 567), from one that has one: exactly one
 * word beside the frame points to a context then. After cprof_greenlet_learn. */
bool cprof_greenlet_learn_context(const struct cprof_python *python, enum cprof_peek_way way,
                                  uintptr_t address, struct cprof_greenlet_layout *layout);

/* The address of a parked greenlet's context; 0: it has none, or that is not learnt. */
uintptr_t cprof_greenlet_context(const struct cprof_python *python, enum cprof_peek_way way,
                                 const struct cprof_greenlet_layout *layout, uintptr_t address);

/* How often the thread of this state has changed its context so far: each switch to a greenlet
 * that was parked does, before anything of that greenlet is touched (TPythonState.cpp of greenlet
 * 1.0 and later). What was parked all the while that this number stood still has not moved, even
 * if its thread ran. False: not known here. */
bool cprof_greenlet_switches(const struct cprof_python *python, enum cprof_peek_way way,
                             const struct cprof_greenlet_layout *layout, uintptr_t state,
                             uint64_t *switches);

#endif
