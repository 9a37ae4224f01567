/* routes.c - see routes.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "routes.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "assets.h"
#include "commands.h"
#include "profiles.h"
#include "sampling.h"
#include "status_text.h"

static const char index_page[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>/debug/pprof/</title>\n"
    "<h1>/debug/pprof/</h1>\n<ul>\n"
    "<li><a href=\"profile?seconds=10\">profile</a>: CPU time of the next seconds</li>\n"
    "<li><a href=\"wall?seconds=10\">wall</a>: wall time of the next seconds, by state</li>\n"
    "<li><a href=\"stacks\">stacks</a>: what each thread does now</li>\n</ul>\n"
    "<p>Parameters: seconds=1..600, period_ms=1..1000, worker=N, state=NAME, tag.KEY=VALUE,\n"
    "format=pprof|collapsed|speedscope|top. Every request needs the token: token=TOKEN, or\n"
    "the header Authorization: Bearer TOKEN.</p>\n<pre>\n"
    "go tool pprof 'http://HOST:PORT/debug/pprof/profile?seconds=5&amp;token=TOKEN'\n"
    "</pre>\n</html>\n";

static void send_text(struct cprof_web_request *request, const char *media_type, char *text)
{
    if (!text) {
        cprof_web_answer_line(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory for the answer");
        return;
    }
    cprof_web_answer(request, MHD_HTTP_OK, media_type, (uint8_t *)text, strlen(text));
}

static void send_index(const struct cprof_web_site *site, struct cprof_web_request *request)
{
    (void)site;
    send_text(request, "text/html; charset=utf-8", strdup(index_page));
}

static void send_cpu(const struct cprof_web_site *site, struct cprof_web_request *request)
{
    cprof_web_sample(site, request, CPROF_KIND_CPU);
}

static void send_wall(const struct cprof_web_site *site, struct cprof_web_request *request)
{
    cprof_web_sample(site, request, CPROF_KIND_WALL);
}

static void send_status(const struct cprof_web_site *site, struct cprof_web_request *request)
{
    send_text(request, "application/json",
              cprof_status_as_json(cprof_status_read(site->status), site->config,
                                   cprof_command_settings(site->commands),
                                   cprof_scheduled_windows_next_end_unix_ns(site->scheduled)));
}

static void send_metrics(const struct cprof_web_site *site, struct cprof_web_request *request)
{
    send_text(request, "text/plain; version=0.0.4; charset=utf-8",
              cprof_status_as_metrics(cprof_status_read(site->status), site->config));
}

static const struct {
    const char *path;
    void (*send)(const struct cprof_web_site *site, struct cprof_web_request *request);
} pages[] = {
    {"/debug/pprof", send_index},
    {"/debug/pprof/", send_index},
    {"/debug/pprof/profile", send_cpu},
    {"/debug/pprof/wall", send_wall},
    {"/debug/pprof/stacks", cprof_web_stacks},
    {"/status", send_status},
    {"/metrics", send_metrics},
};

/* What follows the prefix in the path; NULL: it does not begin so. */
static const char *behind(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(path, prefix, length) == 0 ? path + length : NULL;
}

static bool send_page(const struct cprof_web_site *site, struct cprof_web_request *request,
                      const char *path)
{
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(pages[i].path, path) == 0) {
            pages[i].send(site, request);
            return true;
        }
    }
    return false;
}

bool cprof_web_route_is_public(const char *path)
{
    return cprof_web_is_asset(path);
}

void cprof_web_route(const struct cprof_web_site *site, struct cprof_web_request *request)
{
    const char *path = cprof_web_path(request);
    const char *command = behind(path, "/actions/");
    const char *profile = behind(path, "/profiles/");

    if (strcmp(cprof_web_method(request), "POST") == 0) {
        if (command) {
            cprof_web_command(site, request, command);
        } else {
            cprof_web_answer_line(request, MHD_HTTP_NOT_FOUND, "nothing is done by that path");
        }
        return;
    }
    if (command) {
        cprof_web_answer_line(request, MHD_HTTP_METHOD_NOT_ALLOWED,
                              "what changes anything is asked for by POST");
    } else if (profile) {
        cprof_web_profiles(site, request, profile);
    } else if (send_page(site, request, path)) {
        return;
    } else if (cprof_web_is_asset(path)) {
        cprof_web_send_asset(request, site->config->web_dir, path);
    } else {
        cprof_web_answer_line(request, MHD_HTTP_NOT_FOUND, "there is nothing here");
    }
}
