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
    not_written("stage 1: make a stream socket of the address's family and connect it");
}

// Stage 2: remove the file of a Unix socket only if it is a socket that refuses a connection.

int listen_at(const struct address *address)
{
    not_written("stage 2: make the socket, set SO_REUSEADDR, bind, listen with a backlog");
}

int bind_datagrams(const struct address *address)
{
    not_written("stage 3: a datagram socket; there is nothing to listen for and nothing to accept");
}

void close_gently(int sock)
{
    /* RFC 1122 section 4.2.2.13: closing with unread data sends a reset, which overtakes what the peer has not read.
     * So: end our side first, throw away what still comes until the peer ends its own, and only then close. */
    not_written("stage 2: shutdown(SHUT_WR), then read and forget until the end, but not for ever; then close");
}
