/* patches.h - fuzz input as changes to something sound: for memory that has to be right in many
 * places before anything interesting is read. The kept inputs stay good when layouts change.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_FUZZ_PATCHES_H
#define CPROF_FUZZ_PATCHES_H

#include <stddef.h>
#include <stdint.h>

/* Reads patches from the input (2 bytes offset, 1 byte length, that many bytes) until it ends, and
 * writes each into memory, at its offset modulo memory_bytes, cut where memory ends. */
void fuzz_patch(void *memory, size_t memory_bytes, const uint8_t *data, size_t size);

#endif
