/* pprof.c - see pprof.h. Reading; pprof_writer.c writes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pprof.h"

#include <stdlib.h>
#include <string.h>

#include "clean_text.h"
#include "gzip.h"
#include "kind.h"
#include "profile.pb-c.h"

typedef Perftools__Profiles__Profile profile_message;
typedef Perftools__Profiles__Sample sample_message;
typedef Perftools__Profiles__Location location_message;
typedef Perftools__Profiles__Function function_message;
typedef Perftools__Profiles__Mapping mapping_message;

enum { SAMPLE_VALUES = 2 };

/* calloc that knows no difference between nothing and failure for empty arrays. */
static void *array_of(size_t count, size_t entry_bytes, bool *ok)
{
    void *array = calloc(count + 1, entry_bytes);

    *ok = *ok && array;
    return array;
}

/* Maps a message's numbers to the table's. */
struct message_reader {
    struct cprof_table *table;
    const profile_message *profile;
    uint32_t *texts;
    uint32_t *locations; /* by number - 1 */
    uint32_t *functions;
    uint32_t *mappings;
};

static bool text_is_known(const struct message_reader *reader, int64_t text)
{
    return text >= 0 && (uint64_t)text < reader->profile->n_string_table;
}

static bool text_equals(const struct message_reader *reader, int64_t text, const char *wanted)
{
    return text_is_known(reader, text) && strcmp(reader->profile->string_table[text], wanted) == 0;
}

/* 0: none of ours. */
static enum cprof_kind kind_of_types(const struct message_reader *reader)
{
    const profile_message *profile = reader->profile;

    if (profile->n_sample_type != SAMPLE_VALUES ||
        !text_equals(reader, profile->sample_type[0]->type, "sample") ||
        !text_equals(reader, profile->sample_type[0]->unit, "count") ||
        !text_equals(reader, profile->sample_type[1]->unit, "nanoseconds")) {
        return 0;
    }
    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        enum cprof_kind kind = cprof_profile_kinds[i];

        if (text_equals(reader, profile->sample_type[1]->type, cprof_kind_name(kind))) {
            return kind;
        }
    }
    return 0;
}

static bool read_kind(struct message_reader *reader, struct cprof_error *error)
{
    enum cprof_kind kind = kind_of_types(reader), before = reader->table->kind;

    if (kind == 0) {
        return cprof_fail(error, "its sample types are not sample/count and cpu/nanoseconds or "
                                 "wall/nanoseconds");
    }
    if (before != 0 && kind != before) {
        return cprof_fail(error, "it is a %s profile, and the one before is a %s profile",
                          cprof_kind_name(kind), cprof_kind_name(before));
    }
    reader->table->kind = kind;
    return true;
}

static bool read_texts(struct message_reader *reader)
{
    const profile_message *profile = reader->profile;

    for (size_t i = 0; i < profile->n_string_table; i++) {
        size_t bytes = strlen(profile->string_table[i]);
        char *clean = malloc(CPROF_CLEAN_TEXT_BYTES(bytes));

        if (!clean) {
            return false;
        }
        bytes =
            cprof_clean_text(clean, CPROF_CLEAN_TEXT_BYTES(bytes), profile->string_table[i], bytes);
        reader->texts[i] = cprof_table_text(reader->table, clean, bytes);
        free(clean);
    }
    return true;
}

static int32_t line_number(int64_t line)
{
    return line > 0 && line <= INT32_MAX ? (int32_t)line : 0;
}

static bool read_functions(struct message_reader *reader)
{
    for (size_t i = 0; i < reader->profile->n_function; i++) {
        const function_message *from = reader->profile->function[i];
        struct cprof_function function;

        if (from->id != i + 1 || !text_is_known(reader, from->name) ||
            !text_is_known(reader, from->system_name) || !text_is_known(reader, from->filename)) {
            return false;
        }
        function = (struct cprof_function){
            .name = reader->texts[from->name],
            .system_name = reader->texts[from->system_name],
            .file = reader->texts[from->filename],
            .first_line = line_number(from->start_line),
        };
        reader->functions[i] = cprof_table_function(reader->table, &function);
    }
    return true;
}

/* What has no end is Python's code. */
static bool read_mappings(struct message_reader *reader)
{
    for (size_t i = 0; i < reader->profile->n_mapping; i++) {
        const mapping_message *from = reader->profile->mapping[i];
        struct cprof_mapping mapping;

        if (!text_is_known(reader, from->filename) || !text_is_known(reader, from->build_id)) {
            return false;
        }
        mapping = (struct cprof_mapping){
            .start = from->memory_start,
            .limit = from->memory_limit,
            .file_offset = from->file_offset,
            .file = reader->texts[from->filename],
            .build_id = reader->texts[from->build_id],
        };
        if (from->id == i + 1 && mapping.limit > mapping.start) {
            reader->mappings[i] = cprof_table_mapping(reader->table, &mapping);
        }
    }
    return true;
}

static uint32_t mapping_of(const struct message_reader *reader, const location_message *location)
{
    uint64_t id = location->mapping_id;

    return id > 0 && id <= reader->profile->n_mapping ? reader->mappings[id - 1] : 0;
}

static bool read_locations(struct message_reader *reader)
{
    for (size_t i = 0; i < reader->profile->n_location; i++) {
        const location_message *from = reader->profile->location[i];
        struct cprof_location location;

        if (from->id != i + 1 || from->n_line != 1 || from->line[0]->function_id == 0 ||
            from->line[0]->function_id > reader->profile->n_function) {
            return false;
        }
        location = (struct cprof_location){
            .function = reader->functions[from->line[0]->function_id - 1],
            .line = line_number(from->line[0]->line),
            .address = from->address,
            .mapping = mapping_of(reader, from),
        };
        reader->locations[i] = cprof_table_location(reader->table, &location);
    }
    return true;
}

static bool sample_is_sound(const struct message_reader *reader, const sample_message *sample)
{
    if (sample->n_value != SAMPLE_VALUES || sample->value[0] < 0 || sample->value[1] < 0) {
        return false;
    }
    for (size_t i = 0; i < sample->n_location_id; i++) {
        if (sample->location_id[i] == 0 || sample->location_id[i] > reader->profile->n_location) {
            return false;
        }
    }
    for (size_t i = 0; i < sample->n_label; i++) {
        if (!text_is_known(reader, sample->label[i]->key) ||
            !text_is_known(reader, sample->label[i]->str)) {
            return false;
        }
    }
    return true;
}

static bool read_sample(struct message_reader *reader, const sample_message *from)
{
    uint32_t *locations = NULL;
    struct cprof_label *labels = NULL;
    bool ok = sample_is_sound(reader, from);

    if (!ok) {
        return false;
    }
    locations = array_of(from->n_location_id, sizeof(*locations), &ok);
    labels = array_of(from->n_label, sizeof(*labels), &ok);
    if (ok) {
        struct cprof_sample_key key = {
            .locations = locations,
            .labels = labels,
            .depth = (uint32_t)from->n_location_id,
            .label_count = (uint32_t)from->n_label,
        };

        for (size_t i = 0; i < from->n_location_id; i++) {
            locations[i] = reader->locations[from->location_id[i] - 1];
        }
        for (size_t i = 0; i < from->n_label; i++) {
            labels[i].key = reader->texts[from->label[i]->key];
            labels[i].value = reader->texts[from->label[i]->str];
        }
        (void)cprof_table_add_sample(reader->table, &key, (uint64_t)from->value[0],
                                     (uint64_t)from->value[1]);
    }
    free(locations);
    free(labels);
    return ok;
}

static bool read_samples(struct message_reader *reader)
{
    for (size_t i = 0; i < reader->profile->n_sample; i++) {
        if (!read_sample(reader, reader->profile->sample[i])) {
            return false;
        }
    }
    return true;
}

static bool read_comments(struct message_reader *reader)
{
    const profile_message *profile = reader->profile;

    for (size_t i = 0; i < profile->n_comment; i++) {
        if (!text_is_known(reader, profile->comment[i])) {
            return false;
        }
        cprof_table_comment(reader->table, "%s",
                            cprof_table_text_at(reader->table, reader->texts[profile->comment[i]]));
    }
    return true;
}

static void read_times(struct cprof_table *table, const profile_message *profile)
{
    uint64_t time_unix_ns = profile->time_nanos > 0 ? (uint64_t)profile->time_nanos : 0;
    uint64_t duration_ns = profile->duration_nanos > 0 ? (uint64_t)profile->duration_nanos : 0;

    if (table->time_unix_ns == 0 || time_unix_ns < table->time_unix_ns) {
        table->time_unix_ns = time_unix_ns;
    }
    table->duration_ns = cprof_saturating_add(table->duration_ns, duration_ns);
    table->period_ns = profile->period > 0 ? (uint64_t)profile->period : 0;
}

static bool read_message(struct cprof_table *table, const profile_message *profile,
                         struct cprof_error *error)
{
    struct message_reader reader = {.table = table, .profile = profile};
    bool ok = true;

    reader.texts = array_of(profile->n_string_table, sizeof(uint32_t), &ok);
    reader.functions = array_of(profile->n_function, sizeof(uint32_t), &ok);
    reader.locations = array_of(profile->n_location, sizeof(uint32_t), &ok);
    reader.mappings = array_of(profile->n_mapping, sizeof(uint32_t), &ok);
    if (!ok) {
        cprof_fail(error, "no memory for its contents");
    } else if (!read_kind(&reader, error)) {
        ok = false;
    } else if (!read_texts(&reader) || !read_functions(&reader) || !read_mappings(&reader) ||
               !read_locations(&reader) || !read_samples(&reader) || !read_comments(&reader) ||
               table->failed) {
        ok = cprof_fail(error, "its contents are inconsistent, or there is no memory for them");
    } else {
        read_times(table, profile);
    }
    free(reader.texts);
    free(reader.functions);
    free(reader.locations);
    free(reader.mappings);
    return ok;
}

bool cprof_pprof_read(struct cprof_table *table, const uint8_t *bytes, size_t byte_count,
                      struct cprof_error *error)
{
    profile_message *profile;
    uint8_t *packed;
    size_t packed_bytes;
    bool ok;

    if (byte_count > CPROF_PPROF_FILE_BYTES_MAX) {
        return cprof_fail(error, "it is too large (%zu bytes)", byte_count);
    }
    if (!cprof_gunzip(&packed, &packed_bytes, bytes, byte_count, error)) {
        return false;
    }
    profile = perftools__profiles__profile__unpack(NULL, packed_bytes, packed);
    free(packed);
    if (!profile) {
        return cprof_fail(error, "it holds no profile message");
    }
    ok = read_message(table, profile, error);
    perftools__profiles__profile__free_unpacked(profile, NULL);
    return ok;
}
