/* The calls of docs/guest.md: a line of JSON in, a line of JSON out.
 *
 * The tester writes its keys in quotes, and no value ever holds a quote, so a key can be looked for in the text:
 * that is all the JSON this needs.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 1 << 20, CONNECTIONS = 64 };

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_base64(const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16 | (i + 1 < length ? data[i + 1] << 8 : 0) |
                         (i + 2 < length ? data[i + 2] : 0);
        putchar(DIGITS[three >> 18]);
        putchar(DIGITS[three >> 12 & 63]);
        putchar(i + 1 < length ? DIGITS[three >> 6 & 63] : '=');
        putchar(i + 2 < length ? DIGITS[three & 63] : '=');
    }
}

/* Reads the text between two quotes; leaves `*text` behind the second one. */
static size_t get_base64(const char **text, uint8_t *out)
{
    uint32_t bits = 0;
    int count = 0;
    size_t length = 0;
    const char *at = *text + 1;
    for (; *at != '"' && *at != '\0'; at++) {
        const char *digit = strchr(DIGITS, *at);
        if (digit == NULL) /* padding */
            continue;
        bits = bits << 6 | (uint32_t)(digit - DIGITS);
        if ((count += 6) >= 8)
            out[length++] = (uint8_t)(bits >> (count -= 8));
    }
    *text = at + 1;
    return length;
}

/* What stands behind a key, NULL without one. */
static const char *value(const char *line, const char *key)
{
    char quoted[40];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(line, quoted);
    return found == NULL ? NULL : found + strlen(quoted) + strspn(found + strlen(quoted), " ");
}

static double number(const char *line, const char *key)
{
    const char *text = value(line, key);
    return text == NULL ? 0 : strtod(text, NULL);
}

static bool is(const char *line, const char *key, const char *expected)
{
    const char *text = value(line, key);
    return text != NULL && strncmp(text, expected, strlen(expected)) == 0;
}

static void step(struct connection *c, const char *line)
{
    static uint8_t bytes[LINE];
    static struct datagrams out;
    double now = number(line, "now"), when;
    const char *text = value(line, "receive");

    if (text != NULL)
        for (text++; *text == '"' || *text == ',' || *text == ' ';) {
            if (*text != '"')
                text++;
            else {
                size_t length = get_base64(&text, bytes);
                receive_datagram(c, bytes, length, now);
            }
        }
    if (is(line, "timer", "true"))
        handle_timer(c, now);
    if (is(line, "abort", "true"))
        abort_connection(c);
    text = value(line, "send");
    size_t length = text == NULL ? 0 : get_base64(&text, bytes);
    printf("{\"accepted\":%zu", length > 0 ? send_bytes(c, bytes, length) : 0);
    if (is(line, "end", "true"))
        end_stream(c);
    printf(",\"read\":\"");
    put_base64(bytes, read_bytes(c, bytes, (size_t)number(line, "read")));
    printf("\",\"events\":[");
    for (int i = 0; i < c->event_count; i++)
        printf("%s\"%s\"", i ? "," : "", c->events[i]);
    c->event_count = 0;
    printf("],\"datagrams\":[");
    datagrams_to_send(c, &out, now);
    for (int i = 0; i < out.count; i++) {
        printf("%s\"", i ? "," : "");
        put_base64(out.data[i], out.length[i]);
        putchar('"');
    }
    if (next_timer(c, &when))
        printf("],\"timer\":%.9f}\n", when);
    else
        printf("],\"timer\":null}\n");
}

int main(void)
{
    static char line[LINE];
    static struct connection *connections[CONNECTIONS];

    while (fgets(line, sizeof line, stdin) != NULL) {
        struct connection **c = &connections[(unsigned)number(line, "id") % CONNECTIONS];
        if (is(line, "do", "\"hello\"")) {
            printf("{\"protocol\":1,\"calls\":[\"new\"]}\n");
        } else if (is(line, "do", "\"new\"")) {
            if (*c == NULL)
                *c = malloc(sizeof **c);
            make(*c, is(line, "role", "\"client\""), (uint32_t)number(line, "isn"),
                 (size_t)number(line, "receive_buffer"));
            printf("{}\n");
        } else if (is(line, "do", "\"step\"") && *c != NULL) {
            step(*c, line);
        } else if (is(line, "do", "\"drop\"")) {
            free(*c);
            *c = NULL;
            printf("{}\n");
        } else {
            printf("{\"error\":\"this guest has no such call\"}\n");
        }
        fflush(stdout);
    }
    return 0;
}
