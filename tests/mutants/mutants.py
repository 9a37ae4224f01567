"""Faults to plant in the product: one for each promise that a test guards by figures.

`old` stands once in the function of that name; `test` is the one that must fail, run alone.

SPDX-License-Identifier: MIT
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    name: str
    promise: str
    function: str
    old: str
    new: str
    test: str


def unit(program):
    return f"tests/unit/test_units.py::test_unit[{program}]"


def e2e(name):
    return f"tests/e2e/test_{name}"


ONE_LATE = """cprof_tags_of_request(core, stamp, &seen->set);
    {
        static uint64_t now;
        static struct cprof_seen_tags before, last;

        if (stamp != now) {
            before = last;
        }
        now = stamp;
        last = *seen;
        if (before.part_bytes[0]) {
            *seen = before;
        }
    }"""

MUTANTS = [
    Mutant(
        "timer-weights-doubled",
        "the timers' raw sum is the workers' CPU time",
        "cprof_rearm_after_tick",
        "return weight_ns;",
        "return 2 * weight_ns;",
        e2e("short_requests.py::test_where_perf_events_are_refused_the_timer_accounts_for_all"),
    ),
    Mutant(
        "perf-weights-doubled",
        "kernel time is what the clock has beyond the samples of perf events",
        "take_tick",
        "tick.weight_ns = interval_ns;",
        "interval_ns *= 2;\n        tick.weight_ns = interval_ns;",
        e2e("accounting.py::test_kernel_time_is_found_in_its_function"),
    ),
    Mutant(
        "one-miss-in-ten-not-counted",
        "samples and misses together are the ticks",
        "count_miss",
        "atomic_fetch_add_explicit(&counters[CPROF_COUNTER_MISSED + miss], 1, "
        "memory_order_relaxed);",
        "static _Atomic unsigned calls;\n"
        "    atomic_fetch_add_explicit(&counters[CPROF_COUNTER_MISSED + miss],\n"
        "                              atomic_fetch_add(&calls, 1) % 10 != 0, "
        "memory_order_relaxed);",
        e2e("small_stacks.py::test_each_tick_without_room_is_one_miss"),
    ),
    Mutant(
        "timer-not-armed-again",
        "a timer that expired is armed again at once",
        "cprof_rearm_after_tick",
        "(void)set_timer(thread, TIMER_ABSTIME, due_ns + interval_ns);",
        "",
        e2e("short_requests.py::test_where_perf_events_are_refused_the_timer_accounts_for_all"),
    ),
    Mutant(
        "intervals-without-chance",
        "samples do not beat with work that repeats",
        "cprof_interval",
        "return period_ns / 2 + cprof_random_below(random, period_ns);",
        "(void)random;\n    return period_ns;",
        unit("test_interval"),
    ),
    Mutant(
        "blind-start",
        "threads that use little are sampled as often as busy ones",
        "cprof_interval_first",
        "return first;",
        "first.rest_ns = first.length_ns;\n    return first;",
        unit("test_interval"),
    ),
    Mutant(
        "total-not-reconciled",
        "a profile's total is the workers' CPU time",
        "cprof_scale_begin",
        "scale->numerator = clock_ns;\n        scale->denominator = scale->raw_ns;",
        "scale->numerator = scale->denominator = 1;",
        unit("test_merge"),
    ),
    Mutant(
        "unsampled-time-on-other-stacks",
        "time of threads that were not sampled is not booked on others",
        "choose_clock",
        "return is_border ? clock_ns : sampled_ns;",
        "(void)is_border;\n    return clock_ns;",
        e2e("unsampled.py"),
    ),
    Mutant(
        "kernel-time-spread-evenly",
        "kernel time stands in the function that caused it",
        "cprof_kernel_time_spread",
        "belief = excess_sum > (double)kernel_ns ? (double)kernel_ns / excess_sum : 1;",
        "belief = 0;",
        unit("test_kernel_time"),
    ),
    Mutant(
        "leaf-off-by-one-frame",
        "the innermost frame is the function that runs",
        "walk_from",
        "        depth++;\n",
        "        depth += depth > 0 || skipped++ > 0 ? 1 : 0;\n",
        e2e("truth.py"),
    ),
    Mutant(
        "lines-off-by-one",
        "each frame stands on its line",
        "find_lines",
        "pair->line = cprof_lines_seek(&cursor, pair->byte_offset);",
        "pair->line = cprof_lines_seek(&cursor, pair->byte_offset) + 1;",
        e2e("truth.py"),
    ),
    Mutant(
        "last-slot-left-out",
        "every worker is in the profile",
        "cprof_making_step",
        "making->next_slot < making->source.segment->slot_count",
        "making->next_slot + 1 < making->source.segment->slot_count",
        e2e("truth.py"),
    ),
    Mutant(
        "all-samples-of-worker-one",
        "samples are labelled with their worker",
        "name_slot",
        '(void)snprintf(slot->name, sizeof(slot->name), "%u", view->number);',
        '(void)snprintf(slot->name, sizeof(slot->name), "%u", 1u);',
        e2e("truth.py"),
    ),
    Mutant(
        "killed-worker-left-out",
        "a killed worker's samples are kept",
        "cprof_merge_slot",
        "    bound_counters(&own_view, merge);\n",
        "    if (!view->closed || view->successors) {\n        return true;\n    }\n"
        "    bound_counters(&own_view, merge);\n",
        e2e("kills.py::test_a_killed_workers_samples_and_its_successors_are_in_one_profile"),
    ),
    Mutant(
        "earlier-window-counted-again",
        "a profile has the time of its own window alone",
        "read_slot",
        "cprof_snapshot_subtract(source->base, view);",
        "(void)cprof_snapshot_subtract;",
        e2e("windows.py::test_each_of_two_windows_has_the_time_of_its_own"),
    ),
    Mutant(
        "tags-one-request-late",
        "a sample has the tags of its own request",
        "see_request",
        "cprof_tags_of_request(core, stamp, &seen->set);",
        ONE_LATE,
        e2e("request_tags.py::test_two_routes_are_told_apart_in_every_sample"),
    ),
    Mutant(
        "tags-outlive-the-request",
        "tags end with the request that they were set in",
        "cprof_tags_of_request",
        "stamp == 0 || atomic_load_explicit(&cell->stamp, memory_order_acquire) != stamp",
        "stamp == 0",
        e2e("request_tags.py::test_tags_end_with_the_request"),
    ),
    Mutant(
        "run-queue-time-as-sleep",
        "waiting for a processor is not sleep",
        "cprof_cpu_waits_take_account",
        "struct cprof_sleep *sleep = &thread->sleep;",
        "struct cprof_sleep *sleep = NULL;\n\n    return;",
        e2e("wall_truth.py::test_four_processes_on_fewer_cpus_wait_for_a_cpu"),
    ),
    Mutant(
        "run-queue-time-counted-twice",
        "a busy thread has the window's length of wall time",
        "book_run_queue",
        "sleep->due_ns -= (int64_t)waited_ns;",
        "",
        unit("test_offcpu"),
    ),
    Mutant(
        "waits-without-room-are-lost",
        "sums with [other] are those without a bound",
        "add_sample",
        "add_other(slot, state, count, value_ns);",
        "add_other(slot, state, count, state == runnable ? 0 : value_ns);",
        unit("test_bounded_profile"),
    ),
    Mutant(
        "new-stack-gets-the-accidental-gap",
        "what a look finds weighs the mean gap",
        "settle_with_previous",
        "part_ns = sleep->due_ns - (int64_t)gap_mean_ns;",
        "part_ns = 0;",
        unit("test_offcpu"),
    ),
    Mutant(
        "gaps-without-chance",
        "each instant has the same chance to be looked at",
        "cprof_pace_next",
        "return draw_gap(pace);",
        "(void)draw_gap;\n    return pace->mean_ns;",
        unit("test_pace"),
    ),
    Mutant(
        "moving-thread-taken-for-asleep",
        "only a stack that is proven still is recorded",
        "cprof_still_stack_stands",
        "return cprof_engine_timer_clock(thread->tid, &cpu_ns) && cpu_ns == "
        "thread->sleep.cpu_seen_ns;",
        "return cprof_engine_timer_clock(thread->tid, &cpu_ns);",
        unit("test_offcpu"),
    ),
    Mutant(
        "wait-for-the-lock-unnamed",
        "a thread that waits for the interpreter's lock says so",
        "waits_for_interpreter",
        "    if (state->futex) {\n",
        "    if (thread) {\n        return false;\n    }\n    if (state->futex) {\n",
        e2e("gil_tag.py::test_the_tag_is_right_in_wall_profiles"),
    ),
    Mutant(
        "lock-held-and-released-confused",
        "the tag gil says what a running thread has of the lock",
        "find_gil",
        "return CPROF_GIL_HELD;",
        "return CPROF_GIL_RELEASED;",
        e2e("gil_tag.py::test_the_tag_is_right_in_cpu_profiles"),
    ),
    Mutant(
        "state-of-another-call",
        "each wait has its state",
        "cprof_state_of_system_call",
        "return system_calls[i].state;",
        "return CPROF_STATE_POLL;",
        e2e("wall_truth.py::test_each_wait_has_its_state"),
    ),
    Mutant(
        "idle-threads-kept",
        "threads that wait for a request are left out",
        "cprof_stack_is_idle",
        "return stack->kind == CPROF_STACK_OFF_CPU &&",
        "(void)waits_in_gevent;\n    return false && stack->kind == CPROF_STACK_OFF_CPU && view &&",
        e2e("kinds.py"),
    ),
    Mutant(
        "parked-greenlets-doubled",
        "a greenlet that sleeps has the time of its sleep",
        "settle",
        "weight_ns = cprof_record_add(recorder, ref, weight_ns, 1);",
        "weight_ns = cprof_record_add(recorder, ref, 2 * weight_ns, 1);",
        e2e("gevent.py::test_requests_that_sleep_carry_the_time_of_their_sleep"),
    ),
    Mutant(
        "native-leaf-left-out",
        "time in a library stands in its function",
        "find_leaf",
        "return wants_native_leaf && is_native && interpreter->text_high != 0 ? pc : 0;",
        "return wants_native_leaf && is_native && pc % 8 == 0 ? pc : 0;",
        e2e("native_leaf.py::test_a_burn_in_a_library_has_its_leaf"),
    ),
    Mutant(
        "handlers-cost-nothing",
        "the ceiling judges handlers and ticker together",
        "cprof_ledger_read",
        "bounded_sum(*cost_ns, counters[parts[i].counter])",
        "bounded_sum(*cost_ns, i ? counters[parts[i].counter] : 0)",
        unit("test_ledger"),
    ),
]
