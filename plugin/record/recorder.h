/* recorder.h - turns raw stacks into counts in the slot's log.
 *
 * Common path  the raw words of the frames are hashed and looked up; a hit adds to the count
 *              and weight of the stack's record. No code object is touched.
 * First time   each frame's code object is interned by address: names, file and line table are
 *              copied into the log; then the stack's record is written, once per distinct stack.
 * Leaves       a sample that stood in native code counts on a record for its stack and address.
 *              These have a part of the log; where that is used up, the stack itself counts.
 * Deaths       a code object that dies is retired by the death hook (code_deaths.h) before its
 *              memory can be used again. Each retirement starts a new generation, which is part
 *              of every raw key: no stack of the old generation can be hit again by words that
 *              happen to be the same.
 * Contexts     what a handler needs for one sample: a log writer and scratch memory. There are
 *              CPROF_CONTEXTS_MAX of them, taken by CAS; a handler that finds none counts a miss.
 *              A nested or parallel sample takes another one.
 * Callers      handlers, ticker, death hook; begin and end: the ticker alone.
 * Memory       private mappings, given back to the kernel between epochs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_RECORDER_H
#define CPROF_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/segment/layout.h"
#include "../../shared/segment/log_writer.h"
#include "../python/peek.h"
#include "../python/runtime.h"
#include "../python/walker.h"
#include "../tags/tags.h"
#include "intern.h"

#define CPROF_CONTEXTS_MAX 16u

struct cprof_context {
    _Atomic uint32_t busy;
    enum cprof_peek_way way;
    int64_t deaths_expected; /* while a stack is read from outside; -1: deaths do not matter */
    struct cprof_log_writer writer;
    struct cprof_raw_frame *raw;  /* max_depth of them */
    struct cprof_frame *resolved; /* likewise */
    struct cprof_interned_parts parts;
    char name[CPROF_NAME_BYTES_MAX];
    char qualified_name[CPROF_NAME_BYTES_MAX];
    char file[CPROF_NAME_BYTES_MAX];
};

struct cprof_recorder {
    const struct cprof_python *python;
    struct cprof_slot *slot;
    uint8_t *log;
    uint64_t log_bytes;
    uint32_t max_depth;
    uint32_t leaves_max;         /* of leaf records, in this log */
    _Atomic uint32_t leaf_count; /* so far in this epoch */
    _Atomic uint32_t active;     /* an epoch is being recorded: the tables count */
    _Atomic uint32_t generation; /* of raw stack keys */
    _Atomic uint32_t deaths;     /* of code objects, known ones or not, since the epoch began */
    struct cprof_intern_table codes;
    struct cprof_intern_table stacks;
    struct cprof_intern_table leaves;
    struct cprof_context *contexts;
    void *memory; /* tables, contexts and their scratch, one mapping */
    uint64_t memory_bytes;
};

/* Maps the memory; nothing of it is touched yet. False: out of memory. */
bool cprof_recorder_create(struct cprof_recorder *recorder, const struct cprof_python *python,
                           struct cprof_slot *slot, uint8_t *log, uint64_t log_bytes,
                           uint32_t max_depth) CPROF_MUST_USE;
void cprof_recorder_destroy(struct cprof_recorder *recorder);

/* Starts an epoch with empty tables; no handler may be inside. */
void cprof_recorder_begin(struct cprof_recorder *recorder, uint32_t epoch, uint32_t incarnation);

/* Ends it and gives the memory back; no handler may be inside. */
void cprof_recorder_end(struct cprof_recorder *recorder);

/* A context for one sample, or NULL if all are taken. */
CPROF_SIGSAFE struct cprof_context *cprof_context_acquire(struct cprof_recorder *recorder);
CPROF_SIGSAFE void cprof_context_release(struct cprof_context *context);

/* One tag more than parent_ref's chain; CPROF_NO_REF if the log is full. */
CPROF_SIGSAFE uint32_t cprof_record_tag(struct cprof_context *context, uint32_t parent_ref,
                                        const char *key, const char *value);

/* A stack to be counted. Its frames stand in the context's `raw`. */
struct cprof_sample {
    uint32_t depth;
    uint32_t tag_ref;                  /* of the tags that the thread has all the while */
    const struct cprof_tag_list *tags; /* those of the moment; NULL: none */
    uint64_t weight_ns;                /* 0: no sample of its own, only timer_weight_ns */
    uint64_t timer_weight_ns;          /* see cprof_stack_record in segment/layout.h */
    enum cprof_stack_kind kind;
    uint32_t request;     /* mark of its request (tags.h), or 0 */
    uint32_t state;       /* enum cprof_state */
    uint8_t flags;        /* enum cprof_stack_flag */
    uint8_t gil;          /* enum cprof_gil */
    uint16_t system_call; /* as in struct cprof_stack_record */
    uintptr_t leaf_pc;    /* the interrupted instruction, if that is native code; 0: it is not */
};

enum cprof_recorded {
    CPROF_RECORDED,
    CPROF_RECORDED_LOG_FULL,   /* counted in the slot's log_full counters */
    CPROF_RECORDED_UNREADABLE, /* a code object is none: not counted anywhere */
};

CPROF_SIGSAFE enum cprof_recorded cprof_record_sample(struct cprof_recorder *recorder,
                                                      struct cprof_context *context,
                                                      const struct cprof_sample *sample);

/* The same in steps, for a stack that is read from outside (offcpu.c) and whose code objects may
 * die while it is recorded. Expect: before the stack is read. Find: *ref is the stack's record,
 * written if it is new, and nothing is counted; CPROF_RECORDED_UNREADABLE if a code object died
 * since, any one: nothing that was found then can be trusted, and it was taken back. Add: to a
 * record that a find gave. `change_ns` may be negative, for off-CPU records, which the ticker
 * alone writes; no weight becomes less than 0. Returns the change that was made. */
CPROF_SIGSAFE void cprof_record_expect(struct cprof_recorder *recorder,
                                       struct cprof_context *context);
CPROF_SIGSAFE enum cprof_recorded cprof_record_find(struct cprof_recorder *recorder,
                                                    struct cprof_context *context,
                                                    const struct cprof_sample *sample,
                                                    uint32_t *ref);

CPROF_SIGSAFE int64_t cprof_record_add(struct cprof_recorder *recorder, uint32_t ref,
                                       int64_t change_ns, uint64_t count);

/* To an off-CPU record: the thread was found waiting for a CPU there. The ticker alone. */
void cprof_record_add_wait(struct cprof_recorder *recorder, uint32_t ref, uint64_t waited_ns);

/* The code object at `address` is about to be freed. */
CPROF_SIGSAFE void cprof_recorder_retire(struct cprof_recorder *recorder, uintptr_t address);

#endif
