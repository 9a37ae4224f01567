/* sampler.c - see sampler.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sampler.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/segment.h"
#include "../ground/guard.h"
#include "../python/greenlet.h"
#include "../python/running_context.h"
#include "../record/code_deaths.h"
#include "../record/recorder.h"
#include "../tags/tags.h"
#include "../threads/c_stack.h"
#include "../threads/threads.h"
#include "greenlets.h"
#include "oncpu.h"
#include "ticker.h"

static struct cprof_slot_mapping mapping;
static struct cprof_python interpreter;
static struct cprof_recorder recorder;

/* The slot's claim and closed words are left alone: the successor of a killed process goes on
 * in the same log. */
static uint32_t take_slot(void)
{
    struct cprof_slot *slot = mapping.slot;

    atomic_store(&slot->joined_epoch, 0);
    atomic_store(&slot->closed_epoch, 0);
    atomic_store(&slot->pid, (uint32_t)getpid());
    return atomic_fetch_add(&slot->incarnation, 1) + 1;
}

bool cprof_sampler_start(const struct cprof_sampler_start *start, struct cprof_error *error)
{
    struct cprof_ticker_work work = {
        .mapping = &mapping,
        .python = &interpreter,
        .recorder = &recorder,
        .core_count = start->core_count,
        .ceiling_hundredths = start->ceiling_hundredths,
        .request_count = start->request_count,
        .requests = start->requests,
    };

    if (!cprof_slot_map(&mapping, start->segment_fd, start->slot_index, error)) {
        return false;
    }
    interpreter = *start->python;
    cprof_python_attach(&interpreter);
    if (!cprof_threads_create() || !cprof_tag_values_create() ||
        !cprof_tag_sets_create(start->request_count) ||
        !cprof_recorder_create(&recorder, &interpreter, mapping.slot, mapping.log,
                               mapping.log_bytes, start->max_depth)) {
        return cprof_fail_errno(error, errno, "cannot map the sampler's memory");
    }
    if (!cprof_guard_set()) {
        return cprof_fail_errno(error, errno, "the fork guard needs MADV_WIPEONFORK (Linux 4.14)");
    }
    cprof_peek_install();
    cprof_tags_setup(&interpreter, &start->requests);
    cprof_code_deaths_watch(&interpreter, &recorder);
    if (!cprof_oncpu_install(&interpreter, &recorder, &start->requests, start->native_leaf)) {
        cprof_guard_clear();
        return cprof_fail_errno(error, errno, "cannot handle SIGURG");
    }
    work.incarnation = take_slot();
    if (!cprof_ticker_start(&work, error)) {
        cprof_guard_clear();
        return false;
    }
    return true;
}

void cprof_sampler_add_core_thread(int core, const char *name)
{
    pid_t tid = (pid_t)syscall(SYS_gettid);
    struct cprof_thread *thread;
    uintptr_t state;
    sigset_t blocked;

    if (!cprof_guard_is_set()) {
        return;
    }
    thread = cprof_thread_add(tid);
    if (!thread) {
        cprof_log(CPROF_LOG_WARNING, "%s has no place among %u threads: it is not followed", name,
                  CPROF_THREADS_MAX);
        return;
    }
    thread->core = core;
    (void)snprintf(thread->name, sizeof(thread->name), "%s", name);
    /* The main thread's stack ends below the words that the kernel put there at exec. */
    if (tid == getpid()) {
        thread->stack_high = (uintptr_t)getauxval(AT_RANDOM);
        thread->stack_low = cprof_c_stack_main_low(thread->stack_high);
    }
    cprof_oncpu_unblock();
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    state = (uintptr_t)interpreter.gilstate_thread_state();
    if (state && cprof_remember_state(&interpreter, cprof_peek_choose_lasting(&blocked), state,
                                      &thread->own)) {
        thread->remembered = thread->own;
        atomic_store(&thread->has_state, 1);
    }
    cprof_thread_publish(thread);
}

bool cprof_sampler_watch_greenlets(void)
{
    bool keep_contexts = false;
    void *type = cprof_guard_is_set() ? cprof_greenlet_type(&keep_contexts) : NULL;

    if (type && !cprof_greenlets_watch(&interpreter, type)) {
        cprof_log(CPROF_LOG_WARNING, "no memory to note greenlets: wall profiles show the thread "
                                     "alone");
    }
    if (type && !(keep_contexts && interpreter.layout.tstate_context)) {
        keep_contexts = false;
        cprof_log(CPROF_LOG_WARNING,
                  "greenlets have no contexts of their own in this release of "
                  "greenlet or CPython: it is not known which request one serves");
    }
    return keep_contexts;
}

bool cprof_sampler_reserve_tags(uint32_t tags)
{
    return cprof_tags_reserve(tags);
}

uint32_t cprof_sampler_tag_key(const char *key, size_t key_bytes)
{
    return cprof_tag_values_create() ? cprof_tag_key(key, key_bytes) : CPROF_TAG_NO_KEY;
}

void cprof_sampler_tag_request(int core, uint64_t stamp, uint32_t key, const char *value,
                               size_t value_bytes)
{
    if (cprof_guard_is_set()) {
        (void)cprof_tag_set_for_request(core, stamp, cprof_tag_intern(key, value, value_bytes));
    }
}

/* The context stays what it is until the end: whoever changes it changes it back. */
static void note_request(const struct cprof_tag_scope *request)
{
    uintptr_t context = cprof_guard_is_set() ? cprof_running_context(&interpreter) : 0;
    struct cprof_tag_scope scope;

    if (context == 0) {
        return;
    }
    (void)cprof_tag_scope_find(context, &scope);
    scope.core = request->core;
    scope.stamp = request->stamp;
    switch (cprof_tag_scope_put(context, &scope)) {
    case CPROF_TAG_SCOPE_ADDED:
        cprof_running_context_hold(&interpreter, context);
        break;
    case CPROF_TAG_SCOPE_REMOVED:
        cprof_running_context_let_go(&interpreter, context);
        break;
    case CPROF_TAG_SCOPE_KEPT:
    case CPROF_TAG_SCOPE_FULL:
        break;
    }
}

void cprof_sampler_begin_request(int core, uint64_t stamp)
{
    cprof_greenlets_note(cprof_greenlet_current());
    note_request(&(struct cprof_tag_scope){.core = core, .stamp = stamp});
}

void cprof_sampler_end_request(void)
{
    note_request(&(struct cprof_tag_scope){.core = -1});
}

void cprof_sampler_stop(void)
{
    cprof_guard_clear();
    cprof_ticker_leave();
}
