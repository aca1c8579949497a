/* The ordered log's writer. See oplog.h for its one invariant. */
#include "oplog.h"

#include "segments.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

static struct {
    pthread_mutex_t lock;
    pthread_mutex_t spare_lock; /* taken before lock: a restart and the making of a spare exclude each other */
    pthread_cond_t rolled;      /* a segment was taken: make the next spare now */
    struct state_page *page;
    struct segment_store store;
    struct open_segment current, spare;
    uint64_t next_sequence, next_segment;
    atomic_bool dirty; /* the clean mark is off, on disk */
    bool previous_clean, continued;
    int wake_fd;
} the_log = {.current = {.fd = -1},
             .spare = {.fd = -1},
             .lock = PTHREAD_MUTEX_INITIALIZER,
             .spare_lock = PTHREAD_MUTEX_INITIALIZER,
             .rolled = PTHREAD_COND_INITIALIZER,
             .wake_fd = -1};

struct state_page *log_state(void) { return the_log.page; }
bool log_previous_run_was_clean(void) { return the_log.previous_clean; }
bool log_was_continued(void) { return the_log.continued; }

void log_id_text(char text[2 * LOG_ID_BYTES + 1])
{
    for (int i = 0; i < LOG_ID_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", the_log.page->log_id[i]);
}

bool log_is(const char *text)
{
    char own[2 * LOG_ID_BYTES + 1];
    log_id_text(own);
    return strncmp(own, text, sizeof own - 1) == 0;
}

static void lose_step_locked(const char *why)
{
    struct state_page *page = the_log.page;
    if (page->flags & FLAG_OUT_OF_STEP)
        return;
    page->out_of_step_sequence = the_log.next_sequence;
    atomic_fetch_or(&page->flags, FLAG_OUT_OF_STEP);
    fprintf(stderr, "out of step from sequence %llu on: %s\n", (unsigned long long)the_log.next_sequence, why);
}

void log_lose_step(const char *why)
{
    pthread_mutex_lock(&the_log.lock);
    lose_step_locked(why);
    pthread_mutex_unlock(&the_log.lock);
}

/* With the lock held; for when the limits are near. */
static void delete_spent_now(void)
{
    struct segment spent;
    while (segments_take_spent(&the_log.store, the_log.page->released_sequence, &spent))
        segments_delete(&the_log.store, &spent);
}

/* The next segment: the spare when it is large enough and in the wanted place, else a new one. */
static int next_open_segment(enum place from, uint64_t bytes, struct open_segment *out)
{
    struct open_segment *spare = &the_log.spare;
    if (spare->fd >= 0 && spare->what.bytes >= bytes && spare->what.place >= from) {
        *out = *spare;
        spare->fd = -1;
        return 0;
    }
    segments_discard(&the_log.store, spare);
    delete_spent_now();
    return segments_prepare(&the_log.store, from, DRAFT_OF_APPENDER, bytes, out);
}

/* Goes on in a new segment, in FROM or after it, that has room for a record of this size. 0 or an errno. */
static int roll(enum place from, uint64_t record_bytes)
{
    struct open_segment next;
    uint64_t bytes = the_log.page->segment_bytes;
    if (bytes < SEGMENT_HEADER_BYTES + record_bytes)
        bytes = SEGMENT_HEADER_BYTES + record_bytes;
    int error = next_open_segment(from, bytes, &next);
    if (error != 0)
        return error;
    error = segments_adopt(&the_log.store, &next, the_log.next_segment, the_log.next_sequence);
    if (error != 0) {
        segments_discard(&the_log.store, &next);
        return error;
    }
    segments_close(&the_log.current);
    the_log.current = next;
    the_log.next_segment++;
    pthread_cond_signal(&the_log.rolled);
    return 0;
}

/* The zeros that round a record up, and its checksum. */
struct tail {
    char bytes[7 + RECORD_CHECKSUM_BYTES];
};

static uint64_t record_bytes(const struct operation *operation)
{
    uint64_t payload = (uint64_t)operation->path_bytes + operation->path2_bytes + operation->data_bytes;
    return ((sizeof(struct record_header) + payload + 7) & ~(uint64_t)7) + RECORD_CHECKSUM_BYTES;
}

enum { PARTS = 5 };

/* The parts of a record in their order: header, path, path2, data, and zeros up to the checksum, which comes last. */
static void gather(const struct operation *operation, struct record_header *header, struct tail *tail,
                   struct iovec parts[PARTS])
{
    uint64_t payload = (uint64_t)operation->path_bytes + operation->path2_bytes + operation->data_bytes;
    size_t zeros = header->total_bytes - RECORD_CHECKSUM_BYTES - sizeof *header - payload;
    parts[0] = (struct iovec){header, sizeof *header};
    parts[1] = (struct iovec){(void *)operation->path, operation->path_bytes};
    parts[2] = (struct iovec){(void *)operation->path2, operation->path2_bytes};
    parts[3] = (struct iovec){(void *)operation->data, operation->data_bytes};
    parts[4] = (struct iovec){tail->bytes, zeros};
}

static void seal(struct iovec parts[PARTS], uint64_t sequence)
{
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset_withSeed(&state, sequence);
    for (int i = 0; i < PARTS; i++)
        XXH3_64bits_update(&state, parts[i].iov_base, parts[i].iov_len);
    uint64_t checksum = XXH3_64bits_digest(&state);
    struct iovec *last = &parts[PARTS - 1];
    memcpy((char *)last->iov_base + last->iov_len, &checksum, sizeof checksum);
    last->iov_len += sizeof checksum;
}

/* Writes the record behind the last one. 0 or an errno; then no part of it is left to be taken for a record. */
static int write_record(uint64_t total, uint64_t sequence, const struct operation *operation)
{
    struct record_header header = {
        .total_bytes = (uint32_t)total,
        .kind = (uint16_t)operation->kind,
        .flags = operation->flags,
        .sequence = sequence,
        .time_ns = clock_ns(CLOCK_REALTIME),
        .path_bytes = operation->path_bytes,
        .path2_bytes = operation->path2_bytes,
        .a = operation->a,
        .b = operation->b,
        .data_bytes = operation->data_bytes,
    };
    static const uint32_t no_record = 0;
    struct tail tail = {.bytes = {0}};
    struct iovec parts[PARTS];
    gather(operation, &header, &tail, parts);
    seal(parts, sequence);
    off_t at = (off_t)the_log.current.used;
    ssize_t written = pwritev(the_log.current.fd, parts, PARTS, at);
    if (written == (ssize_t)total)
        return 0;
    int error = written < 0 ? errno : ENOSPC;
    if (written > 0 && pwrite(the_log.current.fd, &no_record, sizeof no_record, at) < 0)
        return EIO;
    return error;
}

static bool changes_names(enum record_kind kind)
{
    return kind == KIND_RENAME || kind == KIND_LINK || kind == KIND_UNLINK || kind == KIND_RMDIR;
}

static void publish(const struct operation *operation, uint64_t total, uint64_t sequence)
{
    struct state_page *page = the_log.page;
    the_log.current.used += total;
    the_log.next_sequence++;
    if (changes_names(operation->kind))
        page->namespace_sequence = sequence;
    page->operations_total++;
    atomic_fetch_add_explicit(&page->data_bytes_total, operation->data_bytes, memory_order_relaxed);
    atomic_store(&page->committed_sequence, sequence);
}

static bool room_for(uint64_t total)
{
    struct open_segment *current = &the_log.current;
    return current->fd >= 0 && current->what.bytes - current->used >= total;
}

static uint64_t append_locked(const struct operation *operation)
{
    uint64_t total = record_bytes(operation), sequence = the_log.next_sequence;
    if (the_log.page->flags & FLAG_OUT_OF_STEP)
        return 0;
    int error = room_for(total) ? 0 : roll(IN_MEMORY, total);
    if (error == 0)
        error = write_record(total, sequence, operation);
    if (error != 0 && error != EIO) { /* once more in a new segment; not after EIO, when half a record is left */
        error = roll(ON_DISK, total);
        error = error ? error : write_record(total, sequence, operation);
    }
    if (error != 0) {
        lose_step_locked(strerror(error));
        return 0;
    }
    publish(operation, total, sequence);
    return sequence;
}

/* One byte for a reader that sleeps; a full pipe means that it has been woken already. */
static void wake_reader(void)
{
    static const char byte = 1;
    word *waiting = &the_log.page->reader_waiting;
    if (atomic_load(waiting) && atomic_exchange(waiting, 0) && write(the_log.wake_fd, &byte, 1) < 0)
        return;
}

uint64_t log_append(const struct operation *operation)
{
    pthread_mutex_lock(&the_log.lock);
    uint64_t sequence = append_locked(operation);
    pthread_mutex_unlock(&the_log.lock);
    wake_reader();
    return sequence;
}

static void clear_clean_mark(void)
{
    pthread_mutex_lock(&the_log.lock);
    if (!atomic_load(&the_log.dirty)) {
        atomic_fetch_and(&the_log.page->flags, ~(uint64_t)FLAG_CLEAN);
        state_sync(the_log.page);
        atomic_store(&the_log.dirty, true);
    }
    pthread_mutex_unlock(&the_log.lock);
}

void log_before_change(void)
{
    if (!atomic_load_explicit(&the_log.dirty, memory_order_acquire))
        clear_clean_mark();
}

static void start_new_log(void)
{
    struct state_page *page = the_log.page;
    segments_close(&the_log.current);
    segments_close(&the_log.spare);
    page->committed_sequence = 0;
    segments_wipe(&the_log.store);
    if (getrandom(page->log_id, LOG_ID_BYTES, 0) != LOG_ID_BYTES)
        perror("getrandom");
    page->log_id[6] = (uint8_t)((page->log_id[6] & 0x0f) | 0x40); /* a version 4 UUID */
    page->log_id[8] = (uint8_t)((page->log_id[8] & 0x3f) | 0x80);
    page->released_sequence = page->out_of_step_sequence = page->namespace_sequence = 0;
    page->first_segment = page->last_segment = 0;
    atomic_fetch_and(&page->flags, ~(uint64_t)(FLAG_OUT_OF_STEP | FLAG_CLEAN));
    the_log.next_sequence = the_log.next_segment = 1;
}

/* A clean log goes on: with its segments where all are there, or without where all its records were released. */
static bool continue_log(void)
{
    struct state_page *page = the_log.page;
    uint64_t committed = page->committed_sequence;
    if (!the_log.previous_clean || (page->flags & FLAG_OUT_OF_STEP))
        return false;
    bool spent = page->released_sequence >= committed;
    if (!spent && !segments_take_over(&the_log.store, committed))
        return false;
    if (spent)
        segments_wipe(&the_log.store);
    the_log.next_sequence = committed + 1;
    the_log.next_segment = page->last_segment + 1;
    return true;
}

static int open_wake_fifo(int log_fd)
{
    if (mkfifoat(log_fd, "wake", 0600) != 0 && errno != EEXIST)
        return errno;
    /* read-write, so that it neither blocks without a reader nor kills with SIGPIPE */
    the_log.wake_fd = openat(log_fd, "wake", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return the_log.wake_fd < 0 ? errno : 0;
}

int log_open(int log_fd, int memory_fd, int disk_fd)
{
    the_log.page = state_open(log_fd);
    if (!the_log.page)
        return errno;
    int error = open_wake_fifo(log_fd);
    if (error != 0)
        return error;
    the_log.previous_clean = the_log.page->flags & FLAG_CLEAN;
    segments_init(&the_log.store, the_log.page, memory_fd, disk_fd);
    the_log.continued = continue_log();
    if (!the_log.continued)
        start_new_log();
    state_sync(the_log.page);
    error = roll(IN_MEMORY, 0);
    if (error != 0)
        log_lose_step(strerror(error));
    return 0;
}

int log_restart(void)
{
    pthread_mutex_lock(&the_log.spare_lock);
    pthread_mutex_lock(&the_log.lock);
    start_new_log();
    int error = roll(IN_MEMORY, 0);
    if (error != 0)
        lose_step_locked(strerror(error));
    state_sync(the_log.page);
    pthread_mutex_unlock(&the_log.lock);
    pthread_mutex_unlock(&the_log.spare_lock);
    return error;
}

void log_close(void)
{
    pthread_mutex_lock(&the_log.lock);
    segments_discard(&the_log.store, &the_log.spare);
    if (!(the_log.page->flags & FLAG_OUT_OF_STEP))
        atomic_fetch_or(&the_log.page->flags, FLAG_CLEAN);
    state_sync(the_log.page);
    pthread_mutex_unlock(&the_log.lock);
}

enum { HOUSEKEEPING_NS = 50 * 1000 * 1000 };

static void wait_for_roll(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += HOUSEKEEPING_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&the_log.rolled, &the_log.lock, &until);
}

/*
 * Makes the next segment ahead of need. The lock is let go meanwhile, because taking its blocks takes long; only this
 * thread makes spares.
 */
static void make_spare(void)
{
    struct open_segment spare;
    uint64_t bytes = the_log.page->segment_bytes;
    if (the_log.spare.fd >= 0 || (the_log.page->flags & FLAG_OUT_OF_STEP))
        return;
    pthread_mutex_unlock(&the_log.lock);
    int error = segments_prepare(&the_log.store, IN_MEMORY, DRAFT_OF_HOUSEKEEPER, bytes, &spare);
    pthread_mutex_lock(&the_log.lock);
    if (error == 0)
        the_log.spare = spare;
}

/* The lock is let go for each file: deleting takes long, and the application would wait. */
static void delete_spent(void)
{
    struct segment spent;
    while (segments_take_spent(&the_log.store, the_log.page->released_sequence, &spent)) {
        pthread_mutex_unlock(&the_log.lock);
        segments_delete(&the_log.store, &spent);
        pthread_mutex_lock(&the_log.lock);
    }
}

void log_keep_house(void)
{
    pthread_mutex_lock(&the_log.spare_lock);
    pthread_mutex_lock(&the_log.lock);
    the_log.page->heartbeat_boottime_ns = clock_ns(CLOCK_BOOTTIME);
    delete_spent();
    make_spare();
    pthread_mutex_unlock(&the_log.spare_lock);
    wait_for_roll();
    pthread_mutex_unlock(&the_log.lock);
}
