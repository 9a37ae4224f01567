/* thread_scan.h - which threads this process has, from /proc/self/task.
 *
 * Callers   the ticker only: it has a descriptor table of its own, so that the app can neither
 *           close these descriptors nor reuse their numbers.
 * Memory    the caller's buffer; nothing is allocated.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_THREAD_SCAN_H
#define CPROF_THREAD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens /proc/self/task for many scans; -1 if it cannot be read (a chroot without /proc) or does
 * not list the calling thread (a process namespace without a /proc of its own). */
int cprof_thread_scan_open(void);
void cprof_thread_scan_close(int directory);

/* Calls visit(tid) for each thread. False if that failed. */
bool cprof_thread_scan(int directory, void (*visit)(pid_t tid, void *data), void *data);

/* How many threads there are; UINT64_MAX: that cannot be told. `directory` spares looking for it;
 * -1: it is not open. */
uint64_t cprof_thread_scan_count(int directory);

/* The thread's name (comm), at most to_bytes - 1 characters; empty if it is gone. */
void cprof_thread_scan_name(pid_t tid, char *to, size_t to_bytes);

/* Whether the thread blocks `signal_number` now; false also if it cannot be told. */
bool cprof_thread_scan_blocks(pid_t tid, int signal_number);

#endif
