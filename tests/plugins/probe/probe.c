#include "probe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "test.probe@v1",
  "displayName": "Probe",
  "description": "Tests its host from inside.",
  "kind": "service",
  "schemas": {
    "In": {"type": "object", "required": ["group"], "properties": {"group": {"type": "string"}, "size": {"type": "integer"}}},
    "Any": {"type": "object"},
    "Happened": {"type": "object", "required": ["what"], "properties": {"what": {"type": "string"}}},
    "Out": {"type": "object", "required": ["checks", "failed"], "properties": {
      "checks": {"type": "integer"}, "failed": {"type": "array", "items": {"type": "string"}}}}
  },
  "uses": {"required": {
    "echo": {"contract": "acme.echo@v1", "rpc": {"call": ["Echo.Say"]}},
    "odd": {"contract": "test.odd@v1", "rpc": {"call": ["Odd.Do"]}}
  }},
  "rpc": {
    "Probe.Run": {"version": "v1", "subject": "rpc.v1.Probe.Run", "input": {"schema": "In"}, "output": {"schema": "Out"}},
    "Probe.Health": {"version": "v1", "subject": "rpc.v1.Probe.Health", "input": {"schema": "Any"},
                     "output": {"schema": "Any"}}
  },
  "events": {
    "Probe.Happened": {"version": "v1", "subject": "events.v1.Probe.Happened", "event": {"schema": "Happened"}},
    "Probe.Unheard": {"version": "v1", "subject": "events.v1.Probe.Unheard", "event": {"schema": "Happened"}}
  }
});

/* ------------------------------------------------------------------------------------------------- what groups use */

void probe_expect(probe_report *report, bool good, const char *what, int line, long long got) {
  ++report->checks;
  if (good) return;
  ++report->failures;
  char plain[400]; /* without what JSON would have to escape */
  size_t size = 0;
  for (const char *c = what; *c && size + 1 < sizeof plain; ++c)
    plain[size++] = (*c == '"' || *c == '\\') ? '\'' : *c;
  plain[size] = 0;
  const int written = snprintf(report->failed + report->size, sizeof report->failed - report->size,
                               "%s\"%s (line %d, got %lld)\"", report->size ? "," : "", plain, line, got);
  if (written > 0 && report->size + (size_t)written < sizeof report->failed) report->size += (size_t)written;
}

trellis_str probe_text(const char *chars) {
  trellis_str out = {chars, strlen(chars)};
  return out;
}

void *probe_guarded(const void *bytes, size_t size) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t room = (size + page) / page * page; /* at least one page, also for nothing */
  char *memory = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory + room, page, PROT_NONE) != 0) abort();
  char *at = memory + room - (size + 7) / 8 * 8;
  memset(at, 0xA5, (size_t)(memory + room - at));
  memcpy(at, bytes, size);
  return at;
}

trellis_str probe_guarded_text(const char *chars) {
  const size_t size = strlen(chars), slack = (size + 7) / 8 * 8 - size;
  char *at = probe_guarded(chars, size);
  memmove(at + slack, at, size); /* texts need no alignment */
  trellis_str out = {at + slack, size};
  return out;
}

trellis_str probe_long_text(size_t size) {
  char *chars = malloc(size);
  if (!chars) abort();
  memset(chars, 'a', size);
  trellis_str out = {chars, size};
  return out;
}

static void append(void *context, trellis_str data) {
  probe_buffer *buffer = context;
  ++buffer->times;
  const size_t left = sizeof buffer->chars - buffer->size;
  const size_t size = data.size < left ? data.size : left;
  if (size > 0) memcpy(buffer->chars + buffer->size, data.data, size);
  buffer->size += size;
}

trellis_sink probe_sink(probe_buffer *buffer) {
  buffer->size = buffer->times = 0;
  trellis_sink out = {buffer, append};
  return out;
}

static void append_error(void *context, const trellis_error *error) {
  probe_buffer *buffer = context;
  append(context, error->type);
  append(context, probe_text(" "));
  append(context, error->message);
  append(context, probe_text(" "));
  append(context, error->context);
  append(context, error->fields);
  buffer->times = error->size >= sizeof *error ? 1 : 100;
}

trellis_error_sink probe_error_sink(probe_buffer *buffer) {
  buffer->size = buffer->times = 0;
  trellis_error_sink out = {buffer, append_error};
  return out;
}

bool probe_holds(const probe_buffer *buffer, const char *text) {
  return memmem(buffer->chars, buffer->size, text, strlen(text)) != NULL;
}

/* ------------------------------------------------------------------------------------------------- answers of groups
 */

static size_t json_of(const probe_report *report, char *out, size_t size) {
  return (size_t)snprintf(out, size, "{\"checks\":%u,\"failed\":[%.*s]}", report->checks, (int)report->size,
                          report->failed);
}

static void answer(probe *self, trellis_call call, const probe_report *report) {
  char json[20000];
  const trellis_str out = {json, json_of(report, json, sizeof json)};
  self->host->complete(self->host->self, call, out);
}

/* For the groups that run where nobody waits for an answer. */
static void log_report(probe *self, const char *group, const probe_report *report) {
  char json[20000];
  const trellis_str fields = {json, json_of(report, json, sizeof json)};
  char message[100];
  snprintf(message, sizeof message, "probe %s: %s", group, report->failures ? "FAILED" : "passed");
  self->host->log(self->host->self, TRELLIS_LOG_INFO, probe_text(message), fields);
}

/* ------------------------------------------------------------------------------------- the struct that a handler gets
 */

/* Fails the request with an error struct of `size` bytes, nothing behind it; the caller judges. */
static void fail_with_size(probe *self, const trellis_request *request, size_t size) {
  struct {
    trellis_error error;
    char from_the_future[64];
  } large = {.error = {.size = (uint32_t)size,
                       .type = TEXT("ValidationError"),
                       .message = TEXT("sized words"),
                       .context = TEXT("{\"known\":true}"),
                       .fields = TEXT("{\"issues\":[]}")}};
  memset(large.from_the_future, 0xA5, sizeof large.from_the_future);
  const size_t least = sizeof(uint32_t);
  const trellis_error *error = probe_guarded(&large, size < least ? least : size);
  self->host->fail(self->host->self, request->call, error);
}

/* A plugin that was built for less copies what it knows, and no more than `size`. */
static void check_request(probe_report *report, const trellis_request *given) {
  trellis_request request = {0};
  memcpy(&request, given, given->size < sizeof request ? given->size : sizeof request);
  EXPECT(given->size >= offsetof(trellis_request, deadline_unix_ms) + 8);
  EXPECT(request.reserved == 0);
  EXPECT(request.call != 0);
  EXPECT(request.surface.size == 9 && memcmp(request.surface.data, "Probe.Run", 9) == 0);
  EXPECT(request.input.size > 2 && request.input.data[0] == '{');
  EXPECT(request.caller.size > 2 && request.caller.data[0] == '{');
  EXPECT(request.session_key.size > 10 && request.request_id.size > 10);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
  EXPECT(request.deadline_unix_ms > now_ms && request.deadline_unix_ms < now_ms + 60000);
}

/* A request's memory stays after its handler has returned, until it is answered. */
struct kept {
  probe *self;
  const trellis_request *request;
  pthread_t handler;
  trellis_request copy;
  char input[256];
};

static void *read_later(void *context) {
  struct kept *kept = context;
  probe_report made = {0}, *report = &made;
  const struct timespec pause = {0, 50000000L}; /* the handler returns meanwhile, or doesn't: both have to work */
  nanosleep(&pause, NULL);
  EXPECT(memcmp(kept->request, &kept->copy, sizeof kept->copy) == 0);
  EXPECT(memcmp(kept->request->input.data, kept->input, kept->request->input.size) == 0);
  EXPECT(kept->request->caller.data[0] == '{');
  EXPECT_STATUS(kept->self->host->call_state(kept->self->host->self, kept->copy.call), TRELLIS_OK);
  answer(kept->self, kept->copy.call, report);
  const trellis_host *host = kept->self->host;
  if (host->call_state(host->self, kept->copy.call) != TRELLIS_E_GONE) abort();
  free(kept);
  return NULL;
}

static void keep_request(probe *self, const trellis_request *request) {
  struct kept *kept = calloc(1, sizeof *kept);
  kept->self = self;
  kept->request = request;
  kept->copy = *request;
  if (request->input.size <= sizeof kept->input) memcpy(kept->input, request->input.data, request->input.size);
  pthread_t thread;
  if (pthread_create(&thread, NULL, read_later, kept) == 0) pthread_detach(thread);
}

/* --------------------------------------------------------------------------------------------------------- the plugin
 */

static const struct {
  const char *name;
  probe_group run;
} kGroups[] = {{"core", probe_core},
               {"extensions", probe_extensions},
               {"logs", probe_logs},
               {"calls", probe_calls},
               {"rpc sizes", probe_rpc_sizes},
               {"rpc arguments", probe_rpc_arguments},
               {"rpc statuses", probe_rpc_statuses},
               {"rpc async", probe_rpc_async},
               {"transport", probe_transport},
               {"events", probe_events},
               {"delivery", probe_delivery},
               {"feeds", probe_feeds},
               {"metrics", probe_metrics}};

static bool is_group(const trellis_request *request, const char *name) {
  char wanted[80];
  snprintf(wanted, sizeof wanted, "\"group\":\"%s\"", name);
  return memmem(request->input.data, request->input.size, wanted, strlen(wanted)) != NULL;
}

static size_t input_size(const trellis_request *request) {
  const char *found = memmem(request->input.data, request->input.size, "\"size\":", 7);
  return found ? strtoul(found + 7, NULL, 10) : 0;
}

static atomic_int pending_replies; /* of calls that were left open on purpose, see `leave_open` */
static trellis_call left_open;     /* a request that is never answered */

static void late_reply(void *context, trellis_status status, trellis_str output, const trellis_error *error) {
  (void)context, (void)status, (void)output, (void)error;
  atomic_fetch_sub(&pending_replies, 1);
}

/* A call that nobody will answer before this plugin is stopped. */
static void leave_open(probe *self, const trellis_request *request) {
  trellis_rpc_call call = {.size = sizeof call, .timeout_ms = 3600000};
  call.contract_id = probe_text("test.odd@v1");
  call.name = probe_text("Odd.Do");
  call.input = probe_text("{\"mode\":\"never\"}");
  atomic_fetch_add(&pending_replies, 1);
  if (self->host->call_rpc_async(self->host->self, &call, late_reply, NULL) != TRELLIS_OK)
    atomic_fetch_sub(&pending_replies, 1);
  probe_report made = {0}, *report = &made;
  EXPECT(pending_replies == 1);
  left_open = request->call;
  /* not answered: stop comes when its drain time is over */
}

/* Waits in its handler for an answer that doesn't come before this plugin is stopped. */
static void wait_for_answer(probe *self, const trellis_request *request) {
  trellis_rpc_call call = {.size = sizeof call, .timeout_ms = 3600000};
  call.contract_id = probe_text("test.odd@v1");
  call.name = probe_text("Odd.Do");
  call.input = probe_text("{\"mode\":\"never\"}");
  probe_report made = {0}, *report = &made;
  log_report(self, "waiting", report);
  const trellis_sink nowhere = {NULL, NULL};
  const trellis_error_sink silent = {NULL, NULL};
  EXPECT_STATUS(self->host->call_rpc(self->host->self, &call, nowhere, silent), TRELLIS_E_UNAVAILABLE);
  EXPECT_STATUS(self->host->release(self->host->self, request->call), TRELLIS_E_GONE);
  log_report(self, "waited", report);
}

static void run(void *context, const trellis_request *request) {
  probe *self = context;
  if (is_group(request, "fail with size")) {
    fail_with_size(self, request, input_size(request));
    return;
  }
  if (is_group(request, "keep")) {
    keep_request(self, request);
    return;
  }
  if (is_group(request, "leave open")) {
    leave_open(self, request);
    return;
  }
  if (is_group(request, "wait")) {
    wait_for_answer(self, request);
    return;
  }
  probe_report made = {0}, *report = &made;
  bool found = false;
  for (size_t i = 0; i < sizeof kGroups / sizeof *kGroups; ++i) {
    if (!is_group(request, kGroups[i].name)) continue;
    found = true;
    kGroups[i].run(self, report, request);
  }
  if (is_group(request, "request")) {
    found = true;
    check_request(report, request);
  }
  EXPECT(found);
  answer(self, request->call, report);
}

static trellis_status start(void *context, trellis_error_sink error) {
  (void)error;
  probe *self = context;
  probe_report made = {0}, *report = &made;
  probe_core(self, report, NULL);
  probe_rpc_statuses(self, report, NULL); /* connected: all host functions work */
  log_report(self, "start", report);
  return TRELLIS_OK;
}

/* A call that is between two attempts when this plugin is destroyed: who would answer it is gone already. */
static void leave_retrying(probe *self) {
  trellis_rpc_call call = {.size = sizeof call, .timeout_ms = 3600000};
  call.contract_id = probe_text("acme.echo@v1");
  call.name = probe_text("Echo.Say");
  call.input = probe_text("{\"message\":\"anybody?\"}");
  atomic_fetch_add(&pending_replies, 1);
  if (self->host->call_rpc_async(self->host->self, &call, late_reply, NULL) != TRELLIS_OK) abort();
}

static trellis_status stop(void *context, int64_t deadline_unix_ms, trellis_error_sink error) {
  (void)error, (void)deadline_unix_ms;
  probe *self = context;
  if (left_open) leave_retrying(self);
  probe_report made = {0}, *report = &made;
  probe_core(self, report, NULL);
  log_report(self, "stop", report);
  return TRELLIS_OK;
}

static void destroy(void *context) {
  probe *self = context;
  probe_report made = {0}, *report = &made;
  probe_core(self, report, NULL);
  probe_unconnected(self, report);
  EXPECT(pending_replies == 0); /* a reply runs exactly once, and not into a plugin that is gone */
  if (left_open) EXPECT_STATUS(self->host->complete(self->host->self, left_open, probe_text("{}")), TRELLIS_E_GONE);
  log_report(self, "destroy", report);
}

static probe instance;
static const trellis_handler handler = {.size = sizeof(trellis_handler),
                                        .kind = TRELLIS_SURFACE_RPC,
                                        .contract_id = TEXT("test.probe@v1"),
                                        .name = TEXT("Probe.Run"),
                                        .rpc = run};
static const trellis_handler listener = {.size = sizeof(trellis_handler),
                                         .kind = TRELLIS_SURFACE_EVENT,
                                         .contract_id = TEXT("test.probe@v1"),
                                         .name = TEXT("Probe.Happened"),
                                         .event = probe_listen};
static const trellis_handler *const handlers[] = {&handler, &listener};

static const void *get_extension(void *self, trellis_str id) {
  (void)self;
  const size_t size = sizeof(TRELLIS_EXT_HEALTH) - 1;
  return id.size == size && memcmp(id.data, TRELLIS_EXT_HEALTH, size) == 0 ? probe_health() : NULL;
}

static trellis_status create(const trellis_host *host, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  instance.host = host;
  instance.plugin = (trellis_plugin){.size = sizeof(trellis_plugin),
                                     .handler_count = 2,
                                     .self = &instance,
                                     .handlers = handlers,
                                     .start = start,
                                     .stop = stop,
                                     .destroy = destroy,
                                     .get_extension = get_extension};
  probe_report made = {0}, *report = &made;
  probe_core(&instance, report, NULL);
  probe_unconnected(&instance, report);
  log_report(&instance, "create", report);
  *out = &instance.plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("probe"), TEXT("1.0.0"), create};
