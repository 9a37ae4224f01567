/* table.c - see table.h.
 *
 * Entries stand in arrays in the order of adding; an open-addressed index of (hash, identifier)
 * finds them again. The hash is seeded at random, because its input comes from strangers who
 * could otherwise make everything collide; identifiers do not depend on it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clean_text.h"

#define ENTRIES_FIRST 64u

struct cprof_table_slot {
    uint32_t hash;
    uint32_t id_plus_one; /* 0: free */
};

/* At most: an index is a quarter full. */
#define INDEX_BYTES (4 * sizeof(struct cprof_table_slot))

#define TEXT_BYTES     (sizeof(struct cprof_table_text) + 1 + INDEX_BYTES)
#define FUNCTION_BYTES (sizeof(struct cprof_function) + INDEX_BYTES)
#define LOCATION_BYTES (sizeof(struct cprof_location) + INDEX_BYTES)
#define MAPPING_BYTES  (sizeof(struct cprof_mapping) + INDEX_BYTES)

/* Is the entry `id` what is looked for? */
typedef bool entry_equals(const struct cprof_table *table, uint32_t id, const void *wanted);

struct wanted_text {
    const char *text;
    size_t bytes;
};

uint64_t cprof_saturating_add(uint64_t a, uint64_t b)
{
    if (a > (uint64_t)INT64_MAX || b > (uint64_t)INT64_MAX - a) {
        return (uint64_t)INT64_MAX;
    }
    return a + b;
}

static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *at = data;

    while (bytes > 0) {
        uint64_t word = bytes;
        size_t step = bytes < sizeof(word) ? bytes : sizeof(word);

        memcpy(&word, at, step);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
        at += step;
        bytes -= step;
    }
    return hash;
}

static uint32_t fold(uint64_t hash)
{
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(hash >> 32);
}

/* Makes room for `more` entries of entry_bytes behind `used` in *array. */
static bool grow(struct cprof_table *table, void *array, size_t *capacity, size_t used, size_t more,
                 size_t entry_bytes)
{
    size_t wanted = used + more, next;
    void *old, *grown;

    if (table->failed || wanted > CPROF_TABLE_ENTRIES_MAX) {
        table->failed = true;
        return false;
    }
    if (wanted <= *capacity) {
        return true;
    }
    next = wanted + wanted / 4 + ENTRIES_FIRST;
    memcpy((void *)&old, array, sizeof(old));
    grown = realloc(old, next * entry_bytes);
    if (!grown) {
        table->failed = true;
        return false;
    }
    memcpy(array, (void *)&grown, sizeof(grown));
    *capacity = next;
    /* cppcheck-suppress memleak ; memcpy has made it the array's */
    return true;
}

static void index_put(struct cprof_table_index *index, uint32_t hash, uint32_t id)
{
    uint32_t at = hash & (index->capacity - 1);

    while (index->slots[at].id_plus_one) {
        at = (at + 1) & (index->capacity - 1);
    }
    index->slots[at] = (struct cprof_table_slot){.hash = hash, .id_plus_one = id + 1};
    index->used++;
}

static bool index_reserve(struct cprof_table *table, struct cprof_table_index *index)
{
    struct cprof_table_index larger = {.capacity = index->capacity ? index->capacity * 2 : 128};

    if (index->used < index->capacity / 2) {
        return true;
    }
    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    if (!larger.slots) {
        table->failed = true;
        return false;
    }
    for (uint32_t i = 0; i < index->capacity; i++) {
        if (index->slots[i].id_plus_one) {
            index_put(&larger, index->slots[i].hash, index->slots[i].id_plus_one - 1);
        }
    }
    free(index->slots);
    *index = larger;
    return true;
}

static bool index_find(const struct cprof_table *table, const struct cprof_table_index *index,
                       uint32_t hash, entry_equals *equals, const void *wanted, uint32_t *id)
{
    uint32_t at;

    if (index->capacity == 0) {
        return false;
    }
    for (at = hash & (index->capacity - 1); index->slots[at].id_plus_one;
         at = (at + 1) & (index->capacity - 1)) {
        *id = index->slots[at].id_plus_one - 1;
        if (index->slots[at].hash == hash && equals(table, *id, wanted)) {
            return true;
        }
    }
    return false;
}

void cprof_table_init(struct cprof_table *table)
{
    *table = (struct cprof_table){0};
    /* Without randomness the seed stays 0: slower against an attacker, never wrong. */
    if (getrandom(&table->hash_seed, sizeof(table->hash_seed), GRND_NONBLOCK) < 0) {
        table->hash_seed = 0;
    }
    (void)cprof_table_text(table, "", 0);
}

void cprof_table_reset(struct cprof_table *table)
{
    free(table->texts);
    free(table->functions);
    free(table->locations);
    free(table->mappings);
    free(table->samples);
    free(table->comments);
    free(table->text_pool);
    free(table->location_pool);
    free(table->label_pool);
    free(table->text_index.slots);
    free(table->function_index.slots);
    free(table->location_index.slots);
    free(table->mapping_index.slots);
    free(table->sample_index.slots);
    *table = (struct cprof_table){0};
}

static bool text_equals(const struct cprof_table *table, uint32_t id, const void *wanted)
{
    const struct wanted_text *text = wanted;

    return table->texts[id].bytes == text->bytes &&
           memcmp(table->text_pool + table->texts[id].offset, text->text, text->bytes) == 0;
}

static bool names_have_room(const struct cprof_table *table, size_t bytes)
{
    return table->name_bytes_limit == 0 || (table->name_bytes <= table->name_bytes_limit &&
                                            bytes <= table->name_bytes_limit - table->name_bytes);
}

uint32_t cprof_table_text(struct cprof_table *table, const char *text, size_t bytes)
{
    struct wanted_text wanted = {.text = text, .bytes = bytes};
    uint32_t hash = fold(mix(table->hash_seed ^ bytes, text, bytes));
    uint32_t id;

    if (index_find(table, &table->text_index, hash, text_equals, &wanted, &id)) {
        return id;
    }
    if (!names_have_room(table, bytes + TEXT_BYTES)) {
        return CPROF_TABLE_NONE;
    }
    if (bytes >= CPROF_TABLE_ENTRIES_MAX || !index_reserve(table, &table->text_index) ||
        !grow(table, (void *)&table->texts, &table->text_capacity, table->text_count, 1,
              sizeof(*table->texts)) ||
        !grow(table, (void *)&table->text_pool, &table->text_pool_capacity, table->text_pool_used,
              bytes + 1, 1)) {
        table->failed = true;
        return 0;
    }
    id = (uint32_t)table->text_count++;
    table->texts[id] =
        (struct cprof_table_text){.offset = table->text_pool_used, .bytes = (uint32_t)bytes};
    memcpy(table->text_pool + table->text_pool_used, text, bytes);
    table->text_pool[table->text_pool_used + bytes] = '\0';
    table->text_pool_used += bytes + 1;
    table->name_bytes += bytes + TEXT_BYTES;
    index_put(&table->text_index, hash, id);
    return id;
}

const char *cprof_table_text_at(const struct cprof_table *table, uint32_t text)
{
    return text < table->text_count ? table->text_pool + table->texts[text].offset : "";
}

static bool function_equals(const struct cprof_table *table, uint32_t id, const void *wanted)
{
    return memcmp(&table->functions[id], wanted, sizeof(*table->functions)) == 0;
}

static bool function_lacks_text(const struct cprof_function *function)
{
    return function->name == CPROF_TABLE_NONE || function->system_name == CPROF_TABLE_NONE ||
           function->file == CPROF_TABLE_NONE;
}

uint32_t cprof_table_function(struct cprof_table *table, const struct cprof_function *function)
{
    uint32_t hash = fold(mix(table->hash_seed, function, sizeof(*function)));
    uint32_t id;

    if (index_find(table, &table->function_index, hash, function_equals, function, &id)) {
        return id;
    }
    if (function_lacks_text(function) || !names_have_room(table, FUNCTION_BYTES)) {
        return CPROF_TABLE_NONE;
    }
    if (!index_reserve(table, &table->function_index) ||
        !grow(table, (void *)&table->functions, &table->function_capacity, table->function_count, 1,
              sizeof(*function))) {
        return 0;
    }
    id = (uint32_t)table->function_count++;
    table->functions[id] = *function;
    table->name_bytes += FUNCTION_BYTES;
    index_put(&table->function_index, hash, id);
    return id;
}

static bool location_equals(const struct cprof_table *table, uint32_t id, const void *wanted)
{
    return memcmp(&table->locations[id], wanted, sizeof(*table->locations)) == 0;
}

uint32_t cprof_table_location(struct cprof_table *table, const struct cprof_location *location)
{
    uint32_t hash = fold(mix(table->hash_seed, location, sizeof(*location)));
    uint32_t id;

    if (index_find(table, &table->location_index, hash, location_equals, location, &id)) {
        return id;
    }
    if (location->function == CPROF_TABLE_NONE || location->mapping == CPROF_TABLE_NONE ||
        !names_have_room(table, LOCATION_BYTES)) {
        return CPROF_TABLE_NONE;
    }
    if (!index_reserve(table, &table->location_index) ||
        !grow(table, (void *)&table->locations, &table->location_capacity, table->location_count, 1,
              sizeof(*location))) {
        return 0;
    }
    id = (uint32_t)table->location_count++;
    table->locations[id] = *location;
    table->name_bytes += LOCATION_BYTES;
    index_put(&table->location_index, hash, id);
    return id;
}

static bool mapping_equals(const struct cprof_table *table, uint32_t id, const void *wanted)
{
    return memcmp(&table->mappings[id], wanted, sizeof(*table->mappings)) == 0;
}

uint32_t cprof_table_mapping(struct cprof_table *table, const struct cprof_mapping *mapping)
{
    uint32_t hash = fold(mix(table->hash_seed, mapping, sizeof(*mapping)));
    uint32_t id;

    if (index_find(table, &table->mapping_index, hash, mapping_equals, mapping, &id)) {
        return id + 1;
    }
    if (mapping->file == CPROF_TABLE_NONE || mapping->build_id == CPROF_TABLE_NONE ||
        !names_have_room(table, MAPPING_BYTES)) {
        return CPROF_TABLE_NONE;
    }
    if (!index_reserve(table, &table->mapping_index) ||
        !grow(table, (void *)&table->mappings, &table->mapping_capacity, table->mapping_count, 1,
              sizeof(*mapping))) {
        return 0;
    }
    id = (uint32_t)table->mapping_count++;
    table->mappings[id] = *mapping;
    table->name_bytes += MAPPING_BYTES;
    index_put(&table->mapping_index, hash, id);
    return id + 1;
}

uint32_t cprof_table_copy_text(struct cprof_table *to, const struct cprof_table *from,
                               uint32_t text)
{
    return cprof_table_text(to, cprof_table_text_at(from, text), from->texts[text].bytes);
}

static uint32_t copy_mapping(struct cprof_table *to, const struct cprof_table *from,
                             uint32_t number)
{
    struct cprof_mapping mapping;

    if (number == 0) {
        return 0;
    }
    mapping = from->mappings[number - 1];
    mapping.file = cprof_table_copy_text(to, from, mapping.file);
    mapping.build_id = cprof_table_copy_text(to, from, mapping.build_id);
    return cprof_table_mapping(to, &mapping);
}

uint32_t cprof_table_copy_location(struct cprof_table *to, const struct cprof_table *from,
                                   const struct cprof_location *location)
{
    struct cprof_location copy = *location;
    struct cprof_function function = from->functions[location->function];

    function.name = cprof_table_copy_text(to, from, function.name);
    function.system_name = cprof_table_copy_text(to, from, function.system_name);
    function.file = cprof_table_copy_text(to, from, function.file);
    copy.function = cprof_table_function(to, &function);
    copy.mapping = copy_mapping(to, from, location->mapping);
    return cprof_table_location(to, &copy);
}

static bool sample_equals(const struct cprof_table *table, uint32_t id, const void *wanted)
{
    const struct cprof_sample_key *key = wanted;
    const struct cprof_sample *sample = &table->samples[id];

    /* An empty array has no address that memcmp may be given. */
    return sample->depth == key->depth && sample->label_count == key->label_count &&
           (key->depth == 0 || memcmp(table->location_pool + sample->first_location, key->locations,
                                      key->depth * sizeof(*key->locations)) == 0) &&
           (key->label_count == 0 || memcmp(table->label_pool + sample->first_label, key->labels,
                                            key->label_count * sizeof(*key->labels)) == 0);
}

size_t cprof_table_sample_bytes(uint32_t depth, uint32_t label_count)
{
    return sizeof(struct cprof_sample) + INDEX_BYTES + depth * sizeof(uint32_t) +
           label_count * sizeof(struct cprof_label);
}

static bool samples_have_room(const struct cprof_table *table, const struct cprof_sample_key *key)
{
    size_t bytes = cprof_table_sample_bytes(key->depth, key->label_count);

    return table->sample_bytes_limit == 0 ||
           (table->sample_bytes <= table->sample_bytes_limit &&
            bytes <= table->sample_bytes_limit - table->sample_bytes);
}

static bool key_is_whole(const struct cprof_sample_key *key)
{
    for (uint32_t i = 0; i < key->depth; i++) {
        if (key->locations[i] == CPROF_TABLE_NONE) {
            return false;
        }
    }
    for (uint32_t i = 0; i < key->label_count; i++) {
        if (key->labels[i].key == CPROF_TABLE_NONE || key->labels[i].value == CPROF_TABLE_NONE) {
            return false;
        }
    }
    return true;
}

static bool sample_create(struct cprof_table *table, const struct cprof_sample_key *key,
                          uint32_t hash, uint32_t *id)
{
    if (!index_reserve(table, &table->sample_index) ||
        !grow(table, (void *)&table->samples, &table->sample_capacity, table->sample_count, 1,
              sizeof(*table->samples)) ||
        !grow(table, (void *)&table->location_pool, &table->location_pool_capacity,
              table->location_pool_used, key->depth, sizeof(*key->locations)) ||
        !grow(table, (void *)&table->label_pool, &table->label_pool_capacity,
              table->label_pool_used, key->label_count, sizeof(*key->labels))) {
        return false;
    }
    *id = (uint32_t)table->sample_count++;
    table->samples[*id] = (struct cprof_sample){
        .first_location = table->location_pool_used,
        .first_label = table->label_pool_used,
        .depth = key->depth,
        .label_count = key->label_count,
    };
    for (uint32_t i = 0; i < key->depth; i++) {
        table->location_pool[table->location_pool_used++] = key->locations[i];
    }
    for (uint32_t i = 0; i < key->label_count; i++) {
        table->label_pool[table->label_pool_used++] = key->labels[i];
    }
    table->sample_bytes += cprof_table_sample_bytes(key->depth, key->label_count);
    index_put(&table->sample_index, hash, *id);
    return true;
}

bool cprof_table_add_sample(struct cprof_table *table, const struct cprof_sample_key *key,
                            uint64_t count, uint64_t value_ns)
{
    uint64_t hash =
        mix(table->hash_seed ^ key->depth, key->locations, key->depth * sizeof(*key->locations));
    uint32_t folded = fold(mix(hash, key->labels, key->label_count * sizeof(*key->labels)));
    struct cprof_sample *sample;
    uint32_t id;

    if (!index_find(table, &table->sample_index, folded, sample_equals, key, &id)) {
        if (!key_is_whole(key) || !samples_have_room(table, key)) {
            return false;
        }
        if (!sample_create(table, key, folded, &id)) {
            return true; /* the table has failed, which is said at the end */
        }
    }
    sample = &table->samples[id];
    sample->count = cprof_saturating_add(sample->count, count);
    sample->value_ns = cprof_saturating_add(sample->value_ns, value_ns);
    return true;
}

void cprof_table_comment(struct cprof_table *table, const char *format, ...)
{
    char raw[1024], line[CPROF_CLEAN_TEXT_BYTES(sizeof(raw))];
    va_list arguments;
    size_t limit = table->name_bytes_limit;
    uint32_t text;

    table->name_bytes_limit = 0;
    va_start(arguments, format);
    (void)vsnprintf(raw, sizeof(raw), format, arguments);
    va_end(arguments);
    /* Configured texts may have been given in any encoding; the cut may split a character. */
    text = cprof_table_text(table, line, cprof_clean_text(line, sizeof(line), raw, strlen(raw)));
    if (grow(table, (void *)&table->comments, &table->comment_capacity, table->comment_count, 1,
             sizeof(*table->comments))) {
        table->comments[table->comment_count++] = text;
        table->name_bytes += sizeof(*table->comments);
    }
    table->name_bytes_limit = limit;
}

uint64_t cprof_table_total_ns(const struct cprof_table *table)
{
    uint64_t total_ns = 0;

    for (size_t i = 0; i < table->sample_count; i++) {
        total_ns = cprof_saturating_add(total_ns, table->samples[i].value_ns);
    }
    return total_ns;
}
