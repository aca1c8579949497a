/* Open files: opening, reading, writing, allocating, syncing, releasing. */
#include "fs.h"
#include "synchronous.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Flags that the lower descriptor must not have. Appending: the offset is taken under the node's lock, and what the
 * page cache writes back through this handle belongs where it says. Direct: our buffers are not aligned. Sync: done
 * after the locks are let go. Creating and truncating are requests of their own.
 */
enum {
    FLAGS_KEPT_FROM_LOWER = O_APPEND | O_DIRECT | O_SYNC | O_DSYNC | O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_NONBLOCK
};

/* Access times are followed by a wish; a read that the page cache answers never comes here and moves none. */
static bool wants_access_times(void) { return log_state()->wishes & WISH_ACCESS_TIMES; }

static bool access_moved(const struct handle *handle, const struct stat *now)
{
    const struct timespec *before = &handle->accessed, *after = &now->st_atim;
    return wants_access_times() && atomic_load(&handle->read) &&
           (after->tv_sec != before->tv_sec || after->tv_nsec != before->tv_nsec);
}

static void open_file(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    struct node *node = node_of(number);
    struct path path;
    namespace_share();
    int error = path_of(node, &path);
    int fd = error ? -1 : open(lower(&path), (file->flags & ~FLAGS_KEPT_FROM_LOWER) | O_NOFOLLOW | O_CLOEXEC);
    error = error ? error : fd < 0 ? errno : 0;
    namespace_leave();
    struct handle *handle = error ? NULL : handle_open(node, fd, file->flags);
    if (!handle) {
        fuse_reply_err(request, error ? error : ENOMEM);
        return;
    }
    struct stat seen;
    if (wants_access_times() && fstat(fd, &seen) == 0)
        handle->accessed = seen.st_atim;
    file->fh = (uint64_t)(uintptr_t)handle;
    file->keep_cache = 1; /* nothing changes the file behind the kernel's back */
    if (fuse_reply_open(request, file) != 0)
        handle_close(handle);
}

static void release_file(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    struct handle *handle = handle_of(file);
    struct node *node = handle->node;
    struct path path;
    struct stat now;
    (void)number;
    namespace_share();
    pthread_rwlock_wrlock(lock_of(node));
    if ((handle->wrote || atomic_load(&handle->read)) && fstat(handle->fd, &now) == 0) {
        unsigned omitted =
            (handle->wrote ? 0 : UTIMENS_OMIT_MTIME) | (access_moved(handle, &now) ? 0 : UTIMENS_OMIT_ATIME);
        if (omitted != (UTIMENS_OMIT_ATIME | UTIMENS_OMIT_MTIME) && path_to_log(node, handle->fd, &path))
            log_times(&path, &now, omitted);
    }
    pthread_rwlock_unlock(lock_of(node));
    namespace_leave();
    handle_close(handle);
    fuse_reply_err(request, 0);
}

static char *read_buffer(void)
{
    static _Thread_local char *buffer;
    if (!buffer)
        buffer = malloc(MAX_READ_BYTES);
    return buffer;
}

/* Copied rather than spliced: spliced pages could still change under the reader with a write that is not logged yet. */
static void read_file(fuse_req_t request, fuse_ino_t number, size_t bytes, off_t offset, struct fuse_file_info *file)
{
    struct handle *handle = handle_of(file);
    char *buffer = read_buffer();
    (void)number;
    if (!buffer) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    atomic_store_explicit(&handle->read, true, memory_order_relaxed);
    pthread_rwlock_rdlock(lock_of(handle->node));
    ssize_t count = pread(handle->fd, buffer, bytes < MAX_READ_BYTES ? bytes : MAX_READ_BYTES, offset);
    int error = errno;
    pthread_rwlock_unlock(lock_of(handle->node));
    if (count < 0)
        fuse_reply_err(request, error);
    else
        fuse_reply_buf(request, buffer, (size_t)count);
}

/* Writes all it can: the bytes written, or a negative errno when not even one was. */
static ssize_t write_fully(int fd, const char *data, size_t bytes, off_t offset)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t count = pwrite(fd, data + done, bytes - done, offset + (off_t)done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return done ? (ssize_t)done : -(count < 0 ? errno : EIO);
        done += (size_t)count;
    }
    return (ssize_t)done;
}

/* Where an appending write really goes; what the page cache writes back keeps its own place. */
static off_t true_offset(const struct handle *handle, const struct fuse_file_info *file, off_t offset)
{
    struct stat now;
    if (!(file->flags & O_APPEND) || file->writepage || fstat(handle->fd, &now) != 0)
        return offset;
    return now.st_size;
}

static ssize_t change_content(struct handle *handle, const struct fuse_file_info *file, const char *data, size_t bytes,
                              off_t offset)
{
    struct path path;
    int refused = change_begin();
    if (refused)
        return -refused;
    offset = true_offset(handle, file, offset);
    ssize_t written = write_fully(handle->fd, data, bytes, offset);
    if (written < 0)
        return written;
    handle->wrote = true;
    bool logged = path_to_log(handle->node, handle->fd, &path);
    if (logged)
        log_bytes(KIND_WRITE, &path, (uint64_t)offset, 0, data, (uint32_t)written);
    drop_privileges(handle->node, handle->fd, &path, logged);
    return written;
}

static void write_file(fuse_req_t request, fuse_ino_t number, const char *data, size_t bytes, off_t offset,
                       struct fuse_file_info *file)
{
    struct handle *handle = handle_of(file);
    (void)number;
    namespace_share();
    pthread_rwlock_wrlock(lock_of(handle->node));
    ssize_t written = change_content(handle, file, data, bytes, offset);
    pthread_rwlock_unlock(lock_of(handle->node));
    namespace_leave();
    bool flushed = written >= 0 && file->flags & O_DSYNC; /* O_SYNC has this bit, too */
    uint64_t position = flush_position();
    if (flushed && fdatasync(handle->fd) != 0)
        written = -errno;
    if (written < 0)
        fuse_reply_err(request, (int)-written);
    else if (flushed)
        flush_answer_write(request, position, (size_t)written);
    else
        fuse_reply_write(request, (size_t)written);
}

static int change_allocation(struct handle *handle, int mode, off_t offset, off_t bytes)
{
    struct path path;
    int refused = change_begin();
    if (refused)
        return refused;
    if (fallocate(handle->fd, mode, offset, bytes) != 0)
        return errno;
    handle->wrote = true;
    bool logged = path_to_log(handle->node, handle->fd, &path);
    if (logged)
        log_append(&(struct operation){
            .kind = KIND_FALLOCATE,
            .flags = (uint16_t)mode,
            .path = path.text,
            .path_bytes = path.length,
            .a = (uint64_t)offset,
            .b = (uint64_t)bytes,
        });
    return 0;
}

static void allocate(fuse_req_t request, fuse_ino_t number, int mode, off_t offset, off_t bytes,
                     struct fuse_file_info *file)
{
    struct handle *handle = handle_of(file);
    (void)number;
    namespace_share();
    pthread_rwlock_wrlock(lock_of(handle->node));
    int error = change_allocation(handle, mode, offset, bytes);
    pthread_rwlock_unlock(lock_of(handle->node));
    namespace_leave();
    fuse_reply_err(request, error);
}

static void sync_file(fuse_req_t request, fuse_ino_t number, int only_data, struct fuse_file_info *file)
{
    int fd = handle_of(file)->fd;
    uint64_t position = flush_position();
    (void)number;
    if ((only_data ? fdatasync(fd) : fsync(fd)) == 0)
        flush_answer(request, position);
    else
        fuse_reply_err(request, errno);
}

static void seek_file(fuse_req_t request, fuse_ino_t number, off_t offset, int whence, struct fuse_file_info *file)
{
    (void)number;
    off_t found =
        lseek(handle_of(file)->fd, offset, whence); /* SEEK_DATA and SEEK_HOLE; the position itself is not used */
    if (found < 0)
        fuse_reply_err(request, errno);
    else
        fuse_reply_lseek(request, found);
}

/*
 * Left out on purpose: flush (nothing to do at close; the kernel stops asking), copy_file_range (the kernel falls back
 * to read and write, which are logged), locks (the kernel keeps them itself), ioctl.
 */
void operations_of_data(struct fuse_lowlevel_ops *operations)
{
    operations->open = open_file;
    operations->release = release_file;
    operations->read = read_file;
    operations->write = write_file;
    operations->fallocate = allocate;
    operations->fsync = sync_file;
    operations->lseek = seek_file;
}
