/* test_convert.c - see gateway/profile/convert.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/profile/convert.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/profile/pprof.h"
#include "../../gateway/profile/table.h"
#include "expect.h"

/* What a page, a terminal or JSON would mind. */
#define HOSTILE "a;<script>\"'&\x1b[31m\n\\"

static struct cprof_table table;

static uint32_t text(const char *value)
{
    return cprof_table_text(&table, value, strlen(value));
}

static uint32_t location(const char *name)
{
    struct cprof_function function = {
        .name = text(name), .system_name = text(name), .file = text("<file>.py"), .first_line = 3};
    struct cprof_location place = {.function = cprof_table_function(&table, &function), .line = 4};

    return cprof_table_location(&table, &place);
}

static uint32_t native_location(const char *name, uint64_t address)
{
    const struct cprof_mapping mapping = {.start = 0x7000,
                                          .limit = 0x9000,
                                          .file_offset = 0x1000,
                                          .file = text("libhot.so"),
                                          .build_id = text("c0ffee")};
    struct cprof_location place = table.locations[location(name)];

    place.line = 0;
    place.address = address;
    place.mapping = cprof_table_mapping(&table, &mapping);
    return cprof_table_location(&table, &place);
}

static void add_at(uint32_t leaf, const char *worker, uint64_t value_ns)
{
    uint32_t locations[] = {leaf, location("root")};
    struct cprof_label label = {.key = text("worker"), .value = text(worker)};
    struct cprof_sample_key key = {
        .locations = locations, .labels = &label, .depth = 2, .label_count = 1};

    (void)cprof_table_add_sample(&table, &key, 1, value_ns);
}

static void add(const char *leaf, const char *worker, uint64_t value_ns)
{
    add_at(location(leaf), worker, value_ns);
}

/* leaf: 30 ns of worker 1 and 10 of worker 2; HOSTILE: 60 of worker 2, native code at two
 * addresses. The caller frees it. */
static struct cprof_profile_bytes make_profile(enum cprof_kind kind, uint64_t leaf_ns)
{
    struct cprof_profile_bytes profile = {.table = NULL};
    struct cprof_error error;
    uint8_t *bytes;

    cprof_table_init(&table);
    table.kind = kind;
    table.duration_ns = 100;
    cprof_table_comment(&table, "of all workers");
    add("leaf", "1", leaf_ns);
    add("leaf", "2", 10);
    add_at(native_location(HOSTILE, 0x7123), "2", 20);
    add_at(native_location(HOSTILE, 0x7456), "2", 40);
    EXPECT(cprof_pprof_write(&bytes, &profile.byte_count, &table, &error));
    cprof_table_reset(&table);
    profile.bytes = bytes;
    return profile;
}

static char *convert(const struct cprof_filter *filter, enum cprof_format format, size_t *length)
{
    struct cprof_profile_bytes file = make_profile(CPROF_KIND_CPU, 30);
    struct cprof_profile_bytes profile = file;
    struct cprof_table read;
    struct cprof_error error;
    uint8_t *bytes, *of_table;
    size_t table_length;
    char *copy;

    EXPECT(cprof_convert(&bytes, length, &file, filter, format, &error));
    cprof_table_init(&read);
    EXPECT(cprof_pprof_read(&read, file.bytes, file.byte_count, &error));
    profile.table = &read;
    EXPECT(cprof_convert(&of_table, &table_length, &profile, filter, format, &error));
    EXPECT(table_length == *length && memcmp(of_table, bytes, *length) == 0);
    cprof_table_reset(&read);
    free(of_table);
    copy = malloc(*length + 1);
    EXPECT(copy);
    memcpy(copy, bytes, *length);
    copy[*length] = '\0';
    free(bytes);
    free((void *)file.bytes);
    return copy;
}

static bool has_control_character(const char *said)
{
    for (; *said; said++) {
        if (((unsigned char)*said < 0x20 && *said != '\n') || *said == 0x7f) {
            return true;
        }
    }
    return false;
}

static void collapsed_stacks_are_merged_over_tags(void)
{
    size_t length;
    char *said = convert(NULL, CPROF_FORMAT_COLLAPSED, &length);

    EXPECT(strstr(said, "root;leaf 40\n"));
    EXPECT(strstr(said, "root;a:<script>") == strstr(said, "root;a"));
    EXPECT(strstr(said, " 60\n"));
    EXPECT(!has_control_character(said));
    free(said);
}

static void a_filter_keeps_samples_with_all_its_tags(void)
{
    const struct cprof_filter first = {.terms = {{"worker", "1"}}, .count = 1};
    const struct cprof_filter none = {.terms = {{"worker", "1"}, {"worker", "2"}}, .count = 2};
    size_t length;
    char *said = convert(&first, CPROF_FORMAT_COLLAPSED, &length);

    EXPECT(strcmp(said, "root;leaf 30\n") == 0);
    free(said);
    said = convert(&none, CPROF_FORMAT_COLLAPSED, &length);
    EXPECT(said[0] == '\0');
    free(said);
}

static void a_filtered_pprof_file_is_one_again(void)
{
    const struct cprof_filter second = {.terms = {{"worker", "2"}}, .count = 1};
    struct cprof_error error;
    size_t length;
    char *file = convert(&second, CPROF_FORMAT_PPROF, &length);
    const struct cprof_location *leaf;

    cprof_table_init(&table);
    EXPECT(cprof_pprof_read(&table, (const uint8_t *)file, length, &error));
    EXPECT(table.sample_count == 3 && cprof_table_total_ns(&table) == 70);
    EXPECT(table.samples[0].label_count == 1 && table.duration_ns == 100);
    leaf = &table.locations[table.location_pool[table.samples[2].first_location]];
    EXPECT(leaf->address == 0x7456 && leaf->mapping == 1 && table.mapping_count == 1);
    EXPECT(table.mappings[0].start == 0x7000 && table.mappings[0].limit == 0x9000);
    EXPECT(table.mappings[0].file_offset == 0x1000);
    EXPECT(strcmp(cprof_table_text_at(&table, table.mappings[0].file), "libhot.so") == 0);
    EXPECT(strcmp(cprof_table_text_at(&table, table.mappings[0].build_id), "c0ffee") == 0);
    EXPECT(table.comment_count == 1);
    cprof_table_reset(&table);
    free(file);
}

static void speedscope_gets_all_time_by_stacks_of_frames(void)
{
    size_t length;
    char *said = convert(NULL, CPROF_FORMAT_SPEEDSCOPE, &length);
    json_t *root = json_loads(said, 0, NULL), *profile, *weights;
    json_int_t sum = 0;

    EXPECT(root);
    profile = json_array_get(json_object_get(root, "profiles"), 0);
    weights = json_object_get(profile, "weights");
    for (size_t i = 0; i < json_array_size(weights); i++) {
        sum += json_integer_value(json_array_get(weights, i));
    }
    EXPECT(sum == 100 && json_integer_value(json_object_get(profile, "endValue")) == 100);
    EXPECT(json_array_size(json_object_get(profile, "samples")) == json_array_size(weights));
    json_decref(root);
    free(said);
}

static void what_is_no_profile_is_an_error(void)
{
    static const uint8_t nonsense[] = "no gzip";
    const struct cprof_profile_bytes profile = {.bytes = nonsense, .byte_count = sizeof(nonsense)};
    struct cprof_error error;
    uint8_t *bytes;
    size_t length;

    EXPECT(!cprof_convert(&bytes, &length, &profile, NULL, CPROF_FORMAT_TOP, &error) && !bytes);
}

int main(void)
{
    RUN(collapsed_stacks_are_merged_over_tags);
    RUN(a_filter_keeps_samples_with_all_its_tags);
    RUN(a_filtered_pprof_file_is_one_again);
    RUN(speedscope_gets_all_time_by_stacks_of_frames);
    RUN(what_is_no_profile_is_an_error);
    return 0;
}
