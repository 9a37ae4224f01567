/* intern.c - see intern.h. SIGSAFE FILE (tools/sigsafe).
 *
 * An entry's key goes EMPTY -> BUSY -> key -> RETIRED or BUSY -> another key, and never back to
 * EMPTY, so that a search may stop at the first EMPTY one. Value and check are only written
 * while the key is BUSY. A second look at the key would not do for a reader: between two looks
 * at the same key, the place may have had another one. So the check tells whose the value is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "intern.h"

#include <stdatomic.h>

#include "../../shared/segment/layout.h"

enum {
    KEY_EMPTY = 0,
    KEY_RETIRED = 1,
    KEY_BUSY = 2,
};

#define GOLDEN_RATIO UINT64_C(0x9E3779B97F4A7C15)

/* A longer search costs more than interning again. */
#define PROBES_MAX 32u

static struct cprof_intern_entry *entry_at(const struct cprof_intern_table *table, uint64_t key,
                                           uint32_t probe)
{
    /* Fibonacci hashing: addresses are multiples of 16, hashes are anything. */
    uint64_t home = (key * GOLDEN_RATIO) >> 32;

    return &table->entries[((uint32_t)home + probe) & table->mask];
}

/* Multiplied, because keys and values often differ in a few low bits only. */
static uint64_t check_of(uint64_t key, uint64_t value)
{
    return key ^ value * GOLDEN_RATIO;
}

uint32_t cprof_intern_find(const struct cprof_intern_table *table, uint64_t key, uint32_t *note)
{
    for (uint32_t probe = 0; probe < PROBES_MAX; probe++) {
        struct cprof_intern_entry *entry = entry_at(table, key, probe);
        uint64_t seen = atomic_load_explicit(&entry->key, memory_order_acquire);
        uint64_t value, check;

        if (seen == KEY_EMPTY) {
            break;
        }
        if (seen != key) {
            continue;
        }
        value = atomic_load_explicit(&entry->value, memory_order_relaxed);
        check = atomic_load_explicit(&entry->check, memory_order_relaxed);
        if (check == check_of(key, value)) {
            *note = (uint32_t)(value >> 32);
            return (uint32_t)value;
        }
    }
    return CPROF_NO_REF;
}

static bool take(struct cprof_intern_entry *entry, uint64_t seen, uint64_t key, uint32_t ref,
                 uint32_t note)
{
    uint64_t value = (uint64_t)note << 32 | ref;

    if (!atomic_compare_exchange_strong(&entry->key, &seen, KEY_BUSY)) {
        return false;
    }
    atomic_store_explicit(&entry->value, value, memory_order_relaxed);
    atomic_store_explicit(&entry->check, check_of(key, value), memory_order_relaxed);
    atomic_store_explicit(&entry->key, key, memory_order_release);
    return true;
}

static bool is_out_of_date(const struct cprof_intern_entry *entry, uint32_t present)
{
    uint32_t note = (uint32_t)(atomic_load_explicit(&entry->value, memory_order_relaxed) >> 32);

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
