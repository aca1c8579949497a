/* The node table and the paths that its names spell. The locking rules stand in nodes.h. */
#include "nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NODE_LOCKS = 8191 };

static struct {
    /* held while waiting for the namespace: nobody overtakes, so neither renames nor writes starve */
    pthread_mutex_t turn;
    pthread_rwlock_t namespace;
    pthread_mutex_t lock;
    struct node **buckets;
    size_t bucket_count, count; /* bucket_count is a power of two */
    uint64_t generation;
    struct node root;
} table = {
    .turn = PTHREAD_MUTEX_INITIALIZER,
    .namespace = PTHREAD_RWLOCK_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

struct node *nodes_root(void) { return &table.root; }

uint64_t nodes_count(void)
{
    pthread_mutex_lock(&table.lock);
    uint64_t count = table.count;
    pthread_mutex_unlock(&table.lock);
    return count;
}

void namespace_share(void)
{
    pthread_mutex_lock(&table.turn);
    pthread_rwlock_rdlock(&table.namespace);
    pthread_mutex_unlock(&table.turn);
}

void namespace_own(void)
{
    pthread_mutex_lock(&table.turn);
    pthread_rwlock_wrlock(&table.namespace);
    pthread_mutex_unlock(&table.turn);
}

void namespace_leave(void) { pthread_rwlock_unlock(&table.namespace); }

static struct node **bucket_of(dev_t device, ino_t inode)
{
    uint64_t mixed = ((uint64_t)inode ^ (uint64_t)device << 40) * 0x9e3779b97f4a7c15u;
    return &table.buckets[(mixed >> 32) & (table.bucket_count - 1)];
}

static void hash_in(struct node *node)
{
    struct node **bucket = bucket_of(node->device, node->inode);
    node->hash_next = *bucket;
    node->hashed = true;
    *bucket = node;
}

static void hash_out(struct node *node)
{
    struct node **at = bucket_of(node->device, node->inode);
    while (*at != node)
        at = &(*at)->hash_next;
    *at = node->hash_next;
    node->hashed = false;
}

static struct node *find_locked(dev_t device, ino_t inode)
{
    struct node *node = *bucket_of(device, inode);
    while (node && (node->inode != inode || node->device != device))
        node = node->hash_next;
    return node;
}

static void grow(void)
{
    struct node **old = table.buckets;
    size_t old_count = table.bucket_count;
    struct node **larger = calloc(old_count * 2, sizeof *larger);
    if (!larger)
        return; /* longer chains are slower, not wrong */
    table.buckets = larger;
    table.bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++)
        for (struct node *node = old[i], *next; node; node = next) {
            next = node->hash_next;
            hash_in(node);
        }
    free(old);
}

pthread_rwlock_t *lock_of(const struct node *node)
{
    static pthread_rwlock_t locks[NODE_LOCKS]; /* zeros are open locks */
    return &locks[(uintptr_t)node / sizeof *node % NODE_LOCKS];
}

static void init_node(struct node *node, const struct stat *seen)
{
    node->device = seen->st_dev;
    node->inode = seen->st_ino;
    node->generation = ++table.generation;
}

void nodes_init(const struct stat *root)
{
    table.bucket_count = 1024;
    table.buckets = calloc(table.bucket_count, sizeof *table.buckets);
    if (!table.buckets)
        abort();
    init_node(&table.root, root);
    table.root.references = 1;
    hash_in(&table.root);
    table.count = 1;
}

static struct node *make_node(const struct stat *seen)
{
    struct node *node = calloc(1, sizeof *node);
    if (!node)
        return NULL;
    if (table.count >= table.bucket_count)
        grow();
    init_node(node, seen);
    hash_in(node);
    table.count++;
    return node;
}

static struct name *find_name(struct node *node, struct node *parent, const char *text)
{
    struct name *name = atomic_load(&node->names);
    while (name && (name->parent != parent || strcmp(name->text, text) != 0))
        name = name->next;
    return name;
}

/* Readers walk the list without a lock, so a name is whole before it is seen. */
static bool add_name_locked(struct node *node, struct node *parent, const char *text)
{
    size_t length = strlen(text);
    struct name *name = malloc(sizeof *name + length + 1);
    if (!name)
        return false;
    *name = (struct name){.next = atomic_load(&node->names), .parent = parent, .length = (uint32_t)length};
    memcpy(name->text, text, length + 1);
    parent->references++;
    atomic_store(&node->names, name);
    return true;
}

static void release_locked(struct node *node);

static void drop_names_locked(struct node *node)
{
    struct name *name = atomic_exchange(&node->names, NULL);
    while (name) {
        struct name *next = name->next;
        name->parent->references--;
        release_locked(name->parent);
        free(name);
        name = next;
    }
}

/* Frees the node if nobody needs it any more, and then perhaps its parents. */
static void release_locked(struct node *node)
{
    if (node->lookups || node->references)
        return;
    drop_names_locked(node);
    if (node->hashed)
        hash_out(node);
    table.count--;
    free(node);
}

static struct node *learn_locked(const struct stat *seen, struct node *parent, const char *text)
{
    struct node *node = find_locked(seen->st_dev, seen->st_ino);
    if (!node && !(node = make_node(seen)))
        return NULL;
    node->lookups++;
    if (node == &table.root || find_name(node, parent, text) || add_name_locked(node, parent, text))
        return node;
    node->lookups--;
    release_locked(node);
    return NULL;
}

struct node *nodes_learn(const struct stat *seen, struct node *parent, const char *name)
{
    pthread_mutex_lock(&table.lock);
    struct node *node = learn_locked(seen, parent, name);
    if (node && (seen->st_mode & (S_ISUID | S_ISGID)))
        atomic_store(&node->maybe_privileged, true);
    pthread_mutex_unlock(&table.lock);
    return node;
}

struct node *nodes_find(dev_t device, ino_t inode)
{
    pthread_mutex_lock(&table.lock);
    struct node *node = find_locked(device, inode);
    if (node)
        node->references++;
    pthread_mutex_unlock(&table.lock);
    return node;
}

struct node *nodes_get(struct node *node)
{
    pthread_mutex_lock(&table.lock);
    node->references++;
    pthread_mutex_unlock(&table.lock);
    return node;
}

void nodes_put(struct node *node)
{
    if (!node)
        return;
    pthread_mutex_lock(&table.lock);
    node->references--;
    release_locked(node);
    pthread_mutex_unlock(&table.lock);
}

void nodes_forget(struct node *node, uint64_t lookups)
{
    if (node == &table.root)
        return;
    pthread_mutex_lock(&table.lock);
    node->lookups -= lookups < node->lookups ? lookups : node->lookups;
    release_locked(node);
    pthread_mutex_unlock(&table.lock);
}

void nodes_add_name(struct node *node, struct node *parent, const char *name)
{
    pthread_mutex_lock(&table.lock);
    if (!find_name(node, parent, name))
        add_name_locked(node, parent, name);
    pthread_mutex_unlock(&table.lock);
}

static struct name *unlink_name_locked(struct node *node, struct name *name)
{
    struct name *before = atomic_load(&node->names);
    if (before == name) {
        atomic_store(&node->names, name->next);
        return name;
    }
    while (before && before->next != name)
        before = before->next;
    if (before)
        before->next = name->next;
    return name;
}

void nodes_drop_name(struct node *node, struct node *parent, const char *text)
{
    pthread_mutex_lock(&table.lock);
    struct name *name = find_name(node, parent, text);
    if (name) {
        free(unlink_name_locked(node, name));
        parent->references--;
        release_locked(parent);
    }
    pthread_mutex_unlock(&table.lock);
}

void nodes_gone(struct node *node)
{
    pthread_mutex_lock(&table.lock);
    if (node->hashed)
        hash_out(node);
    drop_names_locked(node);
    pthread_mutex_unlock(&table.lock);
}

static bool prepend(struct path *path, const char *text, uint32_t length)
{
    uint32_t separator = path->length ? 1 : 0;
    if ((uint64_t)(path->text - path->space) < (uint64_t)length + separator)
        return false;
    if (separator)
        *--path->text = '/';
    path->text -= length;
    memcpy(path->text, text, length);
    path->length += length + separator;
    return true;
}

static void start_path(struct path *path)
{
    path->length = 0;
    path->text = path->space + sizeof path->space - 1;
    *path->text = '\0';
}

static int prepend_node(struct path *path, struct node *node)
{
    while (node != &table.root) {
        struct name *name = atomic_load_explicit(&node->names, memory_order_acquire);
        if (!name)
            return ENOENT;
        if (!prepend(path, name->text, name->length))
            return ENAMETOOLONG;
        node = name->parent;
    }
    return 0;
}

int path_of(struct node *node, struct path *path)
{
    start_path(path);
    return prepend_node(path, node);
}

int path_of_child(struct node *parent, const char *name, struct path *path)
{
    start_path(path);
    if (!prepend(path, name, (uint32_t)strlen(name)))
        return ENAMETOOLONG;
    return prepend_node(path, parent);
}
