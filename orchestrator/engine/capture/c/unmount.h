/* Taking the mount away in order: never by force, never while files are open. */
#ifndef DTCAPTURE_UNMOUNT_H
#define DTCAPTURE_UNMOUNT_H

/* 0, EBUSY while files are open, or another errno. After a success the session's loop ends by itself, unless another
 * mount namespace has a copy of the mount. */
int unmount_in_order(const char *mountpoint);

#endif
