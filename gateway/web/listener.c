/* listener.c - see listener.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET) {
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

/* ADDRESS:PORT, an IPv6 address in brackets. */
static bool parse_tcp(union address *address, socklen_t *bytes, const char *text)
{
    char host[CPROF_HTTP_ADDRESS_BYTES];
    const char *colon = strrchr(text, ':');
    char *end;
    unsigned long port;
    size_t length;

    if (!colon || colon == text || colon[1] < '0' || colon[1] > '9') {
        return false;
    }
    port = strtoul(colon + 1, &end, 10);
    length = (size_t)(colon - text);
    if (*end != '\0' || port > UINT16_MAX || length >= sizeof(host)) {
        return false;
    }
    memset(address, 0, sizeof(*address));
    if (text[0] == '[' && colon[-1] == ']') {
        (void)snprintf(host, sizeof(host), "%.*s", (int)length - 2, text + 1);
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons((uint16_t)port);
        *bytes = sizeof(address->v6);
        return inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1;
    }
    (void)snprintf(host, sizeof(host), "%.*s", (int)length, text);
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons((uint16_t)port);
    *bytes = sizeof(address->v4);
    return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1;
}

/* Does somebody listen on the socket in this file? */
static bool is_listened_on(const union address *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool listened_on =
        fd >= 0 && (connect(fd, &address->any, sizeof(address->local)) == 0 || errno == EAGAIN);

    if (fd >= 0) {
        close(fd);
    }
    return listened_on;
}

/* What a gateway that was killed has left. Nothing but a socket is ever removed. */
static void remove_stale(const union address *address)
{
    struct stat status;

    if (lstat(address->local.sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
        !is_listened_on(address)) {
        (void)unlink(address->local.sun_path);
    }
}

static bool bind_local(struct cprof_listener *listener, const char *path)
{
    union address address = {.local = {.sun_family = AF_UNIX}};
    struct stat status;
    mode_t mask;
    bool ok;

    (void)snprintf(address.local.sun_path, sizeof(address.local.sun_path), "%s", path);
    remove_stale(&address);
    mask = umask(0177); /* the file is never there with another mode */
    ok = bind(listener->fd, &address.any, sizeof(address.local)) == 0;
    (void)umask(mask);
    if (ok && lstat(path, &status) == 0) {
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
    }
    (void)snprintf(listener->path, sizeof(listener->path), "%s", path);
    (void)snprintf(listener->url, sizeof(listener->url), "http://localhost/");
    return ok;
}

static bool bind_tcp(struct cprof_listener *listener, const union address *wanted, socklen_t bytes)
{
    union address address = *wanted;
    char host[INET6_ADDRSTRLEN] = "";
    int yes = 1;

    (void)setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(listener->fd, &address.any, bytes) != 0 ||
        getsockname(listener->fd, &address.any, &bytes) != 0) {
        return false;
    }
    if (address.any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host));
        (void)snprintf(listener->url, sizeof(listener->url), "http://%s:%u/", host,
                       ntohs(address.v4.sin_port));
    } else {
        (void)inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof(host));
        (void)snprintf(listener->url, sizeof(listener->url), "http://[%s]:%u/", host,
                       ntohs(address.v6.sin6_port));
    }
    return true;
}

bool cprof_listener_open(struct cprof_listener *listener, const struct cprof_config *config,
                         struct cprof_error *error)
{
    const char *text = config->http_address;
    union address address = {.any = {.sa_family = AF_UNIX}};
    socklen_t bytes = 0;
    bool ok;

    *listener = (struct cprof_listener){.fd = -1, .is_local = text[0] == '/'};
    if (!listener->is_local && !parse_tcp(&address, &bytes, text)) {
        return cprof_fail(error, "%s is no address that can be listened on", text);
    }
    if (!listener->is_local && !is_loopback(&address) && !config->http_allow_remote) {
        return cprof_fail(error, "%s is not this machine's loopback", text);
    }
    listener->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0) {
        return cprof_fail_errno(error, errno, "socket");
    }
    ok = listener->is_local ? bind_local(listener, text) : bind_tcp(listener, &address, bytes);
    if (!ok || listen(listener->fd, BACKLOG) != 0) {
        cprof_fail_errno(error, errno, "%s", text);
        close(listener->fd);
        listener->fd = -1;
        return false;
    }
    return true;
}

void cprof_listener_forget(const struct cprof_listener *listener)
{
    struct stat status;

    if (listener->is_local && listener->inode != 0 && lstat(listener->path, &status) == 0 &&
        status.st_dev == listener->device && status.st_ino == listener->inode) {
        (void)unlink(listener->path);
    }
}
