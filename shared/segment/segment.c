/* segment.c - see segment.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const int segment_seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

uint64_t cprof_segment_slot_offset(uint32_t slot_index, uint64_t log_bytes)
{
    return CPROF_REGION_BYTES + slot_index * (CPROF_REGION_BYTES + log_bytes);
}

uint64_t cprof_segment_log_offset(uint32_t slot_index, uint64_t log_bytes)
{
    return cprof_segment_slot_offset(slot_index, log_bytes) + CPROF_REGION_BYTES;
}

uint64_t cprof_segment_bytes(uint32_t slot_count, uint64_t log_bytes, uint32_t request_count)
{
    return cprof_segment_requests_offset(slot_count, slot_count, log_bytes, request_count);
}

uint64_t cprof_segment_commands_offset(uint32_t slot_count, uint64_t log_bytes)
{
    return cprof_segment_slot_offset(slot_count, log_bytes);
}

uint64_t cprof_segment_requests_offset(uint32_t slot_index, uint32_t slot_count, uint64_t log_bytes,
                                       uint32_t request_count)
{
    return cprof_segment_commands_offset(slot_count, log_bytes) + CPROF_REGION_BYTES +
           (uint64_t)slot_index * request_count * sizeof(struct cprof_request_entry);
}

static bool sizes_are_sound(uint32_t slot_count, uint64_t log_bytes, uint32_t request_count)
{
    return slot_count >= 1 && slot_count <= CPROF_SLOTS_MAX && log_bytes >= CPROF_LOG_BYTES_MIN &&
           log_bytes <= CPROF_LOG_BYTES_MAX && log_bytes % CPROF_REGION_BYTES == 0 &&
           request_count >= CPROF_REQUESTS_MIN && request_count <= CPROF_REQUESTS_MAX &&
           request_count % CPROF_REQUESTS_MIN == 0;
}

/* Whole regions of entries, at least one for each core. */
static uint32_t requests_for(uint32_t cores)
{
    uint32_t regions = cores / CPROF_REQUESTS_MIN + (cores % CPROF_REQUESTS_MIN != 0);
    uint32_t regions_max = CPROF_REQUESTS_MAX / CPROF_REQUESTS_MIN;

    regions = regions < regions_max ? regions : regions_max;
    return (regions > 0 ? regions : 1) * CPROF_REQUESTS_MIN;
}

static void name_slot(struct cprof_slot *slot, const struct cprof_slot_counts *counts,
                      uint32_t index)
{
    if (index < counts->workers) {
        slot->kind = CPROF_SLOT_WORKER;
        slot->number = index + 1;
    } else if (index - counts->workers < counts->mules) {
        slot->kind = CPROF_SLOT_MULE;
        slot->number = index - counts->workers + 1;
    } else {
        slot->kind = CPROF_SLOT_SPOOLER;
        slot->number = index - counts->workers - counts->mules + 1;
    }
}

static bool write_at(int fd, uint64_t offset, const void *from, size_t bytes)
{
    return pwrite(fd, from, bytes, (off_t)offset) == (ssize_t)bytes;
}

/* By calls that can be refused. The pages that they make are there for good: control page, slot
 * headers and commands can be written through a mapping from then on. */
static bool format_segment(const struct cprof_segment *segment,
                           const struct cprof_slot_counts *counts)
{
    const struct cprof_control control = {
        .magic = CPROF_SEGMENT_MAGIC,
        .layout_version = CPROF_LAYOUT_VERSION,
        .slot_count = segment->slot_count,
        .log_bytes = segment->log_bytes,
        .segment_bytes = segment->bytes,
        .epoch = 1,
        .next_window_id = 1,
        .request_count = segment->request_count,
    };
    const struct cprof_commands commands = {0};
    bool written = write_at(segment->fd, 0, &control, sizeof(control)) &&
                   write_at(segment->fd,
                            cprof_segment_commands_offset(segment->slot_count, segment->log_bytes),
                            &commands, sizeof(commands));

    for (uint32_t i = 0; written && i < segment->slot_count; i++) {
        struct cprof_slot slot = {.claim = UINT64_C(1) << 32};

        name_slot(&slot, counts, i);
        written = write_at(segment->fd, cprof_segment_slot_offset(i, segment->log_bytes), &slot,
                           sizeof(slot));
    }
    return written;
}

bool cprof_segment_create(int *fd, const struct cprof_slot_counts *counts, uint64_t log_bytes,
                          struct cprof_error *error)
{
    uint64_t wanted = (uint64_t)counts->workers + counts->mules + counts->spoolers;
    uint32_t slot_count = wanted <= CPROF_SLOTS_MAX ? (uint32_t)wanted : CPROF_SLOTS_MAX + 1;
    struct cprof_segment segment = {
        .slot_count = slot_count,
        .log_bytes = log_bytes,
        .request_count = requests_for(counts->cores),
    };

    segment.bytes = cprof_segment_bytes(slot_count, log_bytes, segment.request_count);
    if (!sizes_are_sound(slot_count, log_bytes, segment.request_count)) {
        return cprof_fail(error, "shared memory: %u slots of %llu bytes are out of bounds",
                          slot_count, (unsigned long long)log_bytes);
    }
    segment.fd = memfd_create("cloudprofiler", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (segment.fd < 0) {
        return cprof_fail_errno(error, errno, "shared memory: memfd_create");
    }
    if (ftruncate(segment.fd, (off_t)segment.bytes) != 0) {
        cprof_fail_errno(error, errno, "shared memory: cannot size it to %llu bytes",
                         (unsigned long long)segment.bytes);
        goto failed;
    }
    if (fcntl(segment.fd, F_ADD_SEALS, segment_seals) != 0) {
        cprof_fail_errno(error, errno, "shared memory: F_ADD_SEALS");
        goto failed;
    }
    if (!format_segment(&segment, counts)) {
        cprof_fail_errno(error, errno, "shared memory: no memory for %u pages", slot_count + 2);
        goto failed;
    }
    *fd = segment.fd;
    return true;
failed:
    close(segment.fd);
    return false;
}

/* Checks the file behind `fd`; maps nothing. */
static bool inspect(struct cprof_segment *segment, int fd, struct cprof_error *error)
{
    struct stat status;
    struct cprof_control control;
    int seals = fcntl(fd, F_GET_SEALS); /* -1, all bits set, for what is no memory file */

    if (fstat(fd, &status) != 0) {
        return cprof_fail_errno(error, errno, "shared memory: fstat of descriptor %d", fd);
    }
    if (seals < 0 || (seals & segment_seals) != segment_seals) {
        return cprof_fail_for_good(error,
                                   "shared memory: descriptor %d is not a sealed memory file", fd);
    }
    if (pread(fd, &control, sizeof(control), 0) != (ssize_t)sizeof(control)) {
        return cprof_fail_for_good(error, "shared memory: descriptor %d is too short", fd);
    }
    if (control.magic != CPROF_SEGMENT_MAGIC || control.layout_version != CPROF_LAYOUT_VERSION ||
        !sizes_are_sound(control.slot_count, control.log_bytes, control.request_count) ||
        cprof_segment_bytes(control.slot_count, control.log_bytes, control.request_count) !=
            (uint64_t)status.st_size) {
        return cprof_fail_for_good(
            error, "shared memory: descriptor %d is no segment of this version", fd);
    }
    *segment = (struct cprof_segment){
        .bytes = (uint64_t)status.st_size,
        .slot_count = control.slot_count,
        .log_bytes = control.log_bytes,
        .request_count = control.request_count,
        .fd = fd,
    };
    return true;
}

bool cprof_segment_open(struct cprof_segment *segment, int fd, struct cprof_error *error)
{
    if (!inspect(segment, fd, error)) {
        return false;
    }
    segment->base =
        mmap(NULL, segment->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (segment->base == MAP_FAILED) {
        segment->base = NULL;
        return cprof_fail_errno(error, errno, "shared memory: mmap of %llu bytes",
                                (unsigned long long)segment->bytes);
    }
    return true;
}

void cprof_segment_close(struct cprof_segment *segment)
{
    if (segment->base) {
        munmap(segment->base, segment->bytes);
        segment->base = NULL;
    }
}

struct cprof_control *cprof_segment_control(const struct cprof_segment *segment)
{
    return (struct cprof_control *)(void *)segment->base;
}

struct cprof_tickets *cprof_segment_tickets(const struct cprof_segment *segment)
{
    return (struct cprof_tickets *)(void *)(segment->base + CPROF_TICKETS_OFFSET);
}

struct cprof_slot *cprof_segment_slot(const struct cprof_segment *segment, uint32_t slot_index)
{
    return (struct cprof_slot *)(void *)(segment->base +
                                         cprof_segment_slot_offset(slot_index, segment->log_bytes));
}

static uint64_t requests_offset(const struct cprof_segment *segment, uint32_t slot_index)
{
    return cprof_segment_requests_offset(slot_index, segment->slot_count, segment->log_bytes,
                                         segment->request_count);
}

struct cprof_request_entry *cprof_segment_requests(const struct cprof_segment *segment,
                                                   uint32_t slot_index)
{
    return (struct cprof_request_entry *)(void *)(segment->base +
                                                  requests_offset(segment, slot_index));
}

struct cprof_commands *cprof_segment_commands(const struct cprof_segment *segment)
{
    return (struct cprof_commands *)(void *)(segment->base +
                                             cprof_segment_commands_offset(segment->slot_count,
                                                                           segment->log_bytes));
}

const uint8_t *cprof_segment_log(const struct cprof_segment *segment, uint32_t slot_index)
{
    return segment->base + cprof_segment_log_offset(slot_index, segment->log_bytes);
}

bool cprof_segment_read(const struct cprof_segment *segment, const void *place, void *to,
                        size_t bytes)
{
    uint64_t offset = (uint64_t)((const uint8_t *)place - segment->base);

    return pread(segment->fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
}

/* What is counted over the life of the segment goes on counting. */
static void keep_counts(struct cprof_control *control, struct cprof_slot *slot)
{
    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        atomic_fetch_add(&control->past_counters[i], atomic_load(&slot->counters[i]));
    }
}

/* What was claimed of a log; nothing else was ever written to. Where even an empty page cannot be
 * had, nothing stands. */
static void write_zeros(const struct cprof_segment *segment, uint64_t offset, uint64_t chunks)
{
    static const uint8_t zeros[CPROF_CHUNK_BYTES];

    for (uint64_t i = 0; i < chunks && i < segment->log_bytes / sizeof(zeros); i++) {
        (void)write_at(segment->fd, offset + i * sizeof(zeros), zeros, sizeof(zeros));
    }
}

void cprof_segment_recycle_slot(const struct cprof_segment *segment, uint32_t slot_index,
                                uint32_t next_epoch)
{
    struct cprof_slot *slot = cprof_segment_slot(segment, slot_index);
    uint64_t offset = cprof_segment_log_offset(slot_index, segment->log_bytes);

    /* Refused for locked memory (mlockall: facts of madvise(2), EINVAL) and by old kernels. */
    if (fallocate(segment->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                  (off_t)segment->log_bytes) != 0) {
        write_zeros(segment, offset, atomic_load(&slot->claim) & UINT32_MAX);
    }
    keep_counts(cprof_segment_control(segment), slot);
    memset((void *)slot->counters, 0, sizeof(slot->counters));
    atomic_store(&slot->claim, (uint64_t)next_epoch << 32);
}

static void *map_region(int fd, uint64_t offset, uint64_t bytes, int protection, int advice)
{
    void *region = mmap(NULL, bytes, protection, MAP_SHARED | MAP_NORESERVE, fd, (off_t)offset);

    if (region != MAP_FAILED && madvise(region, bytes, advice) != 0) {
        munmap(region, bytes);
        return MAP_FAILED;
    }
    return region;
}

struct cprof_commands *cprof_commands_map(int fd, struct cprof_error *error)
{
    struct cprof_segment whole = {0};
    void *commands;

    if (!inspect(&whole, fd, error)) {
        return NULL;
    }
    commands = map_region(fd, cprof_segment_commands_offset(whole.slot_count, whole.log_bytes),
                          CPROF_REGION_BYTES, PROT_READ | PROT_WRITE, MADV_NORMAL);
    if (commands == MAP_FAILED) {
        cprof_fail_errno(error, errno, "shared memory: cannot map the commands");
        return NULL;
    }
    return commands;
}

const struct cprof_control *cprof_control_map(int fd, struct cprof_error *error)
{
    struct cprof_segment whole = {0};
    void *control;

    if (!inspect(&whole, fd, error)) {
        return NULL;
    }
    control = map_region(fd, 0, CPROF_REGION_BYTES, PROT_READ, MADV_NORMAL);
    if (control == MAP_FAILED) {
        cprof_fail_errno(error, errno, "shared memory: cannot map the control page");
        return NULL;
    }
    return control;
}

/* What could not be mapped is fine. */
static void unmap_region(void *region, uint64_t bytes)
{
    if (region != MAP_FAILED) {
        (void)munmap(region, bytes);
    }
}

bool cprof_slot_map(struct cprof_slot_mapping *mapping, int fd, uint32_t slot_index,
                    struct cprof_error *error)
{
    struct cprof_segment whole = {0};
    void *control, *slot, *requests;
    uint64_t slot_bytes, requests_bytes;

    if (!inspect(&whole, fd, error)) {
        return false;
    }
    if (slot_index >= whole.slot_count) {
        return cprof_fail(error, "shared memory: no slot %u of %u", slot_index, whole.slot_count);
    }
    slot_bytes = CPROF_REGION_BYTES + whole.log_bytes;
    requests_bytes = whole.request_count * sizeof(struct cprof_request_entry);
    control = map_region(fd, 0, CPROF_REGION_BYTES, PROT_READ, MADV_NORMAL);
    slot = map_region(fd, cprof_segment_slot_offset(slot_index, whole.log_bytes), slot_bytes,
                      PROT_READ | PROT_WRITE, MADV_DONTFORK);
    requests = map_region(fd, requests_offset(&whole, slot_index), requests_bytes,
                          PROT_READ | PROT_WRITE, MADV_DONTFORK);
    if (control == MAP_FAILED || slot == MAP_FAILED || requests == MAP_FAILED) {
        cprof_fail_errno(error, errno, "shared memory: cannot map slot %u", slot_index);
        unmap_region(control, CPROF_REGION_BYTES);
        unmap_region(slot, slot_bytes);
        unmap_region(requests, requests_bytes);
        return false;
    }
    *mapping = (struct cprof_slot_mapping){
        .control = control,
        .slot = slot,
        .requests = requests,
        .request_count = whole.request_count,
        .log = (uint8_t *)slot + CPROF_REGION_BYTES,
        .log_bytes = whole.log_bytes,
    };
    return true;
}
