/* agenda.c - see agenda.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agenda.h"

#include <stddef.h>

#include "../../shared/base/random.h"

#define ROUND_NS CPROF_AGENDA_ROUND_NS

/* A window begins as if nothing had run for this part of it at most. */
#define QUIET_PART 5u

/* For how long nothing has run by now, but for a part of the time until the window's end at
 * most. */
static uint64_t quiet_before(const struct cprof_agenda *agenda,
                             const struct cprof_agenda_start *start)
{
    uint64_t quiet_ns = start->is_quiet ? start->now_ns - agenda->ran_ns : 0;
    uint64_t most_ns =
        start->end_ns > start->now_ns ? (start->end_ns - start->now_ns) / QUIET_PART : 0;

    return quiet_ns < most_ns ? quiet_ns : most_ns;
}

void cprof_agenda_begin(struct cprof_agenda *agenda, const struct cprof_agenda_start *start)
{
    uint64_t quiet_ns = quiet_before(agenda, start);
    uint64_t next_ns = start->now_ns + ROUND_NS;

    *agenda = (struct cprof_agenda){
        .wants_wall = start->wants_wall,
        .scan_ns = start->now_ns + cprof_pace_idle_ns(quiet_ns, ROUND_NS),
        .scan_pays_ns = next_ns,
        .scan_lazy_ns = next_ns,
        .threads = start->threads,
        .scanned = start->threads,
        .restless_ns = agenda->restless_ns,
        .name_ns = UINT64_MAX,
        .ran_ns = start->now_ns - quiet_ns,
        .is_moving = !start->is_quiet,
        .is_scanned = start->is_quiet,
        .paid_ns = start->own_ns,
        .look_parts = CPROF_PACE_LOOK_PARTS_MIN,
    };
    cprof_pace_begin(&agenda->pace, start->period_ns, quiet_ns, start->now_ns);
}

void cprof_agenda_restart(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t period_ns)
{
    cprof_pace_begin(&agenda->pace, period_ns, 0, now_ns);
}

void cprof_agenda_want_wall(struct cprof_agenda *agenda, bool wants_wall)
{
    if (agenda->wants_wall && !wants_wall) {
        agenda->name_ns = UINT64_MAX;
    }
    if (wants_wall && !agenda->wants_wall) {
        agenda->look_ns = 0;
    }
    agenda->is_known = false;
    agenda->wants_wall = wants_wall;
}

/* Their number tells at once, but as many may come as go. */
static uint64_t next_scan_ns(const struct cprof_agenda *agenda, uint64_t now_ns)
{
    bool is_restless = agenda->threads != agenda->scanned || now_ns < agenda->restless_ns;

    return is_restless ? agenda->scan_pays_ns : agenda->scan_lazy_ns;
}

bool cprof_agenda_asks_for_others(const struct cprof_agenda *agenda, uint64_t now_ns)
{
    return !agenda->wants_wall || !agenda->is_moving || now_ns >= agenda->scan_ns;
}

bool cprof_agenda_asks_for_threads(const struct cprof_agenda *agenda, uint64_t now_ns)
{
    return cprof_agenda_asks_for_others(agenda, now_ns) || now_ns >= agenda->scan_pays_ns;
}

void cprof_agenda_note_threads(struct cprof_agenda *agenda, uint64_t threads)
{
    agenda->threads = threads;
}

void cprof_agenda_note_others(struct cprof_agenda *agenda, uint64_t now_ns, bool is_asked,
                              bool have_run)
{
    agenda->is_asked = is_asked;
    if (have_run) {
        agenda->ran_ns = now_ns;
        agenda->is_known = agenda->is_scanned = false;
        agenda->scan_ns = next_scan_ns(agenda, now_ns);
    }
}

/* Anywhere around the mean: perf events begin another step at a scan, and must not do so in step
 * with the app. */
static uint64_t later(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t pause_ns)
{
    return now_ns + pause_ns * 3 / 4 + cprof_random_below(&agenda->pace.random, pause_ns / 2);
}

static void plan_scan(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t cost_ns,
                      const struct cprof_ledger *ledger, uint32_t ceiling_hundredths)
{
    agenda->scanned = agenda->threads;
    agenda->look_parts = cprof_pace_look_parts(ledger, ceiling_hundredths, agenda->scans_ns);
    agenda->scan_pays_ns =
        later(agenda, now_ns, cprof_pace_scan_ns(ledger, ceiling_hundredths, cost_ns, ROUND_NS));
    agenda->scan_lazy_ns = later(
        agenda, now_ns, cprof_pace_lazy_scan_ns(ledger, ceiling_hundredths, cost_ns, ROUND_NS));
    agenda->scan_ns = next_scan_ns(agenda, now_ns);
}

void cprof_agenda_note_scan(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t cost_ns,
                            bool changed, const struct cprof_ledger *ledger,
                            uint32_t ceiling_hundredths)
{
    if (changed) {
        agenda->restless_ns = now_ns + CPROF_AGENDA_RESTLESS_NS;
    }
    agenda->is_scanned = agenda->is_asked;
    agenda->paid_ns += cost_ns;
    agenda->scans_ns += cost_ns;
    plan_scan(agenda, now_ns, cost_ns, ledger, ceiling_hundredths);
}

/* Where there are no looks, a scan pays for waking up, too. */
void cprof_agenda_put_off_scan(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t own_ns)
{
    if (!agenda->wants_wall) {
        agenda->scans_ns += own_ns - agenda->paid_ns;
        agenda->paid_ns = own_ns;
    }
    agenda->scan_ns = now_ns + cprof_pace_idle_ns(now_ns - agenda->ran_ns, ROUND_NS);
}

/* A scan waits for a look that comes soon, or at all where nothing runs: one waking does for both,
 * and is dearer than what is done then. A scan is only put off, so that it never comes before it is
 * paid for. */
static uint64_t scan_due_ns(const struct cprof_agenda *agenda)
{
    bool is_quiet = agenda->is_scanned && agenda->is_known;
    uint64_t latest_ns = agenda->scan_ns + (is_quiet ? CPROF_PACE_IDLE_MAX_NS : ROUND_NS / 2);

    if (!agenda->wants_wall || agenda->look_ns < agenda->scan_ns) {
        return agenda->scan_ns;
    }
    return agenda->look_ns < latest_ns ? agenda->look_ns : latest_ns;
}

bool cprof_agenda_scan_is_due(const struct cprof_agenda *agenda, uint64_t now_ns)
{
    return now_ns >= scan_due_ns(agenda);
}

bool cprof_agenda_look_is_due(const struct cprof_agenda *agenda, uint64_t now_ns)
{
    return agenda->wants_wall && now_ns >= agenda->look_ns;
}

bool cprof_agenda_name_is_due(const struct cprof_agenda *agenda, uint64_t now_ns)
{
    return agenda->wants_wall && now_ns >= agenda->name_ns;
}

static uint64_t sooner(uint64_t left_ns, uint64_t right_ns)
{
    return left_ns < right_ns ? left_ns : right_ns;
}

uint64_t cprof_agenda_next_ns(const struct cprof_agenda *agenda, uint64_t end_ns)
{
    end_ns = sooner(end_ns, scan_due_ns(agenda));
    return agenda->wants_wall ? sooner(end_ns, sooner(agenda->look_ns, agenda->name_ns)) : end_ns;
}

uint64_t cprof_agenda_gap_mean_ns(const struct cprof_agenda *agenda, uint64_t now_ns)
{
    return agenda->pace.mean_ns + (agenda->look_ns ? now_ns - agenda->look_ns : 0);
}

bool cprof_agenda_may_stay(const struct cprof_agenda *agenda)
{
    return agenda->is_known && agenda->name_ns == UINT64_MAX;
}

/* The cost is all that the ticker has used since the last look, without scans: waking up, too. */
static void plan_look(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t own_ns, bool moved)
{
    agenda->look_ns = now_ns + cprof_pace_next(&agenda->pace, moved, own_ns - agenda->paid_ns,
                                               agenda->look_parts);
    agenda->paid_ns = own_ns;
}

void cprof_agenda_note_look(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t own_ns,
                            bool moved, bool is_still)
{
    plan_look(agenda, now_ns, own_ns, moved);
    agenda->is_moving = moved;
    agenda->is_known = is_still && agenda->is_asked;
    agenda->name_ns = 0;
}

void cprof_agenda_note_stay(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t own_ns)
{
    plan_look(agenda, now_ns, own_ns, false);
}

void cprof_agenda_note_names(struct cprof_agenda *agenda, uint64_t now_ns, bool are_left)
{
    agenda->name_ns = are_left ? now_ns + CPROF_AGENDA_NAME_NS : UINT64_MAX;
}
