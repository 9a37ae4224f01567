/* tag_values.h - keys and values of tags as small numbers, for the life of a process.
 *
 * Ids       a tag is a key with a value. Its id never changes and is never used again, so that
 *           whoever still has it finds a valid text. A key with a text has one id, whoever asks
 *           for it first and on however many threads.
 * Bounds    CPROF_TAG_KEYS_MAX keys, CPROF_TAG_VALUES_MAX values of each. What comes later has the
 *           key's own id for the value "[other]". Longer values are cut, where UTF-8 allows it.
 * Callers   any thread of a process and signal handlers, at the same time: nothing waits. A forked
 *           child goes on with what its parent knew, in memory of its own.
 * Memory    one private mapping of 2.5 MB, of which only what is used is ever touched. It is never
 *           unmapped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TAG_VALUES_H
#define CPROF_TAG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"

#define CPROF_TAG_KEYS_MAX        16u
#define CPROF_TAG_VALUES_MAX      1000u /* of each key */
#define CPROF_TAG_KEY_BYTES_MAX   64u
#define CPROF_TAG_VALUE_BYTES_MAX 128u

#define CPROF_TAG_NO_KEY 0u
#define CPROF_TAG_NONE   0u

/* An id is its key's number times this, plus the number of the value; that of "[other]" is 0. */
#define CPROF_TAG_ID_SPAN 1024u

#define CPROF_TAG_OTHER "[other]"

/* Maps the memory, once: in the process that becomes the master, or wherever it is first needed.
 * Later calls do nothing. False: no memory; then no key is accepted. Main thread. */
bool cprof_tag_values_create(void) CPROF_MUST_USE;

/* The number of a key, which becomes one of the keys if it is not yet. NO_KEY: there are as many
 * as there may be, or it has no byte or more than CPROF_TAG_KEY_BYTES_MAX. */
CPROF_SIGSAFE uint32_t cprof_tag_key(const char *key, size_t key_bytes);

/* The id of a key with a value; the text may contain any byte. The key's "[other]" where there is
 * no room. NONE for NO_KEY. */
CPROF_SIGSAFE uint32_t cprof_tag_intern(uint32_t key, const char *value, size_t value_bytes);

/* The number of an id's key; NO_KEY for what is no id. In the header, as each sample asks it of
 * each of its tags. */
CPROF_SIGSAFE static inline uint32_t cprof_tag_key_of(uint32_t tag)
{
    uint32_t key = tag / CPROF_TAG_ID_SPAN;

    return key <= CPROF_TAG_KEYS_MAX && tag % CPROF_TAG_ID_SPAN <= CPROF_TAG_VALUES_MAX
               ? key
               : CPROF_TAG_NO_KEY;
}

/* The "[other]" of an id's key, NONE for what is no id; and whether this is some key's. */
CPROF_SIGSAFE static inline uint32_t cprof_tag_other_of(uint32_t tag)
{
    return cprof_tag_key_of(tag) * CPROF_TAG_ID_SPAN;
}

CPROF_SIGSAFE static inline bool cprof_tag_is_other(uint32_t tag)
{
    return cprof_tag_key_of(tag) != CPROF_TAG_NO_KEY && tag % CPROF_TAG_ID_SPAN == 0;
}

/* Not terminated. */
struct cprof_tag_text {
    const char *key;
    const char *value;
    uint32_t key_bytes;
    uint32_t value_bytes;
};

/* The texts of a tag, valid for ever. False: this is no id, whatever number it is. */
CPROF_SIGSAFE bool cprof_tag_text(uint32_t tag, struct cprof_tag_text *text);

#endif
