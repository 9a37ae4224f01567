/* fail_calls.c - for LD_PRELOAD: the first calls of one function fail, in this process and its
 * successors together.
 *
 * FAIL_CALL    "calloc" (of one thing of 200 to 16,384 bytes: structures, not tables), "signalfd",
 *              "mmap" (of shared memory), "curl_multi_init"; "end": signalfd ends the process
 * FAIL_TIMES   how many times
 * FAIL_MARKS   a directory that remembers how often it was done
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

extern void *__libc_calloc(size_t count, size_t bytes);

static int must_fail(const char *call)
{
    const char *wanted = getenv("FAIL_CALL"), *times = getenv("FAIL_TIMES");
    char mark[4096];

    for (int i = 0; wanted && strcmp(wanted, call) == 0 && i < atoi(times); i++) {
        (void)snprintf(mark, sizeof(mark), "%s/%d", getenv("FAIL_MARKS"), i);
        if (mkdir(mark, 0700) == 0) {
            return 1;
        }
    }
    return 0;
}

void *calloc(size_t count, size_t bytes)
{
    if (count == 1 && bytes >= 200 && bytes <= 16384 && must_fail("calloc")) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(count, bytes);
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
    int (*real)(int, const sigset_t *, int) = dlsym(RTLD_NEXT, "signalfd");

    if (must_fail("end")) {
        _exit(1);
    }
    if (must_fail("signalfd")) {
        errno = ENOMEM;
        return -1;
    }
    return real(fd, mask, flags);
}

void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    void *(*real)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap");

    if ((flags & MAP_SHARED) && fd >= 0 && must_fail("mmap")) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return real(address, bytes, protection, flags, fd, offset);
}

void *curl_multi_init(void);
void *curl_multi_init(void)
{
    void *(*real)(void) = dlsym(RTLD_NEXT, "curl_multi_init");

    return must_fail("curl_multi_init") ? NULL : real();
}
