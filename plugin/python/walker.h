/* walker.h - the frames of a thread state, innermost first, as raw words.
 *
 * The walk reads frames only, never a code object: that is what keeps a tick cheap. Whether a
 * frame is one that a Python programmer knows (complete, no shim) is a function of its raw
 * words and its code object, and is decided by whoever resolves them (record/recorder.c).
 *
 * Callers   the handler, on its own thread, whose frames stand still then; the ticker, for threads
 *           that sleep.
 * Exactness read word by word through peek.h; on CPython 3.11 and 3.12 the two instants in which
 *           the innermost frame or its link is not stored yet are recognised and refused
 *           (layout.h: links_late). That takes the program counter: without it, innermost.h is
 *           asked first, but for threads in a system call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_WALKER_H
#define CPROF_PYTHON_WALKER_H

#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "peek.h"
#include "runtime.h"

struct cprof_raw_frame {
    uintptr_t code;
    int32_t byte_offset; /* into the bytecode; negative: not started */
    uint32_t owner;      /* 1: complete whatever its offset is (a generator's) */
};

enum cprof_walk {
    CPROF_WALK_DONE,
    CPROF_WALK_ENTRY,      /* refused: entering the evaluation loop */
    CPROF_WALK_STARTING,   /* refused: the innermost frame may not be linked yet */
    CPROF_WALK_PARKING,    /* a chain that should stand still has frames of the interpreter's own */
    CPROF_WALK_UNREADABLE, /* a frame is gone or makes no sense */
};

/* Whether the state has a frame at all, complete or not; false also if that cannot be read. */
CPROF_SIGSAFE bool cprof_has_frames(const struct cprof_python *python, enum cprof_peek_way way,
                                    uintptr_t tstate);

/* Walks the frames of the state at `tstate`, whose thread is the calling one and was
 * interrupted at `pc`. Writes at most `frames_max` of them; *depth is how many, *truncated
 * whether there were more. Frames that belong to no Python code are left out. */
CPROF_SIGSAFE enum cprof_walk cprof_walk(const struct cprof_python *python, enum cprof_peek_way way,
                                         uintptr_t tstate, uintptr_t pc,
                                         struct cprof_raw_frame *frames, uint32_t frames_max,
                                         uint32_t *depth, bool *truncated);

/* The same for a chain that no thread runs, such as a parked greenlet's: from the frame object
 * (PyFrameObject) at its inner end. It must stand still. The evaluation loop's own frames lie on
 * the C stack, which others use while it is parked, so that greenlet takes them out of the chain:
 * one that has any is not parked yet (CPROF_WALK_PARKING). */
enum cprof_walk cprof_walk_parked(const struct cprof_python *python, enum cprof_peek_way way,
                                  uintptr_t frame_object, struct cprof_raw_frame *frames,
                                  uint32_t frames_max, uint32_t *depth, bool *truncated);

#endif
