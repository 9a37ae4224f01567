/* guard.c - see guard.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANDOM_BYTES 16
#define HEX_BYTES    (2 * RANDOM_BYTES)

#define BEARER "Bearer "

#define FILE_NAME       "cloudprofiler-http-token"
#define FILE_NAME_BYTES 256 /* with the owner */

#define STATUS_BAD_REQUEST  400
#define STATUS_UNAUTHORIZED 401
#define STATUS_FORBIDDEN    403
#define STATUS_MISDIRECTED  421

static bool make_token(struct cprof_guard *guard)
{
    uint8_t random[RANDOM_BYTES];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return false;
    }
    for (size_t i = 0; i < RANDOM_BYTES; i++) {
        (void)snprintf(guard->token + 2 * i, 3, "%02x", random[i]);
    }
    explicit_bzero(random, sizeof(random));
    return true;
}

/* Can nobody but this user read what will stand in the open file? Some file systems give all files
 * one owner and one mode. */
static bool is_private(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && status.st_uid == geteuid() && (status.st_mode & 077) == 0;
}

/* What a gateway before this one has written, so that its URL stays good. */
static bool read_token(struct cprof_guard *guard, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char text[HEX_BYTES + 1] = "";
    struct stat status;
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = is_private(fd) && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
         status.st_size == HEX_BYTES + 1 && read(fd, text, HEX_BYTES) == HEX_BYTES &&
         strspn(text, "0123456789abcdef") == HEX_BYTES;
    close(fd);
    if (ok) {
        (void)snprintf(guard->token, sizeof(guard->token), "%s", text);
    }
    explicit_bzero(text, sizeof(text));
    return ok;
}

static bool write_line(int fd, const struct cprof_guard *guard)
{
    char line[HEX_BYTES + 2];
    bool ok;

    (void)snprintf(line, sizeof(line), "%.*s\n", HEX_BYTES, guard->token);
    ok = write(fd, line, HEX_BYTES + 1) == HEX_BYTES + 1;
    explicit_bzero(line, sizeof(line));
    return ok;
}

/* Under another name first: nobody reads half of it, and what stands there is never followed. That
 * name is drawn, since processes of several containers have the same numbers. Where others could
 * read the file, it stays empty; it takes its final name all the same, since rclone brings files
 * back that are removed while they are new. */
static bool write_token(const struct cprof_guard *guard, const char *path,
                        struct cprof_error *error)
{
    char temporary[CPROF_PATH_BYTES + FILE_NAME_BYTES + 32];
    uint32_t number;
    bool may_write, ok;
    int fd;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        return cprof_fail(error, "there are no random bytes for a file's name");
    }
    (void)snprintf(temporary, sizeof(temporary), "%s.%08x.tmp", path, number);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return cprof_fail_errno(error, errno, "the token's file %s", path);
    }
    may_write = is_private(fd);
    ok = !may_write || write_line(fd, guard);
    ok = close(fd) == 0 && ok;
    if (!ok || rename(temporary, path) != 0) {
        cprof_fail_errno(error, errno, "the token's file %s", path);
        (void)unlink(temporary);
        return false;
    }
    return may_write ||
           cprof_fail(error,
                      "the token is not kept in %s, where others could read it: the file system "
                      "gives files another owner or mode",
                      path);
}

/* Empty: there is no place for it. */
static void token_path(char *path, size_t path_bytes, const struct cprof_config *config,
                       const struct cprof_output *output)
{
    path[0] = '\0';
    if (config->http_token_file[0] != '\0') {
        (void)snprintf(path, path_bytes, "%s", config->http_token_file);
    } else if (output) {
        (void)snprintf(path, path_bytes, "%s/" FILE_NAME "-%s", config->output_dir,
                       cprof_output_owner(output));
    }
}

/* False: the token is to be found or made. */
static bool begin(struct cprof_guard *guard, const struct cprof_config *config)
{
    *guard = (struct cprof_guard){.is_local = config->http_address[0] == '/'};
    guard->needs_token = !guard->is_local || config->http_token[0] != '\0';
    (void)snprintf(guard->token, sizeof(guard->token), "%s", config->http_token);
    guard->token_is_new = guard->needs_token && config->http_token[0] == '\0';
    return !guard->token_is_new;
}

static bool open_guard(struct cprof_guard *guard, const struct cprof_config *config,
                       const char *path, struct cprof_error *error)
{
    if (begin(guard, config) || (path[0] != '\0' && read_token(guard, path))) {
        return true;
    }
    if (!make_token(guard)) {
        return cprof_fail(error, "there are no random bytes for a token");
    }
    return path[0] == '\0' || write_token(guard, path, error);
}

bool cprof_guard_open(struct cprof_guard *guard, const struct cprof_config *config,
                      const struct cprof_output *output, struct cprof_error *error)
{
    char path[CPROF_PATH_BYTES + FILE_NAME_BYTES];

    token_path(path, sizeof(path), config, output);
    return open_guard(guard, config, path, error);
}

bool cprof_guard_open_without_file(struct cprof_guard *guard, const struct cprof_config *config,
                                   struct cprof_error *error)
{
    return open_guard(guard, config, "", error);
}

void cprof_guard_close(struct cprof_guard *guard)
{
    explicit_bzero(guard->token, sizeof(guard->token));
}

/* In a time that does not tell how much of it is right. */
static bool is_token(const struct cprof_guard *guard, const char *text)
{
    size_t length = strlen(guard->token);
    unsigned difference = strlen(text) != length;

    for (size_t i = 0; i < length; i++) {
        difference |= (unsigned char)(guard->token[i] ^ *text);
        text += *text != '\0';
    }
    return difference == 0 && length > 0;
}

static bool has_token(const struct cprof_guard *guard, const struct cprof_guard_question *question)
{
    const char *authorization = question->authorization;

    if (authorization && strncasecmp(authorization, BEARER, strlen(BEARER)) == 0) {
        return is_token(guard, authorization + strlen(BEARER));
    }
    return question->token && is_token(guard, question->token);
}

/* An address or localhost, with or without a port. A name that somebody made to point here is
 * neither. */
static bool is_plain_host(const char *host)
{
    char name[INET6_ADDRSTRLEN + 1];
    bool is_bracketed = host[0] == '[';
    const char *start = host + is_bracketed;
    size_t length = strcspn(start, is_bracketed ? "]" : ":");
    const char *rest = start + length + is_bracketed;
    struct in6_addr address;

    if (length == 0 || (is_bracketed && start[length] != ']') || length >= sizeof(name) ||
        (*rest != '\0' && (*rest != ':' || strspn(rest + 1, "0123456789") != strlen(rest + 1)))) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)length, start);
    if (is_bracketed) {
        return inet_pton(AF_INET6, name, &address) == 1;
    }
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &address) == 1;
}

static bool is_same_origin(const char *origin, const char *host)
{
    static const char scheme[] = "http://";

    return strncasecmp(origin, scheme, strlen(scheme)) == 0 &&
           strcasecmp(origin + strlen(scheme), host) == 0;
}

unsigned cprof_guard_check(const struct cprof_guard *guard,
                           const struct cprof_guard_question *question, const char **reason)
{
    if (!question->host) {
        *reason = "the request names no host";
        return STATUS_BAD_REQUEST;
    }
    if (!guard->is_local && !is_plain_host(question->host)) {
        *reason = "this endpoint is known by its address or as localhost alone";
        return STATUS_MISDIRECTED;
    }
    if (question->origin && !is_same_origin(question->origin, question->host)) {
        *reason = "the request comes from a page of another site";
        return STATUS_FORBIDDEN;
    }
    if (guard->needs_token && !question->is_public && !has_token(guard, question)) {
        *reason = "the token is missing or wrong: ?token=TOKEN or Authorization: Bearer TOKEN";
        return STATUS_UNAUTHORIZED;
    }
    return 0;
}
