/*
 * The state page of a log: one file of 4096 bytes, mapped by the capture program and by the daemon.
 *
 * The layout stands in docs/explanation/oplog-format.md. Everything is little endian; the counters are aligned 64-bit
 * words that are read and written whole, so neither side ever needs a lock of the other.
 */
#ifndef DTCAPTURE_STATE_H
#define DTCAPTURE_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { STATE_BYTES = 4096, LOG_ID_BYTES = 16, BOOT_ID_BYTES = 16 };

enum state_flag {
    FLAG_OUT_OF_STEP = 1 << 0, /* records are missing from out_of_step_sequence on */
    FLAG_FENCED = 1 << 1,      /* every change is answered EROFS */
    FLAG_CLEAN = 1 << 2,       /* the last run ended in order and nothing was written since */
};

/* What the daemon may wish to be captured besides. */
enum wish { WISH_ACCESS_TIMES = 1 << 0 };

typedef _Atomic uint64_t word;

struct state_page {
    char magic[8];
    uint32_t version;
    _Atomic uint32_t writer_pid;
    uint8_t log_id[LOG_ID_BYTES];
    word committed_sequence;
    word last_segment;
    word first_segment;
    word memory_bytes;
    word disk_bytes;
    word operations_total;
    word data_bytes_total;
    word flags;
    word out_of_step_sequence;
    word namespace_sequence;
    word heartbeat_boottime_ns;
    word unused_of_writer;
    /* written by the daemon */
    word released_sequence;
    word lease_deadline_boottime_ns;
    word reader_waiting;
    word wishes; /* of enum wish */
    /* limits, set by the daemon */
    word memory_limit_bytes;
    word disk_limit_bytes;
    word minimum_free_bytes;
    word segment_bytes;
    /* written by the writer: which boot the boottime values above belong to */
    uint8_t boot_id[BOOT_ID_BYTES];
    uint8_t unused[STATE_BYTES - 208];
};

_Static_assert(sizeof(struct state_page) == STATE_BYTES, "the state page is one page");
_Static_assert(offsetof(struct state_page, flags) == 88, "docs/explanation/oplog-format.md");
_Static_assert(offsetof(struct state_page, released_sequence) == 128, "docs/explanation/oplog-format.md");
_Static_assert(offsetof(struct state_page, segment_bytes) == 184, "docs/explanation/oplog-format.md");

/* Maps (and if new, fills) the page in the directory LOG_FD and locks it for this process. NULL with errno on failure.
 */
struct state_page *state_open(int log_fd);

/* Puts the page on disk; the clean mark needs it, the counters do not. */
void state_sync(struct state_page *page);

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* True when changes must be refused: fenced by order, or by the lease that ran out (the source's own dead man's
 * switch). */
static inline bool state_refuses_changes(struct state_page *page)
{
    if (atomic_load_explicit(&page->flags, memory_order_relaxed) & FLAG_FENCED)
        return true;
    uint64_t deadline = atomic_load_explicit(&page->lease_deadline_boottime_ns, memory_order_relaxed);
    return deadline != 0 && clock_ns(CLOCK_BOOTTIME) >= deadline;
}

#endif
