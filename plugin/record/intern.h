/* intern.h - a fixed hash table from 64-bit keys to log references, for many writers at once.
 *
 * Process-private, open addressing, no lock. An entry is taken by one CAS of its key and given
 * up by another; a reader that meets an entry under way goes on as if it were not there, so
 * that the same thing may be interned twice, which is harmless: a duplicate costs log space.
 *
 * Callers   handlers, the ticker and the death hook, at the same time.
 * Memory    the caller's, zeroed; a table that is dropped back to zeroes is empty again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_INTERN_H
#define CPROF_INTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"

struct cprof_intern_entry {
    _Atomic uint64_t key;
    _Atomic uint64_t value; /* the reference and, in the upper half, the caller's note */
    _Atomic uint64_t check; /* of key and value: says that they belong together */
};

struct cprof_intern_table {
    struct cprof_intern_entry *entries;
    uint32_t mask; /* number of entries, a power of two, minus 1 */
};

/* Keys below this are the table's own marks. */
#define CPROF_INTERN_KEY_MIN UINT64_C(16)

/* The note of entries that never go out of date. */
#define CPROF_INTERN_LASTING UINT32_MAX

/* Returns the reference of `key`, or CPROF_NO_REF; *note is the entry's. */
CPROF_SIGSAFE uint32_t cprof_intern_find(const struct cprof_intern_table *table, uint64_t key,
                                         uint32_t *note);

/* Adds `key`. An entry whose note is neither CPROF_INTERN_LASTING nor `present` may be replaced.
 * False if there is no place within reach: the key stays unknown. */
CPROF_SIGSAFE bool cprof_intern_add(const struct cprof_intern_table *table, uint64_t key,
                                    uint32_t ref, uint32_t note, uint32_t present);

/* For tables whose notes mean something else: adds `key`, replacing nothing. */
CPROF_SIGSAFE bool cprof_intern_add_lasting(const struct cprof_intern_table *table, uint64_t key,
                                            uint32_t ref, uint32_t note);

/* Takes every entry of `key` out; true if there was one. Cannot fail and never waits. */
CPROF_SIGSAFE bool cprof_intern_retire(const struct cprof_intern_table *table, uint64_t key);

#endif
