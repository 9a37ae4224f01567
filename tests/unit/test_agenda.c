/* test_agenda.c - see plugin/sample/agenda.h, with clocks of its own.
 *
 * sources: plugin/sample/agenda.c plugin/sample/pace.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/sample/agenda.h"

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

/* Windows end long after a gap of any length. */
#define GAP_MEANS_MAX 9u

static struct cprof_agenda agenda;
static uint64_t now_ns, own_ns;

/* A worker that is busy, and for whose looks and scans nothing is too much. */
static const struct cprof_ledger ledger = {.worker_ns = S, .wall_ns = S};

static void begin(bool wants_wall)
{
    agenda = (struct cprof_agenda){0};
    now_ns = BEGIN_NS;
    own_ns = 5 * MS;
    cprof_agenda_begin(&agenda, now_ns, own_ns, PERIOD_NS, THREADS, wants_wall);
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

/* One round: what is due at the next instant that something is. `runs`: all threads do. Returns
 * whether there was a look that was not spared. */
static bool go_on(bool runs)
{
    bool has_looked = false;

    now_ns = cprof_agenda_next_ns(&agenda, NO_END);
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
        now_ns = cprof_agenda_next_ns(&agenda, NO_END);
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
    cprof_agenda_begin(&agenda, now_ns + S, own_ns, PERIOD_NS, THREADS, false);
    EXPECT(agenda.restless_ns == now_ns + CPROF_AGENDA_RESTLESS_NS);
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
    RUN(another_number_of_threads_brings_the_next_scan_forward);
    RUN(threads_are_counted_from_when_a_scan_is_paid_for);
    return 0;
}
