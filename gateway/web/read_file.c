/* read_file.c - see read_file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "read_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_in(const char *directory_path, const char *name)
{
    int directory = open(directory_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = directory >= 0 && !strchr(name, '/')
                 ? openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                 : -1;

    if (directory >= 0) {
        close(directory);
    }
    return fd;
}

bool cprof_web_read_file(uint8_t **bytes, size_t *byte_count, const char *directory,
                         const char *name, size_t bytes_max)
{
    int fd = open_in(directory, name);
    struct stat status;
    ssize_t got = -1;

    *bytes = NULL;
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size >= 0 &&
        (uint64_t)status.st_size <= bytes_max) {
        *bytes = malloc((size_t)status.st_size + 1);
    }
    if (*bytes) {
        got = pread(fd, *bytes, (size_t)status.st_size, 0);
    }
    close(fd);
    if (got < 0) {
        free(*bytes);
        *bytes = NULL;
        return false;
    }
    *byte_count = (size_t)got;
    return true;
}
