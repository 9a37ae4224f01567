/* slot_name.h - a process place in words: "worker 1".
 *
 * Callers   what shows slots. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_SLOT_NAME_H
#define CPROF_WEB_SLOT_NAME_H

#include <stdint.h>

#define CPROF_SLOT_NAME_BYTES 32

void cprof_slot_name(char name[CPROF_SLOT_NAME_BYTES], uint32_t kind, uint32_t number);

#endif
