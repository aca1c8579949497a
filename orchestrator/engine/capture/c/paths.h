/* A path below the protected root, built from its end. The root is the empty path. */
#ifndef DTCAPTURE_PATHS_H
#define DTCAPTURE_PATHS_H

#include <limits.h>
#include <stdint.h>

struct path {
    uint32_t length;
    char *text;           /* ends with a NUL, lies inside space */
    char space[PATH_MAX]; /* 4,095 bytes and the NUL */
};

/* The path as system calls want it, relative to the lower root, which is the working directory. */
static inline const char *lower(const struct path *path) { return path->length ? path->text : "."; }

#endif
