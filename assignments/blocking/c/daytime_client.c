/* daytime_client ADDRESS [--timeout S] [--tries N]: print the date and time that a server tells (RFC 867).
 *
 * Over TCP or a Unix socket (stage 1) the server sends its text and closes; what it sends is printed as it comes.
 * Over UDP (stage 3) an empty datagram asks, and one datagram is the answer.
 */
#include "address.h"
#include "program.h"
#include "sockets.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Larger than any datagram: a UDP payload has 65,507 bytes at most over IPv4. What does not fit would be cut off. */
enum { LARGEST_DATAGRAM = 65536 };
static char data[LARGEST_DATAGRAM];

/* Write what the peer sends to standard output as it comes, until the end of the stream: 0; -1 with errno.
 *
 * A stream has no message boundaries: one recv may return half a line or many. 0 alone means the end. */
static int copy_stream(int sock)
{
    not_written("stage 1: recv until it returns 0, and write each piece with write_out");
}

// Stage 3: two helpers: send the question, and receive until a deadline.

/* Ask over UDP, up to `tries` times, `timeout` seconds each; the length of the answer in `data`, or -1.
 *
 * connect(2) sends nothing on a datagram socket: it tells the kernel to drop what other addresses send, and to report
 * ICMP errors ("port unreachable") at the next call. */
static ssize_t ask(int sock, double timeout, long tries)
{
    not_written("stage 3: send an empty datagram, wait for the answer until a deadline, and try again");
}

static void ask_over_udp(const struct address *address, double timeout, long tries)
{
    int sock = socket(address->where.ss_family, SOCK_DGRAM, 0);
    if (sock < 0 || connect(sock, (const struct sockaddr *)&address->where, address->length) != 0)
        fail(CANNOT_CONNECT, "daytime_client: %s: %s", address->text, strerror(errno));
    ssize_t length = ask(sock, timeout, tries);
    if (length < 0)
        fail(GAVE_UP, "daytime_client: %s: no answer to %ld datagrams", address->text, tries);
    write_out(data, (size_t)length);
}

int main(int argc, char **argv)
{
    struct address address;
    double timeout = 1.0;
    long tries = 3;
    if (argc < 2 || !parse_address(argv[1], &address))
        fail(USAGE, "daytime_client: give an address: HOST:PORT, [V6]:PORT, udp:... or unix:PATH");
    for (int word = 2; word < argc; word += 2) {
        if (strcmp(argv[word], "--timeout") == 0)
            timeout = seconds_option(argv[word], argv[word + 1]);
        else if (strcmp(argv[word], "--tries") == 0)
            tries = count_option(argv[word], argv[word + 1]);
        else
            fail(USAGE, "daytime_client: %s: not an option", argv[word]);
    }
    if (address.type == SOCK_DGRAM) {
        ask_over_udp(&address, timeout, tries);
        return 0;
    }
    int sock = connect_to(&address);
    if (sock < 0)
        fail(CANNOT_CONNECT, "daytime_client: %s: %s", address.text, strerror(errno));
    if (copy_stream(sock) != 0)
        fail(BROKEN_PROTOCOL, "daytime_client: %s: %s", address.text, strerror(errno));
    close(sock);
    return 0;
}
