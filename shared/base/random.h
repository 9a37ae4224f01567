/* random.h - random numbers that nobody gains by guessing: SplitMix64 (Steele, Lea and Flood,
 * "Fast splittable pseudorandom number generators", 2014).
 *
 * Its state is one word, any word will do, and seeds that are close to each other give draws that
 * have nothing in common from the first one on: a thread often draws only once in a window.
 *
 * Callers   anybody, a signal handler too; a state belongs to one thread at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_RANDOM_H
#define CPROF_RANDOM_H

#include <stdint.h>

static inline uint64_t cprof_random(uint64_t *state)
{
    uint64_t word = *state += UINT64_C(0x9e3779b97f4a7c15);

    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

/* Uniform from 0 up to, not including, `below`; 0 if that is 0. */
static inline uint64_t cprof_random_below(uint64_t *state, uint64_t below)
{
    return (uint64_t)((unsigned __int128)cprof_random(state) * below >> 64);
}

#endif
