/* credentials_tool.c - the gateway's credentials and metadata on its own loop and HTTP client, for
 * the tests in tests/gateway. Each line on standard input is a question, and is answered by one
 * line of JSON:
 *
 *     get      an access token, or the error; and the clock's skew
 *     drop     wipes the token that there is
 *     project  the project of the key file
 *     place    what the metadata server says
 *     later N  from now on the clock is N seconds ahead
 *
 * The end of the input, or a line "quit", ends the program as it stands.
 *
 * usage: credentials_tool CA_FILE KEY_FILE [no-metadata]; an empty KEY_FILE is searched for
 *
 * flags: -Wl,--wrap=cprof_now_ns
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "../../gateway/credentials/credentials.h"
#include "../../gateway/credentials/metadata.h"
#include "../../gateway/credentials/secret.h"
#include "../../gateway/http/client.h"
#include "../../shared/base/log.h"
#include "expect.h"

static struct tool {
    struct cprof_loop loop;
    struct cprof_loop_watch input;
    struct cprof_credentials *credentials;
    struct cprof_metadata *metadata;
    uint64_t ahead_ns;
} tool;

uint64_t __real_cprof_now_ns(void);
uint64_t __wrap_cprof_now_ns(void);

uint64_t __wrap_cprof_now_ns(void)
{
    return __real_cprof_now_ns() + tool.ahead_ns;
}

static void print(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);

    EXPECT(text);
    (void)printf("%s\n", text);
    (void)fflush(stdout);
    free(text);
    json_decref(line);
}

static void got_token(void *context, const struct cprof_token *token,
                      const struct cprof_error *error)
{
    EXPECT(context == &tool && !token == !!error);
    print(json_pack("{s:s, s:s, s:s, s:I}", "token", token ? token->text : "", "quota_project",
                    token ? token->quota_project : "", "error", error ? error->text : "", "skew_s",
                    (json_int_t)cprof_credentials_clock_skew_s(tool.credentials)));
}

static void got_place(void *context, const struct cprof_place *place)
{
    EXPECT(context == &tool);
    print(json_pack("{s:b, s:s, s:s, s:s}", "on_google_cloud", place->on_google_cloud, "project_id",
                    place->project_id, "zone", place->zone, "instance", place->instance));
}

static void print_project(void)
{
    struct cprof_error error;
    const char *project = cprof_credentials_project(tool.credentials, &error);

    print(json_pack("{s:s, s:s}", "project", project, "error", error.text));
}

static void obey(const char *command)
{
    if (strcmp(command, "get") == 0) {
        cprof_credentials_get(tool.credentials, got_token, &tool);
    } else if (strcmp(command, "drop") == 0) {
        cprof_credentials_drop_token(tool.credentials);
        print(json_object());
    } else if (strcmp(command, "project") == 0) {
        print_project();
    } else if (strcmp(command, "place") == 0) {
        cprof_metadata_find(tool.metadata, got_place, &tool);
    } else if (strncmp(command, "later ", 6) == 0) {
        tool.ahead_ns += strtoull(command + 6, NULL, 10) * UINT64_C(1000000000);
        print(json_object());
    } else {
        EXPECT(strcmp(command, "quit") == 0);
        cprof_loop_stop(&tool.loop);
    }
}

/* Each question comes by one write. */
static void read_input(void *context, short events)
{
    char line[256];
    ssize_t bytes = read(STDIN_FILENO, line, sizeof(line) - 1);
    char *command, *rest = line;

    (void)context, (void)events;
    if (bytes <= 0) {
        cprof_loop_stop(&tool.loop);
        return;
    }
    line[bytes] = '\0';
    while ((command = strsep(&rest, "\n")) && command[0]) {
        obey(command);
    }
}

static void write_log(const char *line)
{
    (void)fputs(line, stderr);
}

int main(int argc, char **argv)
{
    struct cprof_http_settings settings = {.user_agent = "credentials_tool/1"};
    struct cprof_http_client *client;
    struct cprof_error error;

    EXPECT(argc == 3 || argc == 4);
    settings.ca_file = argv[1];
    cprof_secret_guard_libraries();
    cprof_log_setup(write_log, CPROF_LOG_DEBUG);
    cprof_loop_init(&tool.loop);
    client = cprof_http_client_create(&tool.loop, &settings, &error);
    EXPECT(client);
    tool.metadata = cprof_metadata_create(client, &tool.loop, argc == 4);
    EXPECT(tool.metadata);
    tool.credentials = cprof_credentials_create(client, &tool.loop, tool.metadata, argv[2]);
    EXPECT(tool.credentials);
    tool.input =
        (struct cprof_loop_watch){.fd = STDIN_FILENO, .events = POLLIN, .ready = read_input};
    EXPECT(cprof_loop_add_watch(&tool.loop, &tool.input));
    cprof_loop_run(&tool.loop);
    cprof_credentials_destroy(tool.credentials);
    cprof_metadata_destroy(tool.metadata);
    cprof_http_client_destroy(client);
    return 0;
}
