/* table.h - one profile in memory: texts, functions, locations, samples, each held once.
 *
 * Callers   the gateway's thread, or a program that only reads files.
 * Memory    the struct is the caller's, what it points to the table's own. It grows with what is
 *           added and never beyond CPROF_TABLE_ENTRIES_MAX entries of a sort. The table keeps a
 *           book of the bytes that its entries take, index included; arrays have up to a quarter
 *           more.
 * Limits    of that book, optional. What is new and beyond a limit is not added, which is no
 *           failure: a text, function or location is then CPROF_TABLE_NONE, and what is made of
 *           such a one is, too; cprof_table_add_sample is false. What is there already is found as
 *           ever.
 * Failure   sticky: once memory or a bound is exhausted, `failed` is set, what is added is
 *           dropped and identifiers are 0. The caller looks once, at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TABLE_H
#define CPROF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/segment/layout.h"

#define CPROF_TABLE_ENTRIES_MAX (UINT32_C(1) << 28)

/* No identifier: what was to be added found no room (limits below). */
#define CPROF_TABLE_NONE UINT32_MAX

/* Identifiers count from 0 in the order of adding. Text 0 is the empty text. The structs are
 * compared byte by byte and so have no padding. */
struct cprof_function {
    uint32_t name;        /* for people */
    uint32_t system_name; /* without qualification */
    uint32_t file;
    int32_t first_line; /* 0: none */
};

struct cprof_location {
    uint32_t function;
    int32_t line;     /* 0: none */
    uint64_t address; /* of native code; 0: none */
    uint32_t mapping; /* that it lies in; 0: none */
    uint32_t reserved;
};

/* A part of an object file. Mappings count from 1. */
struct cprof_mapping {
    uint64_t start, limit; /* addresses */
    uint64_t file_offset;
    uint32_t file;     /* a text, and so is build_id; the empty one: not known */
    uint32_t build_id; /* hexadecimal digits */
};

struct cprof_label {
    uint32_t key;
    uint32_t value;
};

struct cprof_sample {
    uint64_t count;
    uint64_t value_ns;
    size_t first_location; /* in location_pool, leaf first */
    size_t first_label;    /* in label_pool */
    uint32_t depth;
    uint32_t label_count;
};

/* Finds entries by content; private to table.c. */
struct cprof_table_index {
    struct cprof_table_slot *slots;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t used;
};

struct cprof_table_text {
    size_t offset; /* in text_pool, which is NUL-terminated there */
    uint32_t bytes;
};

struct cprof_table {
    /* The profile as a whole. */
    enum cprof_kind kind; /* 0: not said yet */
    uint64_t time_unix_ns;
    uint64_t duration_ns;
    uint64_t period_ns;

    /* For reading only; add through the functions below. */
    struct cprof_table_text *texts;
    struct cprof_function *functions;
    struct cprof_location *locations;
    struct cprof_mapping *mappings; /* [0] is number 1 */
    struct cprof_sample *samples;
    uint32_t *comments; /* texts */
    char *text_pool;
    uint32_t *location_pool;
    struct cprof_label *label_pool;
    size_t text_count, function_count, location_count, mapping_count, sample_count, comment_count;
    size_t text_pool_used, location_pool_used, label_pool_used;
    size_t name_bytes;   /* the book: of texts, functions, locations, mappings and comments, */
    size_t sample_bytes; /* and of samples */
    bool failed;

    /* To be set at any time; 0: none. Comments are added beyond it. */
    size_t name_bytes_limit, sample_bytes_limit;

    /* Private. */
    size_t text_capacity, function_capacity, location_capacity, sample_capacity, comment_capacity;
    size_t mapping_capacity;
    size_t text_pool_capacity, location_pool_capacity, label_pool_capacity;
    uint64_t hash_seed;
    struct cprof_table_index text_index, function_index, location_index, mapping_index,
        sample_index;
};

/* Makes an empty table. cprof_table_reset frees what it holds; before it is used again, it needs
 * a new cprof_table_init. */
void cprof_table_init(struct cprof_table *table);
void cprof_table_reset(struct cprof_table *table);

/* The identifier of a text of `bytes` bytes without NUL, added if it is new. */
uint32_t cprof_table_text(struct cprof_table *table, const char *text, size_t bytes);

/* The text behind an identifier; valid until the next text is added. */
const char *cprof_table_text_at(const struct cprof_table *table, uint32_t text);

/* The identifiers of equal entries, added if they are new. */
uint32_t cprof_table_function(struct cprof_table *table, const struct cprof_function *function);
uint32_t cprof_table_location(struct cprof_table *table, const struct cprof_location *location);

/* The number of an equal mapping, added if it is new; 0 after a failure. */
uint32_t cprof_table_mapping(struct cprof_table *table, const struct cprof_mapping *mapping);

/* What `from`, another table, has by this text or location (its own, or one made of it), in `to`. A
 * location comes with its function and its mapping. */
uint32_t cprof_table_copy_text(struct cprof_table *to, const struct cprof_table *from,
                               uint32_t text);
uint32_t cprof_table_copy_location(struct cprof_table *to, const struct cprof_table *from,
                                   const struct cprof_location *location);

/* What a sample is found by. Both arrays are borrowed for the call. */
struct cprof_sample_key {
    const uint32_t *locations; /* leaf first */
    const struct cprof_label *labels;
    uint32_t depth;
    uint32_t label_count;
};

/* Adds to the sample of these locations and labels; sums stop at INT64_MAX. False: it would be a
 * new one, beyond the limit, or a part of the key is CPROF_TABLE_NONE. */
bool cprof_table_add_sample(struct cprof_table *table, const struct cprof_sample_key *key,
                            uint64_t count, uint64_t value_ns);

/* What a new sample of so many locations and labels takes in the book. */
size_t cprof_table_sample_bytes(uint32_t depth, uint32_t label_count);

/* Adds one line for people; cut at 1 KiB. */
void cprof_table_comment(struct cprof_table *table, const char *format, ...) CPROF_PRINTF(2, 3);

/* The sum over all samples; stops at INT64_MAX. */
uint64_t cprof_table_total_ns(const struct cprof_table *table);

/* a + b, at most INT64_MAX, which is what the profile format can hold. */
uint64_t cprof_saturating_add(uint64_t a, uint64_t b);

#endif
