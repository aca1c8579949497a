/* Looking up names, forgetting nodes, reading directories. */
#include "fs.h"
#include "synchronous.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An absent name is worth knowing for long, too: only we can make it. */
static void reply_absent(fuse_req_t request)
{
    fuse_reply_entry(request, &(struct fuse_entry_param){.entry_timeout = KNOWN_FOR_S});
}

static void look_up(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct node *directory = node_of(parent), *node = NULL;
    struct path path;
    struct stat seen;
    namespace_share();
    int error = path_of_child(directory, name, &path);
    if (!error && lstat(lower(&path), &seen) != 0)
        error = errno;
    if (!error && !(node = nodes_learn(&seen, directory, name)))
        error = ENOMEM;
    namespace_leave();
    if (error == ENOENT)
        reply_absent(request);
    else if (error)
        fuse_reply_err(request, error);
    else
        reply_entry(request, node, &seen);
}

static void forget(fuse_req_t request, fuse_ino_t number, uint64_t lookups)
{
    nodes_forget(node_of(number), lookups);
    fuse_reply_none(request);
}

static void forget_many(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        nodes_forget(node_of(forgets[i].ino), forgets[i].nlookup);
    fuse_reply_none(request);
}

struct listing {
    DIR *entries;
    struct dirent *pending; /* read, but there was no room for it in the last answer */
    off_t position;
    struct node *node;
};

static struct listing *listing_of(const struct fuse_file_info *file) { return (struct listing *)(uintptr_t)file->fh; }

static void listing_close(struct listing *listing)
{
    if (listing->entries)
        closedir(listing->entries);
    nodes_put(listing->node);
    free(listing);
}

static int listing_open(struct node *node, struct listing *listing)
{
    struct path path;
    namespace_share();
    int error = path_of(node, &path);
    int fd = error ? -1 : open(lower(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    error = error ? error : fd < 0 ? errno : 0;
    namespace_leave();
    if (!error && !(listing->entries = fdopendir(fd))) {
        error = errno;
        close(fd);
    }
    return error;
}

static void open_directory(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    struct node *node = node_of(number);
    struct listing *listing = calloc(1, sizeof *listing);
    if (!listing) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    listing->node = nodes_get(node);
    int error = listing_open(node, listing);
    file->fh = (uint64_t)(uintptr_t)listing;
    if (error)
        fuse_reply_err(request, error);
    if (error || fuse_reply_open(request, file) != 0)
        listing_close(listing);
}

static void release_directory(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    (void)number;
    listing_close(listing_of(file));
    fuse_reply_err(request, 0);
}

static void sync_directory(fuse_req_t request, fuse_ino_t number, int only_data, struct fuse_file_info *file)
{
    int fd = dirfd(listing_of(file)->entries);
    uint64_t position = flush_position();
    (void)number;
    if ((only_data ? fdatasync(fd) : fsync(fd)) == 0)
        flush_answer(request, position);
    else
        fuse_reply_err(request, errno);
}

static void go_to(struct listing *listing, off_t offset)
{
    if (offset == listing->position)
        return;
    seekdir(listing->entries, offset);
    listing->pending = NULL;
    listing->position = offset;
}

static bool is_dot(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

/* One answer under way. */
struct page {
    fuse_req_t request;
    char *at;
    size_t left;
    bool plus; /* with attributes, so that the kernel knows the files without asking for each */
};

static size_t add_plain(struct page *page, const struct dirent *entry)
{
    struct stat facts = {.st_ino = entry->d_ino, .st_mode = (mode_t)DTTOIF(entry->d_type)};
    return fuse_add_direntry(page->request, page->at, page->left, entry->d_name, &facts, entry->d_off);
}

/* 0: the entry is gone; else the bytes needed, added if they fit. */
static size_t add_plus(struct page *page, struct listing *listing, const struct dirent *entry)
{
    struct stat seen = {.st_ino = entry->d_ino, .st_mode = (mode_t)DTTOIF(entry->d_type)};
    struct fuse_entry_param answer = {.attr = seen};
    struct node *node = NULL;
    if (!is_dot(entry->d_name)) {
        if (fstatat(dirfd(listing->entries), entry->d_name, &seen, AT_SYMLINK_NOFOLLOW) != 0)
            return 0;
        if (!(node = nodes_learn(&seen, listing->node, entry->d_name)))
            return 0;
        entry_fill(&answer, node, &seen);
    }
    size_t bytes = fuse_add_direntry_plus(page->request, page->at, page->left, entry->d_name, &answer, entry->d_off);
    if (node && bytes > page->left)
        nodes_forget(node, 1); /* not told after all */
    return bytes;
}

static struct dirent *next_entry(struct listing *listing)
{
    if (!listing->pending) {
        errno = 0;
        listing->pending = readdir(listing->entries);
    }
    return listing->pending;
}

/* Fills the page; 0 or the errno of the lower directory. */
static int fill(struct page *page, struct listing *listing)
{
    struct dirent *entry;
    while ((entry = next_entry(listing))) {
        size_t bytes = page->plus ? add_plus(page, listing, entry) : add_plain(page, entry);
        if (bytes > page->left)
            return 0;
        page->at += bytes;
        page->left -= bytes;
        listing->position = entry->d_off;
        listing->pending = NULL;
    }
    return errno;
}

static void list(fuse_req_t request, size_t bytes, off_t offset, struct fuse_file_info *file, bool plus)
{
    struct listing *listing = listing_of(file);
    char *buffer = malloc(bytes);
    if (!buffer) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    struct page page = {.request = request, .at = buffer, .left = bytes, .plus = plus};
    namespace_share();
    go_to(listing, offset);
    int error = fill(&page, listing);
    namespace_leave();
    if (error && page.left == bytes)
        fuse_reply_err(request, error);
    else
        fuse_reply_buf(request, buffer, bytes - page.left);
    free(buffer);
}

static void read_directory(fuse_req_t request, fuse_ino_t number, size_t bytes, off_t offset,
                           struct fuse_file_info *file)
{
    (void)number;
    list(request, bytes, offset, file, false);
}

static void read_directory_plus(fuse_req_t request, fuse_ino_t number, size_t bytes, off_t offset,
                                struct fuse_file_info *file)
{
    (void)number;
    list(request, bytes, offset, file, true);
}

void operations_of_directories(struct fuse_lowlevel_ops *operations)
{
    operations->lookup = look_up;
    operations->forget = forget;
    operations->forget_multi = forget_many;
    operations->opendir = open_directory;
    operations->releasedir = release_directory;
    operations->fsyncdir = sync_directory;
    operations->readdir = read_directory;
    operations->readdirplus = read_directory_plus;
}
