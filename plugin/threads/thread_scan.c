/* thread_scan.c - see thread_scan.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread_scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What getdents64(2) writes; glibc's headers do not declare it. */
struct directory_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t entry_bytes;
    uint8_t type;
    char name[];
};

static void visit_entries(const char *entries, long bytes, void (*visit)(pid_t, void *), void *data)
{
    for (long at = 0; at < bytes;) {
        const struct directory_entry *entry = (const void *)(entries + at);
        long tid = strtol(entry->name, NULL, 10);

        if (tid > 0) { /* "." and ".." give 0 */
            visit((pid_t)tid, data);
        }
        at += entry->entry_bytes;
    }
}

/* In a process namespace without a /proc of its own the directory holds the numbers that the
 * threads have outside. */
static bool lists_calling_thread(int directory)
{
    struct stat status;
    char name[16];

    /* Not faccessat(3), which asks by faccessat2, a call that filters of before 2020 refuse. */
    (void)snprintf(name, sizeof(name), "%d", (int)syscall(SYS_gettid));
    return fstatat(directory, name, &status, 0) == 0;
}

int cprof_thread_scan_open(void)
{
    int directory = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (directory >= 0 && !lists_calling_thread(directory)) {
        (void)close(directory);
        return -1;
    }
    return directory;
}

void cprof_thread_scan_close(int directory)
{
    if (directory >= 0) {
        (void)close(directory);
    }
}

bool cprof_thread_scan(int directory, void (*visit)(pid_t tid, void *data), void *data)
{
    _Alignas(struct directory_entry) char entries[4096];
    long bytes;

    if (directory < 0 || lseek(directory, 0, SEEK_SET) != 0) {
        return false;
    }
    while ((bytes = syscall(SYS_getdents64, directory, entries, sizeof(entries))) > 0) {
        visit_entries(entries, bytes, visit, data);
    }
    return bytes == 0;
}

/* A directory has two links, and this one has one more for each thread. */
uint64_t cprof_thread_scan_count(int directory)
{
    struct stat status;
    int failed = directory >= 0 ? fstat(directory, &status) : stat("/proc/self/task", &status);

    return failed == 0 && status.st_nlink > 2 ? (uint64_t)status.st_nlink - 2 : UINT64_MAX;
}

static size_t read_task_file(pid_t tid, const char *file, char *to, size_t to_bytes)
{
    char path[64];
    ssize_t bytes;
    int descriptor;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid, file);
    descriptor = open(path, O_RDONLY | O_CLOEXEC);
    to[0] = '\0';
    if (descriptor < 0) {
        return 0;
    }
    bytes = read(descriptor, to, to_bytes - 1);
    (void)close(descriptor);
    if (bytes < 0) {
        return 0;
    }
    to[bytes] = '\0';
    return (size_t)bytes;
}

void cprof_thread_scan_name(pid_t tid, char *to, size_t to_bytes)
{
    (void)read_task_file(tid, "comm", to, to_bytes);
    to[strcspn(to, "\n")] = '\0';
}

bool cprof_thread_scan_blocks(pid_t tid, int signal_number)
{
    char status[4096];
    const char *mask;

    (void)read_task_file(tid, "status", status, sizeof(status));
    mask = strstr(status, "\nSigBlk:");
    return mask && (strtoull(mask + strlen("\nSigBlk:"), NULL, 16) >> (signal_number - 1) & 1);
}
