/* assets.c - see assets.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "assets.h"

#include <microhttpd.h>
#include <string.h>

#include "read_file.h"

#define ASSET_BYTES_MAX ((size_t)8 << 20)

static const char index_name[] = "index.html";

static const struct {
    const char *ending;
    const char *media_type;
} endings[] = {
    {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},   {".svg", "image/svg+xml"},
    {".txt", "text/plain; charset=utf-8"}, {".woff2", "font/woff2"},
};

/* NULL: no file of the page is called so. */
static const char *media_type_of(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(name);

    if (name[0] == '.' || strspn(name, plain) != length) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t end = strlen(endings[i].ending);

        if (length > end && strcmp(name + length - end, endings[i].ending) == 0) {
            return endings[i].media_type;
        }
    }
    return NULL;
}

static const char *name_of(const char *path)
{
    return path[0] == '/' && path[1] != '\0' ? path + 1 : index_name;
}

bool cprof_web_is_asset(const char *path)
{
    return path[0] == '/' && media_type_of(name_of(path)) != NULL;
}

void cprof_web_send_asset(struct cprof_web_request *request, const char *directory,
                          const char *path)
{
    const char *name = name_of(path);
    uint8_t *bytes;
    size_t byte_count;

    if (directory[0] == '\0' ||
        !cprof_web_read_file(&bytes, &byte_count, directory, name, ASSET_BYTES_MAX)) {
        cprof_web_answer_line(request, MHD_HTTP_NOT_FOUND, "there is no file %s", name);
        return;
    }
    cprof_web_answer(request, MHD_HTTP_OK, media_type_of(name), bytes, byte_count);
}
