/* scope.c - see scope.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "scope.h"

#include "../ground/guard.h"
#include "../python/running_context.h"

#define NESTED_CONTEXTS_MAX 8u

static const struct cprof_python *interpreter;
static const struct cprof_scope_host *requests;

void cprof_scope_setup(const struct cprof_python *python, const struct cprof_scope_host *host)
{
    interpreter = python;
    requests = host;
}

/* Stores what is known of the context, and holds it as long as there is something. */
static bool put(uintptr_t context, const struct cprof_tag_scope *known)
{
    switch (cprof_tag_scope_put(context, known)) {
    case CPROF_TAG_SCOPE_ADDED:
        cprof_running_context_hold(interpreter, context);
        return true;
    case CPROF_TAG_SCOPE_REMOVED:
        cprof_running_context_let_go(interpreter, context);
        return true;
    case CPROF_TAG_SCOPE_KEPT:
        return true;
    case CPROF_TAG_SCOPE_FULL:
        break;
    }
    return false;
}

/* On a thread of a core's own the entry says in which request its tags were set; what an earlier
 * request left behind is forgotten. Where cores share a thread the host says it (sampler.h). */
static bool note_request(struct cprof_tag_scope *known)
{
    int core = requests->core();
    uint64_t stamp = core >= 0 ? requests->stamp(core) : 0;

    if (stamp == 0) {
        return false;
    }
    if (known->core >= 0 && (known->core != core || known->stamp != stamp)) {
        known->chain = CPROF_TAG_NO_CHAIN;
    }
    known->core = core;
    known->stamp = stamp;
    return true;
}

void cprof_scope_enter(const struct cprof_tag_list *tags, struct cprof_scope *scope)
{
    uintptr_t context = cprof_guard_is_set() ? cprof_running_context(interpreter) : 0;
    struct cprof_tag_scope known;

    *scope = (struct cprof_scope){0};
    if (context == 0) {
        return;
    }
    (void)cprof_tag_scope_find(context, &known);
    scope->is_of_request = note_request(&known);
    scope->core = known.core;
    scope->stamp = known.stamp;
    scope->outer_chain = known.chain;
    for (uint32_t i = 0; i < tags->count; i++) {
        known.chain = cprof_tag_chain_with(known.chain, tags->ids[i]);
    }
    scope->chain = known.chain;
    if (put(context, &known)) {
        cprof_running_context_hold(interpreter, context);
        scope->context = context;
    }
}

static bool contains(const struct cprof_tag_list *list, uint32_t tag)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->ids[i] == tag) {
            return true;
        }
    }
    return false;
}

static uint32_t outer_value(const struct cprof_tag_list *outer, uint32_t tag)
{
    for (uint32_t i = 0; i < outer->count; i++) {
        if (cprof_tag_key_of(outer->ids[i]) == cprof_tag_key_of(tag)) {
            return outer->ids[i];
        }
    }
    return CPROF_TAG_NONE;
}

/* The chain that is set now, in which each of the tags gives way to what was there before it. */
static uint32_t take_out(const struct cprof_tag_list *tags, const struct cprof_scope *scope,
                         uint32_t chain)
{
    struct cprof_tag_list now = {0}, outer = {0};
    uint32_t left = CPROF_TAG_NO_CHAIN;

    cprof_tags_of_chain(chain, &now);
    cprof_tags_of_chain(scope->outer_chain, &outer);
    for (uint32_t i = 0; i < now.count; i++) {
        uint32_t tag = contains(tags, now.ids[i]) ? outer_value(&outer, now.ids[i]) : now.ids[i];

        left = tag == CPROF_TAG_NONE ? left : cprof_tag_chain_with(left, tag);
    }
    return left;
}

/* Whether the context still has what was set in the scope's request, and nothing of a later one. */
static bool is_present(const struct cprof_scope *scope, const struct cprof_tag_scope *known)
{
    return !scope->is_of_request || (known->core == scope->core && known->stamp == scope->stamp);
}

void cprof_scope_leave(const struct cprof_tag_list *tags, struct cprof_scope *scope)
{
    uintptr_t context = scope->context;
    struct cprof_tag_scope known;

    scope->context = 0;
    if (context == 0) {
        return;
    }
    if (cprof_guard_is_set() && cprof_tag_scope_find(context, &known) &&
        is_present(scope, &known)) {
        known.chain =
            known.chain == scope->chain ? scope->outer_chain : take_out(tags, scope, known.chain);
        if (known.chain == CPROF_TAG_NO_CHAIN && scope->is_of_request) {
            known.core = -1; /* it stood there for the tags' sake */
        }
        (void)put(context, &known);
    }
    cprof_running_context_let_go(interpreter, context);
}

/* What the running context says of its request, or one that it runs inside of. */
static void find_request(struct cprof_tag_scope *known)
{
    uintptr_t context = cprof_running_context(interpreter);

    *known = (struct cprof_tag_scope){.core = -1};
    for (unsigned i = 0; context && known->core < 0 && i < NESTED_CONTEXTS_MAX; i++) {
        (void)cprof_tag_scope_find(context, known);
        context = cprof_running_context_outer(interpreter, context);
    }
}

bool cprof_scope_tag_request(uint32_t tag)
{
    struct cprof_tag_scope known;
    uint64_t stamp;
    int core;

    if (!cprof_guard_is_set()) {
        return false;
    }
    core = requests->core();
    if (core >= 0) {
        return cprof_tag_set_for_request(core, requests->stamp(core), tag);
    }
    find_request(&known);
    stamp = known.core >= 0 ? requests->stamp(known.core) : 0;
    return stamp == known.stamp && cprof_tag_set_for_request(known.core, stamp, tag);
}
