/* As much of libfuse as synchronous.c sees: the requests of the simulated application are numbers. */
#ifndef SIMULATED_FUSE_H
#define SIMULATED_FUSE_H

#include <stddef.h>
#include <stdint.h>

typedef struct fuse_req *fuse_req_t;
typedef uint64_t fuse_ino_t;

enum { FUSE_ROOT_ID = 1 };

struct fuse_file_info {
    uint64_t fh;
};
struct fuse_entry_param;
struct fuse_lowlevel_ops;

int fuse_reply_err(fuse_req_t request, int error);
int fuse_reply_write(fuse_req_t request, size_t written);
void fuse_req_interrupt_func(fuse_req_t request, void (*function)(fuse_req_t, void *), void *data);
int fuse_req_interrupted(fuse_req_t request);

#endif
