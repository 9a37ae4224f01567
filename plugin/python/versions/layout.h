/* layout.h - what the plugin must know of one CPython minor version, as data.
 *
 * One file in versions/ fills one struct for the version whose headers the plugin is built
 * with; nothing else in the tree asks which version it is. Offsets come from offsetof on the
 * installed headers and hold within a minor version (3.11.2 and 3.11.7, 3.13.0 and 3.13.5 were
 * compared); python/runtime.c checks what can be checked against the running interpreter.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_LAYOUT_H
#define CPROF_PYTHON_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

/* What a frame keeps of where it is. */
enum cprof_instruction_kind {
    CPROF_INSTRUCTION_POINTER,     /* an address inside the code object (3.11 and later) */
    CPROF_INSTRUCTION_INDEX_BYTES, /* a byte offset, -1: not started (3.6 to 3.9) */
    CPROF_INSTRUCTION_INDEX_UNITS, /* the same in units of two bytes (3.10) */
};

/* How a thread state leads to its innermost frame. */
enum cprof_frame_head {
    CPROF_HEAD_CFRAME, /* tstate->cframe->current_frame (3.11, 3.12) */
    CPROF_HEAD_DIRECT, /* tstate->frame (up to 3.10), tstate->current_frame (3.13 and later) */
};

/* What the interpreter's non-fatal getter of the current thread state returns. */
enum cprof_current_kind {
    CPROF_CURRENT_OF_HOLDER, /* the state of whichever thread holds the GIL (up to 3.11) */
    CPROF_CURRENT_OF_CALLER, /* the calling thread's own, or NULL without the GIL (3.12 on) */
};

/* Where the interpreter keeps its lock, whose address tells a thread that waits for it. */
enum cprof_gil_place {
    CPROF_GIL_IN_DATA,       /* static data of the interpreter's object (3.6) */
    CPROF_GIL_IN_RUNTIME,    /* in _PyRuntime, where all other locks are pointers (3.7 to 3.11) */
    CPROF_GIL_BY_INTERPRETER /* interpreters point to it (3.12 and later) */
};

/* What tells from outside whether a thread state has the interpreter's lock. */
enum cprof_gil_owner {
    CPROF_GIL_OWNER_CURRENT,     /* the current thread state is the holder's (up to 3.11) */
    CPROF_GIL_OWNER_LAST_HOLDER, /* the lock says so (3.12) */
    CPROF_GIL_OWNER_ATTACHED,    /* the thread state says so (3.13 and later) */
};

struct cprof_python_layout {
    uint8_t minor;       /* of CPython 3.minor */
    uint8_t head;        /* enum cprof_frame_head */
    uint8_t current;     /* enum cprof_current_kind */
    uint8_t instruction; /* enum cprof_instruction_kind */
    uint8_t line_format; /* enum cprof_line_format of segment/layout.h */
    uint8_t gil_place;   /* enum cprof_gil_place */
    uint8_t gil_owner;   /* enum cprof_gil_owner */

    /* The compiler may store a frame as the innermost one before it stores the frame's link to
     * its caller, and a _PyCFrame as the innermost one before its frame (3.11, 3.12). */
    bool links_late;
    uint16_t entry_window_bytes; /* from the start of _PyEval_EvalFrameDefault */

    const char *current_symbol; /* the getter's name */

    /* PyThreadState. */
    uint16_t tstate_next;
    uint16_t tstate_interp;
    uint16_t tstate_id;
    uint16_t tstate_native_thread_id; /* 0: not kept (up to 3.10) */
    uint16_t tstate_thread_id;        /* pthread_self(); 0 where the native id is kept */
    uint16_t tstate_owner;            /* the same in all versions */
    uint16_t tstate_head;             /* frame, cframe or current_frame */
    uint16_t tstate_context;          /* the running context, may be NULL; 0: not kept (3.6) */
    uint16_t tstate_context_version;  /* 8 bytes that count switches of context; 0: not kept */

    uint16_t context_previous; /* in a context: the one it was entered in; 0: not kept (3.6) */

    /* _PyCFrame. */
    uint16_t cframe_current_frame;
    uint16_t cframe_previous;

    /* What innermost.c asks, with links_late. */
    uint16_t tstate_root_cframe;     /* the _PyCFrame that is there before any call */
    uint16_t tstate_data_top;        /* datastack_top: where the next frame will be pushed */
    uint16_t frame_is_entry;         /* 0: the evaluation loop has a frame of its own (3.12) */
    uint16_t code_locals;            /* co_nlocalsplus, an int */
    uint16_t code_stack;             /* co_stacksize, an int */
    uint16_t generator_state_before; /* a generator's frame follows its state by so many bytes */
    int8_t generator_executing;

    /* PyInterpreterState. */
    uint16_t interp_next;
    uint16_t interp_threads_head;
    uint16_t interp_gil; /* with CPROF_GIL_BY_INTERPRETER: the pointer, and its target's size */
    uint16_t gil_bytes;

    /* Who has the lock, by gil_owner. */
    uint16_t gil_last_holder; /* both in the lock: a thread state, */
    uint16_t gil_locked;      /* and an int, 1: it has the lock now */
    uint16_t tstate_status;   /* in PyThreadState: an int, 1: attached */

    /* _PyInterpreterFrame, or PyFrameObject up to 3.10. */
    uint16_t frame_bytes; /* what must be read of one, a multiple of 8 */
    uint16_t frame_code;
    uint16_t frame_previous;
    uint16_t frame_instruction;
    uint16_t frame_owner;        /* 0: frames have none, and are complete from the start */
    uint16_t frame_object_frame; /* in a PyFrameObject: its frame; 0: it is the frame itself */
    uint8_t code_tag_mask;       /* bits of frame_code that are no address */
    uint8_t owner_generator;
    uint8_t owner_not_python; /* this owner and greater ones are no Python frames; 255: none */

    /* PyCodeObject. */
    uint16_t code_bytes; /* what must be read of one, a multiple of 8 */
    uint16_t code_name;
    uint16_t code_qualified_name; /* 0: not kept (up to 3.10) */
    uint16_t code_file;
    uint16_t code_first_line;
    uint16_t code_line_table;
    uint16_t code_first_traceable; /* index of the first instruction of a complete frame */
    uint16_t code_bytecode;

    /* PyBytesObject and PyUnicodeObject. */
    uint16_t object_type; /* ob_type */
    uint16_t bytes_size;
    uint16_t bytes_data;
    uint16_t unicode_length;
    uint16_t unicode_state;
    uint16_t unicode_ascii_data;   /* sizeof(PyASCIIObject) */
    uint16_t unicode_compact_data; /* sizeof(PyCompactUnicodeObject) */
};

#endif
