/*
 * What this program needs of the FUSE protocol and libfuse 3.14 does not offer.
 *
 * FUSE_HANDLE_KILLPRIV_V2 (kernel 5.11): without it the kernel asks for security.capability before every single write,
 * which halves the speed. Agreeing to it makes the file system responsible for clearing set-user-id and set-group-id
 * when the kernel says so in a request; those bits of a request libfuse does not hand on either.
 */
#ifndef DTCAPTURE_WIRE_H
#define DTCAPTURE_WIRE_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

/* Puts our reading and writing between libfuse and the mounted session's descriptor. 0 or a negative errno. */
int wire_install(struct fuse_session *session);

/* Whether the request that this thread is working on asks for set-user-id and set-group-id to be cleared. */
bool wire_asks_to_drop_privileges(void);

#endif
