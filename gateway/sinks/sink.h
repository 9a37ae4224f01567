/* sink.h - where profiles go: the interface of all sinks, and the list of those there are.
 *
 * Whoever has a profile hands it to the list with the reason for it; each sink takes those of its
 * own reasons. A sink that is done at once says what became of the profile; one that has a queue
 * keeps finished bytes, bounded, and says it later.
 *
 * Callers   the gateway's thread.
 * Waiting   who waits for one profile, as an HTTP request does, is no sink: askers/demand.h calls.
 * Memory    profile and reason are borrowed for the call: what a sink needs later it copies.
 * Failure   a sink reports its own troubles, once, in its own way, and never stops the gateway: a
 *           profile that cannot be delivered is dropped.
 * Counts    what was delivered and what was not is counted here. A window that is lost before it
 *           has a profile is counted where it is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SINK_H
#define CPROF_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/segment/layout.h"
#include "../profile/profile.h"
#include "hold.h"

#define CPROF_SINKS_MAX 8u

enum cprof_reason {
    CPROF_REASON_WINDOW = 1 << 0, /* a window of a second or more has ended, whoever ordered it;
                                   * its profiles may be handed over for another reason, too */
    CPROF_REASON_SCHEDULE = 1 << 1,
    CPROF_REASON_COMMAND = 1 << 2, /* of an operator: fifo, hook, alarm, HTTP */
    CPROF_REASON_ROUTE = 1 << 3,   /* a command that a route gives */
    CPROF_REASON_CLOUD = 1 << 4,   /* Cloud Profiler's */
    CPROF_REASON_SLOW = 1 << 5,    /* what one slow request did */
    CPROF_REASON_HARAKIRI = 1 << 6 /* what one worker did before uWSGI ended it */
};

/* Why there is a profile, and what belongs to that. */
struct cprof_why {
    enum cprof_reason reason;
    enum cprof_window_source source; /* of its samples */
    /* A gateway before this one may have delivered the same profile and been killed before it
     * could say so. A sink that can tell does not deliver it twice. */
    bool may_be_delivered;
    /* NULL: there is none. A sink that says CPROF_QUEUED keeps it until it knows the end. */
    struct cprof_hold *hold;
    /* Of a slow request and of harakiri: */
    uint32_t worker;       /* 0: it is about all */
    uint64_t time_unix_ns; /* when it happened; 0: when the profile begins */
    const char *text;      /* the same for people; NULL: there is none */
    /* Of Cloud Profiler: the window, which its sink gives back, and what stood beside it. */
    int handle;
    const char *ticket;
    size_t ticket_bytes;
};

enum cprof_delivery {
    CPROF_DELIVERED,
    CPROF_DROPPED, /* the sink has said why */
    CPROF_QUEUED,  /* the sink calls cprof_sink_count later */
};

struct cprof_sink_counts {
    uint64_t delivered, dropped, bytes; /* bytes: of what was delivered */
    uint64_t last_unix_ns;              /* when something was delivered; 0: never */
    bool is_failing;                    /* the last one was dropped */
};

struct cprof_sink {
    uint32_t reasons; /* enum cprof_reason: what it takes */
    enum cprof_delivery (*deliver)(struct cprof_sink *sink, struct cprof_profile *profile,
                                   const struct cprof_why *why);
    /* By the list's end. NULL only of a sink that its owner removes before. */
    void (*destroy)(struct cprof_sink *sink);
    /* Where profiles_written and profiles_failed move with its counts; NULL: what it keeps does
     * not outlive the gateway, and is not counted there. */
    struct cprof_control *control;
    struct cprof_sink_counts counts; /* for reading only */
};

/* All zero at first. */
struct cprof_sinks {
    struct cprof_sink *list[CPROF_SINKS_MAX];
    unsigned count;
};

/* False: there is no place. The sink is then the caller's as before, else the list's until it is
 * removed. NULL is no sink: false. */
bool cprof_sinks_add(struct cprof_sinks *sinks, struct cprof_sink *sink) CPROF_MUST_USE;
/* The sink is the caller's again. One that is not there does nothing. */
void cprof_sinks_remove(struct cprof_sinks *sinks, struct cprof_sink *sink);
/* Ends each sink that is there. */
void cprof_sinks_destroy(struct cprof_sinks *sinks);

/* Hands the profile to each sink that takes profiles of this reason, in the order of adding. */
void cprof_sinks_deliver(const struct cprof_sinks *sinks, struct cprof_profile *profile,
                         const struct cprof_why *why);

/* What became of a profile; by the sink, of one that it had queued. */
void cprof_sink_count(struct cprof_sink *sink, bool is_delivered, size_t byte_count);

/* A window of the sink's own is lost: there is no profile, and who lost it has moved
 * profiles_failed. */
void cprof_sink_count_lost(struct cprof_sink *sink);

#endif
