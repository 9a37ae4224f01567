/* saved_files.h - the profiles in output-dir, by their names; nothing else in it can be seen.
 *
 * Callers   the side thread for files, which may wait for the disk.
 * Memory    what is listed or read is the caller's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_SAVED_FILES_H
#define CPROF_WEB_SAVED_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../sinks/directory.h"

struct cprof_saved_file {
    struct cprof_directory_name name;
    char *text;
    uint64_t byte_count;
};

struct cprof_saved_list {
    struct cprof_saved_file *files; /* newest first */
    size_t count;
};

/* This server's that began before, at most 200. Empty where there is no directory (`output` NULL),
 * no such file or no memory. */
void cprof_saved_list_read(struct cprof_saved_list *list, const struct cprof_config *config,
                           const struct cprof_output *output, uint64_t before_unix_ms);
void cprof_saved_list_reset(struct cprof_saved_list *list);

/* Reads one of them into memory that the caller frees. False: there is none of that name. */
bool cprof_saved_file_read(uint8_t **bytes, size_t *byte_count, const struct cprof_config *config,
                           const struct cprof_output *output, const char *name) CPROF_MUST_USE;

#endif
