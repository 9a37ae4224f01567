/* test_parts.c - how large tables of windows that go on may be: see gateway/windows/parts.h.
 *
 * flags: -Wl,--wrap=cprof_making_table_bytes
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/windows/parts.h"

#include "../../gateway/windows/memory_share.h"
#include "expect.h"

#define S       UINT64_C(1000000000)
#define MIB     ((size_t)1 << 20)
#define LEAST   ((size_t)64 << 10)
#define BEGAN   (1000 * S)
#define LASTS_S 600u

static struct cprof_config config;
static struct cprof_windows windows;

size_t __wrap_cprof_making_table_bytes(const struct cprof_making *making);
size_t __wrap_cprof_making_table_bytes(const struct cprof_making *making)
{
    return *(const size_t *)(const void *)making;
}

static void begin_test(uint32_t memory_mib)
{
    config = (struct cprof_config){.gateway_memory_mib = memory_mib};
    windows = (struct cprof_windows){.config = &config};
}

/* A part of it ends so long after its begin. */
static struct cprof_entry *end_part(unsigned index, uint64_t passed_s)
{
    struct cprof_entry *entry = &windows.entries[index];

    entry->began_ns = BEGAN;
    entry->until_ns = BEGAN + LASTS_S * S;
    entry->window.end_ns = BEGAN + passed_s * S;
    entry->goes_on = passed_s < LASTS_S;
    return entry;
}

static size_t room_of(unsigned index, uint64_t passed_s)
{
    return cprof_parts_table_bytes(&windows, end_part(index, passed_s));
}

/* What it has so far. */
static void keep(unsigned index, size_t *bytes)
{
    windows.entries[index].making = (struct cprof_making *)(void *)bytes;
}

static void a_window_that_ends_has_all_of_the_room(void)
{
    begin_test(640);
    EXPECT(room_of(0, LASTS_S) == 64 * MIB);
    begin_test(4096);
    EXPECT(room_of(0, LASTS_S) == CPROF_MEMORY_TABLE_BYTES_MAX);
}

static void a_window_that_goes_on_gets_room_with_its_time(void)
{
    begin_test(640);
    EXPECT(room_of(0, 0) == 24 * MIB);
    EXPECT(room_of(0, LASTS_S / 2) == 36 * MIB);
    EXPECT(room_of(0, LASTS_S - 1) > 47 * MIB && room_of(0, LASTS_S - 1) < 48 * MIB);
}

static void what_a_window_keeps_is_not_there_for_others(void)
{
    size_t kept = 16 * MIB;

    begin_test(640);
    keep(0, &kept);
    EXPECT(room_of(1, LASTS_S) == 48 * MIB);
    EXPECT(room_of(1, 0) == 18 * MIB);
    EXPECT(room_of(0, LASTS_S) == 64 * MIB);
}

static void windows_that_go_on_keep_all_together_what_one_may_have(void)
{
    size_t kept[CPROF_WINDOWS_MAX], sum = 0;

    begin_test(640);
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        kept[i] = room_of(i, LASTS_S - 1);
        EXPECT(kept[i] >= LEAST);
        keep(i, &kept[i]);
        sum += kept[i];
    }
    EXPECT(sum <= 64 * MIB + CPROF_WINDOWS_MAX * LEAST);
}

int main(void)
{
    RUN(a_window_that_ends_has_all_of_the_room);
    RUN(a_window_that_goes_on_gets_room_with_its_time);
    RUN(what_a_window_keeps_is_not_there_for_others);
    RUN(windows_that_go_on_keep_all_together_what_one_may_have);
    return 0;
}
