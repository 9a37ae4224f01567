/* output.h - the files of this server in output-dir, which servers of all sorts may share.
 *
 * Names     SORT-20261122T152345.123Z-SERVICE-INSTANCE-ID.pb.gz: what it is (cpu, wall, slow,
 *           harakiri), when it began in UTC, whose it is. Files about one worker have -workerN in
 *           front of the ending. Without a service "uwsgi"; the instance is what
 *           cloudprofiler-instance names, else the host. What a file name should not hold becomes
 *           '_'. The ID is eight hexadecimal digits of a digest over service, instance, uid and
 *           server_key (plugin/host/server_key.h), the same at each start.
 * Places    servers that are alike in all of these, too, as members of a zerg or containers of one
 *           image and host name, get places in the order of their start; from the second on the
 *           place stands behind the ID (-2). A server holds its place by a lock on an empty file
 *           (.cloudprofiler-SERVICE-INSTANCE-ID.lock) as long as its gateway lives, and takes one
 *           again where somebody removed the file. Where the file system has no locks such servers
 *           share the names of the first.
 * Files     appear whole: written under a temporary name (a dot in front, .tmp behind), synced,
 *           renamed; mode 0600; nothing that exists is followed or overwritten. Where the file
 *           system does not rename, they are written under their final names.
 * Removal   only regular files of exactly these names with this server's own service, instance, ID
 *           and place: those beyond the newest output_keep of each sort and ending, and
 *           temporaries that a killed gateway left; besides CPROF_OUTPUT_TRIAL. Never the file that
 *           was just written; files from the future, which a clock that was ahead has left, go
 *           first, with one line.
 * Callers   one thread, which may wait for the disk: the gateway's side thread for files. It is
 *           made and destroyed by the gateway's thread, before and after.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_OUTPUT_H
#define CPROF_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"

#define CPROF_OUTPUT_PROFILE ".pb.gz"

struct cprof_output;

struct cprof_output_file {
    const char *sort;   /* "cpu", "slow" */
    uint32_t worker;    /* 0: it is about all */
    const char *ending; /* ".pb.gz", ".txt" */
    uint64_t time_unix_ns;
    const uint8_t *bytes;
    size_t byte_count;
    bool may_be_there; /* a file of this very name is this one, written before */
};

/* For config->output_dir, which is opened anew for each file. Does not look at it yet. The config
 * is borrowed. NULL without memory. */
struct cprof_output *cprof_output_create(const struct cprof_config *config);
/* Takes the place and removes stale temporaries. Without it, or if the directory is not there yet,
 * the first file does. */
void cprof_output_settle(struct cprof_output *output);
/* NULL is fine. */
void cprof_output_destroy(struct cprof_output *output);

/* Writes the file, under the time of the next millisecond where the name is taken, and removes old
 * ones of its sort and ending. False: it is not there. */
bool cprof_output_write(struct cprof_output *output, const struct cprof_output_file *file,
                        struct cprof_error *error) CPROF_MUST_USE;

/* "SERVICE-INSTANCE-ID", with the place. */
const char *cprof_output_owner(const struct cprof_output *output);

/* Is this the name of a profile of this sort, and about all workers? Then where its time begins,
 * else NULL. */
const char *cprof_output_stamp(const struct cprof_output *output, const char *sort,
                               const char *name);

#endif
