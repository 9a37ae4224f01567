/* uploader.h - how profiles get to Cloud Profiler: create (hangs), a window, update, create ...
 *
 * Callers   the gateway's thread, on the loop; nothing blocks.
 * Windows   ordered from gateway/windows/windows.h by callbacks that askers/cloud_windows.c
 *           lends, so that this room knows no shared memory.
 * Troubles  each kind is logged once, in the operator's words with what to do (troubles.h), and
 *           once more when all is well again; between them it is tried on with back-off, for ever.
 * Kills     the session travels as the window's ticket: a later gateway uploads what it finds,
 *           while the name is still good. At the end nothing is waited for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_UPLOADER_H
#define CPROF_UPLOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/layout.h"
#include "../loop/loop.h"

/* A window as the uploader wants it. */
struct cprof_upload_order {
    enum cprof_kind kind;
    uint64_t duration_ns;
    const char *ticket; /* borrowed for the call */
    size_t ticket_bytes;
};

/* What lends it windows. */
struct cprof_upload_host {
    void *context;
    /* Orders a window; returns its handle, or -1: none is free now. */
    int (*open)(void *context, const struct cprof_upload_order *order);
    /* Does a window of a gateway before this one still sample? Its profile goes first. */
    bool (*expects_more)(void *context);
    /* The window is done with: its logs may be given back. */
    void (*release)(void *context, int handle);
    /* A profile was sent, or given up; not of a window that was lost. */
    void (*count)(void *context, bool sent, size_t byte_count);
};

struct cprof_uploader;

/* NULL with the error. config and host are borrowed. Starts at the next turn of the loop. */
struct cprof_uploader *cprof_uploader_create(struct cprof_loop *loop,
                                             const struct cprof_config *config,
                                             const struct cprof_upload_host *host,
                                             struct cprof_error *error);
/* Breaks off whatever hangs, at once, and says how many profiles were not sent. */
void cprof_uploader_destroy(struct cprof_uploader *uploader);

/* How many profiles wait to be sent. */
unsigned cprof_uploader_queued(const struct cprof_uploader *uploader);

/* The window `handle` is finished. bytes (NULL: it was lost) are copied, here and below. */
void cprof_uploader_window_finished(struct cprof_uploader *uploader, int handle,
                                    const uint8_t *bytes, size_t byte_count);

/* A window of a gateway before this one, finished; at any time. The ticket is not trusted. */
void cprof_uploader_adopt(struct cprof_uploader *uploader, int handle, const char *ticket,
                          size_t ticket_bytes, const uint8_t *bytes, size_t byte_count);

/* Writes the trouble that the operator was told of and that still lasts; "" if all is well. */
void cprof_uploader_trouble(const struct cprof_uploader *uploader, char *text, size_t text_bytes);

#endif
