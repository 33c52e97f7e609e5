/*
 * What the parts of the load generator share: one thread, one epoll set, one command at a time.
 *
 * sockets.c holds the Socket.IO clients, publisher.c the HTTP ones, commands.c what is
 * being measured, load.c the arguments and the event loop.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>

#define NAMESPACE "/notifications"
#define MARK "\"bench\":\"" /* before the seven digits that tie an arrival to its POST */
enum { MARK_DIGITS = 7, MARK_LIMIT = 10000000 };

enum kind { KIND_STDIN, KIND_TIMER, KIND_SOCKET, KIND_POSTER };

/* First member of everything that epoll points at. */
struct source {
    enum kind kind;
};

enum state { STATE_CLOSED, STATE_CONNECTING, STATE_UPGRADING, STATE_OPENING, STATE_JOINING, STATE_READY };

struct socket {
    struct source source;
    int fd;
    enum state state;
    uint32_t received;   /* notifications since the command began */
    uint32_t pending;    /* echoes without an ack */
    uint64_t started_ns; /* of the handshake, later of the unanswered echoes */
    uint8_t *rest;       /* a frame that has not arrived whole */
    size_t rest_size;
};

enum { BODY_SETS = 2 };

/* JSON bodies of POSTs, used in turn. */
struct bodies {
    char **lines;
    size_t count;
};

struct options {
    int port, publish_port; /* of the sockets, of the POSTs */
    char **tokens; /* one a user; socket i is user i */
    size_t token_count;
    char *payload;      /* JSON of one notification */
    char *publish_head; /* request line and headers up to the Content-Length value */
    struct bodies sets[BODY_SETS];
};

extern struct options options;
extern int epoll_fd;
extern int timer_fd;

uint64_t now_ns(void);
char **read_lines(const char *path, size_t *count);
char *read_text(const char *path);
void watch(int fd, struct source *source, uint32_t events);
int connect_loopback(size_t index, int port); /* non-blocking; -1 when out of ports or descriptors */

/* sockets.c */
extern struct socket *sockets;
extern size_t socket_count;
void sockets_allocate(size_t limit);
int socket_open(size_t index);
void socket_ready_io(struct socket *socket, uint32_t events);
int socket_write(struct socket *socket, const void *frames, size_t size);
int socket_send(struct socket *socket, const char *text, size_t length);
void sockets_drop(size_t kept); /* reset all from this one on */

/* publisher.c */
void posters_open(size_t count, size_t posts, const struct bodies *bodies);
void post_schedule(uint64_t due_ns); /* due 0: as soon as a connection is free, and timed from then */
void poster_ready_io(struct source *source, uint32_t events);
void posters_close(void);
uint64_t post_due_ns(size_t sequence);

/* commands.c: begin one, and what the sockets report to it */
void command_begin(char *line);
void command_tick(void); /* once a turn of the loop: deadline */
int command_timeout_ms(int spins);
void command_idle(uint64_t ns); /* waited in vain */
void command_timer(uint64_t expirations);
void on_socket_ready(struct socket *socket);
void on_socket_failed(struct socket *socket, const char *why);
void on_notification(struct socket *socket, const char *text, size_t length);
void on_ack(struct socket *socket);
void on_answer(int status, uint64_t due_ns);

#endif
