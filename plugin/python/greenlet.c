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

static void find_function(void *slot, const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);

    memcpy(slot, &symbol, sizeof(symbol));
}

void *cprof_greenlet_type(void)
{
    int (*ensure)(void);
    void (*release)(int);
    void *(*import)(const char *);
    void *(*get)(void *, const char *);
    void (*clear)(void);
    void *module, *type = NULL;
    int state;

    find_function(&ensure, "PyGILState_Ensure");
    find_function(&release, "PyGILState_Release");
    find_function(&import, "PyImport_ImportModule");
    find_function(&get, "PyObject_GetAttrString");
    find_function(&clear, "PyErr_Clear");
    if (!ensure || !release || !import || !get || !clear) {
        return NULL;
    }
    state = ensure();
    module = import("greenlet");
    if (module) {
        type = get(module, "greenlet"); /* both references are kept: the type must not go away */
    }
    clear();
    release(state);
    return type;
}

static bool is_frame_object(const struct cprof_python *python, enum cprof_peek_way way,
                            uintptr_t address)
{
    return address != 0 && address % sizeof(void *) == 0 &&
           cprof_peek_word(way, address + python->layout.object_type, 0) ==
               (uintptr_t)python->frame_type;
}

/* The one offset below `words` words at which a frame object is pointed to, else 0. */
static uint16_t find_frame(const struct cprof_python *python, enum cprof_peek_way way,
                           uintptr_t address, uint16_t words)
{
    uint16_t found = 0, places = 0;

    for (uint16_t i = 1; i < words; i++) {
        uintptr_t word = (uintptr_t)cprof_peek_word(way, address + (uintptr_t)i * WORD, 0);

        if (is_frame_object(python, way, word)) {
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
        layout->frame = find_frame(python, way, implementation, IMPLEMENTATION_WORDS);
        layout->implementation = layout->frame ? POINTER_OFFSET : 0;
    }
    if (!layout->frame) {
        layout->frame = find_frame(python, way, address, OBJECT_WORDS);
    }
    return layout->frame != 0;
}

uintptr_t cprof_greenlet_frame(const struct cprof_python *python, enum cprof_peek_way way,
                               const struct cprof_greenlet_layout *layout, uintptr_t address)
{
    uintptr_t part = address, frame;

    if (layout->implementation) {
        part = (uintptr_t)cprof_peek_word(way, address + layout->implementation, 0);
    }
    frame = part ? (uintptr_t)cprof_peek_word(way, part + layout->frame, 0) : 0;
    return is_frame_object(python, way, frame) ? frame : 0;
}

bool cprof_greenlet_switches(const struct cprof_python *python, enum cprof_peek_way way,
                             const struct cprof_greenlet_layout *layout, uintptr_t state,
                             uint64_t *switches)
{
    return layout->implementation && state && python->layout.tstate_context_version &&
           cprof_peek_words(way, switches, state + python->layout.tstate_context_version, 1);
}
