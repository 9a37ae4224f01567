/* single_step.c - see single_step.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "single_step.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PLACES      (1u << 20)
#define TRAP_FLAG   0x100
#define BREAK_BYTES 1 /* of the instruction int3 */

/* The linker's: where the program's file begins, and where its code ends. */
extern const char __executable_start, etext;

/* A hash table of all instructions visited. */
struct place {
    _Atomic uintptr_t pc;
    _Atomic uint32_t times;
};

static struct place places[PLACES];
static single_step_visit *visitor;
static _Atomic uint64_t instants;

static struct {
    unsigned char *at; /* NULL: none */
    uint32_t left;
    unsigned char original;
    bool is_stepped_over, steps_on;
} breakpoint;

static struct place *place_of(uintptr_t pc)
{
    uintptr_t index = pc * 0x9e3779b97f4a7c15u >> 44;

    for (uint32_t tried = 0; tried < PLACES; tried++, index++) {
        struct place *place = &places[index % PLACES];
        uintptr_t present = atomic_load(&place->pc);

        if (present == pc ||
            (present == 0 &&
             (atomic_compare_exchange_strong(&place->pc, &present, pc) || present == pc))) {
            return place;
        }
    }
    abort();
}

static void visit_instant(const ucontext_t *interrupted)
{
    atomic_fetch_add(&instants, 1);
    atomic_fetch_add(&place_of((uintptr_t)interrupted->uc_mcontext.gregs[REG_RIP])->times, 1);
    visitor(interrupted);
}

/* Stops at the instruction, behind int3, or behind the instruction itself, one step later. */
static void on_break(ucontext_t *context)
{
    greg_t *registers = context->uc_mcontext.gregs;

    if (breakpoint.is_stepped_over) {
        breakpoint.is_stepped_over = false;
        *breakpoint.at = 0xcc;
        registers[REG_EFL] &= ~TRAP_FLAG;
        return;
    }
    *breakpoint.at = breakpoint.original;
    registers[REG_RIP] -= BREAK_BYTES;
    if (--breakpoint.left > 0) {
        breakpoint.is_stepped_over = true;
        registers[REG_EFL] |= TRAP_FLAG;
        return;
    }
    breakpoint.at = NULL;
    if (breakpoint.steps_on) {
        registers[REG_EFL] |= TRAP_FLAG;
    }
    visit_instant(context);
}

static void on_trap(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number, (void)info;
    if (breakpoint.at) {
        on_break(context);
    } else {
        visit_instant(context);
    }
}

void single_step_setup(single_step_visit *visit)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

    visitor = visit;
    if (sigaction(SIGTRAP, &action, NULL) != 0) {
        perror("sigaction");
        exit(1);
    }
}

uint64_t single_step_instants(void)
{
    return atomic_load(&instants);
}

uint32_t single_step_times(const ucontext_t *interrupted)
{
    return atomic_load(&place_of((uintptr_t)interrupted->uc_mcontext.gregs[REG_RIP])->times);
}

void single_step_forget_times(void)
{
    for (uint32_t i = 0; i < PLACES; i++) {
        atomic_store(&places[i].times, 0);
    }
}

uint64_t single_step_different(uintptr_t low, uintptr_t high)
{
    uint64_t different = 0;

    for (uint32_t i = 0; i < PLACES; i++) {
        uintptr_t pc = atomic_load(&places[i].pc);

        different += pc >= low && pc < high;
    }
    return different;
}

uint64_t single_step_different_own(void)
{
    return single_step_different((uintptr_t)&__executable_start, (uintptr_t)&etext);
}

void single_step_break(uintptr_t pc, uint32_t times, bool steps_on)
{
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);

    if (mprotect((void *)(pc & ~(page_bytes - 1)), page_bytes,
                 PROT_READ | PROT_WRITE | PROT_EXEC) != 0) {
        perror("mprotect");
        exit(1);
    }
    breakpoint.left = times;
    breakpoint.steps_on = steps_on;
    breakpoint.original = *(unsigned char *)pc;
    breakpoint.at = (unsigned char *)pc;
    *breakpoint.at = 0xcc;
}

bool single_step_break_end(void)
{
    bool was_reached = !breakpoint.at;

    if (breakpoint.at) {
        *breakpoint.at = breakpoint.original;
        breakpoint.at = NULL;
    }
    return was_reached;
}

bool single_step_all(int argument_count, char **arguments)
{
    return argument_count > 1 && strcmp(arguments[argument_count - 1], "all") == 0;
}
