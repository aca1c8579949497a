/*
 * Modification times of directories, which move with every name made or unmade in them.
 *
 * Logging one after each change would double the log of a storm of small files. So a directory is noted, and its time
 * is logged a moment later, by a thread of its own: once for all that happened in it meanwhile. The replica's own time
 * for it is right as soon as that record is applied.
 */
#include "fs.h"

#include <stdlib.h>
#include <time.h>

struct due {
    struct due *next;
    struct node *directory; /* referenced */
};

static struct {
    pthread_mutex_t logging; /* held while those taken from the list are logged; taken before lock */
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct due *first;
} all = {.logging = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};

enum { GATHER_NS = 100 * 1000 * 1000 };

/* Without memory a time is not followed; the next change in the directory notes it again. */
void directory_changed(struct node *directory)
{
    struct due *due = atomic_exchange(&directory->times_due, true) ? NULL : malloc(sizeof *due);
    if (!due)
        return;
    due->directory = nodes_get(directory);
    pthread_mutex_lock(&all.lock);
    due->next = all.first;
    all.first = due;
    pthread_cond_signal(&all.some);
    pthread_mutex_unlock(&all.lock);
}

static void log_one(struct node *directory)
{
    struct path path;
    struct stat now;
    namespace_share();
    pthread_rwlock_wrlock(lock_of(directory));
    atomic_store(&directory->times_due, false); /* what happens from now on is noted again */
    if (path_of(directory, &path) == 0 && lstat(lower(&path), &now) == 0 && S_ISDIR(now.st_mode))
        log_times(&path, &now, UTIMENS_OMIT_ATIME);
    pthread_rwlock_unlock(lock_of(directory));
    namespace_leave();
    nodes_put(directory);
}

void directory_times_log(void)
{
    pthread_mutex_lock(&all.logging);
    pthread_mutex_lock(&all.lock);
    struct due *due = all.first;
    all.first = NULL;
    pthread_mutex_unlock(&all.lock);
    while (due) {
        struct due *next = due->next;
        log_one(due->directory);
        free(due);
        due = next;
    }
    pthread_mutex_unlock(&all.logging);
}

_Noreturn void directory_times_follow(void)
{
    for (;;) {
        pthread_mutex_lock(&all.lock);
        while (!all.first)
            pthread_cond_wait(&all.some, &all.lock);
        pthread_mutex_unlock(&all.lock);
        nanosleep(&(struct timespec){.tv_nsec = GATHER_NS}, NULL);
        directory_times_log();
    }
}
