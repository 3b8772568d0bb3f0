/* Offers every call, and answers with what it was told: a mirror of the lines, and no transport. */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

static uint32_t sum(const uint8_t *data, size_t length)
{
    uint32_t all = 0;
    for (size_t i = 0; i < length; i++)
        all += data[i];
    return all;
}

static struct segment kept;

static size_t encode(const struct segment *segment, uint8_t out[MOST_DATAGRAM])
{
    kept = *segment;
    memcpy(out, segment->payload, segment->length);
    return segment->length;
}

static bool decode(const uint8_t *data, size_t length, struct segment *out)
{
    *out = kept;
    return length == kept.length && memcmp(data, kept.payload, length) == 0;
}

struct reassembler {
    enum kind kind;
    uint64_t position;
    size_t capacity, length;
    uint8_t data[100];
};

static struct reassembler *new_reassembler(enum kind kind, size_t capacity)
{
    struct reassembler *r = calloc(1, sizeof *r);
    r->kind = kind;
    r->capacity = capacity;
    return r;
}

static void free_reassembler(struct reassembler *r)
{
    free(r);
}

static void receive(struct reassembler *r, uint64_t position, const uint8_t *data, size_t length)
{
    r->position = position;
    r->length = length;
    memcpy(r->data, data, length);
}

static const uint8_t *read_piece(struct reassembler *r, uint64_t *position, size_t *length)
{
    *position = r->position;
    *length = r->length;
    r->length = 0;
    return *length > 0 ? r->data : NULL;
}

static bool missing(struct reassembler *r, int nth, uint64_t *from, uint64_t *to)
{
    *from = (uint64_t)r->kind;
    *to = r->capacity + (uint64_t)nth;
    return nth < 2;
}

struct connection {
    const char *event, *role;
    size_t length, left;
    uint8_t data[4000];
    double timer;
};

static struct connection *new_connection(bool client, uint32_t isn, size_t receive_buffer, bool model)
{
    struct connection *c = calloc(1, sizeof *c);
    c->event = client && isn == 7 && receive_buffer == 100 && model ? "connected" : "reset";
    return c;
}

static void free_connection(struct connection *c)
{
    free(c);
}

static void receive_datagram(struct connection *c, const uint8_t *data, size_t length, double now)
{
    memcpy(c->data + c->length, data, length);
    c->length += length;
    c->timer = now + 1;
}

static void handle_timer(struct connection *c, double now)
{
    c->timer = now + 2;
}

static void end(struct connection *c)
{
    c->event = "end of stream";
}

static void abort_it(struct connection *c)
{
    c->event = "closed";
}

static size_t send_half(struct connection *c, const uint8_t *data, size_t length)
{
    memcpy(c->data, data, length);
    c->left = length;
    return length / 2;
}

static size_t read_it(struct connection *c, uint8_t *to, size_t limit)
{
    size_t length = limit < c->left ? limit : c->left;
    memcpy(to, c->data, length);
    return length;
}

static const char *next_event(struct connection *c)
{
    const char *event = c->event;
    c->event = NULL;
    return event;
}

static size_t datagram_to_send(struct connection *c, uint8_t out[MOST_DATAGRAM], double now)
{
    size_t length = c->length < 3 ? c->length : 3;
    (void)now;
    memcpy(out, c->data, length);
    memmove(c->data, c->data + length, c->length -= length);
    return length;
}

static bool next_timer(struct connection *c, double *when)
{
    *when = c->timer;
    return c->timer > 0;
}

int main(void)
{
    static const struct calls calls = {
        sum,           encode,       decode,   new_reassembler,  free_reassembler, receive,
        read_piece,    missing,      new_connection, free_connection, receive_datagram, handle_timer,
        abort_it,      send_half,    end,      read_it,          next_event,       datagram_to_send,
        next_timer,
    };
    return serve(&calls);
}
