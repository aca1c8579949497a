/* One digest of a directory: whether two directories have the same names, and files that agree in all that a mirror compares by size
 * and time. Names come in any order, so the digest is the sum of one hash an entry. A library for Python, which calls it without its lock.
 *
 * Invariant: a directory of which anything is not plain (a file with several names, a device, a name that vanished, an attribute that
 * cannot be read, too many names) has no digest; who asked goes the long way. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <xxhash.h>

#define SYS_LISTXATTRAT 465 /* kernel 6.13 */
#define LIST_BYTES 65536
#define VALUE_BYTES 65536
#define NAMES_BYTES 65536
#define USUAL_BYTES 512
#define NOT_OURS "trusted.overlay."

typedef unsigned __int128 sum_t;

struct survey {
    uint8_t digest[16];
    uint64_t files, size_bytes, links;
    int64_t youngest_ns; /* the latest change time of a file */
    uint64_t subdirectories_bytes;
};

struct work {
    int fd;
    sum_t sum;
    struct survey *out;
    char *subdirectories; /* names, each with its NUL */
    size_t room;
    char names[NAMES_BYTES], list[LIST_BYTES], value[VALUE_BYTES];
};

struct record {
    uint32_t mode, uid, gid, mtime_nsec;
    int64_t mtime_sec;
    uint64_t size;
    sum_t attributes, name;
};

static sum_t hash_of(const void *bytes, size_t length)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, length);
    return (sum_t)hash.high64 << 64 | hash.low64;
}

static int means_none(int error)
{
    return error == EOPNOTSUPP || error == ENODATA || error == EPERM || error == EACCES;
}

static const char *path_of(const struct work *work, const char *name)
{
    static _Thread_local char path[sizeof "/proc/self/fd/" + 12 + NAME_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", work->fd, name);
    return path;
}

static ssize_t list_attributes_into(struct work *work, const char *name, size_t room)
{
    static int missing;
    if (!missing) {
        ssize_t length = syscall(SYS_LISTXATTRAT, work->fd, name, AT_SYMLINK_NOFOLLOW, work->list, room);
        if (length >= 0 || (errno != ENOSYS && errno != EPERM))
            return length;
        missing = 1; /* an older kernel, or a filter of system calls that does not know it */
    }
    return llistxattr(path_of(work, name), work->list, room);
}

/* The kernel allocates all the room that it is offered: first little, which nearly always is enough. */
static ssize_t list_attributes(struct work *work, const char *name)
{
    ssize_t length = list_attributes_into(work, name, USUAL_BYTES);
    return length < 0 && errno == ERANGE ? list_attributes_into(work, name, LIST_BYTES) : length;
}

static ssize_t read_attribute(struct work *work, const char *name, const char *key)
{
    ssize_t size = lgetxattr(path_of(work, name), key, work->value, USUAL_BYTES);
    return size < 0 && errno == ERANGE ? lgetxattr(path_of(work, name), key, work->value, VALUE_BYTES) : size;
}

/* The sum over a file's attributes; -1 where they cannot be read. */
static int sum_attributes(struct work *work, const char *name, sum_t *sum)
{
    ssize_t length = list_attributes(work, name);
    *sum = 0;
    if (length < 0)
        return means_none(errno) ? 0 : -1;
    for (char *key = work->list; key < work->list + length; key += strlen(key) + 1) {
        if (strncmp(key, NOT_OURS, sizeof NOT_OURS - 1) == 0)
            continue;
        ssize_t size = read_attribute(work, name, key);
        if (size < 0)
            return -1;
        sum_t parts[2] = {hash_of(key, strlen(key)), hash_of(work->value, (size_t)size)};
        *sum += hash_of(parts, sizeof parts);
    }
    return 0;
}

static int add_subdirectory(struct work *work, const char *name)
{
    size_t length = strlen(name) + 1;
    uint64_t *used = &work->out->subdirectories_bytes;
    if (*used + length > work->room)
        return -1;
    memcpy(work->subdirectories + *used, name, length);
    *used += length;
    return 0;
}

static int add_link(struct work *work, const char *name, struct record *record)
{
    ssize_t length = readlinkat(work->fd, name, work->value, VALUE_BYTES);
    if (length < 0)
        return -1;
    work->out->links++;
    record->attributes = hash_of(work->value, (size_t)length);
    return 0;
}

static int add_file(struct work *work, const char *name, const struct stat *info, struct record *record)
{
    int64_t changed_ns = (int64_t)info->st_ctim.tv_sec * 1000000000 + info->st_ctim.tv_nsec;
    if (info->st_nlink != 1)
        return -1;
    work->out->files++;
    work->out->size_bytes += (uint64_t)info->st_size;
    if (changed_ns > work->out->youngest_ns)
        work->out->youngest_ns = changed_ns;
    record->size = (uint64_t)info->st_size;
    return sum_attributes(work, name, &record->attributes);
}

static int add(struct work *work, const char *name)
{
    struct record record;
    struct stat info;
    int result;
    if (fstatat(work->fd, name, &info, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
        return -1;
    memset(&record, 0, sizeof record);
    record.name = hash_of(name, strlen(name));
    record.mode = info.st_mode & S_IFMT;
    if (S_ISDIR(info.st_mode)) { /* what it is itself travels when all below it has */
        result = add_subdirectory(work, name);
    } else {
        record.uid = info.st_uid;
        record.gid = info.st_gid;
        record.mtime_sec = info.st_mtim.tv_sec;
        record.mtime_nsec = (uint32_t)info.st_mtim.tv_nsec;
        if (S_ISREG(info.st_mode)) {
            record.mode = info.st_mode;
            result = add_file(work, name, &info, &record);
        } else {
            result = S_ISLNK(info.st_mode) ? add_link(work, name, &record) : -1;
        }
    }
    work->sum += hash_of(&record, sizeof record);
    return result;
}

static int is_dots(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int add_all(struct work *work, uint64_t most)
{
    ssize_t length;
    uint64_t count = 0;
    while ((length = getdents64(work->fd, work->names, NAMES_BYTES)) > 0) {
        for (char *at = work->names; at < work->names + length;) {
            const struct dirent64 *entry = (const struct dirent64 *)at;
            at += entry->d_reclen;
            if (is_dots(entry->d_name))
                continue;
            if (++count > most || add(work, entry->d_name))
                return -1;
        }
    }
    return length < 0 ? -1 : 0;
}

/* 0: the digest of an open directory, and its subdirectories' names; -1: it is not plain. */
int dtam_survey(int directory_fd, uint64_t most, struct survey *out, char *subdirectories, size_t room)
{
    static _Thread_local struct work room_for_work;
    struct work *work = &room_for_work;
    int result = -1;
    memset(out, 0, sizeof *out);
    work->fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a position of its own */
    work->sum = 0;
    work->out = out;
    work->subdirectories = subdirectories;
    work->room = room;
    if (work->fd >= 0) {
        result = add_all(work, most);
        close(work->fd);
    }
    memcpy(out->digest, &work->sum, sizeof out->digest);
    return result;
}
