/* Addresses as the course writes them: `HOST:PORT`, `[V6]:PORT`, `udp:HOST:PORT`, `unix:PATH`. Hosts are numeric. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
    int type;                      /* SOCK_STREAM or SOCK_DGRAM: the second argument of socket(2) */
    struct sockaddr_storage where; /* what connect(2) and bind(2) take; its ss_family is the first of socket(2) */
    socklen_t length;              /* of `where` */
    const char *path;              /* of a Unix socket, else NULL */
    const char *text;              /* as it was given */
};

/* Read an address; false if the text is not one. `text` has to live as long as the address. */
bool parse_address(const char *text, struct address *out);

/* The notation of an address, with the port that the socket was really given. Returns `out`. */
const char *bound_as(const struct address *address, int sock, char *out, size_t size);

#endif
