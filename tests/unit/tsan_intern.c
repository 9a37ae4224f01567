/* tsan_intern.c - many threads at once on one intern table; see plugin/record/intern.h.
 *
 * sources: plugin/record/intern.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "../../plugin/record/intern.h"
#include "../../shared/base/random.h"
#include "../../shared/segment/layout.h"
#include "expect.h"

#define ENTRIES 64u /* less than there are keys: places change hands all the time */
#define KEYS    96u
#define THREADS 4u
#define ROUNDS  40000u

static struct cprof_intern_entry entries[ENTRIES];
static const struct cprof_intern_table table = {.entries = entries, .mask = ENTRIES - 1};
static const struct cprof_intern_table narrow = {.entries = entries, .mask = 0};
static _Atomic uint32_t generation;

static uint64_t key_of(uint32_t number)
{
    return UINT64_C(0x7f0000000000) + (uint64_t)number * 192;
}

/* The reference says which key it belongs to. */
static uint32_t ref_of(uint64_t key)
{
    return (uint32_t)key * 2654435761u | 1u;
}

static void expect_own_reference(const struct cprof_intern_table *of, uint64_t key, uint32_t *hits)
{
    uint32_t note = 0;
    uint32_t ref = cprof_intern_find(of, key, &note);

    EXPECT(ref == CPROF_NO_REF || ref == ref_of(key));
    *hits += ref != CPROF_NO_REF;
}

/* `turn` decides what a thread does with a key; the same keys for all of them. */
static void act(uint32_t turn, uint64_t key, uint32_t *hits)
{
    uint32_t present = atomic_load(&generation);

    if (turn < 4) {
        (void)cprof_intern_add(&table, key, ref_of(key), present, present);
    } else if (turn < 6) {
        (void)cprof_intern_add_lasting(&table, key, ref_of(key), CPROF_INTERN_LASTING);
    } else if (turn < 9) {
        (void)cprof_intern_retire(&table, key);
    } else if (turn < 10) {
        atomic_fetch_add(&generation, 1);
    } else {
        expect_own_reference(&table, key, hits);
    }
}

static void *churn(void *data)
{
    uint64_t state = 88172645u + *(uint32_t *)data;
    uint32_t hits = 0;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        act((uint32_t)cprof_random_below(&state, 32),
            key_of((uint32_t)cprof_random_below(&state, KEYS)), &hits);
    }
    *(uint32_t *)data = hits;
    return NULL;
}

static void run_threads(void *(*body)(void *), uint32_t *results)
{
    pthread_t threads[THREADS];

    for (uint32_t i = 0; i < THREADS; i++) {
        results[i] = i;
        EXPECT(pthread_create(&threads[i], NULL, body, &results[i]) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
}

static void a_found_reference_always_belongs_to_its_key(void)
{
    uint32_t hits[THREADS];

    memset((void *)entries, 0, sizeof(entries));
    atomic_store(&generation, 1);
    run_threads(churn, hits);
    for (uint32_t i = 0; i < THREADS; i++) {
        EXPECT(hits[i] > 0);
    }
}

/* One thread puts one key after the other into the same place, the others read: nothing stands
 * still between two looks. */
static void *change_hands(void *data)
{
    uint32_t self = *(uint32_t *)data;
    uint32_t hits = 0;

    for (uint32_t i = 0; i < 3 * ROUNDS; i++) {
        if (self == 0) {
            (void)cprof_intern_add(&narrow, key_of(i % 2), ref_of(key_of(i % 2)), i, i + 1);
        } else {
            expect_own_reference(&narrow, key_of(i % 2), &hits);
        }
    }
    return NULL;
}

static void a_place_that_changes_hands_never_gives_a_wrong_reference(void)
{
    uint32_t results[THREADS];

    memset((void *)entries, 0, sizeof(entries));
    run_threads(change_hands, results);
}

/* Keys of its own, which nobody else adds or retires. */
static void *come_and_go(void *data)
{
    uint32_t self = *(uint32_t *)data;
    uint32_t refused = 0, note;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t key = key_of(KEYS + self * 8 + i % 8);

        if (!cprof_intern_add_lasting(&table, key, i + 1, CPROF_INTERN_LASTING)) {
            refused++;
            continue;
        }
        EXPECT(cprof_intern_find(&table, key, &note) == i + 1);
        EXPECT(cprof_intern_retire(&table, key));
        EXPECT(cprof_intern_find(&table, key, &note) == CPROF_NO_REF);
    }
    *(uint32_t *)data = refused;
    return NULL;
}

static void a_retired_key_is_gone_whatever_the_others_do(void)
{
    uint32_t refused[THREADS];

    memset((void *)entries, 0, sizeof(entries));
    run_threads(come_and_go, refused);
    for (uint32_t i = 0; i < THREADS; i++) {
        EXPECT(refused[i] == 0);
    }
}

int main(void)
{
    RUN(a_found_reference_always_belongs_to_its_key);
    RUN(a_place_that_changes_hands_never_gives_a_wrong_reference);
    RUN(a_retired_key_is_gone_whatever_the_others_do);
    return 0;
}
