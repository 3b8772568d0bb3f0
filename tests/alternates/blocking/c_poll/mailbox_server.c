/* mailbox_server ADDRESS [--max-clients N] [--idle S]: one process, one thread, poll(), sockets that never block.
 *
 * Each connection is read into a buffer of one frame, and answered into a buffer that is sent as poll() allows. While
 * something waits to be sent no further request is looked at. SIGTERM comes through a pipe, like everything else. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT = 65536, MOST = 900 };

struct message { char name[65]; char *bytes; size_t size; };
static struct message *messages;
static size_t stored, room;

struct client {
    int fd;
    char in[LIMIT + 4], out[LIMIT + 4];
    size_t got, begun, waits;   /* bytes in `in`; sent of `out`; all of `out` */
    bool ended, lingers;        /* its side has ended; ours has, and it is waited for */
    double since;               /* when something last moved, or when lingering began */
};
static struct client *clients[MOST];
static int served, max_clients = 100, wake[2];
static double idle = 60;
static char *unix_path;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
static void fail(int status, const char *what, const char *why) {
    fprintf(stderr, "mailbox_server: %s: %s\n", what, why);
    exit(status);
}
static void on_term(int signum) { (void)signum; (void)!write(wake[1], "x", 1); }

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct message *)a)->name, ((const struct message *)b)->name);
}
static struct message *find(const char *name) {
    for (size_t i = 0; i < stored; i++) if (!strcmp(messages[i].name, name)) return &messages[i];
    return NULL;
}
static void put(const char *name, const char *bytes, size_t size) {
    struct message *m = find(name);
    if (!m) {
        if (stored == room) messages = realloc(messages, (room = room ? 2 * room : 64) * sizeof *messages);
        m = &messages[stored++];
        memset(m, 0, sizeof *m);
        strcpy(m->name, name);
    }
    free(m->bytes);
    m->bytes = malloc(size + 1);
    memcpy(m->bytes, bytes, size);
    m->size = size;
    qsort(messages, stored, sizeof *messages, by_name);
}
static void reply(struct client *c, const char *head, const char *body, size_t size) {
    uint32_t length = htonl(strlen(head) + size);
    memcpy(c->out, &length, 4);
    memcpy(c->out + 4, head, strlen(head));
    if (size) memcpy(c->out + 4 + strlen(head), body, size);
    c->begun = 0;
    c->waits = 4 + strlen(head) + size;
}
static bool name_of(const char *from, size_t size, char *name) {
    if (size < 1 || size > 64) return false;
    for (size_t i = 0; i < size; i++)
        if (!(from[i] > 0 && (isalnum((unsigned char)from[i]) || strchr("._-", from[i])))) return false;
    memcpy(name, from, size);
    name[size] = 0;
    return true;
}
static void whoami(struct client *c) {
    struct sockaddr_storage peer, own;
    socklen_t a = sizeof peer, b = sizeof own;
    char line[200], host[2][64];
    int port[2];
    if (getpeername(c->fd, (void *)&peer, &a) || getsockname(c->fd, (void *)&own, &b)) { reply(c, "error gone\n", "", 0); return; }
    if (own.ss_family == AF_UNIX) { reply(c, "ok\nunix\n", "", 0); return; }
    struct sockaddr_storage *each[2] = {&peer, &own};
    for (int i = 0; i < 2; i++)
        if (each[i]->ss_family == AF_INET) {
            struct sockaddr_in *in = (void *)each[i];
            inet_ntop(AF_INET, &in->sin_addr, host[i], sizeof host[i]);
            port[i] = ntohs(in->sin_port);
        } else {
            struct sockaddr_in6 *in = (void *)each[i];
            inet_ntop(AF_INET6, &in->sin6_addr, host[i], sizeof host[i]);
            port[i] = ntohs(in->sin6_port);
        }
    snprintf(line, sizeof line, "ok\ntcp %s %d %s %d\n", host[0], port[0], host[1], port[1]);
    reply(c, line, "", 0);
}
static void list(struct client *c) {
    size_t size = 0;
    static char names[LIMIT];
    for (size_t i = 0; i < stored; i++) {
        size_t one = strlen(messages[i].name);
        if (3 + size + one + 1 > LIMIT) { reply(c, "error too long\n", "", 0); return; }
        memcpy(names + size, messages[i].name, one);
        size += one;
        names[size++] = '\n';
    }
    reply(c, "ok\n", names, size);
}
static void answer(struct client *c, const char *body, size_t size) {
    const char *end = memchr(body, '\n', size);
    char name[65];
    if (!end) { reply(c, "error no line feed\n", "", 0); return; }
    size_t head = end - body, rest = size - head - 1;
    if (head > 4 && !memcmp(body, "put ", 4) && name_of(body + 4, head - 4, name)) {
        put(name, end + 1, rest);
        reply(c, "ok\n", "", 0);
    } else if (rest) reply(c, "error bytes after the line\n", "", 0);
    else if (head > 4 && !memcmp(body, "get ", 4) && name_of(body + 4, head - 4, name)) {
        struct message *m = find(name);
        if (m) reply(c, "ok\n", m->bytes, m->size); else reply(c, "error no such message\n", "", 0);
    } else if (head == 4 && !memcmp(body, "list", 4)) list(c);
    else if (head == 6 && !memcmp(body, "whoami", 6)) whoami(c);
    else reply(c, "error bad request\n", "", 0);
}
static void drop(int which) {
    close(clients[which]->fd);
    free(clients[which]);
    clients[which] = clients[--served];
}
static void linger(struct client *c) {
    shutdown(c->fd, SHUT_WR);
    c->lingers = true;
    c->since = now();
}
/* Whole frames are answered, one at a time; `too_long` is answered, too, and is the last. False: it is over. */
static bool work(struct client *c) {
    while (!c->waits && !c->lingers) {
        uint32_t length;
        if (c->got >= 4) {
            memcpy(&length, c->in, 4);
            length = ntohl(length);
            if (length > LIMIT) { reply(c, "error too long\n", "", 0); c->ended = true; c->got = 0; }
            else if (c->got >= 4 + length) {
                answer(c, c->in + 4, length);
                memmove(c->in, c->in + 4 + length, c->got -= 4 + length);
            }
        }
        if (!c->waits) { if (c->ended) linger(c); break; }
        while (c->begun < c->waits) {
            ssize_t n = send(c->fd, c->out + c->begun, c->waits - c->begun, MSG_NOSIGNAL);
            if (n < 0) { if (errno == EAGAIN || errno == EINTR) return true; return false; }
            c->begun += n;
            c->since = now();
        }
        c->waits = 0;
    }
    return true;
}
static bool sends(struct client *c) {
    while (c->begun < c->waits) {
        ssize_t n = send(c->fd, c->out + c->begun, c->waits - c->begun, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        c->begun += n;
        c->since = now();
    }
    c->waits = 0;
    c->since = now();
    return work(c);
}
static bool reads(struct client *c) {
    static char waste[LIMIT];
    ssize_t n;
    if (c->lingers) {
        n = recv(c->fd, waste, sizeof waste, 0);
        return n > 0 || (n < 0 && errno == EAGAIN);
    }
    n = recv(c->fd, c->in + c->got, sizeof c->in - c->got, 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    c->since = now();
    if (n == 0) c->ended = true;
    c->got += n;
    return work(c);
}
static socklen_t parse(char *text, struct sockaddr_storage *to) {
    memset(to, 0, sizeof *to);
    if (!strncmp(text, "unix:", 5) && text[5]) {
        struct sockaddr_un *un = (void *)to;
        if (strlen(text + 5) >= sizeof un->sun_path) return 0;
        un->sun_family = AF_UNIX;
        strcpy(un->sun_path, unix_path = text + 5);
        return sizeof *un;
    }
    char host[64], *colon = strrchr(text, ':'), *end;
    if (!colon || colon - text >= (int)sizeof host || !isdigit((unsigned char)colon[1])) return 0;
    long port = strtol(colon + 1, &end, 10);
    if (*end || port > 65535) return 0;
    memcpy(host, text, colon - text);
    host[colon - text] = 0;
    struct sockaddr_in6 *six = (void *)to;
    struct sockaddr_in *four = (void *)to;
    if (host[0] == '[' && host[strlen(host) - 1] == ']') {
        host[strlen(host) - 1] = 0;
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1 ? sizeof *six : 0;
    }
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    return inet_pton(AF_INET, host, &four->sin_addr) == 1 ? sizeof *four : 0;
}
static int listens(char *text, struct sockaddr_storage *at, socklen_t size) {
    int fd = socket(at->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct stat st;
    if (unix_path && !lstat(unix_path, &st) && S_ISSOCK(st.st_mode)) {
        int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(probe, (void *)at, size) && errno == ECONNREFUSED) unlink(unix_path);
        close(probe);
    }
    if (!unix_path) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (void *)at, size) || listen(fd, 128)) fail(3, text, strerror(errno));
    return fd;
}
static void announce(char *text, int listener) {
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    getsockname(listener, (void *)&own, &size);
    if (unix_path) printf("listening on %s\n", text);
    else printf("listening on %.*s:%d\n", (int)(strrchr(text, ':') - text), text,
                ntohs(own.ss_family == AF_INET ? ((struct sockaddr_in *)&own)->sin_port : ((struct sockaddr_in6 *)&own)->sin6_port));
    fflush(stdout);
}
static double limit_of(struct client *c) { return c->since + (c->lingers ? 1.0 : idle); }
static void turn(int listener) {
    struct pollfd fds[MOST + 2];
    double next = 1e18;
    fds[0] = (struct pollfd){wake[0], POLLIN, 0};
    fds[1] = (struct pollfd){served < max_clients ? listener : -1, POLLIN, 0};
    for (int i = 0; i < served; i++) {
        struct client *c = clients[i];
        fds[i + 2] = (struct pollfd){c->fd, c->waits ? POLLOUT : POLLIN, 0};
        if (limit_of(c) < next) next = limit_of(c);
    }
    int wait = served ? (int)((next - now()) * 1000) + 1 : -1;
    if (served && wait < 0) wait = 0;
    int here = served;
    if (poll(fds, here + 2, wait) < 0) return;
    if (fds[0].revents) { if (unix_path) unlink(unix_path); exit(0); }
    for (int i = here - 1; i >= 0; i--) {
        struct client *c = clients[i];
        bool good = true;
        if (fds[i + 2].revents) good = c->waits ? sends(c) : reads(c);
        if (good && now() > limit_of(c)) { if (c->lingers) good = false; else { c->waits = 0; linger(c); } }
        if (!good) drop(i);
    }
    if (fds[1].revents) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            struct client *c = calloc(1, sizeof *c);
            c->fd = fd;
            c->since = now();
            clients[served++] = c;
        }
    }
}
int main(int argc, char **argv) {
    struct sockaddr_storage at;
    socklen_t size;
    char *end;
    if (argc < 2 || argc % 2 || !(size = parse(argv[1], &at))) fail(2, "usage", "ADDRESS [--max-clients N] [--idle S]");
    for (int i = 2; i < argc; i += 2) {
        if (!strcmp(argv[i], "--max-clients")) {
            long n = strtol(argv[i + 1], &end, 10);
            if (*end || n < 1) fail(2, argv[i + 1], "not a number of clients");
            max_clients = n < MOST ? n : MOST;
        } else if (!strcmp(argv[i], "--idle")) {
            idle = strtod(argv[i + 1], &end);
            if (*end || end == argv[i + 1] || !(idle > 0)) fail(2, argv[i + 1], "not a number of seconds");
        } else fail(2, argv[i], "no such option");
    }
    if (pipe(wake)) fail(3, "pipe", strerror(errno));
    signal(SIGPIPE, SIG_IGN);
    int listener = listens(argv[1], &at, size);
    signal(SIGTERM, on_term);
    announce(argv[1], listener);
    for (;;) turn(listener);
}
