/* profiles.c - see profiles.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "profiles.h"

#include <inttypes.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/units.h"
#include "../profile/kind.h"
#include "saved_files.h"
#include "send_profile.h"
#include "status_text.h"

/* What somebody waits for a disk: the recent profiles are shown all the same. */
#define LIST_SECONDS 2u
#define FILE_SECONDS 10u

static json_t *recent_profile_as_json(const struct cprof_recent_profile *profile)
{
    return json_pack("{sI, ss, ss, sI, sf, sI}", "id", (json_int_t)profile->id, "kind",
                     cprof_kind_name(profile->kind), "source", cprof_source_name(profile->source),
                     "start_ms", (json_int_t)(profile->start_unix_ns / NS_PER_MS), "duration_s",
                     (double)profile->duration_ns / 1e9, "bytes", (json_int_t)profile->byte_count);
}

static json_t *recent_as_json(const struct cprof_recent *recent, uint64_t before_unix_ms)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < cprof_recent_count(recent); i++) {
        const struct cprof_recent_profile *profile = cprof_recent_at(recent, i);

        if (profile->start_unix_ns / NS_PER_MS < before_unix_ms) {
            (void)json_array_append_new(list, recent_profile_as_json(profile));
        }
    }
    return list;
}

/* A request that waits for the disk. */
struct waiting {
    struct cprof_side_job job;
    const struct cprof_web_site *site;
    struct cprof_web_request *request; /* NULL: it was answered, or nobody listens any more */
    struct cprof_web_query query;
    /* Of all files: */
    struct cprof_saved_list list;
    /* Of one: */
    char *name;
    bool is_found;
    uint8_t *bytes;
    size_t byte_count;
};

static json_t *files_as_json(const struct cprof_saved_list *files)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < files->count; i++) {
        const struct cprof_saved_file *file = &files->files[i];

        (void)json_array_append_new(list, json_pack("{ss, ss, sI, sI}", "name", file->text, "kind",
                                                    cprof_kind_name(file->name.kind), "start_ms",
                                                    (json_int_t)file->name.start_unix_ms, "bytes",
                                                    (json_int_t)file->byte_count));
    }
    return list;
}

/* `trouble` NULL: all files are in the list. */
static void send_list(const struct cprof_web_site *site, struct cprof_web_request *request,
                      const struct cprof_saved_list *files, uint64_t before_unix_ms,
                      const char *trouble)
{
    json_t *root =
        json_pack("{so, so, ss?}", "recent", recent_as_json(site->recent, before_unix_ms), "files",
                  files_as_json(files), "files_trouble", trouble);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

    json_decref(root);
    if (!text) {
        cprof_web_answer_line(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory for the list");
        return;
    }
    cprof_web_answer(request, MHD_HTTP_OK, "application/json", (uint8_t *)text, strlen(text));
}

/* The recent profiles need no disk. */
static void send_list_without_files(const struct cprof_web_site *site,
                                    struct cprof_web_request *request, uint64_t before_unix_ms)
{
    static const struct cprof_saved_list none;

    send_list(site, request, &none, before_unix_ms,
              "the disk of output-dir does not answer in time");
}

static void refuse_file(struct cprof_web_request *request)
{
    cprof_web_answer_line(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                          "the disk of output-dir does not answer in time");
}

static void free_waiting(struct waiting *waiting)
{
    cprof_saved_list_reset(&waiting->list);
    free(waiting->name);
    free(waiting->bytes);
    free(waiting);
}

static void gone(void *context)
{
    struct waiting *waiting = context;

    waiting->request = NULL;
}

static void list_late(void *context)
{
    struct waiting *waiting = context;

    send_list_without_files(waiting->site, waiting->request, waiting->query.before_unix_ms);
    waiting->request = NULL;
}

static void file_late(void *context)
{
    struct waiting *waiting = context;

    refuse_file(waiting->request);
    waiting->request = NULL;
}

static void list_files(struct cprof_side_job *job)
{
    struct waiting *waiting = (struct waiting *)job;

    cprof_saved_list_read(&waiting->list, waiting->site->config, waiting->site->output,
                          waiting->query.before_unix_ms);
}

static void list_done(struct cprof_side_job *job, bool was_worked)
{
    struct waiting *waiting = (struct waiting *)job;

    if (waiting->request && was_worked) {
        send_list(waiting->site, waiting->request, &waiting->list, waiting->query.before_unix_ms,
                  NULL);
    }
    free_waiting(waiting);
}

static void read_file(struct cprof_side_job *job)
{
    struct waiting *waiting = (struct waiting *)job;

    waiting->is_found =
        cprof_saved_file_read(&waiting->bytes, &waiting->byte_count, waiting->site->config,
                              waiting->site->output, waiting->name);
}

static void read_done(struct cprof_side_job *job, bool was_worked)
{
    struct waiting *waiting = (struct waiting *)job;
    const struct cprof_profile_bytes profile = {.bytes = waiting->bytes,
                                                .byte_count = waiting->byte_count};

    if (!waiting->request || !was_worked) {
        free_waiting(waiting);
        return;
    }
    if (waiting->is_found) {
        cprof_web_send_profile(waiting->site, waiting->request, &profile, &waiting->query,
                               waiting->name);
    } else {
        cprof_web_answer_line(waiting->request, MHD_HTTP_NOT_FOUND,
                              "there is no such profile (any more), or its file is larger than 64 "
                              "MiB");
    }
    free_waiting(waiting);
}

static struct waiting *wait_for_disk(const struct cprof_web_site *site,
                                     struct cprof_web_request *request)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));

    if (!waiting) {
        cprof_web_answer_line(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return NULL;
    }
    waiting->job.is_urgent = true;
    waiting->site = site;
    waiting->request = request;
    cprof_web_on_gone(request, gone, waiting);
    return waiting;
}

static void ask_for_list(const struct cprof_web_site *site, struct cprof_web_request *request,
                         const struct cprof_web_query *query)
{
    struct waiting *waiting = wait_for_disk(site, request);

    if (!waiting) {
        return;
    }
    waiting->query = *query;
    waiting->job.work = list_files;
    waiting->job.done = list_done;
    cprof_web_on_late(request, LIST_SECONDS, list_late);
    if (!cprof_side_thread_take(site->files, &waiting->job)) {
        send_list_without_files(site, request, query->before_unix_ms);
        free_waiting(waiting);
    }
}

static void ask_for_file(const struct cprof_web_site *site, struct cprof_web_request *request,
                         const char *name, const struct cprof_web_query *query)
{
    struct waiting *waiting = wait_for_disk(site, request);

    if (!waiting) {
        return;
    }
    waiting->job.work = read_file;
    waiting->job.done = read_done;
    waiting->query = *query;
    waiting->name = strdup(name);
    cprof_web_on_late(request, FILE_SECONDS, file_late);
    if (!waiting->name || !cprof_side_thread_take(site->files, &waiting->job)) {
        refuse_file(request);
        free_waiting(waiting);
    }
}

static void send_recent(const struct cprof_web_site *site, struct cprof_web_request *request,
                        const struct cprof_recent_profile *recent,
                        const struct cprof_web_query *query)
{
    const struct cprof_profile_bytes profile = {.bytes = recent->bytes,
                                                .byte_count = recent->byte_count};
    char name[64];

    (void)snprintf(name, sizeof(name), "%s-%" PRIu64 ".pb.gz", cprof_kind_name(recent->kind),
                   recent->id);
    cprof_web_send_profile(site, request, &profile, query, name);
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
        ask_for_list(site, request, &query);
        return;
    }
    recent = find_recent(site, rest, &tail);
    if (recent && tail[0] == '\0') {
        send_recent(site, request, recent, &query);
    } else {
        ask_for_file(site, request, rest, &query);
    }
}
