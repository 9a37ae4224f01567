/* gil_state.c - see gil_state.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_state.h"

bool cprof_gil_is_mine(const struct cprof_python *python, uintptr_t state)
{
    uintptr_t current = (uintptr_t)python->current_thread_state();

    if (python->layout.current == CPROF_CURRENT_OF_HOLDER) {
        return current != 0 && current == state;
    }
    return current != 0;
}

static bool reads_one(enum cprof_peek_way way, uintptr_t address)
{
    int32_t word = 0;

    return cprof_peek_bytes(way, &word, address, sizeof(word)) && word == 1;
}

bool cprof_gil_is_of(const struct cprof_python *python, enum cprof_peek_way way, uintptr_t state)
{
    const struct cprof_python_layout *layout = &python->layout;

    if (!state) {
        return false;
    }
    switch ((enum cprof_gil_owner)layout->gil_owner) {
    case CPROF_GIL_OWNER_CURRENT:
        return (uintptr_t)python->current_thread_state() == state;
    case CPROF_GIL_OWNER_LAST_HOLDER:
        return python->gil_low && reads_one(way, python->gil_low + layout->gil_locked) &&
               cprof_peek_word(way, python->gil_low + layout->gil_last_holder, 0) == state;
    case CPROF_GIL_OWNER_ATTACHED:
        return reads_one(way, state + layout->tstate_status);
    }
    return false;
}
