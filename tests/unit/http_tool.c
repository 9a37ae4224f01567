/* http_tool.c - performs the calls of its command line with the gateway's HTTP client, for the
 * tests in tests/http. One line of JSON for each call that ends, one more at the end.
 *
 *     http_tool [OPTION...] URL [[OPTION...] URL]...
 *
 * Options hold for all URLs behind them. One call follows the other, begun in the callback of the
 * one before, or all begin at once (--together). --crowd leaves no room in the loop. Lines on
 * standard input: "cancel" cancels what is under way, "go" begins a call behind --on-go, "stop"
 * ends the client as it stands.
 *
 * Names under .test need no name server: getaddrinfo is this file's.
 *
 * flags: -Wl,--wrap=poll
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <getopt.h>
#include <jansson.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "../../gateway/http/client.h"
#include "expect.h"

#define PLANS_MAX 128

struct plan {
    struct cprof_http_request request;
    bool on_go;
    struct cprof_http_call *call;
};

static struct tool {
    struct cprof_loop loop;
    struct cprof_loop_watch input;
    struct cprof_http_client *client;
    struct plan plans[PLANS_MAX];
    unsigned plan_count, begun, ended, turns;
    bool together, crowd;
    const char *ca_file;
} tool;

static const char *const outcome_names[] = {
    [CPROF_HTTP_ANSWERED] = "answered",
    [CPROF_HTTP_UNRESOLVED] = "unresolved",
    [CPROF_HTTP_UNREACHABLE] = "unreachable",
    [CPROF_HTTP_UNTRUSTED] = "untrusted",
    [CPROF_HTTP_NO_CA] = "no CA",
    [CPROF_HTTP_BROKEN] = "broken",
    [CPROF_HTTP_TOO_LATE] = "too late",
    [CPROF_HTTP_TOO_LARGE] = "too large",
    [CPROF_HTTP_FAILED] = "failed",
};

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

/* Each turn of the loop is one poll; libcurl's own are not counted. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    tool.turns++;
    return __real_poll(fds, count, timeout_ms);
}

/* libcurl's resolver thread calls this one: nowhere.test is no name, for hang.test no name server
 * ever answers, and all others under .test are this machine. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **found)
{
    static const char here[] = "127.0.0.1";
    size_t length = name ? strlen(name) : 0;
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    struct addrinfo numeric = hints ? *hints : (struct addrinfo){0};

    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    if (length < 5 || strcmp(name + length - 5, ".test") != 0) {
        return next(name, service, hints, found);
    }
    if (strcmp(name, "nowhere.test") == 0) {
        return EAI_NONAME;
    }
    while (strcmp(name, "hang.test") == 0) {
        (void)pause();
    }
    numeric.ai_family = AF_INET;
    return next(here, service, &numeric, found);
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

static void begin_next(void);

static void end_if_done(void)
{
    if (tool.ended == tool.plan_count) {
        cprof_loop_stop(&tool.loop);
    }
}

static void on_finished(void *context, const struct cprof_http_answer *answer)
{
    struct plan *plan = context;

    EXPECT(plan->call); /* never from within cprof_http_start */
    EXPECT(strlen(answer->body) <= answer->body_bytes && !answer->body[answer->body_bytes]);
    cprof_http_cancel(plan->call); /* does no harm to one that is finished */
    plan->call = NULL;
    print(json_pack("{ss ss si ss# sI sI sI sb ss}", "url", plan->request.url, "outcome",
                    outcome_names[answer->outcome], "status", (int)answer->status, "body",
                    answer->body, answer->body_bytes < 4096 ? (int)answer->body_bytes : 0,
                    "body_bytes", (json_int_t)answer->body_bytes, "date_unix_s",
                    (json_int_t)answer->date_unix_s, "retry_after_s",
                    (json_int_t)answer->retry_after_s, "metadata_flavor",
                    (int)answer->metadata_flavor, "trouble", answer->trouble));
    tool.ended++;
    begin_next();
    end_if_done();
}

static void begin(struct plan *plan)
{
    struct cprof_error error = {.text = ""};

    plan->call = cprof_http_start(tool.client, &plan->request, on_finished, plan, &error);
    if (!plan->call) {
        print(json_pack("{ss ss ss}", "url", plan->request.url, "outcome", "refused", "trouble",
                        error.text));
        tool.ended++;
        begin_next();
    }
}

static void begin_next(void)
{
    if (tool.begun < tool.plan_count && !tool.plans[tool.begun].on_go) {
        tool.begun++;
        begin(&tool.plans[tool.begun - 1]);
    }
}

static void cancel_all(void)
{
    for (unsigned i = 0; i < tool.begun; i++) {
        struct plan *plan = &tool.plans[i];

        if (plan->call) {
            cprof_http_cancel(plan->call);
            plan->call = NULL;
            tool.ended++;
            print(json_pack("{ss ss}", "url", plan->request.url, "outcome", "cancelled"));
        }
    }
    begin_next();
    end_if_done();
}

static void on_command(const char *command)
{
    if (strcmp(command, "cancel") == 0) {
        cancel_all();
    } else if (strcmp(command, "go") == 0) {
        EXPECT(tool.begun < tool.plan_count);
        tool.plans[tool.begun].on_go = false;
        begin_next();
        end_if_done();
    } else {
        EXPECT(strcmp(command, "stop") == 0);
        cprof_loop_stop(&tool.loop);
    }
}

static void on_input(void *context, short events)
{
    char text[256], *rest = text;
    ssize_t count = read(tool.input.fd, text, sizeof(text) - 1);

    (void)context, (void)events;
    if (count <= 0) {
        cprof_loop_remove_watch(&tool.loop, &tool.input);
        return;
    }
    text[count] = '\0';
    for (char *line; (line = strsep(&rest, "\n")) && line[0];) {
        on_command(line);
    }
}

static long private_dirty_kib(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    char line[256];
    long kib = -1;

    while (file && kib < 0 && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "Private_Dirty:", 14) == 0) {
            kib = strtol(line + 14, NULL, 10);
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return kib;
}

enum option_code {
    CA_FILE = 256,
    CHANNEL_OTHER,
    METHOD,
    HEADER,
    BODY_BYTES,
    DEADLINE_MS,
    CONNECT_MS,
    ANSWER_BYTES,
    DIRECT,
    PLAIN,
    ON_GO,
    TOGETHER,
    CROWD,
};

static const struct option options[] = {
    {"ca-file", required_argument, NULL, CA_FILE},
    {"other", no_argument, NULL, CHANNEL_OTHER},
    {"method", required_argument, NULL, METHOD},
    {"header", required_argument, NULL, HEADER},
    {"body-bytes", required_argument, NULL, BODY_BYTES},
    {"deadline-ms", required_argument, NULL, DEADLINE_MS},
    {"connect-ms", required_argument, NULL, CONNECT_MS},
    {"answer-bytes", required_argument, NULL, ANSWER_BYTES},
    {"direct", no_argument, NULL, DIRECT},
    {"plain", no_argument, NULL, PLAIN},
    {"on-go", no_argument, NULL, ON_GO},
    {"together", no_argument, NULL, TOGETHER},
    {"crowd", no_argument, NULL, CROWD},
    {NULL, 0, NULL, 0},
};

static char *letters(size_t count)
{
    char *text = malloc(count + 1);

    EXPECT(text);
    memset(text, 'x', count);
    text[count] = '\0';
    return text;
}

static void take_request_option(struct cprof_http_request *request, int code)
{
    uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;
    unsigned headers = 0;

    if (code == HEADER) {
        while (request->headers[headers]) {
            headers++;
        }
        EXPECT(headers + 1 < CPROF_HTTP_HEADERS_MAX);
        request->headers[headers] = optarg;
    } else if (code == BODY_BYTES) {
        free((void *)(uintptr_t)request->body);
        request->body = letters(number);
        request->body_bytes = number;
    } else if (code == DEADLINE_MS) {
        request->deadline_ms = number;
    } else if (code == CONNECT_MS) {
        request->connect_ms = number;
    } else {
        EXPECT(code == ANSWER_BYTES);
        request->answer_bytes_max = number;
    }
}

static void take_option(struct plan *plan, int code)
{
    if (code == 1) { /* a URL: the options so far make it a call */
        EXPECT(tool.plan_count < PLANS_MAX);
        plan->request.url = optarg;
        tool.plans[tool.plan_count++] = *plan;
    } else if (code == CA_FILE) {
        tool.ca_file = optarg;
    } else if (code == TOGETHER) {
        tool.together = true;
    } else if (code == CROWD) {
        tool.crowd = true;
    } else if (code == METHOD) {
        plan->request.method = optarg;
    } else if (code == CHANNEL_OTHER) {
        plan->request.channel = CPROF_HTTP_OTHER;
    } else if (code == DIRECT) {
        plan->request.direct = true;
    } else if (code == PLAIN) {
        plan->request.plain_allowed = true;
    } else if (code == ON_GO) {
        plan->on_go = true;
    } else {
        take_request_option(&plan->request, code);
    }
}

/* Takes all places of the loop that are left. */
static void crowd_loop(struct cprof_loop_watch *nothing)
{
    *nothing = (struct cprof_loop_watch){.fd = -1};
    while (cprof_loop_add_watch(&tool.loop, nothing)) {
    }
}

/* The client, which is gone, has left nothing behind. */
static void expect_empty_loop(void)
{
    for (unsigned i = 0; i < CPROF_LOOP_TIMERS_MAX; i++) {
        EXPECT(!tool.loop.timers[i]);
    }
    for (unsigned i = 0; i < CPROF_LOOP_WATCHES_MAX; i++) {
        EXPECT(!tool.loop.watches[i]);
    }
}

int main(int argc, char **argv)
{
    struct plan plan = {
        .request = {.method = "GET", .deadline_ms = 60000, .answer_bytes_max = 1 << 20}};
    struct cprof_error error = {.text = ""};
    struct cprof_loop_watch nothing;
    struct cprof_http_settings settings = {.user_agent = "http_tool/1"};

    for (int code; (code = getopt_long(argc, argv, "-", options, NULL)) != -1;) {
        EXPECT(code != '?');
        take_option(&plan, code);
    }
    settings.ca_file = tool.ca_file;
    cprof_loop_init(&tool.loop);
    tool.input = (struct cprof_loop_watch){.fd = STDIN_FILENO, .events = POLLIN, .ready = on_input};
    EXPECT(cprof_loop_add_watch(&tool.loop, &tool.input));
    tool.client = cprof_http_client_create(&tool.loop, &settings, &error);
    EXPECT(tool.client);
    if (tool.crowd) {
        crowd_loop(&nothing);
    }
    do {
        begin_next();
    } while (tool.together && tool.begun < tool.plan_count);
    end_if_done();
    cprof_loop_run(&tool.loop);
    print(json_pack("{si si}", "turns", (int)tool.turns, "private_dirty_kib",
                    (int)private_dirty_kib()));
    cprof_http_client_destroy(tool.client);
    cprof_loop_remove_watch(&tool.loop, &tool.input);
    cprof_loop_remove_watch(&tool.loop, &nothing);
    expect_empty_loop();
    free((void *)(uintptr_t)plan.request.body);
    return 0;
}
