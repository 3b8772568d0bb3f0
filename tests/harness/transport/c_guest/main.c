/* What of it is offered: no reassemblers. */
#include "stop_and_wait.h"

#include <stdlib.h>
#include <string.h>

static struct connection *new_connection(bool client, uint32_t isn, size_t receive_buffer, bool model)
{
    struct connection *made = malloc(sizeof *made);
    (void)model;
    make(made, client, isn, receive_buffer);
    return made;
}

static void free_connection(struct connection *c)
{
    free(c);
}

static const char *next_event(struct connection *c)
{
    if (c->event_count == 0)
        return NULL;
    const char *event = c->events[0];
    memmove(c->events, c->events + 1, sizeof c->events - sizeof *c->events);
    c->event_count--;
    return event;
}

static size_t datagram_to_send(struct connection *c, uint8_t out[MOST_DATAGRAM], double now)
{
    struct datagrams *leaving = &c->leaving;
    if (leaving->taken == leaving->count) {
        datagrams_to_send(c, leaving, now);
        leaving->taken = 0;
    }
    if (leaving->count == 0)
        return 0;
    size_t length = leaving->length[leaving->taken];
    memcpy(out, leaving->data[leaving->taken++], length);
    return length;
}

static bool timer(struct connection *c, double *when)
{
    return next_timer(c, when);
}

int main(void)
{
    static const struct calls calls = {
        .checksum = checksum,
        .encode = encode,
        .decode = decode,
        .new_connection = new_connection,
        .free_connection = free_connection,
        .receive_datagram = receive_datagram,
        .handle_timer = handle_timer,
        .abort = abort_connection,
        .send = send_bytes,
        .end = end_stream,
        .read = read_bytes,
        .next_event = next_event,
        .datagram_to_send = datagram_to_send,
        .next_timer = timer,
    };
    return serve(&calls);
}
