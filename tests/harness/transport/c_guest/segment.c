/* The header, in network order: magic, flags, payload length, checksum, sequence, acknowledgement, window. */
#include "stop_and_wait.h"

#include <string.h>

enum { MAGIC = 0x5C, SYN = 1, ACK = 2, FIN = 4, RST = 8 };

uint32_t checksum(const uint8_t *data, size_t length) /* crc-32 */
{
    uint32_t value = 0xFFFFFFFF;
    for (size_t i = 0; i < length; i++) {
        value ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0xEDB88320 : 0);
    }
    return ~value;
}

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

size_t encode(const struct segment *s, uint8_t out[MOST_DATAGRAM])
{
    size_t length = HEADER + s->length;
    out[0] = MAGIC;
    out[1] = (uint8_t)(s->syn * SYN | s->ack * ACK | s->fin * FIN | s->rst * RST);
    out[2] = (uint8_t)(s->length >> 8);
    out[3] = (uint8_t)s->length;
    put32(out + 4, 0);
    put32(out + 8, s->sequence);
    put32(out + 12, s->acknowledgement);
    put32(out + 16, s->window);
    memcpy(out + HEADER, s->payload, s->length);
    put32(out + 4, checksum(out, length));
    return length;
}

bool decode(const uint8_t *data, size_t length, struct segment *s)
{
    uint8_t copy[HEADER + 24 + MOST_PAYLOAD];
    if (length < HEADER || length > sizeof copy || data[0] != MAGIC)
        return false;
    size_t start = HEADER + 8 * (data[1] >> 4 & 3); /* SACK blocks are skipped */
    s->length = (size_t)data[2] << 8 | data[3];
    if (s->length > MOST_PAYLOAD || length != start + s->length)
        return false;
    memcpy(copy, data, length);
    put32(copy + 4, 0);
    if (checksum(copy, length) != get32(data + 4))
        return false;
    s->syn = data[1] & SYN;
    s->ack = data[1] & ACK;
    s->fin = data[1] & FIN;
    s->rst = data[1] & RST;
    s->sequence = get32(data + 8);
    s->acknowledgement = get32(data + 12);
    s->window = get32(data + 16);
    memcpy(s->payload, data + start, s->length);
    return true;
}
