/* files.c - see files.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../shared/base/units.h"

/* The last second of the year 9999: later ones would make the stamp longer. */
#define STAMP_SECONDS_MAX UINT64_C(253402300799)

void cprof_stamp_format(struct cprof_stamp *stamp, uint64_t unix_ns)
{
    uint64_t seconds = unix_ns / NS_PER_S;
    time_t time = (time_t)(seconds < STAMP_SECONDS_MAX ? seconds : STAMP_SECONDS_MAX);
    unsigned milliseconds = (unsigned)(unix_ns % NS_PER_S / NS_PER_MS);
    struct tm utc = {0};
    size_t used;

    (void)gmtime_r(&time, &utc);
    used = strftime(stamp->text, sizeof(stamp->text), "%Y%m%dT%H%M%S", &utc);
    (void)snprintf(stamp->text + used, sizeof(stamp->text) - used, ".%03uZ", milliseconds % 1000);
}

bool cprof_is_stamp(const char *text)
{
    static const char pattern[] = "00000000T000000.000Z";

    for (size_t i = 0; i < CPROF_STAMP_BYTES; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';

        if (pattern[i] == '0' ? !digit : text[i] != pattern[i]) {
            return false;
        }
    }
    return true;
}

static bool write_all(int fd, const uint8_t *bytes, size_t byte_count)
{
    while (byte_count > 0) {
        ssize_t written = write(fd, bytes, byte_count);

        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            bytes += written;
            byte_count -= (size_t)written;
        }
    }
    return true;
}

/* Some file systems cannot: what they hold is as safe as they make it. */
static bool sync_file(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
}

bool cprof_file_write(int directory, const char *name, const uint8_t *bytes, size_t byte_count)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok;
    int reason;

    if (fd < 0) {
        return false;
    }
    (void)flock(fd, LOCK_EX | LOCK_NB); /* where locks are not supported, all is as without */
    ok = write_all(fd, bytes, byte_count) && sync_file(fd);
    reason = errno;
    /* Some file systems report a full disk only here. */
    if (close(fd) != 0 && ok) {
        ok = false;
        reason = errno;
    }
    if (!ok) {
        (void)unlinkat(directory, name, 0);
        errno = reason;
    }
    return ok;
}

/* A link that is there twice for a while is a file that is there. */
static bool link_and_unlink(int directory, const char *from, const char *to)
{
    if (linkat(directory, from, directory, to, 0) != 0) {
        return false;
    }
    (void)unlinkat(directory, from, 0);
    return true;
}

/* Between the question and the answer nobody else makes the name: it is this server's own. */
static bool look_and_rename(int directory, const char *from, const char *to)
{
    struct stat status;

    if (fstatat(directory, to, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return false;
    }
    return errno == ENOENT && renameat(directory, from, directory, to) == 0;
}

/* Each way is refused somewhere, by errors of all sorts: the flag by NFS, CIFS and most of FUSE,
 * links by most of FUSE and by CIFS. So any error but EEXIST leads on to the next way, and the last
 * one tells the reason. */
bool cprof_file_rename(int directory, const char *from, const char *to)
{
    return renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0 ||
           (errno != EEXIST && link_and_unlink(directory, from, to)) ||
           (errno != EEXIST && look_and_rename(directory, from, to));
}

void cprof_file_remove(int directory, const char *name)
{
    struct stat status;

    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode)) {
        (void)unlinkat(directory, name, 0);
    }
}

void cprof_file_remove_unlocked(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
        cprof_file_remove(directory, name);
    }
    close(fd);
}

/* Some file systems open a file that exists for reading alone; locks want no more. */
static int open_lock(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

    return fd >= 0 ? fd : openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

enum cprof_file_lock cprof_file_take_lock(int directory, const char *name, int *held_fd)
{
    int fd = open_lock(directory, name);
    enum cprof_file_lock lock = CPROF_FILE_LOCK_HELD;

    *held_fd = -1;
    if (fd < 0) {
        return errno == EACCES || errno == ELOOP ? CPROF_FILE_LOCK_TAKEN : CPROF_FILE_LOCK_FAILED;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        lock = errno == EWOULDBLOCK ? CPROF_FILE_LOCK_TAKEN : CPROF_FILE_LOCK_NONE;
        close(fd);
        return lock;
    }
    *held_fd = fd;
    return lock;
}

bool cprof_file_is_lock(int directory, const char *name, int held_fd)
{
    struct stat named, held;

    return fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstat(held_fd, &held) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

DIR *cprof_file_open_names(int directory)
{
    int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = own >= 0 ? fdopendir(own) : NULL;

    if (!names && own >= 0) {
        close(own);
    }
    return names;
}
