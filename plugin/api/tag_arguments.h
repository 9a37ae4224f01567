/* tag_arguments.h - keys and values that the app gives, checked, as ids of tag_values.h.
 *
 * Callers   the module's functions, with the GIL. What is refused raises an exception that says
 *           what is accepted; it does so in every process, sampled or not, so that a mistake shows
 *           where the app is tested.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TAG_ARGUMENTS_H
#define CPROF_TAG_ARGUMENTS_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../tags/tag_sets.h"

/* The id of a tag; *tag is NONE where there is no memory for any. False: an exception is set. */
bool cprof_tag_of_arguments(PyObject *key, PyObject *value, uint32_t *tag) CPROF_MUST_USE;

/* Fills the list from a dictionary of keyword arguments, or NULL. Nothing given is a TypeError.
 * False: an exception is set. */
bool cprof_tags_of_keywords(PyObject *keywords, struct cprof_tag_list *list) CPROF_MUST_USE;

#endif
