/* tags.c - see tags.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "tags.h"

#include <stdatomic.h>
#include <string.h>

#include "../../shared/base/units.h"

#define NESTED_CONTEXTS_MAX 8u

/* What uWSGI knows of a request, in the order in which the tags stand in a profile. */
static struct {
    const char *name;
    enum cprof_tag_bit bit;
    uint32_t key; /* NO_KEY: not asked for */
} parts[CPROF_REQUEST_PARTS_MAX] = {
    {"method", CPROF_TAG_METHOD, CPROF_TAG_NO_KEY},
    {"host", CPROF_TAG_HOST, CPROF_TAG_NO_KEY},
    {"mount", CPROF_TAG_MOUNT, CPROF_TAG_NO_KEY},
    {"path", CPROF_TAG_PATH, CPROF_TAG_NO_KEY},
};

static const struct cprof_python *interpreter;
static struct cprof_request_view request_view;
static _Atomic uint64_t marked_before_ns;

bool cprof_tags_reserve(uint32_t tags)
{
    if (!cprof_tag_values_create()) {
        return false;
    }
    for (uint32_t i = 0; i < CPROF_REQUEST_PARTS_MAX; i++) {
        if (!(tags & parts[i].bit)) {
            continue;
        }
        parts[i].key = cprof_tag_key(parts[i].name, strlen(parts[i].name));
        if (parts[i].key == CPROF_TAG_NO_KEY) {
            return false;
        }
    }
    return true;
}

void cprof_tags_setup(const struct cprof_python *python, const struct cprof_request_view *requests)
{
    interpreter = python;
    request_view = *requests;
}

uintptr_t cprof_tags_context(const struct cprof_python *python, enum cprof_peek_way way,
                             uintptr_t state)
{
    uintptr_t context;

    if (!state || !python->layout.tstate_context) {
        return state;
    }
    context = cprof_peek_word(way, state + python->layout.tstate_context, 0);
    return context ? context : state;
}

static uint64_t stamp_of(int core)
{
    return core >= 0 && request_view.stamp ? request_view.stamp(core) : 0;
}

void cprof_tags_mark_requests(uint64_t before_unix_ns)
{
    atomic_store(&marked_before_ns, before_unix_ns);
}

uint32_t cprof_tags_mark(uint64_t stamp, uint64_t start_us)
{
    uint64_t mixed = stamp ^ start_us;
    uint32_t mark = (uint32_t)(mixed ^ mixed >> 32);

    return mark ? mark : 1;
}

static uint32_t mark_of(int core, uint64_t stamp)
{
    uint64_t before_ns = atomic_load_explicit(&marked_before_ns, memory_order_relaxed);
    uint64_t start_us = before_ns && request_view.start_us ? request_view.start_us(core) : 0;

    return start_us && start_us < before_ns / NS_PER_US ? cprof_tags_mark(stamp, start_us) : 0;
}

static void see_request(int core, struct cprof_seen_tags *seen)
{
    uint64_t stamp = stamp_of(core);

    if (stamp == 0) {
        return;
    }
    seen->request = mark_of(core, stamp);
    for (uint32_t i = 0; i < CPROF_REQUEST_PARTS_MAX && request_view.text; i++) {
        if (parts[i].key != CPROF_TAG_NO_KEY) {
            seen->part_bytes[i] =
                request_view.text(core, parts[i].bit, seen->parts[i], CPROF_REQUEST_PART_BYTES);
        }
    }
    cprof_tags_of_request(core, stamp, &seen->set);
}

static void begin(struct cprof_seen_tags *seen)
{
    seen->set = (struct cprof_tag_list){0};
    seen->request = 0;
    memset(seen->part_bytes, 0, sizeof(seen->part_bytes));
}

/* A greenlet may outlive the request that it served. */
static int core_of(const struct cprof_tag_scope *scope)
{
    return scope->core >= 0 && stamp_of(scope->core) == scope->stamp ? scope->core : -1;
}

/* Contexts that are entered inside of each other, the innermost first: a task's of asyncio inside
 * of the one in which its loop was started. */
struct nest {
    uint32_t count;
    struct cprof_tag_scope scopes[NESTED_CONTEXTS_MAX];
};

static void find_nested(enum cprof_peek_way way, uintptr_t context, bool has_outer,
                        struct nest *nest)
{
    while (context && nest->count < NESTED_CONTEXTS_MAX) {
        (void)cprof_tag_scope_find(context, &nest->scopes[nest->count++]);
        context =
            has_outer ? cprof_peek_word(way, context + interpreter->layout.context_previous, 0) : 0;
    }
}

/* The core whose request the innermost context serves of those that serve one. */
static int core_of_nest(const struct nest *nest)
{
    int core = -1;

    for (uint32_t i = 0; i < nest->count && core < 0; i++) {
        core = core_of(&nest->scopes[i]);
    }
    return core;
}

static void see(int core, const struct nest *nest, struct cprof_seen_tags *seen)
{
    begin(seen);
    see_request(core, seen);
    for (uint32_t i = nest->count; i > 0; i--) {
        const struct cprof_tag_scope *scope = &nest->scopes[i - 1];

        /* What nobody took back is forgotten with the request that it was set in. */
        if (scope->core < 0 || core_of(scope) >= 0) {
            cprof_tags_of_chain(scope->chain, &seen->set);
        }
    }
}

void cprof_tags_see(enum cprof_peek_way way, int core, uintptr_t state,
                    struct cprof_seen_tags *seen)
{
    struct nest nest = {0};

    if (interpreter && state) {
        uintptr_t context = cprof_tags_context(interpreter, way, state);

        find_nested(way, context, interpreter->layout.context_previous != 0 && context != state,
                    &nest);
    }
    see(request_view.cores_share_thread ? core_of_nest(&nest) : core, &nest, seen);
}

void cprof_tags_see_context(enum cprof_peek_way way, uintptr_t context,
                            struct cprof_seen_tags *seen)
{
    struct nest nest = {0};

    if (interpreter) {
        find_nested(way, context, interpreter->layout.context_previous != 0, &nest);
    }
    see(core_of_nest(&nest), &nest, seen);
}

/* The id of the part, of which seen->part_bytes[part] bytes were seen. */
static uint32_t intern_part(const struct cprof_seen_tags *seen, uint32_t part,
                            struct cprof_interned_parts *known)
{
    uint32_t bytes = seen->part_bytes[part];

    if (bytes != known->part_bytes[part] ||
        memcmp(seen->parts[part], known->parts[part], bytes) != 0) {
        known->ids[part] = cprof_tag_intern(parts[part].key, seen->parts[part], bytes);
        known->part_bytes[part] = bytes;
        memcpy(known->parts[part], seen->parts[part], bytes);
    }
    return known->ids[part];
}

void cprof_tags_intern(const struct cprof_seen_tags *seen, struct cprof_interned_parts *known,
                       struct cprof_tag_list *list)
{
    *list = (struct cprof_tag_list){0};
    for (uint32_t i = 0; i < CPROF_REQUEST_PARTS_MAX; i++) {
        if (seen->part_bytes[i] > 0) {
            cprof_tag_list_set(list, intern_part(seen, i, known));
        }
    }
    list->lacks_one = seen->set.lacks_one;
    for (uint32_t i = 0; i < seen->set.count; i++) {
        cprof_tag_list_set(list, seen->set.ids[i]);
    }
}
