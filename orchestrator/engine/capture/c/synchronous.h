/*
 * Synchronous connections: a flush is answered when their targets hold everything up to it.
 *
 * The daemon attaches each synchronous connection over the control socket and pushes what its target acknowledged. A
 * flush (fsync, a write through O_SYNC, the fsync of a directory) is first made below, then kept, without holding a
 * thread, until every connection *in step* has acknowledged the log as it stood when the flush came.
 *
 *   asynchronous -> synchronous   the target's data is good and it has all but the last second
 *   synchronous  -> asynchronous  a flush waited for longer than the connection allows (unless it keeps waiting), the
 *                                 target's data is not good any more, or the log is another one
 *
 * Invariant: while a connection is in step, no flush is answered that its target does not hold, except to a process
 * that is being killed and cannot see the answer. Lateness alone is what turns it asynchronous when the daemon or the
 * target is gone: a daemon that is back within the wait changes nothing.
 */
#ifndef DTCAPTURE_SYNCHRONOUS_H
#define DTCAPTURE_SYNCHRONOUS_H

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SYNCHRONOUS_KEY_BYTES = 64 };

struct synchronous_terms {
    char key[SYNCHRONOUS_KEY_BYTES]; /* the connection's */
    uint64_t wait_ns;
    bool keep_waiting; /* past the wait, too: the application stops until the target answers */
};

/* The position that a flush must wait for; taken when it comes, before the lower flush. */
uint64_t flush_position(void);

/* Answers a flush that was made below, now or when the targets hold the log up to POSITION. */
void flush_answer(fuse_req_t request, uint64_t position);
void flush_answer_write(fuse_req_t request, uint64_t position, size_t written);

/* From the control thread. FEEDER: the socket that tells of it, -1 when it is lost. False: there are too many. */
bool synchronous_attach(const struct synchronous_terms *terms, int feeder);
void synchronous_detach(const char *key);
void synchronous_feeder_lost(int feeder);
/* What the target of FEEDER's connection holds of the log with this id (32 hexadecimal digits). */
void synchronous_acknowledged(int feeder, const char *log_id, uint64_t sequence, bool good);
/* Before another log begins. */
void synchronous_log_ends(void);

uint64_t synchronous_flushes_waiting(void);

/* The thread that sees when a wait is over; does not return. */
_Noreturn void synchronous_watch(void);

#endif
