/* test_request.c - see plugin/host/request.h. uWSGI's tables are this file's own.
 *
 * sources: plugin/host/request.c plugin/host/slow_exceptions.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#undef exit /* uwsgi.h has one of its own */

#include "../../plugin/host/request.h"

#include "expect.h"

#define CORES   2
#define APPS    3
#define OTHER   5 /* modifier of another language */
#define MAIN    UINT64_C(0x1000)
#define SECOND  UINT64_C(0x2000)
#define SWAPPED UINT64_C(0x3000)

struct uwsgi_server uwsgi;

static struct uwsgi_app apps[APPS];
static void *states[CORES][APPS];
static struct uwsgi_core cores[CORES];
static struct uwsgi_worker workers[2];

/* One worker; app 0 in the main interpreter, app 1 in another, app 2 of another language. Core 1
 * serves app 1. */
static void set_up(void)
{
    memset(&uwsgi, 0, sizeof(uwsgi));
    memset(apps, 0, sizeof(apps));
    memset(cores, 0, sizeof(cores));
    apps[0].interpreter = (void *)MAIN;
    apps[1].interpreter = (void *)SECOND;
    apps[2].interpreter = (void *)SECOND;
    apps[2].modifier1 = OTHER;
    for (int i = 0; i < CORES; i++) {
        cores[i].ts = states[i];
    }
    states[1][1] = (void *)SWAPPED;
    cores[1].in_request = 1;
    cores[1].req.app_id = 1;
    workers[1].apps = apps;
    workers[1].apps_cnt = APPS;
    workers[1].cores = cores;
    uwsgi.workers = workers;
    uwsgi.numproc = 1;
    uwsgi.mywid = 1;
    uwsgi.cores = CORES;
    uwsgi.threads = CORES;
    uwsgi.max_apps = APPS;
    cprof_request_note_main_state(MAIN);
}

static void a_core_with_a_request_is_told_from_one_without(void)
{
    set_up();

    EXPECT(!cprof_request_is_running(0));
    EXPECT(cprof_request_is_running(1));
    EXPECT(cprof_request_thread_state(0) == 0);
}

static void with_threads_each_core_has_its_own_state_of_a_second_app(void)
{
    set_up();

    EXPECT(cprof_request_thread_state(1) == SWAPPED);
}

static void without_threads_the_second_app_has_one_state(void)
{
    set_up();
    uwsgi.threads = 1;

    EXPECT(cprof_request_thread_state(1) == SECOND);
}

static void nothing_is_swapped_in_for_the_main_interpreter(void)
{
    set_up();
    cores[1].req.app_id = 0;

    EXPECT(cprof_request_thread_state(1) == 0);

    cores[1].req.app_id = 1;
    uwsgi.single_interpreter = 1;
    EXPECT(cprof_request_thread_state(1) == 0);
}

static void an_app_of_another_language_has_no_thread_state(void)
{
    set_up();
    cores[1].req.app_id = 2;

    EXPECT(cprof_request_thread_state(1) == 0);
}

static void indices_out_of_bounds_read_nothing(void)
{
    static const int bad_cores[] = {-1, CORES, INT_MAX, INT_MIN};
    static const int bad_apps[] = {-1, APPS, INT_MAX, INT_MIN};

    set_up();
    for (size_t i = 0; i < sizeof(bad_cores) / sizeof(bad_cores[0]); i++) {
        EXPECT(!cprof_request_is_running(bad_cores[i]));
        EXPECT(cprof_request_thread_state(bad_cores[i]) == 0);
    }
    for (size_t i = 0; i < sizeof(bad_apps) / sizeof(bad_apps[0]); i++) {
        cores[1].req.app_id = bad_apps[i];
        EXPECT(cprof_request_is_running(1));
        EXPECT(cprof_request_thread_state(1) == 0);
    }
}

static char buffer[256];

/* Puts a field of core 1's request at `offset` of its buffer. */
static void put(char **text, uint16_t *bytes, size_t offset, const char *value)
{
    memcpy(buffer + offset, value, strlen(value));
    *text = buffer + offset;
    *bytes = (uint16_t)strlen(value);
}

static bool gives(enum cprof_tag_bit part, uint32_t to_bytes, const char *wanted)
{
    char text[64];
    uint32_t bytes = cprof_request_text(1, part, text, to_bytes);

    return bytes == strlen(wanted) && memcmp(text, wanted, bytes) == 0;
}

static void set_up_fields(void)
{
    struct wsgi_request *request = &cores[1].req;

    set_up();
    uwsgi.buffer_size = sizeof(buffer) - 4;
    cores[1].buffer = buffer;
    put(&request->method, &request->method_len, 4, "GET");
    put(&request->host, &request->host_len, 10, "shop.example:8080");
    put(&request->path_info, &request->path_info_len, 40, "/users/12/mail");
    (void)snprintf(apps[1].mountpoint, sizeof(apps[1].mountpoint), "/shop");
    apps[1].mountpoint_len = 5;
}

static void parts_of_the_request_are_copied(void)
{
    set_up_fields();
    cprof_request_note_path_segments(2);

    EXPECT(gives(CPROF_TAG_METHOD, 64, "GET"));
    EXPECT(gives(CPROF_TAG_HOST, 64, "shop.example"));
    EXPECT(gives(CPROF_TAG_MOUNT, 64, "/shop"));
    EXPECT(gives(CPROF_TAG_PATH, 64, "/users/12"));
    EXPECT(gives(CPROF_TAG_PATH, 4, "/use"));
    EXPECT(gives(CPROF_TAG_WORKER, 64, ""));
    apps[1].mountpoint_len = 0;
    EXPECT(gives(CPROF_TAG_MOUNT, 64, "/"));
    cores[1].req.app_id = APPS;
    EXPECT(gives(CPROF_TAG_MOUNT, 64, ""));
}

static void a_path_ends_where_it_was_asked_to_and_before_a_query(void)
{
    static const struct {
        const char *path, *wanted;
    } cases[] = {{"/", "/"},       {"/a", "/a"},     {"/a/", "/a"}, {"/a/b", "/a"},   {"//b", "/"},
                 {"/a?b=c", "/a"}, {"?token=1", ""}, {"*", "*"},    {"a/b/c", "a/b"}, {"", ""}};
    struct wsgi_request *request = &cores[1].req;

    set_up_fields();
    cprof_request_note_path_segments(1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(&request->path_info, &request->path_info_len, 40, cases[i].path);
        EXPECT(gives(CPROF_TAG_PATH, 64, cases[i].wanted));
    }
}

static void a_host_stands_without_its_port(void)
{
    static const struct {
        const char *host, *wanted;
    } cases[] = {{"a", "a"},         {"a:1", "a"}, {"[::1]:80", "[::1]"},
                 {"[::1]", "[::1]"}, {"80", "80"}, {"a:", "a"}};
    struct wsgi_request *request = &cores[1].req;

    set_up_fields();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(&request->host, &request->host_len, 10, cases[i].host);
        EXPECT(gives(CPROF_TAG_HOST, 64, cases[i].wanted));
    }
}

/* A length may belong to another pointer while the request is parsed. */
static void nothing_outside_the_buffer_is_read(void)
{
    struct wsgi_request *request = &cores[1].req;

    set_up_fields();
    request->path_info = buffer + sizeof(buffer) - 3;
    request->path_info_len = 4;
    EXPECT(gives(CPROF_TAG_PATH, 64, ""));
    request->path_info = buffer - 1;
    request->path_info_len = 1;
    EXPECT(gives(CPROF_TAG_PATH, 64, ""));
    request->path_info = NULL;
    request->path_info_len = UINT16_MAX;
    EXPECT(gives(CPROF_TAG_PATH, 64, ""));
    cores[1].buffer = NULL;
    EXPECT(gives(CPROF_TAG_METHOD, 64, ""));
}

static void each_request_has_a_stamp_of_its_own(void)
{
    uint64_t stamp;

    set_up_fields();
    stamp = cprof_request_stamp(1);
    EXPECT(stamp != 0 && cprof_request_stamp(1) == stamp);
    cores[1].requests++;
    EXPECT(cprof_request_stamp(1) != stamp && cprof_request_stamp(1) != 0);
    cores[1].requests--;
    cores[1].req.start_of_request++;
    EXPECT(cprof_request_stamp(1) != stamp && cprof_request_stamp(1) != 0);
    EXPECT(cprof_request_stamp(0) == 0 && cprof_request_stamp(-1) == 0);
    cores[1].in_request = 0;
    EXPECT(cprof_request_stamp(1) == 0 && gives(CPROF_TAG_METHOD, 64, ""));
}

#define VARIABLES 3

static struct iovec variables[2 * VARIABLES];

/* Names and values lie in core 1's buffer one after the other. */
static void put_variable(unsigned number, size_t offset, const char *name, const char *value)
{
    struct iovec *key = &variables[2 * number];

    memcpy(buffer + offset, name, strlen(name));
    key[0] = (struct iovec){buffer + offset, strlen(name)};
    offset += strlen(name);
    memcpy(buffer + offset, value, strlen(value));
    key[1] = (struct iovec){buffer + offset, strlen(value)};
}

static void set_up_variables(void)
{
    set_up_fields();
    memset(variables, 0, sizeof(variables));
    cprof_request_note_slow_exceptions(NULL);
    uwsgi.vec_size = 2 * VARIABLES + 1;
    cores[1].hvec = variables;
    cores[1].req.var_cnt = 2 * VARIABLES;
    put_variable(0, 100, "HTTP_ACCEPX", "text/event-stream");
    put_variable(1, 150, "HTTP_ACCEPT_X", "text/event-stream");
    put_variable(2, 200, "HTTP_ACCEPT", "text/event-stream");
}

static void a_request_is_excepted_by_its_path(void)
{
    static struct cprof_slow_exceptions exceptions;
    struct wsgi_request *request = &cores[1].req;

    EXPECT(exceptions.count > 0 || cprof_slow_exceptions_add(&exceptions, "/poll"));
    set_up_fields();
    put(&request->uri, &request->uri_len, 60, "/poll/1?a=b");
    cprof_request_note_slow_exceptions(NULL);
    EXPECT(!cprof_request_is_excepted(1));
    cprof_request_note_slow_exceptions(&exceptions);
    EXPECT(cprof_request_is_excepted(1) && cprof_request_is_excepted_in(1, 1));
    request->uri_len = 4;
    EXPECT(!cprof_request_is_excepted(1));
    request->uri_len = UINT16_MAX;
    EXPECT(!cprof_request_is_excepted(1));
    cprof_request_note_slow_exceptions(NULL);
}

static void so_are_websockets_and_event_streams(void)
{
    struct wsgi_request *request = &cores[1].req;

    set_up_variables();
    EXPECT(cprof_request_is_excepted(1));
    put_variable(2, 200, "HTTP_ACCEPT", "*/*");
    EXPECT(!cprof_request_is_excepted(1));
    put(&request->http_sec_websocket_key, &request->http_sec_websocket_key_len, 240, "key");
    EXPECT(cprof_request_is_excepted(1));
    cores[1].in_request = 0;
    EXPECT(!cprof_request_is_excepted(1));
}

static void variables_out_of_bounds_say_nothing(void)
{
    set_up_variables();
    cores[1].req.var_cnt = 2 * VARIABLES - 1; /* the last one is not there yet */
    EXPECT(!cprof_request_is_excepted(1));
    cores[1].req.var_cnt = UINT16_MAX;
    EXPECT(!cprof_request_is_excepted(1));
    set_up_variables();
    variables[2 * VARIABLES - 1].iov_len = SIZE_MAX;
    EXPECT(!cprof_request_is_excepted(1));
    variables[2 * VARIABLES - 1].iov_len = sizeof(buffer);
    EXPECT(!cprof_request_is_excepted(1));
    set_up_variables();
    variables[2 * VARIABLES - 1].iov_base = NULL;
    EXPECT(!cprof_request_is_excepted(1));
    set_up_variables();
    variables[2 * VARIABLES - 2].iov_base = buffer + sizeof(buffer) - 4;
    EXPECT(!cprof_request_is_excepted(1));
    set_up_variables();
    cores[1].hvec = NULL;
    EXPECT(!cprof_request_is_excepted(1));
    set_up_variables();
    EXPECT(!cprof_request_is_excepted_in(0, 1) && !cprof_request_is_excepted_in(2, 1));
    EXPECT(!cprof_request_is_excepted_in(1, -1) && !cprof_request_is_excepted_in(1, CORES));
    EXPECT(cprof_request_is_excepted_in(1, 1));
}

static void mules_and_spoolers_have_no_requests(void)
{
    set_up();
    uwsgi.mywid = 0;

    EXPECT(!cprof_request_is_running(1));
    EXPECT(cprof_request_thread_state(1) == 0);
}

/* As many as uWSGI has taken off its stack of free ones. */
static void no_more_cores_serve_than_are_taken(void)
{
    struct wsgi_request *unused[CORES];

    set_up();
    EXPECT(cprof_request_serving_max() == CORES);
    uwsgi.async = CORES;
    uwsgi.async_queue_unused = unused;
    for (int free_cores = 0; free_cores <= CORES; free_cores++) {
        uwsgi.async_queue_unused_ptr = free_cores - 1;
        EXPECT(cprof_request_serving_max() == (uint32_t)(CORES - free_cores));
    }
}

static void a_stack_of_free_cores_that_makes_no_sense_says_nothing(void)
{
    struct wsgi_request *unused[CORES];

    set_up();
    uwsgi.async = CORES;
    EXPECT(cprof_request_serving_max() == CORES);
    uwsgi.async_queue_unused = unused;
    uwsgi.async_queue_unused_ptr = CORES;
    EXPECT(cprof_request_serving_max() == CORES);
    uwsgi.async_queue_unused_ptr = -2;
    EXPECT(cprof_request_serving_max() == CORES);
    uwsgi.mywid = 0;
    EXPECT(cprof_request_serving_max() == 0);
}

int main(void)
{
    RUN(a_core_with_a_request_is_told_from_one_without);
    RUN(with_threads_each_core_has_its_own_state_of_a_second_app);
    RUN(without_threads_the_second_app_has_one_state);
    RUN(nothing_is_swapped_in_for_the_main_interpreter);
    RUN(an_app_of_another_language_has_no_thread_state);
    RUN(indices_out_of_bounds_read_nothing);
    RUN(parts_of_the_request_are_copied);
    RUN(a_path_ends_where_it_was_asked_to_and_before_a_query);
    RUN(a_host_stands_without_its_port);
    RUN(nothing_outside_the_buffer_is_read);
    RUN(each_request_has_a_stamp_of_its_own);
    RUN(a_request_is_excepted_by_its_path);
    RUN(so_are_websockets_and_event_streams);
    RUN(variables_out_of_bounds_say_nothing);
    RUN(mules_and_spoolers_have_no_requests);
    RUN(no_more_cores_serve_than_are_taken);
    RUN(a_stack_of_free_cores_that_makes_no_sense_says_nothing);
    return 0;
}
