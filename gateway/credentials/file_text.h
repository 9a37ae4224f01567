/* file_text.h - a small file, read whole: key files and subject tokens.
 *
 * Callers   the gateway's thread; it blocks for as long as the disk takes.
 * Memory    the text is the caller's until cprof_file_text_reset, which wipes it.
 * Trust     the path is the operator's; what lies there may be anything: a directory, a pipe, a
 *           file without end. Nothing of that blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_FILE_TEXT_H
#define CPROF_FILE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"

#define CPROF_FILE_TEXT_BYTES_MAX 65536u

/* Tells a file from what stood at its path before. */
struct cprof_file_stamp {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec modified, changed;
};

struct cprof_file_text {
    char *text; /* NUL-terminated behind `bytes`; may hold NULs */
    size_t bytes;
    struct cprof_file_stamp stamp;
};

/* Reads the file at `path`. `what` names it in errors: "key file". False with the error, which says
 * which file and what is wrong with it. */
bool cprof_file_text_read(struct cprof_file_text *file, const char *path, const char *what,
                          struct cprof_error *error) CPROF_MUST_USE;
void cprof_file_text_reset(struct cprof_file_text *file);

/* Is the file at `path` still the one that was read? */
bool cprof_file_stamp_holds(const struct cprof_file_stamp *stamp, const char *path);

#endif
