/* directory.c - see directory.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../plugin/base/error.h"
#include "../../plugin/base/log.h"
#include "../profile/kind.h"
#include "files.h"
#include "name_list.h"

#define SUFFIX    ".pb.gz"
#define NS_PER_MS UINT64_C(1000000)

/* Service and instance are cut to this, so that the temporary's name stays below NAME_MAX. */
#define PART_BYTES 100

#define TAIL_BYTES (2 * (PART_BYTES + 1) + sizeof(SUFFIX))
#define NAME_BYTES (sizeof("wall-") + CPROF_STAMP_BYTES + TAIL_BYTES)

/* Profiles of one instance do not start at the same millisecond by more than accident. */
#define NAME_ATTEMPTS 100

struct directory_sink {
    struct cprof_sink sink;
    const struct cprof_config *config;
    char tail[TAIL_BYTES]; /* "-SERVICE-INSTANCE.pb.gz" */
    bool failing;          /* the warning was given */
};

static void format_name(char name[NAME_BYTES], const struct directory_sink *sink,
                        enum cprof_kind kind, const char *stamp)
{
    (void)snprintf(name, NAME_BYTES, "%s-%s%s", cprof_kind_name(kind), stamp, sink->tail);
}

/* The stamp in the name of a profile of ours of this kind; NULL: it is none. */
static const char *stamp_in_name(const struct directory_sink *sink, enum cprof_kind kind,
                                 const char *name)
{
    size_t length = strlen(cprof_kind_name(kind));
    const char *stamp = name + length + 1;

    return strncmp(name, cprof_kind_name(kind), length) == 0 && name[length] == '-' &&
                   strnlen(stamp, CPROF_STAMP_BYTES) == CPROF_STAMP_BYTES &&
                   cprof_is_stamp(stamp) && strcmp(stamp + CPROF_STAMP_BYTES, sink->tail) == 0
               ? stamp
               : NULL;
}

static bool is_profile_name(const struct directory_sink *sink, const char *name)
{
    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        if (stamp_in_name(sink, cprof_profile_kinds[i], name)) {
            return true;
        }
    }
    return false;
}

/* Is this the name of a temporary of ours, of any kind? */
static bool is_temporary_name(const struct directory_sink *sink, const char *name)
{
    char inner[NAME_BYTES];
    size_t length = strlen(name), end = strlen(".tmp");

    if (name[0] != '.' || length <= 1 + end || length - 1 - end >= sizeof(inner) ||
        strcmp(name + length - end, ".tmp") != 0) {
        return false;
    }
    (void)snprintf(inner, sizeof(inner), "%.*s", (int)(length - 1 - end), name + 1);
    return is_profile_name(sink, inner);
}

/* Appends `part` to the tail, cut, without anything that a shell or a path would mind. */
static void append_part(struct directory_sink *sink, const char *part)
{
    size_t used = strlen(sink->tail);

    (void)snprintf(sink->tail + used, sizeof(sink->tail) - used, "-%.*s", PART_BYTES, part);
    for (char *c = sink->tail + used; *c; c++) {
        bool plain = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
                     (*c >= '0' && *c <= '9') || *c == '.' || *c == '_' || *c == '-';

        if (!plain) {
            *c = '_';
        }
    }
}

static void make_tail(struct directory_sink *sink)
{
    append_part(sink, sink->config->service[0] ? sink->config->service : "uwsgi");
    append_part(sink, sink->config->instance[0] ? sink->config->instance : "unknown");
    (void)strncat(sink->tail, SUFFIX, sizeof(sink->tail) - strlen(sink->tail) - 1);
}

static int open_directory(const struct directory_sink *sink)
{
    return open(sink->config->output_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Gives the temporary its final name; where that is taken, that of the next millisecond. */
static bool rename_temporary(struct directory_sink *sink, int directory, const char *temporary,
                             const struct cprof_finished_profile *profile)
{
    char name[NAME_BYTES];
    struct cprof_stamp stamp;
    int reason;

    for (unsigned i = 0; i < NAME_ATTEMPTS; i++) {
        cprof_stamp_format(&stamp, profile->time_unix_ns + i * NS_PER_MS);
        format_name(name, sink, profile->kind, stamp.text);
        if (cprof_file_rename(directory, temporary, name)) {
            return true;
        }
        if (errno == EEXIST && profile->may_be_delivered) {
            (void)unlinkat(directory, temporary, 0);
            return true;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    reason = errno;
    (void)unlinkat(directory, temporary, 0);
    errno = reason;
    return false;
}

static bool write_profile(struct directory_sink *sink, int directory,
                          const struct cprof_finished_profile *profile)
{
    char name[NAME_BYTES], temporary[NAME_BYTES + sizeof("..tmp")];
    struct cprof_stamp stamp;

    cprof_stamp_format(&stamp, profile->time_unix_ns);
    format_name(name, sink, profile->kind, stamp.text);
    (void)snprintf(temporary, sizeof(temporary), ".%s.tmp", name);
    return cprof_file_write(directory, temporary, profile->bytes, profile->byte_count) &&
           rename_temporary(sink, directory, temporary, profile) && fsync(directory) == 0;
}

/* Without memory the list is shorter: then some old files stay until the next time. */
static void remove_old_profiles(const struct directory_sink *sink, int directory,
                                enum cprof_kind kind)
{
    struct cprof_name_list list = {0};
    DIR *names = sink->config->output_keep > 0 ? cprof_file_open_names(directory) : NULL;
    bool ok = names != NULL;

    for (struct dirent *entry; ok && (entry = readdir(names)) != NULL;) {
        ok = !stamp_in_name(sink, kind, entry->d_name) || cprof_name_list_add(&list, entry->d_name);
    }
    if (names) {
        (void)closedir(names);
    }
    cprof_name_list_remove_old(&list, directory, sink->config->output_keep);
    cprof_name_list_reset(&list);
}

static void remove_temporaries(const struct directory_sink *sink)
{
    int directory = open_directory(sink);
    DIR *names = directory >= 0 ? cprof_file_open_names(directory) : NULL;

    for (struct dirent *entry; names && (entry = readdir(names)) != NULL;) {
        if (is_temporary_name(sink, entry->d_name)) {
            cprof_file_remove_unlocked(directory, entry->d_name);
        }
    }
    if (names) {
        (void)closedir(names);
    }
    if (directory >= 0) {
        close(directory);
    }
}

/* Says once that writing fails, and once that it works again. These lines are not cprof_log's,
 * because lost profiles must be seen at any verbosity. */
static void report(struct directory_sink *sink, bool ok, int reason)
{
    const char *path = sink->config->output_dir;
    struct cprof_error error;

    if (ok && sink->failing) {
        cprof_notice("profiles are written to %s again", path);
    }
    if (!ok && !sink->failing) {
        cprof_fail_errno(&error, reason, "cannot write a profile to %s", path);
        cprof_notice("warning: %s; profiles are dropped until it works again", error.text);
    }
    sink->failing = !ok;
}

static bool deliver(struct cprof_sink *base, const struct cprof_finished_profile *profile)
{
    struct directory_sink *sink = (struct directory_sink *)base;
    int directory = open_directory(sink);
    bool ok = directory >= 0 && write_profile(sink, directory, profile);
    int reason = errno;

    report(sink, ok, reason);
    if (ok) {
        remove_old_profiles(sink, directory, profile->kind);
    }
    if (directory >= 0) {
        close(directory);
    }
    return ok;
}

static void destroy(struct cprof_sink *base)
{
    free(base);
}

struct cprof_sink *cprof_directory_sink_create(const struct cprof_config *config)
{
    struct directory_sink *sink = calloc(1, sizeof(*sink));

    if (!sink) {
        return NULL;
    }
    sink->sink = (struct cprof_sink){.deliver = deliver, .destroy = destroy};
    sink->config = config;
    make_tail(sink);
    remove_temporaries(sink);
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

bool cprof_directory_read_name(struct cprof_directory_name *read, const struct cprof_config *config,
                               const char *name)
{
    struct directory_sink sink = {.config = config};

    make_tail(&sink);
    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        const char *stamp = stamp_in_name(&sink, cprof_profile_kinds[i], name);

        if (stamp) {
            read->kind = cprof_profile_kinds[i];
            read->start_unix_ms = stamp_unix_ms(stamp);
            return true;
        }
    }
    return false;
}
