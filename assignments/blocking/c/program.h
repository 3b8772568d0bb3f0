/* What every program of this assignment promises the shell: its exit status, its one line of complaint, its end. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>

/* Exit statuses. 0 is success, as everywhere. */
enum status {
    SERVER_SAID_ERROR = 1, /* the server answered `error REASON` */
    USAGE = 2,             /* the command line is wrong, or names a file that cannot be sent */
    CANNOT_CONNECT = 3,    /* a client cannot connect, a server cannot listen */
    BROKEN_PROTOCOL = 4,   /* the peer broke the protocol: a reset, an end inside a frame, an invalid reply */
    GAVE_UP = 5,           /* nobody answered in time */
};

/* Say in one line on standard error what happened, as printf does, and end with this status. */
_Noreturn void fail(enum status status, const char *format, ...);

/* What stands where an answer is still to be written. */
_Noreturn void not_written(const char *what);

/* The number after a word of the command line, above 0. Ends the program with USAGE if it is not one. */
double seconds_option(const char *name, const char *text);
long count_option(const char *name, const char *text);

/* Write bytes to standard output, unmodified and at once. Ends the program if that is not possible. */
void write_out(const void *data, size_t length);

/* Tell whoever started this server that clients may come. */
void announce(const char *address);

/* Make SIGTERM end the program with status 0, wherever it waits. `path`: a file that is removed then, or NULL. */
void end_on_sigterm(const char *path);

#endif
