/* slow_calls.c - for LD_PRELOAD: a disk and a name server that take their time.
 *
 * SLOW_DISK_MS   fsync, rename and reading a directory take so long
 * SLOW_NAMES_MS  looking up a name that is no address takes so long, and then fails
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wait_for(const char *what)
{
    const char *milliseconds = getenv(what);

    if (milliseconds) {
        (void)usleep((useconds_t)atoi(milliseconds) * 1000);
    }
}

int fsync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");

    wait_for("SLOW_DISK_MS");
    return real(fd);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to,
              unsigned flags)
{
    int (*real)(int, const char *, int, const char *, unsigned) = dlsym(RTLD_NEXT, "renameat2");

    wait_for("SLOW_DISK_MS");
    return real(from_directory, from, to_directory, to, flags);
}

DIR *opendir(const char *name)
{
    DIR *(*real)(const char *) = dlsym(RTLD_NEXT, "opendir");

    wait_for("SLOW_DISK_MS");
    return real(name);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");

    if (getenv("SLOW_NAMES_MS") && node && strspn(node, "0123456789.:") < strlen(node)) {
        wait_for("SLOW_NAMES_MS");
        return EAI_AGAIN;
    }
    return real(node, service, hints, found);
}
