/* server_key.c - see server_key.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "server_key.h"

#include <stdbool.h>

#include "../../shared/base/digest.h"

extern struct uwsgi_server uwsgi;

static bool ends_with(const char *text, const char *end)
{
    size_t text_bytes = strlen(text), end_bytes = strlen(end);

    return text_bytes >= end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0;
}

/* A file that is named without an option is no option to uWSGI: it stands in the command line
 * alone. */
static bool is_configuration_file(const char *argument)
{
    static const char *const endings[] = {".ini", ".yaml", ".yml", ".json", ".js", ".xml"};

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (ends_with(argument, endings[i])) {
            return true;
        }
    }
    return false;
}

/* Configuration files, and the addresses of sockets and routers (http-socket, https, ...). */
static bool counts(const char *key)
{
    static const char *const keys[] = {"config", "ini", "yaml", "yml",   "json",
                                       "js",     "xml", "http", "https", "zerg"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(key, keys[i]) == 0) {
            return true;
        }
    }
    return ends_with(key, "socket");
}

/* A sum, since getopt changes the order of arguments, and a reload starts with what it left. */
uint64_t cprof_server_key(void)
{
    uint64_t key = 0;

    for (int i = 0; i < uwsgi.exported_opts_cnt; i++) {
        const struct uwsgi_opt *option = uwsgi.exported_opts[i];

        if (counts(option->key)) {
            uint64_t digest = cprof_digest_text(CPROF_DIGEST_BEGIN, option->key);

            key += cprof_digest_text(digest, option->value ? option->value : "");
        }
    }
    for (int i = 1; i < uwsgi.argc; i++) {
        if (is_configuration_file(uwsgi.argv[i])) {
            key += cprof_digest_text(CPROF_DIGEST_BEGIN, uwsgi.argv[i]);
        }
    }
    return key;
}
