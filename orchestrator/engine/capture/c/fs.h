/*
 * What the file operations share: handles, the order of a change, replies.
 *
 * The shape of every change is the same and gives the log its meaning:
 *   lock namespace, lock node -> change_begin() -> lower system call -> append what truly happened -> unlock -> answer.
 */
#ifndef DTCAPTURE_FS_H
#define DTCAPTURE_FS_H

#include "nodes.h"
#include "oplog.h"

#include <fuse_lowlevel.h>

/* We own the directory: nothing changes it but through us, so what the kernel knows stays true. */
#define KNOWN_FOR_S 3600.0

enum { MAX_WRITE_BYTES = 1 << 20, MAX_READ_BYTES = 1 << 20 };

struct handle {
    int fd;
    bool writable;
    bool wrote;       /* under the node's lock: its true times are logged when it is released */
    atomic_bool read; /* and its access time, if that is wanted and has moved since it was opened */
    struct timespec accessed;
    struct node *node;
    struct handle *next, **link;
};

static inline struct node *node_of(fuse_ino_t number)
{
    return number == FUSE_ROOT_ID ? nodes_root() : (struct node *)(uintptr_t)number;
}

static inline struct handle *handle_of(const struct fuse_file_info *file)
{
    return (struct handle *)(uintptr_t)file->fh;
}

/* 0, or EROFS when the mount is fenced. Called under the locks, right before the lower change. */
int change_begin(void);

/* Handles (handles.c). */
struct handle *handle_open(struct node *node, int fd, int flags);
void handle_close(struct handle *handle);
uint64_t handles_open(void);
/* A descriptor of the node, under its lock: the given handle's, or any (writable) one; -1 if none is open. */
int any_descriptor(struct node *node, const struct fuse_file_info *file, bool writable);

/* The path to log a node's change under; false: it has no name any more (not logged). Namespace shared. */
bool path_to_log(struct node *node, int fd, struct path *path);

/* Short forms of log_append (log_forms.c). */
void log_on_path(enum record_kind kind, const struct path *path, uint64_t a, uint64_t b);
void log_bytes(enum record_kind kind, const struct path *path, uint64_t a, uint64_t b, const void *data,
               uint32_t count);
void log_two_paths(enum record_kind kind, const char *path, uint32_t bytes, const char *path2, uint32_t bytes2,
                   uint64_t a, uint64_t b);
void log_times(const struct path *path, const struct stat *now, unsigned omitted);

/* Under the owned namespace: a name in DIRECTORY was made or unmade, its time is to be logged (directory_times.c). */
void directory_changed(struct node *directory);
/* Logs the times of all that were noted; without any lock. */
void directory_times_log(void);
/* The thread that does so; does not return. */
_Noreturn void directory_times_follow(void);

/* Clears set-user-id and set-group-id if the kernel asked for it with this request, and logs it; true when it did. */
bool drop_privileges(struct node *node, int fd, const struct path *path, bool logged);

/* Creating on behalf of the caller (caller.c). */
void caller_assume(fuse_req_t request);
void caller_done(void);
/* Whether the process behind a request is being killed, so that it will see no answer. */
bool caller_is_dying(fuse_req_t request);
int caller_own(fuse_req_t request, int fd, const struct path *path, struct stat *made);

/* Another name of a file whose known names are gone (links.c): true when found and learnt. Namespace shared. */
bool links_find(struct node *node);

/* Answers. */
void reply_entry(fuse_req_t request, struct node *node, const struct stat *seen);
void entry_fill(struct fuse_entry_param *entry, struct node *node, const struct stat *seen);

/* The operations, by file. */
void operations_of_data(struct fuse_lowlevel_ops *operations);
void operations_of_names(struct fuse_lowlevel_ops *operations);
void operations_of_attributes(struct fuse_lowlevel_ops *operations);
void operations_of_xattrs(struct fuse_lowlevel_ops *operations);
void operations_of_directories(struct fuse_lowlevel_ops *operations);

#endif
