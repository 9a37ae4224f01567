/* step_tags.c - tags, looked at after each instruction of those who set them and take them back.
 *
 * What an app does with the module `cloudprofiler` is done here call by call: blocks inside of each
 * other, tags of the request, new values, and blocks that a request leaves open. After each
 * instruction the tags are read and turned into numbers as the handler does it: they must be those
 * from before the call or those from after it, never others, and never the former again once the
 * latter were seen. Now and then a value that the call is about to add is added right there.
 *
 * SPDX-License-Identifier: MIT
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugin/api/scope.h"
#include "../../plugin/ground/guard.h"
#include "../../plugin/python/runtime.h"
#include "../../plugin/tags/tags.h"
#include "single_step.h"

#define ROUNDS            200
#define STRIDE_SHORT      11 /* from round to round, unless all are made; values still collide */
#define TEXT_BYTES        256
#define RACE_EVERY        5 /* instructions from one value that is added in between to the next */
#define INSTANTS_EXPECTED 30000

static struct cprof_python python;
static uint64_t present_stamp = 1; /* of the request that core 0 serves */
static char path[32];

static struct cprof_interned_parts known;
static char before[TEXT_BYTES], after[TEXT_BYTES]; /* the only truths while a call is stepped */
static bool after_was_seen;
static char race_value[32]; /* empty: no race */
static uint32_t race_tag;

static uint64_t wrong, races;

static void fail(const char *what)
{
    fprintf(stderr, "step_tags: %s\n", what);
    exit(1);
}

static void report_wrong(const char *what, const char *seen)
{
    if (wrong++ < 10) {
        fprintf(stderr, "wrong after %llu instants: %s: saw \"%s\", before \"%s\", after \"%s\"\n",
                (unsigned long long)single_step_instants(), what, seen, before, after);
    }
}

/* --- the host's part ---------------------------------------------------------------------- */

static int core_of_caller(void)
{
    return 0;
}

static uint64_t stamp_of(int core)
{
    return core == 0 ? present_stamp : 0;
}

static uint32_t text_of(int core, enum cprof_tag_bit part, char *to, uint32_t to_bytes)
{
    uint32_t bytes = (uint32_t)strnlen(path, to_bytes);

    (void)core, (void)part;
    memcpy(to, path, bytes);
    return bytes;
}

/* --- what a handler sees ------------------------------------------------------------------ */

static void write_tags(const struct cprof_tag_list *list, char text[TEXT_BYTES])
{
    size_t used = 0;

    text[0] = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct cprof_tag_text tag;
        int more;

        if (!cprof_tag_text(list->ids[i], &tag)) {
            fail("a number in a list is no tag's");
        }
        more = snprintf(text + used, TEXT_BYTES - used, "%s%.*s=%.*s", i ? " " : "",
                        (int)tag.key_bytes, tag.key, (int)tag.value_bytes, tag.value);
        used += (size_t)more;
        if (more < 0 || used >= TEXT_BYTES) {
            fail("too many tags");
        }
    }
}

static void look(char text[TEXT_BYTES])
{
    struct cprof_seen_tags seen;
    struct cprof_tag_list list;

    cprof_tags_see(CPROF_PEEK_DIRECT, 0, (uintptr_t)python.current_thread_state(), &seen);
    cprof_tags_intern(&seen, &known, &list);
    write_tags(&list, text);
}

static uint32_t tag_of(const char *key, const char *value)
{
    return cprof_tag_intern(cprof_tag_key(key, strlen(key)), value, strlen(value));
}

/* All who ask for a value get the same number, whoever came first. */
static void race(void)
{
    uint32_t tag = tag_of("user", race_value);

    if (race_tag != 0 && tag != race_tag) {
        report_wrong("a value has two numbers", race_value);
    }
    race_tag = tag;
    races++;
}

static void visit(const ucontext_t *interrupted)
{
    char seen[TEXT_BYTES];

    (void)interrupted;
    look(seen);
    if (strcmp(seen, after) == 0) {
        after_was_seen = true;
    } else if (strcmp(seen, before) != 0) {
        report_wrong("tags that were never set", seen);
    } else if (after_was_seen) {
        report_wrong("tags that had been replaced", seen);
    }
    if (race_value[0] && single_step_instants() % RACE_EVERY == 0) {
        race();
    }
}

/* --- what an app does --------------------------------------------------------------------- */

/* A block, with the list of its tags. */
struct block {
    struct cprof_tag_list tags;
    struct cprof_scope scope;
};

static struct block outer, inner, overlapping, forgotten;

static void add_tag(struct block *block, const char *key, const char *value)
{
    cprof_tag_list_set(&block->tags, tag_of(key, value));
}

static void expect(const char *tags)
{
    (void)snprintf(after, sizeof(after), "path=%s%s%s", path, tags[0] ? " " : "", tags);
    look(before);
    after_was_seen = strcmp(before, after) == 0;
}

static void check(void)
{
    char seen[TEXT_BYTES];

    look(seen);
    if (strcmp(seen, after) != 0) {
        report_wrong("at the end of the call", seen);
    }
}

static void enter(struct block *block, const char *tags)
{
    expect(tags);
    single_step_start();
    cprof_scope_enter(&block->tags, &block->scope);
    single_step_stop();
    check();
}

static void leave(struct block *block, const char *tags)
{
    expect(tags);
    single_step_start();
    cprof_scope_leave(&block->tags, &block->scope);
    single_step_stop();
    check();
}

/* With `is_race` the value is one that nobody has had yet, and others want it as well. */
static void tag_request(const char *value, bool is_race, const char *tags)
{
    uint32_t tag;

    expect(tags);
    race_tag = 0;
    (void)snprintf(race_value, sizeof(race_value), "%s", is_race ? value : "");
    single_step_start();
    tag = tag_of("user", value);
    (void)cprof_scope_tag_request(tag);
    single_step_stop();
    race_value[0] = 0;
    if (is_race && tag != race_tag) {
        report_wrong("a value has two numbers", value);
    }
    check();
}

/* The next request: what the one before set, and left open, is over at once. */
static void begin_request(int round)
{
    present_stamp++;
    (void)snprintf(path, sizeof(path), "/%d", round % 7);
    expect("");
    check();
}

static void serve_two_requests(int round)
{
    char value[32], tags[TEXT_BYTES];

    (void)snprintf(value, sizeof(value), "u%d", round);
    begin_request(round);
    tag_request("one", false, "user=one");
    (void)snprintf(tags, sizeof(tags), "user=%s", value);
    tag_request(value, true, tags);
    tag_request("one", false, "user=one");
    enter(&outer, "user=one part=outer");
    enter(&inner, "user=one part=inner other=x");
    leave(&inner, "user=one part=outer");
    enter(&overlapping, "user=one part=outer second=y");
    leave(&outer, "user=one second=y");
    leave(&overlapping, "user=one");
    enter(&forgotten, "user=one part=forgotten");

    begin_request(round + 1);
    enter(&outer, "part=outer");
    tag_request("two", false, "user=two part=outer");
    leave(&forgotten, "user=two part=outer");
    leave(&outer, "user=two");
}

static void setup(void)
{
    static const struct cprof_scope_host host = {.core = core_of_caller, .stamp = stamp_of};
    static const struct cprof_request_view view = {.stamp = stamp_of, .text = text_of};
    struct cprof_error error;

    if (cprof_python_find(&python, &error) != CPROF_PYTHON_READY) {
        fail("no interpreter");
    }
    cprof_python_attach(&python);
    if (!cprof_tags_reserve(CPROF_TAG_PATH) || !cprof_tag_sets_create(1) || !cprof_guard_set()) {
        fail("no memory");
    }
    cprof_tags_setup(&python, &view);
    cprof_scope_setup(&python, &host);
    add_tag(&outer, "part", "outer");
    add_tag(&inner, "part", "inner");
    add_tag(&inner, "other", "x");
    add_tag(&overlapping, "second", "y");
    add_tag(&forgotten, "part", "forgotten");
    single_step_setup(visit);
}

int main(int argument_count, char **arguments)
{
    int stride = single_step_all(argument_count, arguments) ? 1 : STRIDE_SHORT;

    Py_Initialize();
    setup();
    for (int round = 0; round < ROUNDS; round += stride) {
        serve_two_requests(round);
    }
    printf("%llu instants of %llu instructions; %llu values added in between; %llu wrong\n",
           (unsigned long long)single_step_instants(),
           (unsigned long long)single_step_different_own(), (unsigned long long)races,
           (unsigned long long)wrong);
    if (single_step_instants() < INSTANTS_EXPECTED || races == 0) {
        fail("too little was tried to prove anything");
    }
    return wrong ? 1 : 0;
}
