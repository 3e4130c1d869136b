/* Calls the host's functions with arguments that make no sense, from several threads, for as long as it is asked to:
 * {"seed": n, "ms": n, "threads": n}. What it does is decided by the seed alone but for the threads' timing. Texts have
 * honest sizes: a pointer to less than its size says can't be told from a good one by anybody. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <trellis/plugin.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "test.fuzz@v1",
  "displayName": "Fuzz",
  "description": "Calls its host with arguments that make no sense.",
  "kind": "service",
  "schemas": {
    "In": {"type": "object", "required": ["seed", "ms", "threads"], "properties": {
      "seed": {"type": "integer"}, "ms": {"type": "integer"}, "threads": {"type": "integer"}}},
    "Out": {"type": "object", "required": ["calls"], "properties": {"calls": {"type": "integer"}}},
    "Any": {"type": "object"}
  },
  "uses": {"required": {"echo": {"contract": "acme.echo@v1", "rpc": {"call": ["Echo.Say"]}}}},
  "rpc": {
    "Fuzz.Run": {"version": "v1", "subject": "rpc.v1.Fuzz.Run", "input": {"schema": "In"}, "output": {"schema": "Out"}},
    "Fuzz.Hold": {"version": "v1", "subject": "rpc.v1.Fuzz.Hold", "input": {"schema": "Any"}, "output": {"schema": "Any"}}
  }
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }

static const trellis_host *host;

/* Handles of requests that nobody answers but this fuzzer, and of such that are over. */
#define HANDLES 64
static atomic_ullong handles[HANDLES];
static atomic_uint handle_count;

/* One thread of it. */
struct fuzzer {
  uint64_t state;
  long ms;
  unsigned long long calls;
  char room[4096]; /* for texts made up */
};

static uint64_t next(struct fuzzer *self) { /* xorshift64* */
  self->state ^= self->state >> 12;
  self->state ^= self->state << 25;
  self->state ^= self->state >> 27;
  return self->state * 2685821657736338717ULL;
}

static size_t below(struct fuzzer *self, size_t end) {
  return (size_t)(next(self) % end);
}

static const trellis_str kSensible[] = {TEXT("acme.echo@v1"),
                                        TEXT("Echo.Say"),
                                        TEXT("{\"message\":\"fuzz\"}"),
                                        TEXT("{\"message\":1}"),
                                        TEXT("{}"),
                                        TEXT("[]"),
                                        TEXT("{"),
                                        TEXT("\"\\ud800\""),
                                        TEXT("1e999"),
                                        TEXT("test.fuzz@v1"),
                                        TEXT("Fuzz.Run"),
                                        TEXT("rpc.v1.Echo.Say"),
                                        TEXT("rpc.v1.*.Say"),
                                        TEXT("a..b"),
                                        TEXT("\r\nPUB a 0\r\n"),
                                        TEXT("\xFF\xC3("),
                                        TEXT("a\0b"),
                                        TEXT("UnexpectedError"),
                                        TEXT("ValidationError"),
                                        TEXT("AuthError"),
                                        TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                                        TEXT("trellis.transport/1"),
                                        TEXT("trellis.events/1"),
                                        TEXT("trellis.feeds/1"),
                                        TEXT("trellis.metrics/1"),
                                        TEXT("trellis.connections/1"),
                                        TEXT("trellis.surface/1"),
                                        {NULL, 0},
                                        {NULL, 9},
                                        {NULL, SIZE_MAX}};

static trellis_str any_text(struct fuzzer *self) {
  if (below(self, 4) != 0) return kSensible[below(self, sizeof kSensible / sizeof *kSensible)];
  trellis_str out = {self->room, below(self, sizeof self->room)};
  const uint64_t bits = next(self);
  for (size_t i = 0; i < out.size; ++i) /* all bytes, or printable ones */
    self->room[i] = (char)(bits & 1 ? next(self) : 32 + next(self) % 95);
  return out;
}

static trellis_call any_call(struct fuzzer *self) {
  switch (below(self, 4)) {
  case 0: return next(self);
  case 1: return next(self) | 1ULL << 63; /* surely nobody's */
  default: return handles[below(self, HANDLES)];
  }
}

static void swallow(void *context, trellis_str data) {
  volatile char *last = context; /* reads all of it: under ASan, what isn't there is found */
  for (size_t i = 0; i < data.size; ++i)
    *last = data.data[i];
}

static void swallow_error(void *context, const trellis_error *error) {
  swallow(context, error->type);
  swallow(context, error->message);
  swallow(context, error->context);
  swallow(context, error->fields);
}

static void swallow_reply(void *context, trellis_status status, trellis_str output, const trellis_error *error) {
  static char sink;
  (void)context, (void)status;
  swallow(&sink, output);
  if (error) swallow_error(&sink, error);
}

static uint32_t any_size(struct fuzzer *self, size_t full) {
  return below(self, 3) != 0 ? (uint32_t)full : (uint32_t)below(self, full + 1);
}

static void fuzz_calls(struct fuzzer *self) {
  trellis_error error = {.size = any_size(self, sizeof error)};
  error.type = any_text(self);
  error.message = any_text(self);
  error.context = any_text(self);
  error.fields = any_text(self);
  switch (below(self, 5)) {
  case 0: host->complete(host->self, any_call(self), any_text(self)); break;
  case 1: host->fail(host->self, any_call(self), below(self, 8) ? &error : NULL); break;
  case 2: host->release(host->self, any_call(self)); break;
  default: host->call_state(host->self, any_call(self)); break;
  }
}

static void fuzz_rpc(struct fuzzer *self, char *sink) {
  trellis_rpc_call call = {.size = any_size(self, sizeof call), .timeout_ms = 1 + (uint32_t)below(self, 30)};
  const bool sensible = below(self, 2);
  call.contract_id = sensible ? kSensible[0] : any_text(self);
  call.name = sensible ? kSensible[1] : any_text(self);
  call.input = any_text(self);
  call.traceparent = below(self, 2) ? kSensible[27] : any_text(self);
  call.tracestate = below(self, 2) ? kSensible[27] : any_text(self);
  const trellis_sink out = {sink, below(self, 4) ? swallow : NULL};
  const trellis_error_sink error = {sink, below(self, 4) ? swallow_error : NULL};
  if (below(self, 2))
    host->call_rpc(host->self, below(self, 32) ? &call : NULL, out, error);
  else
    host->call_rpc_async(host->self, &call, below(self, 8) ? swallow_reply : NULL, NULL);
}

static void fuzz_transport(struct fuzzer *self, char *sink) {
  const trellis_str id = TEXT(TRELLIS_EXT_TRANSPORT);
  const trellis_transport_v1 *transport = host->get_extension(host->self, id);
  trellis_header headers[4];
  for (size_t i = 0; i < 4; ++i) {
    headers[i].name = any_text(self);
    headers[i].value = any_text(self);
  }
  const bool some = below(self, 4);
  const size_t counts[] = {0, 1, 4, 65, SIZE_MAX};
  const size_t count = some ? counts[below(self, 3)] : counts[below(self, 5)];
  const trellis_header *given = some || count > 4 ? headers : NULL;
  const trellis_sink out = {sink, below(self, 4) ? swallow : NULL};
  const trellis_error_sink error = {sink, below(self, 4) ? swallow_error : NULL};
  const trellis_str subject = below(self, 2) ? kSensible[11] : any_text(self);
  if (below(self, 2))
    transport->publish(host->self, subject, any_text(self), given, count);
  else
    transport->request(host->self, subject, any_text(self), given, count, 1 + (uint32_t)below(self, 5), out, error);
}

static void fuzz_rest(struct fuzzer *self, char *sink) {
  const trellis_sink out = {sink, below(self, 4) ? swallow : NULL};
  switch (below(self, 4)) {
  case 0: host->get_extension(host->self, any_text(self)); break;
  case 1: host->config(host->self, out); break;
  case 2: host->identity(host->self, out); break;
  default:
    if (below(self, 16) == 0) host->log(host->self, (int32_t)next(self), any_text(self), any_text(self));
  }
}

static void *fuzz(void *context) {
  struct fuzzer *self = context;
  char sink = 0;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const long long end = now.tv_sec * 1000LL + now.tv_nsec / 1000000 + self->ms;
  do {
    switch (below(self, 4)) {
    case 0: fuzz_calls(self); break;
    case 1: fuzz_rpc(self, &sink); break;
    case 2: fuzz_transport(self, &sink); break;
    default: fuzz_rest(self, &sink); break;
    }
    ++self->calls;
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec * 1000LL + now.tv_nsec / 1000000 < end);
  return NULL;
}

static long number(const trellis_request *request, const char *name) {
  const char *found = memmem(request->input.data, request->input.size, name, strlen(name));
  return found ? strtol(found + strlen(name), NULL, 10) : 0;
}

static void run(void *self, const trellis_request *request) {
  (void)self;
  enum { kMost = 16 };
  static struct fuzzer fuzzers[kMost];
  pthread_t threads[kMost];
  long count = number(request, "\"threads\":");
  if (count > kMost) count = kMost;
  for (long i = 0; i < count; ++i) {
    fuzzers[i].state = (uint64_t)number(request, "\"seed\":") * 1000003u + (uint64_t)i * 7919u + 1;
    fuzzers[i].ms = number(request, "\"ms\":");
    fuzzers[i].calls = 0;
    pthread_create(&threads[i], NULL, fuzz, &fuzzers[i]);
  }
  unsigned long long calls = 0;
  for (long i = 0; i < count; ++i) {
    pthread_join(threads[i], NULL);
    calls += fuzzers[i].calls;
  }
  char json[64];
  const trellis_str out = {json, (size_t)snprintf(json, sizeof json, "{\"calls\":%llu}", calls)};
  host->complete(host->self, request->call, out);
}

static void hold(void *self, const trellis_request *request) {
  (void)self;
  handles[atomic_fetch_add(&handle_count, 1) % HANDLES] = request->call;
}

static const trellis_handler run_handler = {.size = sizeof(trellis_handler),
                                            .kind = TRELLIS_SURFACE_RPC,
                                            .contract_id = TEXT("test.fuzz@v1"),
                                            .name = TEXT("Fuzz.Run"),
                                            .rpc = run};
static const trellis_handler hold_handler = {.size = sizeof(trellis_handler),
                                             .kind = TRELLIS_SURFACE_RPC,
                                             .contract_id = TEXT("test.fuzz@v1"),
                                             .name = TEXT("Fuzz.Hold"),
                                             .rpc = hold};
static const trellis_handler *const handlers[] = {&run_handler, &hold_handler};
static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .handler_count = 2, .handlers = handlers};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("fuzz"), TEXT("1.0.0"), create};
