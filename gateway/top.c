/* top.c - see top.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "top.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profile/pprof.h"
#include "profile/table.h"
#include "profile/text_report.h"

/* The whole file, malloc'd. */
static bool read_file(uint8_t **bytes, size_t *byte_count, const char *path,
                      struct cprof_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
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

static bool add_file(struct cprof_table *table, const char *path, struct cprof_error *error)
{
    struct cprof_error reason;
    uint8_t *bytes;
    size_t byte_count = 0;
    bool ok = read_file(&bytes, &byte_count, path, error);

    if (ok && !cprof_pprof_read(table, bytes, byte_count, &reason)) {
        ok = cprof_fail(error, "cannot use %s: %s", path, reason.text);
    }
    free(bytes);
    return ok;
}

bool cprof_top(FILE *out, char *const *paths, int path_count, uint32_t top_count,
               struct cprof_error *error)
{
    struct cprof_table table;
    bool ok = true;

    cprof_table_init(&table);
    for (int i = 0; ok && i < path_count; i++) {
        ok = add_file(&table, paths[i], error);
    }
    ok = ok && cprof_text_report(out, &table, (uint32_t)path_count, top_count, error);
    cprof_table_reset(&table);
    return ok;
}
