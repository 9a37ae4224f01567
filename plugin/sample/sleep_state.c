/* sleep_state.c - see sleep_state.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sleep_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/states.h"
#include "../threads/descriptors.h"

#define PATH_BYTES 64
#define TEXT_BYTES 512

/* Fields of a line of /proc/.../syscall: number, six arguments, stack pointer, PC. */
#define FIRST_ARGUMENT 0
#define PC_WITH_CALL   7
#define PC_ONLY        1
#define FIELDS_MAX     8

/* "running": so it says of a thread that waits for a CPU, too. */
#define AWAKE 'r'

/* Fields of a line of /proc/.../stat, as proc(5) counts them. */
#define FIELD_STATE     3u
#define FIELD_PROCESSOR 39u

static struct {
    bool keeps_files;
    bool is_coarse;
    bool said_so;
} state_source;

void cprof_sleep_state_begin(bool keeps_files)
{
    state_source.keeps_files = keeps_files;
    state_source.is_coarse = false; /* asked again: a reload may have changed it */
}

bool cprof_sleep_state_is_coarse(void)
{
    return state_source.is_coarse;
}

static void format_path(char *path, pid_t tid, const char *file)
{
    (void)snprintf(path, PATH_BYTES, "/proc/self/task/%d/%s", (int)tid, file);
}

static int open_file(pid_t tid, const char *file)
{
    char path[PATH_BYTES];

    format_path(path, tid, file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Reads the file of which *kept may be an open descriptor. -1 with errno, or the length. */
static ssize_t read_file(pid_t tid, const char *file, int *kept, char *text)
{
    int descriptor = kept && *kept >= 0 ? *kept : open_file(tid, file);
    ssize_t length;
    int reason;

    if (descriptor < 0) {
        return -1;
    }
    length = pread(descriptor, text, TEXT_BYTES - 1, 0);
    reason = errno;
    text[length > 0 ? length : 0] = '\0';
    if (kept && state_source.keeps_files && length >= 0 && cprof_descriptors_may_keep(descriptor)) {
        *kept = descriptor;
    } else {
        (void)close(descriptor);
        if (kept) {
            *kept = -1;
        }
    }
    errno = reason;
    return length;
}

static enum cprof_descriptor_kind kind_of_descriptor(const struct cprof_thread *thread,
                                                     uint64_t descriptor)
{
    char file[PATH_BYTES / 2], path[PATH_BYTES], target[16] = "";

    (void)snprintf(file, sizeof(file), "fd/%llu", (unsigned long long)descriptor);
    format_path(path, thread->tid, file);
    if (readlink(path, target, sizeof(target) - 1) < 0) {
        return CPROF_DESCRIPTOR_UNKNOWN;
    }
    if (strncmp(target, "socket:", strlen("socket:")) == 0) {
        return CPROF_DESCRIPTOR_SOCKET;
    }
    return target[0] == '/' ? CPROF_DESCRIPTOR_FILE : CPROF_DESCRIPTOR_OTHER;
}

/* "202 0x7f.. 0x80 0x0 0x0 0x0 0x0 0x7ffc.. 0x7f..", or "-1 0x7ffc.. 0x7f.." */
static bool parse_status(const struct cprof_thread *thread, const char *text,
                         struct cprof_sleep_state *state)
{
    uint64_t fields[FIELDS_MAX] = {0};
    char *end;
    long number = strtol(text, &end, 10);
    enum cprof_descriptor_kind descriptor = CPROF_DESCRIPTOR_UNKNOWN;

    if (end == text) {
        state->is_awake = text[0] == AWAKE;
        return false;
    }
    for (unsigned i = 0; i < FIELDS_MAX; i++) {
        fields[i] = strtoull(end, &end, 16);
    }
    if (cprof_state_needs_descriptor(number)) {
        descriptor = kind_of_descriptor(thread, fields[FIRST_ARGUMENT]);
    }
    state->state = cprof_state_of_system_call(number, descriptor);
    if (cprof_state_waits_for_time(number, fields)) {
        state->state = CPROF_STATE_SLEEP;
    }
    if (number >= 0 && number < (long)CPROF_SYSTEM_CALLS_MAX) {
        state->system_call = (uint16_t)(number + 1);
    }
    state->pc = fields[number < 0 ? PC_ONLY : PC_WITH_CALL];
    state->futex = state->state == CPROF_STATE_FUTEX ? fields[FIRST_ARGUMENT] : 0;
    return true;
}

/* "17 (name) S ...": the name may hold anything, parentheses too. Returns what stands behind it, or
 * NULL. */
static const char *read_stat(struct cprof_thread *thread, char *text)
{
    const char *behind_name;

    if (read_file(thread->tid, "stat", &thread->sleep.stat_file, text) <= 0) {
        return NULL;
    }
    behind_name = strrchr(text, ')');
    return behind_name && behind_name[1] == ' ' ? behind_name + 2 : NULL;
}

/* False: it is awake or gone. */
static bool is_asleep(struct cprof_thread *thread, struct cprof_sleep_state *state)
{
    char text[TEXT_BYTES];
    const char *letter = read_stat(thread, text);

    state->is_awake = letter && *letter == 'R';
    return letter && (*letter == 'S' || *letter == 'D');
}

static bool read_coarsely(struct cprof_thread *thread, struct cprof_sleep_state *state)
{
    char function[TEXT_BYTES];

    if (!is_asleep(thread, state)) {
        return false;
    }
    state->state = CPROF_STATE_UNKNOWN;
    if (read_file(thread->tid, "wchan", &thread->sleep.wait_file, function) > 0) {
        state->state = cprof_state_of_kernel_function(function);
        state->is_unsaid = strcmp(function, "0") == 0;
    }
    /* A thread that has just been woken is in no function, which is written as 0 (proc(5)). So is,
     * since Linux 6.12, one that fell asleep but that the scheduler has kept on its queue. */
    return state->state != CPROF_STATE_UNKNOWN || is_asleep(thread, state);
}

static void become_coarse(int reason)
{
    state_source.is_coarse = true;
    if (!state_source.said_so) {
        state_source.said_so = true;
        cprof_log(CPROF_LOG_WARNING,
                  "/proc/self/task/TID/syscall cannot be read (%s): the states in wall profiles "
                  "come from wchan, which knows fewer of them",
                  strerror(reason));
    }
}

bool cprof_sleep_state_read(struct cprof_thread *thread, struct cprof_sleep_state *state)
{
    char text[TEXT_BYTES];
    int reason;

    *state = (struct cprof_sleep_state){0};
    if (!state_source.is_coarse) {
        if (read_file(thread->tid, "syscall", &thread->sleep.status_file, text) >= 0) {
            return parse_status(thread, text, state);
        }
        reason = errno;
        if (reason != EACCES && reason != EPERM && reason != ENOENT && reason != ENOSYS) {
            return false; /* no descriptor is left, or the thread is gone (ESRCH) */
        }
        if (!is_asleep(thread, state)) {
            return false; /* gone, or nothing is known yet */
        }
        become_coarse(reason);
    }
    return read_coarsely(thread, state);
}

bool cprof_sleep_run_queue(struct cprof_thread *thread, uint64_t *run_queue_ns)
{
    char text[TEXT_BYTES];
    char *end;

    if (read_file(thread->tid, "schedstat", &thread->sleep.account_file, text) <= 0) {
        return false;
    }
    (void)strtoull(text, &end, 10); /* time on a CPU */
    if (*end != ' ') {
        return false;
    }
    *run_queue_ns = strtoull(end, NULL, 10);
    return true;
}

bool cprof_sleep_has_ended(struct cprof_thread *thread)
{
    struct cprof_sleep_state state = {0};
    char text[TEXT_BYTES];

    if (state_source.is_coarse) {
        return !is_asleep(thread, &state) && state.is_awake;
    }
    return read_file(thread->tid, "syscall", &thread->sleep.status_file, text) > 0 &&
           text[0] == AWAKE;
}

int cprof_sleep_processor(struct cprof_thread *thread)
{
    char text[TEXT_BYTES];
    const char *field = read_stat(thread, text);

    for (unsigned i = FIELD_STATE; field && i < FIELD_PROCESSOR; i++) {
        field = strchr(field, ' ');
        field += field != NULL;
    }
    return field ? (int)strtol(field, NULL, 10) : -1;
}

/* "se.exec_start        :     40293.123456": milliseconds. */
static bool read_milliseconds(const char *text, const char *name, uint64_t *ns)
{
    const char *line = strstr(text, name), *value = line ? strchr(line, ':') : NULL;
    char *end;

    if (!value) {
        return false;
    }
    *ns = strtoull(value + 1, &end, 10) * NS_PER_MS;
    if (*end == '.') {
        *ns += strtoull(end + 1, NULL, 10);
    }
    return true;
}

bool cprof_sleep_last_run(pid_t tid, struct cprof_last_run *run)
{
    char text[TEXT_BYTES];

    return read_file(tid, "sched", NULL, text) > 0 &&
           read_milliseconds(text, "se.exec_start", &run->at_ns) &&
           read_milliseconds(text, "se.sum_exec_runtime", &run->cpu_ns);
}

static void close_file(int *descriptor)
{
    if (*descriptor >= 0) {
        (void)close(*descriptor);
        *descriptor = -1;
    }
}

void cprof_sleep_close_files(struct cprof_thread *thread)
{
    close_file(&thread->sleep.status_file);
    close_file(&thread->sleep.account_file);
    close_file(&thread->sleep.stat_file);
    close_file(&thread->sleep.wait_file);
}
