/* aside.h - a system call that may end the process, tried by a child whose death is the answer.
 *
 * A seccomp filter may answer a call by ending the process that makes it (systemd's
 * SystemCallFilter= without SystemCallErrorNumber= does). Whether it would cannot be asked: so a
 * child makes the call.
 *
 * The child shares nothing but the filter: it has a copy of the memory, since a process that dumps
 *           core takes along all that share its memory (before Linux 5.16), and it writes no core
 *           file. Its end sends no signal and is no news to a waitpid() of the app's or of uWSGI's.
 *           It blocks all signals, runs no handler of pthread_atfork or atexit and no Python.
 * Cost      without a filter (prctl PR_GET_SECCOMP) nothing can be deadly, and the caller makes the
 *           call itself; else a fork.
 * Callers   the master, before its first fork; or the only process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ASIDE_H
#define CPROF_ASIDE_H

#include <stdbool.h>

/* What cprof_ask_aside gives beside 0 and errno values. */
#define CPROF_ASIDE_DEADLY  (-1) /* who asks is ended */
#define CPROF_ASIDE_UNKNOWN (-2) /* no child could be made, or it did not answer within seconds */

/* Calls `question`, which gives 0 or an errno value, and gives what it gave. `question` may make
 * system calls and touch its own variables, no more: no allocation, no lock, no stdio. */
int cprof_ask_aside(int (*question)(void));

/* Has the calling thread a seccomp filter? */
bool cprof_has_seccomp_filter(void);

#endif
