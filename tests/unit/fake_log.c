/* fake_log.c - see fake_log.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fake_log.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "expect.h"

void fake_segment_open(struct cprof_segment *segment, uint32_t slot_count, uint64_t log_bytes)
{
    struct cprof_error error;
    int fd;

    EXPECT(cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = slot_count}, log_bytes,
                                &error));
    EXPECT(cprof_segment_open(segment, fd, &error));
}

void fake_segment_close(struct cprof_segment *segment)
{
    close(segment->fd);
    cprof_segment_close(segment);
}

struct cprof_log_writer fake_writer(const struct cprof_segment *segment, uint32_t slot_index,
                                    uint32_t epoch, uint32_t incarnation)
{
    struct cprof_log_writer writer;

    cprof_log_writer_init(&writer, cprof_segment_slot(segment, slot_index),
                          segment->base + cprof_segment_log_offset(slot_index, segment->log_bytes),
                          segment->log_bytes, epoch, incarnation);
    return writer;
}

static uint32_t write_lines(struct cprof_log_writer *writer, const struct fake_code *code)
{
    uint32_t part = code->part_bytes ? code->part_bytes : CPROF_LINES_PART_BYTES_MAX;
    uint32_t ref = CPROF_NO_REF;

    for (uint32_t done = 0; done < code->line_table_bytes; done += part) {
        uint32_t left = code->line_table_bytes - done;
        uint32_t bytes = left < part ? left : part;
        struct cprof_lines_record *lines =
            cprof_log_reserve(writer, CPROF_RECORD_LINES, (uint32_t)sizeof(*lines) + bytes);

        if (!lines) {
            return CPROF_NO_REF;
        }
        lines->previous_ref = ref;
        lines->part_bytes = bytes;
        memcpy(lines + 1, code->line_table + done, bytes);
        ref = cprof_log_publish(writer);
    }
    return ref;
}

uint32_t fake_code(struct cprof_log_writer *writer, const struct fake_code *code)
{
    const char *qualified_name = code->qualified_name ? code->qualified_name : "";
    size_t name_bytes = strlen(code->name), file_bytes = strlen(code->file);
    size_t qualified_name_bytes = strlen(qualified_name);
    uint32_t lines_ref = write_lines(writer, code);
    struct cprof_code_record *record = cprof_log_reserve(
        writer, CPROF_RECORD_CODE,
        (uint32_t)(sizeof(*record) + name_bytes + qualified_name_bytes + file_bytes));
    char *text;

    if (!record) {
        return CPROF_NO_REF;
    }
    record->first_line = code->first_line;
    record->line_format = code->line_format;
    record->lines_ref = lines_ref;
    record->line_table_bytes = code->line_table_bytes;
    record->name_bytes = (uint16_t)name_bytes;
    record->qualified_name_bytes = (uint16_t)qualified_name_bytes;
    record->file_bytes = (uint16_t)file_bytes;
    text = (char *)(record + 1);
    memcpy(text, code->name, name_bytes);
    memcpy(text + name_bytes, qualified_name, qualified_name_bytes);
    memcpy(text + name_bytes + qualified_name_bytes, code->file, file_bytes);
    return cprof_log_publish(writer);
}

uint32_t fake_tag(struct cprof_log_writer *writer, uint32_t parent_ref, const char *key,
                  const char *value)
{
    size_t key_bytes = strlen(key), value_bytes = strlen(value);
    struct cprof_tag_record *tag = cprof_log_reserve(
        writer, CPROF_RECORD_TAG, (uint32_t)(sizeof(*tag) + key_bytes + value_bytes));

    if (!tag) {
        return CPROF_NO_REF;
    }
    tag->parent_ref = parent_ref;
    tag->key_bytes = (uint16_t)key_bytes;
    tag->value_bytes = (uint16_t)value_bytes;
    memcpy(tag + 1, key, key_bytes);
    memcpy((char *)(tag + 1) + key_bytes, value, value_bytes);
    return cprof_log_publish(writer);
}

uint32_t fake_stack(struct cprof_log_writer *writer, const struct fake_stack *stack)
{
    _Atomic uint64_t *counters = writer->slot->counters;
    struct cprof_stack_record *record =
        cprof_log_reserve(writer, CPROF_RECORD_STACK,
                          (uint32_t)(sizeof(*record) + stack->depth * sizeof(struct cprof_frame)));

    if (!record) {
        return CPROF_NO_REF;
    }
    atomic_store(&record->weight_ns, stack->weight_ns);
    atomic_store(&record->timer_weight_ns, stack->timer_weight_ns);
    atomic_store(&record->count, stack->count);
    record->tag_ref = stack->tag_ref;
    record->depth = stack->depth;
    record->kind = (uint8_t)(stack->kind ? stack->kind : CPROF_STACK_ON_CPU);
    record->flags = stack->flags;
    record->state = stack->state;
    record->gil = (uint8_t)stack->gil;
    record->system_call = stack->system_call;
    if (stack->depth > 0) {
        memcpy(record->frames, stack->frames, stack->depth * sizeof(struct cprof_frame));
    }
    switch (record->kind) {
    case CPROF_STACK_ON_CPU:
        atomic_fetch_add(&counters[CPROF_COUNTER_SAMPLES], stack->count);
        atomic_fetch_add(&counters[CPROF_COUNTER_TIMER_WEIGHT_NS], stack->weight_ns);
        atomic_fetch_add(&counters[CPROF_COUNTER_OTHER_WEIGHT_NS], stack->timer_weight_ns);
        break;
    case CPROF_STACK_OFF_CPU:
        atomic_fetch_add(&counters[CPROF_COUNTER_OFF_CPU_LOOKS], stack->count);
        atomic_fetch_add(&counters[CPROF_COUNTER_OFF_CPU_WEIGHT_NS], stack->weight_ns);
        break;
    default:
        atomic_fetch_add(&counters[CPROF_COUNTER_RUNNABLE_NS], stack->weight_ns);
    }
    return cprof_log_publish(writer);
}

uint32_t fake_leaf(struct cprof_log_writer *writer, const struct fake_leaf *leaf)
{
    _Atomic uint64_t *counters = writer->slot->counters;
    struct cprof_leaf_record *record =
        cprof_log_reserve(writer, CPROF_RECORD_LEAF, (uint32_t)sizeof(*record));

    if (!record) {
        return CPROF_NO_REF;
    }
    record->stack_ref = leaf->stack_ref;
    record->incarnation = writer->incarnation;
    record->pc = leaf->pc;
    atomic_store(&record->weight_ns, leaf->weight_ns);
    atomic_store(&record->timer_weight_ns, leaf->timer_weight_ns);
    atomic_store(&record->count, leaf->count);
    atomic_fetch_add(&counters[CPROF_COUNTER_SAMPLES], leaf->count);
    atomic_fetch_add(&counters[CPROF_COUNTER_TIMER_WEIGHT_NS], leaf->weight_ns);
    atomic_fetch_add(&counters[CPROF_COUNTER_OTHER_WEIGHT_NS], leaf->timer_weight_ns);
    return cprof_log_publish(writer);
}

uint32_t fake_mapping(struct cprof_log_writer *writer, const struct fake_mapping *mapping)
{
    size_t path_bytes = strlen(mapping->path);
    struct cprof_mapping_record *record =
        cprof_log_reserve(writer, CPROF_RECORD_MAPPING, (uint32_t)(sizeof(*record) + path_bytes));

    if (!record) {
        return CPROF_NO_REF;
    }
    record->start = mapping->start;
    record->end = mapping->end;
    record->file_offset = mapping->file_offset;
    record->inode = mapping->inode;
    record->device_major = mapping->device_major;
    record->device_minor = mapping->device_minor;
    record->incarnation = mapping->incarnation;
    record->path_bytes = (uint16_t)path_bytes;
    memcpy(record + 1, mapping->path, path_bytes);
    return cprof_log_publish(writer);
}

void fake_close(const struct cprof_segment *segment, uint32_t slot_index, uint32_t epoch,
                uint64_t cpu_clock_ns)
{
    struct cprof_slot *slot = cprof_segment_slot(segment, slot_index);

    atomic_store(&slot->counters[CPROF_COUNTER_CPU_CLOCK_NS], cpu_clock_ns);
    atomic_store(&slot->counters[CPROF_COUNTER_SAMPLED_CLOCK_NS], cpu_clock_ns);
    atomic_store(&slot->closed_epoch, epoch);
}
