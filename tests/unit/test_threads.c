/* test_threads.c - see plugin/threads/threads.h.
 *
 * sources: plugin/threads/threads.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/threads/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../plugin/ground/machine.h"
#include "../../shared/segment/layout.h"
#include "expect.h"

static pid_t own_tid(void)
{
    return (pid_t)syscall(SYS_gettid);
}

static void begin(void)
{
    EXPECT(cprof_threads_create());
}

static struct cprof_thread *publish(pid_t tid)
{
    struct cprof_thread *thread = cprof_thread_add(tid);

    EXPECT(thread);
    cprof_thread_publish(thread);
    return thread;
}

static uint32_t published(void)
{
    uint32_t count = 0;

    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        count++;
    }
    return count;
}

static void a_new_registry_is_empty(void)
{
    begin();
    EXPECT(!cprof_thread_next(NULL) && !cprof_thread_of_tid(own_tid()));
    EXPECT(!cprof_thread_of_ticket(0) && !cprof_thread_of_ticket(-1));
}

static void a_record_counts_only_once_it_is_published(void)
{
    struct cprof_thread *thread;

    begin();
    thread = cprof_thread_add(own_tid());
    EXPECT(thread);
    EXPECT(published() == 0 && !cprof_thread_of_tid(own_tid()));
    EXPECT(!cprof_thread_of_ticket(cprof_thread_ticket(thread)));

    cprof_thread_publish(thread);
    EXPECT(published() == 1 && cprof_thread_of_tid(own_tid()) == thread);
}

static void a_fresh_record_knows_nothing_of_the_one_before(void)
{
    struct cprof_thread *thread;

    begin();
    thread = publish(7);
    thread->core = 3;
    thread->armed = true;
    thread->signal_blocked = true;
    thread->lost_next_ns = 5;
    thread->stack_high = 9;
    thread->remembered.address = 99;
    thread->name[0] = 'x';
    atomic_store(&thread->tag_ref, 4);
    atomic_store(&thread->has_state, 1);
    atomic_store(&thread->pointer, 3);
    cprof_thread_remove(thread);

    EXPECT(cprof_thread_add(8) == thread);
    EXPECT(thread->tid == 8 && thread->core == -1 && !thread->armed && !thread->signal_blocked);
    EXPECT(thread->lost_next_ns == 0 && thread->stack_high == 0 && thread->name[0] == '\0');
    EXPECT(thread->remembered.address == 0 && atomic_load(&thread->has_state) == 0);
    EXPECT(atomic_load(&thread->tag_ref) == CPROF_NO_REF && atomic_load(&thread->pointer) == 0);
}

static void a_ticket_leads_its_own_thread_to_its_record(void)
{
    struct cprof_thread *thread;

    begin();
    (void)publish(1);
    thread = publish(own_tid());
    EXPECT(cprof_thread_of_ticket(cprof_thread_ticket(thread)) == thread);
}

static void *read_ticket(void *ticket)
{
    return cprof_thread_of_ticket(*(int *)ticket);
}

static void *record_in_another_thread(int ticket)
{
    pthread_t other;
    void *result;

    EXPECT(pthread_create(&other, NULL, read_ticket, &ticket) == 0);
    EXPECT(pthread_join(other, &result) == 0);
    return result;
}

static void a_ticket_is_void_for_another_thread(void)
{
    struct cprof_thread *thread;

    begin();
    thread = publish(own_tid());
    EXPECT(!record_in_another_thread(cprof_thread_ticket(thread)));
    EXPECT(atomic_load(&thread->pointer) == 0);
    EXPECT(cprof_thread_of_ticket(cprof_thread_ticket(thread)) == thread);
    EXPECT(!record_in_another_thread(cprof_thread_ticket(thread)));
}

static void a_thread_is_known_by_its_pointer_from_its_first_tick_on(void)
{
    struct cprof_thread *thread;

    begin();
    thread = publish(own_tid());
    EXPECT(atomic_load(&thread->pointer) == 0);
    EXPECT(cprof_thread_of_ticket(cprof_thread_ticket(thread)) == thread);
    EXPECT(atomic_load(&thread->pointer) == cprof_machine_thread_pointer());

    thread->tid++; /* is not asked any more */
    EXPECT(cprof_thread_of_ticket(cprof_thread_ticket(thread)) == thread);
}

static void a_ticket_is_void_once_its_record_is_removed(void)
{
    struct cprof_thread *thread;
    int ticket;

    begin();
    thread = publish(own_tid());
    ticket = cprof_thread_ticket(thread);
    cprof_thread_remove(thread);
    EXPECT(!cprof_thread_of_ticket(ticket) && published() == 0);
}

static void a_ticket_of_an_earlier_use_of_the_record_is_void(void)
{
    struct cprof_thread *thread;
    int stale[3000];

    begin();
    for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++) {
        thread = publish(own_tid());
        stale[i] = cprof_thread_ticket(thread);
        cprof_thread_remove(thread);
    }

    thread = publish(own_tid());
    EXPECT(cprof_thread_of_ticket(cprof_thread_ticket(thread)) == thread);
    for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++) {
        EXPECT(!cprof_thread_of_ticket(stale[i]));
    }
}

static void a_removed_record_is_skipped_and_used_again(void)
{
    struct cprof_thread *first, *second, *third;

    begin();
    first = publish(11);
    second = publish(12);
    third = publish(13);
    cprof_thread_remove(second);

    EXPECT(cprof_thread_next(NULL) == first && cprof_thread_next(first) == third);
    EXPECT(!cprof_thread_next(third) && !cprof_thread_of_tid(12));
    EXPECT(cprof_thread_add(14) == second);
}

static void a_record_may_be_removed_on_the_way_through_them(void)
{
    uint32_t seen = 0;

    begin();
    for (pid_t tid = 100; tid < 110; tid++) {
        (void)publish(tid);
    }
    for (struct cprof_thread *thread = cprof_thread_next(NULL); thread;
         thread = cprof_thread_next(thread)) {
        seen++;
        cprof_thread_remove(thread);
    }
    EXPECT(seen == 10 && published() == 0);
}

static void there_is_room_for_the_greatest_number_of_threads_and_no_more(void)
{
    struct cprof_thread *last;

    begin();
    for (uint32_t i = 0; i < CPROF_THREADS_MAX - 1; i++) {
        (void)publish((pid_t)(1000000 + i));
    }
    last = publish(own_tid());
    EXPECT(!cprof_thread_add(1));
    EXPECT(published() == CPROF_THREADS_MAX);
    EXPECT(cprof_thread_of_ticket(cprof_thread_ticket(last)) == last);

    cprof_thread_remove(last);
    EXPECT(cprof_thread_add(1) == last);
}

#define ADDERS    8u
#define ADDS_EACH 256u

static void *add_many(void *first_tid)
{
    for (uint32_t i = 0; i < ADDS_EACH; i++) {
        (void)publish(*(pid_t *)first_tid + (pid_t)i);
    }
    return NULL;
}

static void threads_that_start_together_get_a_record_each(void)
{
    pthread_t adders[ADDERS];
    pid_t first_tids[ADDERS];

    begin();
    for (uint32_t i = 0; i < ADDERS; i++) {
        first_tids[i] = (pid_t)(1 + i * ADDS_EACH);
        EXPECT(pthread_create(&adders[i], NULL, add_many, &first_tids[i]) == 0);
    }
    for (uint32_t i = 0; i < ADDERS; i++) {
        EXPECT(pthread_join(adders[i], NULL) == 0);
    }

    EXPECT(published() == ADDERS * ADDS_EACH);
    for (pid_t tid = 1; tid <= (pid_t)(ADDERS * ADDS_EACH); tid++) {
        EXPECT(cprof_thread_of_tid(tid));
    }
}

int main(void)
{
    RUN(a_new_registry_is_empty);
    RUN(a_record_counts_only_once_it_is_published);
    RUN(a_fresh_record_knows_nothing_of_the_one_before);
    RUN(a_ticket_leads_its_own_thread_to_its_record);
    RUN(a_ticket_is_void_for_another_thread);
    RUN(a_thread_is_known_by_its_pointer_from_its_first_tick_on);
    RUN(a_ticket_is_void_once_its_record_is_removed);
    RUN(a_ticket_of_an_earlier_use_of_the_record_is_void);
    RUN(a_removed_record_is_skipped_and_used_again);
    RUN(a_record_may_be_removed_on_the_way_through_them);
    RUN(there_is_room_for_the_greatest_number_of_threads_and_no_more);
    RUN(threads_that_start_together_get_a_record_each);
    return 0;
}
