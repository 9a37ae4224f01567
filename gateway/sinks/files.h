/* files.h - files in a directory of profiles: their stamps, writing them whole, removing them.
 *
 * Callers   the sinks. One thread. `directory` is an open directory, the caller's.
 * Links     nothing that exists is followed or overwritten.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_FILES_H
#define CPROF_FILES_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"

#define CPROF_STAMP_BYTES 20 /* 20261122T152345.123Z */

/* A time in a file's name, UTC; stamps sort as times do. */
struct cprof_stamp {
    char text[CPROF_STAMP_BYTES + 1];
};

void cprof_stamp_format(struct cprof_stamp *stamp, uint64_t unix_ns);

/* Does a stamp stand there, digit by digit? `text` has at least CPROF_STAMP_BYTES bytes. */
bool cprof_is_stamp(const char *text);

/* Writes and syncs a new file, mode 0600, locked meanwhile, so that another gateway which starts in
 * the same directory leaves it alone (uWSGI's refork has two masters for a while). On failure it
 * is gone again and errno says why. */
bool cprof_file_write(int directory, const char *name, const uint8_t *bytes,
                      size_t byte_count) CPROF_MUST_USE;

/* rename(2) that never overwrites: then errno is EEXIST. By whichever way the file system has;
 * where it has no atomic one, nobody but the caller may make the name `to`. */
bool cprof_file_rename(int directory, const char *from, const char *to) CPROF_MUST_USE;

/* Removes a regular file, and nothing else. */
void cprof_file_remove(int directory, const char *name);

/* The same, unless a gateway is writing the file now. */
void cprof_file_remove_unlocked(int directory, const char *name);

enum cprof_file_lock {
    CPROF_FILE_LOCK_HELD,   /* by the caller, until it closes the descriptor or ends */
    CPROF_FILE_LOCK_TAKEN,  /* by another process, or another user's file */
    CPROF_FILE_LOCK_NONE,   /* the file system has no locks */
    CPROF_FILE_LOCK_FAILED, /* errno says why; it may work another time */
};

/* Takes the lock of this name, by an empty file of mode 0600 that stays. */
enum cprof_file_lock cprof_file_take_lock(int directory, const char *name,
                                          int *held_fd) CPROF_MUST_USE;

/* Does the name still stand for the file that is held? Somebody may have removed it, or put another
 * directory in this one's place. */
bool cprof_file_is_lock(int directory, const char *name, int held_fd);

/* For reading the directory's names; NULL: it cannot be read. The caller closes it. */
DIR *cprof_file_open_names(int directory);

#endif
