/* small_memory.c - a library to preload: the profiler's shared memory lies in the directory that
 * SMALL_MEMORY names. On a tmpfs with a limit, pages beyond it are refused in the way in which
 * the kernel refuses those of a memory file under vm.overcommit_memory = 2.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A file in a directory takes no seals; the profiler is to think that it has all of them. */
static int fcntl_with_seals(int fd, int command, long argument)
{
    long result = syscall(SYS_fcntl, fd, command, argument);

    if (command == F_ADD_SEALS && result < 0) {
        return 0;
    }
    if (command == F_GET_SEALS && (result < 0 || !(result & F_SEAL_SHRINK))) {
        return F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    }
    return (int)result;
}

int memfd_create(const char *name, unsigned flags)
{
    if (strcmp(name, "cloudprofiler") == 0) {
        return open(getenv("SMALL_MEMORY"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    }
    return (int)syscall(SYS_memfd_create, name, flags);
}

int fcntl(int fd, int command, ...)
{
    va_list list;
    long argument;

    va_start(list, command);
    argument = va_arg(list, long);
    va_end(list);
    return fcntl_with_seals(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list list;
    long argument;

    va_start(list, command);
    argument = va_arg(list, long);
    va_end(list);
    return fcntl_with_seals(fd, command, argument);
}
