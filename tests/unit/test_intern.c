/* test_intern.c - see plugin/record/intern.h.
 *
 * sources: plugin/record/intern.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/record/intern.h"

#include <stdatomic.h>
#include <string.h>

#include "../../shared/segment/layout.h"
#include "expect.h"

#define ENTRIES 16u /* fewer than a search is long, so that every entry is within reach */
#define KEY     UINT64_C(0x7f1234567890)

static struct cprof_intern_entry entries[ENTRIES];
static const struct cprof_intern_table table = {.entries = entries, .mask = ENTRIES - 1};

static void begin(void)
{
    memset((void *)entries, 0, sizeof(entries));
}

static uint32_t found(uint64_t key)
{
    uint32_t note = 0;

    return cprof_intern_find(&table, key, &note);
}

static void an_empty_table_knows_no_key(void)
{
    begin();
    EXPECT(found(KEY) == CPROF_NO_REF);
    EXPECT(!cprof_intern_retire(&table, KEY));
}

static void an_added_key_is_found_with_its_note(void)
{
    uint32_t note = 0;

    begin();
    EXPECT(cprof_intern_add_lasting(&table, KEY, 77, 1234));
    EXPECT(cprof_intern_find(&table, KEY, &note) == 77 && note == 1234);
    EXPECT(found(KEY + 16) == CPROF_NO_REF);
}

static void the_smallest_and_the_largest_key_are_keys(void)
{
    begin();
    EXPECT(cprof_intern_add_lasting(&table, CPROF_INTERN_KEY_MIN, 1, 0));
    EXPECT(cprof_intern_add_lasting(&table, UINT64_MAX, 2, 0));
    EXPECT(found(CPROF_INTERN_KEY_MIN) == 1 && found(UINT64_MAX) == 2);
}

static void a_retired_key_is_gone(void)
{
    begin();
    EXPECT(cprof_intern_add_lasting(&table, KEY, 77, 0));

    EXPECT(cprof_intern_retire(&table, KEY));
    EXPECT(found(KEY) == CPROF_NO_REF);
    EXPECT(!cprof_intern_retire(&table, KEY));
}

static void a_key_that_comes_back_has_its_new_reference(void)
{
    begin();
    for (uint32_t ref = 1; ref < 1000; ref++) {
        EXPECT(cprof_intern_add_lasting(&table, KEY, ref, 0));
        EXPECT(found(KEY) == ref);
        EXPECT(cprof_intern_retire(&table, KEY));
    }
}

static void adding_a_known_key_is_harmless(void)
{
    begin();
    EXPECT(cprof_intern_add_lasting(&table, KEY, 77, 0));
    EXPECT(cprof_intern_add_lasting(&table, KEY, 78, 0));
    EXPECT(found(KEY) == 77);

    EXPECT(cprof_intern_retire(&table, KEY));
    EXPECT(found(KEY) == CPROF_NO_REF);
}

static void fill_lasting(void)
{
    for (uint32_t i = 0; i < ENTRIES; i++) {
        EXPECT(cprof_intern_add_lasting(&table, KEY + i, i + 1, CPROF_INTERN_LASTING));
    }
}

static void a_full_table_refuses_and_keeps_what_it_has(void)
{
    begin();
    fill_lasting();

    EXPECT(!cprof_intern_add_lasting(&table, KEY + ENTRIES, 99, 0));
    EXPECT(!cprof_intern_add(&table, KEY + ENTRIES, 99, 1, 1));
    EXPECT(found(KEY + ENTRIES) == CPROF_NO_REF);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        EXPECT(found(KEY + i) == i + 1);
    }
}

static void a_retired_place_in_a_full_table_is_used_again(void)
{
    begin();
    fill_lasting();
    EXPECT(cprof_intern_retire(&table, KEY + 3));

    EXPECT(cprof_intern_add_lasting(&table, KEY + ENTRIES, 99, 0));
    EXPECT(found(KEY + ENTRIES) == 99 && found(KEY + 3) == CPROF_NO_REF);
    EXPECT(!cprof_intern_add_lasting(&table, KEY + 3, 4, 0));
}

static void an_entry_out_of_date_makes_room(void)
{
    uint32_t known = 0;

    begin();
    for (uint32_t i = 0; i < ENTRIES; i++) {
        EXPECT(cprof_intern_add(&table, KEY + i, i + 1, 5, 5));
    }
    EXPECT(!cprof_intern_add(&table, KEY + ENTRIES, 99, 5, 5));

    EXPECT(cprof_intern_add(&table, KEY + ENTRIES, 99, 6, 6));
    EXPECT(found(KEY + ENTRIES) == 99);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        known += found(KEY + i) == i + 1;
    }
    EXPECT(known == ENTRIES - 1);
}

static void a_lasting_entry_is_never_replaced(void)
{
    begin();
    fill_lasting();
    EXPECT(!cprof_intern_add(&table, KEY + ENTRIES, 99, 7, 7));
    EXPECT(found(KEY) == 1);
}

static void adding_lastingly_replaces_nothing(void)
{
    begin();
    for (uint32_t i = 0; i < ENTRIES; i++) {
        EXPECT(cprof_intern_add_lasting(&table, KEY + i, i + 1, i));
    }
    EXPECT(!cprof_intern_add_lasting(&table, KEY + ENTRIES, 99, 0));
    for (uint32_t i = 0; i < ENTRIES; i++) {
        EXPECT(found(KEY + i) == i + 1);
    }
}

/* Adds a neighbour and then the key, so that the neighbour may stand where the key belongs;
 * with the neighbour gone the key is added once more. True if it then stands twice. */
static bool stands_twice(uint64_t neighbour)
{
    uint32_t count = 0;

    begin();
    EXPECT(cprof_intern_add_lasting(&table, neighbour, 1, 0));
    EXPECT(cprof_intern_add_lasting(&table, KEY, 2, 0));
    EXPECT(cprof_intern_retire(&table, neighbour));
    EXPECT(cprof_intern_add_lasting(&table, KEY, 3, 0));
    for (uint32_t i = 0; i < ENTRIES; i++) {
        count += atomic_load(&entries[i].key) == KEY;
    }
    return count == 2;
}

static void retiring_takes_duplicates_out_as_well(void)
{
    uint64_t neighbour = KEY + 1;

    while (!stands_twice(neighbour)) {
        neighbour++;
        EXPECT(neighbour < KEY + 10000);
    }
    EXPECT(found(KEY) != CPROF_NO_REF);
    EXPECT(cprof_intern_retire(&table, KEY));
    EXPECT(found(KEY) == CPROF_NO_REF);
}

static void an_entry_under_way_is_passed_over(void)
{
    begin();
    EXPECT(cprof_intern_add_lasting(&table, KEY, 1, 0));
    for (uint32_t i = 0; i < ENTRIES; i++) {
        if (atomic_load(&entries[i].key) == KEY) {
            atomic_store(&entries[i].key, 2); /* as its writer leaves it for some instructions */
        }
    }

    EXPECT(found(KEY) == CPROF_NO_REF);
    EXPECT(cprof_intern_add_lasting(&table, KEY, 5, 0));
    EXPECT(found(KEY) == 5);
}

static void a_table_set_to_zero_is_empty_again(void)
{
    begin();
    fill_lasting();
    begin();
    EXPECT(found(KEY) == CPROF_NO_REF);
    fill_lasting();
}

int main(void)
{
    RUN(an_empty_table_knows_no_key);
    RUN(an_added_key_is_found_with_its_note);
    RUN(the_smallest_and_the_largest_key_are_keys);
    RUN(a_retired_key_is_gone);
    RUN(a_key_that_comes_back_has_its_new_reference);
    RUN(adding_a_known_key_is_harmless);
    RUN(a_full_table_refuses_and_keeps_what_it_has);
    RUN(a_retired_place_in_a_full_table_is_used_again);
    RUN(an_entry_out_of_date_makes_room);
    RUN(a_lasting_entry_is_never_replaced);
    RUN(adding_lastingly_replaces_nothing);
    RUN(retiring_takes_duplicates_out_as_well);
    RUN(an_entry_under_way_is_passed_over);
    RUN(a_table_set_to_zero_is_empty_again);
    return 0;
}
