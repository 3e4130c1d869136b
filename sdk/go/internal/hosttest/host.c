#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <trellis/go.h>

#define TEXTS 1024
#define MOST_LINES 256

struct hosttest {
  trellis_host *table;
  const trellis_plugin *plugin;
  pthread_mutex_t mutex;
  pthread_cond_t more;
  char *lines[MOST_LINES];
  size_t first, last;
};

static trellis_str text(const char *chars) {
  return (trellis_str){chars, strlen(chars)};
}
static bool is(trellis_str a, const char *b) {
  return a.size == strlen(b) && memcmp(a.data, b, a.size) == 0;
}
#define SHOWN(t) (int)(t).size, (t).size ? (t).data : ""

__attribute__((format(printf, 2, 3))) static void add(hosttest *test, const char *format, ...) {
  va_list arguments;
  char *line = NULL;
  va_start(arguments, format);
  if (vasprintf(&line, format, arguments) < 0) abort();
  va_end(arguments);
  pthread_mutex_lock(&test->mutex);
  if (test->last == MOST_LINES) abort();
  test->lines[test->last++] = line;
  pthread_cond_broadcast(&test->more);
  pthread_mutex_unlock(&test->mutex);
}

char *hosttest_next(hosttest *test) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 20;
  pthread_mutex_lock(&test->mutex);
  int waited = 0;
  while (test->first == test->last && waited == 0)
    waited = pthread_cond_timedwait(&test->more, &test->mutex, &until);
  char *line = test->first < test->last ? test->lines[test->first++] : NULL;
  pthread_mutex_unlock(&test->mutex);
  return line;
}

static void log_line(void *self, int32_t level, trellis_str message, trellis_str fields) {
  const char *stack = fields.size ? memmem(fields.data, fields.size, ",\"stack\"", 8) : NULL;
  const int size = stack ? (int)(stack - fields.data) : (int)fields.size;
  add(self, "log %d %.*s %.*s", level, SHOWN(message), size, fields.size ? fields.data : "");
}
static trellis_status config(void *self, trellis_sink out) {
  (void)self;
  out.write(out.context, text("{\"greeting\":")); /* in pieces, as it may be */
  out.write(out.context, text("\"hi\"}"));
  return TRELLIS_OK;
}
static trellis_status identity(void *self, trellis_sink out) {
  (void)self;
  out.write(out.context, text("{\"plugin\":\"p\",\"contractId\":\"acme.test@v1\",\"contractDigest\":\"d\"}"));
  return TRELLIS_OK;
}
static trellis_status complete(void *self, trellis_call call, trellis_str output) {
  add(self, "complete %d %.*s", (int)call, SHOWN(output));
  return TRELLIS_OK;
}
static trellis_status fail(void *self, trellis_call call, const trellis_error *error) {
  add(self, "fail %d %.*s %.*s %.*s", (int)call, SHOWN(error->type), SHOWN(error->message), SHOWN(error->fields));
  return TRELLIS_OK;
}
static trellis_status release(void *self, trellis_call call) {
  add(self, "release %d", (int)call);
  return TRELLIS_OK;
}
static trellis_status call_state(void *self, uint64_t call) {
  (void)self;
  return call < 100 ? TRELLIS_OK : TRELLIS_E_GONE;
}

static const trellis_error sold_out = {sizeof sold_out,  0,         {"SoldOut", 7},
                                       {"none left", 9}, {NULL, 0}, {"{\"sku\":\"bolt\"}", 14}};

/* The function that waits is only for words about a refusal. */
static trellis_status call_rpc(void *self, const trellis_rpc_call *call, trellis_sink out, trellis_error_sink error) {
  static const trellis_error closed = {sizeof closed,        0,         {"UnexpectedError", 15},
                                       {"it is closed", 12}, {NULL, 0}, {NULL, 0}};
  (void)out;
  if (!is(call->name, "Shop.Closed")) add(self, "waited for %.*s", SHOWN(call->name));
  error.report(error.context, &closed);
  return TRELLIS_E_UNAVAILABLE;
}

/* "Shop.Closed" refuses, "Shop.Buy" answers with an error, everything else with its input. */
static trellis_status call_rpc_async(void *self, const trellis_rpc_call *call, trellis_rpc_reply_fn reply,
                                     void *context) {
  if (is(call->name, "Shop.Closed")) return TRELLIS_E_UNAVAILABLE;
  add(self, "call %.*s %.*s %.*s", SHOWN(call->contract_id), SHOWN(call->name), SHOWN(call->traceparent));
  if (is(call->name, "Shop.Buy"))
    reply(context, TRELLIS_E_REMOTE, (trellis_str){NULL, 0}, &sold_out);
  else
    reply(context, TRELLIS_OK, call->input, NULL); /* before it returns, as it may */
  return TRELLIS_OK;
}

static trellis_status emit(void *self, trellis_stream stream, trellis_str event, trellis_error_sink error) {
  (void)error;
  add(self, "emit %d %.*s", (int)stream, SHOWN(event));
  return TRELLIS_OK;
}
static trellis_status fail_stream(void *self, trellis_stream stream, const trellis_error *error) {
  add(self, "fail stream %d %.*s %.*s", (int)stream, SHOWN(error->type), SHOWN(error->message));
  return TRELLIS_OK;
}
static trellis_status close_stream(void *self, trellis_stream stream) {
  add(self, "close %d", (int)stream);
  return TRELLIS_OK;
}
static trellis_status record(void *self, const trellis_metric *metric, double value, const trellis_header *attributes,
                             size_t count) {
  add(self, "metric %u %.*s %g", metric->kind, SHOWN(metric->name), value);
  for (size_t i = 0; i < count; ++i)
    add(self, "%.*s=%.*s", SHOWN(attributes[i].name), SHOWN(attributes[i].value));
  return TRELLIS_OK;
}

static const trellis_feeds_v1 feeds = {sizeof feeds, 0, emit, fail_stream, close_stream, call_state};
static const trellis_metrics_v1 metrics = {sizeof metrics, 0, record};
static const uint32_t short_events[4] = {16, 0, 0, 0}; /* of a host that knew only the first function */

static const void *get_extension(void *self, trellis_str id) {
  (void)self;
  if (is(id, TRELLIS_EXT_FEEDS)) return &feeds;
  if (is(id, TRELLIS_EXT_METRICS)) return &metrics;
  return is(id, TRELLIS_EXT_EVENTS) ? short_events : NULL;
}

static void keep_error(void *kept, const trellis_error *error) {
  snprintf(kept, TEXTS, "%.*s %.*s", SHOWN(error->type), SHOWN(error->message));
}
static void keep_text(void *kept, trellis_str piece) {
  char *end = (char *)kept + strlen(kept);
  snprintf(end, TEXTS - strlen(kept), "%.*s", SHOWN(piece));
}

hosttest *hosttest_create(char *error) {
  hosttest *test = calloc(1, sizeof *test);
  pthread_mutex_init(&test->mutex, NULL);
  pthread_cond_init(&test->more, NULL);
  test->table = malloc(sizeof *test->table);
  *test->table = (trellis_host){sizeof(trellis_host),
                                TRELLIS_ABI_MINOR,
                                test,
                                get_extension,
                                log_line,
                                config,
                                identity,
                                complete,
                                fail,
                                release,
                                call_state,
                                call_rpc,
                                call_rpc_async};
  if (trellis_go_create(test->table, &test->plugin, (trellis_error_sink){error, keep_error}) == TRELLIS_OK) return test;
  free(test->table);
  free(test);
  return NULL;
}

void hosttest_destroy(hosttest *test) {
  test->plugin->destroy(test->plugin->self);
  free(test->table); /* what the plugin left running may still ask for lines, so `test` stays */
}

static const trellis_handler *handler(hosttest *test, const char *name, const char *group) {
  for (uint32_t i = 0; i < test->plugin->handler_count; ++i)
    if (is(test->plugin->handlers[i]->name, name) && is(test->plugin->handlers[i]->group, group))
      return test->plugin->handlers[i];
  abort();
}

void hosttest_call(hosttest *test, uint64_t call, const char *name, const char *input) {
  const trellis_request request = {.size = sizeof request,
                                   .call = call,
                                   .surface = text(name),
                                   .input = text(input),
                                   .caller = text("{\"id\":\"c1\"}"),
                                   .session_key = text("key"),
                                   .request_id = text("r1"),
                                   .traceparent = text("00-trace"),
                                   .deadline_unix_ms = 1500};
  handler(test, name, "")->rpc(test->plugin->self, &request);
}

trellis_status hosttest_deliver(hosttest *test, const char *name, const char *group, const char *payload, char *error) {
  const trellis_event_delivery event = {.size = sizeof event,
                                        .delivery = 1,
                                        .contract_id = text("acme.test@v1"),
                                        .name = text(name),
                                        .payload = text(payload),
                                        .subject = text("events.v1.X"),
                                        .id = text("e1"),
                                        .time_unix_ms = 7,
                                        .group = text(group),
                                        .sequence = 9};
  return handler(test, name, group)->event(test->plugin->self, &event, (trellis_error_sink){error, keep_error});
}

void hosttest_subscribe(hosttest *test, uint64_t stream, const char *name, const char *input) {
  const trellis_feed_request request = {
      .size = sizeof request, .stream = stream, .surface = text(name), .input = text(input), .request_id = text("r1")};
  handler(test, name, "")->feed(test->plugin->self, &request);
}

void hosttest_cancel(hosttest *test, uint64_t stream, const char *name) {
  handler(test, name, "")->feed_cancel(test->plugin->self, stream);
}

trellis_status hosttest_start(hosttest *test, char *error) {
  return test->plugin->start(test->plugin->self, (trellis_error_sink){error, keep_error});
}

trellis_status hosttest_check(hosttest *test, uint32_t number, char *details, char *error) {
  const trellis_health_v1 *health = test->plugin->get_extension(test->plugin->self, text(TRELLIS_EXT_HEALTH));
  if (!health || number >= health->check_count) return -1;
  return health->checks[number]->check(test->plugin->self, (trellis_sink){details, keep_text},
                                       (trellis_error_sink){error, keep_error});
}
