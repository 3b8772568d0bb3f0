// GIVEN TO STUDENTS
/* The lines of docs/guest.md: a JSON object in, a JSON object out.
 *
 * The tester writes its keys in quotes, and no value ever holds a quote, so a key can be looked for in the text:
 * that is all the JSON this needs.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 6 << 20 };

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static char line[LINE];
static uint8_t bytes[LINE];

/* What the tester made and has not dropped. */
static struct object {
    long id;
    struct connection *connection;
    struct reassembler *reassembler;
} *objects;
static size_t count;

static void put_base64(const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16 | (uint32_t)(i + 1 < length ? data[i + 1] << 8 : 0) |
                         (i + 2 < length ? data[i + 2] : 0);
        putchar(DIGITS[three >> 18]);
        putchar(DIGITS[three >> 12 & 63]);
        putchar(i + 1 < length ? DIGITS[three >> 6 & 63] : '=');
        putchar(i + 2 < length ? DIGITS[three & 63] : '=');
    }
}

/* Reads the text between two quotes into `bytes`; leaves `*text` behind the second one. */
static size_t get_base64(const char **text)
{
    uint32_t bits = 0;
    int have = 0;
    size_t length = 0;
    const char *at = *text + 1;
    for (; *at != '"' && *at != '\0'; at++) {
        const char *digit = strchr(DIGITS, *at);
        if (digit == NULL) /* padding */
            continue;
        bits = bits << 6 | (uint32_t)(digit - DIGITS);
        if ((have += 6) >= 8)
            bytes[length++] = (uint8_t)(bits >> (have -= 8));
    }
    *text = at + (*at == '"');
    return length;
}

/* What stands behind a key, NULL without one. */
static const char *value(const char *key)
{
    char quoted[40];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(line, quoted);
    return found == NULL ? NULL : found + strlen(quoted) + strspn(found + strlen(quoted), " ");
}

static double number(const char *key)
{
    const char *text = value(key);
    return text == NULL ? 0 : strtod(text, NULL);
}

static bool is(const char *key, const char *expected)
{
    const char *text = value(key);
    return text != NULL && strncmp(text, expected, strlen(expected)) == 0;
}

/* The bytes behind a key are in `bytes` then. */
static size_t data(const char *key)
{
    const char *text = value(key);
    return text == NULL ? 0 : get_base64(&text);
}

static struct object *object(void)
{
    long id = (long)number("id");
    for (size_t i = 0; i < count; i++)
        if (objects[i].id == id)
            return &objects[i];
    objects = realloc(objects, (count + 1) * sizeof *objects);
    objects[count] = (struct object){.id = id};
    return &objects[count++];
}

static void drop(const struct calls *calls, struct object *o)
{
    if (o->connection != NULL && calls->free_connection != NULL)
        calls->free_connection(o->connection);
    if (o->reassembler != NULL && calls->free_reassembler != NULL)
        calls->free_reassembler(o->reassembler);
    *o = objects[--count];
}

static uint32_t sum(const struct calls *calls)
{
    size_t length = data("data"); /* first: it fills `bytes` */
    return calls->checksum(bytes, length);
}

static void encode(const struct calls *calls)
{
    static struct segment s;
    static uint8_t out[MOST_DATAGRAM];
    s = (struct segment){.sequence = (uint32_t)number("sequence"),
                         .acknowledgement = (uint32_t)number("acknowledgement"),
                         .window = (uint32_t)number("window"),
                         .syn = is("syn", "true"),
                         .ack = is("ack", "true"),
                         .fin = is("fin", "true"),
                         .rst = is("rst", "true")};
    const char *text = value("sack");
    for (text = text == NULL ? "" : text + 1; *text == '[' && s.blocks < MOST_BLOCKS; s.blocks++) {
        char *end;
        s.sack[s.blocks][0] = (uint32_t)strtoul(text + 1, &end, 10);
        s.sack[s.blocks][1] = (uint32_t)strtoul(end + strspn(end, ", "), &end, 10);
        text = end + strspn(end, "], ");
    }
    s.length = data("payload");
    if (s.length > MOST_PAYLOAD)
        s.length = MOST_PAYLOAD;
    memcpy(s.payload, bytes, s.length);
    printf("{\"data\":\"");
    put_base64(out, calls->encode(&s, out));
    printf("\"}\n");
}

static const char *word(bool yes)
{
    return yes ? "true" : "false";
}

static void decode(const struct calls *calls)
{
    static struct segment s;
    memset(&s, 0, sizeof s);
    size_t length = data("data");
    if (!calls->decode(bytes, length, &s)) {
        printf("{\"segment\":null}\n");
        return;
    }
    printf("{\"segment\":{\"sequence\":%u,\"acknowledgement\":%u,\"window\":%u,\"syn\":%s,\"ack\":%s,\"fin\":%s,"
           "\"rst\":%s,\"sack\":[",
           s.sequence, s.acknowledgement, s.window, word(s.syn), word(s.ack), word(s.fin), word(s.rst));
    for (int i = 0; i < s.blocks; i++)
        printf("%s[%u,%u]", i ? "," : "", s.sack[i][0], s.sack[i][1]);
    printf("],\"payload\":\"");
    put_base64(s.payload, s.length);
    printf("\"}}\n");
}

static void reassemble(const struct calls *calls, struct reassembler *r)
{
    uint64_t from, to;
    size_t length;
    const uint8_t *piece;
    if (is("do", "\"receive\"")) {
        length = data("data");
        calls->receive(r, (uint64_t)number("position"), bytes, length);
        printf("{}\n");
    } else if (is("do", "\"read\"")) {
        printf("{\"pieces\":[");
        for (int i = 0; (piece = calls->read_piece(r, &from, &length)) != NULL; i++) {
            printf("%s[%llu,\"", i ? "," : "", (unsigned long long)from);
            put_base64(piece, length);
            printf("\"]");
        }
        printf("]}\n");
    } else {
        printf("{\"holes\":[");
        for (int i = 0; calls->missing(r, i, &from, &to); i++)
            printf("%s[%llu,%llu]", i ? "," : "", (unsigned long long)from, (unsigned long long)to);
        printf("]}\n");
    }
}

static void step(const struct calls *calls, struct connection *c)
{
    static uint8_t out[MOST_DATAGRAM];
    double now = number("now"), when;
    const char *text = value("receive"), *event;
    size_t length;

    for (text = text == NULL ? "" : text + 1; *text == '"' || *text == ',' || *text == ' ';) {
        if (*text != '"') {
            text++;
            continue;
        }
        length = get_base64(&text);
        calls->receive_datagram(c, bytes, length, now);
    }
    if (is("timer", "true"))
        calls->handle_timer(c, now);
    if (is("abort", "true"))
        calls->abort(c);
    length = data("send");
    printf("{\"accepted\":%zu", length > 0 ? calls->send(c, bytes, length) : 0);
    if (is("end", "true"))
        calls->end(c);
    double limit = number("read");
    printf(",\"read\":\"");
    put_base64(bytes, limit > 0 ? calls->read(c, bytes, limit < LINE / 2 ? (size_t)limit : LINE / 2) : 0);
    printf("\",\"events\":[");
    for (int i = 0; (event = calls->next_event(c)) != NULL; i++)
        printf("%s\"%s\"", i ? "," : "", event);
    printf("],\"datagrams\":[");
    for (int i = 0; (length = calls->datagram_to_send(c, out, now)) > 0; i++) {
        printf("%s\"", i ? "," : "");
        put_base64(out, length);
        putchar('"');
    }
    printf("],\"timer\":");
    if (calls->next_timer(c, &when))
        printf("%.9f}\n", when);
    else
        printf("null}\n");
}

static void hello(const struct calls *calls)
{
    const char *names[] = {calls->checksum ? "checksum" : NULL, calls->encode ? "encode" : NULL,
                           calls->decode ? "decode" : NULL, calls->new_reassembler ? "reassembler" : NULL,
                           calls->new_connection ? "new" : NULL};
    printf("{\"protocol\":1,\"calls\":[");
    for (size_t i = 0, told = 0; i < sizeof names / sizeof *names; i++)
        if (names[i] != NULL)
            printf("%s\"%s\"", told++ ? "," : "", names[i]);
    printf("]}\n");
}

static void make(const struct calls *calls, struct object *o)
{
    if (is("do", "\"new\""))
        o->connection = calls->new_connection(is("role", "\"client\""), (uint32_t)number("isn"),
                                              (size_t)number("receive_buffer"), is("model", "true"));
    else
        o->reassembler = calls->new_reassembler(is("kind", "\"InOrder\"")    ? IN_ORDER
                                                : is("kind", "\"WithGaps\"") ? WITH_GAPS
                                                                             : NEWEST_ONLY,
                                                (size_t)number("capacity"));
    printf("{}\n");
}

static bool answer(const struct calls *calls)
{
    bool assembles = is("do", "\"receive\"") || is("do", "\"read\"") || is("do", "\"missing\"");
    if (is("do", "\"hello\""))
        hello(calls);
    else if (is("do", "\"checksum\"") && calls->checksum != NULL)
        printf("{\"value\":%u}\n", sum(calls));
    else if (is("do", "\"encode\"") && calls->encode != NULL)
        encode(calls);
    else if (is("do", "\"decode\"") && calls->decode != NULL)
        decode(calls);
    else if ((is("do", "\"new\"") && calls->new_connection != NULL) ||
             (is("do", "\"reassembler\"") && calls->new_reassembler != NULL))
        make(calls, object());
    else if (is("do", "\"step\"") && object()->connection != NULL)
        step(calls, object()->connection);
    else if (assembles && object()->reassembler != NULL)
        reassemble(calls, object()->reassembler);
    else
        return false;
    return true;
}

int serve(const struct calls *calls)
{
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (is("do", "\"drop\"")) {
            drop(calls, object());
            printf("{}\n");
        } else if (!answer(calls)) {
            printf("{\"error\":\"this guest has no such call\"}\n");
        }
        fflush(stdout);
    }
    return 0;
}
