/* What makes and unmakes names: create, mkdir, mknod, symlink, link, unlink, rmdir, rename. All under the owned
 * namespace. */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* --- making ------------------------------------------------------------------------------------------------------- */

/* One making: the lower call, given the path; returns a descriptor, 0, or -1 with errno. */
struct making {
    enum record_kind kind;
    mode_t mode;
    dev_t device;
    const char *target;
};

static int make_lower(const struct making *making, const char *path)
{
    switch (making->kind) {
    case KIND_MKDIR: return mkdir(path, making->mode);
    case KIND_SYMLINK: return symlink(making->target, path);
    default: return mknod(path, making->mode, making->device);
    }
}

static void unmake_lower(const struct making *making, const char *path)
{
    if (making->kind == KIND_MKDIR)
        rmdir(path);
    else
        unlink(path);
}

static void log_made(const struct making *making, const struct path *path, const struct stat *made)
{
    uint64_t owner = owner_word(made->st_uid, made->st_gid), device = making->device;
    if (making->kind == KIND_SYMLINK)
        log_two_paths(KIND_SYMLINK, path->text, path->length, making->target, (uint32_t)strlen(making->target), 0,
                      owner);
    else if (making->kind == KIND_MKNOD && S_ISREG(made->st_mode))
        log_on_path(KIND_CREATE, path, made->st_mode, owner);
    else if (making->kind == KIND_MKNOD)
        log_bytes(KIND_MKNOD, path, made->st_mode, owner, &device, sizeof device);
    else
        log_on_path(KIND_MKDIR, path, made->st_mode, owner);
    if (making->kind != KIND_MKDIR) /* a directory's own time moves with every entry; the target's does too */
        log_times(path, made, UTIMENS_OMIT_ATIME);
}

static int make(fuse_req_t request, const struct making *making, const struct path *path, struct stat *made)
{
    int error = change_begin();
    if (error)
        return error;
    caller_assume(request);
    error = make_lower(making, lower(path)) == 0 ? 0 : errno;
    caller_done();
    if (error)
        return error;
    error = caller_own(request, -1, path, made);
    if (error)
        unmake_lower(making, lower(path));
    else
        log_made(making, path, made);
    return error;
}

static void make_and_reply(fuse_req_t request, fuse_ino_t parent, const char *name, const struct making *making)
{
    struct node *directory = node_of(parent), *node = NULL;
    struct path path;
    struct stat made;
    namespace_own();
    int error = path_of_child(directory, name, &path);
    if (!error)
        error = make(request, making, &path, &made);
    if (!error)
        directory_changed(directory);
    if (!error && !(node = nodes_learn(&made, directory, name)))
        error = ENOMEM;
    namespace_leave();
    if (error)
        fuse_reply_err(request, error);
    else
        reply_entry(request, node, &made);
}

static void make_directory(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    make_and_reply(request, parent, name, &(struct making){.kind = KIND_MKDIR, .mode = mode});
}

static void make_node(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    make_and_reply(request, parent, name, &(struct making){.kind = KIND_MKNOD, .mode = mode, .device = device});
}

static void make_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
    make_and_reply(request, parent, name, &(struct making){.kind = KIND_SYMLINK, .target = target});
}

enum { KEPT_OF_CREATE = O_ACCMODE | O_NOATIME | O_LARGEFILE };

static int make_file(fuse_req_t request, const struct path *path, mode_t mode, int flags, int *fd, struct stat *made)
{
    caller_assume(request);
    *fd = open(lower(path), (flags & KEPT_OF_CREATE) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    int error = *fd < 0 ? errno : 0;
    caller_done();
    if (error)
        return error;
    error = caller_own(request, *fd, path, made);
    if (!error) {
        log_on_path(KIND_CREATE, path, made->st_mode, owner_word(made->st_uid, made->st_gid));
        return 0;
    }
    unlink(lower(path));
    close(*fd);
    return error;
}

/* The kernel thought that there was none, but there is: open it, as O_CREAT without O_EXCL means. */
static int open_existing(const struct path *path, int flags, int *fd, struct stat *seen)
{
    *fd = open(lower(path), (flags & KEPT_OF_CREATE) | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        return errno;
    if (flags & O_TRUNC && ftruncate(*fd, 0) == 0)
        log_on_path(KIND_TRUNCATE, path, 0, 0);
    return fstat(*fd, seen) == 0 ? 0 : errno;
}

static int create_or_open(fuse_req_t request, const struct path *path, mode_t mode, int flags, int *fd,
                          struct stat *seen)
{
    int error = change_begin();
    if (error)
        return error;
    error = make_file(request, path, mode, flags, fd, seen);
    return error == EEXIST && !(flags & O_EXCL) ? open_existing(path, flags, fd, seen) : error;
}

static struct handle *create_handle(struct node *node, int fd, int flags)
{
    struct handle *handle = handle_open(node, fd, flags);
    if (handle)
        handle->wrote = true; /* a file that was only created has a time, too */
    return handle;
}

static void create_file(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                        struct fuse_file_info *file)
{
    struct node *directory = node_of(parent), *node = NULL;
    struct handle *handle = NULL;
    struct path path;
    struct stat seen;
    int fd = -1;
    namespace_own();
    int error = path_of_child(directory, name, &path);
    if (!error)
        error = create_or_open(request, &path, mode, file->flags, &fd, &seen);
    if (!error)
        directory_changed(directory);
    if (!error && (!(node = nodes_learn(&seen, directory, name)) || !(handle = create_handle(node, fd, file->flags))))
        error = ENOMEM;
    namespace_leave();
    if (error) {
        fuse_reply_err(request, error);
        return;
    }
    struct fuse_entry_param entry;
    entry_fill(&entry, node, &seen);
    file->fh = (uint64_t)(uintptr_t)handle;
    file->keep_cache = 1;
    if (fuse_reply_create(request, &entry, file) != 0) {
        handle_close(handle);
        nodes_forget(node, 1);
    }
}

/* --- linking ------------------------------------------------------------------------------------------------------ */

static int link_lower(struct node *node, struct node *directory, const char *name, struct stat *seen)
{
    struct path old, new;
    int error = change_begin();
    if (!error)
        error = path_of(node, &old);
    if (error == ENOENT && links_find(node))
        error = path_of(node, &old);
    if (!error)
        error = path_of_child(directory, name, &new);
    if (!error && linkat(AT_FDCWD, lower(&old), AT_FDCWD, lower(&new), 0) != 0)
        error = errno;
    if (error)
        return error;
    log_two_paths(KIND_LINK, old.text, old.length, new.text, new.length, 0, 0);
    directory_changed(directory);
    return lstat(lower(&new), seen) == 0 ? 0 : errno;
}

static void make_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t parent, const char *name)
{
    struct node *node = node_of(number), *directory = node_of(parent);
    struct stat seen;
    namespace_own();
    int error = link_lower(node, directory, name, &seen);
    if (!error && !(node = nodes_learn(&seen, directory, name)))
        error = ENOMEM;
    namespace_leave();
    if (error)
        fuse_reply_err(request, error);
    else
        reply_entry(request, node, &seen);
}

/* --- unmaking ----------------------------------------------------------------------------------------------------- */

/* A lower file about to lose a name. HELD keeps its blocks until all locks are let go: freeing a large file takes long.
 */
struct victim {
    int held;
    struct stat seen;
    struct node *node;
};

static int victim_look(struct victim *victim, const struct path *path)
{
    *victim = (struct victim){.held = open(lower(path), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    if (victim->held < 0 || fstat(victim->held, &victim->seen) != 0)
        return errno;
    victim->node = nodes_find(victim->seen.st_dev, victim->seen.st_ino);
    return 0;
}

static void victim_loses_name(struct victim *victim, struct node *directory, const char *name)
{
    if (!victim->node)
        return;
    nodes_drop_name(victim->node, directory, name);
    if (S_ISDIR(victim->seen.st_mode) || victim->seen.st_nlink == 1)
        nodes_gone(victim->node);
}

static void victim_let_go(struct victim *victim)
{
    nodes_put(victim->node);
    if (victim->held >= 0)
        close(victim->held);
}

static int remove_lower(struct victim *victim, const struct path *path, enum record_kind kind)
{
    int error = change_begin();
    if (!error)
        error = victim_look(victim, path);
    if (!error && (kind == KIND_RMDIR ? rmdir(lower(path)) : unlink(lower(path))) != 0)
        error = errno;
    if (!error)
        log_on_path(kind, path, 0, 0);
    return error;
}

static void remove_name(fuse_req_t request, fuse_ino_t parent, const char *name, enum record_kind kind)
{
    struct node *directory = node_of(parent);
    struct victim victim = {.held = -1};
    struct path path;
    namespace_own();
    int error = path_of_child(directory, name, &path);
    if (!error)
        error = remove_lower(&victim, &path, kind);
    if (!error) {
        victim_loses_name(&victim, directory, name);
        directory_changed(directory);
    }
    namespace_leave();
    fuse_reply_err(request, error);
    victim_let_go(&victim);
}

static void unlink_file(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    remove_name(request, parent, name, KIND_UNLINK);
}

static void remove_directory(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    remove_name(request, parent, name, KIND_RMDIR);
}

/* --- renaming ----------------------------------------------------------------------------------------------------- */

struct renaming {
    struct node *from_directory, *to_directory;
    const char *from_name, *to_name;
    unsigned flags;
    struct path from, to;
    struct victim moved, replaced;
};

static bool same_file(const struct renaming *renaming)
{
    return renaming->replaced.held >= 0 && renaming->moved.seen.st_ino == renaming->replaced.seen.st_ino &&
           renaming->moved.seen.st_dev == renaming->replaced.seen.st_dev;
}

static int rename_look(struct renaming *renaming)
{
    int error = change_begin();
    if (!error)
        error = path_of_child(renaming->from_directory, renaming->from_name, &renaming->from);
    if (!error)
        error = path_of_child(renaming->to_directory, renaming->to_name, &renaming->to);
    if (!error)
        error = victim_look(&renaming->moved, &renaming->from);
    if (error)
        return error;
    error = victim_look(&renaming->replaced, &renaming->to);
    return error == ENOENT ? 0 : error;
}

static void rename_names(struct renaming *renaming)
{
    struct node *moved = renaming->moved.node, *replaced = renaming->replaced.node;
    if (renaming->flags & RENAME_EXCHANGE) {
        if (replaced) {
            nodes_drop_name(replaced, renaming->to_directory, renaming->to_name);
            nodes_add_name(replaced, renaming->from_directory, renaming->from_name);
        }
    } else {
        victim_loses_name(&renaming->replaced, renaming->to_directory, renaming->to_name);
    }
    if (moved) {
        nodes_drop_name(moved, renaming->from_directory, renaming->from_name);
        nodes_add_name(moved, renaming->to_directory, renaming->to_name);
    }
}

static int rename_all(struct renaming *renaming)
{
    int error = rename_look(renaming);
    if (error)
        return error;
    if (renameat2(AT_FDCWD, lower(&renaming->from), AT_FDCWD, lower(&renaming->to), renaming->flags) != 0)
        return errno;
    if (same_file(renaming))
        return 0; /* two links of one file: nothing happens */
    log_two_paths(KIND_RENAME, renaming->from.text, renaming->from.length, renaming->to.text, renaming->to.length,
                  renaming->flags, 0);
    rename_names(renaming);
    directory_changed(renaming->from_directory);
    directory_changed(renaming->to_directory);
    return 0;
}

static void rename_file(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                        const char *new_name, unsigned flags)
{
    if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) {
        fuse_reply_err(request, EINVAL);
        return;
    }
    struct renaming renaming = {
        .from_directory = node_of(parent),
        .to_directory = node_of(new_parent),
        .from_name = name,
        .to_name = new_name,
        .flags = flags,
        .moved = {.held = -1},
        .replaced = {.held = -1},
    };
    namespace_own();
    int error = rename_all(&renaming);
    namespace_leave();
    fuse_reply_err(request, error);
    victim_let_go(&renaming.moved);
    victim_let_go(&renaming.replaced);
}

void operations_of_names(struct fuse_lowlevel_ops *operations)
{
    operations->create = create_file;
    operations->mkdir = make_directory;
    operations->mknod = make_node;
    operations->symlink = make_symlink;
    operations->link = make_link;
    operations->unlink = unlink_file;
    operations->rmdir = remove_directory;
    operations->rename = rename_file;
}
