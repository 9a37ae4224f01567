/* check_only.c - see check_only.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "check_only.h"

#include "../../shared/base/log.h"
#include "option_values.h"

extern struct uwsgi_server uwsgi;

#define GROUPS_MAX 256

static struct {
    bool (*check)(void);
    uint32_t is_wanted;
    bool is_prepared;
} start;

__attribute__((noreturn)) static void fail(void)
{
    cprof_notice("check: profiling will NOT work as configured");
    cprof_option_end_start(false);
}

__attribute__((noreturn)) static void fail_to_become(const char *what)
{
    cprof_notice("check: FAILED: %s: %s", what, strerror(errno));
    fail();
}

/* The first of all functions that exit() calls, since it was registered last. */
static void end_before_vacuum(void)
{
    if (start.is_wanted) {
        cprof_notice("check: FAILED: uWSGI does not start; the line above says why");
        fail();
    }
}

static void change_directory(void)
{
    if (uwsgi.chdir && chdir(uwsgi.chdir) != 0) {
        fail_to_become("chdir");
    }
}

static void find_names(void)
{
    const struct group *group = uwsgi.gidname ? getgrnam(uwsgi.gidname) : NULL;
    const struct passwd *user = uwsgi.uidname ? getpwnam(uwsgi.uidname) : NULL;

    if ((uwsgi.gidname && !group) || (uwsgi.uidname && !user)) {
        cprof_notice("check: FAILED: there is no %s %s", group || !uwsgi.gidname ? "user" : "group",
                     group || !uwsgi.gidname ? uwsgi.uidname : uwsgi.gidname);
        fail();
    }
    uwsgi.gid = group ? group->gr_gid : uwsgi.gid;
    uwsgi.uid = user ? user->pw_uid : uwsgi.uid;
}

/* Groups by number or name (add-gid). */
static void set_additional_groups(void)
{
    gid_t groups[GROUPS_MAX];
    size_t count = 0;

    for (struct uwsgi_string_list *each = uwsgi.additional_gids; each && count < GROUPS_MAX;
         each = each->next) {
        const struct group *found = getgrnam(each->value);

        groups[count++] = found ? found->gr_gid : (gid_t)strtoul(each->value, NULL, 10);
    }
    if (count > 0 && setgroups(count, groups) != 0) {
        fail_to_become("add-gid");
    }
}

static void set_groups(void)
{
    const struct passwd *user = getpwuid(uwsgi.uid);
    const char *name = uwsgi.uidname ? uwsgi.uidname : user ? user->pw_name : "";

    if (setgid(uwsgi.gid) != 0) {
        fail_to_become("gid");
    }
    if (uwsgi.no_initgroups || !uwsgi.uid ? setgroups(0, NULL) != 0
                                          : initgroups(name, uwsgi.gid) != 0) {
        fail_to_become("the groups of uid");
    }
    set_additional_groups();
}

/* As uwsgi_as_root does (core/uwsgi.c), without the hooks. */
static void change_identity(void)
{
    if (getuid() != 0) {
        if (uwsgi.chroot || (uwsgi.gid && getgid() != uwsgi.gid) ||
            (uwsgi.uid && getuid() != uwsgi.uid)) {
            cprof_notice("check: FAILED: only root can change to the chroot, uid and gid of this "
                         "configuration: check as root");
            fail();
        }
        return;
    }
    if (uwsgi.chroot && chroot(uwsgi.chroot) != 0) {
        fail_to_become("chroot");
    }
    find_names();
    if (uwsgi.gid) {
        set_groups();
    }
    if (uwsgi.uid && setuid(uwsgi.uid) != 0) {
        fail_to_become("uid");
    }
    if (uwsgi.uid || uwsgi.gid) {
        cprof_notice("check: note: judged as uid %u and gid %u, which the server changes to",
                     (unsigned)getuid(), (unsigned)getgid());
    }
}

/* In uWSGI's order. A server whose master stays root starts the gateway as root, too. This is no
 * reload, though what a server starts has uWSGI's mark of one in its environment. */
static void become_server(void)
{
    bool is_late = uwsgi.master_as_root || uwsgi.chown_socket || uwsgi.drop_after_init ||
                   uwsgi.drop_after_apps;

    uwsgi.is_a_reload = 0;
    uwsgi_envdirs(uwsgi.envdirs);
    if (is_late) {
        change_directory();
    }
    if (!uwsgi.master_as_root) {
        change_identity();
    }
    if (!is_late) {
        change_directory();
    }
}

static char hook_name[] = "cloudprofiler-check";
static char hook_text[] = "cloudprofiler-check:";
static struct uwsgi_string_list first_hook = {.value = hook_text, .len = sizeof(hook_text) - 1};

static bool has_hooks(void)
{
    return first_hook.next || uwsgi.exec_asap || uwsgi.call_asap || uwsgi.hook_pre_jail ||
           uwsgi.exec_pre_jail || uwsgi.call_pre_jail || uwsgi.hook_in_jail || uwsgi.exec_in_jail ||
           uwsgi.call_in_jail || uwsgi.hook_post_jail || uwsgi.exec_post_jail ||
           uwsgi.call_post_jail || uwsgi.hook_as_root || uwsgi.exec_as_root || uwsgi.call_as_root ||
           uwsgi.hook_as_user || uwsgi.exec_as_user || uwsgi.call_as_user || uwsgi.hook_pre_app ||
           uwsgi.exec_pre_app || uwsgi.call_pre_app;
}

static bool has_mounts(void)
{
    return uwsgi.mount_asap || uwsgi.umount_asap || uwsgi.mount_pre_jail || uwsgi.umount_pre_jail ||
           uwsgi.mount_in_jail || uwsgi.umount_in_jail || uwsgi.mount_post_jail ||
           uwsgi.umount_post_jail || uwsgi.mount_as_root || uwsgi.umount_as_root;
}

static bool has_namespaces(void)
{
    return uwsgi.unshare || uwsgi.unshare2 || uwsgi.ns || uwsgi.setns || uwsgi.setns_socket ||
           uwsgi.pivot_root;
}

static void list_unchecked(void)
{
    cprof_notice("check: not checked: whether sockets are free and the app loads: both are left "
                 "alone");
    if (has_hooks()) {
        cprof_notice("check: not checked: what hooks (hook-, exec- and call-) change before the "
                     "workers start: none is run");
    }
    if (has_mounts()) {
        cprof_notice("check: not checked: what is found behind mounts (mount-, umount-): none is "
                     "made");
    }
    if (has_namespaces()) {
        cprof_notice("check: not checked: what is found in other namespaces (unshare, setns, "
                     "namespace, pivot-root): none is entered");
    }
#ifdef UWSGI_CAP
    if (uwsgi.cap_count > 0) {
        cprof_notice("check: not checked: what the capabilities of cap allow: they are not taken");
    }
#endif
}

/* uWSGI's hook. The child may change its identity for good; the parent only waits. */
static int run_check(char *argument)
{
    pid_t child;
    int status;

    (void)argument;
    if (!start.is_wanted) {
        return 0;
    }
    child = fork();
    if (child == 0) {
        become_server();
        list_unchecked();
        cprof_option_end_start(start.check());
    }
    if (child < 0) {
        fail_to_become("fork");
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    if (WIFEXITED(status)) {
        cprof_option_end_start(WEXITSTATUS(status) == 0);
    }
    cprof_notice("check: FAILED: the check was ended by signal %d", WTERMSIG(status));
    fail();
}

static void leave_spools_alone(void)
{
    static char names[][20] = {"spooler", "spooler-external"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct uwsgi_option *option = uwsgi_opt_get(names[i]);

        if (option) {
            option->func = uwsgi_opt_noop;
        }
    }
}

static void prepare(void)
{
    if (start.is_prepared) {
        return;
    }
    if (!start.check) {
        cprof_notice("check: FAILED: this is another uWSGI than the plugin was built for");
        fail();
    }
    start.is_prepared = true;
    (void)atexit(end_before_vacuum);
    uwsgi_register_hook(hook_name, run_check);
    first_hook.next = uwsgi.hook_asap;
    uwsgi.hook_asap = &first_hook;
    leave_spools_alone();
}

void cprof_check_only_offer(bool (*check)(void))
{
    start.check = check;
}

void cprof_check_only_set(char *option, char *value, void *data)
{
    (void)data;
    cprof_option_set_flag(option, value, &start.is_wanted);
    if (start.is_wanted) {
        prepare();
    }
}
