/* Segment files: making, naming, keeping, deleting, and taking over those of an orderly ended run. */
#include "segments.h"

#include "format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

static const char SEGMENT_MAGIC[8] = "DTOPLOG1";
const char DRAFT_OF_APPENDER[] = "next.tmp", DRAFT_OF_HOUSEKEEPER[] = "spare.tmp";

static void name_of(uint64_t number, char name[32]) { snprintf(name, 32, "%016llx.seg", (unsigned long long)number); }

static word *bytes_in(struct segment_store *store, enum place place)
{
    return place == IN_MEMORY ? &store->page->memory_bytes : &store->page->disk_bytes;
}

void segments_init(struct segment_store *store, struct state_page *page, int memory_fd, int disk_fd)
{
    *store = (struct segment_store){.page = page, .directory = {memory_fd, disk_fd}};
    page->memory_bytes = 0;
    page->disk_bytes = 0;
}

static bool disk_has_room(struct segment_store *store, uint64_t bytes)
{
    struct statvfs facts;
    if (fstatvfs(store->directory[ON_DISK], &facts) != 0)
        return false;
    uint64_t available = (uint64_t)facts.f_bavail * facts.f_frsize;
    return available >= bytes && available - bytes >= store->page->minimum_free_bytes;
}

/* Counts the bytes in before the file is made, so that two threads never pass a limit together. */
static bool reserve(struct segment_store *store, enum place place, uint64_t bytes)
{
    struct state_page *page = store->page;
    uint64_t limit = place == IN_MEMORY ? page->memory_limit_bytes : page->disk_limit_bytes;
    uint64_t used = atomic_fetch_add(bytes_in(store, place), bytes);
    if (used <= limit && limit - used >= bytes && (place == IN_MEMORY || disk_has_room(store, bytes)))
        return true;
    atomic_fetch_sub(bytes_in(store, place), bytes);
    return false;
}

/*
 * All blocks are taken at once: running out of them is noticed before a record is begun, and a reader that maps the
 * file never meets a hole that the full tmpfs cannot fill.
 */
static int make_file(int directory, const char *draft, uint64_t bytes, int *fd)
{
    unlinkat(directory, draft, 0);
    *fd = openat(directory, draft, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*fd < 0)
        return errno;
    int error = posix_fallocate(*fd, 0, (off_t)bytes);
    if (error != 0) {
        unlinkat(directory, draft, 0);
        close(*fd);
    }
    return error;
}

int segments_prepare(struct segment_store *store, enum place from, const char *draft, uint64_t bytes,
                     struct open_segment *out)
{
    int error = ENOSPC, fd;
    for (enum place place = from; place <= ON_DISK; place++) {
        if (!reserve(store, place, bytes))
            continue;
        error = make_file(store->directory[place], draft, bytes, &fd);
        if (error == 0) {
            *out = (struct open_segment){.what = {.bytes = bytes, .place = place}, .fd = fd, .draft = draft};
            return 0;
        }
        atomic_fetch_sub(bytes_in(store, place), bytes);
    }
    return error;
}

static int write_header(struct state_page *page, struct open_segment *segment)
{
    struct segment_header header = {
        .version = 1,
        .header_bytes = SEGMENT_HEADER_BYTES,
        .number = segment->what.number,
        .first_sequence = segment->what.first_sequence,
        .created_ns = clock_ns(CLOCK_REALTIME),
    };
    memcpy(header.magic, SEGMENT_MAGIC, sizeof header.magic);
    memcpy(header.log_id, page->log_id, sizeof header.log_id);
    header.checksum = XXH3_64bits(&header, offsetof(struct segment_header, checksum));
    segment->used = sizeof header;
    return pwrite(segment->fd, &header, sizeof header, 0) == sizeof header ? 0 : errno;
}

static struct segment *kept_at(struct segment_store *store, uint64_t index)
{
    return &store->kept[(store->head + index) % store->capacity];
}

static int keep(struct segment_store *store, struct segment segment)
{
    if (store->count == store->capacity) {
        uint64_t capacity = store->capacity ? store->capacity * 2 : 64;
        struct segment *larger = malloc(capacity * sizeof *larger);
        if (!larger)
            return ENOMEM;
        for (uint64_t i = 0; i < store->count; i++)
            larger[i] = *kept_at(store, i);
        free(store->kept);
        store->kept = larger;
        store->capacity = capacity;
        store->head = 0;
    }
    store->count++;
    *kept_at(store, store->count - 1) = segment;
    return 0;
}

int segments_adopt(struct segment_store *store, struct open_segment *segment, uint64_t number, uint64_t first_sequence)
{
    char name[32];
    segment->what.number = number;
    segment->what.first_sequence = first_sequence;
    int error = write_header(store->page, segment);
    name_of(number, name);
    int directory = store->directory[segment->what.place];
    if (error == 0 && renameat(directory, segment->draft, directory, name) != 0)
        error = errno;
    if (error == 0)
        error = keep(store, segment->what);
    if (error != 0)
        return error;
    store->page->first_segment = kept_at(store, 0)->number;
    store->page->last_segment = number;
    return 0;
}

void segments_close(struct open_segment *segment)
{
    if (segment->fd >= 0)
        close(segment->fd);
    segment->fd = -1;
}

void segments_discard(struct segment_store *store, struct open_segment *segment)
{
    if (segment->fd < 0)
        return;
    unlinkat(store->directory[segment->what.place], segment->draft, 0);
    atomic_fetch_sub(bytes_in(store, segment->what.place), segment->what.bytes);
    segments_close(segment);
}

bool segments_take_spent(struct segment_store *store, uint64_t released, struct segment *spent)
{
    if (store->count < 2 || kept_at(store, 1)->first_sequence > released + 1)
        return false;
    *spent = *kept_at(store, 0);
    store->page->first_segment = spent->number + 1;
    store->head = (store->head + 1) % store->capacity;
    store->count--;
    return true;
}

void segments_delete(struct segment_store *store, const struct segment *spent)
{
    char name[32];
    name_of(spent->number, name);
    unlinkat(store->directory[spent->place], name, 0);
    atomic_fetch_sub(bytes_in(store, spent->place), spent->bytes);
}

static void wipe_directory(int directory)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        size_t length = strlen(entry->d_name);
        bool segment = length == 20 && strcmp(entry->d_name + 16, ".seg") == 0;
        bool draft = strcmp(entry->d_name, DRAFT_OF_APPENDER) == 0 || strcmp(entry->d_name, DRAFT_OF_HOUSEKEEPER) == 0;
        if (segment || draft)
            unlinkat(directory, entry->d_name, 0);
    }
    closedir(entries);
}

void segments_wipe(struct segment_store *store)
{
    wipe_directory(store->directory[IN_MEMORY]);
    wipe_directory(store->directory[ON_DISK]);
    store->count = store->head = 0;
    store->page->memory_bytes = 0;
    store->page->disk_bytes = 0;
}

static bool header_is_ours(struct segment_store *store, const struct segment_header *header, uint64_t number)
{
    return memcmp(header->magic, SEGMENT_MAGIC, sizeof SEGMENT_MAGIC) == 0 && header->version == 1 &&
           memcmp(header->log_id, store->page->log_id, LOG_ID_BYTES) == 0 && header->number == number &&
           header->checksum == XXH3_64bits(header, offsetof(struct segment_header, checksum));
}

static int open_by_number(struct segment_store *store, uint64_t number, enum place *place)
{
    char name[32];
    name_of(number, name);
    for (*place = IN_MEMORY;; *place = ON_DISK) {
        int fd = openat(store->directory[*place], name, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 || *place == ON_DISK)
            return fd;
    }
}

/* The sequence after the last record of a mapped segment, or 0 when a record is damaged. */
static uint64_t scan_records(const uint8_t *start, uint64_t bytes, uint64_t sequence)
{
    uint64_t offset = SEGMENT_HEADER_BYTES;
    while (bytes - offset >= RECORD_MINIMUM_BYTES) {
        const struct record_header *record = (const void *)(start + offset);
        if (record->total_bytes == 0)
            break;
        if (record->total_bytes < RECORD_MINIMUM_BYTES || record->total_bytes > bytes - offset ||
            record->sequence != sequence)
            return 0;
        uint64_t covered = record->total_bytes - RECORD_CHECKSUM_BYTES, checksum;
        memcpy(&checksum, start + offset + covered, sizeof checksum);
        if (checksum != XXH3_64bits_withSeed(start + offset, covered, sequence))
            return 0;
        offset += record->total_bytes;
        sequence++;
    }
    return sequence;
}

/* Checks one segment from end to end; EXPECTED is its first sequence (0: any) and becomes that of the next one. */
static bool take_one(struct segment_store *store, uint64_t number, uint64_t *expected)
{
    struct stat facts;
    enum place place;
    int fd = open_by_number(store, number, &place);
    if (fd < 0)
        return false;
    bool sound = fstat(fd, &facts) == 0 && facts.st_size >= SEGMENT_HEADER_BYTES;
    uint64_t bytes = sound ? (uint64_t)facts.st_size : 0;
    const uint8_t *start = sound ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (start == MAP_FAILED)
        return false;
    const struct segment_header *header = (const void *)start;
    uint64_t first = header->first_sequence;
    sound = header_is_ours(store, header, number) && (*expected == 0 || first == *expected);
    *expected = sound ? scan_records(start, bytes, first) : 0;
    munmap((void *)start, bytes);
    struct segment segment = {.number = number, .first_sequence = first, .bytes = bytes, .place = place};
    if (*expected == 0 || keep(store, segment) != 0)
        return false;
    atomic_fetch_add(bytes_in(store, place), bytes);
    return true;
}

bool segments_take_over(struct segment_store *store, uint64_t committed)
{
    uint64_t expected = 0;
    for (uint64_t number = store->page->first_segment; number <= store->page->last_segment; number++)
        if (!take_one(store, number, &expected))
            return false;
    return expected == committed + 1;
}
