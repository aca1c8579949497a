/* Attributes: reading them, and changing mode, owner, size and times. */
#include "fs.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Where a node can be reached: by an open descriptor (also when unlinked), or by its path. */
struct reach {
    struct node *node;
    int fd; /* -1: only by path */
    bool named;
    struct path path;
};

static int reach_node(struct reach *reach, struct node *node, const struct fuse_file_info *file, bool writable)
{
    reach->node = node;
    reach->fd = any_descriptor(node, file, writable);
    int error = path_of(node, &reach->path);
    reach->named = error == 0;
    if (error == ENOENT && reach->fd >= 0)
        return 0;
    return error;
}

static int look(const struct reach *reach, struct stat *seen)
{
    int failed = reach->fd >= 0 ? fstat(reach->fd, seen) : lstat(lower(&reach->path), seen);
    return failed ? errno : 0;
}

static void get_attributes(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    struct node *node = node_of(number);
    struct reach reach;
    struct stat seen;
    namespace_share();
    pthread_rwlock_rdlock(lock_of(node));
    int error = reach_node(&reach, node, file, false);
    if (!error)
        error = look(&reach, &seen);
    pthread_rwlock_unlock(lock_of(node));
    namespace_leave();
    if (error)
        fuse_reply_err(request, error);
    else
        fuse_reply_attr(request, &seen, KNOWN_FOR_S);
}

static int change_mode(struct reach *reach, mode_t mode)
{
    int failed =
        reach->fd >= 0 ? fchmod(reach->fd, mode) : fchmodat(AT_FDCWD, lower(&reach->path), mode, AT_SYMLINK_NOFOLLOW);
    if (failed)
        return errno;
    if (mode & (S_ISUID | S_ISGID))
        atomic_store(&reach->node->maybe_privileged, true);
    return 0;
}

static int change_owner(struct reach *reach, uid_t user, gid_t group)
{
    int failed = reach->fd >= 0 ? fchown(reach->fd, user, group)
                                : fchownat(AT_FDCWD, lower(&reach->path), user, group, AT_SYMLINK_NOFOLLOW);
    return failed ? errno : 0;
}

static int change_size(struct reach *reach, off_t size)
{
    /* a descriptor is enough only if it is writable; files opened to read are truncated by their path */
    int failed = reach->fd >= 0 && ftruncate(reach->fd, size) != 0;
    if ((reach->fd < 0 || (failed && errno == EINVAL)) && reach->named)
        failed = truncate(lower(&reach->path), size) != 0;
    return failed ? errno : 0;
}

static struct timespec wanted_time(int to_set, int given, int now, struct timespec time)
{
    if (to_set & now)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return to_set & given ? time : (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int change_times(struct reach *reach, const struct stat *wanted, int to_set)
{
    struct timespec times[2] = {
        wanted_time(to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, wanted->st_atim),
        wanted_time(to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, wanted->st_mtim),
    };
    int failed = reach->fd >= 0 ? futimens(reach->fd, times)
                                : utimensat(AT_FDCWD, lower(&reach->path), times, AT_SYMLINK_NOFOLLOW);
    return failed ? errno : 0;
}

enum {
    SET_OWNER = FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID,
    SET_ATIME = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW,
    SET_MTIME = FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW,
};

static void log_owner(const struct reach *reach, const struct stat *wanted, int to_set, const struct stat *now)
{
    uint64_t user = to_set & FUSE_SET_ATTR_UID ? wanted->st_uid : UINT64_MAX;
    uint64_t group = to_set & FUSE_SET_ATTR_GID ? wanted->st_gid : UINT64_MAX;
    log_on_path(KIND_CHOWN, &reach->path, user, group);
    if (S_ISREG(now->st_mode)) /* it may have cleared set-user-id: say what the mode is now */
        log_on_path(KIND_CHMOD, &reach->path, now->st_mode & 07777, 0);
}

/* A handle that wrote has its times logged when it is released; what was truncated by path, now. */
static void log_size(const struct reach *reach, const struct stat *now, struct fuse_file_info *file)
{
    log_on_path(KIND_TRUNCATE, &reach->path, (uint64_t)now->st_size, 0);
    if (file)
        handle_of(file)->wrote = true;
    else
        log_times(&reach->path, now, UTIMENS_OMIT_ATIME);
}

static void log_attributes(const struct reach *reach, const struct stat *wanted, int to_set, const struct stat *now,
                           struct fuse_file_info *file)
{
    unsigned omitted = (to_set & SET_ATIME ? 0 : UTIMENS_OMIT_ATIME) | (to_set & SET_MTIME ? 0 : UTIMENS_OMIT_MTIME);
    if (to_set & SET_OWNER)
        log_owner(reach, wanted, to_set, now);
    if (to_set & FUSE_SET_ATTR_MODE)
        log_on_path(KIND_CHMOD, &reach->path, now->st_mode & 07777, 0);
    if (to_set & FUSE_SET_ATTR_SIZE)
        log_size(reach, now, file);
    if (omitted != (UTIMENS_OMIT_ATIME | UTIMENS_OMIT_MTIME))
        log_times(&reach->path, now, omitted);
}

/* Applies the parts in the order a local file system does; PART_DONE collects what succeeded. */
static int change_parts(struct reach *reach, const struct stat *wanted, int to_set, int *part_done)
{
    int error = 0;
    if (to_set & SET_OWNER && !(error = change_owner(reach, to_set & FUSE_SET_ATTR_UID ? wanted->st_uid : (uid_t)-1,
                                                     to_set & FUSE_SET_ATTR_GID ? wanted->st_gid : (gid_t)-1)))
        *part_done |= to_set & SET_OWNER;
    if (!error && to_set & FUSE_SET_ATTR_MODE && !(error = change_mode(reach, wanted->st_mode & 07777)))
        *part_done |= FUSE_SET_ATTR_MODE;
    if (!error && to_set & FUSE_SET_ATTR_SIZE && !(error = change_size(reach, wanted->st_size)))
        *part_done |= FUSE_SET_ATTR_SIZE;
    if (!error && to_set & (SET_ATIME | SET_MTIME) && !(error = change_times(reach, wanted, to_set)))
        *part_done |= to_set & (SET_ATIME | SET_MTIME);
    return error;
}

static int change_attributes(struct node *node, const struct stat *wanted, int to_set, struct fuse_file_info *file,
                             struct stat *now)
{
    struct reach reach;
    int part_done = 0;
    int error = change_begin();
    if (!error)
        error = reach_node(&reach, node, file, to_set & FUSE_SET_ATTR_SIZE);
    if (error)
        return error;
    error = change_parts(&reach, wanted, to_set, &part_done);
    int blind = look(&reach, now);
    if (part_done && !blind && (reach.named || path_to_log(node, reach.fd, &reach.path))) {
        reach.named = true;
        log_attributes(&reach, wanted, part_done, now, file);
    }
    if (drop_privileges(node, reach.fd, &reach.path, reach.named))
        blind = look(&reach, now); /* the kernel keeps what we answer */
    return error ? error : blind;
}

static void set_attributes(fuse_req_t request, fuse_ino_t number, struct stat *wanted, int to_set,
                           struct fuse_file_info *file)
{
    struct node *node = node_of(number);
    struct stat now;
    namespace_share();
    pthread_rwlock_wrlock(lock_of(node));
    int error = change_attributes(node, wanted, to_set, file, &now);
    pthread_rwlock_unlock(lock_of(node));
    namespace_leave();
    if (error)
        fuse_reply_err(request, error);
    else
        fuse_reply_attr(request, &now, KNOWN_FOR_S);
}

static void read_link(fuse_req_t request, fuse_ino_t number)
{
    char target[PATH_MAX];
    struct path path;
    namespace_share();
    int error = path_of(node_of(number), &path);
    ssize_t bytes = error ? -1 : readlink(lower(&path), target, sizeof target - 1);
    error = error ? error : bytes < 0 ? errno : 0;
    namespace_leave();
    if (error) {
        fuse_reply_err(request, error);
        return;
    }
    target[bytes] = '\0';
    fuse_reply_readlink(request, target);
}

static void file_system_facts(fuse_req_t request, fuse_ino_t number)
{
    struct statvfs facts;
    (void)number;
    if (statvfs(".", &facts) != 0)
        fuse_reply_err(request, errno);
    else
        fuse_reply_statfs(request, &facts);
}

void operations_of_attributes(struct fuse_lowlevel_ops *operations)
{
    operations->getattr = get_attributes;
    operations->setattr = set_attributes;
    operations->readlink = read_link;
    operations->statfs = file_system_facts;
}
