/* One segment under way, repeated until it is acknowledged; what comes out of order is dropped. */
#include "stop_and_wait.h"

#include <string.h>

static void tell(struct connection *c, const char *event)
{
    if (c->event_count < EVENTS)
        c->events[c->event_count++] = event;
}

static void finish(struct connection *c, const char *event)
{
    c->over = true;
    c->ack_due = false;
    tell(c, event);
}

static uint32_t size_of(const struct segment *s)
{
    return (uint32_t)s->length + s->syn + s->fin;
}

static uint32_t room(const struct connection *c)
{
    return (uint32_t)(c->capacity - c->in_length);
}

void make(struct connection *c, bool client, uint32_t isn, size_t receive_buffer)
{
    memset(c, 0, sizeof *c);
    c->next = isn;
    c->capacity = c->offered = receive_buffer < BUFFER ? receive_buffer : BUFFER;
    c->timeout = 1.0;
    c->waiting = c->current.syn = client;
    c->current.sequence = isn;
}

/* The peer's SYN: from here on it is known which number comes next. */
static bool first(struct connection *c, const struct segment *s)
{
    bool asked = c->waiting;
    bool answered = s->ack && s->acknowledgement == c->next + 1;
    if (asked && s->rst && answered)
        finish(c, "reset");
    if (!s->syn || s->rst || asked != s->ack || (asked && !answered))
        return false;
    c->expected = s->sequence + 1;
    c->synchronised = true;
    c->window = s->window;
    if (!asked) {
        c->waiting = c->current.syn = true;
        c->current.sequence = c->next;
    }
    return true;
}

static void acknowledged(struct connection *c, const struct segment *s, double now)
{
    uint32_t ahead = s->acknowledgement - c->next;
    if (ahead > (c->waiting ? size_of(&c->current) : 0))
        return;
    c->window = s->window;
    if (ahead == 0)
        return;
    if (c->tries == 1) { /* Karn: a repeated segment tells nothing of the round trip */
        double timeout = 2.5 * (now - c->sent_at);
        c->timeout = timeout < 0.25 ? 0.25 : timeout > 60 ? 60 : timeout;
    }
    c->next += ahead;
    c->tries = 0;
    c->waiting = c->on_its_way = false;
    if (c->current.syn) {
        c->connected = true;
        tell(c, "connected");
    } else if (c->current.fin) {
        c->fin_acked = true;
    } else {
        c->out_length -= ahead;
        memmove(c->out, c->out + ahead, c->out_length);
    }
}

static void accept_bytes(struct connection *c, const struct segment *s)
{
    uint32_t old = c->expected - s->sequence;
    if (s->syn || old > s->length)
        return;
    size_t fresh = s->length - old, taken = fresh < room(c) ? fresh : room(c);
    memcpy(c->in + c->in_length, s->payload + old, taken);
    c->in_length += taken;
    c->expected += (uint32_t)taken;
    if (s->fin && taken == fresh && !c->fin_received) {
        c->fin_received = true;
        c->expected++;
        tell(c, "end of stream");
    }
}

void receive_datagram(struct connection *c, const uint8_t *data, size_t length, double now)
{
    struct segment s;
    if (c->over || !decode(data, length, &s) || (!c->synchronised && !first(c, &s)))
        return;
    if (s.rst) {
        if (s.sequence == c->expected)
            finish(c, "reset");
        return;
    }
    if (s.ack)
        acknowledged(c, &s, now);
    c->ack_due = c->ack_due || size_of(&s) > 0 || s.sequence - c->expected > room(c);
    accept_bytes(c, &s);
    if (!c->fin_received || !c->fin_acked)
        return;
    if (!c->closed_first)
        finish(c, "closed");
    else if (c->leaves_at == 0 || s.fin)
        c->leaves_at = now + 4.0;
}

size_t send_bytes(struct connection *c, const uint8_t *data, size_t length)
{
    if (c->end_wanted || c->over) {
        tell(c, "send after end");
        return 0;
    }
    size_t free_bytes = BUFFER - c->out_length, taken = length < free_bytes ? length : free_bytes;
    memcpy(c->out + c->out_length, data, taken);
    c->out_length += taken;
    return taken;
}

size_t read_bytes(struct connection *c, uint8_t *to, size_t limit)
{
    size_t taken = limit < c->in_length ? limit : c->in_length;
    size_t least = c->capacity / 2 < MOST_PAYLOAD ? c->capacity / 2 : MOST_PAYLOAD;
    memcpy(to, c->in, taken);
    c->in_length -= taken;
    memmove(c->in, c->in + taken, c->in_length);
    if (c->connected && !c->over && room(c) >= c->offered + least)
        c->ack_due = true; /* the window has opened */
    return taken;
}

void end_stream(struct connection *c)
{
    c->end_wanted = true;
}

void abort_connection(struct connection *c)
{
    c->reset_due = c->connected && !c->over;
    c->over = true;
}

/* What waits for an acknowledgement next, if anything does. */
static void choose(struct connection *c)
{
    if (c->waiting || !c->connected)
        return;
    size_t size = c->out_length < MOST_PAYLOAD ? c->out_length : MOST_PAYLOAD;
    bool shut = size > 0 && c->window == 0;
    if (size > c->window)
        size = shut ? 1 : c->window; /* a window of nothing is asked with one byte, at the timeout */
    if (size == 0 && (!c->end_wanted || c->fin_sent))
        return;
    memset(&c->current, 0, sizeof c->current);
    c->current.sequence = c->next;
    c->current.length = size;
    memcpy(c->current.payload, c->out, size);
    if (size == 0) {
        c->current.fin = c->fin_sent = true;
        c->closed_first = !c->fin_received;
    }
    c->waiting = true;
    c->on_its_way = shut;
}

static void add(struct connection *c, struct datagrams *out, struct segment s)
{
    s.window = room(c);
    c->offered = room(c);
    s.ack = c->synchronised;
    s.acknowledgement = c->expected;
    out->length[out->count] = encode(&s, out->data[out->count]);
    out->count++;
}

void datagrams_to_send(struct connection *c, struct datagrams *out, double now)
{
    struct segment plain = {.sequence = c->next + (c->waiting && c->tries ? size_of(&c->current) : 0)};
    out->count = 0;
    if (c->reset_due) {
        c->reset_due = false;
        plain.rst = true;
        add(c, out, plain);
    }
    if (c->over)
        return;
    choose(c);
    if (c->waiting && !c->on_its_way) {
        c->on_its_way = true;
        c->sent_at = now;
        c->tries++;
        add(c, out, c->current);
    } else if (c->ack_due) {
        add(c, out, plain);
    }
    c->ack_due = false;
}

bool next_timer(const struct connection *c, double *when)
{
    double wait = c->timeout;
    for (int i = 1; i < c->tries && wait < 60; i++)
        wait *= 2;
    if (c->over || (c->leaves_at == 0 && !(c->waiting && c->on_its_way)))
        return false;
    *when = c->leaves_at > 0 ? c->leaves_at : c->sent_at + (wait < 60 ? wait : 60);
    return true;
}

void handle_timer(struct connection *c, double now)
{
    if (c->leaves_at > 0) {
        if (now >= c->leaves_at)
            finish(c, "closed");
        return;
    }
    if (c->tries >= (c->current.syn ? 6 : 9) && (c->current.syn || c->window > 0))
        finish(c, c->current.fin && c->fin_received ? "closed" : "timed out");
    c->on_its_way = false;
}
