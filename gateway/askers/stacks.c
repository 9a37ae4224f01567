/* stacks.c - see stacks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stacks.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "../profile/stack_json.h"
#include "../profile/stack_text.h"
#include "../profile/table.h"

/* Sleepers are looked at when it begins and when it ends; this is long enough for those that moved
 * in a look, and for samples of those that run. */
#define WINDOW_NS (200 * NS_PER_MS)

/* Others hold a window up for milliseconds as a rule, and for as long as it takes to read their
 * logs (windows.h). */
#define START_WAIT_NS (5000 * NS_PER_MS)

/* A hundred requests with deep stacks. */
#define LOG_LINES_MAX 4000u

struct caller {
    uint64_t number; /* 0: free */
    enum cprof_stacks_form form;
    cprof_stacks_ready ready;
    void *context;
};

struct cprof_stacks {
    const struct cprof_config *config;
    const struct cprof_segment *segment;
    struct cprof_windows *windows;
    bool is_off;
    bool is_ordered;
    struct caller callers[CPROF_STACKS_CALLERS_MAX];
    uint64_t last_number;
};

uint32_t cprof_stacks_pid_of(void *segment, const char *label)
{
    static const struct {
        const char *prefix;
        uint32_t kind;
    } kinds[] = {{"mule ", CPROF_SLOT_MULE}, {"spooler ", CPROF_SLOT_SPOOLER}};
    const struct cprof_segment *whole = segment;
    uint32_t kind = CPROF_SLOT_WORKER;
    unsigned long number;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strncmp(label, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
            kind = kinds[i].kind;
            label += strlen(kinds[i].prefix);
        }
    }
    number = strtoul(label, NULL, 10);
    for (uint32_t i = 0; i < whole->slot_count; i++) {
        const struct cprof_slot *slot = cprof_segment_slot(whole, i);

        if (slot->kind == kind && slot->number == number) {
            return atomic_load(&slot->pid);
        }
    }
    return 0;
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;

    for (; *text; text++) {
        lines += *text == '\n';
    }
    return lines;
}

void cprof_stacks_log(const char *text)
{
    unsigned lines = 0;

    while (*text && lines++ < LOG_LINES_MAX) {
        size_t length = strcspn(text, "\n");

        cprof_notice("%.*s", (int)length, text);
        text += length + (text[length] == '\n');
    }
    if (*text) {
        cprof_notice("... %u more lines, which are not shown here", count_lines(text));
    }
}

static bool wants(const struct caller *callers, enum cprof_stacks_form form)
{
    for (unsigned i = 0; i < CPROF_STACKS_CALLERS_MAX; i++) {
        if (callers[i].number && callers[i].form == form) {
            return true;
        }
    }
    return false;
}

static char *warned_of(char *text, const struct cprof_error *error)
{
    if (!text) {
        cprof_log(CPROF_LOG_WARNING, "no stacks: %s", error->text);
    }
    return text;
}

/* In the forms that somebody waits for. */
static void make_texts(char *texts[CPROF_STACKS_FORMS], const struct cprof_stacks *stacks,
                       const struct cprof_window_result *result)
{
    const struct cprof_harvest *harvest = result->harvest;
    const struct cprof_stack_text wanted = {
        .table = &harvest->profiles[0].table,
        .end_unix_ns = cprof_window_end_unix_ns(result->window),
        .running = &harvest->running,
        .pid_of = cprof_stacks_pid_of,
        .context = (void *)(uintptr_t)stacks->segment,
    };
    struct cprof_error error;

    if (wants(stacks->callers, CPROF_STACKS_TEXT)) {
        texts[CPROF_STACKS_TEXT] = warned_of(cprof_stack_text(&wanted, &error), &error);
    }
    if (wants(stacks->callers, CPROF_STACKS_JSON)) {
        texts[CPROF_STACKS_JSON] = warned_of(cprof_stack_json(&wanted, &error), &error);
    }
}

/* Takes the callers off the list first: a callback may order and cancel. */
static void finished(void *context, const struct cprof_window_result *result)
{
    struct cprof_stacks *stacks = context;
    struct caller answered[CPROF_STACKS_CALLERS_MAX];
    char *texts[CPROF_STACKS_FORMS] = {NULL};

    if (result->harvest) {
        make_texts(texts, stacks, result);
    }
    cprof_windows_release(stacks->windows, result->handle);
    stacks->is_ordered = false;
    memcpy(answered, stacks->callers, sizeof(answered));
    memset(stacks->callers, 0, sizeof(stacks->callers));
    for (unsigned i = 0; i < CPROF_STACKS_CALLERS_MAX; i++) {
        if (answered[i].number) {
            answered[i].ready(answered[i].context, texts[answered[i].form]);
        }
    }
    for (unsigned i = 0; i < CPROF_STACKS_FORMS; i++) {
        free(texts[i]);
    }
}

struct cprof_stacks *cprof_stacks_create(const struct cprof_config *config,
                                         const struct cprof_segment *segment,
                                         struct cprof_windows *windows, struct cprof_error *error)
{
    struct cprof_stacks *stacks = calloc(1, sizeof(*stacks));

    if (!stacks) {
        cprof_fail(error, "no memory for dumps of stacks");
        return NULL;
    }
    *stacks = (struct cprof_stacks){.config = config, .segment = segment, .windows = windows};
    return stacks;
}

void cprof_stacks_destroy(struct cprof_stacks *stacks)
{
    free(stacks);
}

void cprof_stacks_switch(struct cprof_stacks *stacks, bool on)
{
    stacks->is_off = !on;
}

static bool order_window(struct cprof_stacks *stacks, struct cprof_error *error)
{
    const struct cprof_window_order order = {
        .kinds = CPROF_KIND_WALL,
        .source = CPROF_SOURCE_WATCH,
        .flags = CPROF_WINDOW_REQUESTS | CPROF_WINDOW_NEW_REQUESTS,
        .period_ns = stacks->config->period_ms * NS_PER_MS,
        .duration_ns = WINDOW_NS,
        .latest_start_ns = cprof_now_ns() + START_WAIT_NS,
        .finished = finished,
        .context = stacks,
    };

    stacks->is_ordered = cprof_windows_order(stacks->windows, &order, error) >= 0;
    return stacks->is_ordered;
}

uint64_t cprof_stacks_order(struct cprof_stacks *stacks, enum cprof_stacks_form form,
                            cprof_stacks_ready ready, void *context, struct cprof_error *error)
{
    struct caller *caller = NULL;

    for (unsigned i = 0; !caller && i < CPROF_STACKS_CALLERS_MAX; i++) {
        caller = stacks->callers[i].number == 0 ? &stacks->callers[i] : NULL;
    }
    if (stacks->is_off) {
        cprof_fail(error, "profiling is off");
        return 0;
    }
    if (!caller) {
        cprof_fail(error, "%u callers wait for stacks already", CPROF_STACKS_CALLERS_MAX);
        return 0;
    }
    if (!stacks->is_ordered && !order_window(stacks, error)) {
        return 0;
    }
    *caller = (struct caller){
        .number = ++stacks->last_number, .form = form, .ready = ready, .context = context};
    return caller->number;
}

void cprof_stacks_cancel(struct cprof_stacks *stacks, uint64_t number)
{
    for (unsigned i = 0; number != 0 && i < CPROF_STACKS_CALLERS_MAX; i++) {
        if (stacks->callers[i].number == number) {
            stacks->callers[i] = (struct caller){0};
        }
    }
}
