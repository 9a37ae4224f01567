/* threads.c - see threads.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "threads.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../shared/base/kernel_clock.h"
#include "../ground/machine.h"

enum thread_state {
    STATE_FREE = 0,
    STATE_TAKEN = 1, /* being filled */
    STATE_LIVE = 2,
};

#define STATE_BITS      2u
#define STATE_MASK      3u
#define INDEX_BITS      12u
#define GENERATION_MASK ((1u << (32u - INDEX_BITS)) - 1u)

_Static_assert(CPROF_THREADS_MAX == 1u << INDEX_BITS, "an index fits into a ticket");

static struct cprof_thread *threads;

/* Ticket + 1 of whom a descriptor's signals are for, 0: nobody. */
static _Atomic int64_t descriptor_tickets[CPROF_DESCRIPTORS_MAX];

/* Records below this have been used; bounds the loops. */
static _Atomic uint32_t used_records;

bool cprof_threads_create(void)
{
    void *memory;

    memory = mmap(NULL, CPROF_THREADS_MAX * sizeof(struct cprof_thread), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    threads = memory;
    atomic_store(&used_records, 0);
    return true;
}

static enum thread_state state_of(const struct cprof_thread *thread)
{
    return atomic_load_explicit(&thread->state, memory_order_acquire) & STATE_MASK;
}

static void note_used(uint32_t index)
{
    uint32_t used = atomic_load(&used_records);

    while (used <= index && !atomic_compare_exchange_weak(&used_records, &used, index + 1)) {
    }
}

struct cprof_thread *cprof_thread_add(pid_t tid)
{
    for (uint32_t index = 0; index < CPROF_THREADS_MAX; index++) {
        struct cprof_thread *thread = &threads[index];
        uint32_t state = atomic_load(&thread->state);

        if ((state & STATE_MASK) != STATE_FREE ||
            !atomic_compare_exchange_strong(&thread->state, &state, state | STATE_TAKEN)) {
            continue;
        }
        note_used(index);
        thread->core = -1;
        thread->tid = tid;
        thread->armed = false;
        thread->perf_descriptor = -1;
        thread->signal_blocked = false;
        thread->looks = 0;
        thread->seen = true;
        thread->lost_next_ns = 0;
        thread->stack_high = 0;
        thread->stack_low = 0;
        atomic_store(&thread->left_out_ns, 0);
        atomic_store(&thread->pointer, 0);
        thread->remembered = (struct cprof_remembered_state){0};
        thread->own = (struct cprof_remembered_state){0};
        thread->sleep = (struct cprof_sleep)CPROF_SLEEP_NONE;
        thread->name[0] = '\0';
        atomic_store(&thread->tag_ref, 0);
        atomic_store(&thread->has_state, 0);
        return thread;
    }
    return NULL;
}

void cprof_thread_publish(struct cprof_thread *thread)
{
    uint32_t generation = atomic_load(&thread->state) >> STATE_BITS;

    atomic_store(&thread->state, generation << STATE_BITS | STATE_LIVE);
}

void cprof_thread_remove(struct cprof_thread *thread)
{
    uint32_t generation = atomic_load(&thread->state) >> STATE_BITS;

    atomic_store(&thread->state, (generation + 1) << STATE_BITS | STATE_FREE);
}

struct cprof_thread *cprof_thread_next(const struct cprof_thread *previous)
{
    uint32_t used = atomic_load(&used_records);
    uint32_t index = previous ? (uint32_t)(previous - threads) + 1 : 0;

    for (; index < used; index++) {
        if (state_of(&threads[index]) == STATE_LIVE) {
            return &threads[index];
        }
    }
    return NULL;
}

struct cprof_thread *cprof_thread_of_tid(pid_t tid)
{
    struct cprof_thread *found = NULL;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        if (thread->tid == tid && (!found || thread->core >= 0)) {
            found = thread;
        }
    }
    return found;
}

uint32_t cprof_thread_core_count(void)
{
    uint32_t count = 0;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        count += thread->core >= 0;
    }
    return count;
}

uint64_t cprof_thread_seed(const struct cprof_thread *thread)
{
    return (uint64_t)thread->tid << 40 ^ cprof_kernel_clock_ns(CLOCK_MONOTONIC);
}

int cprof_thread_ticket(const struct cprof_thread *thread)
{
    uint32_t generation = atomic_load(&thread->state) >> STATE_BITS;

    return (int)((generation & GENERATION_MASK) << INDEX_BITS | (uint32_t)(thread - threads));
}

/* The thread pointer is as good a name as the thread id and costs no system call; which one
 * belongs to the record is learnt at the first tick. */
static bool is_calling_thread(struct cprof_thread *thread)
{
    uintptr_t pointer = cprof_machine_thread_pointer();
    uintptr_t known = atomic_load_explicit(&thread->pointer, memory_order_relaxed);

    if (known) {
        return known == pointer;
    }
    if (thread->tid != (pid_t)syscall(SYS_gettid)) {
        return false;
    }
    atomic_store_explicit(&thread->pointer, pointer, memory_order_relaxed);
    return true;
}

struct cprof_thread *cprof_thread_of_ticket(int ticket)
{
    struct cprof_thread *thread = &threads[(uint32_t)ticket & (CPROF_THREADS_MAX - 1u)];
    uint32_t state = atomic_load_explicit(&thread->state, memory_order_acquire);

    if ((state & STATE_MASK) != STATE_LIVE ||
        (state >> STATE_BITS & GENERATION_MASK) != (uint32_t)ticket >> INDEX_BITS ||
        !is_calling_thread(thread)) {
        return NULL;
    }
    return thread;
}

bool cprof_thread_note_descriptor(int descriptor, const struct cprof_thread *thread)
{
    if (descriptor < 0 || descriptor >= CPROF_DESCRIPTORS_MAX) {
        return false;
    }
    atomic_store(&descriptor_tickets[descriptor],
                 thread ? (int64_t)(uint32_t)cprof_thread_ticket(thread) + 1 : 0);
    return true;
}

struct cprof_thread *cprof_thread_of_descriptor(int descriptor)
{
    int64_t noted;

    if (descriptor < 0 || descriptor >= CPROF_DESCRIPTORS_MAX) {
        return NULL;
    }
    noted = atomic_load_explicit(&descriptor_tickets[descriptor], memory_order_acquire);
    return noted ? cprof_thread_of_ticket((int)(uint32_t)(noted - 1)) : NULL;
}
