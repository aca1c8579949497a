/*
 * dtcapture: a file system over a directory that hands every operation on to the directory below it and keeps the
 * ordered log of all changes. This file reads the arguments and puts the parts together.
 *
 *   dtcapture --mountpoint PATH --root-fd N --log-fd N --memory-fd N --disk-fd N --ready-fd N
 *
 * The descriptors are inherited: the root was opened before the mount, so it stays the lower directory. When the mount
 * stands, "ready\n" is written to the ready descriptor; when it cannot, one line that says why.
 */
#include "control.h"
#include "fs.h"
#include "synchronous.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Threads that wait for the disk (fsync) must not keep the others from working. */
enum { WORKERS = 16 };

static struct {
    const char *mountpoint;
    int root, log, memory, disk, ready;
    int stop_pipe[2];
} given = {.root = -1, .log = -1, .memory = -1, .disk = -1, .ready = -1};

static void say_ready(const char *line)
{
    if (given.ready < 0)
        return;
    dprintf(given.ready, "%s\n", line);
    close(given.ready);
    given.ready = -1;
}

static _Noreturn void fail(const char *what, int error)
{
    char line[512];
    snprintf(line, sizeof line, "%s: %s", what, strerror(error));
    fprintf(stderr, "dtcapture: %s\n", line);
    say_ready(line);
    exit(1);
}

/* --- the agreement with the kernel -------------------------------------------------------------------------------- */

static void want(struct fuse_conn_info *kernel, unsigned capability) { kernel->want |= kernel->capable & capability; }

static void agree(void *unused, struct fuse_conn_info *kernel)
{
    (void)unused;
    want(kernel, FUSE_CAP_DONT_MASK); /* the lower file system decides between umask and default ACL */
    want(kernel, FUSE_CAP_POSIX_ACL); /* the kernel checks access by the ACLs that we hand on */
    want(kernel, FUSE_CAP_PARALLEL_DIROPS);
    want(kernel, FUSE_CAP_READDIRPLUS);
    want(kernel, FUSE_CAP_READDIRPLUS_AUTO);
    want(kernel, FUSE_CAP_CACHE_SYMLINKS); /* a link's target never changes */
    want(kernel, FUSE_CAP_ASYNC_READ);
    want(kernel, FUSE_CAP_ASYNC_DIO);
    /* Not the write-back cache: it would merge and reorder writes before we see them. */
    /* Not O_TRUNC within open: a truncation of its own carries the order to clear set-user-id. */
    /* Not automatic invalidation: our own writes change the time, and would throw the cached pages away. */
    /* Not locks: the kernel keeps flock and POSIX locks itself, without asking us. */
    kernel->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA |
                                FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_SPLICE_READ |
                                FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
    kernel->max_write = MAX_WRITE_BYTES;
    kernel->max_readahead = MAX_READ_BYTES;
    kernel->max_background = 64;
    say_ready("ready");
}

/* --- the threads -------------------------------------------------------------------------------------------------- */

/* What the kernel made us know of and forget again, in millions, goes back to the system. */
static void give_memory_back(void)
{
    enum { WORTH_IT = 100000 };
    static uint64_t most;
    uint64_t now = nodes_count();
    if (now > most)
        most = now;
    if (most < WORTH_IT || now > most / 2)
        return;
    malloc_trim(0);
    most = now;
}

static _Noreturn void *keep_house(void *unused)
{
    (void)unused;
    for (;;) {
        log_keep_house();
        give_memory_back();
    }
}

static _Noreturn void *see_lateness(void *unused)
{
    (void)unused;
    synchronous_watch();
}

static _Noreturn void *follow_directories(void *unused)
{
    (void)unused;
    directory_times_follow();
}

static struct {
    struct fuse_session *session;
    pthread_t thread; /* that runs it */
} running;

static void start_thread(void *(*work)(void *))
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, work, NULL);
    if (error)
        fail("cannot start a thread", error);
    pthread_detach(thread);
}

/* Its loop looks whether the session was ended only when something wakes it. */
static _Noreturn void *wake_main_thread(void *unused)
{
    (void)unused;
    for (;;) {
        pthread_kill(running.thread, SIGUSR1);
        usleep(10000);
    }
}

/* Unmounted here. Namespaces that copied the mount while it stood (containers) would keep the session for ever, and with
 * it the log: theirs ends with ours. What is under way is done first. */
static void end_session(void)
{
    fuse_session_exit(running.session);
    start_thread(wake_main_thread);
}

static void *serve_control(void *unused)
{
    (void)unused;
    control_serve(given.mountpoint, given.root, given.stop_pipe[0], end_session);
    return NULL;
}

static void ask_to_stop(int signal)
{
    static const char byte = 1;
    int kept = errno;
    (void)signal;
    if (write(given.stop_pipe[1], &byte, 1) < 0) {
        /* asked already */
    }
    errno = kept;
}

static void wake(int signal) { (void)signal; }

static void watch_signals(void)
{
    if (pipe2(given.stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        fail("cannot make a pipe", errno);
    struct sigaction orderly = {.sa_handler = ask_to_stop, .sa_flags = SA_RESTART}, ignored = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &orderly, NULL);
    sigaction(SIGINT, &orderly, NULL);
    sigaction(SIGHUP, &ignored, NULL);
    sigaction(SIGPIPE, &ignored, NULL);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = wake}, NULL); /* not SA_RESTART: it is to interrupt a wait */
}

/* --- the session -------------------------------------------------------------------------------------------------- */

static void append_escaped(char *out, size_t room, const char *text)
{
    size_t at = strlen(out);
    for (; *text && at + 3 < room; text++) {
        if (*text == ',' || *text == '\\')
            out[at++] = '\\';
        out[at++] = *text;
    }
    out[at] = '\0';
}

/* As root for everybody, with the restrictions of the lower mount; the kernel checks permissions from our attributes.
 */
static void mount_options(char *out, size_t room)
{
    struct statvfs lower_mount = {.f_flag = 0};
    bool root = geteuid() == 0;
    fstatvfs(given.root, &lower_mount);
    snprintf(out, room, "default_permissions,subtype=dtcapture%s%s%s%s%s,fsname=", root ? ",allow_other" : "",
             root && !(lower_mount.f_flag & ST_NOSUID) ? ",suid" : "",
             root && !(lower_mount.f_flag & ST_NODEV) ? ",dev" : "", lower_mount.f_flag & ST_NOEXEC ? ",noexec" : "",
             lower_mount.f_flag & ST_RDONLY ? ",ro" : "");
    append_escaped(out, room, given.mountpoint);
}

static struct fuse_session *open_session(void)
{
    static char options[2 * PATH_MAX + 256];
    struct fuse_lowlevel_ops operations = {.init = agree};
    operations_of_data(&operations);
    operations_of_names(&operations);
    operations_of_attributes(&operations);
    operations_of_xattrs(&operations);
    operations_of_directories(&operations);
    mount_options(options, sizeof options);
    char *arguments[] = {"dtcapture", "-o", options, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, arguments);
    struct fuse_session *session = fuse_session_new(&args, &operations, sizeof operations, NULL);
    fuse_opt_free_args(&args);
    return session;
}

static int run_session(struct fuse_session *session)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_clone_fd(config, 0);
    fuse_loop_cfg_set_max_threads(config, WORKERS);
    fuse_loop_cfg_set_idle_threads(config, WORKERS);
    int result = fuse_session_loop_mt(session, config);
    sigset_t waking; /* what comes after is not to be interrupted */
    sigemptyset(&waking);
    sigaddset(&waking, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &waking, NULL);
    fuse_loop_cfg_destroy(config);
    return result;
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

static void read_arguments(int count, char **values)
{
    static const struct option options[] = {
        {"mountpoint", required_argument, NULL, 'p'},
        {"root-fd", required_argument, NULL, 'r'},
        {"log-fd", required_argument, NULL, 'l'},
        {"memory-fd", required_argument, NULL, 'm'},
        {"disk-fd", required_argument, NULL, 'd'},
        {"ready-fd", required_argument, NULL, 'y'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(count, values, "", options, NULL)) != -1;) {
        switch (option) {
        case 'p': given.mountpoint = optarg; break;
        case 'r': given.root = atoi(optarg); break;
        case 'l': given.log = atoi(optarg); break;
        case 'm': given.memory = atoi(optarg); break;
        case 'd': given.disk = atoi(optarg); break;
        case 'y': given.ready = atoi(optarg); break;
        default: exit(2);
        }
    }
    if (!given.mountpoint || given.root < 0 || given.log < 0 || given.memory < 0 || given.disk < 0) {
        fprintf(stderr, "dtcapture: started by its supervisor with --mountpoint and inherited descriptors\n");
        exit(2);
    }
}

static void write_own(const char *file, const char *text)
{
    FILE *own = fopen(file, "we");
    if (own) { /* refused to ordinary users, who are then served like anybody else */
        fputs(text, own);
        fclose(own);
    }
}

/*
 * The application waits for every answer of ours, and without us its files are gone: so we go before other work, are
 * spared when memory is short, and may write even then.
 */
static void claim_precedence(void)
{
    write_own("/proc/self/oom_score_adj", "-900");
    write_own("/proc/self/autogroup", "-10"); /* where each session is scheduled as a group, this is its weight */
    setpriority(PRIO_PROCESS, 0, -10);
    prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
}

static void prepare_process(void)
{
    struct rlimit files;
    struct stat root;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* one descriptor an open file */
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    /* all lower paths are relative to the working directory: short, and never through the mount */
    if (fchdir(given.root) != 0 || stat(".", &root) != 0)
        fail("cannot enter the protected directory", errno);
    umask(0);
    claim_precedence();
    nodes_init(&root);
}

int main(int count, char **values)
{
    read_arguments(count, values);
    prepare_process();
    int error = log_open(given.log, given.memory, given.disk);
    if (error)
        fail(error == EBUSY ? "the log is in use by another capture program" : "cannot open the log", error);
    if ((error = control_open(given.log)) != 0)
        fail("cannot open the control socket", error);
    watch_signals();
    struct fuse_session *session = open_session();
    if (!session || fuse_session_mount(session, given.mountpoint) != 0)
        fail("cannot mount over the directory", errno);
    if ((error = wire_install(session)) != 0)
        fail("cannot speak to the kernel", -error);
    running.session = session;
    running.thread = pthread_self();
    start_thread(keep_house);
    start_thread(see_lateness);
    start_thread(follow_directories);
    start_thread(serve_control);
    int result = run_session(session);
    if (result == 0) { /* unmounted in order: nothing can change any more */
        directory_times_log();
        log_close();
    }
    control_finish();
    fprintf(stderr, "dtcapture: ended%s\n", result == 0 ? " in order" : "");
    fuse_session_unmount(session);
    return result == 0 ? 0 : 1;
}
