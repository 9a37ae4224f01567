/* gateway_environment.h - the environment that the gateway is started with.
 *
 * The gateway holds credentials, and what stands in its environment steers it: where a token is
 * asked for, whom it trusts, which libraries it loads, where a library writes keys to. An app that
 * is loaded in the master writes to the same environment, for purposes of its own. So the gateway
 * gets variables of a list, which the C file has with reasons, and nothing else, with the values
 * that they had before the app was loaded: those that uWSGI was started with, under what `env =`
 * and the like say. It is the same whether the app is loaded before or after the fork.
 *
 * Reload    uWSGI executes itself with the environment as the app left it. Values that the app
 *           changed are told apart by what cprof_gateway_environment_hand_over notes in variables
 *           of ours; a value that differs from what the app left is a new one of the configuration.
 * Callers   the master (or the only process) before the first fork, and in master_cleanup. The
 *           first call of any function here takes the values, so that the first one must come
 *           after uWSGI has read its options and before the Python plugin is initialized: init.
 * Memory    copies, for the life of the process. A value that there is no memory for is left out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_GATEWAY_ENVIRONMENT_H
#define CPROF_GATEWAY_ENVIRONMENT_H

/* Takes the values, if that has not been done yet. */
void cprof_gateway_environment_note(void);

/* The value of a variable of the list, NULL if it is not set. */
const char *cprof_gateway_environment_value(const char *name);

/* For execve. */
char *const *cprof_gateway_environment(void);

/* Before the exec of a reload: see above. */
void cprof_gateway_environment_hand_over(void);

#endif
