/* sleeper.h - an empty thread that sleeps at 100 Hz, for bench/sleepers_app.py to load.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SLEEPER_H
#define BENCH_SLEEPER_H

#include <stdint.h>

/* Starts it; not 0: it runs. Once a process. */
__attribute__((visibility("default"))) int bench_sleeper_start(void);

/* The CPU time that it has used, ns. */
__attribute__((visibility("default"))) uint64_t bench_sleeper_cpu_ns(void);

#endif
