/*
 * The node table: every inode the kernel knows of, by (device, inode number), with the names we know it under.
 *
 * A name is (parent node, text), so renaming a directory of a million files touches one name. Nodes hold no descriptor:
 * lower files are reached by the path that the names spell, relative to the lower root.
 *
 * Locks, in the order they are taken:
 *   1. the namespace lock: exclusive for whatever makes or unmakes names, shared for whoever computes a path from them;
 *   2. a node's lock: exclusive for changes of its content or attributes, shared for reading it;
 *   3. the table's lock (inside nodes.c, held for a few instructions).
 * The operations hold 1 and 2 from before the lower change until the record is in the log.
 */
#ifndef DTCAPTURE_NODES_H
#define DTCAPTURE_NODES_H

#include "paths.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

struct node;
struct handle;

struct name {
    struct name *next;
    struct node *parent;
    uint32_t length;
    char text[];
};

struct node {
    struct node *hash_next;
    dev_t device;
    ino_t inode;
    uint64_t generation;          /* tells apart two nodes that had the same address one after the other */
    uint64_t lookups;             /* how often the kernel was told of it */
    uint32_t references;          /* names below it, open handles, and who is just looking */
    bool hashed;                  /* false: gone from the lower tree, its number may be used anew */
    atomic_bool times_due;        /* a directory whose time is about to be logged */
    atomic_bool maybe_privileged; /* may carry set-user-id or set-group-id: look before a write clears them */
    struct name *_Atomic names;   /* none: unlinked */
    struct handle *handles;       /* open ones, under the node's lock */
};

/*
 * A node's lock, which it shares with others: a lock of its own would be half of a node, and a million are known. No
 * thread holds two.
 */
pthread_rwlock_t *lock_of(const struct node *node);

void nodes_init(const struct stat *root);
struct node *nodes_root(void);
uint64_t nodes_count(void);

void namespace_share(void);
void namespace_own(void);
void namespace_leave(void);

/* The node of a file that was just seen as NAME in PARENT; the kernel is told of it once more. NULL: no memory. */
struct node *nodes_learn(const struct stat *seen, struct node *parent, const char *name);

/* The node with these numbers if we know it, referenced until nodes_put(); else NULL. */
struct node *nodes_find(dev_t device, ino_t inode);
struct node *nodes_get(struct node *node);
void nodes_put(struct node *node);
void nodes_forget(struct node *node, uint64_t lookups);

/* Under the owned namespace. */
void nodes_add_name(struct node *node, struct node *parent, const char *name);
void nodes_drop_name(struct node *node, struct node *parent, const char *name);
/* The last lower name is gone: the inode number may come back as another file. */
void nodes_gone(struct node *node);

/* Paths, under the shared or owned namespace: 0, ENOENT (no name known) or ENAMETOOLONG. */
int path_of(struct node *node, struct path *path);
int path_of_child(struct node *parent, const char *name, struct path *path);

#endif
