// GIVEN TO STUDENTS
/* A transport in C, offered to the tester: docs/guest.md's lines become calls of your functions.
 *
 * You write functions, put them into a `struct calls`, and your main() is `return serve(&calls);`. What you leave NULL
 * is not offered yet: its checks say so. Nothing in here knows a socket or a clock: time is an argument, in seconds.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST_PAYLOAD = 1200, MOST_BLOCKS = 3, MOST_DATAGRAM = 20 + 8 * MOST_BLOCKS + MOST_PAYLOAD };

/* The fields of a segment, as the handout has them. */
struct segment {
    uint32_t sequence, acknowledgement, window;
    bool syn, ack, fin, rst;
    int blocks;                     /* SACK blocks in use */
    uint32_t sack[MOST_BLOCKS][2];  /* left edge, right edge */
    size_t length;                  /* bytes of payload */
    uint8_t payload[MOST_PAYLOAD];
};

struct connection;  /* yours: what a connection has to remember */
struct reassembler; /* yours */
enum kind { IN_ORDER, WITH_GAPS, NEWEST_ONLY };

struct calls {
    /* Stage 1: all three of them. */
    uint32_t (*checksum)(const uint8_t *data, size_t length);
    size_t (*encode)(const struct segment *segment, uint8_t out[MOST_DATAGRAM]); /* how many bytes it is */
    bool (*decode)(const uint8_t *data, size_t length, struct segment *out);     /* false: it is not a segment */

    /* Stage 2. */
    struct reassembler *(*new_reassembler)(enum kind kind, size_t capacity);
    void (*free_reassembler)(struct reassembler *r);
    void (*receive)(struct reassembler *r, uint64_t position, const uint8_t *data, size_t length);
    /* The next piece that may be handed on now: its bytes, which stay yours, or NULL if there is none. */
    const uint8_t *(*read_piece)(struct reassembler *r, uint64_t *position, size_t *length);
    /* The nth hole that is waited for, from 0; false if there are not so many. */
    bool (*missing)(struct reassembler *r, int nth, uint64_t *from, uint64_t *to);

    /* Stages 3 to 7, and 9 (`model`). The verbs are those of the handout's Connection. */
    struct connection *(*new_connection)(bool client, uint32_t isn, size_t receive_buffer, bool model);
    void (*free_connection)(struct connection *c);
    void (*receive_datagram)(struct connection *c, const uint8_t *data, size_t length, double now);
    void (*handle_timer)(struct connection *c, double now);
    void (*abort)(struct connection *c);
    size_t (*send)(struct connection *c, const uint8_t *data, size_t length); /* how many were accepted */
    void (*end)(struct connection *c);
    size_t (*read)(struct connection *c, uint8_t *to, size_t limit);
    const char *(*next_event)(struct connection *c); /* "connected", "end of stream", ...; NULL: there is none */
    /* The next datagram that is to be sent now: how many bytes it is, 0 if there is none. */
    size_t (*datagram_to_send)(struct connection *c, uint8_t out[MOST_DATAGRAM], double now);
    bool (*next_timer)(struct connection *c, double *when); /* false: none is set */
};

/* Answer the tester's calls until its input ends; the exit status. */
int serve(const struct calls *calls);

#endif
