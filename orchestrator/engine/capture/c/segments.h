/*
 * The segment files that the ordered log lives in: in memory (a tmpfs) up to a limit, then on disk.
 *
 * Invariant: the numbers kept are contiguous, first_segment..last_segment of the state page. Segments are written by
 * system calls, never through a mapping: a full or broken disk is an errno here, and not a signal that would end the
 * capture and with it the application.
 */
#ifndef DTCAPTURE_SEGMENTS_H
#define DTCAPTURE_SEGMENTS_H

#include "state.h"

enum { SEGMENT_HEADER_BYTES = 64 };

enum place { IN_MEMORY, ON_DISK };

struct segment {
    uint64_t number;
    uint64_t first_sequence;
    uint64_t bytes;
    enum place place;
};

/* A segment that is open for writing. */
struct open_segment {
    struct segment what;
    int fd; /* -1: none */
    uint64_t used;
    const char *draft; /* the file's name until it is adopted */
};

struct segment_store {
    struct state_page *page;
    int directory[2];     /* by enum place */
    struct segment *kept; /* ring of the kept segments, oldest first, the open one last */
    uint64_t capacity, head, count;
};

void segments_init(struct segment_store *store, struct state_page *page, int memory_fd, int disk_fd);

/* The appender and the housekeeper may prepare at the same time, each under its own draft name. */
extern const char DRAFT_OF_APPENDER[], DRAFT_OF_HOUSEKEEPER[];

/* Makes a file of BYTES under the name DRAFT where the limits allow it, in FROM or after it. 0 or an errno. */
int segments_prepare(struct segment_store *store, enum place from, const char *draft, uint64_t bytes,
                     struct open_segment *out);

/* Gives a prepared segment its number, header and name, and keeps it. 0 or an errno. */
int segments_adopt(struct segment_store *store, struct open_segment *segment, uint64_t number, uint64_t first_sequence);

/* Gives a prepared segment back that was not adopted. */
void segments_discard(struct segment_store *store, struct open_segment *segment);

void segments_close(struct open_segment *segment);

/* Takes the oldest segment out of the kept ones if its records are all <= RELEASED; never the last one. */
bool segments_take_spent(struct segment_store *store, uint64_t released, struct segment *spent);

/* Deletes a segment that was taken out; needs no lock, because nobody else knows it any more. */
void segments_delete(struct segment_store *store, const struct segment *spent);

/* Deletes all segment files, also those of earlier runs. */
void segments_wipe(struct segment_store *store);

/* Takes over the segments of an orderly ended run; false when one is missing or the end is not COMMITTED. */
bool segments_take_over(struct segment_store *store, uint64_t committed);

#endif
