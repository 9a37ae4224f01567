/* tsan_recorder.c - many threads at once record and retire; see plugin/record/recorder.h.
 *
 * sources: plugin/record/known_text.c
 * sources: plugin/record/recorder.c plugin/record/intern.c plugin/python/code_object.c
 * sources: plugin/python/text.c plugin/python/peek.c
 * sources: tests/unit/recorder_fixture.c tests/unit/fake_python.c tests/unit/fake_log.c
 * sources: plugin/tags/tag_values.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "../../plugin/record/recorder.h"
#include "../../shared/base/random.h"
#include "expect.h"
#include "recorder_fixture.h"

#define LOG_BYTES (UINT64_C(64) << 20)
#define MAX_DEPTH 16u
#define DEPTH     10u

#define RECORDERS   4u
#define CODES       32u
#define ROUNDS      4000u
#define LIVES       100u
#define LIFE_ROUNDS 3u

static struct recorder_fixture fixture;
static struct fake_code_object *codes[CODES];
static uint64_t wanted[CODES]; /* samples by leaf, the threads' sums added up at their end */
static pthread_mutex_t wanted_lock = PTHREAD_MUTEX_INITIALIZER;

/* A sample as a handler takes it: a context for its time only. */
static void record(const struct fake_code_object *leaf, uint64_t *random)
{
    struct cprof_context *context = cprof_context_acquire(&fixture.recorder);

    EXPECT(context);
    recorder_fixture_frame(context, 0, leaf, 8);
    for (uint32_t i = 1; i < DEPTH; i++) {
        /* Few enough stacks that threads meet, many enough that new ones go on coming. */
        uint32_t bits = i <= 3 ? (uint32_t)cprof_random(random) : 0;

        recorder_fixture_frame(context, i, codes[(i + (bits >> 8 & 1)) % CODES],
                               8 + 2 * (int32_t)(bits & 1));
    }
    EXPECT(recorder_fixture_sample(&fixture, context, DEPTH, 7) == CPROF_RECORDED);
    cprof_context_release(context);
}

static void *record_many(void *number)
{
    uint64_t random = 2463534242u + *(uint32_t *)number;
    uint64_t taken[CODES] = {0};

    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t leaf = (uint32_t)cprof_random_below(&random, CODES);

        record(codes[leaf], &random);
        taken[leaf]++;
    }
    (void)pthread_mutex_lock(&wanted_lock);
    for (uint32_t i = 0; i < CODES; i++) {
        wanted[i] += taken[i];
    }
    (void)pthread_mutex_unlock(&wanted_lock);
    return NULL;
}

/* One code object after the other at the same address, each retired before the next. */
static void *live_and_die(void *number)
{
    struct fake_code_object *mortal = fake_code_object_create("unborn", 1, 64);
    uint64_t random = 88172645u + *(uint32_t *)number;
    char name[32];

    for (uint32_t life = 0; life < LIVES; life++) {
        (void)snprintf(name, sizeof(name), "life_%u_%u", *(uint32_t *)number, life);
        fake_code_object_rename(mortal, name);
        for (uint32_t i = 0; i <= life % LIFE_ROUNDS; i++) {
            record(mortal, &random);
        }
        cprof_recorder_retire(&fixture.recorder, fake_code_address(mortal));
    }
    fake_code_object_free(mortal);
    return NULL;
}

static void expect_all_lives(const struct cprof_log_view *view, uint32_t number)
{
    char name[32];

    for (uint32_t life = 0; life < LIVES; life++) {
        (void)snprintf(name, sizeof(name), "life_%u_%u", number, life);
        EXPECT(recorder_fixture_count(view, name) == life % LIFE_ROUNDS + 1);
    }
}

static void run_threads(void *(*const *bodies)(void *), uint32_t count)
{
    pthread_t threads[CPROF_CONTEXTS_MAX];
    uint32_t numbers[CPROF_CONTEXTS_MAX];

    EXPECT(count <= CPROF_CONTEXTS_MAX); /* else a sample could find no context */
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = i;
        EXPECT(pthread_create(&threads[i], NULL, bodies[i], &numbers[i]) == 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
}

static void create_codes(void)
{
    char name[32];

    for (uint32_t i = 0; i < CODES; i++) {
        (void)snprintf(name, sizeof(name), "code_%u", i);
        codes[i] = fake_code_object_create(name, (int32_t)i + 1, 50 + i);
        wanted[i] = 0;
    }
}

static void free_codes(void)
{
    for (uint32_t i = 0; i < CODES; i++) {
        fake_code_object_free(codes[i]);
    }
}

static void every_sample_is_counted_under_its_own_name(void)
{
    static void *(*const bodies[RECORDERS + 2])(void *) = {
        record_many, record_many, record_many, record_many, live_and_die, live_and_die,
    };
    struct cprof_log_view view;
    char name[32];

    create_codes();
    recorder_fixture_begin(&fixture, LOG_BYTES, MAX_DEPTH);
    run_threads(bodies, RECORDERS + 2);

    recorder_fixture_read(&fixture, FIXTURE_EPOCH, &view);
    EXPECT(view.counters[CPROF_COUNTER_LOG_FULL] == 0);
    for (uint32_t i = 0; i < CODES; i++) {
        (void)snprintf(name, sizeof(name), "code_%u", i);
        EXPECT(wanted[i] > 0 && recorder_fixture_count(&view, name) == wanted[i]);
    }
    expect_all_lives(&view, RECORDERS);
    expect_all_lives(&view, RECORDERS + 1);
    cprof_log_view_reset(&view);
    recorder_fixture_end(&fixture);
    free_codes();
}

static _Atomic uint64_t recorded, refused;

static void *record_until_full(void *number)
{
    uint64_t random = 521288629u + *(uint32_t *)number;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct cprof_context *context = cprof_context_acquire(&fixture.recorder);

        EXPECT(context);
        for (uint32_t j = 0; j < DEPTH; j++) {
            recorder_fixture_frame(context, j, codes[cprof_random_below(&random, CODES)], 8);
        }
        if (recorder_fixture_sample(&fixture, context, DEPTH, 7) == CPROF_RECORDED) {
            atomic_fetch_add(&recorded, 1);
        } else {
            atomic_fetch_add(&refused, 1);
        }
        cprof_context_release(context);
    }
    return NULL;
}

static void a_full_log_loses_no_sample_from_the_counts(void)
{
    static void *(*const bodies[RECORDERS])(void *) = {record_until_full, record_until_full,
                                                       record_until_full, record_until_full};
    struct cprof_log_view view;
    uint64_t count = 0, weight_ns = 0;

    create_codes();
    recorder_fixture_begin(&fixture, CPROF_LOG_BYTES_MIN, MAX_DEPTH);
    run_threads(bodies, RECORDERS);

    recorder_fixture_read(&fixture, FIXTURE_EPOCH, &view);
    for (size_t i = 0; i < view.stack_count; i++) {
        count += atomic_load(&cprof_log_stack(&view, view.stacks[i])->count);
        weight_ns += atomic_load(&cprof_log_stack(&view, view.stacks[i])->weight_ns);
    }
    EXPECT(refused > 0 && recorded + refused == UINT64_C(1) * RECORDERS * ROUNDS);
    EXPECT(count == recorded && weight_ns == recorded * 7);
    EXPECT(view.counters[CPROF_COUNTER_LOG_FULL] == refused &&
           view.counters[CPROF_COUNTER_LOG_FULL_NS] == refused * 7);
    cprof_log_view_reset(&view);
    recorder_fixture_end(&fixture);
    free_codes();
}

int main(void)
{
    RUN(every_sample_is_counted_under_its_own_name);
    RUN(a_full_log_loses_no_sample_from_the_counts);
    return 0;
}
