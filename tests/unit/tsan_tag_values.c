/* tsan_tag_values.c - many threads at once give the same texts ids; see
 * plugin/tags/tag_values.h and tag_sets.h.
 *
 * sources: plugin/tags/tag_values.c plugin/tags/tag_sets.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "../../plugin/tags/tag_sets.h"
#include "../../plugin/tags/tag_values.h"
#include "expect.h"

#define THREADS 4u
#define KEYS    24u   /* more than there may be */
#define VALUES  1200u /* likewise */
/* Each thread may waste one place for a value that another adds at the same moment: of the first
 * quarter of a thousand values none can have found the table full. */
#define CHAINS  240u

static pthread_barrier_t start;

/* What each thread was told. */
static uint32_t keys[THREADS][KEYS];
static uint32_t values[THREADS][VALUES];
static uint32_t chains[THREADS][CHAINS];

static uint32_t number_text(char text[16], uint32_t number)
{
    return (uint32_t)snprintf(text, 16, "n%u", number);
}

static void expect_text(uint32_t tag, const char *value, uint32_t value_bytes)
{
    struct cprof_tag_text text;

    EXPECT(cprof_tag_text(tag, &text));
    if (!cprof_tag_is_other(tag)) {
        EXPECT(text.value_bytes == value_bytes && memcmp(text.value, value, value_bytes) == 0);
    }
}

static void *ask(void *data)
{
    uint32_t self = (uint32_t)(uintptr_t)data, bytes, key;
    char text[16];

    (void)pthread_barrier_wait(&start);
    for (uint32_t i = 0; i < KEYS; i++) {
        bytes = number_text(text, i);
        keys[self][i] = cprof_tag_key(text, bytes);
    }
    key = keys[self][0];
    for (uint32_t i = 0; i < VALUES; i++) {
        bytes = number_text(text, i);
        values[self][i] = cprof_tag_intern(key, text, bytes);
        expect_text(values[self][i], text, bytes);
    }
    for (uint32_t i = 0; i < CHAINS; i++) {
        chains[self][i] =
            cprof_tag_chain_with(i ? chains[self][i / 2] : CPROF_TAG_NO_CHAIN, values[self][i]);
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[THREADS];

    EXPECT(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (uintptr_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, ask, (void *)i) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    EXPECT(pthread_barrier_destroy(&start) == 0);
}

/* What was accepted is one for all. A value costs a place of each thread that adds it at the same
 * moment, in the worst case; that one alone wastes none is test_tag_values.c's. */
static void all_threads_are_told_the_same(void)
{
    uint32_t accepted = 0;

    EXPECT(cprof_tag_values_create() && cprof_tag_sets_create(1));
    run_threads();
    for (uint32_t i = 1; i < THREADS; i++) {
        EXPECT(memcmp(keys[i], keys[0], sizeof(keys[0])) == 0);
        EXPECT(memcmp(chains[i], chains[0], sizeof(chains[0])) == 0);
    }
    for (uint32_t i = 0; i < VALUES; i++) {
        uint32_t known = values[0][i];

        for (uint32_t thread = 0; thread < THREADS; thread++) {
            uint32_t value = values[thread][i];

            EXPECT(value == known || cprof_tag_is_other(value) || cprof_tag_is_other(known));
            known = cprof_tag_is_other(known) ? value : known;
        }
        accepted += !cprof_tag_is_other(known);
    }
    EXPECT(accepted <= CPROF_TAG_VALUES_MAX && accepted >= CPROF_TAG_VALUES_MAX / THREADS);
}

int main(void)
{
    RUN(all_threads_are_told_the_same);
    return 0;
}
