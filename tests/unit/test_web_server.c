/* test_web_server.c - see gateway/web/server.h: what needs to be known of each turn of the loop, or
 * of the requests themselves. The rest is tested on a real server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/web/server.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "expect.h"

#define CROWD 200

static char directory[] = "/tmp/cprof-server-XXXXXX";
static struct cprof_config config;
static struct cprof_loop loop;
static struct cprof_web_server *server;
static unsigned times_asleep;

/* Stands in the way of the system's: the loop may go to sleep only when nobody waits for it. */
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const struct timespec none = {0};
    int ready = ppoll(fds, count, &none, NULL);

    if (ready != 0 || timeout_ms == 0) {
        return ready;
    }
    times_asleep++;
    return ppoll(fds, count,
                 timeout_ms < 0 ? NULL
                                : &(struct timespec){.tv_sec = timeout_ms / 1000,
                                                     .tv_nsec = timeout_ms % 1000 * 1000000L},
                 NULL);
}

static void act(void *context, const char *verb, struct cprof_web_request *request)
{
    const char *value = cprof_web_parameter(request, "value");

    (void)context;
    cprof_web_answer_line(request, 200, "%s %s", verb, value ? value : "nothing");
}

static const struct cprof_web_site site = {.config = &config, .act = act};

static void begin_test(void)
{
    struct cprof_error error;

    (void)snprintf(config.http_address, sizeof(config.http_address), "%s/socket", directory);
    cprof_loop_init(&loop);
    server = cprof_web_server_create(&config, &loop, &site, &error);
    EXPECT(server);
}

static int join_in(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", config.http_address);
    EXPECT(fd >= 0);
    EXPECT(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void stop(void *context, short events)
{
    (void)context, (void)events;
    cprof_loop_stop(&loop);
}

/* Lets the server work until this client has something to read, or has been ended. */
static void serve(int fd)
{
    struct cprof_loop_watch watch = {.fd = fd, .events = POLLIN, .ready = stop};

    EXPECT(cprof_loop_add_watch(&loop, &watch));
    loop.stopped = false;
    cprof_loop_run(&loop);
    cprof_loop_remove_watch(&loop, &watch);
}

static void ask(int fd, const char *request, char *answer, size_t answer_bytes)
{
    size_t used = 0;
    ssize_t got = -1;

    EXPECT(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
    while (got != 0 && used < answer_bytes - 1) {
        serve(fd);
        got = read(fd, answer + used, answer_bytes - 1 - used);
        EXPECT(got >= 0);
        used += (size_t)got;
    }
    answer[used] = '\0';
    close(fd);
}

static void whoever_waits_behind_a_crowd_is_let_in_at_once(void)
{
    char answer[4096];
    int crowd[CROWD], last;

    begin_test();
    for (int i = 0; i < CROWD; i++) {
        if (i % 50 == 49) { /* the next ones find room to wait in */
            last = join_in();
            ask(last, "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", answer, sizeof(answer));
        }
        crowd[i] = join_in();
    }
    times_asleep = 0;
    last = join_in();
    ask(last, "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", answer, sizeof(answer));
    EXPECT(strstr(answer, "404 Not Found"));
    EXPECT(times_asleep == 0);
    for (int i = 0; i < CROWD; i++) {
        close(crowd[i]);
    }
    cprof_web_server_destroy(server);
}

#define FORM(disposition)                                                                          \
    "--border-of-parts\r\n" disposition "\r\n\r\ncpu\r\n--border-of-parts--\r\n"

/* The answer to a form of one part. */
static const char *post(const char *form)
{
    static char answer[4096];
    char request[1024];

    (void)snprintf(request, sizeof(request),
                   "POST /actions/kinds HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n"
                   "Content-Type: multipart/form-data; boundary=border-of-parts\r\n\r\n%s",
                   strlen(form), form);
    ask(join_in(), request, answer, sizeof(answer));
    return answer;
}

static void a_part_of_a_form_without_a_name_is_refused(void)
{
    begin_test();
    EXPECT(strstr(post(FORM("Content-Disposition: form-data; name=\"value\"")), "kinds cpu\n"));
    EXPECT(post(FORM("Content-Disposition: form-data"))[0] == '\0');
    EXPECT(post(FORM("Content-Type: text/plain"))[0] == '\0');
    EXPECT(post(FORM(""))[0] == '\0');
    EXPECT(strstr(post(FORM("Content-Disposition: form-data; name=\"value\"")), "kinds cpu\n"));
    cprof_web_server_destroy(server);
}

int main(void)
{
    EXPECT(mkdtemp(directory));
    RUN(whoever_waits_behind_a_crowd_is_let_in_at_once);
    RUN(a_part_of_a_form_without_a_name_is_refused);
    EXPECT(rmdir(directory) == 0);
    return 0;
}
