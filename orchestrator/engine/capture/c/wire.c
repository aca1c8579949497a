/* Reads requests and writes answers for libfuse, adding the one agreement it cannot make. See wire.h. */
#include "wire.h"

#include <linux/fuse.h>
#include <stddef.h>
#include <sys/uio.h>
#include <unistd.h>

/* A worker reads a request into its buffer and works on it in the same thread, so this stays true until the answer. */
static _Thread_local const void *current_request;
static _Thread_local size_t current_bytes;
static bool kernel_offers_killpriv;

static const struct fuse_in_header *request_header(size_t body_bytes)
{
    if (!current_request || current_bytes < sizeof(struct fuse_in_header) + body_bytes)
        return NULL;
    return current_request;
}

static const void *request_body(const struct fuse_in_header *header) { return header + 1; }

static void note_init(void)
{
    const struct fuse_in_header *header = request_header(sizeof(uint32_t) * 4);
    if (!header || header->opcode != FUSE_INIT)
        return;
    const struct fuse_init_in *init = request_body(header);
    kernel_offers_killpriv = init->flags & FUSE_HANDLE_KILLPRIV_V2;
}

static ssize_t read_request(int fd, void *buffer, size_t bytes, void *unused)
{
    (void)unused;
    ssize_t count = read(fd, buffer, bytes);
    current_request = count > 0 ? buffer : NULL;
    current_bytes = count > 0 ? (size_t)count : 0;
    note_init();
    return count;
}

static void agree_to_killpriv(struct iovec *parts, int count)
{
    const struct fuse_in_header *header = request_header(0);
    if (!kernel_offers_killpriv || !header || header->opcode != FUSE_INIT || count < 2)
        return;
    if (parts[1].iov_len >= offsetof(struct fuse_init_out, max_background))
        ((struct fuse_init_out *)parts[1].iov_base)->flags |= FUSE_HANDLE_KILLPRIV_V2;
}

static ssize_t write_answer(int fd, struct iovec *parts, int count, void *unused)
{
    (void)unused;
    agree_to_killpriv(parts, count);
    return writev(fd, parts, count);
}

int wire_install(struct fuse_session *session)
{
    static const struct fuse_custom_io ours = {.writev = write_answer, .read = read_request};
    return fuse_session_custom_io(session, &ours, fuse_session_fd(session));
}

bool wire_asks_to_drop_privileges(void)
{
    const struct fuse_in_header *header = request_header(sizeof(struct fuse_open_in));
    if (!header)
        return false;
    const void *body = request_body(header);
    switch (header->opcode) {
    case FUSE_WRITE: return ((const struct fuse_write_in *)body)->write_flags & FUSE_WRITE_KILL_SUIDGID;
    case FUSE_SETATTR: return ((const struct fuse_setattr_in *)body)->valid & FATTR_KILL_SUIDGID;
    case FUSE_CREATE: return ((const struct fuse_create_in *)body)->open_flags & FUSE_OPEN_KILL_SUIDGID;
    default: return false;
    }
}
