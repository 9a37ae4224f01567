/* tsan_offcpu.c - the ticker finds stacks of sleepers while handlers record and code objects die;
 * see plugin/record/recorder.h.
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
#define DEPTH     6u

#define HANDLERS    2u
#define MORTALS     2u
#define CODES       16u
#define LIVES_MIN   1000u
#define LIVES_MAX   50000u /* there is room for in the log */
#define LIFE_ROUNDS 3u
#define FINDS_MIN   300u /* that the ticker made, */
#define TAKEN_MIN   10u  /* and that it had to take back */

static struct recorder_fixture fixture;
static struct fake_code_object *codes[CODES];

/* A code object whose address is used again and again; in the thread that it belongs to it is
 * recorded while it lives, as handlers do. */
static struct mortal {
    struct fake_code_object *object;
    _Atomic uint32_t life; /* 0: dead */
} mortals[MORTALS];

static _Atomic uint32_t mortals_left; /* that still come and go */
static _Atomic uint32_t found, taken_back;
static uint64_t recorded[MORTALS], added[MORTALS]; /* by the mortal's thread, by the ticker */

static void fill_frames(struct cprof_context *context, const struct fake_code_object *leaf,
                        uint64_t *random)
{
    recorder_fixture_frame(context, 0, leaf, 8);
    for (uint32_t i = 1; i < DEPTH; i++) {
        recorder_fixture_frame(context, i, codes[(i + cprof_random_below(random, 2)) % CODES],
                               8 + 2 * (int32_t)cprof_random_below(random, 2));
    }
}

static void record(const struct fake_code_object *leaf, uint64_t *random)
{
    struct cprof_context *context = cprof_context_acquire(&fixture.recorder);

    EXPECT(context);
    fill_frames(context, leaf, random);
    EXPECT(recorder_fixture_sample(&fixture, context, DEPTH, 7) == CPROF_RECORDED);
    cprof_context_release(context);
}

static void *handle(void *number)
{
    uint64_t random = 2463534242u + *(uint32_t *)number;

    while (atomic_load(&mortals_left) > 0) {
        record(codes[cprof_random_below(&random, CODES)], &random);
    }
    return NULL;
}

static void name_life(char name[32], uint32_t number, uint32_t life)
{
    (void)snprintf(name, 32, "life_%u_%u", number, life);
}

static bool has_seen_enough(uint32_t life)
{
    return life > LIVES_MIN && atomic_load(&found) >= FINDS_MIN &&
           atomic_load(&taken_back) >= TAKEN_MIN;
}

/* The ticker sees a code object on a stack only while it lives; the hook tells of its death before
 * its memory becomes another's. */
static void *live_and_die(void *number)
{
    struct mortal *mortal = &mortals[*(uint32_t *)number];
    uint64_t random = 88172645u + *(uint32_t *)number;
    char name[32];

    for (uint32_t life = 1; !has_seen_enough(life); life++) {
        EXPECT(life <= LIVES_MAX);
        name_life(name, *(uint32_t *)number, life);
        fake_code_object_rename(mortal->object, name);
        atomic_store(&mortal->life, life);
        for (uint32_t i = 0; i <= life % LIFE_ROUNDS; i++) {
            record(mortal->object, &random);
            recorded[*(uint32_t *)number]++;
        }
        atomic_store(&mortal->life, 0);
        cprof_recorder_retire(&fixture.recorder, fake_code_address(mortal->object));
    }
    atomic_fetch_sub(&mortals_left, 1);
    return NULL;
}

static void expect_leaf(uint32_t ref, const char *wanted)
{
    const struct cprof_stack_record *stack = cprof_log_record(fixture.recorder.log, ref);
    const struct cprof_code_record *code =
        cprof_log_record(fixture.recorder.log, stack->frames[0].code_ref);

    EXPECT(stack->kind == CPROF_STACK_OFF_CPU && stack->depth == DEPTH);
    EXPECT(code->name_bytes == strlen(wanted));
    EXPECT(memcmp(code + 1, wanted, code->name_bytes) == 0);
}

/* One look at a sleeper that is in the mortal's code. */
static void look(uint32_t number, uint64_t *random)
{
    struct cprof_context *context = cprof_context_acquire(&fixture.recorder);
    struct cprof_sample sample = {
        .depth = DEPTH, .kind = CPROF_STACK_OFF_CPU, .state = CPROF_STATE_SLEEP};
    uint32_t life, ref;
    char name[32];

    EXPECT(context);
    cprof_record_expect(&fixture.recorder, context);
    life = atomic_load(&mortals[number].life);
    fill_frames(context, mortals[number].object, random);
    if (life == 0) {
        cprof_context_release(context);
        return;
    }
    if (cprof_record_find(&fixture.recorder, context, &sample, &ref) == CPROF_RECORDED) {
        name_life(name, number, life);
        expect_leaf(ref, name);
        EXPECT(cprof_record_add(&fixture.recorder, ref, 5, 1) == 5);
        added[number]++;
        atomic_fetch_add(&found, 1);
    } else {
        EXPECT(ref == CPROF_NO_REF);
        atomic_fetch_add(&taken_back, 1);
    }
    cprof_context_release(context);
}

static void *tick(void *unused)
{
    uint64_t random = 521288629u;

    while (atomic_load(&mortals_left) > 0) {
        look((uint32_t)cprof_random_below(&random, MORTALS), &random);
    }
    return unused;
}

static void begin(void)
{
    char name[32];

    for (uint32_t i = 0; i < CODES; i++) {
        (void)snprintf(name, sizeof(name), "code_%u", i);
        codes[i] = fake_code_object_create(name, (int32_t)i + 1, 50 + i);
    }
    for (uint32_t i = 0; i < MORTALS; i++) {
        mortals[i].object = fake_code_object_create("unborn", 1, 64);
    }
    recorder_fixture_begin(&fixture, LOG_BYTES, MAX_DEPTH);
    atomic_store(&mortals_left, MORTALS);
}

static void run(void)
{
    pthread_t threads[HANDLERS + MORTALS + 1];
    uint32_t numbers[HANDLERS + MORTALS];
    uint32_t count = 0;

    for (; count < HANDLERS + MORTALS; count++) {
        numbers[count] = count % HANDLERS;
        EXPECT(pthread_create(&threads[count], NULL, count < HANDLERS ? handle : live_and_die,
                              &numbers[count]) == 0);
    }
    EXPECT(pthread_create(&threads[count], NULL, tick, NULL) == 0);
    for (uint32_t i = 0; i <= count; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
}

static void end(void)
{
    recorder_fixture_end(&fixture);
    for (uint32_t i = 0; i < CODES; i++) {
        fake_code_object_free(codes[i]);
    }
    for (uint32_t i = 0; i < MORTALS; i++) {
        fake_code_object_free(mortals[i].object);
    }
}

static void count_lives(const struct cprof_log_view *view, uint64_t counts[MORTALS])
{
    for (size_t i = 0; i < view->stack_count; i++) {
        const struct cprof_stack_record *stack = cprof_log_stack(view, view->stacks[i]);
        struct cprof_log_code code;
        unsigned number;

        cprof_log_code(view, stack->frames[0].code_ref, &code);
        if (sscanf(code.name, "life_%u_", &number) == 1 && number < MORTALS) {
            counts[number] += atomic_load(&stack->count);
        }
    }
}

static void what_the_ticker_finds_has_the_name_that_it_saw(void)
{
    uint64_t counts[MORTALS] = {0};
    struct cprof_log_view view;

    begin();
    run();
    (void)fprintf(stderr, "  %u finds, %u taken back\n", found, taken_back);
    recorder_fixture_read(&fixture, FIXTURE_EPOCH, &view);
    EXPECT(view.counters[CPROF_COUNTER_LOG_FULL] == 0);
    count_lives(&view, counts);
    for (uint32_t i = 0; i < MORTALS; i++) {
        EXPECT(recorded[i] > 0 && counts[i] == recorded[i] + added[i]);
    }
    cprof_log_view_reset(&view);
    end();
}

int main(void)
{
    RUN(what_the_ticker_finds_has_the_name_that_it_saw);
    return 0;
}
