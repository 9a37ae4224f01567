/* incidents.c - see incidents.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "incidents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "name_list.h"

#define NAME_BYTES    96
#define NAME_ATTEMPTS 100
#define NS_PER_MS     UINT64_C(1000000)

#define WORKER "-worker"

struct name {
    char text[NAME_BYTES];
};

static void format_name(struct name *name, const struct cprof_incident *incident, unsigned attempt)
{
    struct cprof_stamp stamp;

    cprof_stamp_format(&stamp, incident->time_unix_ns + attempt * NS_PER_MS);
    (void)snprintf(name->text, sizeof(name->text), "%s-%s" WORKER "%u%s", incident->what,
                   stamp.text, incident->worker, incident->ending);
}

/* Is this the name of a file of this sort and ending, of any worker? */
static bool is_of_sort(const struct cprof_incident *incident, const char *name, size_t length)
{
    size_t what = strlen(incident->what), ending = strlen(incident->ending);
    size_t head = what + 1 + CPROF_STAMP_BYTES + strlen(WORKER);

    return length < NAME_BYTES && length > head + ending &&
           strncmp(name, incident->what, what) == 0 && name[what] == '-' &&
           cprof_is_stamp(name + what + 1) &&
           strncmp(name + what + 1 + CPROF_STAMP_BYTES, WORKER, strlen(WORKER)) == 0 &&
           strspn(name + head, "0123456789") == length - head - ending &&
           strncmp(name + length - ending, incident->ending, ending) == 0;
}

static bool is_temporary(const struct cprof_incident *incident, const char *name)
{
    size_t length = strlen(name), end = strlen(".tmp");

    return name[0] == '.' && length > 1 + end && strcmp(name + length - end, ".tmp") == 0 &&
           is_of_sort(incident, name + 1, length - 1 - end);
}

/* Without memory some old files stay until the next time. */
static void remove_old(const struct cprof_config *config, int directory,
                       const struct cprof_incident *incident)
{
    struct cprof_name_list list = {0};
    DIR *names = cprof_file_open_names(directory);
    bool ok = names != NULL;

    for (struct dirent *entry; ok && (entry = readdir(names)) != NULL;) {
        if (is_of_sort(incident, entry->d_name, strlen(entry->d_name))) {
            ok = cprof_name_list_add(&list, entry->d_name);
        } else if (is_temporary(incident, entry->d_name)) {
            cprof_file_remove_unlocked(directory, entry->d_name);
        }
    }
    if (names) {
        (void)closedir(names);
    }
    cprof_name_list_remove_old(&list, directory, config->output_keep);
    cprof_name_list_reset(&list);
}

static bool write_file(int directory, const struct cprof_incident *incident)
{
    char temporary[NAME_BYTES + sizeof("..tmp")];
    struct name name = {""};
    bool done = false;
    int reason;

    format_name(&name, incident, 0);
    (void)snprintf(temporary, sizeof(temporary), ".%s.tmp", name.text);
    if (!cprof_file_write(directory, temporary, incident->bytes, incident->byte_count)) {
        return false;
    }
    errno = EEXIST;
    for (unsigned i = 0; !done && errno == EEXIST && i < NAME_ATTEMPTS; i++) {
        format_name(&name, incident, i);
        done = cprof_file_rename(directory, temporary, name.text);
    }
    reason = errno;
    if (!done) {
        (void)unlinkat(directory, temporary, 0);
    }
    errno = reason;
    return done && fsync(directory) == 0;
}

bool cprof_incident_write(const struct cprof_config *config, const struct cprof_incident *incident,
                          struct cprof_error *error)
{
    int directory;
    bool ok;

    if (config->output_dir[0] == '\0') {
        return true;
    }
    directory = open(config->output_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = directory >= 0 && write_file(directory, incident);
    if (ok) {
        remove_old(config, directory, incident);
    } else {
        cprof_fail_errno(error, errno, "cannot write to %s", config->output_dir);
    }
    if (directory >= 0) {
        close(directory);
    }
    return ok;
}
