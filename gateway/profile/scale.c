/* scale.c - see scale.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "scale.h"

#include <stdbool.h>

#include "table.h"

/* What threads that were not sampled used may be this part of a clock and still be no thread of
 * its own but time at the borders of the window. */
#define BORDER_PART 100

/* Where the stacks are that are not listed; no record stands there. */
#define REST_PLACE UINT32_MAX

/* What a stack's kernel time is looked for by: its innermost function. 0 and 1, which refer to
 * no record, are the two kinds of stacks without one. */
static uint32_t place_of(const struct cprof_stack_record *stack)
{
    if (stack->depth > 0) {
        return stack->frames[0].code_ref;
    }
    return stack->flags & CPROF_STACK_NATIVE ? 1 : 0;
}

static void sum_up(struct cprof_scale *scale, const struct cprof_log_view *view,
                   const uint32_t *stacks, size_t stack_count)
{
    const struct cprof_log_numbers *rest = &view->rest[CPROF_REST_ON_CPU];

    for (size_t i = 0; i < stack_count; i++) {
        const struct cprof_stack_record *stack = cprof_log_stack(view, stacks[i]);
        struct cprof_log_numbers numbers = cprof_log_numbers(view, stacks[i]);

        scale->raw_ns = cprof_saturating_add(scale->raw_ns, numbers.weight_ns);
        cprof_kernel_time_add(&scale->kernel_time, place_of(stack), numbers.timer_weight_ns,
                              numbers.weight_ns);
    }
    scale->raw_ns = cprof_saturating_add(scale->raw_ns, rest->weight_ns);
    cprof_kernel_time_add(&scale->kernel_time, REST_PLACE, rest->timer_weight_ns, rest->weight_ns);
    scale->raw_ns = cprof_saturating_add(scale->raw_ns, view->counters[CPROF_COUNTER_LOG_FULL_NS]);
}

/* What the stacks shall sum up to. What threads used that were not sampled (they lived for less
 * than a look, or block the signal) must not be booked on the stacks of others. */
static uint64_t choose_clock(const struct cprof_log_view *view)
{
    uint64_t clock_ns = view->counters[CPROF_COUNTER_CPU_CLOCK_NS];
    uint64_t sampled_ns = view->counters[CPROF_COUNTER_SAMPLED_CLOCK_NS];
    bool is_border = sampled_ns >= clock_ns - clock_ns / BORDER_PART;

    return is_border ? clock_ns : sampled_ns;
}

/* Perf events see user time, the timer's ticks behind system calls the time in those. What the
 * clock has beyond them was spent in the kernel elsewhere, in page faults above all. */
static void find_extra(struct cprof_scale *scale, const struct cprof_log_view *view,
                       uint64_t clock_ns)
{
    uint64_t seen_ns = cprof_saturating_add(scale->raw_ns, view->counters[CPROF_COUNTER_MISSED_NS]);

    if (view->counters[CPROF_COUNTER_OTHER_WEIGHT_NS] > 0 && clock_ns > seen_ns) {
        scale->extra_ns = cprof_kernel_time_spread(&scale->kernel_time, clock_ns - seen_ns);
        scale->raw_ns = cprof_saturating_add(scale->raw_ns, scale->extra_ns);
    }
}

/* A slot that was killed, or in which one process followed another that may have been, has a
 * clock that misses the end of a life: it is not believed where it is below the samples. A clock
 * beyond the bounds is followed to them: there the engine was broken, not only biased. */
bool cprof_scale_begin(struct cprof_scale *scale, const struct cprof_log_view *view,
                       const uint32_t *stacks, size_t stack_count)
{
    bool complete = view->closed && !view->successors;
    uint64_t clock_ns = choose_clock(view);

    *scale = (struct cprof_scale){.numerator = 1, .denominator = 1};
    if (!cprof_kernel_time_init(&scale->kernel_time, stack_count + 1)) {
        return false;
    }
    sum_up(scale, view, stacks, stack_count);
    find_extra(scale, view, clock_ns);
    if (scale->raw_ns == 0 || (clock_ns < scale->raw_ns && !complete)) {
        return true;
    }
    if (clock_ns / CPROF_SCALE_MAX > scale->raw_ns) {
        scale->numerator = CPROF_SCALE_MAX;
    } else if (clock_ns < scale->raw_ns / CPROF_SCALE_MAX) {
        scale->denominator = CPROF_SCALE_MAX;
    } else {
        scale->numerator = clock_ns;
        scale->denominator = scale->raw_ns;
    }
    return true;
}

void cprof_scale_reset(struct cprof_scale *scale)
{
    cprof_kernel_time_reset(&scale->kernel_time);
}

static uint64_t scale_numbers(struct cprof_scale *scale, const struct cprof_log_numbers *numbers,
                              uint32_t place)
{
    uint64_t share_ns = scale->extra_ns > 0 ? cprof_kernel_time_take(&scale->kernel_time, place,
                                                                     numbers->timer_weight_ns)
                                            : 0;

    return cprof_scale_weight(scale, cprof_saturating_add(numbers->weight_ns, share_ns));
}

uint64_t cprof_scale_stack(struct cprof_scale *scale, const struct cprof_log_view *view,
                           uint32_t ref)
{
    struct cprof_log_numbers numbers = cprof_log_numbers(view, ref);

    return scale_numbers(scale, &numbers, place_of(cprof_log_stack(view, ref)));
}

uint64_t cprof_scale_rest(struct cprof_scale *scale, const struct cprof_log_view *view)
{
    return scale_numbers(scale, &view->rest[CPROF_REST_ON_CPU], REST_PLACE);
}

/* The running sum is scaled, not each weight, so that rounding errors do not add up. */
uint64_t cprof_scale_weight(struct cprof_scale *scale, uint64_t weight_ns)
{
    uint64_t before_ns = scale->value_given_ns;

    scale->weight_seen_ns = cprof_saturating_add(scale->weight_seen_ns, weight_ns);
    scale->value_given_ns = (uint64_t)((unsigned __int128)scale->weight_seen_ns * scale->numerator /
                                       scale->denominator);
    return scale->value_given_ns - before_ns;
}
