// GIVEN TO STUDENTS
#include "address.h"

#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_unix(const char *path, struct address *out)
{
    struct sockaddr_un *where = (struct sockaddr_un *)&out->where;
    if (*path == '\0' || strlen(path) >= sizeof where->sun_path)
        return false;
    where->sun_family = AF_UNIX;
    strcpy(where->sun_path, path);
    out->length = sizeof *where;
    out->path = path;
    return true;
}

/* The port behind the last colon: digits, 65535 at most. */
static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 6 && text[digits] == '\0' && atol(text) <= 65535;
}

bool parse_address(const char *text, struct address *out)
{
    memset(out, 0, sizeof *out);
    out->type = SOCK_STREAM;
    out->text = text;
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, out);
    if (strncmp(text, "udp:", 4) == 0) {
        out->type = SOCK_DGRAM;
        text += 4;
    }
    const char *colon = strrchr(text, ':');
    char host[64];
    if (colon == NULL || !is_port(colon + 1) || (size_t)(colon - text) >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    size_t length = strlen(host);
    bool bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
    if (bracketed)
        host[length - 1] = '\0';
    struct addrinfo hints = {
        .ai_family = bracketed ? AF_INET6 : AF_INET,
        .ai_socktype = out->type,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, /* no names: they would bring DNS in */
    };
    struct addrinfo *found;
    if (getaddrinfo(host + bracketed, colon + 1, &hints, &found) != 0)
        return false;
    memcpy(&out->where, found->ai_addr, found->ai_addrlen);
    out->length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

const char *bound_as(const struct address *address, int sock, char *out, size_t size)
{
    struct sockaddr_storage where;
    socklen_t length = sizeof where;
    char host[64], port[8]; /* numeric: no name can be longer */
    if (address->path != NULL || getsockname(sock, (struct sockaddr *)&where, &length) != 0 ||
        getnameinfo((struct sockaddr *)&where, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return address->text;
    const char *kind = address->type == SOCK_DGRAM ? "udp:" : "";
    bool six = where.ss_family == AF_INET6;
    snprintf(out, size, "%s%s%s%s:%s", kind, six ? "[" : "", host, six ? "]" : "", port);
    return out;
}
