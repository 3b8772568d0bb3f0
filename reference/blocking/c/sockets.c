#include "sockets.h"

#include "program.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int connect_to(const struct address *address)
{
    // BEGIN SOLUTION: stage 1: make a stream socket of the address's family and connect it
    int sock = socket(address->where.ss_family, SOCK_STREAM, 0);
    if (sock >= 0 && connect(sock, (const struct sockaddr *)&address->where, address->length) != 0) {
        int why = errno; /* close may change it */
        close(sock);
        errno = why;
        return -1;
    }
    return sock;
    // END SOLUTION
}

// BEGIN SOLUTION: stage 2: remove the file of a Unix socket only if it is a socket that refuses a connection
static void remove_stale(const struct address *address)
{
    struct stat found;
    if (lstat(address->path, &found) != 0 || !S_ISSOCK(found.st_mode))
        return;
    int probe = connect_to(address);
    if (probe >= 0)
        close(probe); /* a server answers there: bind will complain */
    else if (errno == ECONNREFUSED)
        unlink(address->path);
}
// END SOLUTION

int listen_at(const struct address *address)
{
    // BEGIN SOLUTION: stage 2: make the socket, set SO_REUSEADDR, bind, listen with a backlog
    if (address->path != NULL)
        remove_stale(address);
    int listener = socket(address->where.ss_family, SOCK_STREAM, 0);
    if (listener < 0)
        return -1;
    /* RFC 9293 section 3.6.1: whoever closes first keeps the port in TIME-WAIT; this binds it again meanwhile. */
    int yes = 1;
    if (address->path == NULL)
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (const struct sockaddr *)&address->where, address->length) != 0 ||
        listen(listener, BACKLOG) != 0) {
        int why = errno;
        close(listener);
        errno = why;
        return -1;
    }
    return listener;
    // END SOLUTION
}

int bind_datagrams(const struct address *address)
{
    // BEGIN SOLUTION: stage 3: a datagram socket; there is nothing to listen for and nothing to accept
    int sock = socket(address->where.ss_family, SOCK_DGRAM, 0);
    if (sock >= 0 && bind(sock, (const struct sockaddr *)&address->where, address->length) != 0) {
        int why = errno;
        close(sock);
        errno = why;
        return -1;
    }
    return sock;
    // END SOLUTION
}

void close_gently(int sock)
{
    /* RFC 1122 section 4.2.2.13: closing with unread data sends a reset, which overtakes what the peer has not read.
     * So: end our side first, throw away what still comes until the peer ends its own, and only then close. */
    // BEGIN SOLUTION: stage 2: shutdown(SHUT_WR), then read and forget until the end, but not for ever; then close
    char forgotten[65536];
    long long deadline = now_ms() + PATIENCE, left;
    struct pollfd waits = {.fd = sock, .events = POLLIN};
    shutdown(sock, SHUT_WR);
    while ((left = deadline - now_ms()) > 0) {
        int ready = poll(&waits, 1, (int)left);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0 || recv(sock, forgotten, sizeof forgotten, 0) <= 0)
            break; /* the end, a reset, or silence: there is nothing left that a close could destroy */
    }
    close(sock);
    // END SOLUTION
}
