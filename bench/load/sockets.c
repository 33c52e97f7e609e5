/*
 * Socket.IO clients over raw WebSocket: handshake, heartbeat, events.
 *
 * A client does the least that the protocols allow, so that the generator is
 * faster than any server under test; the handshake waits for each answer
 * before it goes on, as a browser's does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "load.h"

enum { READ_SIZE = 256 * 1024 };

struct socket *sockets;
size_t socket_count;
static uint8_t buffer[READ_SIZE];

void sockets_allocate(size_t limit) {
    sockets = calloc(limit, sizeof *sockets);
    if (!sockets) abort();
    for (size_t i = 0; i < limit; i++) sockets[i] = (struct socket){.source = {KIND_SOCKET}, .fd = -1};
}

static void discard(struct socket *socket) {
    if (socket->fd < 0) return;
    /* A reset instead of FIN: tens of thousands of TIME_WAIT ports would outlive the run. */
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(socket->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(socket->fd);
    free(socket->rest);
    socket->rest = NULL;
    socket->rest_size = 0;
    socket->fd = -1;
    socket->state = STATE_CLOSED;
}

static void fail(struct socket *socket, const char *why) {
    discard(socket);
    on_socket_failed(socket, why);
}

void sockets_drop(size_t kept) {
    for (size_t i = kept; i < socket_count; i++) discard(&sockets[i]);
    socket_count = kept;
}

int socket_open(size_t index) {
    struct socket *socket = &sockets[index];
    socket->started_ns = now_ns();
    socket->fd = connect_loopback(index, options.port);
    if (socket->fd < 0) return -1;
    socket->state = STATE_CONNECTING;
    watch(socket->fd, &socket->source, EPOLLOUT);
    return 0;
}

int socket_write(struct socket *socket, const void *data, size_t size) {
    /* What a client says fits a fresh kernel buffer; a short write means that the server has stopped reading. */
    if (send(socket->fd, data, size, MSG_NOSIGNAL) == (ssize_t)size) return 0;
    fail(socket, "the server does not read");
    return -1;
}

int socket_send(struct socket *socket, const char *text, size_t length) {
    uint8_t frame[FRAME_HEADER_MAX + 16384];
    if (length > sizeof frame - FRAME_HEADER_MAX) abort();
    size_t header = frame_header(frame, FRAME_TEXT, length, 1);
    memcpy(frame + header, text, length);
    return socket_write(socket, frame, header + length);
}

static void upgrade(struct socket *socket) {
    char request[512];
    int size = snprintf(request, sizeof request,
                        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                        options.port);
    socket->state = STATE_UPGRADING;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = socket};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, socket->fd, &event);
    socket_write(socket, request, (size_t)size);
}

static void join(struct socket *socket) {
    char text[8192];
    int length = snprintf(text, sizeof text, "40" NAMESPACE ",{\"token\":\"%s\"}",
                          options.tokens[(size_t)(socket - sockets) % options.token_count]);
    socket->state = STATE_JOINING;
    socket_send(socket, text, (size_t)length);
}

static int starts(const char *text, size_t length, const char *prefix) {
    size_t size = strlen(prefix);
    return length >= size && memcmp(text, prefix, size) == 0;
}

static void message(struct socket *socket, const char *text, size_t length) {
    if (!length) return;
    if (text[0] == '2') {
        socket_send(socket, "3", 1);
    } else if (starts(text, length, "42" NAMESPACE ",[\"notification\",")) {
        socket->received++;
        on_notification(socket, text, length);
    } else if (starts(text, length, "43" NAMESPACE ",")) {
        on_ack(socket);
    } else if (text[0] == '0' && socket->state == STATE_OPENING) {
        join(socket);
    } else if (starts(text, length, "40" NAMESPACE) && socket->state == STATE_JOINING) {
        socket->state = STATE_READY;
        on_socket_ready(socket);
    } else if (starts(text, length, "44")) {
        fprintf(stderr, "refused: %.*s\n", (int)(length < 200 ? length : 200), text);
        fail(socket, "CONNECT refused");
    }
}

/* Take whole frames from the data; returns how many bytes they were, or -1 when the socket has gone. */
static ssize_t take_frames(struct socket *socket, uint8_t *data, size_t size) {
    size_t used = 0;
    struct frame frame;
    while (frame_read(data + used, size - used, &frame)) {
        used += frame.size;
        if (frame.opcode == FRAME_TEXT) {
            message(socket, (const char *)frame.payload, frame.length);
        } else if (frame.opcode == FRAME_PING) {
            uint8_t pong[FRAME_HEADER_MAX + 125];
            size_t header = frame_header(pong, FRAME_PONG, frame.length, 1);
            memcpy(pong + header, frame.payload, frame.length);
            socket_write(socket, pong, header + frame.length);
        } else if (frame.opcode == FRAME_CLOSE) {
            fail(socket, "closed by the server");
        }
        if (socket->fd < 0) return -1;
    }
    return (ssize_t)used;
}

static ssize_t take_answer(struct socket *socket, uint8_t *data, size_t size) {
    uint8_t *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (!starts((const char *)data, size, "HTTP/1.1 101")) {
        fprintf(stderr, "refused: %.*s\n", (int)(size < 80 ? size : 80), (const char *)data);
        fail(socket, "upgrade refused");
        return -1;
    }
    socket->state = STATE_OPENING;
    return end + 4 - data;
}

void socket_ready_io(struct socket *socket, uint32_t events) {
    if (socket->fd < 0) return; /* dropped earlier in this turn */
    if (socket->state == STATE_CONNECTING) {
        if (events & (EPOLLERR | EPOLLHUP)) fail(socket, "connection refused");
        else upgrade(socket);
        return;
    }
    size_t kept = socket->rest_size;
    if (kept) memcpy(buffer, socket->rest, kept);
    ssize_t got = recv(socket->fd, buffer + kept, sizeof buffer - kept, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        fail(socket, got == 0 ? "closed by the server" : strerror(errno));
        return;
    }
    size_t size = kept + (size_t)got, used = 0;
    if (socket->state == STATE_UPGRADING) {
        ssize_t answer = take_answer(socket, buffer, size);
        if (answer < 0) return;
        used = (size_t)answer;
    }
    if (socket->state != STATE_UPGRADING) {
        ssize_t frames = take_frames(socket, buffer + used, size - used);
        if (frames < 0) return;
        used += (size_t)frames;
    }
    if (size == used && !kept) return;
    if (size - used == sizeof buffer) {
        fail(socket, "a frame is larger than the buffer");
        return;
    }
    socket->rest_size = size - used;
    free(socket->rest);
    socket->rest = socket->rest_size ? malloc(socket->rest_size) : NULL;
    if (socket->rest_size) memcpy(socket->rest, buffer + used, socket->rest_size);
}
