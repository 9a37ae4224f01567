/* runtime.c - see runtime.h. The one file that includes CPython's headers.
 *
 * SPDX-License-Identifier: MIT
 */
#define Py_BUILD_CORE 1 /* the internal headers refuse to be included without it */
#include <Python.h>

#include "runtime.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../shared/segment/layout.h"

#if PY_MAJOR_VERSION != 3
#error "CPython 3 is needed"
#elif PY_MINOR_VERSION == 6
#include "versions/cpython_36.h"
#elif PY_MINOR_VERSION == 7
#include "versions/cpython_37.h"
#elif PY_MINOR_VERSION == 8
#include "versions/cpython_38.h"
#elif PY_MINOR_VERSION == 9
#include "versions/cpython_39.h"
#elif PY_MINOR_VERSION == 10
#include "versions/cpython_310.h"
#elif PY_MINOR_VERSION == 11
#include "versions/cpython_311.h"
#elif PY_MINOR_VERSION == 12
#include "versions/cpython_312.h"
#elif PY_MINOR_VERSION == 13
#include "versions/cpython_313.h"
#elif PY_MINOR_VERSION == 14
#include "versions/cpython_314.h"
#elif PY_MINOR_VERSION == 15
#include "versions/cpython_315.h"
#else
#error "plugin/python/versions/ has no file for this CPython: build with one that it has"
#endif

#ifdef Py_GIL_DISABLED
#error "free-threaded builds of CPython are not supported"
#endif

/* Less than any C library's thread descriptor. */
#define PTHREAD_BYTES 1024

#define TEXT_OF(number)       #number
#define VERSION(major, minor) TEXT_OF(major) "." TEXT_OF(minor)
static const char built_version[] = VERSION(PY_MAJOR_VERSION, PY_MINOR_VERSION);

const char *cprof_python_built_version(void)
{
    return built_version;
}

/* dlsym returns an object pointer; POSIX guarantees that it can hold a function's. */
static void find_symbol(void *slot, const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);

    memcpy(slot, &symbol, sizeof(symbol));
}

static bool is_built_version(const char *version)
{
    size_t length = strlen(built_version);

    return strncmp(version, built_version, length) == 0 && version[length] == '.';
}

/* "3.13.0 (main, ...)" to "3.13". */
static void copy_minor_version(char *to, size_t to_bytes, const char *full_version)
{
    size_t length = strcspn(full_version, ".");

    if (full_version[length] == '.') {
        length += 1 + strspn(full_version + length + 1, "0123456789");
    }
    (void)snprintf(to, to_bytes, "%.*s", (int)length, full_version);
}

static enum cprof_python_found check_version(const char *full_version, struct cprof_error *error)
{
    char minor_version[32];

    if (strstr(full_version, "free-threading")) {
        (void)cprof_fail(error, "this server runs a free-threaded CPython, which is not supported");
        return CPROF_PYTHON_REFUSED;
    }
    if (!is_built_version(full_version)) {
        copy_minor_version(minor_version, sizeof(minor_version), full_version);
        (void)cprof_fail(error,
                         "built for CPython %s, but this server runs %s; rebuild with "
                         "PYTHON=python%s uwsgi --build-plugin DIR",
                         built_version, minor_version, minor_version);
        return CPROF_PYTHON_REFUSED;
    }
    return CPROF_PYTHON_READY;
}

enum cprof_python_found cprof_python_find(struct cprof_python *python, struct cprof_error *error)
{
    const char *(*get_version)(void);
    enum cprof_python_found found;

    *python = (struct cprof_python){.layout = built_layout};
    find_symbol(&get_version, "Py_GetVersion");
    if (!get_version) {
        return CPROF_PYTHON_ABSENT;
    }
    found = check_version(get_version(), error);
    if (found != CPROF_PYTHON_READY) {
        return found;
    }
    (void)snprintf(python->version, sizeof(python->version), "%.*s",
                   (int)strcspn(get_version(), " "), get_version());
    find_symbol(&python->current_thread_state, built_layout.current_symbol);
    find_symbol(&python->gilstate_thread_state, "PyGILState_GetThisThreadState");
    find_symbol(&python->interpreter_head, "PyInterpreterState_Head");
    find_symbol(&python->interpreter_threads_head, "PyInterpreterState_ThreadHead");
    find_symbol(&python->code_type, "PyCode_Type");
    find_symbol(&python->frame_type, "PyFrame_Type");
    find_symbol(&python->context_type, "PyContext_Type");
    python->type_new = offsetof(PyTypeObject, tp_new);
    python->type_dealloc = offsetof(PyTypeObject, tp_dealloc);
    find_symbol(&python->eval_start, "_PyEval_EvalFrameDefault");
    if (!python->current_thread_state || !python->gilstate_thread_state ||
        !python->interpreter_head || !python->interpreter_threads_head || !python->code_type) {
        (void)cprof_fail(error, "CPython %s does not export what a profiler needs",
                         python->version);
        return CPROF_PYTHON_REFUSED;
    }
    python->code_dealloc_address =
        (uintptr_t)python->code_type + offsetof(PyTypeObject, tp_dealloc);
    return CPROF_PYTHON_READY;
}

/* The one place in the first words of the thread's descriptor that holds its id (720 in glibc
 * 2.36 and 2.43). 0 if there is none or more than one. */
static uint16_t find_pthread_tid_offset(void)
{
    const char *descriptor = (const char *)pthread_self(); /* NOLINT(performance-no-int-to-ptr) */
    pid_t tid = (pid_t)syscall(SYS_gettid);
    uint16_t found = 0, places = 0;

    for (uint16_t offset = 0; offset < PTHREAD_BYTES; offset += sizeof(pid_t)) {
        if (memcmp(descriptor + offset, &tid, sizeof(tid)) == 0) {
            found = offset;
            places++;
        }
    }
    return places == 1 ? found : 0;
}

static void clean_nothing(void *unused)
{
    (void)unused;
}

/* The one place in the thread's descriptor that holds the address of the cleanup handler which was
 * pushed last (760 in glibc 2.36). 0 if there is none or more than one. */
static uint16_t find_pthread_cleanup_offset(void)
{
    const char *descriptor = (const char *)pthread_self(); /* NOLINT(performance-no-int-to-ptr) */
    struct _pthread_cleanup_buffer buffer;
    const void *pushed = &buffer;
    void (*push)(struct _pthread_cleanup_buffer *, void (*)(void *), void *);
    void (*pop)(struct _pthread_cleanup_buffer *, int);
    uint16_t found = 0, places = 0;

    find_symbol(&push, "_pthread_cleanup_push");
    find_symbol(&pop, "_pthread_cleanup_pop");
    if (!push || !pop) {
        return 0;
    }
    push(&buffer, clean_nothing, NULL);
    for (uint16_t offset = 0; offset < PTHREAD_BYTES; offset += sizeof(void *)) {
        if (memcmp(descriptor + offset, &pushed, sizeof(pushed)) == 0) {
            found = offset;
            places++;
        }
    }
    pop(&buffer, 0);
    return places == 1 ? found : 0;
}

/* The object that the dynamic linker knows by this name. */
static void find_object(const char *name, uintptr_t *low, uintptr_t *high)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    const ElfW(Sym) *entry = NULL;
    Dl_info ignored;

    if (symbol && dladdr1(symbol, &ignored, (void **)&entry, RTLD_DL_SYMENT) && entry) {
        *low = (uintptr_t)symbol;
        *high = *low + entry->st_size;
    }
}

struct segment_search {
    uintptr_t address, low, high;
};

/* Is the address in a writable segment of this object? */
static int search_segment(struct dl_phdr_info *object, size_t bytes, void *data)
{
    struct segment_search *search = data;

    (void)bytes;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uintptr_t low = object->dlpi_addr + header->p_vaddr;

        if (header->p_type == PT_LOAD && (header->p_flags & PF_W) && search->address >= low &&
            search->address < low + header->p_memsz) {
            search->low = low;
            search->high = low + header->p_memsz;
            return 1;
        }
    }
    return 0;
}

struct text_search {
    uintptr_t address, low, high;
};

/* Is the address in this object? Then what it has of executable segments is wanted. */
static int search_text(struct dl_phdr_info *object, size_t bytes, void *data)
{
    struct text_search *search = data;
    uintptr_t text_low = UINTPTR_MAX, text_high = 0;
    bool is_inside = false;

    (void)bytes;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uintptr_t low = object->dlpi_addr + header->p_vaddr, high = low + header->p_memsz;

        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X)) {
            continue;
        }
        text_low = low < text_low ? low : text_low;
        text_high = high > text_high ? high : text_high;
        is_inside = is_inside || (search->address >= low && search->address < high);
    }
    if (is_inside) {
        search->low = text_low;
        search->high = text_high;
    }
    return is_inside;
}

/* The loop may have parts that the compiler put elsewhere (".cold"), and what it calls is the
 * interpreter, too: so the object as a whole. */
static void find_text(struct cprof_python *python)
{
    struct text_search search = {.address = python->eval_start};

    if (!search.address) {
        search.address = (uintptr_t)dlsym(RTLD_DEFAULT, "PyEval_EvalCode");
    }
    (void)dl_iterate_phdr(search_text, &search);
    python->text_low = search.low;
    python->text_high = search.high;
}

static void find_gil(struct cprof_python *python, const char *interpreter)
{
    const struct cprof_python_layout *layout = &python->layout;
    struct segment_search search = {0};

    switch ((enum cprof_gil_place)layout->gil_place) {
    case CPROF_GIL_IN_DATA:
        search.address = (uintptr_t)dlsym(RTLD_DEFAULT, "_PyThreadState_Current");
        (void)dl_iterate_phdr(search_segment, &search);
        python->gil_low = search.low;
        python->gil_high = search.high;
        break;
    case CPROF_GIL_IN_RUNTIME:
        find_object("_PyRuntime", &python->gil_low, &python->gil_high);
        break;
    case CPROF_GIL_BY_INTERPRETER:
        memcpy(&python->gil_low, interpreter + layout->interp_gil, sizeof(python->gil_low));
        python->gil_high = python->gil_low + layout->gil_bytes;
        break;
    }
}

void cprof_python_attach(struct cprof_python *python)
{
    char *interpreter = python->interpreter_head();
    void *threads_head;

    /* PyInterpreterState is the one structure that was seen to differ within a minor version
     * (in a pre-release), so its offsets are compared with what the exported getters say. */
    find_text(python);
    if (!interpreter) {
        return;
    }
    python->pthread_tid_offset = find_pthread_tid_offset();
    python->pthread_cleanup_offset = find_pthread_cleanup_offset();
    memcpy(&threads_head, interpreter + python->layout.interp_threads_head, sizeof(threads_head));
    python->can_enumerate =
        threads_head && threads_head == python->interpreter_threads_head(interpreter);
    if (python->can_enumerate) {
        find_gil(python, interpreter);
    }
}
