/* tag_values.c - see tag_values.h. SIGSAFE FILE (tools/sigsafe).
 *
 * A text is written where nobody looks yet, and then put into an index by one CAS of a place that
 * is still empty. Whoever loses that race looks at the same place again: the winner's text may be
 * the one that it wanted. So no text is in the index twice, and the loser's copy is given back
 * or, if others came later, lost; that is a place less, and rare.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tag_values.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define PLACES       2048u /* of a key's index: at most half full, so that a search ends soon */
#define KEY_COPIES   (2u * CPROF_TAG_KEYS_MAX)
#define HASH_SHIFT   16u
#define NUMBER_MASK  0xffffu
#define OTHER_NUMBER 0u

_Static_assert(CPROF_TAG_VALUES_MAX < CPROF_TAG_ID_SPAN, "0 is [other]");
_Static_assert(CPROF_TAG_VALUES_MAX * 2 < PLACES, "the index always has empty places");

struct value {
    uint8_t bytes;
    char text[CPROF_TAG_VALUE_BYTES_MAX];
};

struct key_text {
    uint8_t bytes;
    char text[CPROF_TAG_KEY_BYTES_MAX];
};

struct key_values {
    _Atomic uint32_t claimed;       /* values that were written, or are being written */
    _Atomic uint32_t index[PLACES]; /* half of the hash << 16 | number of the value; 0: empty */
    struct value values[CPROF_TAG_VALUES_MAX]; /* number n is values[n - 1] */
};

struct tables {
    _Atomic uint32_t keys_claimed;
    _Atomic uint32_t keys[CPROF_TAG_KEYS_MAX]; /* key n + 1 is key_texts[keys[n] - 1]; 0: free */
    struct key_text key_texts[KEY_COPIES];
    struct key_values of_key[CPROF_TAG_KEYS_MAX];
};

static struct tables *tables; /* set once, before there is a second thread */

bool cprof_tag_values_create(void)
{
    void *memory;

    if (tables) {
        return true;
    }
    memory = mmap(NULL, sizeof(struct tables), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    /* Huge pages would make the first value cost 2 MiB. */
    (void)madvise(memory, sizeof(struct tables), MADV_NOHUGEPAGE);
    tables = memory;
    return true;
}

static bool is_same(const char *text, uint32_t text_bytes, const char *wanted, size_t wanted_bytes)
{
    return text_bytes == wanted_bytes && memcmp(text, wanted, wanted_bytes) == 0;
}

/* The next number up to `highest`, or 0. */
static uint32_t claim(_Atomic uint32_t *claimed, uint32_t highest)
{
    uint32_t seen = atomic_load_explicit(claimed, memory_order_relaxed);

    while (seen < highest) {
        if (atomic_compare_exchange_weak(claimed, &seen, seen + 1)) {
            return seen + 1;
        }
    }
    return 0;
}

/* A copy that is not the one in the index is given back, if nobody has claimed another since. */
static void give_back(_Atomic uint32_t *claimed, uint32_t copy, uint32_t kept)
{
    if (copy != 0 && copy != kept) {
        (void)atomic_compare_exchange_strong(claimed, &copy, copy - 1);
    }
}

/* Puts an entry, if there is one, in a place that was empty, and returns what stands there now:
 * somebody else may have come first, and even have filled the table meanwhile. 0: nothing. */
static uint32_t put(_Atomic uint32_t *place, uint32_t entry)
{
    uint32_t standing = 0;

    if (entry == 0) {
        return atomic_load_explicit(place, memory_order_acquire);
    }
    return atomic_compare_exchange_strong(place, &standing, entry) ? entry : standing;
}

/* The number of a copy of the key's text, or 0. */
static uint32_t copy_key(const char *key, size_t key_bytes)
{
    uint32_t copy = claim(&tables->keys_claimed, KEY_COPIES);

    if (copy != 0) {
        tables->key_texts[copy - 1].bytes = (uint8_t)key_bytes;
        memcpy(tables->key_texts[copy - 1].text, key, key_bytes);
    }
    return copy;
}

static bool is_key(uint32_t number, const char *key, size_t key_bytes)
{
    const struct key_text *text = &tables->key_texts[number - 1];

    return is_same(text->text, text->bytes, key, key_bytes);
}

uint32_t cprof_tag_key(const char *key, size_t key_bytes)
{
    uint32_t copy = 0;

    if (!tables || key_bytes == 0 || key_bytes > CPROF_TAG_KEY_BYTES_MAX) {
        return CPROF_TAG_NO_KEY;
    }
    for (uint32_t i = 0; i < CPROF_TAG_KEYS_MAX; i++) {
        uint32_t number = atomic_load_explicit(&tables->keys[i], memory_order_acquire);

        if (number == 0) {
            copy = copy ? copy : copy_key(key, key_bytes);
            number = put(&tables->keys[i], copy);
        }
        if (number == 0) {
            break;
        }
        if (is_key(number, key, key_bytes)) {
            give_back(&tables->keys_claimed, copy, number);
            return i + 1;
        }
    }
    give_back(&tables->keys_claimed, copy, 0);
    return CPROF_TAG_NO_KEY;
}

/* FNV-1a, 32 bits: short texts, and no table to load. */
static uint32_t hash_of(const char *text, size_t bytes)
{
    uint32_t hash = UINT32_C(2166136261);

    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ (uint8_t)text[i]) * UINT32_C(16777619);
    }
    return hash;
}

/* How many bytes to keep: no UTF-8 character is cut in two. */
static size_t cut(const char *text, size_t bytes)
{
    size_t kept = CPROF_TAG_VALUE_BYTES_MAX;

    if (bytes <= CPROF_TAG_VALUE_BYTES_MAX) {
        return bytes;
    }
    while (kept > CPROF_TAG_VALUE_BYTES_MAX - 4 && ((uint8_t)text[kept] & 0xc0u) == 0x80u) {
        kept--;
    }
    /* Four bytes that continue a character are no UTF-8 anyway. */
    return ((uint8_t)text[kept] & 0xc0u) == 0x80u ? CPROF_TAG_VALUE_BYTES_MAX : kept;
}

static uint32_t copy_value(struct key_values *of_key, const char *text, size_t bytes)
{
    uint32_t number = claim(&of_key->claimed, CPROF_TAG_VALUES_MAX);

    if (number != 0) {
        of_key->values[number - 1].bytes = (uint8_t)bytes;
        memcpy(of_key->values[number - 1].text, text, bytes);
    }
    return number;
}

/* The number that an index's entry names, if that has the text; else 0. */
static uint32_t match(const struct key_values *of_key, uint32_t entry, uint32_t hash,
                      const char *text, size_t bytes)
{
    uint32_t number = entry & NUMBER_MASK;
    const struct value *value = &of_key->values[number - 1];

    return entry >> HASH_SHIFT == hash >> HASH_SHIFT &&
                   is_same(value->text, value->bytes, text, bytes)
               ? number
               : 0;
}

/* The number of a value, or OTHER_NUMBER. */
static uint32_t find_or_add(struct key_values *of_key, const char *text, size_t bytes)
{
    uint32_t hash = hash_of(text, bytes), copy = 0;

    for (uint32_t probe = 0; probe < PLACES; probe++) {
        _Atomic uint32_t *place = &of_key->index[(hash + probe) % PLACES];
        uint32_t entry = atomic_load_explicit(place, memory_order_acquire), number;

        if (entry == 0) {
            copy = copy ? copy : copy_value(of_key, text, bytes);
            entry = put(place, copy ? (hash >> HASH_SHIFT << HASH_SHIFT) | copy : 0);
        }
        if (entry == 0) {
            break;
        }
        number = match(of_key, entry, hash, text, bytes);
        if (number) {
            give_back(&of_key->claimed, copy, number);
            return number;
        }
    }
    return OTHER_NUMBER;
}

uint32_t cprof_tag_intern(uint32_t key, const char *value, size_t value_bytes)
{
    if (!tables || key == CPROF_TAG_NO_KEY || key > CPROF_TAG_KEYS_MAX) {
        return CPROF_TAG_NONE;
    }
    return key * CPROF_TAG_ID_SPAN +
           find_or_add(&tables->of_key[key - 1], value, cut(value, value_bytes));
}

static uint32_t number_of(uint32_t tag)
{
    return tag % CPROF_TAG_ID_SPAN;
}

bool cprof_tag_text(uint32_t tag, struct cprof_tag_text *text)
{
    uint32_t key = cprof_tag_key_of(tag), copy;
    const struct value *value;

    if (!tables || key == CPROF_TAG_NO_KEY) {
        return false;
    }
    copy = atomic_load_explicit(&tables->keys[key - 1], memory_order_acquire);
    if (copy == 0) {
        return false;
    }
    text->key = tables->key_texts[copy - 1].text;
    text->key_bytes = tables->key_texts[copy - 1].bytes;
    text->value = CPROF_TAG_OTHER;
    text->value_bytes = sizeof(CPROF_TAG_OTHER) - 1;
    if (number_of(tag) != OTHER_NUMBER) {
        value = &tables->of_key[key - 1].values[number_of(tag) - 1];
        text->value = value->text;
        text->value_bytes = value->bytes;
    }
    return true;
}
