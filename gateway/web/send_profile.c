/* send_profile.c - see send_profile.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "send_profile.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

/* Smaller files are converted in a few milliseconds. */
#define AT_ONCE_BYTES ((size_t)32 << 10)

/* A conversion in the side thread. */
struct conversion {
    struct cprof_side_job job;
    struct cprof_web_request *request; /* NULL: nobody listens any more */
    struct cprof_filter filter;        /* its texts are copies */
    enum cprof_format format;
    char *file_name;
    uint8_t *profile;
    size_t profile_bytes;
    bool ok;
    uint8_t *bytes;
    size_t byte_count;
    struct cprof_error error;
};

static void answer(struct cprof_web_request *request, enum cprof_format format, uint8_t *bytes,
                   size_t byte_count, const char *file_name)
{
    if (format == CPROF_FORMAT_PPROF) {
        cprof_web_name_file(request, file_name);
    }
    cprof_web_answer(request, MHD_HTTP_OK, cprof_format_media_type(format), bytes, byte_count);
}

static void refuse(struct cprof_web_request *request, const struct cprof_error *error)
{
    cprof_web_answer_line(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", error->text);
}

static void free_conversion(struct conversion *conversion)
{
    for (size_t i = 0; i < conversion->filter.count; i++) {
        free((char *)conversion->filter.terms[i].key);
        free((char *)conversion->filter.terms[i].value);
    }
    free(conversion->file_name);
    free(conversion->profile);
    free(conversion->bytes);
    free(conversion);
}

static void convert(struct cprof_side_job *job)
{
    struct conversion *conversion = (struct conversion *)job;
    const struct cprof_profile_bytes profile = {.bytes = conversion->profile,
                                                .byte_count = conversion->profile_bytes};

    conversion->ok = cprof_convert(&conversion->bytes, &conversion->byte_count, &profile,
                                   &conversion->filter, conversion->format, &conversion->error);
}

static void done(struct cprof_side_job *job, bool was_worked)
{
    struct conversion *conversion = (struct conversion *)job;

    if (conversion->request && was_worked && conversion->ok) {
        answer(conversion->request, conversion->format, conversion->bytes, conversion->byte_count,
               conversion->file_name);
        conversion->bytes = NULL; /* the request's now */
    } else if (conversion->request && was_worked) {
        refuse(conversion->request, &conversion->error);
    }
    free_conversion(conversion);
}

static void gone(void *context)
{
    struct conversion *conversion = context;

    conversion->request = NULL;
}

static bool copy_filter(struct cprof_filter *to, const struct cprof_filter *from)
{
    bool ok = true;

    for (size_t i = 0; ok && i < from->count; i++) {
        struct cprof_label_text *term = &to->terms[to->count++];

        term->key = strdup(from->terms[i].key);
        term->value = strdup(from->terms[i].value);
        ok = term->key && term->value;
    }
    return ok;
}

/* NULL without memory. */
static struct conversion *copy(struct cprof_web_request *request,
                               const struct cprof_profile_bytes *profile,
                               const struct cprof_web_query *query, const char *file_name)
{
    struct conversion *conversion = calloc(1, sizeof(*conversion));

    if (!conversion) {
        return NULL;
    }
    conversion->job =
        (struct cprof_side_job){.bytes = profile->byte_count, .work = convert, .done = done};
    conversion->request = request;
    conversion->format = query->format;
    conversion->file_name = strdup(file_name);
    conversion->profile = malloc(profile->byte_count);
    conversion->profile_bytes = profile->byte_count;
    if (!conversion->file_name || !conversion->profile ||
        !copy_filter(&conversion->filter, &query->filter)) {
        free_conversion(conversion);
        return NULL;
    }
    memcpy(conversion->profile, profile->bytes, profile->byte_count);
    return conversion;
}

static void convert_beside(const struct cprof_web_site *site, struct cprof_web_request *request,
                           const struct cprof_profile_bytes *profile,
                           const struct cprof_web_query *query, const char *file_name)
{
    struct conversion *conversion = copy(request, profile, query, file_name);

    if (!conversion) {
        cprof_web_answer_line(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
                              "no memory to convert the profile");
        return;
    }
    cprof_web_on_gone(request, gone, conversion);
    if (!cprof_side_thread_take(site->conversions, &conversion->job)) {
        cprof_web_answer_line(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                              "too many profiles are being converted already: ask again");
        free_conversion(conversion);
    }
}

void cprof_web_send_profile(const struct cprof_web_site *site, struct cprof_web_request *request,
                            const struct cprof_profile_bytes *profile,
                            const struct cprof_web_query *query, const char *file_name)
{
    bool is_as_it_is = query->format == CPROF_FORMAT_PPROF && query->filter.count == 0;
    struct cprof_error error;
    uint8_t *bytes;
    size_t byte_count;

    if (!is_as_it_is && profile->byte_count > AT_ONCE_BYTES) {
        convert_beside(site, request, profile, query, file_name);
    } else if (cprof_convert(&bytes, &byte_count, profile, &query->filter, query->format, &error)) {
        answer(request, query->format, bytes, byte_count, file_name);
    } else {
        refuse(request, &error);
    }
}
