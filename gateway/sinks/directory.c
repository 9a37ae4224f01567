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
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../plugin/base/error.h"
#include "../../plugin/base/log.h"
#include "../profile/kind.h"

#define SUFFIX      ".pb.gz"
#define STAMP_BYTES 20 /* 20261122T152345.123Z */
#define NS_PER_S    UINT64_C(1000000000)
#define NS_PER_MS   UINT64_C(1000000)

/* The last second of the year 9999: later ones would make the stamp longer. */
#define STAMP_SECONDS_MAX UINT64_C(253402300799)

/* Service and instance are cut to this, so that the temporary's name stays below NAME_MAX. */
#define PART_BYTES 100

#define TAIL_BYTES (2 * (PART_BYTES + 1) + sizeof(SUFFIX))
#define NAME_BYTES (sizeof("wall-") + STAMP_BYTES + TAIL_BYTES)

/* Profiles of one instance do not start at the same millisecond by more than accident. */
#define NAME_ATTEMPTS 100

struct stamp {
    char text[STAMP_BYTES + 1];
};

struct directory_sink {
    struct cprof_sink sink;
    const struct cprof_config *config;
    char tail[TAIL_BYTES]; /* "-SERVICE-INSTANCE.pb.gz" */
    bool failing;          /* the warning was given */
};

static void format_stamp(struct stamp *stamp, uint64_t unix_ns)
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

/* Is this a stamp, digit by digit? */
static bool is_stamp(const char *text)
{
    static const char pattern[] = "00000000T000000.000Z";

    for (size_t i = 0; i < STAMP_BYTES; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';

        if (pattern[i] == '0' ? !digit : text[i] != pattern[i]) {
            return false;
        }
    }
    return true;
}

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
                   strnlen(stamp, STAMP_BYTES) == STAMP_BYTES && is_stamp(stamp) &&
                   strcmp(stamp + STAMP_BYTES, sink->tail) == 0
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

/* Writes and syncs the temporary, locked meanwhile, so that another gateway which starts in the
 * same directory leaves it alone (uWSGI's refork has two masters for a while). On failure it is
 * gone again and errno says why. */
static bool write_temporary(int directory, const char *name,
                            const struct cprof_finished_profile *profile)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok;
    int reason;

    if (fd < 0) {
        return false;
    }
    (void)flock(fd, LOCK_EX | LOCK_NB); /* where locks are not supported, all is as without */
    ok = write_all(fd, profile->bytes, profile->byte_count) && fsync(fd) == 0;
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

/* rename(2) that never overwrites. File systems that cannot do that by flag (NFS) have links. */
static bool rename_to_free_name(int directory, const char *from, const char *to)
{
    if (renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0) {
        return true;
    }
    return errno == EINVAL && linkat(directory, from, directory, to, 0) == 0 &&
           unlinkat(directory, from, 0) == 0;
}

/* Gives the temporary its final name; where that is taken, that of the next millisecond. */
static bool rename_temporary(struct directory_sink *sink, int directory, const char *temporary,
                             const struct cprof_finished_profile *profile)
{
    char name[NAME_BYTES];
    struct stamp stamp;
    int reason;

    for (unsigned i = 0; i < NAME_ATTEMPTS; i++) {
        format_stamp(&stamp, profile->time_unix_ns + i * NS_PER_MS);
        format_name(name, sink, profile->kind, stamp.text);
        if (rename_to_free_name(directory, temporary, name)) {
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
    struct stamp stamp;

    format_stamp(&stamp, profile->time_unix_ns);
    format_name(name, sink, profile->kind, stamp.text);
    (void)snprintf(temporary, sizeof(temporary), ".%s.tmp", name);
    return write_temporary(directory, temporary, profile) &&
           rename_temporary(sink, directory, temporary, profile) && fsync(directory) == 0;
}

static void remove_file(int directory, const char *name)
{
    struct stat status;

    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode)) {
        (void)unlinkat(directory, name, 0);
    }
}

/* Opens the directory for reading its names; `directory` stays the caller's. */
static DIR *open_names(int directory)
{
    int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = own >= 0 ? fdopendir(own) : NULL;

    if (!names && own >= 0) {
        close(own);
    }
    return names;
}

static int newer_first(const void *left, const void *right)
{
    return strcmp(((const struct stamp *)right)->text, ((const struct stamp *)left)->text);
}

/* A list that grows. */
struct stamp_list {
    struct stamp *stamps;
    size_t count, capacity;
};

static bool add_stamp(struct stamp_list *list, const char *text)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct stamp *grown = reallocarray(list->stamps, capacity, sizeof(*grown));

        if (!grown) {
            return false;
        }
        list->stamps = grown;
        list->capacity = capacity;
    }
    (void)snprintf(list->stamps[list->count++].text, sizeof(struct stamp), "%.*s", STAMP_BYTES,
                   text);
    return true;
}

/* The stamps of all our profiles of a kind, newest first; the caller frees list->stamps. Without
 * memory the list is shorter: then some old files stay until the next time. */
static void list_profiles(const struct directory_sink *sink, int directory, enum cprof_kind kind,
                          struct stamp_list *list)
{
    DIR *names = open_names(directory);
    bool ok = names != NULL;

    for (struct dirent *entry; ok && (entry = readdir(names)) != NULL;) {
        const char *stamp = stamp_in_name(sink, kind, entry->d_name);

        ok = !stamp || add_stamp(list, stamp);
    }
    if (names) {
        (void)closedir(names);
    }
    if (list->count > 0) {
        qsort(list->stamps, list->count, sizeof(*list->stamps), newer_first);
    }
}

static void remove_old_profiles(const struct directory_sink *sink, int directory,
                                enum cprof_kind kind)
{
    struct stamp_list list = {0};

    if (sink->config->output_keep == 0) {
        return;
    }
    list_profiles(sink, directory, kind, &list);
    for (size_t i = sink->config->output_keep; i < list.count; i++) {
        char name[NAME_BYTES];

        format_name(name, sink, kind, list.stamps[i].text);
        remove_file(directory, name);
    }
    free(list.stamps);
}

/* Leaves the temporary of a gateway that is writing it now. */
static void remove_temporary(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
        remove_file(directory, name);
    }
    close(fd);
}

static void remove_temporaries(const struct directory_sink *sink)
{
    int directory = open_directory(sink);
    DIR *names = directory >= 0 ? open_names(directory) : NULL;

    for (struct dirent *entry; names && (entry = readdir(names)) != NULL;) {
        if (is_temporary_name(sink, entry->d_name)) {
            remove_temporary(directory, entry->d_name);
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

/* The inverse of format_stamp; 0 for a day that the calendar does not have. */
static uint64_t stamp_unix_ms(const char *stamp)
{
    char text[STAMP_BYTES + 1];
    struct tm utc = {0};
    const char *end;
    time_t seconds;

    (void)snprintf(text, sizeof(text), "%.*s", STAMP_BYTES, stamp);
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
