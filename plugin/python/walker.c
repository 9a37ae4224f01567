/* walker.c - see walker.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "walker.h"

#define FRAME_WORDS_MAX 16u

/* No function is longer: what lies outside is no instruction of its code object. */
#define BYTECODE_BYTES_MAX (64 * 1024 * 1024)

/* Frames without Python code between two with it (C stack frames, shims). */
#define SKIPPED_FRAMES_MAX 4096u

struct frame_words {
    uint64_t words[FRAME_WORDS_MAX];
};

static uintptr_t word_at(const struct frame_words *frame, uint16_t offset)
{
    return (uintptr_t)frame->words[offset / sizeof(uint64_t)];
}

static uint8_t byte_at(const struct frame_words *frame, uint16_t offset)
{
    return (uint8_t)(frame->words[offset / sizeof(uint64_t)] >> (offset % sizeof(uint64_t) * 8));
}

/* The innermost frame, or 0 for none; UINTPTR_MAX if it cannot be read. */
static uintptr_t innermost_frame(const struct cprof_python_layout *layout, enum cprof_peek_way way,
                                 uintptr_t tstate)
{
    uintptr_t head = (uintptr_t)cprof_peek_word(way, tstate + layout->tstate_head, UINTPTR_MAX);

    if (layout->head == CPROF_HEAD_DIRECT || head == UINTPTR_MAX) {
        return head;
    }
    return (uintptr_t)cprof_peek_word(way, head + layout->cframe_current_frame, UINTPTR_MAX);
}

bool cprof_has_frames(const struct cprof_python *python, enum cprof_peek_way way, uintptr_t tstate)
{
    uintptr_t frame = innermost_frame(&python->layout, way, tstate);

    return frame != 0 && frame != UINTPTR_MAX;
}

static bool in_entry_window(const struct cprof_python *python, uintptr_t pc)
{
    return python->layout.links_late && pc - python->eval_start < python->layout.entry_window_bytes;
}

/* Where the frame is, in bytes of its code object's bytecode; negative: not started. */
static int64_t byte_offset_of(const struct cprof_python_layout *layout,
                              const struct frame_words *words, uintptr_t code)
{
    uintptr_t instruction = word_at(words, layout->frame_instruction);

    switch (layout->instruction) {
    case CPROF_INSTRUCTION_INDEX_BYTES:
        return (int32_t)instruction;
    case CPROF_INSTRUCTION_INDEX_UNITS:
        return (int64_t)(int32_t)instruction * 2;
    default:
        return (int64_t)(instruction - code - layout->code_bytecode);
    }
}

/* False if the words make no frame. */
static bool interpret(const struct cprof_python_layout *layout, const struct frame_words *words,
                      struct cprof_raw_frame *frame)
{
    int64_t offset;

    frame->code = word_at(words, layout->frame_code) & ~(uintptr_t)layout->code_tag_mask;
    offset = byte_offset_of(layout, words, frame->code);
    frame->byte_offset = (int32_t)offset;
    frame->owner =
        !layout->frame_owner || byte_at(words, layout->frame_owner) == layout->owner_generator;
    return frame->code != 0 && frame->code % sizeof(void *) == 0 && offset >= -2 &&
           offset < BYTECODE_BYTES_MAX;
}

static bool is_python(const struct cprof_python_layout *layout, const struct frame_words *words)
{
    return !layout->frame_owner || byte_at(words, layout->frame_owner) < layout->owner_not_python;
}

/* From 3.12 on the evaluation loop puts a frame of its own under those that it runs, so that a
 * chain which ends in a Python frame has a link that was not stored yet: a generator's frame
 * that is being resumed. */
static bool may_end_in_python(const struct cprof_python_layout *layout)
{
    return !layout->links_late || layout->owner_not_python == UINT8_MAX;
}

/* Which chain to walk, and where to. */
struct walk {
    struct cprof_raw_frame *frames;
    uint32_t frames_max;
    uint32_t *depth;
    bool *truncated;
    bool is_running; /* its links may be late */
};

static enum cprof_walk walk_from(const struct cprof_python *python, enum cprof_peek_way way,
                                 uintptr_t address, const struct walk *walk)
{
    const struct cprof_python_layout *layout = &python->layout;
    const size_t frame_words = layout->frame_bytes / sizeof(uint64_t);
    uint32_t skipped = 0, depth = 0;
    bool ends_in_python = false, is_pure = true, is_late = walk->is_running && layout->links_late;

    for (; address; *walk->depth = depth) {
        struct frame_words words;

        if (!cprof_peek_words(way, words.words, address, frame_words)) {
            return CPROF_WALK_UNREADABLE;
        }
        address = word_at(&words, layout->frame_previous);
        ends_in_python = is_python(layout, &words);
        is_pure = is_pure && ends_in_python;
        if (!ends_in_python && ++skipped <= SKIPPED_FRAMES_MAX) {
            continue;
        }
        if (depth == walk->frames_max) {
            *walk->truncated = true;
            return CPROF_WALK_DONE;
        }
        if (!ends_in_python || !interpret(layout, &words, &walk->frames[depth])) {
            return CPROF_WALK_UNREADABLE;
        }
        if (is_late && depth == 0 && walk->frames[0].byte_offset < 0) {
            return CPROF_WALK_STARTING;
        }
        depth++;
    }
    if (!walk->is_running) {
        return is_pure ? CPROF_WALK_DONE : CPROF_WALK_PARKING;
    }
    return ends_in_python && !may_end_in_python(layout) ? CPROF_WALK_STARTING : CPROF_WALK_DONE;
}

enum cprof_walk cprof_walk(const struct cprof_python *python, enum cprof_peek_way way,
                           uintptr_t tstate, uintptr_t pc, struct cprof_raw_frame *frames,
                           uint32_t frames_max, uint32_t *depth, bool *truncated)
{
    struct walk walk = {frames, frames_max, depth, truncated, .is_running = true};

    *depth = 0;
    *truncated = false;
    if (in_entry_window(python, pc)) {
        return CPROF_WALK_ENTRY;
    }
    return walk_from(python, way, innermost_frame(&python->layout, way, tstate), &walk);
}

enum cprof_walk cprof_walk_parked(const struct cprof_python *python, enum cprof_peek_way way,
                                  uintptr_t frame_object, struct cprof_raw_frame *frames,
                                  uint32_t frames_max, uint32_t *depth, bool *truncated)
{
    struct walk walk = {frames, frames_max, depth, truncated, .is_running = false};
    uint16_t inner = python->layout.frame_object_frame;

    *depth = 0;
    *truncated = false;
    return walk_from(python, way,
                     inner ? (uintptr_t)cprof_peek_word(way, frame_object + inner, UINTPTR_MAX)
                           : frame_object,
                     &walk);
}
