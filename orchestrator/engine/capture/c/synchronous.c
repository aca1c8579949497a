/* Connections whose targets flushes wait for, and the flushes that wait. See synchronous.h for the rules. */
#include "synchronous.h"

#include "fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 8, STATE_LINE_BYTES = 512 };

#define SECOND_NS 1000000000ull
/* How far behind a target may be when its connection becomes synchronous: the first flushes wait so long at most. */
#define CAUGHT_UP_NS SECOND_NS
/*
 * While changes are refused nobody is told that a late flush is safe, and of the signals to one process the kernel
 * tells us the first alone: then it is looked again after this time.
 */
#define AGAIN_NS (SECOND_NS / 5)

struct connection {
    struct synchronous_terms terms; /* without a key: free */
    int feeder;
    bool in_step, late;
    const char *why;
    uint64_t acknowledged, since_ns; /* since: realtime */
    uint64_t probe, probed_ns;       /* the log's end at a moment: caught up when it is acknowledged soon after */
    uint64_t told_ns;
};

struct waiter {
    struct waiter *next;
    uint64_t id, position, since_ns;
    fuse_req_t request;
    bool is_write, signalled;
    size_t written;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a deadline may be nearer than before */
    struct connection connections[CONNECTIONS];
    struct waiter *waiting, **last; /* in the order they came */
    atomic_uint in_step;
    uint64_t flushes, waited_ns;
    atomic_uint_least64_t waiting_count;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .last = &all.waiting};

static uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static bool used(const struct connection *one) { return one->terms.key[0]; }

/* --- telling the daemon ------------------------------------------------------------------------------------------- */

static const char *state_of(const struct connection *one)
{
    return !one->in_step ? "asynchronous" : one->late ? "waiting" : "synchronous";
}

/* A line that does not fit is left out: the next one says the same. */
static void tell(struct connection *one)
{
    char line[STATE_LINE_BYTES];
    if (one->feeder < 0)
        return;
    int bytes = snprintf(line, sizeof line,
                         "{\"ok\":true,\"state\":\"%s\",\"why\":\"%s\",\"since_ns\":%llu,\"flushes\":%llu,"
                         "\"waited_ns\":%llu,\"waiting\":%llu}\n",
                         state_of(one), one->why, (unsigned long long)one->since_ns, (unsigned long long)all.flushes,
                         (unsigned long long)all.waited_ns, (unsigned long long)all.waiting_count);
    send(one->feeder, line, (size_t)bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    one->told_ns = now_ns();
}

static void become(struct connection *one, bool in_step, bool late, const char *why)
{
    if (one->in_step == in_step && one->late == late)
        return;
    if (one->in_step != in_step)
        atomic_fetch_add(&all.in_step, in_step ? 1u : -1u);
    one->in_step = in_step;
    one->late = late;
    one->why = why;
    one->since_ns = clock_ns(CLOCK_REALTIME);
    fprintf(stderr, "connection %s: %s %s\n", one->terms.key, state_of(one), why);
    tell(one);
}

/* --- the flushes that wait ---------------------------------------------------------------------------------------- */

static bool is_held(uint64_t position)
{
    for (int i = 0; i < CONNECTIONS; i++)
        if (all.connections[i].in_step && all.connections[i].acknowledged < position)
            return false;
    return true;
}

static struct waiter *take_out(struct waiter **at)
{
    struct waiter *waiter = *at;
    *at = waiter->next;
    if (all.last == &waiter->next)
        all.last = at;
    waiter->next = NULL;
    all.waiting_count--;
    all.flushes++;
    all.waited_ns += now_ns() - waiter->since_ns;
    return waiter;
}

/* Under the lock: those that need wait no more, and those of dying processes. They are answered without it. */
static struct waiter *take_held(void)
{
    struct waiter *taken = NULL, **end = &taken;
    for (struct waiter **at = &all.waiting; *at;) {
        if (!is_held((*at)->position) && !((*at)->signalled && caller_is_dying((*at)->request))) {
            at = &(*at)->next;
            continue;
        }
        *end = take_out(at);
        end = &(*end)->next;
    }
    return taken;
}

static void answer(fuse_req_t request, bool is_write, size_t written)
{
    if (is_write)
        fuse_reply_write(request, written);
    else
        fuse_reply_err(request, 0);
}

static void answer_all(struct waiter *taken)
{
    while (taken) {
        struct waiter *next = taken->next;
        answer(taken->request, taken->is_write, taken->written);
        free(taken);
        taken = next;
    }
}

static void unlock_and_answer(void)
{
    struct waiter *taken = take_held();
    pthread_mutex_unlock(&all.lock);
    answer_all(taken);
}

/*
 * A signal came for the process of a request, maybe not the last one. Only its death ends the wait: a flush never
 * fails by a wait of ours. The request may be answered already; so it is named by a number.
 */
static void interrupted(fuse_req_t request, void *id)
{
    (void)request;
    pthread_mutex_lock(&all.lock);
    for (struct waiter *waiter = all.waiting; waiter; waiter = waiter->next)
        if (waiter->id == (uint64_t)(uintptr_t)id)
            waiter->signalled = true;
    pthread_cond_signal(&all.changed);
    pthread_mutex_unlock(&all.lock);
}

static void fall_all(const char *why)
{
    for (int i = 0; i < CONNECTIONS; i++)
        become(&all.connections[i], false, false, why);
}

static void wait_for(fuse_req_t request, uint64_t position, bool is_write, size_t written)
{
    struct waiter *waiter = malloc(sizeof *waiter);
    static atomic_uint_least64_t ids;
    uint64_t id = ++ids;
    fuse_req_interrupt_func(request, interrupted, (void *)(uintptr_t)id);
    pthread_mutex_lock(&all.lock);
    if (log_state()->flags & FLAG_OUT_OF_STEP)
        fall_all("the log lost operations");
    if (!waiter)
        fall_all("there is no memory for a flush that waits");
    bool now = is_held(position);
    if (!now) {
        *waiter = (struct waiter){.id = id,
                                  .position = position,
                                  .since_ns = now_ns(),
                                  .request = request,
                                  .is_write = is_write,
                                  .signalled = fuse_req_interrupted(request),
                                  .written = written};
        *all.last = waiter;
        all.last = &waiter->next;
        if (all.waiting_count++ == 0 || waiter->signalled)
            pthread_cond_signal(&all.changed);
    }
    pthread_mutex_unlock(&all.lock);
    if (now) {
        free(waiter);
        answer(request, is_write, written);
    }
}

static void answer_when_held(fuse_req_t request, uint64_t position, bool is_write, size_t written)
{
    if (atomic_load(&all.in_step))
        wait_for(request, position, is_write, written);
    else
        answer(request, is_write, written);
}

uint64_t flush_position(void) { return atomic_load(&log_state()->committed_sequence); }

void flush_answer(fuse_req_t request, uint64_t position) { answer_when_held(request, position, false, 0); }

void flush_answer_write(fuse_req_t request, uint64_t position, size_t written)
{
    answer_when_held(request, position, true, written);
}

uint64_t synchronous_flushes_waiting(void) { return all.waiting_count; }

/* --- what the daemon tells ---------------------------------------------------------------------------------------- */

static struct connection *with_key(const char *key)
{
    for (int i = 0; i < CONNECTIONS; i++)
        if (used(&all.connections[i]) && strcmp(all.connections[i].terms.key, key) == 0)
            return &all.connections[i];
    return NULL;
}

static struct connection *with_feeder(int feeder)
{
    for (int i = 0; i < CONNECTIONS; i++)
        if (used(&all.connections[i]) && all.connections[i].feeder == feeder)
            return &all.connections[i];
    return NULL;
}

static struct connection *unused_one(void)
{
    for (int i = 0; i < CONNECTIONS; i++)
        if (!used(&all.connections[i])) {
            all.connections[i] = (struct connection){.feeder = -1, .why = "it has not caught up yet"};
            all.connections[i].since_ns = clock_ns(CLOCK_REALTIME);
            return &all.connections[i];
        }
    return NULL;
}

bool synchronous_attach(const struct synchronous_terms *terms, int feeder)
{
    pthread_mutex_lock(&all.lock);
    struct connection *one = with_key(terms->key);
    if (!one)
        one = unused_one();
    if (one) {
        one->terms = *terms;
        one->feeder = feeder;
        tell(one);
        pthread_cond_signal(&all.changed);
    }
    pthread_mutex_unlock(&all.lock);
    return one;
}

void synchronous_detach(const char *key)
{
    pthread_mutex_lock(&all.lock);
    struct connection *one = with_key(key);
    if (one) {
        become(one, false, false, "it is not synchronous any more");
        *one = (struct connection){.feeder = -1};
    }
    unlock_and_answer();
}

void synchronous_feeder_lost(int feeder)
{
    pthread_mutex_lock(&all.lock);
    struct connection *one = with_feeder(feeder);
    if (one)
        one->feeder = -1;
    pthread_mutex_unlock(&all.lock);
}

static bool is_late(const struct connection *one, uint64_t now)
{
    for (const struct waiter *waiter = all.waiting; waiter; waiter = waiter->next)
        if (waiter->position > one->acknowledged)
            return now >= waiter->since_ns + one->terms.wait_ns; /* they stand in the order they came */
    return false;
}

static void try_to_catch_up(struct connection *one)
{
    uint64_t now = now_ns(), end = flush_position();
    if (one->acknowledged >= end || (one->acknowledged >= one->probe && now - one->probed_ns < CAUGHT_UP_NS))
        become(one, true, false, "the target has caught up");
    else if (one->acknowledged >= one->probe) {
        one->probe = end;
        one->probed_ns = now;
    }
}

static void acknowledged(struct connection *one, uint64_t sequence, bool good)
{
    if (sequence > one->acknowledged)
        one->acknowledged = sequence;
    if (!good)
        become(one, false, false, "the data of the target is not good");
    else if (!one->in_step && !(log_state()->flags & FLAG_OUT_OF_STEP))
        try_to_catch_up(one);
    else if (one->late && !is_late(one, now_ns()))
        become(one, true, false, "the target answers again");
}

void synchronous_acknowledged(int feeder, const char *log_id, uint64_t sequence, bool good)
{
    pthread_mutex_lock(&all.lock);
    struct connection *one = with_feeder(feeder);
    if (one && log_is(log_id) && sequence <= flush_position()) {
        acknowledged(one, sequence, good);
        if (now_ns() - one->told_ns > SECOND_NS) /* its figures */
            tell(one);
    }
    unlock_and_answer();
}

void synchronous_log_ends(void)
{
    pthread_mutex_lock(&all.lock);
    fall_all("another log began");
    for (int i = 0; i < CONNECTIONS; i++)
        all.connections[i].acknowledged = all.connections[i].probe = 0;
    unlock_and_answer();
}

/* --- lateness ----------------------------------------------------------------------------------------------------- */

static void judge(struct connection *one, uint64_t now)
{
    if (!one->in_step || one->late || !is_late(one, now))
        return;
    const char *why = one->feeder < 0 ? "the daemon is away" : "the target did not answer in time";
    if (one->terms.keep_waiting)
        become(one, true, true, why);
    else if (!state_refuses_changes(log_state())) /* else its target may be taking over: nothing more is answered */
        become(one, false, false, why);
}

/* When the next flush is late, or should be looked at again; 0: none waits. */
static uint64_t next_look_ns(uint64_t now)
{
    uint64_t next = 0;
    for (const struct waiter *waiter = all.waiting; waiter && !next; waiter = waiter->next)
        next = waiter->signalled ? now + AGAIN_NS : 0;
    for (int i = 0; all.waiting && i < CONNECTIONS; i++) {
        const struct connection *one = &all.connections[i];
        if (!one->in_step || one->late)
            continue;
        uint64_t due = all.waiting->since_ns + one->terms.wait_ns;
        if (due <= now)
            due = now + AGAIN_NS;
        if (!next || due < next)
            next = due;
    }
    return next;
}

static void sleep_until(uint64_t when_ns)
{
    struct timespec until = {.tv_sec = (time_t)(when_ns / SECOND_NS), .tv_nsec = (long)(when_ns % SECOND_NS)};
    if (when_ns)
        pthread_cond_clockwait(&all.changed, &all.lock, CLOCK_MONOTONIC, &until);
    else
        pthread_cond_wait(&all.changed, &all.lock);
}

_Noreturn void synchronous_watch(void)
{
    pthread_mutex_lock(&all.lock);
    for (;;) {
        uint64_t now = now_ns();
        for (int i = 0; i < CONNECTIONS; i++)
            judge(&all.connections[i], now);
        struct waiter *taken = take_held();
        if (taken) {
            pthread_mutex_unlock(&all.lock);
            answer_all(taken);
            pthread_mutex_lock(&all.lock);
            continue;
        }
        sleep_until(next_look_ns(now_ns()));
    }
}
