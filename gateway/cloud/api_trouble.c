/* api_trouble.c - see api_trouble.h.
 *
 * jansson's getters take any value, NULL too, and give NULL for what is not of their type: a wrong
 * shape reads as an absence.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api_trouble.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "../profile/clean_text.h"
#include "duration.h"

static void copy_text(char *out, const json_t *value)
{
    const char *text = json_string_value(value);

    if (text) {
        (void)cprof_clean_text(out, CPROF_API_TEXT_BYTES, text, json_string_length(value));
    }
}

static bool is_error_info(const json_t *detail)
{
    static const char type[] = "/google.rpc.ErrorInfo";
    const json_t *value = json_object_get(detail, "@type");
    size_t length = json_string_length(value);

    return length >= sizeof(type) - 1 &&
           strcmp(json_string_value(value) + length - (sizeof(type) - 1), type) == 0;
}

/* retryDelay counts whatever the detail calls itself, as the official agents have it. */
static void read_details(struct cprof_api_trouble *trouble, const json_t *details)
{
    const json_t *detail;
    size_t index;

    json_array_foreach(details, index, detail)
    {
        const char *delay = json_string_value(json_object_get(detail, "retryDelay"));

        if (delay && trouble->retry_delay_ns == 0) {
            (void)!cprof_api_duration(delay, &trouble->retry_delay_ns);
        }
        if (trouble->reason[0] == '\0' && is_error_info(detail)) {
            copy_text(trouble->reason, json_object_get(detail, "reason"));
        }
    }
}

/* The sentence may be longer than the trouble's: it is searched in full. */
static void read_sentence(struct cprof_api_trouble *trouble, const json_t *sentence)
{
    if (!json_is_string(sentence)) {
        return;
    }
    if (trouble->message[0] == '\0') {
        copy_text(trouble->message, sentence);
    }
    if (trouble->retry_delay_ns == 0) {
        (void)!cprof_api_backoff_in(json_string_value(sentence), &trouble->retry_delay_ns);
    }
}

void cprof_api_read_trouble(struct cprof_api_trouble *trouble, const char *text, size_t text_bytes)
{
    json_t *root = NULL;
    const json_t *error, *entry;
    size_t index;

    *trouble = (struct cprof_api_trouble){0};
    if (text_bytes <= CPROF_API_ANSWER_BYTES_MAX) {
        root = json_loadb(text, text_bytes, 0, NULL);
    }
    error = json_object_get(root, "error");
    copy_text(trouble->status, json_object_get(error, "status"));
    read_details(trouble, json_object_get(error, "details"));
    read_sentence(trouble, json_object_get(error, "message"));
    json_array_foreach(json_object_get(error, "errors"), index, entry)
    {
        read_sentence(trouble, json_object_get(entry, "message"));
        if (trouble->reason[0] == '\0') {
            copy_text(trouble->reason, json_object_get(entry, "reason"));
        }
    }
    json_decref(root);
}
