/* daytime_client ADDRESS [--timeout S] [--tries N]: the same program in C. POSIX only. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { USAGE = 2, CANNOT_CONNECT = 3, BROKEN = 4, GAVE_UP = 5 };

static char buffer[65536];

static void fail(int status, const char *what)
{
    fprintf(stderr, "daytime_client: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(status);
}

static void write_all(const char *data, size_t count)
{
    while (count > 0) {
        ssize_t written = write(STDOUT_FILENO, data, count);
        if (written < 0 && errno != EINTR)
            fail(BROKEN, "standard output");
        if (written > 0) {
            data += written;
            count -= (size_t)written;
        }
    }
}

/* A connected socket; for UDP that filters by address and reports ICMP errors. */
static int open_socket(const char *address, int *is_udp)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strncmp(address, "unix:", 5) == 0) {
        if (address[5] == '\0' || strlen(address + 5) >= sizeof un.sun_path)
            fail(USAGE, "no path");
        strcpy(un.sun_path, address + 5);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof un) < 0)
            fail(CANNOT_CONNECT, address);
        return fd;
    }
    *is_udp = strncmp(address, "udp:", 4) == 0;
    char host[128];
    const char *rest = *is_udp ? address + 4 : address, *colon = strrchr(rest, ':');
    if (!colon || (size_t)(colon - rest) >= sizeof host)
        fail(USAGE, "that is no address");
    memcpy(host, rest, (size_t)(colon - rest));
    host[colon - rest] = '\0';
    size_t length = strlen(host);
    char *name = host;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        name = host + 1;
        hints.ai_family = AF_INET6;
    }
    char *end;
    long port = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || *end || port < 0 || port > 65535)
        fail(USAGE, "that is no port");
    hints.ai_socktype = *is_udp ? SOCK_DGRAM : SOCK_STREAM;
    struct addrinfo *found;
    if (getaddrinfo(name, colon + 1, &hints, &found) != 0) {
        errno = 0;
        fail(USAGE, "that is no address");
    }
    int fd = socket(found->ai_family, found->ai_socktype, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0)
        fail(CANNOT_CONNECT, address);
    return fd;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void ask(int fd, double timeout, long tries)
{
    while (tries-- > 0) {
        if (send(fd, "", 0, 0) < 0)
            send(fd, "", 0, 0); /* the first one reported the ICMP error of an earlier try */
        double until = now() + timeout, left;
        while ((left = until - now()) > 0) {
            struct pollfd ready = {.fd = fd, .events = POLLIN};
            if (poll(&ready, 1, (int)(left * 1000) + 1) <= 0)
                continue;
            ssize_t count = recv(fd, buffer, sizeof buffer, 0);
            if (count >= 0) {
                write_all(buffer, (size_t)count);
                return;
            }
        }
    }
    errno = 0;
    fail(GAVE_UP, "no answer");
}

int main(int argc, char **argv)
{
    double timeout = 1.0;
    long tries = 3;
    if (argc < 2 || argc % 2 != 0)
        fail(USAGE, "usage: daytime_client ADDRESS [--timeout S] [--tries N]");
    for (int i = 2; i < argc; i += 2) {
        char *end;
        if (strcmp(argv[i], "--timeout") == 0)
            timeout = strtod(argv[i + 1], &end);
        else if (strcmp(argv[i], "--tries") == 0)
            tries = strtol(argv[i + 1], &end, 10);
        else
            fail(USAGE, argv[i]);
        if (*end || end == argv[i + 1] || !(timeout > 0) || tries < 1)
            fail(USAGE, argv[i + 1]);
    }
    int is_udp = 0, fd = open_socket(argv[1], &is_udp);
    if (is_udp) {
        ask(fd, timeout, tries);
        return 0;
    }
    for (;;) {
        ssize_t count = recv(fd, buffer, sizeof buffer, 0);
        if (count == 0)
            return 0;
        if (count > 0)
            write_all(buffer, (size_t)count);
        else if (errno != EINTR)
            fail(BROKEN, argv[1]);
    }
}
