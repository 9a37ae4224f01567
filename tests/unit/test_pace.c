/* test_pace.c - see plugin/sample/pace.h. What the looks book is simulated here, by the rules of
 * pace.h and offcpu.h, against threads whose truth is known.
 *
 * sources: plugin/sample/pace.c
 * flags: -lm
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/sample/pace.h"

#include <math.h>

#include "expect.h"

#define MS        UINT64_C(1000000)
#define PERIOD_NS (10 * MS)
#define DRAWS     200000u

#define S          (1000 * MS)
#define LOOK_PARTS CPROF_PACE_LOOK_PARTS_MIN

/* Behind the first looks of a window, which have a rule of their own. */
static void begin_behind_first_looks(struct cprof_pace *pace, uint64_t seed)
{
    cprof_pace_begin(pace, PERIOD_NS, 0, seed);
    for (uint32_t i = 0; i < CPROF_PACE_FIRST_LOOKS; i++) {
        (void)cprof_pace_next(pace, true, 0, LOOK_PARTS);
    }
}

/* What pace.c may draw: 64 whole steps and a part, of which 7.5 make the mean. */
#define GAP_MEANS_MAX 8.7

static double mean_of_gaps(struct cprof_pace *pace, bool moved, uint64_t cost_ns)
{
    double sum_ns = 0;

    for (uint32_t i = 0; i < DRAWS; i++) {
        sum_ns += (double)cprof_pace_next(pace, moved, cost_ns, LOOK_PARTS);
    }
    return sum_ns / DRAWS;
}

static bool is_close(double value, double wanted)
{
    return fabs(value - wanted) <= wanted / 100;
}

static void gaps_have_the_period_as_their_mean_while_something_moves(void)
{
    struct cprof_pace pace;

    cprof_pace_begin(&pace, PERIOD_NS, 0, 1);
    EXPECT(is_close(mean_of_gaps(&pace, true, 0), PERIOD_NS));
    EXPECT(pace.mean_ns == PERIOD_NS);
}

/* The chance that a gap ends in the next millisecond is the same however long it was so far. */
static void a_gap_does_not_know_how_long_it_was(void)
{
    uint32_t longer[60] = {0}; /* than so many milliseconds */
    struct cprof_pace pace;

    cprof_pace_begin(&pace, 15 * MS, 0, 8); /* of whole steps of 2 ms */
    for (uint32_t i = 0; i < 10 * DRAWS; i++) {
        uint64_t gap_ns = cprof_pace_next(&pace, true, 0, LOOK_PARTS);

        for (uint32_t ms = 0; ms < 60 && gap_ns >= ms * MS; ms++) {
            longer[ms]++;
        }
    }
    for (uint32_t ms = 0; ms + 2 < 60; ms += 2) {
        double odds = 1 - (double)longer[ms + 2] / longer[ms];

        EXPECT(fabs(odds - 1.0 / 8) < 4 * sqrt(7.0 / 64 / longer[ms]));
    }
}

static void gaps_double_while_nothing_moves_up_to_a_bound(void)
{
    static const uint64_t means_ms[] = {20, 40, 80, 100, 100, 100};
    struct cprof_pace pace;

    cprof_pace_begin(&pace, PERIOD_NS, 0, 2);
    for (size_t i = 0; i < sizeof(means_ms) / sizeof(means_ms[0]); i++) {
        (void)cprof_pace_next(&pace, false, 0, LOOK_PARTS);
        EXPECT(pace.mean_ns == means_ms[i] * MS);
    }
    (void)cprof_pace_next(&pace, true, 0, LOOK_PARTS);
    EXPECT(pace.mean_ns == PERIOD_NS);
}

static void the_slowest_gaps_have_the_mean_that_is_said(void)
{
    struct cprof_pace pace;

    cprof_pace_begin(&pace, PERIOD_NS, 0, 3);
    for (uint32_t i = 0; i < 100; i++) {
        (void)cprof_pace_next(&pace, false, 0, LOOK_PARTS);
    }
    EXPECT(pace.mean_ns == CPROF_PACE_IDLE_MAX_NS);
    EXPECT(is_close(mean_of_gaps(&pace, false, 0), (double)CPROF_PACE_IDLE_MAX_NS));
}

static void gaps_on_the_way_there_have_their_mean(void)
{
    double sums_ns[3] = {0};
    struct cprof_pace pace;

    cprof_pace_begin(&pace, PERIOD_NS, 0, 4);
    for (uint32_t i = 0; i < DRAWS; i++) {
        (void)cprof_pace_next(&pace, true, 0, LOOK_PARTS);
        for (uint32_t j = 0; j < 3; j++) {
            sums_ns[j] += (double)cprof_pace_next(&pace, false, 0, LOOK_PARTS);
        }
    }
    for (uint32_t j = 0; j < 3; j++) {
        EXPECT(is_close(sums_ns[j] / DRAWS, (double)(PERIOD_NS << (j + 1))));
    }
}

static void no_gap_is_longer_than_the_bound_on_its_steps(void)
{
    struct cprof_pace pace;
    uint64_t longest_ns = 0;

    cprof_pace_begin(&pace, PERIOD_NS, 0, 5);
    for (uint32_t i = 0; i < 10 * DRAWS; i++) {
        uint64_t gap_ns = cprof_pace_next(&pace, false, 0, LOOK_PARTS);

        longest_ns = gap_ns > longest_ns ? gap_ns : longest_ns;
    }
    EXPECT((double)longest_ns < GAP_MEANS_MAX * (double)CPROF_PACE_IDLE_MAX_NS);
    EXPECT((double)longest_ns > 8.0 * (double)CPROF_PACE_IDLE_MAX_NS); /* the bound was met */
}

static void looks_that_cost_much_are_rare_even_while_something_moves(void)
{
    struct cprof_pace pace;

    begin_behind_first_looks(&pace, 6);
    (void)cprof_pace_next(&pace, true, PERIOD_NS / LOOK_PARTS, LOOK_PARTS); /* just cheap enough */
    EXPECT(pace.mean_ns == PERIOD_NS);
    EXPECT(is_close(mean_of_gaps(&pace, true, MS), (double)LOOK_PARTS * MS));
    (void)cprof_pace_next(&pace, true, 20 * MS, LOOK_PARTS);
    EXPECT(pace.mean_ns == CPROF_PACE_DEAR_MAX_NS);
    (void)cprof_pace_next(&pace, true, 0, LOOK_PARTS);
    EXPECT(pace.mean_ns == PERIOD_NS);
}

/* However much they cost: a window may be over soon. */
static void the_first_looks_of_a_window_come_soon(void)
{
    struct cprof_pace pace;

    cprof_pace_begin(&pace, PERIOD_NS, 0, 10);
    (void)cprof_pace_next(&pace, true, MS, 1200);
    EXPECT(pace.mean_ns == CPROF_PACE_FIRST_MAX_NS);
    (void)cprof_pace_next(&pace, true, 0, 1200);
    EXPECT(pace.mean_ns == PERIOD_NS);
    for (uint32_t i = 2; i < CPROF_PACE_FIRST_LOOKS; i++) {
        (void)cprof_pace_next(&pace, true, 50 * MS, LOOK_PARTS);
        EXPECT(pace.mean_ns == CPROF_PACE_FIRST_MAX_NS);
    }
    (void)cprof_pace_next(&pace, true, MS, 1200);
    EXPECT(pace.mean_ns == 1000 * MS);
    cprof_pace_begin(&pace, PERIOD_NS, 0, 10);
    (void)cprof_pace_next(&pace, true, MS, 1200);
    EXPECT(pace.mean_ns == CPROF_PACE_FIRST_MAX_NS);
}

static void where_nothing_ran_for_long_gaps_are_a_quarter_of_that(void)
{
    struct cprof_pace pace;

    cprof_pace_begin(&pace, PERIOD_NS, 0, 9);
    while (pace.quiet_ns < 2 * S) {
        (void)cprof_pace_next(&pace, false, 0, LOOK_PARTS);
    }
    (void)cprof_pace_next(&pace, false, 0, LOOK_PARTS);
    EXPECT(pace.mean_ns >= 500 * MS && pace.mean_ns < 650 * MS);
    (void)cprof_pace_next(&pace, true, 0, LOOK_PARTS);
    (void)cprof_pace_next(&pace, false, 0, LOOK_PARTS);
    EXPECT(pace.mean_ns == 2 * PERIOD_NS);
    EXPECT(cprof_pace_idle_ns(0, 100 * MS) == 100 * MS);
    EXPECT(cprof_pace_idle_ns(2 * S, 100 * MS) == 500 * MS);
    EXPECT(cprof_pace_idle_ns(3600 * S, 100 * MS) == CPROF_PACE_IDLE_MAX_NS);
}

#define WALL_NS (10 * S)

/* Of 10 s, in which samples cost so much; of the ticker's time scans took scans_ns. */
struct story {
    uint64_t used_ns, samples_ns, looks_ns, scans_ns;
    uint32_t ceiling_hundredths;
};

static struct cprof_ledger ledger_of(const struct story *story)
{
    return (struct cprof_ledger){
        .cost_ns = {[CPROF_COST_SAMPLES] = story->samples_ns,
                    [CPROF_COST_TICKER] = story->looks_ns + story->scans_ns},
        .worker_ns = story->used_ns,
        .wall_ns = WALL_NS,
    };
}

static uint64_t look_parts(const struct story *story)
{
    struct cprof_ledger ledger = ledger_of(story);

    return cprof_pace_look_parts(&ledger, story->ceiling_hundredths, story->scans_ns);
}

/* Looks that took in the last 10 s what they may, or nothing of it, or all too much. */
static uint64_t parts_behind_looks_of(struct story story, uint64_t looks_ns)
{
    story.looks_ns = looks_ns;
    return look_parts(&story);
}

/* A ceiling of half a per cent is 50 ms. */
static void looks_take_what_the_others_leave_of_nine_tenths_of_the_ceiling(void)
{
    struct story story = {.used_ns = 10 * S, .ceiling_hundredths = 50};

    EXPECT(parts_behind_looks_of(story, 45 * MS) == 10000 / 45);
    story.samples_ns = 10 * MS;
    EXPECT(parts_behind_looks_of(story, 35 * MS) == 10000 / 35);
    story.scans_ns = 10 * MS;
    EXPECT(parts_behind_looks_of(story, 25 * MS) == 400);
}

static void a_third_of_the_ceiling_is_theirs_whatever_the_others_take(void)
{
    struct story story = {.used_ns = 10 * S, .ceiling_hundredths = 100};
    uint64_t third_ns = 100 * MS / 3;

    for (story.samples_ns = 60 * MS; story.samples_ns < 10 * S; story.samples_ns *= 2) {
        EXPECT(parts_behind_looks_of(story, third_ns) == 300);
    }
}

static void a_light_worker_is_looked_at_as_if_it_used_a_quarter(void)
{
    struct story story = {.ceiling_hundredths = 100};

    EXPECT(parts_behind_looks_of(story, 45 * MS / 2) == 444);
    story.used_ns = 2500 * MS;
    EXPECT(parts_behind_looks_of(story, 45 * MS / 2) == 444);
    story.used_ns = 5 * S;
    EXPECT(parts_behind_looks_of(story, 45 * MS) == 222);
}

/* The long run gives them one part in 400: in the next 5 s they have half of that back. */
static void what_looks_took_too_much_or_too_little_of_they_make_up_for(void)
{
    struct story story = {.used_ns = 10 * S, .ceiling_hundredths = 50, .samples_ns = 20 * MS};

    EXPECT(parts_behind_looks_of(story, 25 * MS) == 400);
    EXPECT(parts_behind_looks_of(story, 30 * MS) == 666);
    EXPECT(parts_behind_looks_of(story, 31250 * MS / 1000) == 800); /* no less than half of it */
    EXPECT(parts_behind_looks_of(story, 10 * S) == 800);
    EXPECT(parts_behind_looks_of(story, 20 * MS) == 285);
    EXPECT(parts_behind_looks_of(story, 0) == LOOK_PARTS); /* and no more than twice of it */
}

static void no_ceiling_is_high_enough_for_more_than_a_part_of_a_processor(void)
{
    struct cprof_ledger none = {0}, nonsense = {.worker_ns = UINT64_MAX, .wall_ns = UINT64_MAX};

    EXPECT(look_parts(&(struct story){.used_ns = 10 * S}) == LOOK_PARTS);
    EXPECT(look_parts(&(struct story){.used_ns = 640 * S, .ceiling_hundredths = 100}) ==
           LOOK_PARTS);
    EXPECT(look_parts(&(struct story){.used_ns = 10 * S, .ceiling_hundredths = 5000}) ==
           LOOK_PARTS);
    EXPECT(cprof_pace_look_parts(&none, 1, 0) == LOOK_PARTS);
    EXPECT(cprof_pace_look_parts(&nonsense, 5000, UINT64_MAX) == LOOK_PARTS);
    EXPECT(cprof_pace_scan_ns(&none, 1, MS, 0) == CPROF_PACE_SCAN_PARTS_MIN * MS);
    EXPECT(cprof_pace_scan_ns(&nonsense, 5000, MS, 0) == CPROF_PACE_SCAN_PARTS_MIN * MS);
    EXPECT(cprof_pace_lazy_scan_ns(&none, 0, MS, 0) == CPROF_PACE_SCAN_PARTS_MIN * MS);
}

/* A worker whose looks cost so much, by the rules of ticker.c: five times a second it is asked what
 * looks may take. Returns what they took of the ceiling, with all else. */
static double part_of_ceiling_taken(struct story story, uint64_t look_ns, uint32_t *looks)
{
    uint64_t parts = LOOK_PARTS, now_ns = 0, asked_ns = 0;
    struct cprof_ledger ledger = {0};
    struct cprof_pace pace;

    *looks = 0;
    cprof_pace_begin(&pace, PERIOD_NS, 0, 11);
    while (now_ns < WALL_NS) {
        now_ns += cprof_pace_next(&pace, true, look_ns, parts);
        story.looks_ns += look_ns;
        ++*looks;
        if (now_ns >= asked_ns) {
            asked_ns = now_ns + 200 * MS;
            ledger = ledger_of(&story);
            ledger.wall_ns = now_ns;
            ledger.worker_ns = story.used_ns * (now_ns / MS) / (WALL_NS / MS);
            ledger.cost_ns[CPROF_COST_SAMPLES] = story.samples_ns * (now_ns / MS) / (WALL_NS / MS);
            parts = cprof_pace_look_parts(&ledger, story.ceiling_hundredths, 0);
        }
    }
    return (double)cprof_ledger_sum_ns(&ledger) * 10000 /
           (double)(cprof_ledger_base_ns(&ledger) * story.ceiling_hundredths);
}

static void whatever_looks_and_samples_cost_the_ceiling_holds(void)
{
    static const uint64_t looks_us[] = {10, 50, 200, 1000};

    for (size_t i = 0; i < sizeof(looks_us) / sizeof(looks_us[0]); i++) {
        struct story story = {.ceiling_hundredths = 100};
        uint32_t light, half, full;

        EXPECT(part_of_ceiling_taken(story, looks_us[i] * MS / 1000, &light) < 1);
        story.used_ns = 10 * S;
        EXPECT(part_of_ceiling_taken(story, looks_us[i] * MS / 1000, &half) < 1);
        story.samples_ns = 60 * MS;
        EXPECT(part_of_ceiling_taken(story, looks_us[i] * MS / 1000, &full) < 1);
        EXPECT(light <= half && full <= half);
        (void)fprintf(stderr, "  %u us a look: %u in a light worker, %u and %u in busy ones\n",
                      (unsigned)looks_us[i], light, half, full);
    }
}

/* Gaps of more than a second would leave nothing of a window. */
static void looks_that_are_dear_come_once_a_second_at_least(void)
{
    static const uint64_t costs_ms[] = {1, 3, 4, 20, 1000};
    static const uint64_t means_ms[] = {300, 900, 1000, 1000, 1000};
    struct cprof_pace pace;

    begin_behind_first_looks(&pace, 5);
    for (size_t i = 0; i < sizeof(costs_ms) / sizeof(costs_ms[0]); i++) {
        (void)cprof_pace_next(&pace, i % 2, costs_ms[i] * MS, 300);
        EXPECT(pace.mean_ns == means_ms[i] * MS);
    }
}

/* Of a worker that used so much in 10 s, under a ceiling of 1 %, in ms. */
static uint64_t scan_ms(uint64_t used_ns, uint64_t cost_us)
{
    struct story story = {.used_ns = used_ns, .samples_ns = 10 * S, .looks_ns = 10 * S};
    struct cprof_ledger ledger = ledger_of(&story);

    return cprof_pace_scan_ns(&ledger, 100, cost_us * MS / 1000, 100 * MS) / MS;
}

static uint64_t lazy_scan_ms(uint64_t used_ns, uint64_t cost_us)
{
    struct story story = {.used_ns = used_ns, .samples_ns = 10 * S, .looks_ns = 10 * S};
    struct cprof_ledger ledger = ledger_of(&story);

    return cprof_pace_lazy_scan_ns(&ledger, 100, cost_us * MS / 1000, 100 * MS) / MS;
}

static void scans_take_a_sixth_of_the_ceiling_but_come_five_times_a_second(void)
{
    EXPECT(scan_ms(10 * S, 0) == 100);
    EXPECT(scan_ms(10 * S, 250) == 150);
    EXPECT(scan_ms(10 * S, 1000) == 200);
    EXPECT(scan_ms(5 * S, 125) == 150);
    EXPECT(scan_ms(S, 60) == 144 && scan_ms(0, 60) == 144); /* as if it used a quarter */
    EXPECT(scan_ms(S, 3000) == 600);                        /* two hundred times its cost */
}

static void where_no_thread_comes_or_goes_a_light_worker_is_scanned_once_a_second(void)
{
    EXPECT(lazy_scan_ms(10 * S, 250) == 150);
    EXPECT(lazy_scan_ms(10 * S, 2500) == 1000);
    EXPECT(lazy_scan_ms(S, 60) == 360);
    EXPECT(lazy_scan_ms(S / 4, 60) == 1000);
    EXPECT(lazy_scan_ms(0, 60) == 1000);
    EXPECT(lazy_scan_ms(0, 6000) == 1200);
}

static void without_a_ceiling_scans_take_a_part_of_a_processor(void)
{
    struct story story = {.used_ns = S};
    struct cprof_ledger ledger = ledger_of(&story);

    EXPECT(cprof_pace_scan_ns(&ledger, 0, MS, 100 * MS) == 200 * MS);
    EXPECT(cprof_pace_lazy_scan_ns(&ledger, 0, MS, 100 * MS) == 200 * MS);
    EXPECT(cprof_pace_lazy_scan_ns(&ledger, 0, MS / 10, 100 * MS) == 100 * MS);
}

static void a_long_period_is_kept(void)
{
    const uint64_t period_ns = 1000 * MS;
    struct cprof_pace pace;

    cprof_pace_begin(&pace, period_ns, 0, 7);
    for (uint32_t i = 0; i < 1000; i++) {
        (void)cprof_pace_next(&pace, i % 2, 10 * MS, LOOK_PARTS);
        EXPECT(pace.mean_ns == period_ns);
    }
}

static void any_seed_draws_gaps_of_its_own(void)
{
    struct cprof_pace zero, one, three;
    uint32_t equal = 0;

    cprof_pace_begin(&zero, PERIOD_NS, 0, 0);
    cprof_pace_begin(&one, PERIOD_NS, 0, 1);
    cprof_pace_begin(&three, PERIOD_NS, 0, 3);
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t gap_ns = cprof_pace_next(&one, false, 0, LOOK_PARTS);

        equal += cprof_pace_next(&zero, false, 0, LOOK_PARTS) == gap_ns;
        equal += cprof_pace_next(&three, false, 0, LOOK_PARTS) == gap_ns;
    }
    EXPECT(equal < 10);
}

/* A thread that waits for requests and sleeps for a fixed time in each: idle, busy, idle ... */
struct life {
    double idle_mean_ns, busy_ns;
    uint64_t random;
    uint64_t number; /* of the present stretch; odd: busy */
    double end_ns;   /* of the present stretch */
    double busy_sum_ns;
};

static double random_part(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*random >> 11) + 0.5) / 9007199254740992.0;
}

static void live_until(struct life *life, double now_ns)
{
    while (life->end_ns <= now_ns) {
        life->number++;
        if (life->number % 2) {
            life->end_ns += life->busy_ns;
            life->busy_sum_ns += life->busy_ns;
        } else {
            life->end_ns += -life->idle_mean_ns * log(random_part(&life->random));
        }
    }
}

/* What the looks booked on the busy stack, by the rules of offcpu.c. */
struct books {
    struct cprof_pace pace;
    double now_ns, last_ns;
    uint64_t number; /* of the stretch that the last look saw */
    double busy_ns;
};

static void book(struct books *books, uint64_t number, double weight_ns)
{
    books->busy_ns += number % 2 ? weight_ns : 0;
}

static void look(struct books *books, const struct life *life)
{
    bool moved = life->number != books->number;
    double gap_ns = books->now_ns - books->last_ns;
    double new_ns = moved ? (double)books->pace.mean_ns : gap_ns;

    book(books, life->number, new_ns);
    book(books, books->number, gap_ns - new_ns);
    books->number = life->number;
    books->last_ns = books->now_ns;
    books->now_ns += (double)cprof_pace_next(&books->pace, moved, 0, LOOK_PARTS);
}

#define BATCHES 400u
#define CYCLES  2500u /* a batch has so many requests, about */

struct estimate {
    double bias;  /* (booked - truth) / truth */
    double sigma; /* of that, from how the batches differ */
};

/* A batch's error is what it booked beyond the truth. */
static double run_batch(struct life *life, struct books *books)
{
    double before_ns = books->busy_ns - life->busy_sum_ns;
    uint64_t end = life->number + UINT64_C(2) * CYCLES;

    while (life->number < end) {
        live_until(life, books->now_ns);
        look(books, life);
    }
    return books->busy_ns - life->busy_sum_ns - before_ns;
}

static struct estimate estimate(uint64_t busy_ms, uint64_t idle_mean_ms)
{
    struct life life = {.idle_mean_ns = (double)(idle_mean_ms * MS),
                        .busy_ns = (double)(busy_ms * MS),
                        .random = busy_ms + idle_mean_ms};
    struct books books = {.busy_ns = 0};
    double sum = 0, squares = 0, truth_ns;

    cprof_pace_begin(&books.pace, PERIOD_NS, 0, busy_ms);
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        double error_ns = run_batch(&life, &books);

        sum += error_ns;
        squares += error_ns * error_ns;
    }
    truth_ns = life.busy_sum_ns / BATCHES;
    return (struct estimate){
        .bias = sum / BATCHES / truth_ns,
        .sigma = sqrt((squares - sum * sum / BATCHES) / (BATCHES - 1) / BATCHES) / truth_ns,
    };
}

static void the_looks_do_not_bend_what_requests_get(void)
{
    static const uint64_t busy_ms[] = {10, 20, 50, 250}, idle_mean_ms[] = {10, 50, 500};

    for (size_t i = 0; i < sizeof(busy_ms) / sizeof(busy_ms[0]); i++) {
        for (size_t j = 0; j < sizeof(idle_mean_ms) / sizeof(idle_mean_ms[0]); j++) {
            struct estimate found = estimate(busy_ms[i], idle_mean_ms[j]);

            (void)fprintf(stderr, "  %u ms busy, about %u ms idle: %+.2f %%, sigma %.2f %%\n",
                          (unsigned)busy_ms[i], (unsigned)idle_mean_ms[j], found.bias * 100,
                          found.sigma * 100);
            EXPECT(found.sigma < 0.005); /* else the test could not see much */
            EXPECT(fabs(found.bias) < 3 * found.sigma);
        }
    }
}

int main(void)
{
    RUN(gaps_have_the_period_as_their_mean_while_something_moves);
    RUN(a_gap_does_not_know_how_long_it_was);
    RUN(gaps_double_while_nothing_moves_up_to_a_bound);
    RUN(the_slowest_gaps_have_the_mean_that_is_said);
    RUN(gaps_on_the_way_there_have_their_mean);
    RUN(no_gap_is_longer_than_the_bound_on_its_steps);
    RUN(looks_that_cost_much_are_rare_even_while_something_moves);
    RUN(the_first_looks_of_a_window_come_soon);
    RUN(where_nothing_ran_for_long_gaps_are_a_quarter_of_that);
    RUN(looks_take_what_the_others_leave_of_nine_tenths_of_the_ceiling);
    RUN(a_third_of_the_ceiling_is_theirs_whatever_the_others_take);
    RUN(a_light_worker_is_looked_at_as_if_it_used_a_quarter);
    RUN(what_looks_took_too_much_or_too_little_of_they_make_up_for);
    RUN(whatever_looks_and_samples_cost_the_ceiling_holds);
    RUN(no_ceiling_is_high_enough_for_more_than_a_part_of_a_processor);
    RUN(looks_that_are_dear_come_once_a_second_at_least);
    RUN(scans_take_a_sixth_of_the_ceiling_but_come_five_times_a_second);
    RUN(where_no_thread_comes_or_goes_a_light_worker_is_scanned_once_a_second);
    RUN(without_a_ceiling_scans_take_a_part_of_a_processor);
    RUN(a_long_period_is_kept);
    RUN(any_seed_draws_gaps_of_its_own);
    RUN(the_looks_do_not_bend_what_requests_get);
    return 0;
}
