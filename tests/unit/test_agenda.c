/* test_agenda.c - see plugin/sample/agenda.h, with clocks of its own.
 *
 * sources: plugin/sample/agenda.c plugin/sample/pace.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/sample/agenda.h"

#include <stdio.h>

#include "expect.h"

#define MS        UINT64_C(1000000)
#define S         (1000 * MS)
#define BEGIN_NS  (7 * S)
#define PERIOD_NS (10 * MS)
#define THREADS   3u
#define LOOK_NS   (MS / 100) /* what a look takes */
#define SCAN_NS   (MS / 10)
#define NO_END    UINT64_MAX
#define ROUNDS    2000u
#define WINDOW_NS (10 * S)

/* Windows end long after a gap of any length. */
#define GAP_MEANS_MAX 9u

static struct cprof_agenda agenda;
static uint64_t now_ns, own_ns;

/* A worker that is busy, and for whose looks and scans nothing is too much. */
static const struct cprof_ledger ledger = {.worker_ns = S, .wall_ns = S};

static void begin_window(bool wants_wall, bool is_quiet, uint64_t length_ns)
{
    cprof_agenda_begin(&agenda, &(struct cprof_agenda_start){
                                    .now_ns = now_ns,
                                    .own_ns = own_ns,
                                    .end_ns = now_ns + length_ns,
                                    .period_ns = PERIOD_NS,
                                    .threads = THREADS,
                                    .wants_wall = wants_wall,
                                    .is_quiet = is_quiet,
                                });
}

static void begin(bool wants_wall)
{
    agenda = (struct cprof_agenda){0};
    now_ns = BEGIN_NS;
    own_ns = 5 * MS;
    begin_window(wants_wall, false, WINDOW_NS);
}

static void look(bool moved)
{
    own_ns += LOOK_NS;
    cprof_agenda_note_look(&agenda, now_ns, own_ns, moved, !moved);
    cprof_agenda_note_names(&agenda, now_ns, false);
}

static void scan(bool changed)
{
    own_ns += SCAN_NS;
    cprof_agenda_note_scan(&agenda, now_ns, SCAN_NS, changed, &ledger, 0);
}

static void scan_or_wait(void)
{
    if (agenda.is_scanned) {
        cprof_agenda_put_off_scan(&agenda, now_ns, own_ns);
    } else {
        scan(false);
    }
}

/* Asks what is worth asking; returns whether the others were asked for. */
static bool ask(bool have_run)
{
    bool is_asked = cprof_agenda_asks_for_others(&agenda, now_ns);

    cprof_agenda_note_others(&agenda, now_ns, is_asked, !is_asked || have_run);
    return is_asked;
}

/* What is due at once is due at 0. */
static void wait_for_next(void)
{
    uint64_t next_ns = cprof_agenda_next_ns(&agenda, NO_END);

    now_ns = next_ns > now_ns ? next_ns : now_ns;
}

/* One round: what is due at the next instant that something is. `runs`: all threads do. Returns
 * whether there was a look that was not spared. */
static bool go_on(bool runs)
{
    bool has_looked = false;

    wait_for_next();
    (void)ask(runs);
    if (cprof_agenda_scan_is_due(&agenda, now_ns)) {
        scan_or_wait();
    }
    if (cprof_agenda_look_is_due(&agenda, now_ns)) {
        if (cprof_agenda_may_stay(&agenda)) {
            cprof_agenda_note_stay(&agenda, now_ns, own_ns);
        } else {
            has_looked = true;
            look(runs);
        }
    }
    return has_looked;
}

static void go_on_for(uint64_t ns, bool runs)
{
    uint64_t until_ns = now_ns + ns;

    while (now_ns < until_ns) {
        (void)go_on(runs);
    }
}

static void a_look_is_due_at_once_and_a_scan_after_a_round(void)
{
    begin(true);
    EXPECT(cprof_agenda_look_is_due(&agenda, now_ns));
    EXPECT(!cprof_agenda_scan_is_due(&agenda, now_ns));
    EXPECT(!cprof_agenda_name_is_due(&agenda, now_ns));
    EXPECT(cprof_agenda_gap_mean_ns(&agenda, now_ns) == PERIOD_NS);

    begin(false);
    EXPECT(!cprof_agenda_look_is_due(&agenda, now_ns));
    EXPECT(cprof_agenda_next_ns(&agenda, NO_END) == now_ns + CPROF_AGENDA_ROUND_NS);
    EXPECT(cprof_agenda_next_ns(&agenda, now_ns + MS) == now_ns + MS);
}

/* However often threads move: nothing can be spared there. */
static void where_something_moves_others_are_asked_for_at_scans_alone(void)
{
    uint32_t asked = 0, looks = 0, scans = 0;

    begin(true);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        wait_for_next();
        asked += ask(true);
        if (cprof_agenda_scan_is_due(&agenda, now_ns)) {
            EXPECT(!agenda.is_scanned);
            scan(false);
            scans++;
        }
        if (cprof_agenda_look_is_due(&agenda, now_ns)) {
            EXPECT(!cprof_agenda_may_stay(&agenda));
            look(true);
            looks++;
        }
    }
    EXPECT(scans > ROUNDS / 20 && looks > 5 * scans);
    /* A scan waits for a look that comes soon. */
    EXPECT(asked >= scans && asked <= 3 * scans);
}

static void where_nothing_runs_looks_are_spared_after_one_that_proves_it(void)
{
    begin(true);
    EXPECT(go_on(false)); /* not asked before it: it proves nothing */
    EXPECT(!cprof_agenda_may_stay(&agenda));
    EXPECT(go_on(false));
    EXPECT(cprof_agenda_may_stay(&agenda));
    for (uint32_t i = 0; i < ROUNDS; i++) {
        EXPECT(!go_on(false));
    }
    EXPECT(go_on(true));
    EXPECT(!cprof_agenda_may_stay(&agenda));
}

static void an_answer_of_before_a_look_is_needed_to_know_that_all_stand_still(void)
{
    begin(true);
    EXPECT(!ask(false));
    look(false);
    EXPECT(!cprof_agenda_may_stay(&agenda));

    EXPECT(ask(true));
    look(false);
    EXPECT(cprof_agenda_may_stay(&agenda));
    EXPECT(ask(false));
    EXPECT(cprof_agenda_may_stay(&agenda));
    EXPECT(ask(true));
    EXPECT(!cprof_agenda_may_stay(&agenda));
}

static void names_that_are_left_keep_the_ticker_from_staying_away(void)
{
    begin(true);
    (void)go_on(false);
    (void)go_on(false);
    EXPECT(cprof_agenda_may_stay(&agenda));
    cprof_agenda_note_names(&agenda, now_ns, true);
    EXPECT(!cprof_agenda_may_stay(&agenda));
    EXPECT(!cprof_agenda_name_is_due(&agenda, now_ns));
    EXPECT(cprof_agenda_name_is_due(&agenda, now_ns + CPROF_AGENDA_NAME_NS));
}

/* However rare looks have become. */
static void a_window_that_begins_beside_others_begins_with_looks_a_period_apart(void)
{
    begin(true);
    go_on_for(20 * S, false);
    EXPECT(agenda.pace.mean_ns > 50 * PERIOD_NS);

    cprof_agenda_restart(&agenda, now_ns, PERIOD_NS);
    look(false);
    cprof_agenda_want_wall(&agenda, true);
    EXPECT(!cprof_agenda_may_stay(&agenda));
    EXPECT(agenda.look_ns - now_ns <= 2 * GAP_MEANS_MAX * PERIOD_NS);
    EXPECT(cprof_agenda_next_ns(&agenda, NO_END) <= agenda.look_ns);
}

static void a_new_period_counts_from_the_next_gap_on(void)
{
    begin(true);
    go_on_for(S, true);
    cprof_agenda_restart(&agenda, now_ns, 5 * PERIOD_NS);
    look(true);
    EXPECT(cprof_agenda_gap_mean_ns(&agenda, agenda.look_ns) == 5 * PERIOD_NS);
    EXPECT(cprof_agenda_gap_mean_ns(&agenda, agenda.look_ns + MS) == 5 * PERIOD_NS + MS);
}

static void wall_time_that_is_wanted_later_is_looked_at_at_once(void)
{
    begin(false);
    go_on_for(3 * S, true);
    cprof_agenda_want_wall(&agenda, true);
    EXPECT(cprof_agenda_look_is_due(&agenda, now_ns));

    (void)go_on(false);
    cprof_agenda_note_names(&agenda, now_ns, true);
    cprof_agenda_want_wall(&agenda, false);
    EXPECT(!cprof_agenda_look_is_due(&agenda, now_ns + S));
    EXPECT(!cprof_agenda_name_is_due(&agenda, now_ns + S));
}

static void scans_are_frequent_behind_a_thread_that_came_or_went_over_windows_too(void)
{
    begin(false);
    scan(true);
    EXPECT(agenda.restless_ns == now_ns + CPROF_AGENDA_RESTLESS_NS);
    begin_window(false, false, WINDOW_NS);
    EXPECT(agenda.restless_ns == now_ns + CPROF_AGENDA_RESTLESS_NS);
}

/* How often the ticker wakes up in a window of so long in which nothing runs. */
static uint32_t rounds_of(bool wants_wall, bool is_quiet, uint64_t length_ns)
{
    uint64_t until_ns = now_ns + length_ns;
    uint32_t rounds = 0;

    begin_window(wants_wall, is_quiet, length_ns);
    while (cprof_agenda_next_ns(&agenda, until_ns) < until_ns) {
        (void)go_on(false);
        rounds++;
    }
    now_ns = until_ns;
    return rounds;
}

static void a_worker_that_stays_idle_is_woken_less_often_in_its_next_windows(void)
{
    uint32_t first = 0, later = 0, first_of_cpu = 0, later_of_cpu = 0;

    for (uint32_t i = 0; i < 100; i++) {
        begin(true);
        now_ns += i; /* the seed */
        first += rounds_of(true, false, WINDOW_NS);
        now_ns += 50 * S;
        later += rounds_of(true, true, WINDOW_NS);
        begin(false);
        first_of_cpu += rounds_of(false, false, WINDOW_NS);
        now_ns += 50 * S;
        later_of_cpu += rounds_of(false, true, WINDOW_NS);
    }
    (void)fprintf(stderr, "  %.1f, then %.1f; CPU alone %.1f, then %.1f\n", first / 100.0,
                  later / 100.0, first_of_cpu / 100.0, later_of_cpu / 100.0);
    EXPECT(later <= 16 * 100 && later_of_cpu <= 16 * 100);
    EXPECT(later * 4 <= first * 3 && later_of_cpu * 4 <= first_of_cpu * 3);
}

static void a_short_window_has_many_looks_however_quiet_it_was_before(void)
{
    begin(true);
    now_ns += 3600 * S;
    begin_window(true, true, S);
    EXPECT(agenda.pace.mean_ns <= S / 20 && agenda.pace.mean_ns >= PERIOD_NS);
    begin_window(true, true, 0);
    EXPECT(agenda.pace.mean_ns == PERIOD_NS);
}

static void where_something_ran_between_windows_looks_begin_a_period_apart(void)
{
    begin(true);
    go_on_for(20 * S, false);
    begin_window(true, false, WINDOW_NS);
    EXPECT(agenda.pace.mean_ns == PERIOD_NS && agenda.ran_ns == now_ns);
}

static void another_number_of_threads_brings_the_next_scan_forward(void)
{
    begin(false);
    agenda.scan_pays_ns = now_ns + 100 * MS;
    agenda.scan_lazy_ns = now_ns + 900 * MS;
    cprof_agenda_note_others(&agenda, now_ns, true, true);
    EXPECT(cprof_agenda_next_ns(&agenda, NO_END) == agenda.scan_lazy_ns);
    cprof_agenda_note_threads(&agenda, THREADS + 1);
    cprof_agenda_note_others(&agenda, now_ns, true, true);
    EXPECT(cprof_agenda_next_ns(&agenda, NO_END) == agenda.scan_pays_ns);
}

static void threads_are_counted_from_when_a_scan_is_paid_for(void)
{
    begin(true);
    agenda.scan_pays_ns = now_ns + 100 * MS;
    agenda.scan_ns = agenda.scan_lazy_ns = now_ns + 900 * MS;
    EXPECT(!cprof_agenda_asks_for_threads(&agenda, now_ns + 99 * MS));
    EXPECT(cprof_agenda_asks_for_threads(&agenda, now_ns + 100 * MS));
    EXPECT(!cprof_agenda_asks_for_others(&agenda, now_ns + 100 * MS));
    EXPECT(cprof_agenda_asks_for_others(&agenda, now_ns + 900 * MS));
}

int main(void)
{
    RUN(a_look_is_due_at_once_and_a_scan_after_a_round);
    RUN(where_something_moves_others_are_asked_for_at_scans_alone);
    RUN(where_nothing_runs_looks_are_spared_after_one_that_proves_it);
    RUN(an_answer_of_before_a_look_is_needed_to_know_that_all_stand_still);
    RUN(names_that_are_left_keep_the_ticker_from_staying_away);
    RUN(a_window_that_begins_beside_others_begins_with_looks_a_period_apart);
    RUN(a_new_period_counts_from_the_next_gap_on);
    RUN(wall_time_that_is_wanted_later_is_looked_at_at_once);
    RUN(scans_are_frequent_behind_a_thread_that_came_or_went_over_windows_too);
    RUN(a_worker_that_stays_idle_is_woken_less_often_in_its_next_windows);
    RUN(a_short_window_has_many_looks_however_quiet_it_was_before);
    RUN(where_something_ran_between_windows_looks_begin_a_period_apart);
    RUN(another_number_of_threads_brings_the_next_scan_forward);
    RUN(threads_are_counted_from_when_a_scan_is_paid_for);
    return 0;
}
