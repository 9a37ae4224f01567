/* tag_sets.h - which tags are set now: for a core's request, and for a Python context.
 *
 * Requests  each of uWSGI's cores has a cell with tags and the stamp of the request that they are
 *           of (struct cprof_request_view, offcpu.h). Tags count while the core's request has that
 *           stamp, so that nothing has to be cleared when a request ends.
 * Contexts  what `with cloudprofiler.tag(...)` sets belongs to the running Python context, which a
 *           handler knows by its address alone: PyThreadState.context. Where that is NULL, and
 *           before CPython 3.7, the thread state's own address stands for it. A greenlet's context
 *           also says which core's request the greenlet serves, where cores share a thread.
 * Chains    tags that are set at the same time, each key once, are a chain of immutable links. Two
 *           chains of the same tags in the same order are one, and none is ever freed: whoever
 *           reads one sees all of it.
 * Callers   as said at each function. The tags of a core or context are changed by the thread that
 *           runs it, and by no two threads at once. Readers: handlers on that thread; the ticker,
 *           which believes what it read if the thread has slept all the while. A read never waits
 *           and never leaves the tables, whatever stands in them.
 * Memory    private mappings that are never unmapped; a forked child goes on with a copy.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TAG_SETS_H
#define CPROF_TAG_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "tag_values.h"

/* Contexts that have an entry at the same time. */
#define CPROF_TAG_SCOPES_MAX 8192u

/* Different chains in the life of a process. */
#define CPROF_TAG_LINKS_MAX 65536u

#define CPROF_TAG_NO_CHAIN 0u

/* Or'ed to a chain, NO_CHAIN too, that lacks a tag for want of room. */
#define CPROF_TAG_CHAIN_LACKS_ONE (UINT32_C(1) << 31)

/* Tags, each key once; ids of tag_values.h. */
struct cprof_tag_list {
    uint32_t count;
    uint32_t ids[CPROF_TAG_KEYS_MAX];
    uint32_t keys;  /* bit n: there is a tag with key n. A key that is new needs no search. */
    bool lacks_one; /* as a chain does that it was made of */
};

/* Adds a tag to a list that began as zeros, in the place of one with the same key. What is no id
 * is left out. */
CPROF_SIGSAFE void cprof_tag_list_set(struct cprof_tag_list *list, uint32_t tag);

/* Maps the memory for so many cores. In the main thread, before others may ask; a second call in
 * the same process or in a child does nothing unless it asks for more cores. False: no memory;
 * then nothing can be set, and nothing is found. */
bool cprof_tag_sets_create(uint32_t core_count) CPROF_MUST_USE;

/* Sets a tag for the rest of the request `stamp` of `core`, in the place of one with the same
 * key. False: `core` is none, or stamp is 0, which is no request's. On the core's thread. */
CPROF_SIGSAFE bool cprof_tag_set_for_request(int core, uint64_t stamp, uint32_t tag);

/* Adds the tags of that request to the list. */
CPROF_SIGSAFE void cprof_tags_of_request(int core, uint64_t stamp, struct cprof_tag_list *list);

/* The chain with one tag more, which replaces one with the same key. Where there is no room for
 * another chain: the same with the key's "[other]"; if that is new, too, what stands in `chain`
 * before the key, so that the key's former value is not taken for the new one, marked as lacking
 * one. Every chain that is made of a marked one is marked. */
CPROF_SIGSAFE uint32_t cprof_tag_chain_with(uint32_t chain, uint32_t tag);

/* Adds a chain's tags to the list. */
CPROF_SIGSAFE void cprof_tags_of_chain(uint32_t chain, struct cprof_tag_list *list);

/* What is known of a context. */
struct cprof_tag_scope {
    uint32_t chain; /* its tags, or NO_CHAIN */
    int32_t core;   /* whose request it serves, -1: not known */
    uint64_t stamp; /* of that request */
};

/* Returns false, and a scope without tags and core, if there is no entry. */
CPROF_SIGSAFE bool cprof_tag_scope_find(uintptr_t context, struct cprof_tag_scope *scope);

/* Whether any context has an entry. */
CPROF_SIGSAFE bool cprof_tag_scopes_exist(void);

/* How often an entry was needed for which there was no room. */
uint32_t cprof_tag_scopes_left_out(void);

/* What became of an entry, and so of the reference to the context that its owner must hold as
 * long as it stands, lest another context gets the same address. */
enum cprof_tag_scope_change {
    CPROF_TAG_SCOPE_ADDED, /* there is an entry now: take a reference */
    CPROF_TAG_SCOPE_KEPT,  /* there was one, and still is; or there was none, and none is needed */
    CPROF_TAG_SCOPE_REMOVED, /* there is none any more: give the reference back */
    CPROF_TAG_SCOPE_FULL,    /* there is no room for one: nothing was changed */
};

/* Sets what is known of a context; a scope with neither tags nor core needs no entry. On the
 * thread that runs the context, or that holds the last reference to it. */
CPROF_SIGSAFE enum cprof_tag_scope_change cprof_tag_scope_put(uintptr_t context,
                                                              const struct cprof_tag_scope *scope);

#endif
