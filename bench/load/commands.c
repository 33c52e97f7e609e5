/*
 * What can be asked of the load generator, and what it measures.
 *
 *   connect COUNT WINDOW SECONDS          handshakes, WINDOW of them under way
 *   trigger EVENT N EXPECTED SECONDS      socket 0 asks for N; timed to the last of EXPECTED arrivals
 *   echo SOCKETS TOTAL DEPTH SECONDS      events with ack, DEPTH under way on each socket, written together
 *   publish SET CONNECTIONS TOTAL RATE FANOUT SECONDS   POSTs with the bodies of that set, RATE a second
 *                                         (0: as fast as answers come), FANOUT arrivals each
 *   storm KEPT WINDOW SECONDS             reset all but KEPT sockets and connect them again, while the kept
 *                                         emit one event with ack every ECHO_INTERVAL_MS
 *   drop                                  reset every socket
 *
 * Each answers with one line of JSON. Nothing is started after SECONDS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>

#include "frames.h"
#include "load.h"

enum task { TASK_NONE, TASK_CONNECT, TASK_TRIGGER, TASK_ECHO, TASK_PUBLISH, TASK_STORM };
enum { SAMPLE_LIMIT = 2000000, DEPTH_LIMIT = 16, ECHO_INTERVAL_MS = 5 };

static struct {
    enum task task;
    uint64_t begun_ns, last_ns, deadline_ns, interval_ns, idle_ns;
    size_t total;   /* handshakes, arrivals, acks or posts that make it done */
    size_t started; /* of them */
    size_t done, failed, arrivals, expected_arrivals, depth, kept, echoes;
} run;

static float *samples, *answer_samples;
static size_t sample_count, answer_sample_count;

static void sample(float *into, size_t *count, uint64_t from_ns, uint64_t to_ns) {
    if (*count < SAMPLE_LIMIT) into[(*count)++] = (float)((double)(to_ns - from_ns) / 1e6);
}

static int ascending(const void *a, const void *b) {
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

static void print_percentiles(const char *name, float *values, size_t count) {
    if (!count) return;
    qsort(values, count, sizeof *values, ascending);
    printf(",\"%s\":{\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}", name, (double)values[count / 2],
           (double)values[count * 99 / 100], (double)values[count - 1]);
}

static void finish(int timed_out) {
    uint64_t end_ns = run.last_ns ? run.last_ns : now_ns();
    double elapsed = (double)(end_ns - run.begun_ns) / 1e9;
    uint32_t most = 0, least = UINT32_MAX;
    for (size_t i = 0; i < socket_count; i++) {
        if (sockets[i].received > most) most = sockets[i].received;
        if (sockets[i].received < least) least = sockets[i].received;
    }
    for (size_t i = 0; run.task == TASK_STORM && i < run.kept; i++)
        if (sockets[i].pending) sample(samples, &sample_count, sockets[i].started_ns, end_ns);
    printf("{\"done\":%zu,\"failed\":%zu,\"arrivals\":%zu,\"least\":%u,\"most\":%u,\"elapsed_s\":%.6f,\"load_busy\":%.3f,"
           "\"timed_out\":%s",
           run.done, run.failed, run.arrivals, socket_count ? least : 0, most, elapsed,
           elapsed > 0 ? 1 - (double)run.idle_ns / 1e9 / elapsed : 0.0, timed_out ? "true" : "false");
    print_percentiles("latency", samples, sample_count);
    print_percentiles("answer", answer_samples, answer_sample_count);
    printf("}\n");
    fflush(stdout);
    struct itimerspec never = {0};
    timerfd_settime(timer_fd, 0, &never, NULL);
    run.task = TASK_NONE;
}

static void advance(void) {
    if (run.done + run.failed >= run.total && run.arrivals >= run.expected_arrivals) finish(0);
}

static void open_next(void) {
    if (run.started == run.total) return;
    if (socket_open(run.kept + run.started) < 0) {
        perror("connect");
        exit(1);
    }
    run.started++;
}

static void echo_once(struct socket *socket) {
    char text[8192];
    int length = snprintf(text, sizeof text, "42" NAMESPACE ",0[\"bench:echo\",%s]", options.payload);
    /* One that waits goes on waiting: its latency is the whole of it. */
    if (socket->state != STATE_READY || socket->pending) return;
    socket->pending = 1;
    socket->started_ns = now_ns();
    socket_send(socket, text, (size_t)length);
}

static void echo_next(struct socket *socket) {
    uint8_t frames[DEPTH_LIMIT * 8192];
    size_t size = 0;
    for (size_t i = 0; i < run.depth && run.started < run.total; i++, socket->pending++) {
        char text[8192];
        int length = snprintf(text, sizeof text, "42" NAMESPACE ",%zu[\"bench:echo\",%s]", run.started++, options.payload);
        size_t header = frame_header(frames + size, FRAME_TEXT, (size_t)length, 1);
        memcpy(frames + size + header, text, (size_t)length);
        size += header + (size_t)length;
    }
    socket->started_ns = now_ns();
    if (size) socket_write(socket, frames, size);
}

void on_socket_ready(struct socket *socket) {
    if (run.task != TASK_CONNECT && run.task != TASK_STORM) return;
    run.last_ns = now_ns();
    run.done++;
    if (run.task == TASK_CONNECT) sample(samples, &sample_count, socket->started_ns, run.last_ns);
    open_next();
    advance();
}

void on_socket_failed(struct socket *socket, const char *why) {
    run.failed++;
    if (run.failed <= 3) fprintf(stderr, "socket %zu: %s\n", (size_t)(socket - sockets), why);
    if (run.task == TASK_CONNECT || run.task == TASK_STORM) open_next();
    if (run.task != TASK_NONE) advance();
}

void on_notification(struct socket *socket, const char *text, size_t length) {
    (void)socket;
    if (run.task != TASK_TRIGGER && run.task != TASK_PUBLISH) return;
    run.last_ns = now_ns();
    run.arrivals++;
    if (run.task == TASK_PUBLISH) {
        const char *mark = memmem(text, length, MARK, strlen(MARK));
        uint64_t due_ns = mark ? post_due_ns(strtoul(mark + strlen(MARK), NULL, 10)) : 0;
        if (due_ns) sample(samples, &sample_count, due_ns, run.last_ns);
    }
    advance();
}

void on_ack(struct socket *socket) {
    if (run.task == TASK_STORM && socket->pending) {
        socket->pending = 0;
        sample(samples, &sample_count, socket->started_ns, now_ns());
    }
    if (run.task != TASK_ECHO) return;
    run.last_ns = now_ns();
    run.done++;
    sample(samples, &sample_count, socket->started_ns, run.last_ns);
    if (--socket->pending == 0) echo_next(socket);
    advance();
}

void on_answer(int status, uint64_t due_ns) {
    if (run.task != TASK_PUBLISH) return;
    if (status == 200 || status == 201 || status == 202) run.done++;
    else run.failed++;
    sample(answer_samples, &answer_sample_count, due_ns, now_ns());
    advance();
}

void command_timer(uint64_t expirations) {
    /* More are due when this program was late; one is enough to see how the server does. */
    if (run.task == TASK_STORM) echo_once(&sockets[run.echoes++ % run.kept]);
    for (; run.task == TASK_PUBLISH && expirations && run.started < run.total; expirations--)
        post_schedule(run.begun_ns + run.started++ * run.interval_ns);
}

void command_tick(void) {
    if (run.task != TASK_NONE && now_ns() > run.deadline_ns) finish(1);
    /* Not where the last answer ends the command: that poster is still being read. */
    if (run.task == TASK_NONE) posters_close();
}

int command_timeout_ms(int spins) { return run.task == TASK_NONE ? -1 : spins ? 0 : 100; }

void command_idle(uint64_t ns) { run.idle_ns += ns; }

static void begin(enum task task, size_t total, size_t arrivals, double seconds) {
    memset(&run, 0, sizeof run);
    run.task = task;
    run.total = total;
    run.expected_arrivals = arrivals;
    run.begun_ns = now_ns();
    run.deadline_ns = run.begun_ns + (uint64_t)(seconds * 1e9);
    sample_count = answer_sample_count = 0;
    for (size_t i = 0; i < socket_count; i++) sockets[i].received = sockets[i].pending = 0;
}

static void begin_connect(size_t count, size_t window, double seconds) {
    begin(TASK_CONNECT, count, 0, seconds);
    socket_count = count;
    for (size_t i = 0; i < window; i++) open_next();
}

static void begin_trigger(const char *event, size_t n, size_t expected, double seconds) {
    static char text[8192];
    begin(TASK_TRIGGER, 0, expected, seconds);
    int length = snprintf(text, sizeof text, "42" NAMESPACE ",[\"%s\",{\"n\":%zu,\"payload\":%s}]", event, n,
                          options.payload);
    socket_send(&sockets[0], text, (size_t)length);
}

static void start_timer(uint64_t interval_ns) {
    struct timespec step = {.tv_sec = (time_t)(interval_ns / 1000000000), .tv_nsec = (long)(interval_ns % 1000000000)};
    struct itimerspec timer = {.it_interval = step, .it_value = step};
    timerfd_settime(timer_fd, 0, &timer, NULL);
}

static void begin_storm(size_t kept, size_t window, double seconds) {
    size_t count = socket_count;
    begin(TASK_STORM, count - kept, 0, seconds);
    run.kept = kept;
    sockets_drop(kept);
    socket_count = count;
    start_timer(ECHO_INTERVAL_MS * 1000000);
    for (size_t i = 0; i < window; i++) open_next();
}

static void begin_publish(const struct bodies *bodies, size_t connections, size_t total, double rate, size_t fanout, double seconds) {
    posters_open(connections, total, bodies);
    begin(TASK_PUBLISH, total, total * fanout, seconds);
    if (rate > 0) {
        run.interval_ns = (uint64_t)(1e9 / rate);
        start_timer(run.interval_ns);
    } else {
        while (run.started < total) run.started++, post_schedule(0);
    }
}

void command_begin(char *line) {
    char event[64];
    size_t a, b, c, set;
    double rate, seconds;
    if (!samples) {
        samples = malloc(SAMPLE_LIMIT * sizeof *samples);
        answer_samples = malloc(SAMPLE_LIMIT * sizeof *answer_samples);
        if (!samples || !answer_samples) abort();
    }
    if (sscanf(line, "connect %zu %zu %lf", &a, &b, &seconds) == 3) {
        begin_connect(a, b, seconds);
    } else if (sscanf(line, "trigger %63s %zu %zu %lf", event, &a, &b, &seconds) == 4) {
        begin_trigger(event, a, b, seconds);
    } else if (sscanf(line, "echo %zu %zu %zu %lf", &a, &b, &c, &seconds) == 4 && c <= DEPTH_LIMIT) {
        begin(TASK_ECHO, b, 0, seconds);
        run.depth = c;
        for (size_t i = 0; i < a && i < socket_count; i++) echo_next(&sockets[i]);
    } else if (sscanf(line, "publish %zu %zu %zu %lf %zu %lf", &set, &a, &b, &rate, &c, &seconds) == 6 &&
               set < BODY_SETS && options.sets[set].count) {
        begin_publish(&options.sets[set], a, b, rate, c, seconds);
    } else if (sscanf(line, "storm %zu %zu %lf", &a, &b, &seconds) == 3 && a && a < socket_count) {
        begin_storm(a, b, seconds);
    } else if (!strncmp(line, "drop", 4)) {
        begin(TASK_NONE, 0, 0, 0);
        sockets_drop(0);
        finish(0);
    } else {
        fprintf(stderr, "unknown command: %s\n", line);
        exit(2);
    }
}
