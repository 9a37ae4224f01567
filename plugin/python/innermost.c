/* innermost.c - see innermost.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "innermost.h"

#include <stddef.h>

#define FRAME_WORDS_MAX 16u

/* Python calls that one evaluation loop runs inside one another, at most. */
#define FRAMES_MAX 4096u

/* The loop's own frame and its _PyCFrame are locals of one C function. */
#define LOCALS_BYTES 512u

enum owner {
    OWNER_THREAD = 0, /* enum _frameowner: on the data stack */
    OWNER_GENERATOR = 1,
};

/* A frame, as read. */
struct innermost_frame {
    uintptr_t address;
    uint64_t words[FRAME_WORDS_MAX];
};

/* Where one is asked. */
struct question {
    const struct cprof_python_layout *layout;
    enum cprof_peek_way way;
    uintptr_t tstate;
};

static uintptr_t read_word(const struct question *question, uintptr_t address)
{
    return (uintptr_t)cprof_peek_word(question->way, address, UINTPTR_MAX);
}

static bool read_frame(const struct question *question, uintptr_t address,
                       struct innermost_frame *frame)
{
    frame->address = address;
    return address != 0 && address % sizeof(uint64_t) == 0 &&
           cprof_peek_words(question->way, frame->words, address,
                            question->layout->frame_bytes / sizeof(uint64_t));
}

static uintptr_t word_of(const struct innermost_frame *frame, uint16_t offset)
{
    return (uintptr_t)frame->words[offset / sizeof(uint64_t)];
}

static uint8_t byte_of(const struct innermost_frame *frame, uint16_t offset)
{
    return (uint8_t)(frame->words[offset / sizeof(uint64_t)] >> (offset % sizeof(uint64_t) * 8));
}

static uint8_t owner_of(const struct question *question, const struct innermost_frame *frame)
{
    return byte_of(frame, question->layout->frame_owner);
}

static bool is_python(const struct question *question, const struct innermost_frame *frame)
{
    return owner_of(question, frame) < question->layout->owner_not_python;
}

/* Where a frame on the data stack ends (_PyFrame_PushUnchecked). 0: that cannot be read. */
static uintptr_t end_of(const struct question *question, const struct innermost_frame *frame)
{
    const struct cprof_python_layout *layout = question->layout;
    uintptr_t code = word_of(frame, layout->frame_code);
    int32_t locals, stack;

    if (code == 0 || code % sizeof(void *) != 0 ||
        !cprof_peek_bytes(question->way, &locals, code + layout->code_locals, sizeof(locals)) ||
        !cprof_peek_bytes(question->way, &stack, code + layout->code_stack, sizeof(stack)) ||
        locals < 0 || stack < 0) {
        return 0;
    }
    return frame->address + layout->frame_bytes +
           ((uintptr_t)locals + (uintptr_t)stack) * sizeof(void *);
}

static bool is_executed(const struct question *question, const struct innermost_frame *frame)
{
    int8_t state;

    return cprof_peek_bytes(question->way, &state,
                            frame->address - question->layout->generator_state_before,
                            sizeof(state)) &&
           state == question->layout->generator_executing;
}

/* Can this be the innermost frame of the thread now? `before`: what was innermost when the loop
 * was entered, 0: nothing. */
static bool is_live(const struct question *question, const struct innermost_frame *frame,
                    uintptr_t before)
{
    if (!is_python(question, frame)) {
        return true; /* the loop's own: its link is all that is used of it */
    }
    switch (owner_of(question, frame)) {
    case OWNER_THREAD:
        return end_of(question, frame) ==
               read_word(question, question->tstate + question->layout->tstate_data_top);
    case OWNER_GENERATOR:
        /* Without a frame of the loop's own nothing says whose the generator is if nobody called
         * it: another thread may execute it. */
        return is_executed(question, frame) && (before != 0 || !question->layout->frame_is_entry);
    default:
        return false; /* a frame object's: it has returned */
    }
}

/* Has the frame `before` that called it, or a part of the data stack between them, no word in
 * common with it? */
static bool lies_above(const struct question *question, const struct innermost_frame *frame,
                       uintptr_t before)
{
    struct innermost_frame caller;
    uintptr_t end;

    if (before == 0 || !is_python(question, frame) || owner_of(question, frame) != OWNER_THREAD) {
        return true;
    }
    if (!read_frame(question, before, &caller)) {
        return false;
    }
    if (owner_of(question, &caller) != OWNER_THREAD) {
        return true;
    }
    end = end_of(question, &caller);
    return end != 0 && (frame->address >= end || frame->address < caller.address);
}

/* Is this the frame with which the loop was entered? From 3.12 on that is the loop's own. */
static bool is_entry(const struct question *question, const struct innermost_frame *frame,
                     uintptr_t cframe)
{
    if (question->layout->frame_is_entry) {
        return byte_of(frame, question->layout->frame_is_entry) == 1;
    }
    return !is_python(question, frame) && frame->address - cframe + LOCALS_BYTES < 2 * LOCALS_BYTES;
}

/* Follows the links to the loop's first frame, and asks for its link. */
static bool leads_to(const struct question *question, struct innermost_frame *frame,
                     uintptr_t cframe, uintptr_t before)
{
    struct innermost_frame last = *frame;

    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        uintptr_t previous = word_of(frame, question->layout->frame_previous);

        if (is_entry(question, frame, cframe)) {
            return previous == before &&
                   lies_above(question, is_python(question, frame) ? frame : &last, before);
        }
        last = *frame;
        if (!is_python(question, frame) || !read_frame(question, previous, frame)) {
            return false;
        }
    }
    return false;
}

bool cprof_innermost_is_stored(const struct cprof_python *python, enum cprof_peek_way way,
                               uintptr_t tstate)
{
    const struct cprof_python_layout *layout = &python->layout;
    const struct question question = {.layout = layout, .way = way, .tstate = tstate};
    uintptr_t cframe, outer, before;
    struct innermost_frame frame;

    if (!layout->links_late) {
        return true;
    }
    cframe = read_word(&question, tstate + layout->tstate_head);
    if (cframe == tstate + layout->tstate_root_cframe) {
        return read_word(&question, cframe + layout->cframe_current_frame) == 0;
    }
    outer = read_word(&question, cframe + layout->cframe_previous);
    before = read_word(&question, outer + layout->cframe_current_frame);
    return read_frame(&question, read_word(&question, cframe + layout->cframe_current_frame),
                      &frame) &&
           is_live(&question, &frame, before) && leads_to(&question, &frame, cframe, before);
}
