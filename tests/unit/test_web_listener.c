/* test_web_listener.c - see gateway/web/listener.h: whose files a unix socket may take the place
 * of, and what the socket's own file is like.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/web/listener.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "expect.h"

static char directory[] = "/tmp/cprof-listener-XXXXXX";
static struct cprof_config config;

static bool open_one(struct cprof_listener *listener)
{
    struct cprof_error error = {0};
    bool is_open = cprof_listener_open(listener, &config, &error);

    EXPECT(is_open || (error.text[0] != '\0' && listener->fd == -1));
    return is_open;
}

static mode_t type_of(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 ? status.st_mode : 0;
}

static void a_socket_is_the_owners_alone_and_goes_with_its_listener(void)
{
    struct cprof_listener listener;
    mode_t mask = umask(0);

    EXPECT(open_one(&listener) && listener.is_local);
    EXPECT(type_of(config.http_address) == (S_IFSOCK | 0600));
    EXPECT(umask(mask) == 0);
    close(listener.fd);
    cprof_listener_forget(&listener);
    EXPECT(type_of(config.http_address) == 0);
}

static void one_that_nobody_listens_on_is_replaced_and_another_is_not(void)
{
    struct cprof_listener first, second;

    EXPECT(open_one(&first));
    EXPECT(!open_one(&second));
    EXPECT(type_of(config.http_address) == (S_IFSOCK | 0600));
    close(first.fd); /* killed: the file stays */
    EXPECT(open_one(&second));
    EXPECT(type_of(config.http_address) == (S_IFSOCK | 0600));
    close(second.fd);
    cprof_listener_forget(&second);
}

static void a_file_or_a_link_is_left_alone(void)
{
    char other[sizeof(config.http_address) + 8];
    struct cprof_listener listener;
    int fd = open(config.http_address, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    EXPECT(fd >= 0 && close(fd) == 0);
    EXPECT(!open_one(&listener) && S_ISREG(type_of(config.http_address)));
    EXPECT(unlink(config.http_address) == 0);

    /* Neither is a socket made where a link leads to. */
    (void)snprintf(other, sizeof(other), "%s.other", config.http_address);
    EXPECT(symlink(other, config.http_address) == 0);
    EXPECT(!open_one(&listener) && S_ISLNK(type_of(config.http_address)));
    EXPECT(type_of(other) == 0);
    EXPECT(unlink(config.http_address) == 0);
}

int main(void)
{
    EXPECT(mkdtemp(directory));
    (void)snprintf(config.http_address, sizeof(config.http_address), "%s/socket", directory);
    RUN(a_socket_is_the_owners_alone_and_goes_with_its_listener);
    RUN(one_that_nobody_listens_on_is_replaced_and_another_is_not);
    RUN(a_file_or_a_link_is_left_alone);
    EXPECT(rmdir(directory) == 0);
    return 0;
}
