/* The state page: mapping, first filling, and the lock that keeps a second writer away. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[8] = "DTSTATE1";

static void fill_defaults(struct state_page *page)
{
    memset(page, 0, sizeof *page);
    page->version = 1;
    page->memory_limit_bytes = 128u << 20;
    page->disk_limit_bytes = UINT64_MAX;
    page->minimum_free_bytes = 50u << 20;
    page->segment_bytes = 5u << 20;
    memcpy(page->magic, MAGIC, sizeof MAGIC);
}

static int hex_value(int digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static void read_boot_id(uint8_t id[BOOT_ID_BYTES])
{
    int half = 0, value;
    memset(id, 0, BOOT_ID_BYTES);
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!file)
        return;
    for (int digit = fgetc(file); digit != EOF && half < 2 * BOOT_ID_BYTES; digit = fgetc(file)) {
        value = hex_value(digit);
        if (value < 0)
            continue; /* the dashes between the groups */
        id[half / 2] = (uint8_t)(id[half / 2] << 4 | value);
        half++;
    }
    fclose(file);
}

/*
 * A deadline of an earlier boot means nothing on this boot's clock. It is taken as passed: the source stays fenced
 * until the daemon has renewed its lease.
 */
static void distrust_other_boot(struct state_page *page)
{
    uint8_t boot[BOOT_ID_BYTES];
    read_boot_id(boot);
    if (memcmp(boot, page->boot_id, BOOT_ID_BYTES) == 0)
        return;
    static const uint8_t never_set[BOOT_ID_BYTES];
    bool first_run = memcmp(page->boot_id, never_set, BOOT_ID_BYTES) == 0;
    memcpy(page->boot_id, boot, BOOT_ID_BYTES);
    if (!first_run && page->lease_deadline_boottime_ns != 0)
        page->lease_deadline_boottime_ns = 1;
}

static int open_locked(int log_fd)
{
    int fd = openat(log_fd, "state", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(fd, STATE_BYTES) != 0 ||
        posix_fallocate(fd, 0, STATE_BYTES) != 0) {
        int error = errno == EWOULDBLOCK ? EBUSY : errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd; /* kept open for the life of the process: it carries the lock */
}

struct state_page *state_open(int log_fd)
{
    int fd = open_locked(log_fd);
    if (fd < 0)
        return NULL;
    struct state_page *page = mmap(NULL, STATE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return NULL;
    if (memcmp(page->magic, MAGIC, sizeof MAGIC) != 0 || page->version != 1)
        fill_defaults(page);
    distrust_other_boot(page);
    page->writer_pid = (uint32_t)getpid();
    page->heartbeat_boottime_ns = clock_ns(CLOCK_BOOTTIME);
    return page;
}

void state_sync(struct state_page *page) { msync(page, STATE_BYTES, MS_SYNC); }
