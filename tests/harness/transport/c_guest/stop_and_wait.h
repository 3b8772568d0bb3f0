/* Stop and wait in C: what the functions that are offered to the tester are made of. No library but the guest's. */
#ifndef STOP_AND_WAIT_H
#define STOP_AND_WAIT_H

#include "guest.h"

enum { HEADER = 20, BUFFER = 65536, EVENTS = 16, OUT = 8 };

/* segment.c: the wire, without SACK blocks. */
uint32_t checksum(const uint8_t *data, size_t length);
size_t encode(const struct segment *segment, uint8_t out[MOST_DATAGRAM]);
bool decode(const uint8_t *data, size_t length, struct segment *out);

struct datagrams {
    int count, taken;
    size_t length[OUT];
    uint8_t data[OUT][MOST_DATAGRAM];
};

/* connection.c: the protocol. It is told the time, and never asks for it. */
struct connection {
    bool connected, end_wanted, fin_sent, fin_acked, fin_received, closed_first, over;
    bool ack_due, reset_due;
    uint32_t next;               /* number of the next thing to send that is not acknowledged */
    bool synchronised;           /* whether `expected` is known */
    uint32_t expected;           /* number of the next thing to receive */
    uint32_t window;             /* of the peer */
    struct segment current;      /* what waits for its acknowledgement, if `waiting` */
    bool waiting, on_its_way;    /* on_its_way: it was sent, and its time is not up */
    int tries;
    double sent_at, timeout;
    double leaves_at;            /* end of TIME-WAIT, 0 outside of it */
    uint8_t out[BUFFER], in[BUFFER];
    size_t out_length, in_length, capacity, offered;
    const char *events[EVENTS];
    int event_count;
    struct datagrams leaving;
};

void make(struct connection *c, bool client, uint32_t isn, size_t receive_buffer);
void receive_datagram(struct connection *c, const uint8_t *data, size_t length, double now);
void handle_timer(struct connection *c, double now);
size_t send_bytes(struct connection *c, const uint8_t *data, size_t length);
size_t read_bytes(struct connection *c, uint8_t *to, size_t limit);
void end_stream(struct connection *c);
void abort_connection(struct connection *c);
void datagrams_to_send(struct connection *c, struct datagrams *out, double now);
bool next_timer(const struct connection *c, double *when);

#endif
