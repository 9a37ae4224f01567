/* once.h - what any process of the instance may find, and the first one that finds it reports.
 *
 * Memory    a word that all processes share which are forked after cprof_once_share. Workers can
 *           write to it: at worst a line is missing or comes twice.
 * Callers   sharing: the master before the first fork. Claiming: any thread of any process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ONCE_H
#define CPROF_ONCE_H

#include <stdint.h>

#include "../ground/start_call.h"

/* Bit n below: parameter n of a call of start() differs from the configuration. */
#define CPROF_ONCE_UNUSED_URL  (UINT32_C(1) << CPROF_START_PARAMETERS)
#define CPROF_ONCE_OTHER_AGENT (CPROF_ONCE_UNUSED_URL << 1)

/* Until then, and where the system has no page to share, each process reports for itself. */
void cprof_once_share(void);

/* Those of the bits that nobody has claimed before. */
uint32_t cprof_once_claim(uint32_t bits);

#endif
