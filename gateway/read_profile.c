/* read_profile.c - see read_profile.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "read_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profile/pprof.h"

bool cprof_read_profile(uint8_t **bytes, size_t *byte_count, const char *path,
                        struct cprof_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    ssize_t got;
    bool ok = false;

    *bytes = NULL;
    if (fd < 0) {
        return cprof_fail_errno(error, errno, "cannot open %s", path);
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 ||
        status.st_size > (off_t)CPROF_PPROF_FILE_BYTES_MAX) {
        cprof_fail(error, "%s is no profile: not a file of 1 byte to 64 MiB", path);
        goto out;
    }
    *bytes = malloc((size_t)status.st_size);
    if (!*bytes) {
        cprof_fail(error, "%s: no memory for %lld bytes", path, (long long)status.st_size);
        goto out;
    }
    got = pread(fd, *bytes, (size_t)status.st_size, 0);
    if (got < 0) {
        cprof_fail_errno(error, errno, "cannot read %s", path);
        goto out;
    }
    *byte_count = (size_t)got;
    ok = true;
out:
    close(fd);
    return ok;
}
