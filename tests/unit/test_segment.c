/* test_segment.c - see shared/segment/segment.h.
 *
 * sources: tests/unit/child.c
 * flags: -Wl,--wrap=mmap -Wl,--wrap=munmap -Wl,--wrap=pwrite -Wl,--wrap=fallocate
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../shared/segment/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "expect.h"

#define SLOTS     3u
#define LOG_BYTES ((uint64_t)CPROF_LOG_BYTES_MIN)

#define ALL_SEALS (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static struct cprof_error error;

/* Mappings that are made through the calls below and stand now. */
static int standing_mappings;
static int calls_until_failure; /* of mmap; 0: none fails */

void *__real_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t bytes);
int __wrap_munmap(void *address, size_t bytes);

void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    void *mapping;

    if (calls_until_failure > 0 && --calls_until_failure == 0) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    mapping = __real_mmap(address, bytes, protection, flags, fd, offset);
    standing_mappings += mapping != MAP_FAILED;
    return mapping;
}

int __wrap_munmap(void *address, size_t bytes)
{
    int result = __real_munmap(address, bytes);

    standing_mappings -= result == 0;
    return result;
}

static int writes_until_refusal; /* 0: none is */
static bool punch_is_refused;

ssize_t __real_pwrite(int fd, const void *from, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *from, size_t bytes, off_t offset);
int __real_fallocate(int fd, int mode, off_t offset, off_t bytes);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t bytes);

ssize_t __wrap_pwrite(int fd, const void *from, size_t bytes, off_t offset)
{
    if (writes_until_refusal > 0 && --writes_until_refusal == 0) {
        errno = ENOSPC;
        return -1;
    }
    return __real_pwrite(fd, from, bytes, offset);
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    if (punch_is_refused) {
        errno = EPERM;
        return -1;
    }
    return __real_fallocate(fd, mode, offset, bytes);
}

static int make_segment(void)
{
    int fd;

    EXPECT(cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = SLOTS}, LOG_BYTES,
                                &error));
    return fd;
}

static void a_new_segment_opens_with_its_sizes_and_an_empty_log_in_each_slot(void)
{
    struct cprof_segment segment;
    int fd = make_segment();

    EXPECT(cprof_segment_open(&segment, fd, &error));

    EXPECT(segment.fd == fd && segment.slot_count == SLOTS && segment.log_bytes == LOG_BYTES);
    EXPECT(segment.bytes == cprof_segment_bytes(SLOTS, LOG_BYTES, CPROF_REQUESTS_MIN));
    EXPECT(atomic_load(&cprof_segment_control(&segment)->epoch) == 1);
    EXPECT(atomic_load(&cprof_segment_control(&segment)->window_mask) == 0);
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct cprof_slot *slot = cprof_segment_slot(&segment, i);

        EXPECT(slot->kind == CPROF_SLOT_WORKER && slot->number == i + 1);
        EXPECT(atomic_load(&slot->claim) == UINT64_C(1) << 32);
        EXPECT(cprof_segment_log(&segment, i) == (const uint8_t *)slot + CPROF_REGION_BYTES);
    }
    cprof_segment_close(&segment);
    EXPECT(!segment.base && close(fd) == 0);
}

static void the_descriptor_is_closed_on_exec_and_sealed(void)
{
    int fd = make_segment();

    EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    EXPECT((fcntl(fd, F_GET_SEALS) & ALL_SEALS) == ALL_SEALS);
    EXPECT(ftruncate(fd, 4096) != 0);
    EXPECT(ftruncate(fd, (off_t)cprof_segment_bytes(SLOTS + 1, LOG_BYTES, CPROF_REQUESTS_MIN)) !=
           0);
    close(fd);
}

static void a_new_segment_takes_hardly_any_memory(void)
{
    struct stat status;
    int fd;

    EXPECT(cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = 64}, UINT64_C(4) << 20,
                                &error));
    EXPECT(fstat(fd, &status) == 0);
    EXPECT((uint64_t)status.st_blocks * 512 <= UINT64_C(65) * CPROF_REGION_BYTES);
    close(fd);
}

static uint32_t entries_for(uint32_t cores)
{
    struct cprof_segment segment;
    const uint8_t *requests;
    uint32_t count;
    int fd;

    EXPECT(cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = SLOTS, .cores = cores},
                                LOG_BYTES, &error));
    EXPECT(cprof_segment_open(&segment, fd, &error));
    count = segment.request_count;
    requests = (const uint8_t *)(cprof_segment_requests(&segment, SLOTS - 1) + count);
    EXPECT(requests == segment.base + segment.bytes);
    cprof_segment_close(&segment);
    close(fd);
    return count;
}

static void each_core_has_an_entry_for_its_request(void)
{
    EXPECT(entries_for(0) == CPROF_REQUESTS_MIN && entries_for(1) == CPROF_REQUESTS_MIN);
    EXPECT(entries_for(CPROF_REQUESTS_MIN) == CPROF_REQUESTS_MIN);
    EXPECT(entries_for(CPROF_REQUESTS_MIN + 1) == 2 * CPROF_REQUESTS_MIN);
    EXPECT(entries_for(10000) == 10240);
    EXPECT(entries_for(UINT32_MAX) == CPROF_REQUESTS_MAX);
}

static void sizes_out_of_bounds_are_refused(void)
{
    int fd;

    EXPECT(
        !cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = 0}, LOG_BYTES, &error));
    EXPECT(!cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = CPROF_SLOTS_MAX + 1},
                                 LOG_BYTES, &error));
    EXPECT(!cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = 1},
                                 LOG_BYTES - CPROF_REGION_BYTES, &error));
    EXPECT(!cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = 1},
                                 LOG_BYTES + CPROF_CHUNK_BYTES, &error));
    EXPECT(!cprof_segment_create(&fd, &(struct cprof_slot_counts){.workers = 1},
                                 CPROF_LOG_BYTES_MAX + CPROF_REGION_BYTES, &error));
    EXPECT(error.text[0] != '\0');
}

/* A memory file with this control page, of this length, with these seals. */
static int make_file(const struct cprof_control *control, uint64_t bytes, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    EXPECT(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    if (bytes >= sizeof(*control)) {
        EXPECT(pwrite(fd, control, sizeof(*control), 0) == (ssize_t)sizeof(*control));
    }
    EXPECT(fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

static struct cprof_control sound_control(void)
{
    return (struct cprof_control){
        .magic = CPROF_SEGMENT_MAGIC,
        .layout_version = CPROF_LAYOUT_VERSION,
        .slot_count = SLOTS,
        .log_bytes = LOG_BYTES,
        .segment_bytes = cprof_segment_bytes(SLOTS, LOG_BYTES, CPROF_REQUESTS_MIN),
        .request_count = CPROF_REQUESTS_MIN,
    };
}

static bool opens(const struct cprof_control *control, uint64_t bytes, int seals)
{
    int fd = make_file(control, bytes, seals);
    struct cprof_segment segment;
    struct cprof_slot_mapping mapping;
    bool opened = cprof_segment_open(&segment, fd, &error);

    if (opened) {
        cprof_segment_close(&segment);
    } else {
        EXPECT(strlen(error.text) > 0);
        EXPECT(!cprof_slot_map(&mapping, fd, 0, &error));
    }
    close(fd);
    return opened;
}

static void a_file_without_all_seals_is_refused(void)
{
    struct cprof_control control = sound_control();

    EXPECT(opens(&control, control.segment_bytes, ALL_SEALS));
    EXPECT(!opens(&control, control.segment_bytes, F_SEAL_GROW | F_SEAL_SHRINK));
    EXPECT(!opens(&control, control.segment_bytes, F_SEAL_SHRINK | F_SEAL_SEAL));
    EXPECT(!opens(&control, control.segment_bytes, F_SEAL_SEAL | F_SEAL_GROW));
    EXPECT(!opens(&control, control.segment_bytes, 0));
}

static void a_file_that_is_too_short_is_refused(void)
{
    struct cprof_control control = sound_control();

    EXPECT(!opens(&control, 0, ALL_SEALS));
    EXPECT(!opens(&control, sizeof(control) - 1, ALL_SEALS));
    EXPECT(!opens(&control, sizeof(control), ALL_SEALS));
    EXPECT(!opens(&control, control.segment_bytes - CPROF_REGION_BYTES, ALL_SEALS));
    EXPECT(!opens(&control, control.segment_bytes + CPROF_REGION_BYTES, ALL_SEALS));
}

static void a_control_page_that_makes_no_sense_is_refused(void)
{
    const uint64_t bytes = cprof_segment_bytes(SLOTS, LOG_BYTES, CPROF_REQUESTS_MIN);
    struct cprof_control control = sound_control();

    control.magic ^= 1;
    EXPECT(!opens(&control, bytes, ALL_SEALS));
    control = sound_control();
    control.layout_version = CPROF_LAYOUT_VERSION + 1;
    EXPECT(!opens(&control, bytes, ALL_SEALS));
    control = sound_control();
    control.slot_count = 0;
    EXPECT(!opens(&control, bytes, ALL_SEALS));
    control = sound_control();
    control.slot_count = SLOTS + 1;
    EXPECT(!opens(&control, bytes, ALL_SEALS));
    control = sound_control();
    control.slot_count = UINT32_MAX;
    EXPECT(!opens(&control, bytes, ALL_SEALS));
    control = sound_control();
    control.log_bytes = LOG_BYTES + 8;
    EXPECT(!opens(&control, bytes, ALL_SEALS));
    control = sound_control();
    control.request_count = 0;
    EXPECT(!opens(&control, bytes, ALL_SEALS));
    control.request_count = 2 * CPROF_REQUESTS_MIN;
    EXPECT(!opens(&control, bytes, ALL_SEALS));
    control.request_count = CPROF_REQUESTS_MIN + 1;
    EXPECT(
        !opens(&control, cprof_segment_bytes(SLOTS, LOG_BYTES, CPROF_REQUESTS_MIN + 1), ALL_SEALS));
    control = sound_control();
    control.log_bytes = 0;
    EXPECT(!opens(&control, CPROF_REGION_BYTES * (SLOTS + 1), ALL_SEALS));
}

static void descriptors_that_are_no_files_are_refused(void)
{
    struct cprof_segment segment;
    int ends[2];

    EXPECT(!cprof_segment_open(&segment, -1, &error));
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    EXPECT(!cprof_segment_open(&segment, ends[0], &error));
    close(ends[0]);
    close(ends[1]);
}

static void a_plain_file_is_refused_whatever_is_in_it(void)
{
    struct cprof_control control = sound_control();
    struct cprof_segment segment;
    FILE *file = tmpfile();

    EXPECT(file && ftruncate(fileno(file), (off_t)control.segment_bytes) == 0);
    EXPECT(fwrite(&control, sizeof(control), 1, file) == 1 && fflush(file) == 0);
    EXPECT(!cprof_segment_open(&segment, fileno(file), &error));
    (void)fclose(file);
}

static void a_recycled_slot_is_zero_and_open_for_the_next_epoch(void)
{
    struct cprof_segment segment;
    struct stat full, recycled;
    int fd = make_segment();
    uint8_t *log;

    EXPECT(cprof_segment_open(&segment, fd, &error));
    for (uint32_t i = 0; i < SLOTS; i++) {
        log = segment.base + cprof_segment_log_offset(i, LOG_BYTES);
        memset(log, 0x77, LOG_BYTES);
        atomic_store(&cprof_segment_slot(&segment, i)->counters[CPROF_COUNTER_SAMPLES], 5);
        atomic_store(&cprof_segment_slot(&segment, i)->claim, UINT64_C(1) << 32 | 16);
    }
    EXPECT(fstat(fd, &full) == 0);

    cprof_segment_recycle_slot(&segment, 1, 2);

    /* Asked first: reading the log brings its pages back. */
    EXPECT(fstat(fd, &recycled) == 0);
    EXPECT((uint64_t)(full.st_blocks - recycled.st_blocks) * 512 >= LOG_BYTES);
    log = segment.base + cprof_segment_log_offset(1, LOG_BYTES);
    EXPECT(log[0] == 0 && memcmp(log, log + 1, LOG_BYTES - 1) == 0);
    EXPECT(atomic_load(&cprof_segment_slot(&segment, 1)->counters[CPROF_COUNTER_SAMPLES]) == 0);
    EXPECT(atomic_load(&cprof_segment_slot(&segment, 1)->claim) == UINT64_C(2) << 32);
    EXPECT(cprof_segment_slot(&segment, 1)->number == 2);
    for (uint32_t i = 0; i < SLOTS; i += 2) {
        log = segment.base + cprof_segment_log_offset(i, LOG_BYTES);
        EXPECT(log[0] == 0x77 && memcmp(log, log + 1, LOG_BYTES - 1) == 0);
        EXPECT(atomic_load(&cprof_segment_slot(&segment, i)->counters[CPROF_COUNTER_SAMPLES]) == 5);
    }
    cprof_segment_close(&segment);
    close(fd);
}

static void where_no_hole_can_be_punched_zeros_are_written_and_no_page_is_made(void)
{
    struct cprof_segment segment;
    struct stat before, after;
    int fd = make_segment();
    uint8_t *log;

    EXPECT(cprof_segment_open(&segment, fd, &error));
    log = segment.base + cprof_segment_log_offset(1, LOG_BYTES);
    memset(log, 0x77, 2 * (size_t)CPROF_CHUNK_BYTES);
    atomic_store(&cprof_segment_slot(&segment, 1)->claim, UINT64_C(1) << 32 | 2);
    EXPECT(fstat(fd, &before) == 0);

    punch_is_refused = true;
    cprof_segment_recycle_slot(&segment, 1, 2);
    EXPECT(fstat(fd, &after) == 0 && after.st_blocks == before.st_blocks);
    EXPECT(log[0] == 0 && memcmp(log, log + 1, 2 * (size_t)CPROF_CHUNK_BYTES - 1) == 0);

    /* A hostile claim ends with the log. */
    log[LOG_BYTES] = 0x77;
    atomic_store(&cprof_segment_slot(&segment, 1)->claim, UINT64_C(2) << 32 | UINT32_MAX);
    cprof_segment_recycle_slot(&segment, 1, 3);
    punch_is_refused = false;
    EXPECT(log[LOG_BYTES] == 0x77);
    cprof_segment_close(&segment);
    close(fd);
}

/* At each of its writes. */
static void a_segment_whose_first_pages_are_refused_is_not_made(void)
{
    const struct cprof_slot_counts counts = {.workers = SLOTS};
    int before = dup(STDERR_FILENO), after, fd = -1, refused = 1;

    close(before);
    for (writes_until_refusal = refused; !cprof_segment_create(&fd, &counts, LOG_BYTES, &error);
         writes_until_refusal = ++refused) {
        EXPECT(strstr(error.text, "no memory") && strstr(error.text, strerror(ENOSPC)));
    }
    writes_until_refusal = 0;
    EXPECT(refused == (int)SLOTS + 3);
    close(fd);
    after = dup(STDERR_FILENO);
    EXPECT(after == before); /* no descriptor is left open */
    close(after);
}

static void the_pages_that_are_written_through_mappings_are_there_from_the_start(void)
{
    struct cprof_segment segment;
    struct stat before, after;
    int fd = make_segment();

    EXPECT(cprof_segment_open(&segment, fd, &error));
    EXPECT(fstat(fd, &before) == 0);
    atomic_store(&cprof_segment_control(&segment)->figures[CPROF_FIGURE_COUNT - 1], 1);
    atomic_store(&cprof_segment_commands(&segment)->route_until_ns[1], 1);
    for (uint32_t i = 0; i < SLOTS; i++) {
        atomic_store(&cprof_segment_slot(&segment, i)->struck_pid, 1);
    }
    EXPECT(fstat(fd, &after) == 0 && after.st_blocks == before.st_blocks);
    cprof_segment_close(&segment);
    close(fd);
}

static void reading_what_is_not_there_gives_zeros_and_makes_no_page(void)
{
    struct cprof_segment segment;
    struct stat before, after;
    int fd = make_segment();
    uint64_t words[512];

    EXPECT(cprof_segment_open(&segment, fd, &error));
    EXPECT(fstat(fd, &before) == 0);
    words[0] = words[511] = 1;
    EXPECT(cprof_segment_read(&segment, cprof_segment_log(&segment, 1), words, sizeof(words)));
    EXPECT(words[0] == 0 && words[511] == 0);
    EXPECT(cprof_segment_read(&segment, &cprof_segment_slot(&segment, 2)->number, words, 4));
    EXPECT((uint32_t)words[0] == 3);
    EXPECT(fstat(fd, &after) == 0 && after.st_blocks == before.st_blocks);
    EXPECT(!cprof_segment_read(&segment, segment.base + segment.bytes - 8, words, 16));
    cprof_segment_close(&segment);
    close(fd);
}

static void a_worker_maps_its_own_slot(void)
{
    struct cprof_segment segment;
    struct cprof_slot_mapping mapping;
    int fd = make_segment();

    EXPECT(cprof_segment_open(&segment, fd, &error));
    EXPECT(cprof_slot_map(&mapping, fd, 2, &error));

    EXPECT(mapping.slot->number == 3 && mapping.log_bytes == LOG_BYTES);
    mapping.log[LOG_BYTES - 1] = 9;
    EXPECT(cprof_segment_log(&segment, 2)[LOG_BYTES - 1] == 9);
    EXPECT(mapping.request_count == CPROF_REQUESTS_MIN);
    mapping.requests[CPROF_REQUESTS_MIN - 1].mark = 8;
    EXPECT(cprof_segment_requests(&segment, 2)[CPROF_REQUESTS_MIN - 1].mark == 8);
    atomic_store(&cprof_segment_control(&segment)->doorbell, 77);
    EXPECT(atomic_load(&mapping.control->doorbell) == 77);
    EXPECT(!cprof_slot_map(&mapping, fd, SLOTS, &error));
    cprof_segment_close(&segment);
    close(fd);
}

static void a_slot_that_cannot_be_mapped_leaves_nothing_mapped(void)
{
    struct cprof_slot_mapping mapping;
    int fd = make_segment();
    int standing_before = standing_mappings;
    int failure = 1;

    for (calls_until_failure = failure; !cprof_slot_map(&mapping, fd, 0, &error);
         calls_until_failure = ++failure) {
        EXPECT(calls_until_failure == 0 && strlen(error.text) > 0);
        EXPECT(standing_mappings == standing_before);
    }
    calls_until_failure = 0;
    EXPECT(failure > 3 && standing_mappings == standing_before + 3);
    close(fd);
}

static void write_to_control(void *data)
{
    struct cprof_slot_mapping *mapping = data;
    /* The very write that must not work, so the const is cast away. */
    struct cprof_control *control = (void *)(uintptr_t)mapping->control;

    atomic_store(&control->window_mask, 1);
}

static void read_log(void *data)
{
    struct cprof_slot_mapping *mapping = data;

    (void)*(volatile uint8_t *)mapping->log;
}

static void read_slot(void *data)
{
    struct cprof_slot_mapping *mapping = data;

    (void)atomic_load(&mapping->slot->claim);
}

static void read_control(void *data)
{
    struct cprof_slot_mapping *mapping = data;

    if (mapping->control->magic != CPROF_SEGMENT_MAGIC) {
        _exit(1);
    }
}

static void a_worker_cannot_write_to_the_control_page(void)
{
    struct cprof_slot_mapping mapping;
    int fd = make_segment();

    EXPECT(cprof_slot_map(&mapping, fd, 0, &error));
    EXPECT(child_run(write_to_control, &mapping) == 128 + SIGSEGV);
    EXPECT(atomic_load(&mapping.control->window_mask) == 0);
    close(fd);
}

static void a_child_of_the_worker_does_not_inherit_its_slot(void)
{
    struct cprof_slot_mapping mapping;
    int fd = make_segment();

    EXPECT(cprof_slot_map(&mapping, fd, 0, &error));
    read_log(&mapping);
    EXPECT(child_run(read_log, &mapping) == 128 + SIGSEGV);
    EXPECT(child_run(read_slot, &mapping) == 128 + SIGSEGV);
    EXPECT(child_run(read_control, &mapping) == CHILD_RETURNED);
    close(fd);
}

int main(void)
{
    RUN(a_new_segment_opens_with_its_sizes_and_an_empty_log_in_each_slot);
    RUN(the_descriptor_is_closed_on_exec_and_sealed);
    RUN(a_new_segment_takes_hardly_any_memory);
    RUN(each_core_has_an_entry_for_its_request);
    RUN(sizes_out_of_bounds_are_refused);
    RUN(a_file_without_all_seals_is_refused);
    RUN(a_file_that_is_too_short_is_refused);
    RUN(a_control_page_that_makes_no_sense_is_refused);
    RUN(descriptors_that_are_no_files_are_refused);
    RUN(a_plain_file_is_refused_whatever_is_in_it);
    RUN(a_recycled_slot_is_zero_and_open_for_the_next_epoch);
    RUN(where_no_hole_can_be_punched_zeros_are_written_and_no_page_is_made);
    RUN(a_segment_whose_first_pages_are_refused_is_not_made);
    RUN(the_pages_that_are_written_through_mappings_are_there_from_the_start);
    RUN(reading_what_is_not_there_gives_zeros_and_makes_no_page);
    RUN(a_worker_maps_its_own_slot);
    RUN(a_slot_that_cannot_be_mapped_leaves_nothing_mapped);
    RUN(a_worker_cannot_write_to_the_control_page);
    RUN(a_child_of_the_worker_does_not_inherit_its_slot);
    return 0;
}
