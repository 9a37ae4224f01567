/* mappings.h - copies the process's executable mappings into the log, so that the gateway can tell
 * what lies at the addresses of native leaves; /proc of a worker may be closed to it.
 *
 * Callers   the ticker: begin at the start of an epoch, look at each scan, finish when no handler
 *           is inside any more.
 * Cost      nothing while no sample stands in memory that the log does not describe; then one
 *           reading of /proc/self/maps.
 * Memory    static, some 200 KiB at most, touched as it is needed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_MAPPINGS_H
#define CPROF_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder.h"

/* Nothing is described yet in this epoch. */
void cprof_mappings_begin(uint32_t incarnation);

/* Describes what is new, if a sample has asked for it. */
void cprof_mappings_look(struct cprof_recorder *recorder);

/* The same, once more at the end, if there was any leaf: memory in which one file gave way to
 * another is described twice then, and the gateway believes neither. */
void cprof_mappings_finish(struct cprof_recorder *recorder);

/* The file whose code is mapped at `address`, in any window or none. False: none is, or /proc does
 * not tell. The ticker: not by dladdr, which waits for whoever loads a library. */
bool cprof_mappings_find(uintptr_t address, char *path, size_t path_bytes);

#endif
