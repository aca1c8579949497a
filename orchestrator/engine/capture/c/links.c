/*
 * Finding another name of a hard-linked file whose known names were all removed while it is still open.
 *
 * The lower tree is walked up to a bound. It is rare: a file with several links, opened by one of them that was then
 * removed, and written on. Beyond the bound the log is marked out of step rather than the application kept waiting.
 */
#include "fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WALK_LIMIT_ENTRIES = 200000 };

struct walk {
    const struct node *wanted;
    unsigned entries_left;
    char path[PATH_MAX];
};

static bool walk_directory(struct walk *walk, int directory, size_t length);

static bool is_wanted(const struct walk *walk, const struct stat *seen)
{
    return seen->st_ino == walk->wanted->inode && seen->st_dev == walk->wanted->device;
}

static bool append(struct walk *walk, size_t length, const char *name, size_t *longer)
{
    size_t bytes = strlen(name), start = length ? length + 1 : 0;
    if (start + bytes >= sizeof walk->path)
        return false;
    if (length)
        walk->path[length] = '/';
    memcpy(walk->path + start, name, bytes + 1);
    *longer = start + bytes;
    return true;
}

static bool visit(struct walk *walk, int directory, const char *name, size_t length)
{
    struct stat seen;
    size_t longer;
    if (!append(walk, length, name, &longer) || fstatat(directory, name, &seen, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    if (is_wanted(walk, &seen))
        return true;
    if (!S_ISDIR(seen.st_mode) || seen.st_dev != walk->wanted->device)
        return false;
    int inner = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return inner >= 0 && walk_directory(walk, inner, longer);
}

static bool is_dot(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

/* Takes the descriptor over. True: walk->path is a name of the wanted file. */
static bool walk_directory(struct walk *walk, int directory, size_t length)
{
    bool found = false;
    DIR *entries = fdopendir(directory);
    if (!entries) {
        close(directory);
        return false;
    }
    for (struct dirent *entry; !found && walk->entries_left && (entry = readdir(entries));) {
        if (is_dot(entry->d_name))
            continue;
        walk->entries_left--;
        found = visit(walk, dirfd(entries), entry->d_name, length);
    }
    closedir(entries);
    return found;
}

/* Learns every directory on the way to PATH and the file itself, so that the node has a name again. */
static bool learn_way(char *path)
{
    struct node *parent = nodes_get(nodes_root());
    char *name = path;
    while (parent && name) {
        struct stat seen;
        char *end = strchr(name, '/');
        if (end)
            *end = '\0';
        struct node *node = lstat(path, &seen) == 0 ? nodes_learn(&seen, parent, name) : NULL;
        nodes_put(parent);
        if (node) { /* we look, the kernel does not: keep it by reference */
            nodes_get(node);
            nodes_forget(node, 1);
        }
        if (end)
            *end = '/';
        parent = node;
        name = end ? end + 1 : NULL;
    }
    nodes_put(parent);
    return parent != NULL;
}

bool links_find(struct node *node)
{
    struct walk *walk = malloc(sizeof *walk);
    int root = walk ? open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool found = false;
    if (root >= 0) {
        walk->wanted = node;
        walk->entries_left = WALK_LIMIT_ENTRIES;
        found = walk_directory(walk, root, 0) && learn_way(walk->path);
    }
    free(walk);
    return found;
}
