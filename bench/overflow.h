/* overflow.h - measures what an overflow of a profiler's timer costs the thread it interrupts.
 *
 * Built as a library that an ordinary Python loads with ctypes.PyDLL, so that the GIL is held
 * and the frames of the calling Python program are the stack that the handler walks. The rooms
 * of the plugin are linked in as they are; the window that they sample in is opened here. In a
 * process of its own another profiler's handler can be measured in the same way.
 *
 * Method    bench_spin reads the clock in a tight loop. An iteration that takes long was
 *           interrupted; if the handler ran meanwhile, its length is the cost of one overflow:
 *           the interrupt, delivery of the signal, the handler, and the return. Iterations in
 *           which another thread had the processor, or in which another engine's overflow came,
 *           do not count.
 * Callers   bench/overflow.py, in the main thread. Everything is once a process.
 * Memory    the arrays belong to the caller; the segment lasts as long as the process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_BENCH_OVERFLOW_H
#define CPROF_BENCH_OVERFLOW_H

#include <stdbool.h>
#include <stdint.h>

/* What happens at an overflow. */
enum bench_handler {
    BENCH_PROFILER, /* the handler of the profiler that was started */
    BENCH_EMPTY,    /* one that arms the plugin's timer again and does nothing else */
    BENCH_NONE,     /* the signal is ignored; the spinning loop arms the timer again */
};

/* What overflows. */
enum bench_engine {
    BENCH_TIMER, /* a CPU timer, the thread's alone; that of another profiler, too */
    BENCH_PERF,  /* the perf event, the slow timer beside it as the plugin wants it */
    BENCH_ENGINES,
};

/* Where bench_spin puts what it finds. */
struct bench_gaps {
    uint64_t *overflow_ns; /* iterations in which one overflow of the engine was handled */
    uint32_t overflow_count;
    uint32_t overflow_max;
    uint64_t *tick_ns; /* the other long ones: for the most part the kernel's tick alone */
    uint32_t tick_count;
    uint32_t tick_max;
    uint64_t *walked; /* memory that each iteration reads a piece of, to cool the caches */
    uint32_t walked_words;
    uint32_t walk_next;
};

/* Samples that the handler took, and ticks that it missed or had no room for. */
struct bench_counts {
    uint64_t samples;
    uint64_t misses;
    uint64_t log_full;
};

/* Starts the plugin's sampling in this process and waits until the calling thread's timer is
 * armed. Returns NULL, or a sentence that says what failed. */
const char *bench_start(uint32_t max_depth, uint64_t period_ns);

/* Takes the handler that stands for the signal as the one to be measured, instead of
 * bench_start: of a profiler that samples this process by ITIMER_PROF. As above. */
const char *bench_adopt(int signal_number, uint64_t period_ns);

/* Chooses the handler and the engine for the overflows to come. False: the kernel refuses perf
 * events. */
bool bench_use(enum bench_handler handler, enum bench_engine engine);

/* Whether the calling thread is in a request from now on that has every tag of a request, two
 * that were set for it, and two of its Python context. At first it is in none. False: no memory. */
bool bench_tag(bool tagged);

/* Spins until `more` further overflows are in *gaps, at most for 1000 periods for each.
 * Returns how many were added. */
uint32_t bench_spin(struct bench_gaps *gaps, uint32_t more);

void bench_read_counts(struct bench_counts *counts);

#endif
