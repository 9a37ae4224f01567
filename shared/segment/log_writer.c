/* log_writer.c - see log_writer.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "log_writer.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "pages.h"

void cprof_log_writer_init(struct cprof_log_writer *writer, struct cprof_slot *slot, uint8_t *log,
                           uint64_t log_bytes, uint32_t epoch, uint32_t incarnation)
{
    *writer = (struct cprof_log_writer){
        .slot = slot,
        .log = log,
        .log_bytes = log_bytes,
        .epoch = epoch,
        .incarnation = incarnation,
    };
}

/* Takes the next free chunk. The CAS fails for good once the gateway has moved the claim word
 * to another epoch, so that a late writer cannot touch a log that was given back. */
static bool claim_chunk(struct cprof_log_writer *writer)
{
    uint64_t claim = atomic_load_explicit(&writer->slot->claim, memory_order_acquire);

    do {
        if (claim >> 32 != writer->epoch ||
            ((claim & UINT32_MAX) + 1) * CPROF_CHUNK_BYTES > writer->log_bytes) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&writer->slot->claim, &claim, claim + 1,
                                                    memory_order_acq_rel, memory_order_acquire));
    writer->chunk_offset = (uint32_t)(claim & UINT32_MAX) * CPROF_CHUNK_BYTES;
    writer->fill = 0;
    writer->taken = 0;
    writer->has_chunk = 1;
    return true;
}

static struct cprof_chunk *chunk_of(const struct cprof_log_writer *writer)
{
    return (struct cprof_chunk *)(void *)(writer->log + writer->chunk_offset);
}

/* Makes sure that the chunk can be written up to `end`. A chunk keeps its place if not: what is
 * left of the log is not used up by asking. */
static bool take_pages(struct cprof_log_writer *writer, uint32_t end)
{
    struct cprof_chunk *chunk = chunk_of(writer);

    if (end <= writer->taken) {
        return true;
    }
    if (!cprof_pages_take((uint8_t *)chunk + writer->taken, end - writer->taken)) {
        atomic_fetch_add_explicit(&writer->slot->counters[CPROF_COUNTER_MEMORY_REFUSED], 1,
                                  memory_order_relaxed);
        return false;
    }
    if (writer->taken == 0) {
        chunk->epoch = writer->epoch;
        chunk->incarnation = writer->incarnation;
    }
    writer->taken = (end + CPROF_PAGE_BYTES - 1) / CPROF_PAGE_BYTES * CPROF_PAGE_BYTES;
    return true;
}

static uint8_t *record_address(const struct cprof_log_writer *writer)
{
    return (uint8_t *)(chunk_of(writer) + 1) + writer->fill;
}

void *cprof_log_reserve(struct cprof_log_writer *writer, enum cprof_record_type type,
                        uint32_t bytes)
{
    uint32_t rounded;
    struct cprof_record *record;

    if (bytes > CPROF_CHUNK_PAYLOAD_BYTES ||
        atomic_load_explicit(&writer->slot->claim, memory_order_relaxed) >> 32 != writer->epoch) {
        return NULL;
    }
    rounded = (bytes + 7u) & ~7u;
    if ((!writer->has_chunk || writer->fill + rounded > CPROF_CHUNK_PAYLOAD_BYTES) &&
        !claim_chunk(writer)) {
        return NULL;
    }
    if (!take_pages(writer, (uint32_t)sizeof(struct cprof_chunk) + writer->fill + rounded)) {
        return NULL;
    }
    record = (struct cprof_record *)(void *)record_address(writer);
    /* Not only for tidiness: an earlier record may have been given up here half-written. */
    memset(record, 0, rounded);
    record->type = (uint16_t)type;
    record->bytes = rounded;
    writer->reserved = rounded;
    return record;
}

uint32_t cprof_log_publish(struct cprof_log_writer *writer)
{
    struct cprof_chunk *chunk = chunk_of(writer);
    uint32_t ref = (writer->chunk_offset + (uint32_t)sizeof(struct cprof_chunk) + writer->fill) / 8;

    writer->fill += writer->reserved;
    writer->reserved = 0;
    atomic_store_explicit(&chunk->fill, writer->fill, memory_order_release);
    return ref;
}

void *cprof_log_record(uint8_t *log, uint32_t ref)
{
    return log + (uint64_t)ref * 8;
}
