/* daytime_server ADDRESS: tell the date and time to everyone who asks, one client at a time (RFC 867).
 *
 * Over TCP or a Unix socket (stage 2) the answer is sent as soon as the connection is there, and the connection closed;
 * over UDP (stage 3) every datagram is answered with one. The format is that of RFC 3339, in UTC, followed by CR LF.
 */
#include "address.h"
#include "program.h"
#include "sockets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 32 };

/* This moment as a line, such as "2025-03-01T12:00:00Z" and CR LF; its length. */
static size_t daytime(char line[LINE])
{
    not_written("stage 2: the time in UTC, whatever the time zone of this machine");
}

/* Accept one client after the other, for ever. A client that vanishes is not a reason to end. */
static void serve_streams(int listener)
{
    not_written("stage 2: accept, send the line, close so that the client can read it");
}

/* Answer every datagram, whatever is in it, to the address it came from. For ever. */
static void serve_datagrams(int sock)
{
    not_written("stage 3: recvfrom, sendto");
}

int main(int argc, char **argv)
{
    struct address address;
    char text[128];
    if (argc != 2 || !parse_address(argv[1], &address))
        fail(USAGE, "daytime_server: give one address: HOST:PORT, [V6]:PORT, udp:... or unix:PATH");
    int sock = address.type == SOCK_DGRAM ? bind_datagrams(&address) : listen_at(&address);
    if (sock < 0)
        fail(CANNOT_CONNECT, "daytime_server: %s: %s", address.text, strerror(errno));
    end_on_sigterm(address.path);
    announce(bound_as(&address, sock, text, sizeof text));
    if (address.type == SOCK_DGRAM)
        serve_datagrams(sock);
    else
        serve_streams(sock);
}
