/* Extended attributes, POSIX ACLs among them. By path, never following a link; by descriptor when there is no name
 * left. */
#include "fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

/* The size asked for is a fact of the caller, at most 64 KiB. */
enum { XATTR_MAX_BYTES = 65536 };

/* Shared by both readings: NAME, or NULL for the list of names. */
static ssize_t read_lower(struct node *node, const char *name, char *value, size_t bytes)
{
    struct path path;
    int error = path_of(node, &path);
    if (error == 0)
        return name ? lgetxattr(lower(&path), name, value, bytes) : llistxattr(lower(&path), value, bytes);
    int fd = any_descriptor(node, NULL, false);
    if (fd >= 0)
        return name ? fgetxattr(fd, name, value, bytes) : flistxattr(fd, value, bytes);
    errno = error;
    return -1;
}

static void read_and_reply(fuse_req_t request, struct node *node, const char *name, size_t bytes)
{
    char *value = bytes ? malloc(bytes < XATTR_MAX_BYTES ? bytes : XATTR_MAX_BYTES) : NULL;
    if (bytes && !value) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    namespace_share();
    pthread_rwlock_rdlock(lock_of(node));
    ssize_t count = read_lower(node, name, value, bytes < XATTR_MAX_BYTES ? bytes : XATTR_MAX_BYTES);
    int error = errno;
    pthread_rwlock_unlock(lock_of(node));
    namespace_leave();
    if (count < 0)
        fuse_reply_err(request, error);
    else if (bytes == 0)
        fuse_reply_xattr(request, (size_t)count);
    else
        fuse_reply_buf(request, value, (size_t)count);
    free(value);
}

static void get_xattr(fuse_req_t request, fuse_ino_t number, const char *name, size_t bytes)
{
    read_and_reply(request, node_of(number), name, bytes);
}

static void list_xattrs(fuse_req_t request, fuse_ino_t number, size_t bytes)
{
    read_and_reply(request, node_of(number), NULL, bytes);
}

struct change {
    const char *name;
    const void *value; /* NULL: remove */
    size_t bytes;
    int flags;
};

static int change_by_path(const struct change *change, const char *path)
{
    if (change->value)
        return lsetxattr(path, change->name, change->value, change->bytes, change->flags);
    return lremovexattr(path, change->name);
}

static int change_by_descriptor(const struct change *change, int fd)
{
    if (change->value)
        return fsetxattr(fd, change->name, change->value, change->bytes, change->flags);
    return fremovexattr(fd, change->name);
}

static void log_change(const struct change *change, const struct path *path)
{
    log_append(&(struct operation){
        .kind = change->value ? KIND_SETXATTR : KIND_REMOVEXATTR,
        .path = path->text,
        .path_bytes = path->length,
        .path2 = change->name,
        .path2_bytes = (uint32_t)strlen(change->name),
        .a = (uint64_t)change->flags,
        .data = change->value,
        .data_bytes = (uint32_t)change->bytes,
    });
}

static int change_lower(struct node *node, const struct change *change)
{
    struct path path;
    int fd = any_descriptor(node, NULL, false), error = change_begin();
    if (error)
        return error;
    error = path_of(node, &path);
    if (error && (error != ENOENT || fd < 0))
        return error;
    if (error ? change_by_descriptor(change, fd) : change_by_path(change, lower(&path)))
        return errno;
    if (!error || path_to_log(node, fd, &path))
        log_change(change, &path);
    return 0;
}

static void change_and_reply(fuse_req_t request, struct node *node, const struct change *change)
{
    namespace_share();
    pthread_rwlock_wrlock(lock_of(node));
    int error = change_lower(node, change);
    pthread_rwlock_unlock(lock_of(node));
    namespace_leave();
    fuse_reply_err(request, error);
}

static void set_xattr(fuse_req_t request, fuse_ino_t number, const char *name, const char *value, size_t bytes,
                      int flags)
{
    struct change change = {.name = name, .value = value ? value : "", .bytes = bytes, .flags = flags};
    change_and_reply(request, node_of(number), &change);
}

static void remove_xattr(fuse_req_t request, fuse_ino_t number, const char *name)
{
    change_and_reply(request, node_of(number), &(struct change){.name = name});
}

void operations_of_xattrs(struct fuse_lowlevel_ops *operations)
{
    operations->getxattr = get_xattr;
    operations->listxattr = list_xattrs;
    operations->setxattr = set_xattr;
    operations->removexattr = remove_xattr;
}
