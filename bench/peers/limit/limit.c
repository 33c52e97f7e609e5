/*
 * The limit: what one core's kernel gives to the least possible server.
 *
 *   limit PORT
 *
 * epoll, one send() a recipient, frames made once. It checks no token, computes
 * no Sec-WebSocket-Accept and keeps no rooms: a reference for the columns
 * that send() bounds, not a server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "frames.h"

#define NAMESPACE "/notifications"
enum { EVENTS = 1024, READ_SIZE = 256 * 1024, PING_INTERVAL_MS = 25000 };

struct client {
    int fd;
    int upgraded;
    int joined;
    int generation; /* tells a reused descriptor from the one a ping was due for */
};

struct due {
    uint64_t at_ms;
    int fd, generation;
};

static struct client *clients; /* by descriptor */
static int *members, member_count;
static struct due *pings; /* a ring in time order: every interval is the same */
static size_t ping_head, ping_tail, limit;
static uint8_t buffer[READ_SIZE];
static uint8_t answers[2 * READ_SIZE]; /* acks to what one read brought leave together */
static size_t answers_size;

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void send_bytes(int fd, const void *data, size_t size) {
    /* A client that lets its buffer fill loses the rest: this reference keeps no queue. */
    if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size && errno != EPIPE && errno != ECONNRESET)
        fprintf(stderr, "short write\n");
}

static void send_text(int fd, const char *text, size_t length) {
    static uint8_t frame[FRAME_HEADER_MAX + READ_SIZE];
    size_t header = frame_header(frame, FRAME_TEXT, length, 0);
    memcpy(frame + header, text, length);
    send_bytes(fd, frame, header + length);
}

static void schedule_ping(int fd) {
    pings[ping_tail++ % limit] =
        (struct due){.at_ms = now_ms() + PING_INTERVAL_MS, .fd = fd, .generation = clients[fd].generation};
}

static void send_due_pings(void) {
    uint64_t now = now_ms();
    while (ping_head != ping_tail && pings[ping_head % limit].at_ms <= now) {
        struct due due = pings[ping_head++ % limit];
        if (clients[due.fd].generation != due.generation || !clients[due.fd].upgraded) continue;
        send_text(due.fd, "2", 1);
        schedule_ping(due.fd);
    }
}

static void leave(int fd) {
    if (clients[fd].joined) {
        int place = 0;
        while (members[place] != fd) place++;
        members[place] = members[--member_count];
    }
    clients[fd] = (struct client){.fd = fd, .generation = clients[fd].generation + 1};
    close(fd);
}

static void notify(const char *request, size_t length, int to_all) {
    static uint8_t frame[FRAME_HEADER_MAX + READ_SIZE];
    static char text[READ_SIZE];
    static int turn;
    const char *count = memmem(request, length, "\"n\":", 4), *payload = memmem(request, length, "\"payload\":", 10);
    if (!count || !payload) return;
    payload += 10;
    size_t payload_size = length - (size_t)(payload - request) - 2; /* without }] */
    int size = snprintf(text, sizeof text, "42" NAMESPACE ",[\"notification\",%.*s]", (int)payload_size, payload);
    size_t header = frame_header(frame, FRAME_TEXT, (size_t)size, 0);
    memcpy(frame + header, text, (size_t)size);
    for (long n = strtol(count + 4, NULL, 10); n > 0; n--) {
        if (to_all)
            for (int i = 0; i < member_count; i++) send_bytes(members[i], frame, header + (size_t)size);
        else
            send_bytes(members[turn++ % member_count], frame, header + (size_t)size);
    }
}

static void message(int fd, const char *text, size_t length) {
    static const char event[] = "42" NAMESPACE ",", join[] = "40" NAMESPACE ",{\"sid\":\"0\"}";
    if (length >= 2 && text[0] == '4' && text[1] == '0') {
        clients[fd].joined = 1;
        members[member_count++] = fd;
        send_text(fd, join, sizeof join - 1);
        return;
    }
    if (length < sizeof event || memcmp(text, event, sizeof event - 1)) return;
    const char *list = memchr(text, '[', length);
    if (!list) return;
    size_t rest = length - (size_t)(list - text);
    if (memmem(list, rest, "[\"bench:echo\",", 14) == list) {
        char answer[8192];
        int id = (int)(list - text) - (int)(sizeof event - 1);
        int size = snprintf(answer, sizeof answer, "43" NAMESPACE ",%.*s[%.*s", id, text + sizeof event - 1,
                            (int)rest - 14, list + 14);
        answers_size += frame_header(answers + answers_size, FRAME_TEXT, (size_t)size, 0);
        memcpy(answers + answers_size, answer, (size_t)size);
        answers_size += (size_t)size;
    } else {
        notify(text, length, memmem(list, rest, "bench:broadcast", 15) != NULL);
    }
}

static void answer_upgrade(int fd) {
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    static const char open[] =
        "0{\"sid\":\"0\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";
    clients[fd].upgraded = 1;
    send_bytes(fd, answer, sizeof answer - 1);
    send_text(fd, open, sizeof open - 1);
    schedule_ping(fd);
}

static void read_client(int fd) {
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) leave(fd);
        return;
    }
    if (!clients[fd].upgraded) { /* the load sends a request in one write, and nothing before the answer */
        answer_upgrade(fd);
        return;
    }
    size_t used = 0;
    struct frame frame;
    while (frame_read(buffer + used, (size_t)got - used, &frame)) {
        used += frame.size;
        if (frame.opcode == FRAME_TEXT) message(fd, (const char *)frame.payload, frame.length);
    }
    if (answers_size) send_bytes(fd, answers, answers_size);
    answers_size = 0;
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 2048)) {
        perror("listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    limit = files.rlim_cur;
    clients = calloc(limit, sizeof *clients);
    members = calloc(limit, sizeof *members);
    pings = calloc(limit, sizeof *pings);
    if (!clients || !members || !pings) abort();
    int listener = listen_on(atoi(argv[1])), epoll_fd = epoll_create1(0);
    struct epoll_event events[EVENTS], event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, 100);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd != listener) {
                read_client(events[i].data.fd);
                continue;
            }
            for (int fd, on = 1; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
            }
        }
        send_due_pings();
    }
}
