/* segment.h - the memory file behind the shared segment: making it, mapping parts of it.
 *
 * Callers   the master makes it; workers map their slot; the gateway maps all. Never a handler.
 * Memory    a memfd, sealed against growing and shrinking, so that no process can make a
 *           reader's mapping fault. Mappings are owned by whoever asked for them.
 * Pages     those of the control page, the slots' headers and the commands are there from the
 *           start. All others come when they are needed, and may be refused: they are written
 *           after cprof_pages_take (pages.h) and read by cprof_segment_read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SEGMENT_H
#define CPROF_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/attributes.h"
#include "../base/error.h"
#include "layout.h"

/* Sizes and offsets for a segment of slot_count slots with logs of log_bytes. */
uint64_t cprof_segment_bytes(uint32_t slot_count, uint64_t log_bytes, uint32_t request_count);
uint64_t cprof_segment_slot_offset(uint32_t slot_index, uint64_t log_bytes);
uint64_t cprof_segment_log_offset(uint32_t slot_index, uint64_t log_bytes);
uint64_t cprof_segment_commands_offset(uint32_t slot_count, uint64_t log_bytes);
uint64_t cprof_segment_requests_offset(uint32_t slot_index, uint32_t slot_count, uint64_t log_bytes,
                                       uint32_t request_count);

/* The slots of an instance in their order: workers, then mules, then spoolers, each numbered
 * from 1. */
struct cprof_slot_counts {
    uint32_t workers;
    uint32_t mules;
    uint32_t spoolers;
    uint32_t cores; /* requests that one of them may serve at the same time */
};

/* Makes a segment with these slots; log_bytes is a multiple of CPROF_REGION_BYTES. *fd is
 * CLOEXEC and the caller's. False, too, where its first pages cannot be had. */
bool cprof_segment_create(int *fd, const struct cprof_slot_counts *counts, uint64_t log_bytes,
                          struct cprof_error *error) CPROF_MUST_USE;

/* The whole segment, mapped by a reader that trusts nothing in it. */
struct cprof_segment {
    uint8_t *base;
    uint64_t bytes;
    uint32_t slot_count; /* as validated when it was opened */
    uint64_t log_bytes;
    uint32_t request_count;
    int fd; /* borrowed */
};

/* Maps all of `fd` after checking its size, its seals and its control page against each other.
 * The caller closes it with cprof_segment_close, which leaves fd open. */
bool cprof_segment_open(struct cprof_segment *segment, int fd,
                        struct cprof_error *error) CPROF_MUST_USE;
void cprof_segment_close(struct cprof_segment *segment);

struct cprof_control *cprof_segment_control(const struct cprof_segment *segment);
struct cprof_tickets *cprof_segment_tickets(const struct cprof_segment *segment);
struct cprof_slot *cprof_segment_slot(const struct cprof_segment *segment, uint32_t slot_index);
/* The first of segment->request_count entries. */
struct cprof_request_entry *cprof_segment_requests(const struct cprof_segment *segment,
                                                   uint32_t slot_index);
struct cprof_commands *cprof_segment_commands(const struct cprof_segment *segment);
const uint8_t *cprof_segment_log(const struct cprof_segment *segment, uint32_t slot_index);

/* Copies `bytes` from `place` in the mapping, by a system call: a page that is not there reads as
 * zeros and is not made. False: not all could be read. */
bool cprof_segment_read(const struct cprof_segment *segment, const void *place, void *to,
                        size_t bytes) CPROF_MUST_USE;

/* Gives a slot's log back to the kernel (hole punched; zeroed where pages are locked), clears
 * its counters and opens it for `next_epoch`. Only the gateway calls this, and only for a slot
 * whose process has closed the epoch or is gone. */
void cprof_segment_recycle_slot(const struct cprof_segment *segment, uint32_t slot_index,
                                uint32_t next_epoch);

/* What a sampling process maps: the control page, its slot's header, log and requests, and nothing
 * of other slots. The control page is for reading; the rest is not inherited by forks
 * (MADV_DONTFORK), so that the app's own children cannot reach it. */
struct cprof_slot_mapping {
    const struct cprof_control *control;
    struct cprof_slot *slot;
    struct cprof_request_entry *requests;
    uint32_t request_count;
    uint8_t *log;
    uint64_t log_bytes;
};

/* Maps slot `slot_index` of the segment behind `fd`; the mappings last as long as the process. */
bool cprof_slot_map(struct cprof_slot_mapping *mapping, int fd, uint32_t slot_index,
                    struct cprof_error *error) CPROF_MUST_USE;

/* Maps the commands alone, for who writes them: the master, before it forks, for itself and all
 * that it forks. The mapping lasts as long as the process. NULL with the error. */
struct cprof_commands *cprof_commands_map(int fd, struct cprof_error *error) CPROF_MUST_USE;

/* Maps the control page for reading, for as long as the process lives: the master, for uWSGI's
 * metrics. NULL with the error. */
const struct cprof_control *cprof_control_map(int fd, struct cprof_error *error) CPROF_MUST_USE;

#endif
