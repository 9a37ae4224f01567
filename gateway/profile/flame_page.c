/* flame_page.c - see flame_page.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "flame_page.h"

#include <stdlib.h>

#include "html_text.h"
#include "kind.h"
#include "text_report.h"

#define TOP_COUNT 50u

/* Pixels. */
#define PAGE_WIDTH      1200.0
#define ROW_HEIGHT      17u
#define CHARACTER_WIDTH 6.6

#define SMALLEST_SHARE 0.001

/* A function below its caller, with the time of all stacks that begin so. Node 0 is the root.
 * Nodes name each other by number; 0 names none. */
struct node {
    uint64_t value_ns;
    uint32_t function;
    uint32_t first_child, next_sibling;
};

struct tree {
    struct node *nodes;
    uint32_t count, capacity;
    uint32_t depth;
};

static uint32_t child_of(struct tree *tree, uint32_t parent, uint32_t function)
{
    uint32_t child = tree->nodes[parent].first_child;

    while (child != 0 && tree->nodes[child].function != function) {
        child = tree->nodes[child].next_sibling;
    }
    if (child == 0 && tree->count < tree->capacity) {
        child = tree->count++;
        tree->nodes[child] =
            (struct node){.function = function, .next_sibling = tree->nodes[parent].first_child};
        tree->nodes[parent].first_child = child;
    }
    return child;
}

static void add_sample(struct tree *tree, const struct cprof_table *table,
                       const struct cprof_sample *sample)
{
    const uint32_t *stack = table->location_pool + sample->first_location;
    uint32_t node = 0, depth = 0;

    tree->nodes[0].value_ns = cprof_saturating_add(tree->nodes[0].value_ns, sample->value_ns);
    for (uint32_t i = sample->depth; i > 0 && depth < CPROF_FLAME_DEPTH_MAX; i--) {
        node = child_of(tree, node, table->locations[stack[i - 1]].function);
        tree->nodes[node].value_ns =
            cprof_saturating_add(tree->nodes[node].value_ns, sample->value_ns);
        depth++;
    }
    tree->depth = depth > tree->depth ? depth : tree->depth;
}

static bool grow_tree(struct tree *tree, const struct cprof_table *table)
{
    *tree = (struct tree){.count = 1, .capacity = 1};
    for (size_t i = 0; i < table->sample_count; i++) {
        tree->capacity += table->samples[i].depth;
    }
    tree->nodes = calloc(tree->capacity, sizeof(*tree->nodes));
    for (size_t i = 0; tree->nodes && i < table->sample_count; i++) {
        add_sample(tree, table, &table->samples[i]);
    }
    return tree->nodes != NULL;
}

/* Warm colours that a function keeps from page to page. */
static unsigned hue_of(const char *name)
{
    unsigned hash = 5381;

    for (; *name; name++) {
        hash = hash * 33 + (unsigned char)*name;
    }
    return hash % 50;
}

static void write_frame(FILE *out, const struct cprof_table *table, const struct node *node,
                        double x, uint32_t row, double total_ns)
{
    const struct cprof_function *function = &table->functions[node->function];
    const char *name = cprof_table_text_at(table, function->name);
    double width = PAGE_WIDTH * (double)node->value_ns / total_ns;
    unsigned y = row * ROW_HEIGHT;

    (void)fprintf(out, "<g><title>");
    cprof_html_write(out, name, 1024);
    (void)fprintf(out, " (");
    cprof_html_write(out, cprof_table_text_at(table, function->file), 1024);
    (void)fprintf(out,
                  ":%d) %.3f s, %.2f%%</title><rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" "
                  "height=\"%u\" fill=\"hsl(%u,85%%,65%%)\"/>",
                  function->first_line, (double)node->value_ns / 1e9,
                  100.0 * (double)node->value_ns / total_ns, x, y, width > 0.5 ? width - 0.3 : 0.2,
                  ROW_HEIGHT - 1, hue_of(name));
    if (width > 3 * CHARACTER_WIDTH) {
        (void)fprintf(out, "<text x=\"%.2f\" y=\"%u\">", x + 2, y + ROW_HEIGHT - 5);
        cprof_html_write(out, name, (size_t)((width - 4) / CHARACTER_WIDTH));
        (void)fputs("</text>", out);
    }
    (void)fputs("</g>\n", out);
}

/* Depth is bounded, and so is the recursion. NOLINTNEXTLINE(misc-no-recursion) */
static void write_children(FILE *out, const struct cprof_table *table, const struct tree *tree,
                           uint32_t parent, double x, uint32_t row)
{
    double total_ns = (double)tree->nodes[0].value_ns;

    for (uint32_t i = tree->nodes[parent].first_child; i != 0; i = tree->nodes[i].next_sibling) {
        const struct node *node = &tree->nodes[i];

        if ((double)node->value_ns >= SMALLEST_SHARE * total_ns) {
            write_frame(out, table, node, x, row, total_ns);
            write_children(out, table, tree, i, x, row + 1);
        }
        x += PAGE_WIDTH * (double)node->value_ns / total_ns;
    }
}

static bool write_report(FILE *out, const struct cprof_table *table, struct cprof_error *error)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *report = open_memstream(&text, &bytes);
    bool ok = report && cprof_text_report(report, table, 1, TOP_COUNT, error);

    if (!report) {
        return cprof_fail(error, "no memory for the report");
    }
    if (fclose(report) != 0) {
        ok = cprof_fail(error, "no memory for the report");
    }
    (void)fputs("<pre>", out);
    cprof_html_write(out, ok ? text : "", bytes);
    (void)fputs("</pre>\n", out);
    free(text);
    return ok;
}

bool cprof_flame_page_write(FILE *out, const struct cprof_table *table, struct cprof_error *error)
{
    struct tree tree;
    bool ok;

    if (!grow_tree(&tree, table)) {
        return cprof_fail(error, "no memory for the flame graph");
    }
    (void)fprintf(out,
                  "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                  "<title>%s time</title>\n<h1>%s time</h1>\n"
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %u\" "
                  "width=\"100%%\" font-family=\"monospace\" font-size=\"11\">\n",
                  cprof_kind_title(table->kind), cprof_kind_title(table->kind), PAGE_WIDTH,
                  (tree.depth + 1) * ROW_HEIGHT);
    if (tree.nodes[0].value_ns > 0) {
        write_children(out, table, &tree, 0, 0, 0);
    }
    (void)fputs("</svg>\n", out);
    ok = write_report(out, table, error);
    (void)fputs("</html>\n", out);
    free(tree.nodes);
    return ok;
}
