/* child.h - runs something in a forked child and tells how the child ended.
 *
 * Names: a test that uses it says `sources: tests/unit/child.c` at its top.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CHILD_H
#define CPROF_CHILD_H

/* What a child ends with when `body` returns. */
#define CHILD_RETURNED 0

/* Runs body(data) in a forked child whose fault signals have their default action (the address
 * sanitizer's handlers would end it in their own way) and which is killed after 20 s. Returns its
 * exit status, or 128 plus the number of the signal that ended it. */
int child_run(void (*body)(void *data), void *data);

#endif
