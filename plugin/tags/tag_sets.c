/* tag_sets.c - see tag_sets.h. SIGSAFE FILE (tools/sigsafe).
 *
 * What one thread writes and a handler on that thread, or the ticker, reads: every word is stored
 * in an order in which what is seen at any instant is true, or is not believed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tag_sets.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define CORES_MAX 65536u

/* A search that is longer finds nothing. Both tables are at most half full. */
#define PROBES_MAX   64u
#define SCOPE_PLACES (2u * CPROF_TAG_SCOPES_MAX)
#define LINK_PLACES  (2u * CPROF_TAG_LINKS_MAX)

#define GOLDEN_RATIO UINT64_C(0x9E3779B97F4A7C15)

/* The tags of a core's request. */
struct cell {
    _Atomic uint64_t stamp;
    _Atomic uint32_t count;
    _Atomic uint32_t ids[CPROF_TAG_KEYS_MAX];
};

/* A context's entry. The address is stored last and taken away first. */
enum { ADDRESS_NEVER_USED = 0, ADDRESS_FREE = 1, ADDRESS_TAKEN = 2 };
struct entry {
    _Atomic uintptr_t address;
    _Atomic uint64_t stamp;
    _Atomic uint32_t chain;
    _Atomic int32_t core;
};

/* A link of a chain: written before its number is stored in the index, then never again. */
struct link {
    uint32_t parent;
    uint32_t tag;
};

struct tables {
    struct entry entries[SCOPE_PLACES];
    _Atomic uint32_t entry_count;
    _Atomic uint32_t left_out; /* entries that found no room */
    _Atomic uint32_t links_claimed;
    _Atomic uint32_t link_index[LINK_PLACES]; /* number of a link, 0: empty */
    struct link links[CPROF_TAG_LINKS_MAX];   /* number n is links[n - 1] */
};

static struct tables *tables;
static struct cell *cells;
static uint32_t cell_count;

static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        return NULL;
    }
    /* Huge pages would make the first tag cost 2 MiB. */
    (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
    return memory;
}

bool cprof_tag_sets_create(uint32_t core_count)
{
    struct cell *wanted;

    tables = tables ? tables : map(sizeof(*tables));
    if (!tables || core_count > CORES_MAX) {
        return false;
    }
    if (core_count <= cell_count) {
        return true;
    }
    wanted = map(core_count * sizeof(*wanted));
    if (!wanted) {
        return false;
    }
    cells = wanted; /* what the others held is of requests that are over, or have not begun */
    cell_count = core_count;
    return true;
}

/* Of a key that is in the list. */
static uint32_t place_of(const struct cprof_tag_list *list, uint32_t key)
{
    uint32_t place = 0;

    while (place + 1 < list->count && cprof_tag_key_of(list->ids[place]) != key) {
        place++;
    }
    return place;
}

void cprof_tag_list_set(struct cprof_tag_list *list, uint32_t tag)
{
    uint32_t key = cprof_tag_key_of(tag), place;

    if (key == CPROF_TAG_NO_KEY) {
        return;
    }
    if (list->keys & 1u << key) {
        place = place_of(list, key);
    } else {
        place = list->count++; /* there are as many places as keys */
        list->keys |= 1u << key;
    }
    list->ids[place] = tag;
}

static struct cell *cell_of(int core)
{
    return core >= 0 && (uint32_t)core < cell_count ? &cells[core] : NULL;
}

static uint32_t count_of(const struct cell *cell)
{
    uint32_t count = atomic_load_explicit(&cell->count, memory_order_acquire);

    return count < CPROF_TAG_KEYS_MAX ? count : CPROF_TAG_KEYS_MAX;
}

bool cprof_tag_set_for_request(int core, uint64_t stamp, uint32_t tag)
{
    struct cell *cell = cell_of(core);
    uint32_t place = 0, key = cprof_tag_key_of(tag), count;

    if (!cell || stamp == 0 || key == CPROF_TAG_NO_KEY) {
        return false;
    }
    if (atomic_load_explicit(&cell->stamp, memory_order_relaxed) != stamp) {
        atomic_store_explicit(&cell->count, 0, memory_order_release);
        atomic_store_explicit(&cell->stamp, stamp, memory_order_release);
    }
    count = count_of(cell);
    while (place < count &&
           cprof_tag_key_of(atomic_load_explicit(&cell->ids[place], memory_order_relaxed)) != key) {
        place++;
    }
    if (place == CPROF_TAG_KEYS_MAX) {
        return false;
    }
    atomic_store_explicit(&cell->ids[place], tag, memory_order_release);
    if (place == count) {
        atomic_store_explicit(&cell->count, count + 1, memory_order_release);
    }
    return true;
}

void cprof_tags_of_request(int core, uint64_t stamp, struct cprof_tag_list *list)
{
    const struct cell *cell = cell_of(core);

    if (!cell || stamp == 0 || atomic_load_explicit(&cell->stamp, memory_order_acquire) != stamp) {
        return;
    }
    for (uint32_t i = 0, count = count_of(cell); i < count; i++) {
        cprof_tag_list_set(list, atomic_load_explicit(&cell->ids[i], memory_order_relaxed));
    }
}

static const struct link *link_of(uint32_t chain)
{
    uint32_t number = chain & ~CPROF_TAG_CHAIN_LACKS_ONE;

    return tables && number != CPROF_TAG_NO_CHAIN && number <= CPROF_TAG_LINKS_MAX
               ? &tables->links[number - 1]
               : NULL;
}

/* A link's number, claimed and written; or NO_CHAIN. */
static uint32_t write_link(uint32_t parent, uint32_t tag)
{
    uint32_t seen = atomic_load_explicit(&tables->links_claimed, memory_order_relaxed);

    while (seen < CPROF_TAG_LINKS_MAX) {
        if (atomic_compare_exchange_weak(&tables->links_claimed, &seen, seen + 1)) {
            tables->links[seen] = (struct link){.parent = parent, .tag = tag};
            return seen + 1;
        }
    }
    return CPROF_TAG_NO_CHAIN;
}

/* Puts a link's number, if there is one, in a place that was empty, and returns what stands there
 * now: somebody else may have come first. 0: nothing. */
static uint32_t put_link(_Atomic uint32_t *place, uint32_t number)
{
    uint32_t standing = 0;

    if (number == 0) {
        return atomic_load_explicit(place, memory_order_acquire);
    }
    return atomic_compare_exchange_strong(place, &standing, number) ? number : standing;
}

/* The link, made if it is new; NO_CHAIN: no room. As in tag_values.c, whoever loses the race for
 * a place looks at what stands there. */
static uint32_t intern_link(uint32_t parent, uint32_t tag)
{
    uint64_t home = (((uint64_t)parent << 32 | tag) * GOLDEN_RATIO) >> 40;
    uint32_t written = 0;

    for (uint32_t probe = 0; probe < PROBES_MAX; probe++) {
        _Atomic uint32_t *place = &tables->link_index[(home + probe) % LINK_PLACES];
        uint32_t number = atomic_load_explicit(place, memory_order_acquire);

        if (number == 0) {
            written = written ? written : write_link(parent, tag);
            number = put_link(place, written);
        }
        if (number == 0) {
            break;
        }
        if (tables->links[number - 1].parent == parent && tables->links[number - 1].tag == tag) {
            return number;
        }
    }
    return CPROF_TAG_NO_CHAIN;
}

/* A chain is at most as long as there are keys; `tags` gets them, the first one first. */
static uint32_t unroll(uint32_t chain, uint32_t tags[CPROF_TAG_KEYS_MAX])
{
    uint32_t count = 0;

    for (const struct link *link = link_of(chain); link && count < CPROF_TAG_KEYS_MAX;
         link = link_of(link->parent)) {
        tags[count++] = link->tag;
    }
    for (uint32_t low = 0, high = count; low + 1 < high; low++) {
        uint32_t tag = tags[low];

        tags[low] = tags[--high];
        tags[high] = tag;
    }
    return count;
}

/* The chain in which `tag` stands in the place of the one with its key; NO_CHAIN: no room. */
static uint32_t rebuild(const uint32_t *tags, uint32_t count, uint32_t tag)
{
    uint32_t chain = CPROF_TAG_NO_CHAIN;

    for (uint32_t i = 0; i < count; i++) {
        bool is_replaced = cprof_tag_key_of(tags[i]) == cprof_tag_key_of(tag);

        chain = intern_link(chain, is_replaced ? tag : tags[i]);
        if (chain == CPROF_TAG_NO_CHAIN) {
            break;
        }
    }
    return chain;
}

static uint32_t with(uint32_t chain, uint32_t tag)
{
    uint32_t tags[CPROF_TAG_KEYS_MAX];
    uint32_t count = unroll(chain, tags);

    for (uint32_t i = 0; i < count; i++) {
        if (cprof_tag_key_of(tags[i]) == cprof_tag_key_of(tag)) {
            return tags[i] == tag ? chain : rebuild(tags, count, tag);
        }
    }
    return intern_link(chain, tag);
}

/* The part of the chain that stands before the key; all of it where it has no such key. */
static uint32_t before_key(uint32_t chain, uint32_t key)
{
    uint32_t left = CPROF_TAG_KEYS_MAX;

    for (const struct link *link = link_of(chain); link && left > 0; link = link_of(link->parent)) {
        if (cprof_tag_key_of(link->tag) == key) {
            return link->parent;
        }
        left--;
    }
    return chain;
}

uint32_t cprof_tag_chain_with(uint32_t chain, uint32_t tag)
{
    uint32_t mark = chain & CPROF_TAG_CHAIN_LACKS_ONE, longer;

    if (!tables || cprof_tag_key_of(tag) == CPROF_TAG_NO_KEY) {
        return chain;
    }
    chain &= ~CPROF_TAG_CHAIN_LACKS_ONE;
    longer = with(chain, tag);
    if (longer == CPROF_TAG_NO_CHAIN) {
        longer = with(chain, cprof_tag_other_of(tag));
    }
    if (longer == CPROF_TAG_NO_CHAIN) {
        return before_key(chain, cprof_tag_key_of(tag)) | CPROF_TAG_CHAIN_LACKS_ONE;
    }
    return longer | mark;
}

void cprof_tags_of_chain(uint32_t chain, struct cprof_tag_list *list)
{
    uint32_t tags[CPROF_TAG_KEYS_MAX];
    uint32_t count = unroll(chain, tags);

    for (uint32_t i = 0; i < count; i++) {
        cprof_tag_list_set(list, tags[i]);
    }
    list->lacks_one |= (chain & CPROF_TAG_CHAIN_LACKS_ONE) != 0;
}

static struct entry *entry_at(uintptr_t context, uint32_t probe)
{
    uint64_t home = (context * GOLDEN_RATIO) >> 40;

    return &tables->entries[(home + probe) % SCOPE_PLACES];
}

static struct entry *entry_of(uintptr_t context)
{
    if (!tables || context <= ADDRESS_TAKEN) {
        return NULL;
    }
    for (uint32_t probe = 0; probe < PROBES_MAX; probe++) {
        struct entry *entry = entry_at(context, probe);
        uintptr_t address = atomic_load_explicit(&entry->address, memory_order_acquire);

        if (address == context) {
            return entry;
        }
        if (address == ADDRESS_NEVER_USED) {
            break;
        }
    }
    return NULL;
}

bool cprof_tag_scope_find(uintptr_t context, struct cprof_tag_scope *scope)
{
    const struct entry *entry = entry_of(context);

    *scope = (struct cprof_tag_scope){.core = -1};
    if (!entry) {
        return false;
    }
    scope->chain = atomic_load_explicit(&entry->chain, memory_order_relaxed);
    scope->stamp = atomic_load_explicit(&entry->stamp, memory_order_relaxed);
    scope->core = atomic_load_explicit(&entry->core, memory_order_acquire);
    return true;
}

bool cprof_tag_scopes_exist(void)
{
    return tables && atomic_load_explicit(&tables->entry_count, memory_order_relaxed) > 0;
}

/* A core that is seen has its own stamp: the core is stored behind it, and taken away before. What
 * an earlier request left behind goes even before that: without a core it would count again. */
static void fill(struct entry *entry, const struct cprof_tag_scope *scope)
{
    int32_t core = atomic_load_explicit(&entry->core, memory_order_relaxed);

    if (atomic_load_explicit(&entry->stamp, memory_order_relaxed) != scope->stamp ||
        core != scope->core) {
        if (core >= 0) {
            atomic_store_explicit(&entry->chain, CPROF_TAG_NO_CHAIN, memory_order_release);
        }
        atomic_store_explicit(&entry->core, -1, memory_order_release);
        atomic_store_explicit(&entry->stamp, scope->stamp, memory_order_release);
        atomic_store_explicit(&entry->core, scope->core, memory_order_release);
    }
    atomic_store_explicit(&entry->chain, scope->chain, memory_order_release);
}

static bool take_place(struct entry *entry)
{
    uintptr_t address = atomic_load_explicit(&entry->address, memory_order_relaxed);

    return address <= ADDRESS_FREE &&
           atomic_compare_exchange_strong(&entry->address, &address, ADDRESS_TAKEN);
}

static enum cprof_tag_scope_change add(uintptr_t context, const struct cprof_tag_scope *scope)
{
    uint32_t probes = PROBES_MAX;

    if (atomic_fetch_add(&tables->entry_count, 1) >= CPROF_TAG_SCOPES_MAX) {
        probes = 0;
    }
    for (uint32_t probe = 0; probe < probes; probe++) {
        struct entry *entry = entry_at(context, probe);

        if (take_place(entry)) {
            fill(entry, scope);
            atomic_store_explicit(&entry->address, context, memory_order_release);
            return CPROF_TAG_SCOPE_ADDED;
        }
    }
    atomic_fetch_sub(&tables->entry_count, 1);
    atomic_fetch_add(&tables->left_out, 1);
    return CPROF_TAG_SCOPE_FULL;
}

uint32_t cprof_tag_scopes_left_out(void)
{
    return tables ? atomic_load(&tables->left_out) : 0;
}

enum cprof_tag_scope_change cprof_tag_scope_put(uintptr_t context,
                                                const struct cprof_tag_scope *scope)
{
    struct entry *entry = entry_of(context);
    bool is_needed = scope->chain != CPROF_TAG_NO_CHAIN || scope->core >= 0;

    if (!tables || context <= ADDRESS_TAKEN) {
        return CPROF_TAG_SCOPE_FULL;
    }
    if (!entry) {
        return is_needed ? add(context, scope) : CPROF_TAG_SCOPE_KEPT;
    }
    if (is_needed) {
        fill(entry, scope);
        return CPROF_TAG_SCOPE_KEPT;
    }
    atomic_store_explicit(&entry->address, ADDRESS_FREE, memory_order_release);
    atomic_fetch_sub(&tables->entry_count, 1);
    return CPROF_TAG_SCOPE_REMOVED;
}
