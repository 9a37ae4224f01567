/* log_writer.h - appends records to a slot's chunked log.
 *
 * Writer    one thread at a time per struct cprof_log_writer (a handler's context, the ticker).
 *           Many writers share one log: each claims chunks of its own by CAS and never waits.
 * Reader    the gateway, at any instant, also when the writer was SIGKILLed: it takes what is
 *           below each chunk's fill word.
 * Epochs    a claim names the epoch; a writer of an older epoch is refused.
 * Memory    the log is mapped by share/segment.c; nothing is allocated. Each page is asked for
 *           before it is written (pages.h); one that cannot be had refuses the record alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LOG_WRITER_H
#define CPROF_LOG_WRITER_H

#include <stdint.h>

#include "../base/attributes.h"
#include "layout.h"

struct cprof_log_writer {
    struct cprof_slot *slot;
    uint8_t *log;
    uint64_t log_bytes;
    uint32_t epoch;
    uint32_t incarnation;
    uint32_t chunk_offset; /* in the log; meaningless while has_chunk is 0 */
    uint32_t fill;         /* of the chunk, published records only */
    uint32_t reserved;     /* bytes of the record under way */
    uint32_t has_chunk;
    uint32_t taken; /* bytes from the chunk's start whose pages are there; 0: nor is its header */
};

/* Makes *writer ready to write into `epoch`; it claims its first chunk when it needs one. */
CPROF_SIGSAFE void cprof_log_writer_init(struct cprof_log_writer *writer, struct cprof_slot *slot,
                                         uint8_t *log, uint64_t log_bytes, uint32_t epoch,
                                         uint32_t incarnation);

/* Room for a record of `bytes` (header included; rounded up to a multiple of 8), its header
 * filled in, the rest zero. Invisible until published; a second reserve forgets the first.
 * NULL: the log is full, or the epoch is over, or the record is larger than a chunk, or the system
 * has no memory for it now, which the slot counts; the next record asks again. */
CPROF_SIGSAFE void *cprof_log_reserve(struct cprof_log_writer *writer, enum cprof_record_type type,
                                      uint32_t bytes);

/* Makes the record under way visible for good and returns its reference. */
CPROF_SIGSAFE uint32_t cprof_log_publish(struct cprof_log_writer *writer);

/* The record behind a reference that this process published itself. */
CPROF_SIGSAFE void *cprof_log_record(uint8_t *log, uint32_t ref);

#endif
