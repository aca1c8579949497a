/*
 * The capture program's rules for synchronous connections and for the lease's deadline, as a library for the simulation.
 *
 * The rules are the product's own source; its clocks, its log and its requests are the simulation's. One thread.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static uint64_t simulated_ns;
static int simulated_clock(clockid_t clock, struct timespec *now)
{
    (void)clock;
    now->tv_sec = (time_t)(simulated_ns / 1000000000u);
    now->tv_nsec = (long)(simulated_ns % 1000000000u);
    return 0;
}
#define clock_gettime simulated_clock
#define fprintf(...) ((void)0) /* its log */
#include "synchronous.c"
#undef fprintf
#undef clock_gettime

enum { ANSWERS = 4096 }; /* far more than ever wait at once */
static struct state_page page;
static uint64_t answers[ANSWERS];
static unsigned answered;

struct state_page *log_state(void) { return &page; }
bool log_is(const char *text) { return strncmp(text, (const char *)page.log_id, LOG_ID_BYTES) == 0; }
bool caller_is_dying(fuse_req_t request)
{
    (void)request;
    return false;
}
struct node *nodes_root(void) { return NULL; }

int fuse_reply_err(fuse_req_t request, int error)
{
    (void)error;
    answers[answered++] = (uint64_t)(uintptr_t)request;
    return 0;
}
int fuse_reply_write(fuse_req_t request, size_t written)
{
    (void)written;
    return fuse_reply_err(request, 0);
}
void fuse_req_interrupt_func(fuse_req_t request, void (*function)(fuse_req_t, void *), void *data)
{
    (void)request, (void)function, (void)data;
}
int fuse_req_interrupted(fuse_req_t request)
{
    (void)request;
    return 0;
}

/* Another run of the capture program: nothing is attached, nobody waits. */
void simulation_begins(void)
{
    while (all.waiting) {
        struct waiter *next = all.waiting->next;
        free(all.waiting);
        all.waiting = next;
    }
    memset(all.connections, 0, sizeof all.connections);
    all.last = &all.waiting;
    all.in_step = 0;
    all.waiting_count = 0;
    answered = 0;
}

/* How the log and the clock stand now. */
void simulation_is(uint64_t now, const char *log_id, uint64_t committed, bool out_of_step, bool fenced,
                   uint64_t deadline)
{
    simulated_ns = now;
    memset(page.log_id, 0, LOG_ID_BYTES);
    memcpy(page.log_id, log_id, strnlen(log_id, LOG_ID_BYTES));
    page.committed_sequence = committed;
    page.flags = (out_of_step ? FLAG_OUT_OF_STEP : 0) | (fenced ? FLAG_FENCED : 0);
    page.lease_deadline_boottime_ns = deadline;
}

bool simulation_refuses(void) { return state_refuses_changes(&page); }

bool simulation_attaches(const char *key, uint64_t wait_ns, bool keep_waiting, int feeder)
{
    struct synchronous_terms terms = {.wait_ns = wait_ns, .keep_waiting = keep_waiting};
    strncpy(terms.key, key, SYNCHRONOUS_KEY_BYTES - 1);
    return synchronous_attach(&terms, feeder);
}

bool simulation_is_in_step(const char *key)
{
    const struct connection *one = with_key(key);
    return one && one->in_step;
}

/* What synchronous_watch does when it wakes; gives when it would wake again. */
uint64_t simulation_looks(void)
{
    uint64_t now = now_ns();
    for (int i = 0; i < CONNECTIONS; i++)
        judge(&all.connections[i], now);
    answer_all(take_held());
    return next_look_ns(now);
}

/* A flush that was answered since, 0 when there is none. */
uint64_t simulation_answered(void)
{
    return answered ? answers[--answered] : 0;
}
