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
    // BEGIN SOLUTION: stage 2: the time in UTC, whatever the time zone of this machine
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    return strftime(line, LINE, "%Y-%m-%dT%H:%M:%SZ\r\n", &utc);
    // END SOLUTION
}

/* Accept one client after the other, for ever. A client that vanishes is not a reason to end. */
static void serve_streams(int listener)
{
    // BEGIN SOLUTION: stage 2: accept, send the line, close so that the client can read it
    char line[LINE];
    for (;;) {
        int sock = accept(listener, NULL, NULL);
        if (sock < 0)
            continue; /* reset while it waited in the queue; accept(2) says to try again */
        size_t length = daytime(line);
        send(sock, line, length, 0); /* so little fits into any buffer; a client that is gone wants it no more */
        close_gently(sock);
    }
    // END SOLUTION
}

/* Answer every datagram, whatever is in it, to the address it came from. For ever. */
static void serve_datagrams(int sock)
{
    // BEGIN SOLUTION: stage 3: recvfrom, sendto
    char line[LINE];
    for (;;) {
        struct sockaddr_storage sender;
        socklen_t length = sizeof sender;
        if (recvfrom(sock, NULL, 0, 0, (struct sockaddr *)&sender, &length) >= 0) /* the rest is thrown away */
            sendto(sock, line, daytime(line), 0, (struct sockaddr *)&sender, length);
    }
    // END SOLUTION
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
