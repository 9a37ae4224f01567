/* test_stack_text.c - see gateway/profile/stack_text.h, stack_json.h, running.h and select.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/profile/stack_text.h"

#include <jansson.h>
#include <string.h>

#include "../../gateway/profile/select.h"
#include "../../gateway/profile/stack_json.h"
#include "expect.h"

#define S UINT64_C(1000000000)

/* What a sample of these tests consists of; the frames' files are "app.py". */
struct given {
    const char *worker, *thread, *state, *start;
    const char *frames[4]; /* innermost first */
    uint64_t value_ns;
};

static struct cprof_table table;

static uint32_t text(const char *of)
{
    return cprof_table_text(&table, of, strlen(of));
}

static void add_label(struct cprof_sample_key *key, struct cprof_label *labels, const char *name,
                      const char *value)
{
    if (value) {
        labels[key->label_count++] = (struct cprof_label){.key = text(name), .value = text(value)};
    }
}

static void add(const struct given *given)
{
    uint32_t locations[4];
    struct cprof_label labels[6];
    struct cprof_sample_key key = {.locations = locations, .labels = labels};

    for (; key.depth < 4 && given->frames[key.depth]; key.depth++) {
        struct cprof_function function = {.name = text(given->frames[key.depth]),
                                          .file = text("app.py")};
        struct cprof_location location = {.line = 7};

        location.function = cprof_table_function(&table, &function);
        locations[key.depth] = cprof_table_location(&table, &location);
    }
    add_label(&key, labels, "worker", given->worker);
    add_label(&key, labels, "thread", given->thread);
    add_label(&key, labels, "state", given->state);
    add_label(&key, labels, "request", given->start);
    add_label(&key, labels, "method", given->start ? "GET" : NULL);
    add_label(&key, labels, "uri", given->start ? "/x" : NULL);
    (void)cprof_table_add_sample(&table, &key, 1, given->value_ns);
}

static void begin_test(void)
{
    cprof_table_init(&table);
    table.kind = CPROF_KIND_WALL;
    table.time_unix_ns = 1000 * S;
    table.duration_ns = S;
}

static uint32_t pid_of(void *context, const char *worker)
{
    (void)context;
    return strcmp(worker, "9") == 0 ? 99 : 0;
}

/* Requests that run, whatever was seen of them. */
static struct cprof_running running;

static void run(uint32_t worker, uint64_t start_us, const char *uri)
{
    struct cprof_request request = {.start_us = start_us, .method = "POST", .incarnation = 1};
    const struct cprof_request_list list = {.requests = &request, .count = 1};

    (void)snprintf(request.uri, sizeof(request.uri), "%s", uri);
    cprof_running_add(&running, &list, worker, 1, UINT64_MAX);
}

static void expect_text(const char *worker, const char *expected)
{
    const struct cprof_stack_text wanted = {
        .table = &table, .worker = worker, .running = &running, .pid_of = pid_of};
    struct cprof_error error;
    char *got = cprof_stack_text(&wanted, &error);

    EXPECT(got != NULL);
    if (strcmp(got, expected) != 0) {
        (void)fprintf(stderr, "got:\n%s", got);
    }
    EXPECT(strcmp(got, expected) == 0);
    free(got);
    cprof_running_reset(&running);
    cprof_table_reset(&table);
}

static void expect_json(const char *expected)
{
    const struct cprof_stack_text wanted = {.table = &table, .running = &running, .pid_of = pid_of};
    struct cprof_error error;
    char *got = cprof_stack_json(&wanted, &error);
    json_t *found, *right = json_loads(expected, 0, NULL);

    EXPECT(got != NULL);
    found = json_loads(got, 0, NULL);
    /* As values: versions of jansson differ in the digits that they write of a number. */
    EXPECT(found && right && json_equal(found, right));
    json_decref(found);
    json_decref(right);
    free(got);
    cprof_running_reset(&running);
    cprof_table_reset(&table);
}

static void threads_stand_in_order_with_request_and_state(void)
{
    begin_test();
    add(&(struct given){"mule 1", "m", "sleep", NULL, {"wait"}, S});
    add(&(struct given){"10", "t", "running", NULL, {"spin"}, S});
    add(&(struct given){"9", "t", "sleep", "998500000", {"nap", "main"}, S});
    expect_text(NULL, "worker 9, pid 99\n  thread t: GET /x, for 2.5 s\n    sleep, 100 %\n"
                      "      nap (app.py:7)\n      main (app.py:7)\n"
                      "worker 10\n  thread t\n    running, 100 %\n      spin (app.py:7)\n"
                      "mule 1\n  thread m\n    sleep, 100 %\n      wait (app.py:7)\n");
}

/* What its table lacks between two parts is time of the request all the same. */
static void requests_are_as_old_as_at_the_windows_end(void)
{
    struct cprof_stack_text wanted = {.table = &table, .end_unix_ns = 1004 * S};
    struct cprof_error error;
    char *got;

    begin_test();
    add(&(struct given){"1", "t", "sleep", "998500000", {"nap"}, S});
    got = cprof_stack_text(&wanted, &error);
    EXPECT(got && strstr(got, "GET /x, for 5.5 s\n"));
    free(got);
    got = cprof_stack_json(&wanted, &error);
    EXPECT(got && strstr(got, "\"seconds\":5.5"));
    free(got);
    cprof_table_reset(&table);
}

static void one_stack_in_two_states_is_one_and_rare_ones_are_left_out(void)
{
    begin_test();
    add(&(struct given){"1", "t", "runnable", NULL, {"spin"}, 3 * S});
    add(&(struct given){"1", "t", "running", NULL, {"spin"}, 5 * S});
    add(&(struct given){"1", "t", "sleep", NULL, {"nap"}, 2 * S});
    add(&(struct given){"1", "t", "sleep", NULL, {"rare"}, S / 10});
    expect_text("1", "worker 1\n  thread t\n    running, 79 %\n      spin (app.py:7)\n");
}

static void only_the_wanted_worker_is_shown_and_time_without_a_thread_is_not(void)
{
    begin_test();
    add(&(struct given){"1", "t", "running", NULL, {"spin"}, S});
    add(&(struct given){"1", NULL, "running", NULL, {"[unsampled]"}, S});
    add(&(struct given){"2", "t", "running", NULL, {"spin"}, S});
    expect_text("1", "worker 1\n  thread t\n    running, 100 %\n      spin (app.py:7)\n");
}

static void the_json_says_the_same_as_the_text(void)
{
    begin_test();
    add(&(struct given){"mule 1", "m", NULL, NULL, {"wait"}, S});
    add(&(struct given){"9", "t", "sleep", "998500000", {"nap", "main"}, 3 * S});
    add(&(struct given){"9", "t", "running", "998500000", {"spin"}, S});
    add(&(struct given){"9", "t", "gil", "998500000", {"rare"}, S / 10});
    add(&(struct given){"9", NULL, "running", NULL, {"[unsampled]"}, S});
    expect_json(
        "{\"workers\":["
        "{\"name\":\"worker 9\",\"pid\":99,\"threads\":[{\"name\":\"t\",\"request\":"
        "{\"method\":\"GET\",\"uri\":\"/x\",\"start_ms\":998500,\"seconds\":2.5},"
        "\"greenlets\":0,\"alike\":[],\"stacks\":[{\"state\":\"sleep\",\"percent\":73."
        "170731707317074,\"frames\":["
        "{\"name\":\"nap\",\"file\":\"app.py\",\"line\":7},"
        "{\"name\":\"main\",\"file\":\"app.py\",\"line\":7}]},"
        "{\"state\":\"running\",\"percent\":24.390243902439025,\"frames\":["
        "{\"name\":\"spin\",\"file\":\"app.py\",\"line\":7}]}]}]},"
        "{\"name\":\"mule 1\",\"pid\":null,\"threads\":[{\"name\":\"m\",\"request\":null,"
        "\"greenlets\":0,\"alike\":[],\"stacks\":[{\"state\":null,\"percent\":100.0,\"frames\":["
        "{\"name\":\"wait\",\"file\":\"app.py\",\"line\":7}]}]}]}],\"cut\":false}");
    begin_test();
    expect_json("{\"workers\":[],\"cut\":false}");
}

static void json_of_more_threads_than_anybody_reads_is_cut(void)
{
    char name[16];
    struct cprof_error error;
    const struct cprof_stack_text wanted = {.table = &table, .pid_of = pid_of};
    char *got;

    begin_test();
    for (unsigned i = 0; i <= CPROF_STACK_JSON_FRAMES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "t%05u", i);
        add(&(struct given){"9", name, "sleep", NULL, {name}, S});
    }
    got = cprof_stack_json(&wanted, &error);
    EXPECT(got != NULL);
    EXPECT(strstr(got, "\"t19999\"") && !strstr(got, "\"t20000\""));
    EXPECT(strstr(got, "],\"cut\":true}"));
    free(got);
    cprof_table_reset(&table);
}

static void json_names_what_it_shows_no_stacks_of_any_more(void)
{
    const unsigned count = CPROF_STACK_JSON_FRAMES_MAX / 4 + 10;
    char name[16], start[24];
    struct cprof_error error;
    const struct cprof_stack_text wanted = {.table = &table};
    char *got, *last;

    begin_test();
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "f%05u", i);
        (void)snprintf(start, sizeof(start), "%u", 900000000 + i * 1000);
        add(&(struct given){"9", "t", "sleep", start, {name, "a", "b", "c"}, S});
    }
    got = cprof_stack_json(&wanted, &error);
    EXPECT(got != NULL);
    last = strstr(got, "\"start_ms\":905009,");
    EXPECT(last && strstr(last, "\"stacks\":[]") && strstr(last, "],\"cut\":true}"));
    EXPECT(strstr(got, "f04999") && !strstr(got, "f05000"));
    free(got);
    cprof_table_reset(&table);
}

static void requests_come_first_and_the_longest_first_of_all(void)
{
    begin_test();
    add(&(struct given){"1", "a", "sleep", NULL, {"wait"}, S});
    add(&(struct given){"1", "t", "greenlet", "1000400000", {"nap"}, S});
    add(&(struct given){"1", "t", "greenlet", "991000000", {"hang"}, S / 2});
    add(&(struct given){"1", "t", "running", "1000000000", {"spin"}, 2 * S});
    expect_text(NULL, "worker 1\n"
                      "  thread t: GET /x, for 10.0 s\n    greenlet, 100 %\n      hang (app.py:7)\n"
                      "  thread t: GET /x, for 1.0 s\n    running, 100 %\n      spin (app.py:7)\n"
                      "  thread t: GET /x, for 0.6 s\n    greenlet, 100 %\n      nap (app.py:7)\n"
                      "  thread a\n    sleep, 100 %\n      wait (app.py:7)\n");
}

static void requests_of_one_thread_are_shown_whatever_part_of_its_time_they_have(void)
{
    char start[24], name[16];
    const struct cprof_stack_text wanted = {.table = &table};
    struct cprof_error error;
    char *got;

    begin_test();
    add(&(struct given){"1", "t", "poll", NULL, {"[idle]"}, 60 * S});
    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(start, sizeof(start), "%u", 900000000 + i);
        (void)snprintf(name, sizeof(name), "hang_%u_", i);
        add(&(struct given){"1", "t", "greenlet", start, {name}, S});
    }
    got = cprof_stack_text(&wanted, &error);
    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(name, sizeof(name), "hang_%u_", i);
        EXPECT(strstr(got, name));
    }
    EXPECT(strstr(got, "[idle]"));
    free(got);
    cprof_table_reset(&table);
}

static void equal_stacks_stand_once_under_all_that_are_in_them(void)
{
    begin_test();
    add(&(struct given){"1", "t", "greenlet", "999000000", {"nap"}, S});
    add(&(struct given){"1", "t", "greenlet", "998000000", {"hang"}, S});
    add(&(struct given){"1", "t", "greenlet", "997000000", {"nap"}, S / 2});
    add(&(struct given){"1", "u", "greenlet", "1000000000", {"hang"}, S});
    add(&(struct given){"1", "c1", "poll", NULL, {"[idle]"}, S});
    add(&(struct given){"1", "c0", "poll", NULL, {"[idle]"}, S});
    add(&(struct given){"2", "c0", "poll", NULL, {"[idle]"}, S});
    expect_text(NULL, "worker 1\n"
                      "  thread t: GET /x, for 4.0 s\n  thread t: GET /x, for 2.0 s\n"
                      "    greenlet, 100 %\n      nap (app.py:7)\n"
                      "  thread t: GET /x, for 3.0 s\n  thread u: GET /x, for 1.0 s\n"
                      "    greenlet, 100 %\n      hang (app.py:7)\n"
                      "  thread c0\n  thread c1\n    poll, 100 %\n      [idle] (app.py:7)\n"
                      "worker 2\n  thread c0\n    poll, 100 %\n      [idle] (app.py:7)\n");
}

static void greenlets_without_a_request_are_counted_by_their_stacks(void)
{
    begin_test();
    add(&(struct given){"1", "t", "greenlet", NULL, {"nap"}, 12 * S});
    add(&(struct given){"1", "t", "greenlet", NULL, {"wait"}, S / 10});
    add(&(struct given){"1", "t", "greenlet", NULL, {"[idle]"}, 2 * S});
    add(&(struct given){"1", "t", "poll", NULL, {"[idle]"}, S});
    expect_text(NULL, "worker 1\n"
                      "  thread t: 12 greenlets of no request that is known\n"
                      "    greenlet, 100 %\n      nap (app.py:7)\n"
                      "  thread t: 1 greenlet of no request that is known\n"
                      "    greenlet, 100 %\n      wait (app.py:7)\n"
                      "  thread t\n    poll, 100 %\n      [idle] (app.py:7)\n");
}

static void a_request_that_runs_is_listed_without_a_stack_too(void)
{
    begin_test();
    run(1, 999000000, "/seen");
    run(1, 998000000, "/unseen");
    run(2, 997000000, "/other");
    add(&(struct given){"1", "t", "sleep", "999000000", {"nap"}, S});
    expect_text("1", "worker 1\n"
                     "  a thread that is not known: POST /unseen, for 3.0 s\n"
                     "    its stack was not seen\n"
                     "  thread t: GET /x, for 2.0 s\n    sleep, 100 %\n      nap (app.py:7)\n");
    begin_test();
    run(1, 998000000, "/unseen");
    run(1, 999000000, "/too");
    running.lacks_some = true;
    expect_json("{\"workers\":[{\"name\":\"worker 1\",\"pid\":null,\"threads\":["
                "{\"name\":null,\"request\":{\"method\":\"POST\",\"uri\":\"/unseen\","
                "\"start_ms\":998000,\"seconds\":3.0},\"greenlets\":0,\"alike\":["
                "{\"name\":null,\"request\":{\"method\":\"POST\",\"uri\":\"/too\","
                "\"start_ms\":999000,\"seconds\":2.0}}],\"stacks\":[]}]}],\"cut\":true}");
}

static void only_what_this_process_runs_at_the_end_is_running(void)
{
    struct cprof_request requests[] = {
        {.start_us = 5, .incarnation = 2, .method = "GET", .uri = "/runs"},
        {.start_us = 5, .incarnation = 1, .method = "GET", .uri = "/of_another"},
        {.start_us = 5, .end_us = 9, .incarnation = 2, .method = "GET", .uri = "/over"},
        {.start_us = 5, .end_us = 11, .incarnation = 2, .method = "GET", .uri = "/ran"},
        {.start_us = 11, .incarnation = 2, .method = "GET", .uri = "/later"},
    };
    const struct cprof_request_list list = {.requests = requests, .count = 5};

    cprof_running_add(&running, &list, 3, 2, 10);
    EXPECT(running.count == 2 && !running.lacks_some);
    EXPECT(strcmp(running.requests[0].uri, "/runs") == 0);
    EXPECT(strcmp(running.requests[1].uri, "/ran") == 0);
    EXPECT(strcmp(running.requests[0].worker, "3") == 0);
    cprof_running_reset(&running);
}

static void an_empty_profile_is_an_empty_text_and_an_empty_line(void)
{
    char line[16] = "x";

    begin_test();
    cprof_stack_line(&table, line, sizeof(line));
    EXPECT(line[0] == '\0');
    expect_text(NULL, "");
}

static void the_line_has_the_hottest_stack_and_is_cut(void)
{
    char line[64], cut[12];

    begin_test();
    add(&(struct given){"1", "t", "runnable", NULL, {"spin"}, S});
    add(&(struct given){"1", "t", "running", NULL, {"spin"}, 2 * S});
    add(&(struct given){"1", "t", "sleep", NULL, {"nap", "main"}, S});
    cprof_stack_line(&table, line, sizeof(line));
    cprof_stack_line(&table, cut, sizeof(cut));
    EXPECT(strcmp(line, "75 % in running: spin (app.py:7)") == 0);
    EXPECT(strncmp(cut, line, sizeof(cut) - 1) == 0 && strlen(cut) == sizeof(cut) - 1);
    cprof_table_reset(&table);
}

/* Adds a sample in native code: a place in an object file, in one function. */
static void add_native(uint64_t address, uint64_t value_ns)
{
    const struct cprof_mapping mapping = {.start = 0x7000, .limit = 0x9000, .file = text("libz")};
    struct cprof_function function = {.name = text("[libz]")};
    struct cprof_location location = {.address = address};
    struct cprof_label labels[] = {{.key = text("worker"), .value = text("1")},
                                   {.key = text("thread"), .value = text("t")},
                                   {.key = text("state"), .value = text("running")}};
    uint32_t place;
    const struct cprof_sample_key key = {
        .locations = &place, .depth = 1, .labels = labels, .label_count = 3};

    location.function = cprof_table_function(&table, &function);
    location.mapping = cprof_table_mapping(&table, &mapping);
    place = cprof_table_location(&table, &location);
    (void)cprof_table_add_sample(&table, &key, 1, value_ns);
}

static void addresses_in_one_native_function_are_one_stack(void)
{
    char line[64];

    begin_test();
    add_native(0x7001, 2 * S);
    add_native(0x7002, 2 * S);
    add_native(0x7003, 2 * S);
    add(&(struct given){"1", "t", "sleep", NULL, {"nap", "main"}, 4 * S});
    cprof_stack_line(&table, line, sizeof(line));
    EXPECT(strcmp(line, "60 % in running: [libz]") == 0);
    expect_text("1", "worker 1\n  thread t\n    running, 60 %\n      [libz]\n"
                     "    sleep, 40 %\n      nap (app.py:7)\n      main (app.py:7)\n");
}

static void a_selection_keeps_what_has_all_labels_and_adds_and_drops(void)
{
    const struct cprof_label_text wanted[] = {{"worker", "1"}, {"request", "5"}};
    const struct cprof_label_text added = {"duration", "2.5 s"};
    const struct cprof_selection selection = {.wanted = wanted,
                                              .wanted_count = 2,
                                              .dropped = "request",
                                              .added = &added,
                                              .added_count = 1};
    struct cprof_table part;

    begin_test();
    add(&(struct given){"1", "t", "sleep", "5", {"nap", "main"}, S});
    add(&(struct given){"1", "t", "sleep", "6", {"nap", "main"}, S});
    add(&(struct given){"2", "t", "sleep", "5", {"nap", "main"}, S});
    add(&(struct given){"1", "t", "sleep", NULL, {"nap", "main"}, S});
    cprof_table_init(&part);
    EXPECT(cprof_select(&part, &table, &selection) == 1);
    EXPECT(part.sample_count == 1 && part.samples[0].value_ns == S && part.samples[0].depth == 2);
    EXPECT(!cprof_label_of(&part, &part.samples[0], "request"));
    EXPECT(strcmp(cprof_label_of(&part, &part.samples[0], "duration"), "2.5 s") == 0);
    EXPECT(strcmp(cprof_label_of(&part, &part.samples[0], "worker"), "1") == 0);
    cprof_table_reset(&part);
    cprof_table_reset(&table);
}

int main(void)
{
    RUN(threads_stand_in_order_with_request_and_state);
    RUN(requests_are_as_old_as_at_the_windows_end);
    RUN(one_stack_in_two_states_is_one_and_rare_ones_are_left_out);
    RUN(only_the_wanted_worker_is_shown_and_time_without_a_thread_is_not);
    RUN(the_json_says_the_same_as_the_text);
    RUN(json_of_more_threads_than_anybody_reads_is_cut);
    RUN(json_names_what_it_shows_no_stacks_of_any_more);
    RUN(requests_come_first_and_the_longest_first_of_all);
    RUN(requests_of_one_thread_are_shown_whatever_part_of_its_time_they_have);
    RUN(equal_stacks_stand_once_under_all_that_are_in_them);
    RUN(greenlets_without_a_request_are_counted_by_their_stacks);
    RUN(a_request_that_runs_is_listed_without_a_stack_too);
    RUN(only_what_this_process_runs_at_the_end_is_running);
    RUN(an_empty_profile_is_an_empty_text_and_an_empty_line);
    RUN(the_line_has_the_hottest_stack_and_is_cut);
    RUN(addresses_in_one_native_function_are_one_stack);
    RUN(a_selection_keeps_what_has_all_labels_and_adds_and_drops);
    return 0;
}
