// GIVEN TO STUDENTS
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void fail(enum status status, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    vfprintf(stderr, format, words);
    va_end(words);
    fputc('\n', stderr);
    exit(status);
}

_Noreturn void not_written(const char *what)
{
    fprintf(stderr, "not written yet: %s\n", what);
    exit(70); /* EX_SOFTWARE of sysexits.h */
}

double seconds_option(const char *name, const char *text)
{
    char *end;
    double value = text == NULL ? 0 : strtod(text, &end);
    if (text == NULL || *text == '\0' || *end != '\0' || !(value > 0 && value < 1e6))
        fail(USAGE, "%s takes a number of seconds above 0", name);
    return value;
}

long count_option(const char *name, const char *text)
{
    char *end;
    errno = 0;
    long value = text == NULL ? 0 : strtol(text, &end, 10);
    if (text == NULL || *text == '\0' || *end != '\0' || errno != 0 || value < 1)
        fail(USAGE, "%s takes a whole number above 0", name);
    return value;
}

void write_out(const void *data, size_t length)
{
    const char *left = data;
    while (length > 0) { /* write(2) may take less than it is given */
        ssize_t taken = write(STDOUT_FILENO, left, length);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken < 0)
            fail(SERVER_SAID_ERROR, "standard output: %s", strerror(errno));
        left += taken;
        length -= (size_t)taken;
    }
}

void announce(const char *address)
{
    printf("listening on %s\n", address);
    fflush(stdout); /* a pipe would keep the line until it is full */
}

static const char *file_to_remove;

static void end(int signum)
{
    (void)signum;
    if (file_to_remove != NULL)
        unlink(file_to_remove); /* unlink and _exit may be called in a handler, exit may not: signal-safety(7) */
    _exit(0);
}

void end_on_sigterm(const char *path)
{
    file_to_remove = path;
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a client that is gone is an error of send(2), and not our end */
}
