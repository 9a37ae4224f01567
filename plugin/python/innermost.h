/* innermost.h - is the innermost frame of a thread that stands still stored, wherever in its code
 * it stands?
 *
 * A thread that waits for a processor may have been pushed aside at any instruction, and nobody
 * tells which one. On CPython 3.11 and 3.12 the evaluation loop makes its _PyCFrame the innermost
 * one before it stores that one's frame: for some instructions the thread state leads to whatever
 * lay in that place of the C stack, most likely a frame that has returned. The handler knows these
 * instructions by their program counter (walker.h). Without it, what must be true of a running
 * frame is asked:
 *   - from it, links lead to the frame with which the loop was entered, and that one's link to the
 *     frame that was innermost before;
 *   - a frame on the data stack is the uppermost one there, and lies above its caller's;
 *   - a generator's frame is being executed, and by this thread.
 * What is not proved is refused, so that frames are refused at some instants that are sound.
 *
 * Callers   the ticker, for a thread that stands still meanwhile.
 * Exactness tests/step asks at each instruction of a program; other versions need no question.
 * Sources   Include/internal/pycore_frame.h, Python/ceval.c and Objects/genobject.c of 3.11, 3.12.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_INNERMOST_H
#define CPROF_PYTHON_INNERMOST_H

#include <stdbool.h>
#include <stdint.h>

#include "peek.h"
#include "runtime.h"

/* False: it may not be, and the thread must not be walked. */
bool cprof_innermost_is_stored(const struct cprof_python *python, enum cprof_peek_way way,
                               uintptr_t tstate);

#endif
