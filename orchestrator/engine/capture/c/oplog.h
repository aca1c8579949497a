/*
 * The ordered log as the file operations see it: append what truly happened, and never fail.
 *
 * Invariant: one lock gives the sequence, copies and seals the record and publishes it, so the order of sequences is
 * the order of records, without gaps. When the log cannot take a record (limits, full disk) the page says out_of_step,
 * nothing is written any more until log_restart(), and the application goes on.
 */
#ifndef DTCAPTURE_OPLOG_H
#define DTCAPTURE_OPLOG_H

#include "format.h"
#include "paths.h"
#include "state.h"

#include <sys/stat.h>

struct operation {
    enum record_kind kind;
    uint16_t flags;
    uint64_t a, b;
    const char *path, *path2;
    uint32_t path_bytes, path2_bytes, data_bytes;
    const void *data;
};

/* Opens the log in these directories: continues an orderly ended one, else starts a new one. 0 or an errno. */
int log_open(int log_fd, int memory_fd, int disk_fd);

/* Appends; returns the sequence, or 0 when the log is out of step. */
uint64_t log_append(const struct operation *operation);

/* To be called before any lower change: takes the clean mark away, on disk, before the first one. */
void log_before_change(void);

/* Records are missing from here on. */
void log_lose_step(const char *why);

/* Drops everything and starts a new log, sequence 1. 0 or an errno. */
int log_restart(void);

/* Orderly end: no change can come any more. Sets the clean mark. */
void log_close(void);

/* What the housekeeping thread does, over and over. */
void log_keep_house(void);

struct state_page *log_state(void);
bool log_previous_run_was_clean(void);
bool log_was_continued(void);

/* The id of the log as 32 hexadecimal digits, and whether a text begins with them. */
void log_id_text(char text[2 * LOG_ID_BYTES + 1]);
bool log_is(const char *text);

static inline uint64_t owner_word(uint32_t uid, uint32_t gid) { return (uint64_t)uid << 32 | gid; }

#endif
