/* entries.h - what is known of each window that was ordered; private to this room.
 *
 * Callers   the gateway's thread.
 * Memory    the windows' own: cprof_entry_free gives back what an entry holds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ENTRIES_H
#define CPROF_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/units.h"
#include "harvest.h"
#include "left_windows.h"
#include "snapshot.h"
#include "windows.h"

/* Slots settle and close within milliseconds; a stopped process never does. */
#define CPROF_SETTLE_LOOK_NS (2 * NS_PER_MS)
#define CPROF_CLOSE_LOOK_NS  (10 * NS_PER_MS)
#define CPROF_CLOSE_WAIT_NS  NS_PER_S

/* The loop waits for so long, and for one step of the making, at most. */
#define CPROF_TURN_NS (5 * NS_PER_MS)

#define CPROF_SOURCES_MAX (CPROF_SOURCE_WATCH + 1)

enum cprof_stage {
    CPROF_STAGE_FREE,
    CPROF_STAGE_WAITING,  /* ordered, and not open yet */
    CPROF_STAGE_SETTLING, /* open beside others: slots bring their clocks up to date for the base */
    CPROF_STAGE_OPEN,
    CPROF_STAGE_CLOSING,  /* it, or a part of it, has ended; slots close or settle their logs */
    CPROF_STAGE_READING,  /* its profiles are made; one window at a time */
    CPROF_STAGE_PAUSED,   /* a part is read, and the next one has not begun */
    CPROF_STAGE_FINISHED, /* handed over, and not released yet */
};

/* The handle of an entry is its index and that of its descriptor. */
struct cprof_entry {
    enum cprof_stage stage;
    struct cprof_window_order order; /* but for its ticket */
    char *ticket;                    /* owned */
    size_t ticket_bytes;
    struct cprof_window window; /* the present part of it */
    uint64_t began_ns;          /* the first part, */
    uint64_t began_unix_ns;
    uint64_t until_ns; /* and when the last one is to end */
    bool goes_on;      /* another part follows the present one */
    struct cprof_snapshot base;
    struct cprof_snapshot end;   /* where others sample on */
    struct cprof_making *making; /* NULL: nothing of it was read */
    bool stands;                 /* its bit is set */
    bool adopted;
    bool hurried;         /* a window of a shorter period was open beside it */
    uint64_t look_ns;     /* when it is to be looked at again */
    uint64_t deadline_ns; /* of settling or closing */
};

struct cprof_windows {
    const struct cprof_config *config;
    const struct cprof_segment *segment;
    struct cprof_control *control;
    struct cprof_loop *loop;
    struct cprof_symbols *symbols; /* NULL: no memory for them */
    struct cprof_loop_timer timer;
    struct cprof_entry entries[CPROF_WINDOWS_MAX];
    struct cprof_left_windows left; /* of before a reload: their handles follow */
    struct cprof_adopter adopters[CPROF_SOURCES_MAX];
    struct cprof_windows_observer observer; /* its functions may be NULL */
    bool begun;
    bool fresh;               /* no window was opened in this epoch */
    uint64_t drained_by_ns;   /* until then slots may be closing a window that was taken back */
    uint64_t recycle_look_ns; /* when to try again to give the logs back */
    uint32_t recycle_slot;    /* the next one whose log is given back */
    uint64_t fill_look_ns;    /* when to see how full they are */
    uint64_t cut_ns;          /* when windows were cut last */
    uint64_t next_cut_ns;     /* not before that */
};

uint32_t cprof_entries_epoch(const struct cprof_windows *windows);
uint32_t cprof_entries_standing_mask(const struct cprof_windows *windows);
bool cprof_entries_have(const struct cprof_windows *windows, enum cprof_stage stage);

/* Do slots sample for it, or did until just now? */
bool cprof_entry_is_sampled(const struct cprof_entry *entry);

/* The window from its first part to the end of the present one. */
struct cprof_window cprof_entry_whole_window(const struct cprof_entry *entry);

/* All are looked at in the next turn of the loop. */
void cprof_entries_wake(struct cprof_windows *windows);

/* Its descriptor is nobody's any more. */
void cprof_entry_take_back(struct cprof_windows *windows, struct cprof_entry *entry);
/* The same of all that are at this stage. */
void cprof_entries_take_back(struct cprof_windows *windows, enum cprof_stage stage);

void cprof_entry_free(struct cprof_windows *windows, struct cprof_entry *entry);

/* Gives the logs back once no window needs them. */
void cprof_entries_recycle(struct cprof_windows *windows, uint64_t now_ns);

/* Hands the window to who ordered it: with its profiles, or lost for this reason. */
void cprof_entry_finish(struct cprof_windows *windows, struct cprof_entry *entry);
void cprof_entry_lose(struct cprof_windows *windows, struct cprof_entry *entry, const char *why);

/* Goes on with a look at all logs for a turn of the loop: whole, to be looked at again, or the
 * window is lost. */
enum cprof_step cprof_entry_take_snapshot(struct cprof_windows *windows, struct cprof_entry *entry,
                                          struct cprof_snapshot *snapshot);

#endif
