/* The control socket: accepting, reading lines, doing what they say. One thread; a client that is slow waits alone. */
#include "control.h"

#include "fs.h"
#include "synchronous.h"
#include "unmount.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS = 16, LINE_BYTES = 1024, ANSWER_BYTES = 1024 };

struct client {
    int fd; /* -1: free */
    size_t used;
    char line[LINE_BYTES];
};

static struct {
    pthread_mutex_t answering;
    int listener, root_fd;
    const char *mountpoint;
    void (*ended)(void);
    struct client clients[CLIENTS];
} control = {.answering = PTHREAD_MUTEX_INITIALIZER};

/* --- the lines ---------------------------------------------------------------------------------------------------- */

/* Where the value of "KEY" starts in this flat JSON object, or NULL. Keys never occur as values in this protocol. */
static const char *value_of(const char *line, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = strstr(line, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    at += strspn(at, " \t");
    if (*at != ':')
        return NULL;
    at++;
    return at + strspn(at, " \t");
}

static bool is_text(const char *value, const char *text)
{
    size_t length = strlen(text);
    return value && value[0] == '"' && strncmp(value + 1, text, length) == 0 && value[length + 1] == '"';
}

static uint64_t number_of(const char *line, const char *key)
{
    const char *value = value_of(line, key);
    return value ? strtoull(value, NULL, 10) : 0;
}

static bool is_true(const char *value) { return value && strncmp(value, "true", 4) == 0; }

/* --- what can be asked -------------------------------------------------------------------------------------------- */

static const char *json(bool value) { return value ? "true" : "false"; }

static void answer_status(char *answer)
{
    char id[33];
    struct state_page *page = log_state();
    uint64_t flags = page->flags;
    log_id_text(id);
    snprintf(answer, ANSWER_BYTES,
             "{\"ok\":true,\"pid\":%d,\"root_fd\":%d,\"log_id\":\"%s\",\"committed_sequence\":%llu,"
             "\"released_sequence\":%llu,\"out_of_step\":%s,\"out_of_step_sequence\":%llu,\"fenced\":%s,\"refuses_"
             "changes\":%s,\"previous_clean\":%s,"
             "\"continued\":%s,\"nodes\":%llu,\"open_files\":%llu,\"flushes_waiting\":%llu,\"memory_bytes\":%llu,"
             "\"disk_bytes\":%llu}\n",
             (int)getpid(), control.root_fd, id, (unsigned long long)page->committed_sequence,
             (unsigned long long)page->released_sequence, json(flags & FLAG_OUT_OF_STEP),
             (unsigned long long)page->out_of_step_sequence, json(flags & FLAG_FENCED),
             json(state_refuses_changes(page)), json(log_previous_run_was_clean()), json(log_was_continued()),
             (unsigned long long)nodes_count(), (unsigned long long)handles_open(),
             (unsigned long long)synchronous_flushes_waiting(), (unsigned long long)page->memory_bytes, (unsigned long long)page->disk_bytes);
}

/* Alone in the namespace: whatever was answered before is in the log before the mark. */
static void answer_mark(const char *line, char *answer)
{
    const char *name = value_of(line, "name");
    const char *end = name && *name == '"' ? strchr(name + 1, '"') : NULL;
    directory_times_log();
    namespace_own();
    uint64_t sequence = log_append(&(struct operation){
        .kind = KIND_MARK, .data = end ? name + 1 : NULL, .data_bytes = end ? (uint32_t)(end - name - 1) : 0});
    namespace_leave();
    if (sequence)
        snprintf(answer, ANSWER_BYTES, "{\"ok\":true,\"sequence\":%llu}\n", (unsigned long long)sequence);
    else
        snprintf(answer, ANSWER_BYTES, "{\"ok\":false,\"error\":\"out of step\"}\n");
}

static void answer_fence(const char *line, char *answer)
{
    const char *on = value_of(line, "on");
    if (is_true(on))
        atomic_fetch_or(&log_state()->flags, FLAG_FENCED);
    else
        atomic_fetch_and(&log_state()->flags, ~(uint64_t)FLAG_FENCED);
    state_sync(log_state()); /* a fence outlives a crash of this machine */
    namespace_own();         /* the changes under way have ended when we get it */
    namespace_leave();
    directory_times_log(); /* and what they left to be logged is */
    snprintf(answer, ANSWER_BYTES, "{\"ok\":true}\n");
}

static void answer_restart(char *answer)
{
    char id[33];
    namespace_own();
    synchronous_log_ends();
    int error = log_restart();
    namespace_leave();
    log_id_text(id);
    if (error)
        snprintf(answer, ANSWER_BYTES, "{\"ok\":false,\"error\":\"%s\"}\n", strerror(error));
    else
        snprintf(answer, ANSWER_BYTES, "{\"ok\":true,\"log_id\":\"%s\"}\n", id);
}

static int unmount_and_end(void)
{
    int error = unmount_in_order(control.mountpoint);
    if (!error)
        control.ended();
    return error;
}

static void answer_stop(char *answer)
{
    int error = unmount_and_end();
    if (error)
        snprintf(answer, ANSWER_BYTES, "{\"ok\":false,\"error\":\"%s\"}\n", error == EBUSY ? "busy" : strerror(error));
    else
        snprintf(answer, ANSWER_BYTES, "{\"ok\":true}\n");
}

static bool copy_key(const char *line, char key[SYNCHRONOUS_KEY_BYTES])
{
    const char *value = value_of(line, "connection");
    return value && sscanf(value, "\"%63[0-9A-Za-z-]\"", key) == 1;
}

/* The state of the connection is the answer. */
static void answer_synchronous(const char *line, int feeder, char *answer)
{
    struct synchronous_terms terms = {.wait_ns = number_of(line, "wait_ms") * 1000000,
                                      .keep_waiting = is_true(value_of(line, "keep_waiting"))};
    if (!copy_key(line, terms.key) || !synchronous_attach(&terms, feeder))
        snprintf(answer, ANSWER_BYTES, "{\"ok\":false,\"error\":\"too many synchronous connections\"}\n");
}

static void answer_asynchronous(const char *line, char *answer)
{
    char key[SYNCHRONOUS_KEY_BYTES];
    if (copy_key(line, key))
        synchronous_detach(key);
    snprintf(answer, ANSWER_BYTES, "{\"ok\":true}\n");
}

/* Has no answer: it is told for every acknowledgement. */
static void take_acknowledged(const char *line, int feeder)
{
    const char *log_id = value_of(line, "log");
    if (log_id && *log_id == '"')
        synchronous_acknowledged(feeder, log_id + 1, number_of(line, "sequence"), is_true(value_of(line, "good")));
}

static void answer_line(const char *line, int client, char *answer)
{
    const char *wish = value_of(line, "do");
    *answer = '\0';
    if (is_text(wish, "acknowledged"))
        take_acknowledged(line, client);
    else if (is_text(wish, "synchronous"))
        answer_synchronous(line, client, answer);
    else if (is_text(wish, "asynchronous"))
        answer_asynchronous(line, answer);
    else if (is_text(wish, "status"))
        answer_status(answer);
    else if (is_text(wish, "mark"))
        answer_mark(line, answer);
    else if (is_text(wish, "fence"))
        answer_fence(line, answer);
    else if (is_text(wish, "restart"))
        answer_restart(answer);
    else if (is_text(wish, "stop"))
        answer_stop(answer);
    else
        snprintf(answer, ANSWER_BYTES, "{\"ok\":false,\"error\":\"unknown request\"}\n");
}

/* --- the socket --------------------------------------------------------------------------------------------------- */

int control_open(int log_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    for (int i = 0; i < CLIENTS; i++)
        control.clients[i].fd = -1;
    unlinkat(log_fd, "control", 0);
    /* by descriptor, since socket paths end at 107 bytes */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", log_fd);
    control.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t before = umask(0177);
    bool listening = control.listener >= 0 &&
                     bind(control.listener, (struct sockaddr *)&address, sizeof address) == 0 &&
                     listen(control.listener, CLIENTS) == 0;
    umask(before);
    return listening ? 0 : errno;
}

static void drop(struct client *client)
{
    synchronous_feeder_lost(client->fd);
    close(client->fd);
    client->fd = -1;
    client->used = 0;
}

static void answer_lines(struct client *client)
{
    char answer[ANSWER_BYTES];
    for (char *end; (end = memchr(client->line, '\n', client->used));) {
        *end = '\0';
        answer_line(client->line, client->fd, answer);
        size_t taken = (size_t)(end + 1 - client->line);
        memmove(client->line, end + 1, client->used - taken);
        client->used -= taken;
        if (*answer && send(client->fd, answer, strlen(answer), MSG_NOSIGNAL) < 0) {
            drop(client);
            return;
        }
    }
}

static void read_client(struct client *client)
{
    ssize_t count = recv(client->fd, client->line + client->used, sizeof client->line - client->used, 0);
    if (count <= 0) { /* ended, or a line that is too long */
        drop(client);
        return;
    }
    client->used += (size_t)count;
    answer_lines(client);
}

static void accept_client(void)
{
    int fd = accept4(control.listener, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < CLIENTS; i++)
        if (control.clients[i].fd < 0) {
            control.clients[i].fd = fd;
            return;
        }
    if (fd >= 0)
        close(fd);
}

/* A signal asks for an orderly end. While files are open we stay: leaving would mean changes that nobody captures. */
static void stop_by_signal(int stop_fd)
{
    char byte;
    if (read(stop_fd, &byte, 1) == 1 && unmount_and_end() != 0)
        fprintf(stderr, "asked to end, but the mount is in use; staying\n");
}

static void serve_once(int stop_fd)
{
    struct pollfd waiting[2 + CLIENTS] = {{.fd = stop_fd, .events = POLLIN},
                                          {.fd = control.listener, .events = POLLIN}};
    for (int i = 0; i < CLIENTS; i++)
        waiting[2 + i] = (struct pollfd){.fd = control.clients[i].fd, .events = POLLIN};
    if (poll(waiting, 2 + CLIENTS, -1) <= 0)
        return;
    pthread_mutex_lock(&control.answering);
    for (int i = 0; i < CLIENTS; i++)
        if (waiting[2 + i].revents)
            read_client(&control.clients[i]);
    if (waiting[0].revents)
        stop_by_signal(stop_fd);
    if (waiting[1].revents)
        accept_client();
    pthread_mutex_unlock(&control.answering);
}

void control_finish(void) { pthread_mutex_lock(&control.answering); }

void control_serve(const char *mountpoint, int root_fd, int stop_fd, void (*ended)(void))
{
    control.mountpoint = mountpoint;
    control.ended = ended;
    control.root_fd = root_fd;
    for (;;)
        serve_once(stop_fd);
}
