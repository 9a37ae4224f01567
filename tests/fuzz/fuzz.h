/* fuzz.h - what each fuzz target is: one function that takes any bytes and must come back.
 *
 * fuzz_NAME.c defines it. Linked with replay.c it runs kept inputs under the sanitizers (make fuzz,
 * make test), linked with libFuzzer it looks for new ones (make fuzz-long). corpus/NAME/ holds the
 * inputs: few and small; make fuzz-corpus adds those that reach something new.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_FUZZ_H
#define CPROF_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's name for it. Always returns 0; what is wrong ends the program (EXPECT). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
