/* directory.c - see directory.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../shared/base/error.h"
#include "../../shared/base/log.h"
#include "../profile/kind.h"
#include "files.h"

struct directory_sink {
    struct cprof_sink sink;
    const struct cprof_config *config;
    struct cprof_output *output;
};

/* Says once that writing fails, and once that it works again. These lines are not cprof_log's,
 * because lost profiles must be seen at any verbosity. */
static void report(const struct directory_sink *sink, bool ok, const struct cprof_error *error)
{
    const char *path = sink->config->output_dir;
    bool was_failing = sink->sink.counts.is_failing;

    if (ok && was_failing) {
        cprof_notice("profiles are written to %s again", path);
    }
    if (!ok && !was_failing) {
        cprof_notice("warning: %s; profiles are dropped until it works again", error->text);
    }
}

static const char *sort_of(const struct cprof_profile *profile, const struct cprof_why *why)
{
    return why->reason == CPROF_REASON_SLOW       ? "slow"
           : why->reason == CPROF_REASON_HARAKIRI ? "harakiri"
                                                  : cprof_kind_name(profile->table.kind);
}

static bool write_file(const struct directory_sink *sink, struct cprof_output_file *file,
                       const void *bytes, size_t byte_count, struct cprof_error *error)
{
    file->bytes = bytes;
    file->byte_count = byte_count;
    return cprof_output_write(sink->output, file, error);
}

/* The text first: it is what somebody looks for who wants to know what hung. */
static bool write_files(const struct directory_sink *sink, struct cprof_profile *profile,
                        const struct cprof_why *why, struct cprof_error *error)
{
    struct cprof_output_file file = {
        .sort = sort_of(profile, why),
        .worker = why->worker,
        .ending = ".txt",
        .time_unix_ns = why->time_unix_ns ? why->time_unix_ns : profile->table.time_unix_ns,
        .may_be_there = why->may_be_delivered,
    };

    if (why->text && !write_file(sink, &file, why->text, strlen(why->text), error)) {
        return false;
    }
    file.ending = CPROF_OUTPUT_PROFILE;
    return cprof_profile_pack(profile, error) &&
           write_file(sink, &file, profile->bytes, profile->byte_count, error);
}

static enum cprof_delivery deliver(struct cprof_sink *base, struct cprof_profile *profile,
                                   const struct cprof_why *why)
{
    const struct directory_sink *sink = (struct directory_sink *)base;
    struct cprof_error error;
    bool ok = write_files(sink, profile, why, &error);

    report(sink, ok, &error);
    return ok ? CPROF_DELIVERED : CPROF_DROPPED;
}

static void destroy(struct cprof_sink *base)
{
    free(base);
}

struct cprof_sink *cprof_directory_sink_create(const struct cprof_config *config,
                                               struct cprof_output *output,
                                               struct cprof_control *control)
{
    struct directory_sink *sink = calloc(1, sizeof(*sink));

    if (!sink) {
        return NULL;
    }
    sink->sink = (struct cprof_sink){
        .reasons = CPROF_REASON_SCHEDULE | CPROF_REASON_COMMAND | CPROF_REASON_ROUTE |
                   CPROF_REASON_SLOW | CPROF_REASON_HARAKIRI,
        .deliver = deliver,
        .destroy = destroy,
        .control = control,
    };
    sink->config = config;
    sink->output = output;
    return &sink->sink;
}

/* The inverse of cprof_stamp_format; 0 for a day that the calendar does not have. */
static uint64_t stamp_unix_ms(const char *stamp)
{
    char text[CPROF_STAMP_BYTES + 1];
    struct tm utc = {0};
    const char *end;
    time_t seconds;

    (void)snprintf(text, sizeof(text), "%.*s", CPROF_STAMP_BYTES, stamp);
    end = strptime(text, "%Y%m%dT%H%M%S", &utc);
    seconds = end ? timegm(&utc) : -1;
    return seconds < 0 ? 0 : (uint64_t)seconds * 1000 + strtoul(end + 1, NULL, 10);
}

bool cprof_directory_read_name(struct cprof_directory_name *read, const struct cprof_output *output,
                               const char *name)
{
    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        const char *sort = cprof_kind_name(cprof_profile_kinds[i]);
        const char *stamp = cprof_output_stamp(output, sort, name);

        if (stamp) {
            read->kind = cprof_profile_kinds[i];
            read->start_unix_ms = stamp_unix_ms(stamp);
            return true;
        }
    }
    return false;
}
