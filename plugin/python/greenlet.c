/* greenlet.c - see greenlet.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "greenlet.h"

#include <dlfcn.h>
#include <string.h>

#define WORD ((uint16_t)sizeof(uint64_t))

/* A greenlet object: reference count, type, weak references, dictionary, pointer. */
#define OBJECT_WORDS         24u
#define POINTER_OFFSET       32u
#define IMPLEMENTATION_WORDS 40u

/* How far from its frame a greenlet may keep its context. Farther on is the next greenlet's. */
#define NEAR_FRAME (8u * WORD)

static void find_function(void *slot, const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);

    memcpy(slot, &symbol, sizeof(symbol));
}

/* Where the package's interface for C code has PyGreenlet_GetCurrent, in all releases
 * (greenlet/greenlet.h). */
#define INTERFACE   "greenlet._C_API"
#define GET_CURRENT 4u

static struct {
    void *(*get)(void);
    void (*let_go)(void *object);
} current;

/* Of the interpreter. */
struct calls {
    int (*ensure)(void);
    void (*release)(int);
    void *(*import)(const char *);
    void *(*get)(void *, const char *);
    int (*is_true)(void *);
    void *(*import_interface)(const char *, int);
    void (*clear)(void);
};

static bool find_calls(struct calls *calls)
{
    find_function(&calls->ensure, "PyGILState_Ensure");
    find_function(&calls->release, "PyGILState_Release");
    find_function(&calls->import, "PyImport_ImportModule");
    find_function(&calls->get, "PyObject_GetAttrString");
    find_function(&calls->is_true, "PyObject_IsTrue");
    find_function(&calls->import_interface, "PyCapsule_Import");
    find_function(&calls->clear, "PyErr_Clear");
    return calls->ensure && calls->release && calls->import && calls->get && calls->is_true &&
           calls->import_interface && calls->clear;
}

static void find_current(const struct calls *calls)
{
    void **interface = calls->import_interface(INTERFACE, 0);

    find_function(&current.let_go, "Py_DecRef");
    if (interface && current.let_go) {
        memcpy(&current.get, &interface[GET_CURRENT], sizeof(void *));
    }
}

uintptr_t cprof_greenlet_current(void)
{
    void *greenlet = current.get ? current.get() : NULL;

    if (greenlet) {
        current.let_go(greenlet); /* the thread holds it while it runs */
    }
    return (uintptr_t)greenlet;
}

void *cprof_greenlet_type(bool *keep_contexts)
{
    struct calls calls;
    void *module, *type = NULL, *flag;
    int state;

    *keep_contexts = false;
    if (!find_calls(&calls)) {
        return NULL;
    }
    state = calls.ensure();
    module = calls.import("greenlet");
    if (module) {
        type = calls.get(module, "greenlet"); /* all references are kept: the type must not go */
        flag = calls.get(module, "GREENLET_USE_CONTEXT_VARS");
        *keep_contexts = flag && calls.is_true(flag) == 1;
        find_current(&calls);
    }
    calls.clear();
    calls.release(state);
    return type;
}

static bool is_object_of(const struct cprof_python *python, enum cprof_peek_way way, void *type,
                         uintptr_t address)
{
    return type && address != 0 && address % sizeof(void *) == 0 &&
           cprof_peek_word(way, address + python->layout.object_type, 0) == (uintptr_t)type;
}

/* The one offset below `words` words at which an object of the type is pointed to, else 0. */
static uint16_t find_object(const struct cprof_python *python, enum cprof_peek_way way, void *type,
                            uintptr_t address, uint16_t words)
{
    uint16_t found = 0, places = 0;

    for (uint16_t i = 1; i < words; i++) {
        uintptr_t word = (uintptr_t)cprof_peek_word(way, address + (uintptr_t)i * WORD, 0);

        if (is_object_of(python, way, type, word)) {
            found = (uint16_t)(i * WORD);
            places++;
        }
    }
    return places == 1 ? found : 0;
}

bool cprof_greenlet_learn(const struct cprof_python *python, enum cprof_peek_way way,
                          uintptr_t address, struct cprof_greenlet_layout *layout)
{
    uintptr_t implementation = (uintptr_t)cprof_peek_word(way, address + POINTER_OFFSET, 0);

    if (!python->frame_type) {
        return false;
    }
    *layout = (struct cprof_greenlet_layout){0};
    if (implementation) {
        layout->frame =
            find_object(python, way, python->frame_type, implementation, IMPLEMENTATION_WORDS);
        layout->implementation = layout->frame ? POINTER_OFFSET : 0;
    }
    if (!layout->frame) {
        layout->frame = find_object(python, way, python->frame_type, address, OBJECT_WORDS);
    }
    return layout->frame != 0;
}

/* The part of the greenlet that keeps its frame, or 0. */
static uintptr_t part_of(enum cprof_peek_way way, const struct cprof_greenlet_layout *layout,
                         uintptr_t address)
{
    return layout->implementation
               ? (uintptr_t)cprof_peek_word(way, address + layout->implementation, 0)
               : address;
}

bool cprof_greenlet_learn_context(const struct cprof_python *python, enum cprof_peek_way way,
                                  uintptr_t address, struct cprof_greenlet_layout *layout)
{
    uintptr_t part = part_of(way, layout, address);
    uint16_t first = layout->frame > NEAR_FRAME ? (uint16_t)(layout->frame - NEAR_FRAME) : 0, found;

    if (!layout->frame || !part) {
        return false;
    }
    found = find_object(python, way, python->context_type, part + first,
                        (uint16_t)(2 * NEAR_FRAME / WORD));
    layout->context = found ? (uint16_t)(first + found) : 0;
    return layout->context != 0;
}

/* The object of the type at an offset of that part, or 0. */
static uintptr_t object_at(const struct cprof_python *python, enum cprof_peek_way way, void *type,
                           uintptr_t part, uint16_t offset)
{
    uintptr_t object = part ? (uintptr_t)cprof_peek_word(way, part + offset, 0) : 0;

    return is_object_of(python, way, type, object) ? object : 0;
}

uintptr_t cprof_greenlet_frame(const struct cprof_python *python, enum cprof_peek_way way,
                               const struct cprof_greenlet_layout *layout, uintptr_t address)
{
    return object_at(python, way, python->frame_type, part_of(way, layout, address), layout->frame);
}

uintptr_t cprof_greenlet_context(const struct cprof_python *python, enum cprof_peek_way way,
                                 const struct cprof_greenlet_layout *layout, uintptr_t address)
{
    return layout->context ? object_at(python, way, python->context_type,
                                       part_of(way, layout, address), layout->context)
                           : 0;
}

bool cprof_greenlet_switches(const struct cprof_python *python, enum cprof_peek_way way,
                             const struct cprof_greenlet_layout *layout, uintptr_t state,
                             uint64_t *switches)
{
    return layout->implementation && state && python->layout.tstate_context_version &&
           cprof_peek_words(way, switches, state + python->layout.tstate_context_version, 1);
}
