/* results.h - finished profiles for routes: written by the gateway, served by workers.
 *
 *     offset 0                       heads, one a kind
 *     CPROF_RESULTS_BYTES_OFFSET     bytes of the kinds, CPROF_RESULT_BYTES_MAX each
 *
 * A memory file of its own, sparse and sealed against growing and shrinking. A worker neither
 * talks to the gateway nor waits for it: it copies what stands there, or says that nothing does.
 *
 * Writing   one writer. A head's sequence is odd while its profile is being replaced.
 * Reading   the master maps the file for reading before it forks; workers inherit that. A copy is
 *           whole if the sequence was even and the same before and after.
 * Trust     a worker can write to the file's descriptor: lengths are checked, and bytes are given
 *           to nobody but the operator who asked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_RESULTS_H
#define CPROF_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/attributes.h"
#include "../base/error.h"
#include "layout.h"

#define CPROF_RESULTS_MAGIC        UINT64_C(0x3173736572667063) /* "cpfress1", little-endian */
#define CPROF_RESULT_KINDS         2u
#define CPROF_RESULTS_BYTES_OFFSET 65536u
#define CPROF_RESULT_BYTES_MAX     (UINT32_C(4) << 20)

struct cprof_result {
    _Atomic uint32_t sequence; /* 0: none was written yet */
    uint32_t kind;             /* enum cprof_kind */
    uint64_t start_unix_ns;
    uint64_t duration_ns;
    uint64_t finished_ns;
    uint64_t byte_count;
};

struct cprof_results {
    uint64_t magic;       /* written by the master */
    _Atomic uint32_t off; /* 1: profiles cannot be had now; by the gateway */
    uint32_t reserved;
    struct cprof_result heads[CPROF_RESULT_KINDS]; /* CPU, wall */
};

/* The master: makes the file and maps it for reading, for as long as it and its children live.
 * *fd is CLOEXEC and the caller's. NULL with the error. */
const struct cprof_results *cprof_results_create(int *fd, struct cprof_error *error) CPROF_MUST_USE;

/* The gateway: maps the file for writing. NULL with the error. */
struct cprof_results *cprof_results_open(int fd, struct cprof_error *error) CPROF_MUST_USE;
void cprof_results_close(struct cprof_results *results);

/* The gateway: replaces the profile of its kind. False, and the one before stays: it is too long,
 * or there is no shared memory for it. */
bool cprof_results_put(struct cprof_results *results, const struct cprof_result *head,
                       const uint8_t *bytes);

/* A worker: copies the profile of this kind that was finished after `after_ns`; the caller frees
 * *bytes. False: there is none, it is being replaced, or memory is short. */
bool cprof_results_copy(const struct cprof_results *results, enum cprof_kind kind,
                        uint64_t after_ns, struct cprof_result *head,
                        uint8_t **bytes) CPROF_MUST_USE;

#endif
