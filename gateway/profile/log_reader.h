/* log_reader.h - reads a slot's log as if a stranger had written it.
 *
 * Callers   the gateway's thread.
 * Trust     none. What is published is copied out first; everything after that works on the
 *           copy, so that nothing can change under a check. A record is used only if it and all
 *           that it refers to are sound; the rest is counted in `rejected`.
 * Memory    the copy and its marks: at most 9/8 of what is copied. Owned by the view. Of a log that
 *           is larger than the caller wants to copy, the rest is summed up.
 * Time      proportional to the log's size: chains of tags and of line table parts are bounded.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LOG_READER_H
#define CPROF_LOG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/layout.h"
#include "../../shared/segment/segment.h"
#include "clean_text.h"
#include "requests.h"

/* What stacks and leaves count. */
struct cprof_log_numbers {
    uint64_t count, weight_ns, timer_weight_ns;
};

/* Sums of stacks that are not listed. */
enum cprof_rest {
    CPROF_REST_ON_CPU,
    CPROF_REST_OFF_CPU,
    CPROF_REST_IDLE, /* off the CPU, too */
    CPROF_REST_RUNNABLE,
    CPROF_REST_COUNT,
};

/* One epoch of one slot, copied. */
struct cprof_log_view {
    uint32_t slot_index;
    uint32_t kind;       /* enum cprof_slot_kind, sound */
    uint32_t number;     /* as the slot says */
    bool closed;         /* the slot's process said that the epoch is complete */
    bool successors;     /* more than one process wrote */
    uint64_t settled_ns; /* or at least that it is up to here */

    uint64_t counters[CPROF_COUNTER_COUNT]; /* as the slot says */

    /* What the marks of its stacks stand for, borrowed; NULL: nobody asked. Set by the caller. */
    const struct cprof_request_list *requests;

    uint32_t *stacks; /* references of sound stack and leaf records that say something, sorted */
    size_t stack_count;
    uint32_t *mappings; /* references of sound mapping records */
    size_t mapping_count;
    uint64_t rejected;  /* records and chunks that made no sense */
    uint64_t log_bytes; /* that the slot claimed, whether they were copied or not */

    struct cprof_log_numbers rest[CPROF_REST_COUNT];
    uint64_t rest_stacks[CPROF_REST_COUNT]; /* records in each; in a difference, at most so many */
    bool is_folded;                         /* no stack is listed: all are in the sums */

    /* Private. */
    uint8_t *bytes; /* copied chunks, at their offsets in the log */
    uint8_t *types; /* for each 8 bytes: the type of the sound record that starts there, or 0 */
    size_t byte_count;
    size_t line_bytes_left;  /* of line tables that may still be put together */
    size_t leaf_frames_left; /* of stacks that leaves may still stand on */
};

/* Copies what slot `slot_index` published in `epoch`. An unused slot gives an empty view. False
 * only without memory. The caller ends it with cprof_log_view_reset. */
bool cprof_log_read(struct cprof_log_view *view, const struct cprof_segment *segment,
                    uint32_t slot_index, uint32_t epoch, struct cprof_error *error) CPROF_MUST_USE;
/* The same of the log's first bytes_max bytes. Of what lies behind, or names a record that lies
 * there, the numbers of stacks and leaves that are sound in themselves stand in `rest`. */
bool cprof_log_read_part(struct cprof_log_view *view, const struct cprof_segment *segment,
                         uint32_t slot_index, uint32_t epoch, uint64_t bytes_max,
                         struct cprof_error *error) CPROF_MUST_USE;
void cprof_log_view_reset(struct cprof_log_view *view);

/* How much of the log was copied: the slot's claim alone says little. */
size_t cprof_log_copied_bytes(const struct cprof_log_view *view);

/* The stack behind a reference in view->stacks; a leaf's is the one it stands on. Its kind is one
 * of enum cprof_stack_kind, all its frames name sound code records and its tags are a sound chain.
 */
const struct cprof_stack_record *cprof_log_stack(const struct cprof_log_view *view, uint32_t ref);

/* The reference of that stack. */
uint32_t cprof_log_stack_ref(const struct cprof_log_view *view, uint32_t ref);

/* What a reference in view->stacks counts: a leaf's samples are not in its stack's numbers. */
struct cprof_log_numbers cprof_log_numbers(const struct cprof_log_view *view, uint32_t ref);

/* Where the samples of a leaf stood. */
struct cprof_log_leaf {
    uint64_t pc;
    uint32_t incarnation; /* of the process */
};

/* False: the reference in view->stacks is no leaf's. */
bool cprof_log_leaf(const struct cprof_log_view *view, uint32_t ref, struct cprof_log_leaf *leaf);

/* Executable memory of a process, as it said. start < end. */
struct cprof_log_mapping {
    uint64_t start, end, file_offset, inode;
    uint32_t device_major, device_minor;
    uint32_t incarnation;
    char path[CPROF_MAPPING_PATH_BYTES_MAX + 1]; /* any bytes */
};

/* Reads a mapping of view->mappings. */
void cprof_log_mapping(const struct cprof_log_view *view, uint32_t ref,
                       struct cprof_log_mapping *mapping);

/* Puts a stack's numbers into the sums. It stays in view->stacks. */
void cprof_log_add_to_rest(struct cprof_log_view *view, enum cprof_rest rest,
                           const struct cprof_log_numbers *numbers);

/* What an earlier look at the same epoch of the slot said of one stack or leaf. */
struct cprof_log_base {
    uint32_t ref;
    uint32_t rest; /* enum cprof_rest, of the sum that its numbers are in where none are listed */
    struct cprof_log_numbers numbers;
};

/* Takes an earlier look off: the counters of `earlier` (whose log is not looked at) and what
 * `count` stacks, in the order of their references, had then. Nothing becomes less than 0; stacks
 * that say nothing any more are left out. Counts of threads, which are no sums, stay as they
 * are. */
void cprof_log_subtract(struct cprof_log_view *view, const struct cprof_log_view *earlier,
                        const struct cprof_log_base *bases, size_t count);

/* Makes it what an earlier look at it said, likewise: counters, whether it was closed, and what
 * `count` stacks had then. The others are left out. */
void cprof_log_cut(struct cprof_log_view *view, const struct cprof_log_view *earlier,
                   const struct cprof_log_base *bases, size_t count);

/* What the thread of a sound stack slept in; CPROF_STATE_UNKNOWN for a number that is none. */
uint32_t cprof_log_state(const struct cprof_stack_record *stack);

/* The thread of a sound stack, as the first tag of its chain, which names the thread; or
 * CPROF_NO_REF. Equal for all stacks of a thread. */
uint32_t cprof_log_thread(const struct cprof_log_view *view,
                          const struct cprof_stack_record *stack);

/* A code object, its texts cleaned. */
struct cprof_log_code {
    int32_t first_line;
    uint32_t line_format;
    char name[CPROF_CLEAN_TEXT_BYTES(CPROF_NAME_BYTES_MAX)];
    char qualified_name[CPROF_CLEAN_TEXT_BYTES(CPROF_NAME_BYTES_MAX)]; /* empty: none */
    char file[CPROF_CLEAN_TEXT_BYTES(CPROF_NAME_BYTES_MAX)];
};

/* The code record that a frame of a sound stack names. */
void cprof_log_code(const struct cprof_log_view *view, uint32_t ref, struct cprof_log_code *code);

/* Its file as it stands in the record: any bytes, without a NUL behind them. */
const char *cprof_log_file(const struct cprof_log_view *view, uint32_t ref, size_t *bytes);

/* Puts the code's line table together in `table` (CPROF_LINE_TABLE_BYTES_MAX bytes) and returns
 * its length; 0: it has none, or it is not sound. A truthful log holds each table once, so that
 * all tables of a view may not have more bytes than its log. */
size_t cprof_log_line_table(struct cprof_log_view *view, uint32_t code_ref, uint8_t *table);

/* A tag, its texts cleaned. */
struct cprof_log_tag {
    char key[CPROF_CLEAN_TEXT_BYTES(CPROF_NAME_BYTES_MAX)];
    char value[CPROF_CLEAN_TEXT_BYTES(CPROF_NAME_BYTES_MAX)];
};

/* The next tag of a sound stack's chain, or CPROF_NO_REF. */
uint32_t cprof_log_parent_tag(const struct cprof_log_view *view, uint32_t ref);

/* Reads the tag `ref` of a sound stack and returns the next one of the chain, or CPROF_NO_REF. */
uint32_t cprof_log_tag(const struct cprof_log_view *view, uint32_t ref, struct cprof_log_tag *tag);

#endif
