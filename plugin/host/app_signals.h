/* app_signals.h - makes the app's own signal handlers, written in Python, work in forked processes.
 *
 * CPython up to 3.7 ignores every signal in a process that it does not know to be a fork
 * (Modules/signalmodule.c, main_pid), and uWSGI tells it only on demand: py-call-osafterfork.
 * That call is safe in some forms of an instance and hangs or aborts in others.
 *
 * Callers   the master in postinit_apps.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_APP_SIGNALS_H
#define CPROF_APP_SIGNALS_H

/* Switches py-call-osafterfork on where this CPython ("3.6.15") needs it and the present form of
 * the instance bears it. A choice of the admin's own is left alone. */
void cprof_app_signals_enable(const char *python_version);

#endif
