/* Unmounting as root by the system call, as an ordinary user by fusermount3. */
#include "unmount.h"

#include <errno.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int unmount_by_fusermount(const char *mountpoint)
{
    pid_t child;
    int status;
    char *arguments[] = {"fusermount3", "-u", "--", (char *)mountpoint, NULL};
    int error = posix_spawnp(&child, "fusermount3", NULL, NULL, arguments, environ);
    if (error)
        return error;
    if (waitpid(child, &status, 0) != child)
        return errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EBUSY;
}

int unmount_in_order(const char *mountpoint)
{
    if (umount2(mountpoint, UMOUNT_NOFOLLOW) == 0)
        return 0;
    return errno == EPERM ? unmount_by_fusermount(mountpoint) : errno;
}
