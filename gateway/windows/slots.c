/* slots.c - see slots.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/window.h"

/* A process that was killed answers signal 0 until its parent has asked for its end. */
static bool process_is_zombie(uint32_t pid)
{
    char path[32], status[512];
    const char *state;
    ssize_t bytes;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%u/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bytes = read(fd, status, sizeof(status) - 1);
    (void)close(fd);
    status[bytes > 0 ? bytes : 0] = '\0';
    /* "pid (name) S ...", where the name may hold anything: proc(5). */
    state = strrchr(status, ')');
    return state && (strncmp(state, ") Z", 3) == 0 || strncmp(state, ") X", 3) == 0);
}

/* Signal 0 only asks. EPERM: it lives, under another user. */
static bool process_lives(uint32_t pid)
{
    if (pid == 0 || pid > (uint32_t)INT32_MAX) {
        return false;
    }
    return (kill((pid_t)pid, 0) == 0 || errno == EPERM) && !process_is_zombie(pid);
}

/* joined_epoch is the present process's: one that joined no window of the epoch, because it came
 * later or was idle, has nothing to close. One that went on to a later epoch without closing
 * this one may still have a writer in it. */
static bool slot_has_closed(const struct cprof_slot *slot, uint32_t epoch)
{
    return atomic_load(&slot->closed_epoch) >= epoch || atomic_load(&slot->joined_epoch) < epoch ||
           !process_lives(atomic_load(&slot->pid));
}

bool cprof_slots_have_closed(const struct cprof_segment *segment, uint32_t epoch)
{
    for (uint32_t i = 0; i < segment->slot_count; i++) {
        if (!slot_has_closed(cprof_segment_slot(segment, i), epoch)) {
            return false;
        }
    }
    return true;
}

bool cprof_slots_have_settled(const struct cprof_segment *segment, uint32_t epoch, uint64_t time_ns)
{
    for (uint32_t i = 0; i < segment->slot_count; i++) {
        const struct cprof_slot *slot = cprof_segment_slot(segment, i);

        if (atomic_load(&slot->settled_ns) < time_ns && !slot_has_closed(slot, epoch)) {
            return false;
        }
    }
    return true;
}

bool cprof_slots_are_filling(const struct cprof_segment *segment, uint32_t epoch)
{
    uint64_t half = segment->log_bytes / CPROF_CHUNK_BYTES / 2;

    for (uint32_t i = 0; i < segment->slot_count; i++) {
        uint64_t claim = atomic_load(&cprof_segment_slot(segment, i)->claim);

        if (claim >> 32 == epoch && (claim & UINT32_MAX) > half) {
            return true;
        }
    }
    return false;
}

bool cprof_slots_begin_epoch(const struct cprof_segment *segment, uint32_t *next_slot,
                             uint64_t until_ns)
{
    struct cprof_control *control = cprof_segment_control(segment);
    uint32_t next_epoch = atomic_load(&control->epoch) + 1;

    for (; *next_slot < segment->slot_count && cprof_now_ns() < until_ns; ++*next_slot) {
        uint32_t i = *next_slot;
        struct cprof_slot *slot = cprof_segment_slot(segment, i);
        uint32_t log_epoch = (uint32_t)(atomic_load(&slot->claim) >> 32);

        if (slot_has_closed(slot, log_epoch)) {
            cprof_segment_recycle_slot(segment, i, next_epoch);
        } else {
            cprof_log(CPROF_LOG_INFO, "process %u of slot %u does not close its log and sits out",
                      atomic_load(&slot->pid), i);
        }
    }
    if (*next_slot < segment->slot_count) {
        return false;
    }
    *next_slot = 0;
    /* Last: who sees the epoch finds clean logs. A gateway that is killed before this line
     * leaves some logs in an epoch that has no window yet; the next one takes them anew. */
    atomic_store(&control->epoch_end_ns, 0);
    atomic_store(&control->epoch, next_epoch);
    return true;
}

bool cprof_slots_let_in(const struct cprof_segment *segment)
{
    uint32_t epoch = atomic_load(&cprof_segment_control(segment)->epoch);
    bool any = false;

    for (uint32_t i = 0; i < segment->slot_count; i++) {
        struct cprof_slot *slot = cprof_segment_slot(segment, i);
        uint32_t log_epoch = (uint32_t)(atomic_load(&slot->claim) >> 32);

        if (log_epoch != epoch && slot_has_closed(slot, log_epoch)) {
            cprof_segment_recycle_slot(segment, i, epoch);
            any = true;
        }
    }
    return any;
}
