/* A load client for echo servers that costs little: epoll, one thread. Compiled by nonblocking.py.

     load_client rate HOST PORT CONNECTIONS SIZE SECONDS   every connection says SIZE bytes, waits for them, says the next
     load_client bulk HOST PORT CONNECTIONS SIZE SECONDS   every connection sends pieces of SIZE bytes as they are taken
     load_client idle HOST PORT CONNECTIONS SIZE SECONDS   connects, one message each, and waits for the end of its input

   It prints a line of JSON: messages (bytes for bulk), seconds, and the latency's p50 and p99 in microseconds. Every
   echoed byte is compared. Status 1 with a reason if anything went wrong. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 64, EVENTS = 512, MOST_SIZE = 1 << 20 };

struct connection {
    int fd;
    size_t sent, read; /* of the message under way; for bulk, of the stream */
    double began;
};

static struct connection *all;
static char *message, *buffer;
static size_t size;
static double *latencies;
static size_t answered, kept;
static const size_t MOST_KEPT = 4 * 1000 * 1000;

static void fail(const char *what) {
    fprintf(stderr, "load_client: %s: %s\n", what, errno ? strerror(errno) : "the server misbehaves");
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void say(struct connection *c) {
    c->sent = c->read = 0;
    c->began = now();
    ssize_t count = send(c->fd, message, size, MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN)
        fail("send");
    c->sent = count < 0 ? 0 : (size_t)count;
}

/* One answer is complete: 1. */
static int hear(struct connection *c) {
    ssize_t count = recv(c->fd, buffer, size, 0);
    if (count < 0) {
        if (errno == EAGAIN)
            return 0;
        fail("recv");
    }
    errno = 0;
    if (count == 0)
        fail("a connection ended");
    if (c->read + count > size || memcmp(buffer, message + c->read, count))
        fail("other bytes came");
    c->read += count;
    if (c->sent < size) {
        count = send(c->fd, message + c->sent, size - c->sent, MSG_NOSIGNAL);
        if (count > 0)
            c->sent += count;
    }
    return c->read == size;
}

static void connect_all(int poll, struct sockaddr_in *to, int connections) {
    struct epoll_event events[EVENTS];
    int begun = 0, proven = 0;
    while (proven < connections) {
        for (; begun < connections && begun - proven < WINDOW; begun++) {
            struct connection *c = &all[begun];
            int one = 1;
            c->fd = socket(AF_INET, SOCK_STREAM, 0);
            if (c->fd < 0)
                fail("socket");
            if (connect(c->fd, (struct sockaddr *)to, sizeof *to))
                fail("connect");
            setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            fcntl(c->fd, F_SETFL, O_NONBLOCK);
            struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
            if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event))
                fail("epoll_ctl");
            say(c);
        }
        int count = epoll_wait(poll, events, EVENTS, 10000);
        if (count == 0) {
            errno = ETIMEDOUT;
            fail("connecting");
        }
        for (int i = 0; i < count; i++)
            proven += hear(events[i].data.ptr);
    }
}

static void rate(int poll, int connections, double seconds) {
    struct epoll_event events[EVENTS];
    double warm = now() + 0.2, began = 0, at = now();
    for (int i = 0; i < connections; i++)
        say(&all[i]);
    while (!began || at < began + seconds) {
        int count = epoll_wait(poll, events, EVENTS, 10000);
        if (count == 0) {
            errno = ETIMEDOUT;
            fail("waiting for an answer");
        }
        at = now();
        if (!began && at >= warm)
            began = at, answered = kept = 0;
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (hear(c)) {
                answered++;
                if (kept < MOST_KEPT)
                    latencies[kept++] = at - c->began;
                say(c);
            }
        }
    }
    seconds = at - began;
    printf("{\"messages\": %zu, \"seconds\": %.6f", answered, seconds);
}

static void bulk(int poll, int connections, double seconds) {
    struct epoll_event events[EVENTS];
    size_t bytes = 0;
    double began = now(), at = began;
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = &all[i]};
        all[i].sent = all[i].read = 0;
        epoll_ctl(poll, EPOLL_CTL_MOD, all[i].fd, &event);
    }
    while (at < began + seconds) {
        int count = epoll_wait(poll, events, EVENTS, 10000);
        at = now();
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) {
                size_t from = c->sent % size;
                ssize_t taken = send(c->fd, message + from, size - from, MSG_NOSIGNAL);
                if (taken < 0 && errno != EAGAIN)
                    fail("send");
                c->sent += taken > 0 ? taken : 0;
            }
            if (events[i].events & EPOLLIN) {
                size_t from = c->read % size;
                ssize_t came = recv(c->fd, buffer, size - from, 0);
                if (came < 0 && errno == EAGAIN)
                    continue;
                if (came <= 0)
                    fail("a connection ended");
                errno = 0;
                if (memcmp(buffer, message + from, came))
                    fail("other bytes came");
                c->read += came;
                bytes += came;
            }
        }
    }
    printf("{\"messages\": %zu, \"seconds\": %.6f", bytes, at - began);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: load_client rate|bulk|idle HOST PORT CONNECTIONS SIZE SECONDS\n");
        return 2;
    }
    int connections = atoi(argv[4]);
    double seconds = atof(argv[6]);
    size = strtoul(argv[5], NULL, 10);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))};
    if (connections < 1 || size < 1 || size > MOST_SIZE || !inet_aton(argv[2], &to.sin_addr)) {
        fprintf(stderr, "load_client: CONNECTIONS from 1, SIZE from 1 to %d, HOST numeric\n", MOST_SIZE);
        return 2;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    all = calloc(connections, sizeof *all);
    message = malloc(size);
    buffer = malloc(size);
    latencies = malloc(MOST_KEPT * sizeof *latencies);
    for (size_t i = 0; i < size; i++)
        message[i] = (char)(i * 131 + 7);
    int poll = epoll_create1(0);
    errno = 0;
    connect_all(poll, &to, connections);
    errno = 0;
    if (!strcmp(argv[1], "rate")) {
        rate(poll, connections, seconds);
    } else if (!strcmp(argv[1], "bulk")) {
        bulk(poll, connections, seconds);
    } else {
        printf("{\"messages\": %d, \"seconds\": 0}\n", connections);
        fflush(stdout);
        while (read(0, buffer, 1) > 0)
            continue;
        return 0;
    }
    qsort(latencies, kept, sizeof *latencies, ascending);
    double p50 = kept ? latencies[kept / 2] * 1e6 : 0, p99 = kept ? latencies[kept * 99 / 100] * 1e6 : 0;
    printf(", \"p50\": %.1f, \"p99\": %.1f}\n", p50, p99);
    return 0;
}
