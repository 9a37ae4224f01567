/* agenda.h - what is due when in a window: looks at sleeping threads, questions for what they sleep
 * in, searches for new threads ("scans").
 *
 * Looks     pace.h says how far apart. Where nothing has run since one that found nothing moved,
 *           all stand still where they are known to be: the ticker may stay away from them.
 * Scans     come as soon as they are paid for where threads come and go, and more rarely where none
 *           does. Where nothing has run since the last one, there is nothing to find. They wait for
 *           a look that comes soon: one waking does for both.
 * Names     the kernel may not say at once what a thread sleeps in; it is asked again soon.
 * Callers   the ticker. Pure: no clock is read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_AGENDA_H
#define CPROF_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/segment/ledger.h"
#include "pace.h"

#define CPROF_AGENDA_ROUND_NS    UINT64_C(100000000) /* between two scans, at least */
#define CPROF_AGENDA_NAME_NS     UINT64_C(500000)    /* between two questions for names */
/* Threads come and go if one did in this time. */
#define CPROF_AGENDA_RESTLESS_NS UINT64_C(5000000000)

struct cprof_agenda {
    bool wants_wall;
    uint64_t scan_ns;      /* the threads and their clocks */
    uint64_t scan_pays_ns; /* from when on the next scan costs no more than it may, */
    uint64_t scan_lazy_ns; /* and than it should where threads do not come and go */
    uint64_t threads;      /* how many there are, */
    uint64_t scanned;      /* and were at the last scan */
    uint64_t restless_ns;  /* until when threads are taken to come and go; over windows, too */
    uint64_t look_ns;      /* sleeping threads */
    uint64_t name_ns;  /* what they sleep in, if the last look could not tell; UINT64_MAX: never */
    uint64_t ran_ns;   /* when something had run, at the latest */
    bool is_asked;     /* whether something ran, in this round; it goes without saying else */
    bool is_moving;    /* the last look found that something moved */
    bool is_known;     /* nothing ran since a look that found nothing moved, */
    bool is_scanned;   /* or since the last scan */
    uint64_t paid_ns;  /* the ticker's CPU time that is no part of the next look's cost */
    uint64_t scans_ns; /* its CPU time in all scans so far */
    uint64_t look_parts; /* cprof_pace_look_parts() */
    struct cprof_pace pace;
};

struct cprof_agenda_start {
    uint64_t now_ns;
    uint64_t own_ns;    /* the ticker's CPU clock, here and below */
    uint64_t end_ns;    /* of the window that ends first */
    uint64_t period_ns; /* of the samples */
    uint64_t threads;   /* that a scan has just found */
    bool wants_wall;    /* a look is due at once then */
    bool is_quiet;      /* nothing has run since the windows before */
};

/* Windows begin. Where nothing has run for long, looks and scans are not as frequent at first as
 * they are else; but a short window has many. */
void cprof_agenda_begin(struct cprof_agenda *agenda, const struct cprof_agenda_start *start);

/* A window begins, or the period is another one. A window may be short: its looks begin a period
 * apart, however rare they had become. */
void cprof_agenda_restart(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t period_ns);

/* Whether wall time is wanted from now on; nothing is known of where threads stand. */
void cprof_agenda_want_wall(struct cprof_agenda *agenda, bool wants_wall);

/* What is worth knowing at the begin of a round. An answer is used to spare looks and scans: where
 * the last look found threads moving, nothing is to be spared until the next scan, and others are
 * taken to have run. */
bool cprof_agenda_asks_for_threads(const struct cprof_agenda *agenda, uint64_t now_ns);
bool cprof_agenda_asks_for_others(const struct cprof_agenda *agenda, uint64_t now_ns);

/* There are so many threads. */
void cprof_agenda_note_threads(struct cprof_agenda *agenda, uint64_t threads);

/* Others have run since they were last asked for (or not asked, and are taken to have), or have
 * not. */
void cprof_agenda_note_others(struct cprof_agenda *agenda, uint64_t now_ns, bool is_asked,
                              bool have_run);

bool cprof_agenda_scan_is_due(const struct cprof_agenda *agenda, uint64_t now_ns);
bool cprof_agenda_look_is_due(const struct cprof_agenda *agenda, uint64_t now_ns);
bool cprof_agenda_name_is_due(const struct cprof_agenda *agenda, uint64_t now_ns);

/* When something is due, end_ns at the latest. */
uint64_t cprof_agenda_next_ns(const struct cprof_agenda *agenda, uint64_t end_ns);

/* A scan that began at now_ns took cost_ns; `changed`: a thread was new or gone. The ledger is the
 * worker's so far. */
void cprof_agenda_note_scan(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t cost_ns,
                            bool changed, const struct cprof_ledger *ledger,
                            uint32_t ceiling_hundredths);

/* A scan would find nothing, since nothing ran. What it costs to find that out again and again is
 * not to put off the scan that comes at last. */
void cprof_agenda_put_off_scan(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t own_ns);

/* How long gaps like the last one are on average. A look that comes late stands for that much
 * more. */
uint64_t cprof_agenda_gap_mean_ns(const struct cprof_agenda *agenda, uint64_t now_ns);

/* Do all threads stand still where they are known to be? */
bool cprof_agenda_may_stay(const struct cprof_agenda *agenda);

/* A look has ended. `is_still`: it found no thread that has moved or may wait for a CPU. */
void cprof_agenda_note_look(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t own_ns,
                            bool moved, bool is_still);

/* The ticker stayed away from all threads, or from all but new ones that stand still. */
void cprof_agenda_note_stay(struct cprof_agenda *agenda, uint64_t now_ns, uint64_t own_ns);

/* Names were asked for; some are left. */
void cprof_agenda_note_names(struct cprof_agenda *agenda, uint64_t now_ns, bool are_left);

#endif
