/* request.c - see request.h and request_state.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "../profile/clean_text.h"
#include "request_state.h"

#define LINE_BYTES 1024

const char *cprof_web_method(const struct cprof_web_request *request)
{
    return request->method;
}

const char *cprof_web_path(const struct cprof_web_request *request)
{
    return request->path;
}

const char *cprof_web_parameter(const struct cprof_web_request *request, const char *name)
{
    for (unsigned i = 0; i < request->field_count; i++) {
        if (strcmp(request->fields[i].name, name) == 0) {
            return request->fields[i].value;
        }
    }
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

struct each {
    bool (*call)(void *context, const char *name, const char *value);
    void *context;
};

static enum MHD_Result pass_on(void *context, enum MHD_ValueKind kind, const char *name,
                               const char *value)
{
    const struct each *each = context;

    (void)kind;
    return each->call(each->context, name, value ? value : "") ? MHD_YES : MHD_NO;
}

void cprof_web_each_parameter(const struct cprof_web_request *request,
                              bool (*each)(void *context, const char *name, const char *value),
                              void *context)
{
    struct each passed = {.call = each, .context = context};

    (void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, pass_on, &passed);
}

void cprof_web_answer(struct cprof_web_request *request, unsigned status, const char *media_type,
                      uint8_t *bytes, size_t byte_count)
{
    if (request->answered) {
        free(bytes);
        return;
    }
    request->answered = true;
    request->status = status;
    request->media_type = media_type;
    request->bytes = bytes;
    request->byte_count = bytes ? byte_count : 0;
    request->gone = NULL;
    if (request->waiting) {
        request->resume(request);
    }
}

void cprof_web_answer_line(struct cprof_web_request *request, unsigned status, const char *format,
                           ...)
{
    char line[LINE_BYTES], *clean = malloc(CPROF_CLEAN_TEXT_BYTES(LINE_BYTES) + 1);
    va_list arguments;
    size_t bytes = 0;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    /* What was asked for may be part of the line. */
    if (clean) {
        bytes = cprof_clean_text(clean, CPROF_CLEAN_TEXT_BYTES(LINE_BYTES), line, strlen(line));
        clean[bytes++] = '\n';
    }
    cprof_web_answer(request, status, "text/plain; charset=utf-8", (uint8_t *)clean, bytes);
}

void cprof_web_name_file(struct cprof_web_request *request, const char *name)
{
    (void)snprintf(request->file_name, sizeof(request->file_name), "%s", name);
}

void cprof_web_on_gone(struct cprof_web_request *request, void (*gone)(void *context),
                       void *context)
{
    request->gone = gone;
    request->gone_context = context;
    request->late = NULL;
}

void cprof_web_on_late(struct cprof_web_request *request, unsigned seconds,
                       void (*late)(void *context))
{
    request->late = late;
    request->late_ns = cprof_now_ns() + seconds * NS_PER_S;
}

void cprof_web_request_give_up(struct cprof_web_request *request)
{
    void (*gone)(void *context) = request->gone;

    request->gone = NULL;
    if (gone) {
        gone(request->gone_context);
    }
}

void cprof_web_request_look(struct cprof_web_request *request, uint64_t now_ns)
{
    void (*late)(void *context) = request->late;

    if (!request->answered && late && now_ns >= request->late_ns) {
        request->late = NULL;
        late(request->gone_context);
    }
}

void cprof_web_request_free(struct cprof_web_request *request)
{
    cprof_web_request_give_up(request);
    if (request->form) {
        (void)MHD_destroy_post_processor(request->form);
    }
    free(request->bytes);
    free(request);
}

bool cprof_web_request_add_field(struct cprof_web_request *request, const char *name,
                                 const char *part, size_t offset, size_t bytes)
{
    struct cprof_web_field *field = request->fields + request->field_count;

    if (offset == 0) {
        if (!name || request->field_count == CPROF_WEB_FORM_FIELDS_MAX ||
            strlen(name) >= sizeof(field->name)) {
            return false;
        }
        (void)snprintf(field->name, sizeof(field->name), "%s", name);
        request->field_count++;
    } else if (request->field_count == 0) {
        return false;
    } else {
        field--;
    }
    if (offset >= sizeof(field->value) || bytes >= sizeof(field->value) - offset) {
        return false;
    }
    memcpy(field->value + offset, part, bytes);
    field->value[offset + bytes] = '\0';
    return true;
}
