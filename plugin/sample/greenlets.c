/* greenlets.c - see greenlets.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "greenlets.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../ground/guard.h"

typedef void *(*new_function)(void *type, void *arguments, void *keywords);
typedef void (*dealloc_function)(void *object);

static struct {
    struct cprof_greenlet *places;
    pid_t tid; /* of the thread whose greenlets are noted */
    new_function original_new;
    dealloc_function original_dealloc;
    _Atomic uint32_t births;
    /* With the GIL. Places are probed from the address's hash on; a free one ends no search, since
     * greenlets come and go. None lies further from there than this many. */
    uint32_t probes;
    uint32_t noted;            /* that have a place now */
    _Atomic uint32_t left_out; /* that have none now */
    _Atomic uint32_t used;     /* places below this have been used */
} greenlets;

static uint32_t first_place(uintptr_t address)
{
    return (uint32_t)((uint64_t)address * UINT64_C(0x9E3779B97F4A7C15) >> 32) % CPROF_GREENLETS_MAX;
}

static struct cprof_greenlet *place_of(uintptr_t address, uint32_t probe)
{
    return &greenlets.places[(first_place(address) + probe) % CPROF_GREENLETS_MAX];
}

static void take_place(struct cprof_greenlet *place, uintptr_t address)
{
    uint32_t index = (uint32_t)(place - greenlets.places);

    atomic_store(&place->birth, atomic_fetch_add(&greenlets.births, 1) + 1);
    atomic_store(&place->address, address);
    if (atomic_load(&greenlets.used) <= index) {
        atomic_store(&greenlets.used, index + 1);
    }
}

/* With the GIL: one at a time. */
static void note(uintptr_t address)
{
    for (uint32_t probe = 0; greenlets.noted < CPROF_GREENLETS_MAX; probe++) {
        struct cprof_greenlet *place = place_of(address, probe);

        if (atomic_load(&place->address) == 0) {
            take_place(place, address);
            greenlets.noted++;
            greenlets.probes = probe < greenlets.probes ? greenlets.probes : probe + 1;
            return;
        }
    }
    atomic_fetch_add(&greenlets.left_out, 1);
}

static bool is_ours(void)
{
    return cprof_guard_is_set() && (pid_t)syscall(SYS_gettid) == greenlets.tid;
}

static void *new_and_note(void *type, void *arguments, void *keywords)
{
    void *object = greenlets.original_new(type, arguments, keywords);

    if (object && is_ours()) {
        note((uintptr_t)object);
    }
    return object;
}

/* NULL: it is not noted. */
static struct cprof_greenlet *find(uintptr_t address)
{
    for (uint32_t probe = 0; probe < greenlets.probes; probe++) {
        struct cprof_greenlet *place = place_of(address, probe);

        if (atomic_load(&place->address) == address) {
            return place;
        }
    }
    return NULL;
}

static void count_one_less(void)
{
    if (atomic_load(&greenlets.left_out) > 0) {
        atomic_fetch_sub(&greenlets.left_out, 1);
    }
}

/* Where one was left out this may be it: it counts once, and no more when it has a place. */
void cprof_greenlets_note(uintptr_t address)
{
    if (address && greenlets.places && greenlets.noted < CPROF_GREENLETS_MAX && is_ours() &&
        !find(address)) {
        count_one_less();
        note(address);
    }
}

/* One that has no place is taken for one of those that were left out. Few are neither: they were
 * made before the watch began, or by another thread. */
static void forget_and_dealloc(void *object)
{
    struct cprof_greenlet *place = find((uintptr_t)object);

    if (place) {
        atomic_store(&place->address, 0);
        greenlets.noted--;
    } else if (is_ours()) {
        count_one_less();
    }
    greenlets.original_dealloc(object);
}

static void replace(void *type, uint16_t offset, void *function, void *original)
{
    void *slot = (char *)type + offset;

    memcpy(original, slot, sizeof(void *));
    memcpy(slot, function, sizeof(void *));
}

bool cprof_greenlets_watch(const struct cprof_python *python, void *greenlet_type)
{
    new_function our_new = new_and_note;
    dealloc_function our_dealloc = forget_and_dealloc;
    void *places;

    if (greenlets.places) {
        return true;
    }
    places = mmap(NULL, CPROF_GREENLETS_MAX * sizeof(struct cprof_greenlet), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (places == MAP_FAILED) {
        return false;
    }
    greenlets.tid = (pid_t)syscall(SYS_gettid);
    greenlets.places = places;
    replace(greenlet_type, python->type_dealloc, &our_dealloc, &greenlets.original_dealloc);
    replace(greenlet_type, python->type_new, &our_new, &greenlets.original_new);
    return true;
}

bool cprof_greenlets_belong_to(int32_t tid)
{
    return greenlets.places && greenlets.tid == tid;
}

struct cprof_greenlet *cprof_greenlet_next(const struct cprof_greenlet *previous)
{
    uint32_t used = atomic_load(&greenlets.used);
    uint32_t index = previous ? (uint32_t)(previous - greenlets.places) + 1 : 0;

    for (; index < used; index++) {
        if (atomic_load(&greenlets.places[index].address) != 0) {
            return &greenlets.places[index];
        }
    }
    return NULL;
}

uint32_t cprof_greenlets_places(void)
{
    return atomic_load(&greenlets.used);
}

struct cprof_greenlet *cprof_greenlet_at(uint32_t place)
{
    struct cprof_greenlet *greenlet = &greenlets.places[place];

    return atomic_load(&greenlet->address) ? greenlet : NULL;
}

uint32_t cprof_greenlets_left_out(void)
{
    return atomic_load(&greenlets.left_out);
}
