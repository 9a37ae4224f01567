/* check_only.h - a start that is a check alone (cloudprofiler-check): it runs beside a server with
 * the same configuration, so that it must leave that server's files, sockets and hooks alone.
 *
 * Moment    uWSGI 2.0.21 and 2.0.31 (uwsgi_setup and uwsgi_start in core/uwsgi.c) load the plugins
 *           and call immediate options while they read the configuration, then call the functions
 *           of all other options (uwsgi_configure), then run the hooks "asap". The check is the
 *           first of these hooks, and the process ends with it. What uWSGI would have done next, in
 *           this order: mounts, commands and calls "asap"; envdirs; the log (daemonize, logto);
 *           flock2; log-master; pidfile; shared sockets; setns; an early emperor; hooks before the
 *           jail; cgroups, namespaces, hooks in the jail; file-write; the change of uid, with its
 *           hooks; logto2; chdir; pidfile2; limits; the emperor; locks, queues, caches; plugins'
 *           init, where routers listen; sockets; Python; the app; spoolers, workers; safe-pidfile.
 * Before it what the configuration itself asks for while it is read: files that are included,
 *           commands and URLs in it (exec://, http://), flock (which ends a second start),
 *           immediate-uid. The directories of spoolers, which uWSGI makes while it reads, are left
 *           alone, unless a plugin is loaded after this option was read.
 * End       without uWSGI's functions for the end of a process, which remove pidfiles and sockets
 *           (vacuum), run hooks and start fallback-config: also where uWSGI or a bad option ends
 *           the start earlier.
 * Identity  the check runs in a child that has made the server's envdirs, chroot, gid, uid and
 *           chdir its own; the rest of what a start changes is reported as not checked.
 * Callers   uWSGI's parser of options, in the only process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CHECK_ONLY_H
#define CPROF_CHECK_ONLY_H

#include <stdbool.h>

/* What answers, in the child: true if profiling will work. Nothing offered: this is another uWSGI
 * than the plugin was built for, none of whose fields may be touched, and the check says that. */
void cprof_check_only_offer(bool (*check)(void));

/* The function of cloudprofiler-check in the option table, which must be immediate: whatever ends
 * the start from then on leaves the running server alone. */
void cprof_check_only_set(char *option, char *value, void *data);

#endif
