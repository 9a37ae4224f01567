/* test_pprof.c - see gateway/profile/pprof.h. What other tools make of the files is tested with
 * them, on a real server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/profile/pprof.h"

#include <string.h>

#include "../../gateway/profile/gzip.h"
#include "../../gateway/profile/pprof_writer.h"
#include "expect.h"
#include "profile.pb-c.h"

static struct cprof_table table;

static uint32_t text(const char *value)
{
    return cprof_table_text(&table, value, strlen(value));
}

static uint32_t location(const char *name, int32_t line)
{
    struct cprof_function function = {
        .name = text(name), .system_name = text(name), .file = text("a.py"), .first_line = 3};
    struct cprof_location place = {.function = cprof_table_function(&table, &function),
                                   .line = line};

    return cprof_table_location(&table, &place);
}

/* Native code: a place in an object file. */
static uint32_t native_location(const char *name)
{
    const struct cprof_mapping mapping = {.start = 0x7000,
                                          .limit = 0x9000,
                                          .file_offset = 0x1000,
                                          .file = text("libhot.so"),
                                          .build_id = text("c0ffee")};
    struct cprof_location place = table.locations[location(name, 0)];

    place.address = 0x7123;
    place.mapping = cprof_table_mapping(&table, &mapping);
    return cprof_table_location(&table, &place);
}

/* Two samples, one with a label, one without. */
static void fill_table(void)
{
    uint32_t locations[2];
    struct cprof_label label;
    struct cprof_sample_key key = {.locations = locations, .depth = 2};

    cprof_table_init(&table);
    locations[0] = location("leaf", 5);
    locations[1] = location("root", 9);
    label.key = text("worker");
    label.value = text("1");
    (void)cprof_table_add_sample(&table, &key, 2, 20);
    key.labels = &label;
    key.label_count = 1;
    (void)cprof_table_add_sample(&table, &key, 3, 30);
    cprof_table_comment(&table, "answer: %d", 42);
    table.time_unix_ns = 1700000000;
    table.duration_ns = 10;
    table.period_ns = 7;
}

static uint8_t *written(size_t *byte_count)
{
    struct cprof_error error;
    uint8_t *bytes;

    fill_table();
    EXPECT(cprof_pprof_write(&bytes, byte_count, &table, &error));
    cprof_table_reset(&table);
    return bytes;
}

static void what_was_written_is_read_back(void)
{
    struct cprof_error error;
    size_t byte_count;
    uint8_t *bytes = written(&byte_count);
    const struct cprof_function *function;

    cprof_table_init(&table);
    EXPECT(cprof_pprof_read(&table, bytes, byte_count, &error));
    EXPECT(table.sample_count == 2 && table.function_count == 2 && table.location_count == 2);
    EXPECT(table.samples[0].count == 2 && table.samples[0].value_ns == 20);
    EXPECT(table.samples[0].depth == 2 && table.samples[0].label_count == 0);
    EXPECT(table.samples[1].count == 3 && table.samples[1].label_count == 1);
    EXPECT(strcmp(cprof_table_text_at(&table, table.label_pool[0].key), "worker") == 0);
    EXPECT(table.locations[table.location_pool[0]].line == 5);
    function = &table.functions[table.locations[table.location_pool[0]].function];
    EXPECT(strcmp(cprof_table_text_at(&table, function->name), "leaf") == 0);
    EXPECT(strcmp(cprof_table_text_at(&table, function->file), "a.py") == 0);
    EXPECT(function->first_line == 3);
    EXPECT(table.comment_count == 1);
    EXPECT(strcmp(cprof_table_text_at(&table, table.comments[0]), "answer: 42") == 0);
    EXPECT(table.time_unix_ns == 1700000000 && table.duration_ns == 10 && table.period_ns == 7);
    cprof_table_reset(&table);
    free(bytes);
}

static void native_code_keeps_its_address_and_its_file(void)
{
    struct cprof_sample_key key = {.depth = 1};
    const struct cprof_location *place;
    struct cprof_error error;
    size_t byte_count;
    uint32_t native;
    uint8_t *bytes;

    fill_table();
    native = native_location("crc32");
    key.locations = &native;
    (void)cprof_table_add_sample(&table, &key, 1, 10);
    EXPECT(cprof_pprof_write(&bytes, &byte_count, &table, &error));
    cprof_table_reset(&table);

    cprof_table_init(&table);
    EXPECT(cprof_pprof_read(&table, bytes, byte_count, &error));
    EXPECT(cprof_pprof_read(&table, bytes, byte_count, &error));
    place = &table.locations[table.location_pool[table.samples[2].first_location]];
    EXPECT(place->address == 0x7123 && place->mapping == 1 && table.mapping_count == 1);
    EXPECT(table.mappings[0].start == 0x7000 && table.mappings[0].limit == 0x9000);
    EXPECT(table.mappings[0].file_offset == 0x1000);
    EXPECT(strcmp(cprof_table_text_at(&table, table.mappings[0].file), "libhot.so") == 0);
    EXPECT(strcmp(cprof_table_text_at(&table, table.mappings[0].build_id), "c0ffee") == 0);
    EXPECT(table.locations[table.location_pool[table.samples[0].first_location]].mapping == 0);
    cprof_table_reset(&table);
    free(bytes);
}

static uint8_t *written_as(enum cprof_kind kind, size_t *byte_count)
{
    struct cprof_error error;
    uint8_t *bytes;

    fill_table();
    table.kind = kind;
    EXPECT(cprof_pprof_write(&bytes, byte_count, &table, &error));
    cprof_table_reset(&table);
    return bytes;
}

static void a_profile_keeps_its_kind_and_no_other_kind_is_added_to_it(void)
{
    struct cprof_error error;
    size_t cpu_bytes, wall_bytes;
    uint8_t *cpu = written_as(CPROF_KIND_CPU, &cpu_bytes);
    uint8_t *wall = written_as(CPROF_KIND_WALL, &wall_bytes);

    cprof_table_init(&table);
    EXPECT(cprof_pprof_read(&table, cpu, cpu_bytes, &error) && table.kind == CPROF_KIND_CPU);
    EXPECT(!cprof_pprof_read(&table, wall, wall_bytes, &error));
    EXPECT(strcmp(error.text, "it is a wall profile, and the one before is a cpu profile") == 0);
    EXPECT(cprof_table_total_ns(&table) == 50);
    cprof_table_reset(&table);

    cprof_table_init(&table);
    EXPECT(cprof_pprof_read(&table, wall, wall_bytes, &error) && table.kind == CPROF_KIND_WALL);
    EXPECT(cprof_pprof_read(&table, wall, wall_bytes, &error));
    cprof_table_reset(&table);
    free(cpu);
    free(wall);
}

static void profiles_that_are_read_one_after_the_other_add_up(void)
{
    struct cprof_error error;
    size_t byte_count;
    uint8_t *bytes = written(&byte_count);

    cprof_table_init(&table);
    EXPECT(cprof_pprof_read(&table, bytes, byte_count, &error));
    EXPECT(cprof_pprof_read(&table, bytes, byte_count, &error));
    EXPECT(table.sample_count == 2 && cprof_table_total_ns(&table) == 100);
    EXPECT(table.duration_ns == 20);
    cprof_table_reset(&table);
    free(bytes);
}

static void equal_tables_give_equal_bytes(void)
{
    size_t first_count, second_count;
    uint8_t *first = written(&first_count), *second = written(&second_count);

    EXPECT(first_count == second_count && memcmp(first, second, first_count) == 0);
    free(first);
    free(second);
}

static void fill_many(unsigned count)
{
    char name[32];

    cprof_table_init(&table);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t text =
            cprof_table_text(&table, name, (size_t)snprintf(name, sizeof(name), "function %u", i));
        struct cprof_function function = {.name = text, .system_name = text, .first_line = 1};
        struct cprof_location location = {.function = cprof_table_function(&table, &function)};
        uint32_t locations[] = {cprof_table_location(&table, &location), 0};
        struct cprof_label labels[] = {{text, text}};
        struct cprof_sample_key key = {
            .locations = locations, .labels = labels, .depth = 1 + i % 2, .label_count = i % 2};

        (void)cprof_table_add_sample(&table, &key, i, i);
        cprof_table_comment(&table, "comment %u", i);
    }
}

static void a_file_that_is_written_in_parts_has_the_bytes_of_one_message(void)
{
    const unsigned counts[] = {1, CPROF_PPROF_STEP_ENTRIES, 3 * CPROF_PPROF_STEP_ENTRIES + 1};
    Perftools__Profiles__Profile *whole;
    struct cprof_error error;
    size_t byte_count, packed_count;
    uint8_t *bytes, *packed, *again;

    for (unsigned i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        fill_many(counts[i]);
        EXPECT(cprof_pprof_write(&bytes, &byte_count, &table, &error));
        EXPECT(cprof_gunzip(&packed, &packed_count, bytes, byte_count, &error));
        whole = perftools__profiles__profile__unpack(NULL, packed_count, packed);
        EXPECT(whole && whole->n_sample == counts[i] && whole->n_comment == counts[i]);
        again = malloc(packed_count);
        EXPECT(again && perftools__profiles__profile__get_packed_size(whole) == packed_count);
        EXPECT(perftools__profiles__profile__pack(whole, again) == packed_count);
        EXPECT(memcmp(packed, again, packed_count) == 0);
        perftools__profiles__profile__free_unpacked(whole, NULL);
        cprof_table_reset(&table);
        free(bytes);
        free(packed);
        free(again);
    }
}

static void an_empty_table_is_a_profile_too(void)
{
    struct cprof_error error;
    size_t byte_count;
    uint8_t *bytes;

    cprof_table_init(&table);
    EXPECT(cprof_pprof_write(&bytes, &byte_count, &table, &error));
    EXPECT(cprof_pprof_read(&table, bytes, byte_count, &error));
    EXPECT(table.sample_count == 0);
    cprof_table_reset(&table);
    free(bytes);
}

static void a_file_that_is_cut_short_is_refused(void)
{
    struct cprof_error error;
    size_t byte_count;
    uint8_t *bytes = written(&byte_count);

    for (size_t cut = 0; cut < byte_count; cut++) {
        uint8_t *part = malloc(cut ? cut : 1);

        EXPECT(part);
        memcpy(part, bytes, cut);
        cprof_table_init(&table);
        EXPECT(!cprof_pprof_read(&table, part, cut, &error));
        cprof_table_reset(&table);
        free(part);
    }
    free(bytes);
}

/* Changes the message itself: behind gzip's checksum no flipped bit would arrive. */
static void a_message_with_random_changes_is_survived(void)
{
    struct cprof_error error;
    size_t byte_count, packed_bytes, accepted = 0;
    uint8_t *bytes = written(&byte_count), *packed;

    EXPECT(cprof_gunzip(&packed, &packed_bytes, bytes, byte_count, &error));
    free(bytes);
    srandom(1);
    for (unsigned round = 0; round < 5000; round++) {
        size_t place = (size_t)random() % packed_bytes;
        uint8_t before = packed[place];

        packed[place] = (uint8_t)random();
        EXPECT(cprof_gzip(&bytes, &byte_count, packed, packed_bytes, &error));
        packed[place] = before;
        cprof_table_init(&table);
        accepted += cprof_pprof_read(&table, bytes, byte_count, &error);
        cprof_table_reset(&table);
        free(bytes);
    }
    EXPECT(accepted > 0);
    free(packed);
}

int main(void)
{
    RUN(what_was_written_is_read_back);
    RUN(native_code_keeps_its_address_and_its_file);
    RUN(a_profile_keeps_its_kind_and_no_other_kind_is_added_to_it);
    RUN(profiles_that_are_read_one_after_the_other_add_up);
    RUN(equal_tables_give_equal_bytes);
    RUN(a_file_that_is_written_in_parts_has_the_bytes_of_one_message);
    RUN(an_empty_table_is_a_profile_too);
    RUN(a_file_that_is_cut_short_is_refused);
    RUN(a_message_with_random_changes_is_survived);
    return 0;
}
