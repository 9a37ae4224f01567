/* test_web_server.c - see gateway/web/server.h: what needs to be known of each turn of the loop, or
 * of the requests themselves. The rest is tested on a real server.
 *
 * SPDX-License-Identifier: MIT
 */
// flags: -Wl,--wrap=cprof_now_ns
#include "../../gateway/web/server.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../gateway/web/commands.h"
#include "../../shared/segment/window.h"
#include "expect.h"

#define CROWD 200

#define NS_PER_S    UINT64_C(1000000000)
#define LARGE_BYTES ((size_t)8 * 1024 * 1024)

static char directory[] = "/tmp/cprof-server-XXXXXX";
static struct cprof_config config;
static struct cprof_loop loop;
static struct cprof_web_server *server;
static unsigned times_asleep;
static uint64_t skipped_ns;               /* the clock is that much ahead */
static struct cprof_web_request *delayed; /* asked for, and not answered yet */

uint64_t __real_cprof_now_ns(void);
uint64_t __wrap_cprof_now_ns(void);

uint64_t __wrap_cprof_now_ns(void)
{
    return __real_cprof_now_ns() + skipped_ns;
}

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

/* Stands for the one of commands.c. */
void cprof_web_command(const struct cprof_web_site *site, struct cprof_web_request *request,
                       const char *name)
{
    const char *value = cprof_web_parameter(request, "value");

    (void)site;
    if (strcmp(name, "delay") == 0) {
        delayed = request;
        cprof_loop_stop(&loop);
    } else if (strcmp(name, "large") == 0) {
        cprof_web_answer(request, 200, "text/plain", calloc(1, LARGE_BYTES), LARGE_BYTES);
    } else {
        cprof_web_answer_line(request, 200, "%s %s", name, value ? value : "nothing");
    }
}

static const struct cprof_web_site own_site = {.config = &config};

static void begin_test(void)
{
    struct cprof_error error;

    (void)snprintf(config.http_address, sizeof(config.http_address), "%s/socket", directory);
    cprof_loop_init(&loop);
    server = cprof_web_server_create(&config, &loop, &own_site, &error);
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

static void send_text(int fd, const char *text)
{
    EXPECT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* Until the server ends the connection. */
static void read_answer(int fd, char *answer, size_t answer_bytes)
{
    size_t used = 0;
    ssize_t got = -1;

    while (got != 0 && used < answer_bytes - 1) {
        serve(fd);
        got = read(fd, answer + used, answer_bytes - 1 - used);
        EXPECT(got >= 0);
        used += (size_t)got;
    }
    answer[used] = '\0';
    close(fd);
}

static void ask(int fd, const char *request, char *answer, size_t answer_bytes)
{
    send_text(fd, request);
    read_answer(fd, answer, answer_bytes);
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

#define POST(name) "POST /actions/" name " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"

static void an_answer_that_comes_late_has_its_own_time(void)
{
    char answer[4096];
    int fd;

    for (unsigned seconds = 1; seconds < 1000; seconds *= 5) {
        begin_test();
        fd = join_in();
        send_text(fd, POST("delay"));
        loop.stopped = false;
        cprof_loop_run(&loop);
        skipped_ns += seconds * NS_PER_S;
        cprof_web_answer_line(delayed, 200, "at last");
        read_answer(fd, answer, sizeof(answer));
        EXPECT(strstr(answer, "200 OK") && strstr(answer, "at last\n"));
        cprof_web_server_destroy(server);
    }
}

/* Moves the clock, and lets the server work for all that is due and ready by then. */
static void skip(unsigned seconds)
{
    struct cprof_loop_watch always = {.events = POLLOUT, .ready = stop};
    int fds[2];

    EXPECT(pipe2(fds, O_CLOEXEC) == 0);
    always.fd = fds[1];
    EXPECT(cprof_loop_add_watch(&loop, &always));
    skipped_ns += seconds * NS_PER_S;
    for (unsigned turns = 0; turns < 10; turns++) {
        loop.stopped = false;
        cprof_loop_run(&loop);
    }
    cprof_loop_remove_watch(&loop, &always);
    close(fds[0]);
    close(fds[1]);
}

static bool is_ended(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

    return ppoll(&poll_fd, 1, &(struct timespec){0}, NULL) > 0;
}

static void a_request_that_is_sent_slowly_has_ten_seconds(void)
{
    int fd;

    begin_test();
    fd = join_in();
    send_text(fd, "GET /nothing HTTP/1.1\r\nHost: ");
    skip(0);
    skip(9);
    send_text(fd, "local");
    EXPECT(!is_ended(fd));
    skip(2);
    EXPECT(is_ended(fd));
    close(fd);
    cprof_web_server_destroy(server);
}

static void an_answer_that_is_read_slowly_has_a_minute(void)
{
    static char part[64 * 1024];
    size_t got = 0;
    ssize_t bytes;
    int fd;

    begin_test();
    fd = join_in();
    send_text(fd, POST("large"));
    skip(0);
    for (unsigned step = 0; step < 5; step++) {
        skip(11);
        EXPECT(!is_ended(fd));
        bytes = read(fd, part, sizeof(part));
        EXPECT(bytes > 0);
        got += (size_t)bytes;
    }
    skip(6);
    EXPECT(is_ended(fd));
    while ((bytes = read(fd, part, sizeof(part))) > 0) {
        got += (size_t)bytes;
    }
    EXPECT(got < LARGE_BYTES);
    close(fd);
    cprof_web_server_destroy(server);
}

int main(void)
{
    EXPECT(mkdtemp(directory));
    RUN(whoever_waits_behind_a_crowd_is_let_in_at_once);
    RUN(a_part_of_a_form_without_a_name_is_refused);
    RUN(an_answer_that_comes_late_has_its_own_time);
    RUN(a_request_that_is_sent_slowly_has_ten_seconds);
    RUN(an_answer_that_is_read_slowly_has_a_minute);
    EXPECT(rmdir(directory) == 0);
    return 0;
}
