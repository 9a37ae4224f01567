/* code_deaths.h - learns of every code object that dies, before its memory is used again.
 *
 * tp_dealloc of PyCode_Type is replaced in each sampling process by a function that retires the
 * interned entry and calls the original. It is never put back: another library may have done
 * the same on top of ours. (A PyCode_AddWatcher would be per interpreter and from 3.12 only.)
 *
 * Callers   installing: the sampler's start, while no other thread runs Python. The hook: any
 *           thread that frees a code object, with the GIL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CODE_DEATHS_H
#define CPROF_CODE_DEATHS_H

#include "../python/runtime.h"
#include "recorder.h"

/* Both must live as long as the process. Installs once. */
void cprof_code_deaths_watch(const struct cprof_python *python, struct cprof_recorder *recorder);

#endif
