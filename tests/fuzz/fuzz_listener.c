/* fuzz_listener.c - the address that the endpoint is to listen on (gateway/web/listener.h); the
 * first byte says whether it may be other than loopback. Nothing is bound: what would be is looked
 * at. Paths of unix sockets are left out, files would be removed there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../gateway/web/listener.h"
#include "../unit/expect.h"
#include "fuzz.h"

static struct sockaddr_storage bound;

/* Stands in the way of the system's. */
int bind(int fd, const struct sockaddr *address, socklen_t bytes)
{
    (void)fd;
    EXPECT(bytes <= sizeof(bound));
    memset(&bound, 0, sizeof(bound));
    memcpy(&bound, address, bytes);
    return 0;
}

int listen(int fd, int backlog)
{
    (void)fd, (void)backlog;
    return 0;
}

static bool is_loopback(void)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&bound;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&bound;

    return bound.ss_family == AF_INET ? ntohl(v4->sin_addr.s_addr) >> 24 == 127
                                      : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cprof_config config = {.slot_count = 1};
    struct cprof_listener listener;
    struct cprof_error error = {0};

    if (size == 0 || size > sizeof(config.http_address) || (size > 1 && data[1] == '/')) {
        return 0;
    }
    config.http_allow_remote = data[0] & 1;
    memcpy(config.http_address, data + 1, size - 1);
    if (cprof_listener_open(&listener, &config, &error)) {
        EXPECT(config.http_allow_remote || is_loopback());
        EXPECT(strncmp(listener.url, "http://", 7) == 0 && !listener.is_local);
        close(listener.fd);
    } else {
        EXPECT(error.text[0] != '\0' && listener.fd == -1);
    }
    return 0;
}
