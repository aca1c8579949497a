/* The few shapes that records have, so that the operations read as sentences. */
#include "fs.h"

void log_on_path(enum record_kind kind, const struct path *path, uint64_t a, uint64_t b)
{
    log_bytes(kind, path, a, b, NULL, 0);
}

void log_bytes(enum record_kind kind, const struct path *path, uint64_t a, uint64_t b, const void *data, uint32_t count)
{
    log_append(&(struct operation){.kind = kind,
                                   .path = path->text,
                                   .path_bytes = path->length,
                                   .a = a,
                                   .b = b,
                                   .data = data,
                                   .data_bytes = count});
}

void log_two_paths(enum record_kind kind, const char *path, uint32_t bytes, const char *path2, uint32_t bytes2,
                   uint64_t a, uint64_t b)
{
    log_append(&(struct operation){
        .kind = kind, .path = path, .path_bytes = bytes, .path2 = path2, .path2_bytes = bytes2, .a = a, .b = b});
}

static uint64_t nanoseconds(struct timespec time)
{
    return (uint64_t)((int64_t)time.tv_sec * 1000000000 + time.tv_nsec);
}

void log_times(const struct path *path, const struct stat *now, unsigned omitted)
{
    log_append(&(struct operation){
        .kind = KIND_UTIMENS,
        .flags = (uint16_t)omitted,
        .path = path->text,
        .path_bytes = path->length,
        .a = omitted & UTIMENS_OMIT_ATIME ? 0 : nanoseconds(now->st_atim),
        .b = omitted & UTIMENS_OMIT_MTIME ? 0 : nanoseconds(now->st_mtim),
    });
}
