/*
 * HTTP/1.1 clients that POST notifications, one request at a time on each connection.
 *
 * Posts are timed from when they were due, not from when a connection became
 * free for them, so a slow server cannot hide its queue. A server that closes
 * after each answer is connected to again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { ANSWER_SIZE = 256 * 1024, HEAD_SIZE = 8192 };

struct poster {
    struct source source;
    int fd;
    int connecting;
    int busy;
    size_t sequence;
    size_t have; /* bytes of the answer so far */
    char *answer;
};

static struct poster *posters;
static size_t poster_count;
static const struct bodies *bodies;
static uint64_t *due;
static size_t scheduled, sent, capacity;

static void pump(void);

static void reset(struct poster *poster) {
    if (poster->fd < 0) return;
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(poster->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(poster->fd);
    poster->fd = -1;
    poster->have = 0;
}

static void open_poster(struct poster *poster) {
    poster->fd = connect_loopback(0, options.publish_port);
    if (poster->fd < 0) {
        fprintf(stderr, "cannot connect: %s\n", strerror(errno));
        exit(1);
    }
    poster->connecting = 1;
    watch(poster->fd, &poster->source, EPOLLOUT);
}

void posters_open(size_t count, size_t posts, const struct bodies *set) {
    bodies = set;
    poster_count = count;
    posters = calloc(count, sizeof *posters);
    due = calloc(posts, sizeof *due);
    capacity = posts;
    scheduled = sent = 0;
    if (!posters || !due) abort();
    for (size_t i = 0; i < count; i++) {
        posters[i] = (struct poster){.source = {KIND_POSTER}, .fd = -1, .answer = malloc(ANSWER_SIZE)};
        if (!posters[i].answer) abort();
        open_poster(&posters[i]);
    }
}

void posters_close(void) {
    for (size_t i = 0; i < poster_count; i++) {
        reset(&posters[i]);
        free(posters[i].answer);
    }
    free(posters);
    free(due);
    posters = NULL;
    due = NULL;
    poster_count = 0;
}

uint64_t post_due_ns(size_t sequence) { return sequence < sent ? due[sequence] : 0; }

void post_schedule(uint64_t due_ns) {
    if (scheduled == capacity) abort();
    due[scheduled++] = due_ns;
    pump();
}

static void post(struct poster *poster) {
    const char *body = bodies->lines[sent % bodies->count];
    size_t body_size = strlen(body), head_limit = strlen(options.publish_head) + 32;
    char *request = malloc(head_limit + body_size + 1);
    if (!request) abort();
    size_t head = (size_t)snprintf(request, head_limit, "%s%zu\r\n\r\n", options.publish_head, body_size);
    memcpy(request + head, body, body_size + 1);
    char *mark = strstr(request + head, MARK), digits[MARK_DIGITS + 1];
    snprintf(digits, sizeof digits, "%0*zu", MARK_DIGITS, sent % MARK_LIMIT);
    if (mark) memcpy(mark + strlen(MARK), digits, MARK_DIGITS);
    poster->busy = 1;
    poster->sequence = sent;
    if (!due[sent]) due[sent] = now_ns();
    sent++;
    if (send(poster->fd, request, head + body_size, MSG_NOSIGNAL) != (ssize_t)(head + body_size)) {
        fprintf(stderr, "a POST does not fit the kernel's buffer\n");
        exit(1);
    }
    free(request);
}

static void pump(void) {
    for (size_t i = 0; sent < scheduled && i < poster_count; i++)
        if (posters[i].fd >= 0 && !posters[i].connecting && !posters[i].busy) post(&posters[i]);
}

/* Find a header's value in an answer whose head ends at `end`; NULL without it. */
static const char *header(const struct poster *poster, const char *end, const char *name) {
    size_t size = strlen(name);
    for (const char *line = poster->answer; line && line < end; line = memmem(line, (size_t)(end - line), "\r\n", 2)) {
        if (line[0] == '\r') line += 2;
        if (!strncasecmp(line, name, size)) return line + size;
    }
    return NULL;
}

/* Return whether the buffer holds a whole answer, and whether the server closes after it. */
static int whole(const struct poster *poster, int at_end, int *closes) {
    const char *end = memmem(poster->answer, poster->have, "\r\n\r\n", 4);
    if (!end) return 0;
    const char *length = header(poster, end, "content-length: "), *connection = header(poster, end, "connection: ");
    size_t size = (size_t)(end + 4 - poster->answer) + (length ? strtoul(length, NULL, 10) : 0);
    if (!at_end && (!length || poster->have < size)) return 0;
    *closes = at_end || (connection && !strncasecmp(connection, "close", 5));
    return 1;
}

void poster_ready_io(struct source *source, uint32_t events) {
    struct poster *poster = (struct poster *)source;
    if (poster->connecting) {
        if (events & (EPOLLERR | EPOLLHUP)) {
            fprintf(stderr, "HTTP connection refused\n");
            exit(1);
        }
        poster->connecting = 0;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, poster->fd, &event);
        pump();
        return;
    }
    ssize_t got = recv(poster->fd, poster->answer + poster->have, ANSWER_SIZE - 1 - poster->have, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) poster->have += (size_t)got;
    poster->answer[poster->have] = 0;
    int status = poster->have > 12 ? atoi(poster->answer + 9) : 0, closes = got <= 0;
    if (poster->busy && (whole(poster, got <= 0, &closes) || got <= 0)) {
        if (status >= 400) fprintf(stderr, "answer: %.300s\n", poster->answer);
        if (!status) fprintf(stderr, "a POST was not answered\n");
        poster->busy = 0;
        poster->have = 0;
        on_answer(status, due[poster->sequence]);
    }
    if (closes) {
        reset(poster);
        open_poster(poster);
    }
    pump();
}
