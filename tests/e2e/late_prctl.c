/* late_prctl.c - a library to preload: a process that asks for a signal at its parent's end has
 * that end behind it.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TURNS_MAX 30000 /* of a millisecond: the server ends long before */

int prctl(int option, ...)
{
    unsigned long values[4];
    pid_t parent = getppid();
    va_list list;

    va_start(list, option);
    for (int i = 0; i < 4; i++) {
        values[i] = va_arg(list, unsigned long);
    }
    va_end(list);
    for (int i = 0; option == PR_SET_PDEATHSIG && getppid() == parent && i < TURNS_MAX; i++) {
        (void)usleep(1000);
    }
    return (int)syscall(SYS_prctl, option, values[0], values[1], values[2], values[3]);
}
