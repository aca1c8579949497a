/* Open files, and how a changed node is named in the log. */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic uint64_t open_handles;

uint64_t handles_open(void) { return open_handles; }

int change_begin(void)
{
    if (state_refuses_changes(log_state()))
        return EROFS;
    log_before_change();
    return 0;
}

struct handle *handle_open(struct node *node, int fd, int flags)
{
    struct handle *handle = calloc(1, sizeof *handle);
    if (!handle)
        return NULL;
    *handle = (struct handle){.fd = fd, .writable = (flags & O_ACCMODE) != O_RDONLY, .node = nodes_get(node)};
    pthread_rwlock_wrlock(lock_of(node));
    handle->next = node->handles;
    handle->link = &node->handles;
    if (node->handles)
        node->handles->link = &handle->next;
    node->handles = handle;
    open_handles++;
    pthread_rwlock_unlock(lock_of(node));
    return handle;
}

void handle_close(struct handle *handle)
{
    struct node *node = handle->node;
    pthread_rwlock_wrlock(lock_of(node));
    *handle->link = handle->next;
    if (handle->next)
        handle->next->link = handle->link;
    pthread_rwlock_unlock(lock_of(node));
    close(handle->fd); /* outside of all locks: the last close of a large unlinked file takes long */
    nodes_put(node);
    free(handle);
    open_handles--;
}

int any_descriptor(struct node *node, const struct fuse_file_info *file, bool writable)
{
    if (file && (handle_of(file)->writable || !writable))
        return handle_of(file)->fd;
    for (struct handle *handle = node->handles; handle; handle = handle->next)
        if (handle->writable || !writable)
            return handle->fd;
    return -1;
}

bool path_to_log(struct node *node, int fd, struct path *path)
{
    struct stat now;
    int error = path_of(node, path);
    if (error == 0)
        return true;
    if (error == ENOENT && fd >= 0 && fstat(fd, &now) == 0 && now.st_nlink == 0)
        return false; /* unlinked but open: nobody can reach it by a name, here or on the target */
    if (error == ENOENT && links_find(node) && path_of(node, path) == 0)
        return true;
    log_lose_step("a changed file has no path that could be found");
    return false;
}

void entry_fill(struct fuse_entry_param *entry, struct node *node, const struct stat *seen)
{
    *entry = (struct fuse_entry_param){
        .ino = node == nodes_root() ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)node,
        .generation = node->generation,
        .attr = *seen,
        .attr_timeout = KNOWN_FOR_S,
        .entry_timeout = KNOWN_FOR_S,
    };
}

void reply_entry(fuse_req_t request, struct node *node, const struct stat *seen)
{
    struct fuse_entry_param entry;
    entry_fill(&entry, node, seen);
    if (fuse_reply_entry(request, &entry) != 0)
        nodes_forget(node, 1); /* interrupted: the kernel does not count this lookup */
}
