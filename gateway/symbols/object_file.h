/* object_file.h - what an ELF file says of itself: its name, its build id, its functions.
 *
 * Callers   the gateway's thread.
 * Trust     none. The path comes from a worker, the bytes from whatever lies there: only a regular
 *           file is opened, and nothing that a mere opening would set off; sizes are bounded;
 *           libelf checks its own reads. A file is read, never mapped: it may shrink meanwhile.
 * Memory    owned by the struct; bounded by the constants below.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_OBJECT_FILE_H
#define CPROF_OBJECT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../../shared/base/attributes.h"

#define CPROF_OBJECT_NAME_BYTES     256u /* of a name, NUL included; longer ones are cut */
#define CPROF_OBJECT_BUILD_ID_BYTES 129u /* 64 bytes as hexadecimal digits */
#define CPROF_OBJECT_SEGMENTS_MAX   16u

/* Executable bytes of the file. */
struct cprof_object_segment {
    uint64_t file_offset;
    uint64_t bytes;
    uint64_t address; /* that the file gives them, before it is placed anywhere */
};

/* Fields are for reading. */
struct cprof_object {
    char name[CPROF_OBJECT_NAME_BYTES];         /* DT_SONAME; empty: none */
    char build_id[CPROF_OBJECT_BUILD_ID_BYTES]; /* empty: none */
    struct cprof_object_segment segments[CPROF_OBJECT_SEGMENTS_MAX];
    uint32_t segment_count;
    struct cprof_object_symbol *symbols; /* private */
    size_t symbol_count;
    char *text; /* names of symbols, private */
    size_t text_bytes, text_capacity;
    size_t memory_bytes;      /* that the object holds */
    size_t section_bytes_max; /* private */
};

/* A function of the file. */
struct cprof_object_function {
    const char *name; /* valid as long as the object */
    uint64_t address; /* where it begins, as the file counts */
};

/* Opens the file for nothing but to be asked what it is. Returns a descriptor, which the caller
 * closes, and its status; -1: no regular file lies there. */
int cprof_object_find(const char *path, struct stat *status);

/* Reads the file that cprof_object_find gave, but for sections larger than section_bytes_max.
 * False: no ELF file of this machine, or no memory; *object is empty then. The caller ends it with
 * cprof_object_reset. */
bool cprof_object_read(struct cprof_object *object, int found,
                       size_t section_bytes_max) CPROF_MUST_USE;
void cprof_object_reset(struct cprof_object *object);

/* The address, as the file counts, of what lies at an offset of it. False: nothing executable. */
bool cprof_object_address(const struct cprof_object *object, uint64_t file_offset,
                          uint64_t *address);

/* The function that an address is in. False: none is known; never one nearby. */
bool cprof_object_function(const struct cprof_object *object, uint64_t address,
                           struct cprof_object_function *function);

#endif
