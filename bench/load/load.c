/*
 * The load generator: commands on standard input, one line of JSON each on standard output.
 *
 *   load SPINS PORT TOKENS PAYLOAD [PUBLISH_HEAD BODIES BULK_BODIES]
 *
 * With SPINS = 1 it polls without sleeping while a command runs: to wake a sleeping
 * receiver costs the sender several µs (more on a virtual machine), which a
 * server whose clients are elsewhere does not pay. It connects to loopback addresses only, ends with its parent or its standard
 * input, and in any case after LIFETIME_S.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum { LIFETIME_S = 1800, EVENTS = 1024, SOCKETS_PER_ADDRESS = 20000 };

struct options options;
int epoll_fd, timer_fd;

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

char *read_text(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(size + 1);
    if (!text || fread(text, 1, size, file) != size) abort();
    text[size] = 0;
    fclose(file);
    return text;
}

char **read_lines(const char *path, size_t *count) {
    char *text = read_text(path), **lines = NULL;
    *count = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if ((*count & (*count + 1)) == 0) lines = realloc(lines, (*count * 2 + 2) * sizeof *lines);
        if (!lines) abort();
        lines[(*count)++] = line;
    }
    return lines;
}

void watch(int fd, struct source *source, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

int connect_loopback(size_t index, int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* One source address has fewer ports than a large run has sockets. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(index / SOCKETS_PER_ADDRESS));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) == 0 &&
        (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS))
        return fd;
    close(fd);
    return -1;
}

/* Return 0 at the end of the input. A line is complete in one read: the bench writes one and waits for its answer. */
static int read_command(void) {
    char line[1024];
    ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
    if (got <= 0) return 0;
    line[got] = 0;
    command_begin(line);
    return 1;
}

static void loop(int spins) {
    static struct epoll_event events[EVENTS];
    static struct source input = {KIND_STDIN}, timer = {KIND_TIMER};
    watch(STDIN_FILENO, &input, EPOLLIN);
    watch(timer_fd, &timer, EPOLLIN);
    for (;;) {
        int timeout_ms = command_timeout_ms(spins);
        uint64_t before_ns = now_ns();
        int count = epoll_wait(epoll_fd, events, EVENTS, timeout_ms);
        if (count == 0) command_idle(now_ns() - before_ns);
        int has_command = 0;
        for (int i = 0; i < count; i++) {
            struct source *source = events[i].data.ptr;
            uint64_t expirations;
            switch (source->kind) {
                case KIND_STDIN: has_command = 1; break;
                case KIND_TIMER:
                    if (read(timer_fd, &expirations, sizeof expirations) == sizeof expirations)
                        command_timer(expirations);
                    break;
                case KIND_SOCKET: socket_ready_io((struct socket *)source, events[i].events); break;
                case KIND_POSTER: poster_ready_io(source, events[i].events); break;
            }
        }
        command_tick();
        /* Last, because a command may reuse sockets that this batch still has events for. */
        if (has_command && !read_command()) return;
    }
}

int main(int argc, char **argv) {
    if (argc != 5 && argc != 6 + BODY_SETS) {
        fprintf(stderr, "usage: load SPINS PORT[,PUBLISH_PORT] TOKENS PAYLOAD [PUBLISH_HEAD BODIES BULK_BODIES]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(LIFETIME_S);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    options.port = options.publish_port = atoi(argv[2]);
    if (strchr(argv[2], ',')) options.publish_port = atoi(strchr(argv[2], ',') + 1);
    options.tokens = read_lines(argv[3], &options.token_count);
    options.payload = read_text(argv[4]);
    if (argc > 5) {
        options.publish_head = read_text(argv[5]);
        for (int i = 0; i < BODY_SETS; i++) options.sets[i].lines = read_lines(argv[6 + i], &options.sets[i].count);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    sockets_allocate(files.rlim_cur);
    loop(atoi(argv[1]));
    return 0;
}
