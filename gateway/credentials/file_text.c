/* file_text.c - see file_text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "file_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void take_stamp(struct cprof_file_stamp *stamp, const struct stat *status)
{
    *stamp = (struct cprof_file_stamp){
        .device = status->st_dev,
        .inode = status->st_ino,
        .bytes = status->st_size,
        .modified = status->st_mtim,
        .changed = status->st_ctim,
    };
}

static bool same_time(const struct timespec *left, const struct timespec *right)
{
    return left->tv_sec == right->tv_sec && left->tv_nsec == right->tv_nsec;
}

bool cprof_file_stamp_holds(const struct cprof_file_stamp *stamp, const char *path)
{
    struct cprof_file_stamp now;
    struct stat status;

    if (stat(path, &status) != 0) {
        return false;
    }
    take_stamp(&now, &status);
    return now.device == stamp->device && now.inode == stamp->inode && now.bytes == stamp->bytes &&
           same_time(&now.modified, &stamp->modified) && same_time(&now.changed, &stamp->changed);
}

static bool cannot_open(int reason, const char *path, const char *what, struct cprof_error *error)
{
    if (reason == ENOENT || reason == ENOTDIR) {
        return cprof_fail(error, "%s %.300s does not exist", what, path);
    }
    if (reason == EACCES || reason == EPERM) {
        return cprof_fail(error,
                          "%s %.300s: no permission to read it as uid %u, gid %u; make it readable "
                          "for that user",
                          what, path, (unsigned)geteuid(), (unsigned)getegid());
    }
    return cprof_fail_errno(error, reason, "%s %.300s: cannot open it", what, path);
}

static bool check_type(const struct stat *status, const char *path, const char *what,
                       struct cprof_error *error)
{
    if (S_ISDIR(status->st_mode)) {
        return cprof_fail(error, "%s %.300s is a directory", what, path);
    }
    if (!S_ISREG(status->st_mode)) {
        return cprof_fail(error, "%s %.300s is not a regular file", what, path);
    }
    return true;
}

/* Reads until the end or until one byte more than allowed is there. */
static bool read_all(struct cprof_file_text *file, int fd)
{
    while (file->bytes <= CPROF_FILE_TEXT_BYTES_MAX) {
        ssize_t count =
            read(fd, file->text + file->bytes, CPROF_FILE_TEXT_BYTES_MAX + 1 - file->bytes);

        if (count < 0 && errno != EINTR) {
            return false;
        }
        if (count == 0) {
            break;
        }
        file->bytes += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool read_open_file(struct cprof_file_text *file, int fd, const char *path, const char *what,
                           struct cprof_error *error)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return cprof_fail_errno(error, errno, "%s %.300s: cannot look at it", what, path);
    }
    if (!check_type(&status, path, what, error)) {
        return false;
    }
    take_stamp(&file->stamp, &status);
    /* One place more for what is too long, one for the NUL. */
    file->text = calloc(1, CPROF_FILE_TEXT_BYTES_MAX + 2);
    if (!file->text) {
        return cprof_fail(error, "%s %.300s: no memory", what, path);
    }
    if (!read_all(file, fd)) {
        return cprof_fail_errno(error, errno, "%s %.300s: cannot read it", what, path);
    }
    if (file->bytes == 0) {
        return cprof_fail(error, "%s %.300s is empty", what, path);
    }
    return file->bytes <= CPROF_FILE_TEXT_BYTES_MAX
               ? true
               : cprof_fail(error, "%s %.300s is larger than 64 KiB", what, path);
}

bool cprof_file_text_read(struct cprof_file_text *file, const char *path, const char *what,
                          struct cprof_error *error)
{
    /* Without O_NONBLOCK a pipe would hold up the loop. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool ok;

    *file = (struct cprof_file_text){0};
    if (fd < 0) {
        return cannot_open(errno, path, what, error);
    }
    ok = read_open_file(file, fd, path, what, error);
    close(fd);
    if (!ok) {
        cprof_file_text_reset(file);
    }
    return ok;
}

void cprof_file_text_reset(struct cprof_file_text *file)
{
    if (file->text) {
        explicit_bzero(file->text, CPROF_FILE_TEXT_BYTES_MAX + 2);
        free(file->text);
    }
    *file = (struct cprof_file_text){0};
}
