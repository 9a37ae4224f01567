/* single_step.c - see single_step.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "single_step.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static single_step_visit *visitor;
static uint64_t instants;

static void on_trap(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number, (void)info;
    instants++;
    visitor(context);
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
    return instants;
}
