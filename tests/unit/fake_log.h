/* fake_log.h - writes real logs for tests, through segment/log_writer.c, as a worker does.
 *
 * Names: a test that uses it says `sources: tests/unit/fake_log.c` at its top.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_FAKE_LOG_H
#define CPROF_FAKE_LOG_H

#include <stdint.h>

#include "../../shared/segment/log_writer.h"
#include "../../shared/segment/segment.h"

/* A segment of its own; ends the test program on failure. */
void fake_segment_open(struct cprof_segment *segment, uint32_t slot_count, uint64_t log_bytes);
void fake_segment_close(struct cprof_segment *segment);

/* A writer of slot `slot_index` in `epoch`, as process number `incarnation` there. */
struct cprof_log_writer fake_writer(const struct cprof_segment *segment, uint32_t slot_index,
                                    uint32_t epoch, uint32_t incarnation);

struct fake_code {
    const char *name, *qualified_name, *file;
    int32_t first_line;
    uint32_t line_format;
    const uint8_t *line_table;
    uint32_t line_table_bytes;
    uint32_t part_bytes; /* the table is written in parts of this size; 0: in one */
};

/* Each returns the reference of what was published, or CPROF_NO_REF if the log is full. */
uint32_t fake_code(struct cprof_log_writer *writer, const struct fake_code *code);
uint32_t fake_tag(struct cprof_log_writer *writer, uint32_t parent_ref, const char *key,
                  const char *value);

struct fake_stack {
    const struct cprof_frame *frames;
    uint16_t depth;
    enum cprof_stack_kind kind; /* 0: on the CPU */
    uint8_t flags;
    uint32_t state;
    enum cprof_gil gil;
    uint16_t system_call; /* its number + 1 */
    uint32_t tag_ref;
    uint64_t count, weight_ns, timer_weight_ns;
};

uint32_t fake_stack(struct cprof_log_writer *writer, const struct fake_stack *stack);

/* Samples of a stack that was written before, at an address. */
struct fake_leaf {
    uint32_t stack_ref;
    uint64_t pc;
    uint64_t count, weight_ns, timer_weight_ns;
};

uint32_t fake_leaf(struct cprof_log_writer *writer, const struct fake_leaf *leaf);

struct fake_mapping {
    uint64_t start, end, file_offset, inode;
    uint32_t device_major, device_minor;
    uint32_t incarnation;
    const char *path;
};

uint32_t fake_mapping(struct cprof_log_writer *writer, const struct fake_mapping *mapping);

/* What the slot's process says when it is done: its clock, and that the epoch is closed. */
void fake_close(const struct cprof_segment *segment, uint32_t slot_index, uint32_t epoch,
                uint64_t cpu_clock_ns);

#endif
