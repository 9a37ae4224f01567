/* test_web_guard.c - see gateway/web/guard.h. What a server refuses by it is tested there.
 *
 * flags: -Wl,--wrap=fstat
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/web/guard.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "expect.h"

#define TOKEN "0123456789abcdef"

static struct cprof_config config;
static mode_t mode_for_all; /* what the file system gives every file; 0: what is asked for */

int __real_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status);

int __wrap_fstat(int fd, struct stat *status)
{
    int result = __real_fstat(fd, status);

    if (mode_for_all) {
        status->st_mode = (status->st_mode & S_IFMT) | mode_for_all;
    }
    return result;
}

static unsigned ask(const char *host, const char *origin, const char *token)
{
    struct cprof_guard_question question = {.host = host, .origin = origin, .token = token};
    struct cprof_guard guard;
    struct cprof_error error;
    const char *reason = NULL;
    unsigned status;

    memset(&config, 0, sizeof(config));
    (void)snprintf(config.http_address, sizeof(config.http_address), "127.0.0.1:0");
    (void)snprintf(config.http_token, sizeof(config.http_token), TOKEN);
    EXPECT(cprof_guard_open(&guard, &config, NULL, &error));
    status = cprof_guard_check(&guard, &question, &reason);
    EXPECT(status == 0 || reason);
    cprof_guard_close(&guard);
    return status;
}

static void the_whole_token_counts(void)
{
    EXPECT(ask("localhost", NULL, TOKEN) == 0);
    EXPECT(ask("localhost", NULL, NULL) == 401);
    EXPECT(ask("localhost", NULL, "") == 401);
    EXPECT(ask("localhost", NULL, "0123456789abcde") == 401);
    EXPECT(ask("localhost", NULL, TOKEN "0") == 401);
    EXPECT(ask("localhost", NULL, "1123456789abcdef") == 401);
}

static void a_host_is_an_address_or_localhost(void)
{
    static const char *const good[] = {"127.0.0.1", "127.0.0.1:80", "[::1]",
                                       "[::1]:80",  "LocalHost",    "localhost:8080"};
    static const char *const bad[] = {"",     ":80",    "evil.example",  "127.0.0.1.evil.example",
                                      "[::1", "[::1]x", "localhost:80x", "[localhost]",
                                      "::1",  "127.1 ", "localhost\n"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        EXPECT(ask(good[i], NULL, TOKEN) == 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        EXPECT(ask(bad[i], NULL, TOKEN) == 421);
    }
    EXPECT(ask(NULL, NULL, TOKEN) == 400);
}

static void an_origin_is_the_host_itself(void)
{
    EXPECT(ask("127.0.0.1:80", "http://127.0.0.1:80", TOKEN) == 0);
    EXPECT(ask("127.0.0.1:80", "http://127.0.0.1:81", TOKEN) == 403);
    EXPECT(ask("127.0.0.1:80", "https://127.0.0.1:80", TOKEN) == 403);
    EXPECT(ask("127.0.0.1:80", "http://127.0.0.1:80.evil.example", TOKEN) == 403);
    EXPECT(ask("127.0.0.1:80", "null", TOKEN) == 403);
    EXPECT(ask("127.0.0.1:80", "", TOKEN) == 403);
}

/* Opens a guard that makes or finds its token; returns the file's mode, or 0. */
static mode_t open_with_file(struct cprof_guard *guard, const char *path)
{
    struct cprof_error error;
    struct stat status;

    memset(&config, 0, sizeof(config));
    (void)snprintf(config.http_address, sizeof(config.http_address), "127.0.0.1:0");
    (void)snprintf(config.http_token_file, sizeof(config.http_token_file), "%s", path);
    EXPECT(cprof_guard_open(guard, &config, NULL, &error));
    return lstat(path, &status) == 0 && S_ISREG(status.st_mode) ? status.st_mode & 0777 : 0;
}

static void a_token_that_is_made_is_found_again_by_its_owner_alone(void)
{
    char directory[] = "/tmp/cprof-guard-XXXXXX", path[64], other[64];
    struct cprof_guard first, second, third;

    EXPECT(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/token", directory);
    (void)snprintf(other, sizeof(other), "%s/other", directory);
    EXPECT(open_with_file(&first, path) == 0600);
    EXPECT(strlen(first.token) == 32 && first.token_is_new);
    EXPECT(open_with_file(&second, path) == 0600);
    EXPECT(strcmp(first.token, second.token) == 0);

    EXPECT(chmod(path, 0644) == 0);
    EXPECT(open_with_file(&third, path) == 0600);
    EXPECT(strcmp(first.token, third.token) != 0);

    /* A link that somebody put there is replaced and not followed. */
    EXPECT(rename(path, other) == 0 && symlink(other, path) == 0);
    EXPECT(open_with_file(&second, path) == 0600);
    EXPECT(strcmp(second.token, third.token) != 0);
    EXPECT(unlink(path) == 0 && unlink(other) == 0 && rmdir(directory) == 0);
}

static void a_token_is_not_written_where_others_could_read_it(void)
{
    char directory[] = "/tmp/cprof-guard-XXXXXX", path[64];
    struct cprof_guard guard;
    struct cprof_error error;
    struct stat status;

    EXPECT(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/token", directory);
    memset(&config, 0, sizeof(config));
    (void)snprintf(config.http_address, sizeof(config.http_address), "127.0.0.1:0");
    (void)snprintf(config.http_token_file, sizeof(config.http_token_file), "%s", path);
    mode_for_all = 0644;
    EXPECT(!cprof_guard_open(&guard, &config, NULL, &error));
    EXPECT(strstr(error.text, path) && strstr(error.text, "others could read it"));
    EXPECT(strlen(guard.token) == 32); /* the endpoint works */
    EXPECT(stat(path, &status) == 0 && status.st_size == 0);
    mode_for_all = 0;
    EXPECT(cprof_guard_open(&guard, &config, NULL, &error));
    EXPECT(stat(path, &status) == 0 && status.st_size == 33);
    EXPECT(unlink(path) == 0 && rmdir(directory) == 0);
}

static void servers_of_one_directory_have_tokens_of_their_own(void)
{
    char directory[] = "/tmp/cprof-guard-XXXXXX";
    struct cprof_guard guards[3];
    struct cprof_output *outputs[3];
    struct cprof_error error;

    EXPECT(mkdtemp(directory));
    memset(&config, 0, sizeof(config));
    (void)snprintf(config.http_address, sizeof(config.http_address), "127.0.0.1:0");
    (void)snprintf(config.output_dir, sizeof(config.output_dir), "%s", directory);
    for (unsigned i = 0; i < 3; i++) {
        outputs[i] = cprof_output_create(&config); /* alike: told apart by their places */
        EXPECT(outputs[i]);
        cprof_output_settle(outputs[i]);
        EXPECT(cprof_guard_open(&guards[i], &config, outputs[i], &error));
    }
    EXPECT(strcmp(guards[0].token, guards[1].token) != 0);
    EXPECT(strcmp(guards[1].token, guards[2].token) != 0);
    EXPECT(cprof_guard_open(&guards[0], &config, outputs[1], &error));
    EXPECT(strcmp(guards[0].token, guards[1].token) == 0);
    for (unsigned i = 0; i < 3; i++) {
        char name[300];

        (void)snprintf(name, sizeof(name), "%s/cloudprofiler-http-token-%s", directory,
                       cprof_output_owner(outputs[i]));
        EXPECT(unlink(name) == 0);
        (void)snprintf(name, sizeof(name), "%s/.cloudprofiler-%s.lock", directory,
                       cprof_output_owner(outputs[i]));
        EXPECT(unlink(name) == 0);
        cprof_output_destroy(outputs[i]);
    }
    EXPECT(rmdir(directory) == 0);
}

int main(void)
{
    RUN(the_whole_token_counts);
    RUN(a_host_is_an_address_or_localhost);
    RUN(an_origin_is_the_host_itself);
    RUN(a_token_that_is_made_is_found_again_by_its_owner_alone);
    RUN(a_token_is_not_written_where_others_could_read_it);
    RUN(servers_of_one_directory_have_tokens_of_their_own);
    return 0;
}
