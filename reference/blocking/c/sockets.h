// GIVEN TO STUDENTS
/* The life of a socket, from its making to its end: connect, listen, close. What is sent over it is not here.
 *
 * client                                  server
 * socket()                                socket()
 *                                         bind()     local address and port
 *                                         listen()   from now on the kernel shakes hands by itself
 * connect()  ------- SYN, SYN+ACK, ACK -->           and queues connections, up to the backlog
 *                                         accept()   takes one from the queue: a new socket, the full 5-tuple
 *
 * A function that fails returns -1, and errno says why.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "address.h"

/* Connections that the kernel keeps waiting for accept(2). Linux drops the SYNs of any more. */
enum { BACKLOG = 128 };

/* Milliseconds that close_gently waits for the peer's end. */
enum { PATIENCE = 1000 };

/* A stream socket connected to an address. */
int connect_to(const struct address *address);

/* A stream socket that listens at an address. A Unix socket that nobody serves any more is replaced. */
int listen_at(const struct address *address);

/* A UDP socket bound to an address. */
int bind_datagrams(const struct address *address);

/* Close so that the peer can still read everything it was sent. Takes PATIENCE at most. */
void close_gently(int sock);

/* Milliseconds of a clock that nobody sets. */
long long now_ms(void);

#endif
