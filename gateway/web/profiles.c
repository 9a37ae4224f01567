/* profiles.c - see profiles.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "profiles.h"

#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../shared/base/units.h"
#include "../profile/kind.h"
#include "../profile/pprof.h"
#include "../sinks/directory.h"
#include "read_file.h"
#include "status_text.h"

/* Of each list. A directory may hold a million files; only so many are looked at. */
#define FILES_SHOWN_MAX 200u
#define FILES_LOOKED_AT 20000u

void cprof_web_send_profile(struct cprof_web_request *request,
                            const struct cprof_profile_bytes *profile,
                            const struct cprof_web_query *query, const char *file_name)
{
    struct cprof_error error;
    uint8_t *bytes;
    size_t byte_count;

    if (!cprof_convert(&bytes, &byte_count, profile, &query->filter, query->format, &error)) {
        cprof_web_answer_line(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", error.text);
        return;
    }
    if (query->format == CPROF_FORMAT_PPROF) {
        cprof_web_name_file(request, file_name);
    }
    cprof_web_answer(request, MHD_HTTP_OK, cprof_format_media_type(query->format), bytes,
                     byte_count);
}

static json_t *recent_as_json(const struct cprof_recent *recent)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < cprof_recent_count(recent); i++) {
        const struct cprof_recent_profile *profile = cprof_recent_at(recent, i);

        (void)json_array_append_new(
            list,
            json_pack("{sI, ss, ss, sI, sf, sI}", "id", (json_int_t)profile->id, "kind",
                      cprof_kind_name(profile->kind), "source", cprof_source_name(profile->source),
                      "start_ms", (json_int_t)(profile->start_unix_ns / NS_PER_MS), "duration_s",
                      (double)profile->duration_ns / 1e9, "bytes",
                      (json_int_t)profile->byte_count));
    }
    return list;
}

struct file {
    struct cprof_directory_name name;
    char *text;
};

static int newer_first(const void *left, const void *right)
{
    const struct file *a = left, *b = right;

    return (a->name.start_unix_ms < b->name.start_unix_ms) -
           (a->name.start_unix_ms > b->name.start_unix_ms);
}

/* The names that are ours, newest first; the caller frees texts and list. */
static struct file *list_files(const struct cprof_web_site *site, size_t *count)
{
    DIR *names = site->output ? opendir(site->config->output_dir) : NULL;
    struct file *files = names ? calloc(FILES_LOOKED_AT, sizeof(*files)) : NULL;

    *count = 0;
    for (struct dirent *entry; files && *count < FILES_LOOKED_AT && (entry = readdir(names));) {
        struct file file = {.text = NULL};

        if (cprof_directory_read_name(&file.name, site->output, entry->d_name)) {
            file.text = strdup(entry->d_name);
        }
        if (file.text) {
            files[(*count)++] = file;
        }
    }
    if (names) {
        (void)closedir(names);
    }
    if (*count > 1) {
        qsort(files, *count, sizeof(*files), newer_first);
    }
    return files;
}

static json_t *file_as_json(const struct cprof_config *config, const struct file *file)
{
    char path[2 * CPROF_PATH_BYTES];
    struct stat status;

    (void)snprintf(path, sizeof(path), "%s/%s", config->output_dir, file->text);
    if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return NULL;
    }
    return json_pack("{ss, ss, sI, sI}", "name", file->text, "kind",
                     cprof_kind_name(file->name.kind), "start_ms",
                     (json_int_t)file->name.start_unix_ms, "bytes", (json_int_t)status.st_size);
}

static json_t *files_as_json(const struct cprof_web_site *site)
{
    json_t *list = json_array();
    size_t count;
    struct file *files = list_files(site, &count);

    for (size_t i = 0; i < count; i++) {
        json_t *file = list && i < FILES_SHOWN_MAX ? file_as_json(site->config, &files[i]) : NULL;

        if (file) {
            (void)json_array_append_new(list, file);
        }
        free(files[i].text);
    }
    free(files);
    return list;
}

static void send_list(const struct cprof_web_site *site, struct cprof_web_request *request)
{
    json_t *root =
        json_pack("{so, so}", "recent", recent_as_json(site->recent), "files", files_as_json(site));
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

    json_decref(root);
    if (!text) {
        cprof_web_answer_line(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory for the list");
        return;
    }
    cprof_web_answer(request, MHD_HTTP_OK, "application/json", (uint8_t *)text, strlen(text));
}

static void send_file(const struct cprof_web_site *site, struct cprof_web_request *request,
                      const char *name, const struct cprof_web_query *query)
{
    struct cprof_profile_bytes profile = {.bytes = NULL};
    struct cprof_directory_name ignored;
    uint8_t *bytes = NULL;
    bool found = site->output && cprof_directory_read_name(&ignored, site->output, name) &&
                 cprof_web_read_file(&bytes, &profile.byte_count, site->config->output_dir, name,
                                     CPROF_PPROF_FILE_BYTES_MAX);

    if (found) {
        profile.bytes = bytes;
        cprof_web_send_profile(request, &profile, query, name);
    } else {
        cprof_web_answer_line(request, MHD_HTTP_NOT_FOUND,
                              "there is no such profile (any more), or its file is larger than 64 "
                              "MiB");
    }
    free(bytes);
}

static void send_recent(struct cprof_web_request *request,
                        const struct cprof_recent_profile *recent,
                        const struct cprof_web_query *query)
{
    const struct cprof_profile_bytes profile = {.bytes = recent->bytes,
                                                .byte_count = recent->byte_count};
    char name[64];

    (void)snprintf(name, sizeof(name), "%s-%" PRIu64 ".pb.gz", cprof_kind_name(recent->kind),
                   recent->id);
    cprof_web_send_profile(request, &profile, query, name);
}

/* The recent profile whose number begins `rest`; *tail is what follows. */
static const struct cprof_recent_profile *find_recent(const struct cprof_web_site *site,
                                                      const char *rest, const char **tail)
{
    char digits[24];
    size_t length = strspn(rest, "0123456789");
    uint64_t id;

    *tail = rest + length;
    if (length == 0 || length >= sizeof(digits)) {
        return NULL;
    }
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)length, rest);
    return cprof_web_parse_number(&id, digits, 1, UINT64_MAX) ? cprof_recent_find(site->recent, id)
                                                              : NULL;
}

void cprof_web_profiles(const struct cprof_web_site *site, struct cprof_web_request *request,
                        const char *rest)
{
    const struct cprof_recent_profile *recent;
    struct cprof_web_query query;
    struct cprof_error error;
    const char *tail;

    if (!cprof_web_query_read(&query, request, &error)) {
        cprof_web_answer_line(request, MHD_HTTP_BAD_REQUEST, "%s", error.text);
        return;
    }
    if (rest[0] == '\0') {
        send_list(site, request);
        return;
    }
    recent = find_recent(site, rest, &tail);
    if (recent && tail[0] == '\0') {
        send_recent(request, recent, &query);
    } else {
        send_file(site, request, rest, &query);
    }
}
