/* A plugin that tests its host from inside: each group of expectations runs in one of its functions and is answered as
 * {"checks": n, "failed": ["what was expected", ...]}. What only a plugin can see is judged here; what only a caller
 * can see is judged in tests/live/abi_host_test.cpp, which knows the groups by their names. */
#ifndef PROBE_H
#define PROBE_H

#include <string.h>
#include <trellis/plugin.h>

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }

typedef struct probe {
  const trellis_host *host;
  trellis_plugin plugin;
} probe;

/* What a group has found out. Lives on one thread. */
typedef struct probe_report {
  unsigned checks, failures;
  char failed[16384]; /* JSON strings, separated by commas */
  size_t size;
} probe_report;

/* With the name of the group, in a static buffer for each. */
typedef void (*probe_group)(probe *self, probe_report *report, const trellis_request *request);

void probe_expect(probe_report *report, bool good, const char *what, int line, long long got);
#define EXPECT(condition) probe_expect(report, (condition), #condition, __LINE__, 0)
#define EXPECT_STATUS(call, status)                                                                                    \
  do {                                                                                                                 \
    const trellis_status got_ = (call);                                                                                \
    probe_expect(report, got_ == (status), #call " is " #status, __LINE__, got_);                                      \
  } while (0)

trellis_str probe_text(const char *chars);

/* A copy of `size` bytes behind which nothing can be read: a page that doesn't exist follows. Aligned to 8, so a size
 * that isn't a multiple of it has up to 7 bytes of 0xA5 behind it. For ever. */
void *probe_guarded(const void *bytes, size_t size);
/* A text in front of such a page. */
trellis_str probe_guarded_text(const char *chars);
/* `size` bytes of 'a'. For ever. */
trellis_str probe_long_text(size_t size);

/* A sink that keeps what it gets, and how often. */
typedef struct probe_buffer {
  char chars[8192];
  size_t size, times;
} probe_buffer;
trellis_sink probe_sink(probe_buffer *buffer);
/* An error sink that keeps the type and the message, and whether all of the error could be read. */
trellis_error_sink probe_error_sink(probe_buffer *buffer);
bool probe_holds(const probe_buffer *buffer, const char *text);

/* The groups, by what they are about. */
void probe_core(probe *self, probe_report *report, const trellis_request *request);
void probe_extensions(probe *self, probe_report *report, const trellis_request *request);
void probe_logs(probe *self, probe_report *report, const trellis_request *request);
void probe_calls(probe *self, probe_report *report, const trellis_request *request);
void probe_rpc_sizes(probe *self, probe_report *report, const trellis_request *request);
void probe_rpc_arguments(probe *self, probe_report *report, const trellis_request *request);
void probe_rpc_statuses(probe *self, probe_report *report, const trellis_request *request);
void probe_rpc_async(probe *self, probe_report *report, const trellis_request *request);
void probe_transport(probe *self, probe_report *report, const trellis_request *request);
/* Where there is no connection: in create, and in destroy. */
void probe_unconnected(probe *self, probe_report *report);

#endif
