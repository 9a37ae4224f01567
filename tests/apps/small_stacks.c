/* small_stacks.c - alternate stacks of any size, with a look at what was written below them.
 * tests/apps/small_stacks.py loads it by ctypes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PAINT 0xa5

/* Below the stack: somebody else's memory. */
#define CANARY_BYTES 16384

/* Handlers and the kernel put things at multiples of this. */
#define ALIGNMENT 64

static volatile uintptr_t handler_frame;

long small_stacks_kernel_frame(void);
long small_stacks_run(long bytes, void (*callback)(void));

static int set_stack(void *memory, size_t bytes)
{
    stack_t stack = {.ss_sp = memory, .ss_size = bytes, .ss_flags = memory ? 0 : SS_DISABLE};

    return sigaltstack(&stack, NULL);
}

static void note_frame(int signal_number)
{
    (void)signal_number;
    handler_frame = (uintptr_t)__builtin_frame_address(0);
}

/* How much of an alternate stack the kernel uses before a handler runs; -1: it failed. */
long small_stacks_kernel_frame(void)
{
    static _Alignas(ALIGNMENT) char memory[65536];
    struct sigaction action = {.sa_handler = note_frame, .sa_flags = SA_ONSTACK};
    struct sigaction before;

    if (set_stack(memory, sizeof(memory)) != 0 || sigaction(SIGUSR2, &action, &before) != 0 ||
        raise(SIGUSR2) != 0 || sigaction(SIGUSR2, &before, NULL) != 0 || set_stack(NULL, 0) != 0) {
        return -1;
    }
    return (long)((uintptr_t)memory + sizeof(memory) - handler_frame);
}

/* Calls back with an alternate stack of so many bytes. Returns how many of them were written to,
 * -1 if something below them was, -2 if there is no such stack. */
long small_stacks_run(long bytes, void (*callback)(void))
{
    size_t all = CANARY_BYTES + (size_t)bytes, untouched = 0;
    unsigned char *memory;

    if (bytes % ALIGNMENT != 0 || posix_memalign((void **)&memory, ALIGNMENT, all) != 0) {
        return -2;
    }
    memset(memory, PAINT, all);
    if (set_stack(memory + CANARY_BYTES, (size_t)bytes) != 0) {
        free(memory);
        return -2;
    }
    callback();
    (void)set_stack(NULL, 0);
    while (untouched < all && memory[untouched] == PAINT) {
        untouched++;
    }
    free(memory);
    return untouched < CANARY_BYTES ? -1 : (long)(all - untouched);
}
