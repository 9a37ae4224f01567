/* left_windows.h - windows of a gateway before this one: what can still be made of them.
 *
 * A reload leaves a whole segment, whose processes are gone: what was sampled in it is written, one
 * window after the other, and the segment is let go when all its windows are released. A kill
 * leaves windows in the gateway's own segment: windows.c goes on with those.
 *
 * Callers   the gateway's thread.
 * Memory    segments are mapped, and their descriptors open, until their last window is released.
 * Trust     none: windows and tickets are checked copies.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LEFT_WINDOWS_H
#define CPROF_LEFT_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/config.h"
#include "../../shared/segment/layout.h"
#include "../../shared/segment/segment.h"
#include "harvest.h"
#include "windows.h"

#define CPROF_LEFT_SEGMENTS_MAX 8u

#define CPROF_LEFT_BASE_IS_LOST "the gateway that could tell its samples from older ones is gone"

/* Who takes windows of a source; finished NULL: nobody. */
struct cprof_adopter {
    cprof_window_finished finished;
    void *context;
};

/* One segment of before a reload. Fields are private. */
struct cprof_left_segment {
    struct cprof_segment segment;
    uint32_t unreleased; /* mask of its windows */
    struct cprof_window windows[CPROF_WINDOWS_MAX];
};

/* The first five are the caller's to set; the rest is zero at first, and private. */
struct cprof_left_windows {
    const struct cprof_config *config;
    struct cprof_symbols *symbols; /* of native functions, or NULL */
    struct cprof_control *control; /* of the present segment: counts what is lost */
    const struct cprof_adopter *adopters;
    uint32_t adopter_count;
    int first_handle; /* of the windows of the first segment */
    struct cprof_left_segment segments[CPROF_LEFT_SEGMENTS_MAX];
    unsigned segment_count;
    unsigned segment_at, window_at; /* what is being finished */
    struct cprof_window window;     /* that one, with its end put right */
    struct cprof_making *making;    /* NULL: it is not begun */
};

/* Takes a segment of before a reload on, and its descriptor; one that was written before is left
 * alone. */
void cprof_left_take(struct cprof_left_windows *left, int fd);

/* Does a step (harvest.h) of making the profiles of its windows, whose adopters are called, once
 * each; what nobody adopts is given up. */
void cprof_left_step(struct cprof_left_windows *left);
bool cprof_left_has_more(const struct cprof_left_windows *left);

/* As cprof_windows_release, _drop and _count, for windows of those segments. */
void cprof_left_release(struct cprof_left_windows *left, int handle);
void cprof_left_drop(struct cprof_left_windows *left, enum cprof_window_source source);
unsigned cprof_left_count(const struct cprof_left_windows *left, enum cprof_window_source source);

/* Unmaps what is not released; a later gateway may get the segments again. */
void cprof_left_close(struct cprof_left_windows *left);

/* Ends *window when its instance went down; or later than it should have ended, if others sampled
 * on into the same logs: there is no telling their samples from its own. */
void cprof_left_correct_end(struct cprof_control *control, struct cprof_window *window);

/* Logs that earlier parts of the window died with the gateway that had read them, if it had any. */
void cprof_left_warn_of_parts(const struct cprof_window *window);

/* A copy of the ticket of window `index`, "" if it is not sound; the caller frees it. NULL: out of
 * memory; *bytes is then 0. */
char *cprof_left_ticket(const struct cprof_segment *segment, unsigned index,
                        const struct cprof_window *window, size_t *bytes);

/* Says that a window's profiles are lost, and counts them. */
void cprof_left_count_lost(struct cprof_control *control, const struct cprof_window *window,
                           const char *why);

#endif
