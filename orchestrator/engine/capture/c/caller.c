/* New files belong to the process that asked for them: its umask, its group, its user. */
#include "fs.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <unistd.h>

static _Thread_local bool own_umask;

/*
 * The lower file system applies umask or default ACL and set-group-id directories itself, as long as this thread has
 * the caller's umask and group. The user cannot be assumed that way (it would drop capabilities), it is set afterwards.
 */
void caller_assume(fuse_req_t request)
{
    const struct fuse_ctx *caller = fuse_req_ctx(request);
    if (!own_umask)
        own_umask = unshare(CLONE_FS) == 0; /* threads share one umask otherwise */
    umask(caller->umask);
    setfsgid(caller->gid);
}

void caller_done(void) { setfsgid(getegid()); }

bool caller_is_dying(fuse_req_t request)
{
    char name[64], line[256];
    unsigned long long pending = 0;
    bool dying = false;
    snprintf(name, sizeof name, "/proc/%d/status", (int)fuse_req_ctx(request)->pid);
    FILE *status = fopen(name, "re");
    while (status && !dying && fgets(line, sizeof line, status))
        if (sscanf(line, "SigPnd: %llx", &pending) == 1 || sscanf(line, "ShdPnd: %llx", &pending) == 1)
            dying = pending & 1ull << (SIGKILL - 1);
    if (status)
        fclose(status);
    return dying;
}

static int stat_either(int fd, const struct path *path, struct stat *out)
{
    return fd >= 0 ? fstat(fd, out) : lstat(lower(path), out);
}

static int chmod_either(int fd, const struct path *path, mode_t mode)
{
    return fd >= 0 ? fchmod(fd, mode) : fchmodat(AT_FDCWD, lower(path), mode, 0);
}

/* Gives what was just made to the caller and says what it is now. FD may be -1. 0 or an errno. */
int caller_own(fuse_req_t request, int fd, const struct path *path, struct stat *made)
{
    uid_t user = fuse_req_ctx(request)->uid;
    if (stat_either(fd, path, made) != 0)
        return errno;
    if (made->st_uid == user)
        return 0;
    int failed = fd >= 0 ? fchown(fd, user, (gid_t)-1) : lchown(lower(path), user, (gid_t)-1);
    if (failed)
        return errno;
    if (made->st_mode & (S_ISUID | S_ISGID) && !S_ISLNK(made->st_mode)) {
        /* changing the owner cleared them */
        if (chmod_either(fd, path, made->st_mode & 07777) != 0)
            return errno;
    }
    return stat_either(fd, path, made) == 0 ? 0 : errno;
}

bool drop_privileges(struct node *node, int fd, const struct path *path, bool logged)
{
    struct stat now;
    if (!atomic_load(&node->maybe_privileged) || !wire_asks_to_drop_privileges() || stat_either(fd, path, &now) != 0)
        return false;
    mode_t kept = now.st_mode & 07777 & ~(mode_t)S_ISUID;
    if (now.st_mode & S_IXGRP)
        kept &= ~(mode_t)S_ISGID;
    if (kept == (now.st_mode & 07777) || chmod_either(fd, path, kept) != 0)
        return false;
    if (logged)
        log_on_path(KIND_CHMOD, path, kept, 0);
    return true;
}
