/* intern.c - see intern.h. SIGSAFE FILE (tools/sigsafe).
 *
 * An entry's key goes EMPTY -> BUSY -> key -> RETIRED or BUSY -> another key, and never back to
 * EMPTY, so that a search may stop at the first EMPTY one. Reference and note are only written
 * while the key is BUSY; a reader checks the key again after it has read them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "intern.h"

#include <stdatomic.h>

#include "../share/layout.h"

enum {
    KEY_EMPTY = 0,
    KEY_RETIRED = 1,
    KEY_BUSY = 2,
};

/* A longer search costs more than interning again. */
#define PROBES_MAX 32u

static struct cprof_intern_entry *entry_at(const struct cprof_intern_table *table, uint64_t key,
                                           uint32_t probe)
{
    /* Fibonacci hashing: addresses are multiples of 16, hashes are anything. */
    uint64_t home = (key * UINT64_C(0x9E3779B97F4A7C15)) >> 32;

    return &table->entries[((uint32_t)home + probe) & table->mask];
}

uint32_t cprof_intern_find(const struct cprof_intern_table *table, uint64_t key, uint32_t *note)
{
    for (uint32_t probe = 0; probe < PROBES_MAX; probe++) {
        struct cprof_intern_entry *entry = entry_at(table, key, probe);
        uint64_t seen = atomic_load_explicit(&entry->key, memory_order_acquire);
        uint32_t ref;

        if (seen == KEY_EMPTY) {
            break;
        }
        if (seen != key) {
            continue;
        }
        ref = atomic_load_explicit(&entry->ref, memory_order_acquire);
        *note = atomic_load_explicit(&entry->note, memory_order_acquire);
        if (atomic_load_explicit(&entry->key, memory_order_relaxed) == key) {
            return ref;
        }
    }
    return CPROF_NO_REF;
}

static bool take(struct cprof_intern_entry *entry, uint64_t seen, uint64_t key, uint32_t ref,
                 uint32_t note)
{
    if (!atomic_compare_exchange_strong(&entry->key, &seen, KEY_BUSY)) {
        return false;
    }
    atomic_store_explicit(&entry->ref, ref, memory_order_release);
    atomic_store_explicit(&entry->note, note, memory_order_release);
    atomic_store_explicit(&entry->key, key, memory_order_release);
    return true;
}

static bool is_out_of_date(const struct cprof_intern_entry *entry, uint32_t present)
{
    uint32_t note = atomic_load_explicit(&entry->note, memory_order_relaxed);

    return note != CPROF_INTERN_LASTING && note != present;
}

static bool add(const struct cprof_intern_table *table, uint64_t key, uint32_t ref, uint32_t note,
                bool may_replace, uint32_t present)
{
    for (uint32_t probe = 0; probe < PROBES_MAX; probe++) {
        struct cprof_intern_entry *entry = entry_at(table, key, probe);
        uint64_t seen = atomic_load_explicit(&entry->key, memory_order_acquire);

        if (seen == key) {
            return true;
        }
        if (seen == KEY_BUSY ||
            (seen >= CPROF_INTERN_KEY_MIN && !(may_replace && is_out_of_date(entry, present)))) {
            continue;
        }
        if (take(entry, seen, key, ref, note)) {
            return true;
        }
    }
    return false;
}

bool cprof_intern_add(const struct cprof_intern_table *table, uint64_t key, uint32_t ref,
                      uint32_t note, uint32_t present)
{
    return add(table, key, ref, note, true, present);
}

bool cprof_intern_add_lasting(const struct cprof_intern_table *table, uint64_t key, uint32_t ref,
                              uint32_t note)
{
    return add(table, key, ref, note, false, 0);
}

bool cprof_intern_retire(const struct cprof_intern_table *table, uint64_t key)
{
    bool found = false;

    for (uint32_t probe = 0; probe < PROBES_MAX; probe++) {
        struct cprof_intern_entry *entry = entry_at(table, key, probe);
        uint64_t seen = atomic_load_explicit(&entry->key, memory_order_acquire);

        if (seen == KEY_EMPTY) {
            break;
        }
        if (seen == key) {
            found |= atomic_compare_exchange_strong(&entry->key, &seen, KEY_RETIRED);
        }
    }
    return found;
}
