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
    struct cprof_output *output; /* the side thread's */
    struct cprof_side_thread *files;
    bool is_failing; /* writing did, and that was logged */
    bool is_full;    /* too much waits for the disk, and that was logged */
};

/* A profile that is written. */
struct writing {
    struct cprof_side_job job;
    struct directory_sink *sink; /* the loop's */
    struct cprof_output *output; /* the side thread's */
    struct cprof_hold *hold;
    struct cprof_output_file file; /* but for its bytes */
    char *text;                    /* for people; NULL: there is none */
    uint8_t *bytes;                /* NULL: they could not be made, as the error says */
    size_t byte_count;
    bool ok;
    struct cprof_error error;
};

/* Says once that writing fails, and once that it works again. These lines are not cprof_log's,
 * because lost profiles must be seen at any verbosity. */
static void report(struct directory_sink *sink, bool ok, const struct cprof_error *error)
{
    const char *path = sink->config->output_dir;

    if (ok && sink->is_failing) {
        cprof_notice("profiles are written to %s again", path);
    }
    if (!ok && !sink->is_failing) {
        cprof_notice("warning: %s; profiles are dropped until it works again", error->text);
    }
    sink->is_failing = !ok;
}

/* Once, until all that waits is written. */
static void report_full(struct directory_sink *sink)
{
    if (!sink->is_full) {
        cprof_notice("warning: the disk of %s does not keep up: %u profiles wait for it, and more "
                     "are dropped; look at the disk, or take profiles more rarely "
                     "(cloudprofiler-output-interval)",
                     sink->config->output_dir, cprof_side_thread_waiting(sink->files));
    }
    sink->is_full = true;
}

static const char *sort_of(const struct cprof_profile *profile, const struct cprof_why *why)
{
    return why->reason == CPROF_REASON_SLOW       ? "slow"
           : why->reason == CPROF_REASON_HARAKIRI ? "harakiri"
                                                  : cprof_kind_name(profile->table.kind);
}

static bool write_file(struct writing *writing, const char *ending, const void *bytes,
                       size_t byte_count)
{
    writing->file.ending = ending;
    writing->file.bytes = bytes;
    writing->file.byte_count = byte_count;
    return cprof_output_write(writing->output, &writing->file, &writing->error);
}

/* The text first: it is what somebody looks for who wants to know what hung. */
static void work(struct cprof_side_job *job)
{
    struct writing *writing = (struct writing *)job;

    writing->ok =
        (!writing->text || write_file(writing, ".txt", writing->text, strlen(writing->text))) &&
        writing->bytes &&
        write_file(writing, CPROF_OUTPUT_PROFILE, writing->bytes, writing->byte_count);
}

static void free_writing(struct writing *writing)
{
    free(writing->text);
    free(writing->bytes);
    free(writing);
}

static void done(struct cprof_side_job *job, bool was_worked)
{
    struct writing *writing = (struct writing *)job;
    struct directory_sink *sink = writing->sink;

    if (was_worked) {
        report(sink, writing->ok, &writing->error);
        sink->is_full = sink->is_full && cprof_side_thread_waiting(sink->files) > 0;
    }
    cprof_sink_count(&sink->sink, was_worked && writing->ok, writing->byte_count);
    cprof_hold_let_go(writing->hold, was_worked);
    free_writing(writing);
}

/* A copy of what there is; NULL without memory. */
static struct writing *copy(struct directory_sink *sink, struct cprof_profile *profile,
                            const struct cprof_why *why)
{
    struct writing *writing = calloc(1, sizeof(*writing));

    if (!writing) {
        return NULL;
    }
    writing->job = (struct cprof_side_job){.work = work, .done = done};
    writing->sink = sink;
    writing->output = sink->output;
    writing->file = (struct cprof_output_file){
        .sort = sort_of(profile, why),
        .worker = why->worker,
        .time_unix_ns = why->time_unix_ns ? why->time_unix_ns : profile->table.time_unix_ns,
        .may_be_there = why->may_be_delivered,
    };
    writing->text = why->text ? strdup(why->text) : NULL;
    if (cprof_profile_pack(profile, &writing->error)) {
        writing->bytes = malloc(profile->byte_count);
        writing->byte_count = profile->byte_count;
    }
    if ((why->text && !writing->text) || (writing->byte_count > 0 && !writing->bytes)) {
        free_writing(writing);
        return NULL;
    }
    if (writing->bytes) {
        memcpy(writing->bytes, profile->bytes, profile->byte_count);
    }
    writing->job.bytes = writing->byte_count + (why->text ? strlen(why->text) : 0);
    return writing;
}

static enum cprof_delivery deliver(struct cprof_sink *base, struct cprof_profile *profile,
                                   const struct cprof_why *why)
{
    struct directory_sink *sink = (struct directory_sink *)base;
    struct writing *writing = copy(sink, profile, why);
    struct cprof_error error;

    if (!writing) {
        cprof_fail(&error, "no memory to write a profile");
        report(sink, false, &error);
        return CPROF_DROPPED;
    }
    writing->hold = why->hold;
    cprof_hold_keep(why->hold);
    if (!cprof_side_thread_take(sink->files, &writing->job)) {
        report_full(sink);
        cprof_hold_let_go(why->hold, true);
        free_writing(writing);
        return CPROF_DROPPED;
    }
    return CPROF_QUEUED;
}

static void destroy(struct cprof_sink *base)
{
    free(base);
}

struct cprof_sink *cprof_directory_sink_create(const struct cprof_config *config,
                                               struct cprof_output *output,
                                               struct cprof_side_thread *files,
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
    sink->files = files;
    return &sink->sink;
}

struct settling {
    struct cprof_side_job job;
    struct cprof_output *output;
};

static void settle(struct cprof_side_job *job)
{
    cprof_output_settle(((struct settling *)job)->output);
}

static void forget_settling(struct cprof_side_job *job, bool was_worked)
{
    (void)was_worked;
    free(job);
}

void cprof_directory_begin(struct cprof_output *output, struct cprof_side_thread *files)
{
    struct settling *settling = calloc(1, sizeof(*settling));

    if (settling) {
        settling->job =
            (struct cprof_side_job){.is_urgent = true, .work = settle, .done = forget_settling};
        settling->output = output;
        if (!cprof_side_thread_take(files, &settling->job)) {
            free(settling);
        }
    }
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
