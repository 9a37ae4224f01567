/* output.c - see output.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../shared/base/digest.h"
#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "files.h"
#include "name_list.h"

#define WORKER    "-worker"
#define TEMPORARY ".tmp"

/* Service and instance are cut to this, so that no name is longer than NAME_MAX; a host's name is
 * at most 64 bytes long. */
#define PART_BYTES  80
#define OWNER_BYTES (2 * (PART_BYTES + 1) + sizeof("12345678-64"))
#define NAME_BYTES  256 /* NAME_MAX and the NUL */

/* Files of one sort do not begin at the same millisecond by more than accident. */
#define NAME_ATTEMPTS 100

/* More servers than this that are alike share the names of the last one. */
#define PLACES_MAX 64u

/* Stamps may be ahead by NAME_ATTEMPTS milliseconds. */
#define AHEAD_NS NS_PER_S

struct cprof_output {
    const struct cprof_config *config;
    char owner[OWNER_BYTES];
    int lock_fd;          /* of the place; -1: none is held */
    bool settled;         /* the place is known, stale temporaries are removed */
    bool renames_refused; /* by the file system */
    bool future_told;     /* files from the future were logged */
};

struct name {
    char text[NAME_BYTES];
};

/* Appends `part`, cut, without anything that a shell, a path or another system would mind. */
static void append_part(char *owner, const char *part)
{
    size_t used = strlen(owner);

    (void)snprintf(owner + used, OWNER_BYTES - used, "%.*s-", PART_BYTES, part);
    for (char *c = owner + used; *c; c++) {
        bool plain = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
                     (*c >= '0' && *c <= '9') || *c == '.' || *c == '_' || *c == '-';

        if (!plain) {
            *c = '_';
        }
    }
}

/* What the letters of the name hide (cuts, replacements, where the service ends, upper case on a
 * file system that does not tell) is in the ID. */
static uint32_t make_id(const struct cprof_config *config, const char *service,
                        const char *instance)
{
    char numbers[64];
    uint64_t digest;

    (void)snprintf(numbers, sizeof(numbers), "%u %llx", (unsigned)geteuid(),
                   (unsigned long long)config->server_key);
    digest = cprof_digest_text(CPROF_DIGEST_BEGIN, service);
    digest = cprof_digest_text(digest, instance);
    digest = cprof_digest_text(digest, numbers);
    return (uint32_t)(digest ^ digest >> 32);
}

static void make_owner(char owner[OWNER_BYTES], const struct cprof_config *config, unsigned place)
{
    const char *service = config->service[0] ? config->service : "uwsgi";
    const char *instance = config->instance_label[0] ? config->instance_label
                           : config->instance[0]     ? config->instance
                                                     : "unknown";
    size_t used;

    owner[0] = '\0';
    append_part(owner, service);
    append_part(owner, instance);
    used = strlen(owner);
    (void)snprintf(owner + used, OWNER_BYTES - used, "%08x", make_id(config, service, instance));
    if (place > 1) {
        used = strlen(owner);
        (void)snprintf(owner + used, OWNER_BYTES - used, "-%u", place);
    }
}

/* Names */

/* A name of one of this server's files, taken apart. */
struct parsed {
    size_t sort_bytes;
    const char *stamp;
    bool of_worker;
    const char *ending;
};

static bool parse_name(struct parsed *parsed, const struct cprof_output *output, const char *name)
{
    size_t owner_bytes = strlen(output->owner);
    const char *at;

    parsed->sort_bytes = strspn(name, "abcdefghijklmnopqrstuvwxyz");
    at = name + parsed->sort_bytes;
    if (parsed->sort_bytes == 0 || *at != '-' ||
        strnlen(at + 1, CPROF_STAMP_BYTES) < CPROF_STAMP_BYTES || !cprof_is_stamp(at + 1)) {
        return false;
    }
    parsed->stamp = at + 1;
    at = parsed->stamp + CPROF_STAMP_BYTES;
    if (*at != '-' || strncmp(at + 1, output->owner, owner_bytes) != 0) {
        return false;
    }
    at += 1 + owner_bytes;
    parsed->of_worker = strncmp(at, WORKER, strlen(WORKER)) == 0;
    if (parsed->of_worker) {
        at += strlen(WORKER);
        at += strspn(at, "0123456789");
    }
    parsed->ending = at;
    return *at == '.' && at[-1] != WORKER[strlen(WORKER) - 1];
}

static bool is_of_sort(const struct cprof_output *output, const struct cprof_output_file *file,
                       const char *name)
{
    struct parsed parsed;

    return parse_name(&parsed, output, name) && parsed.sort_bytes == strlen(file->sort) &&
           strncmp(name, file->sort, parsed.sort_bytes) == 0 &&
           parsed.of_worker == (file->worker > 0) && strcmp(parsed.ending, file->ending) == 0;
}

const char *cprof_output_stamp(const struct cprof_output *output, const char *sort,
                               const char *name)
{
    const struct cprof_output_file file = {.sort = sort, .ending = CPROF_OUTPUT_PROFILE};

    return is_of_sort(output, &file, name) ? name + strlen(sort) + 1 : NULL;
}

static bool is_temporary(const struct cprof_output *output, const char *name)
{
    size_t length = strlen(name), end = strlen(TEMPORARY);
    struct parsed parsed;

    return name[0] == '.' && length > end && strcmp(name + length - end, TEMPORARY) == 0 &&
           parse_name(&parsed, output, name + 1);
}

static void format_name(struct name *name, const struct cprof_output *output,
                        const struct cprof_output_file *file, unsigned attempt)
{
    char worker[sizeof(WORKER) + 10] = "";
    struct cprof_stamp stamp;

    if (file->worker > 0) {
        (void)snprintf(worker, sizeof(worker), WORKER "%u", file->worker);
    }
    cprof_stamp_format(&stamp, file->time_unix_ns + attempt * NS_PER_MS);
    (void)snprintf(name->text, sizeof(name->text), "%s-%s-%s%s%s", file->sort, stamp.text,
                   output->owner, worker, file->ending);
}

/* The place of this server */

static void format_lock(struct name *name, const struct cprof_output *output)
{
    (void)snprintf(name->text, sizeof(name->text), ".cloudprofiler-%s.lock", output->owner);
}

/* False: another server holds this place. */
static bool take_place(struct cprof_output *output, int directory, unsigned place)
{
    struct name name;
    enum cprof_file_lock lock;

    make_owner(output->owner, output->config, place);
    format_lock(&name, output);
    lock = cprof_file_take_lock(directory, name.text, &output->lock_fd);
    if (lock == CPROF_FILE_LOCK_NONE) {
        cprof_log(CPROF_LOG_INFO, "%s has no locks: servers that are alike share their files there",
                  output->config->output_dir);
    }
    output->settled = lock != CPROF_FILE_LOCK_FAILED;
    return lock != CPROF_FILE_LOCK_TAKEN;
}

static void remove_temporaries(const struct cprof_output *output, int directory)
{
    DIR *names = cprof_file_open_names(directory);

    for (struct dirent *entry; names && (entry = readdir(names)) != NULL;) {
        if (is_temporary(output, entry->d_name)) {
            cprof_file_remove_unlocked(directory, entry->d_name);
        }
    }
    if (names) {
        (void)closedir(names);
    }
}

static void give_up_place(struct cprof_output *output)
{
    if (output->lock_fd >= 0) {
        close(output->lock_fd);
    }
    output->lock_fd = -1;
    output->settled = false;
}

/* A lock that somebody removed, as those who tidy up by age do, is nobody's: the next server that
 * starts would take the same place. */
static void keep_place(struct cprof_output *output, int directory)
{
    struct name name;

    format_lock(&name, output);
    if (output->lock_fd >= 0 && !cprof_file_is_lock(directory, name.text, output->lock_fd)) {
        give_up_place(output);
    }
}

static void settle(struct cprof_output *output, int directory)
{
    for (unsigned place = 1; place <= PLACES_MAX; place++) {
        if (take_place(output, directory, place)) {
            break;
        }
    }
    if (output->settled) {
        cprof_log(CPROF_LOG_INFO, "files in %s have -%s in their names", output->config->output_dir,
                  output->owner);
        remove_temporaries(output, directory);
    }
}

static int open_directory(const struct cprof_output *output)
{
    return open(output->config->output_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct cprof_output *cprof_output_create(const struct cprof_config *config)
{
    struct cprof_output *output = calloc(1, sizeof(*output));

    if (!output) {
        return NULL;
    }
    output->config = config;
    output->lock_fd = -1;
    make_owner(output->owner, config, 1);
    return output;
}

void cprof_output_settle(struct cprof_output *output)
{
    int directory = open_directory(output);

    if (directory >= 0) {
        settle(output, directory);
        close(directory);
    }
}

void cprof_output_destroy(struct cprof_output *output)
{
    if (!output) {
        return;
    }
    give_up_place(output);
    free(output);
}

const char *cprof_output_owner(const struct cprof_output *output)
{
    return output->owner;
}

/* Writing */

/* Gives the temporary its final name or, without one, writes the file under it; where the name is
 * taken, that of the next millisecond. */
static bool place_file(struct name *name, const struct cprof_output *output, int directory,
                       const struct cprof_output_file *file, const char *temporary)
{
    for (unsigned i = 0; i < NAME_ATTEMPTS; i++) {
        format_name(name, output, file, i);
        if (temporary ? cprof_file_rename(directory, temporary, name->text)
                      : cprof_file_write(directory, name->text, file->bytes, file->byte_count)) {
            return true;
        }
        if (errno != EEXIST || file->may_be_there) {
            return errno == EEXIST;
        }
    }
    return false;
}

/* On failure nothing is left and errno says why. */
static bool write_by_temporary(struct name *name, const struct cprof_output *output, int directory,
                               const struct cprof_output_file *file)
{
    char temporary[NAME_BYTES + sizeof("." TEMPORARY)];
    bool ok;
    int reason;

    format_name(name, output, file, 0);
    (void)snprintf(temporary, sizeof(temporary), ".%s" TEMPORARY, name->text);
    if (!cprof_file_write(directory, temporary, file->bytes, file->byte_count)) {
        return false;
    }
    ok = place_file(name, output, directory, file, temporary);
    reason = errno;
    (void)unlinkat(directory, temporary, 0); /* gone already, if it was renamed */
    errno = reason;
    return ok;
}

/* A file system that stores objects may write files and not rename them. */
static bool write_file(struct name *name, struct cprof_output *output, int directory,
                       const struct cprof_output_file *file)
{
    int reason;

    if (output->renames_refused) {
        return place_file(name, output, directory, file, NULL);
    }
    if (write_by_temporary(name, output, directory, file)) {
        return true;
    }
    reason = errno;
    output->renames_refused = reason != EEXIST && place_file(name, output, directory, file, NULL);
    errno = reason;
    return output->renames_refused;
}

/* Removing */

static void tell_future(struct cprof_output *output, const char *name)
{
    if (name && !output->future_told) {
        cprof_notice("warning: %s in %s is dated after the present time, so the clock was ahead; "
                     "such files are removed first",
                     name, output->config->output_dir);
    }
    output->future_told = name != NULL;
}

/* A file that is removed while it is new comes back on a file system that writes with a delay. */
static void remove_trial(int directory)
{
    (void)unlinkat(directory, CPROF_OUTPUT_TRIAL, 0);
}

/* Without memory the list is shorter: then some old files stay until the next time. */
static void remove_old(struct cprof_output *output, int directory,
                       const struct cprof_output_file *file, const char *written)
{
    struct cprof_name_list list = {0};
    DIR *names = output->config->output_keep > 0 ? cprof_file_open_names(directory) : NULL;
    struct timespec now = {0};
    struct cprof_stamp stamp;
    struct cprof_name_rule rule = {.keep = output->config->output_keep,
                                   .written = written,
                                   .stamp_offset = strlen(file->sort) + 1,
                                   .now = stamp.text};
    bool ok = names != NULL;

    for (struct dirent *entry; ok && (entry = readdir(names)) != NULL;) {
        ok = !is_of_sort(output, file, entry->d_name) || cprof_name_list_add(&list, entry->d_name);
    }
    if (names) {
        (void)closedir(names);
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    cprof_stamp_format(&stamp, (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec + AHEAD_NS);
    tell_future(output, cprof_name_list_remove_old(&list, directory, &rule));
    cprof_name_list_reset(&list);
}

/* A directory that cannot be synced holds the file nevertheless. */
static bool write_into(struct cprof_output *output, int directory,
                       const struct cprof_output_file *file)
{
    struct name name;

    keep_place(output, directory);
    if (!output->settled) {
        settle(output, directory);
    }
    if (!write_file(&name, output, directory, file)) {
        return false;
    }
    (void)fsync(directory);
    remove_trial(directory);
    remove_old(output, directory, file, name.text);
    return true;
}

bool cprof_output_write(struct cprof_output *output, const struct cprof_output_file *file,
                        struct cprof_error *error)
{
    int directory = open_directory(output);
    bool ok = directory >= 0 && write_into(output, directory, file);

    if (!ok) {
        cprof_fail_errno(error, errno, "cannot write to %s", output->config->output_dir);
    }
    if (directory >= 0) {
        close(directory);
    }
    return ok;
}
