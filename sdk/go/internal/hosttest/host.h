/* The host's side of the ABI in a few lines, for this package's tests: hands out requests and writes down what comes
 * back, one line each. In C, because Go can't make the tables of function pointers that a host consists of. */
#ifndef HOSTTEST_H
#define HOSTTEST_H

#include <stdlib.h>
#include <trellis/plugin.h>

typedef struct hosttest hosttest;

/* NULL when create failed; then `error` (1024 bytes) says why. */
hosttest *hosttest_create(char *error);
void hosttest_destroy(hosttest *test); /* and frees the host's table, so that a late use shows */
/* The next line, which may have to come from another thread: for free(), NULL when none came in time. */
char *hosttest_next(hosttest *test);
void hosttest_call(hosttest *test, uint64_t call, const char *name, const char *input);
trellis_status hosttest_deliver(hosttest *test, const char *name, const char *group, const char *payload, char *error);
void hosttest_subscribe(hosttest *test, uint64_t stream, const char *name, const char *input);
void hosttest_cancel(hosttest *test, uint64_t stream, const char *name);
trellis_status hosttest_start(hosttest *test, char *error);
/* -1: there is no such check. `details`: 1024 bytes. */
trellis_status hosttest_check(hosttest *test, uint32_t number, char *details, char *error);

#endif
