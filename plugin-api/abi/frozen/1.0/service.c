/* What a service of ABI 1.0 does, all of it: answers now, later from a thread of its own, with an error, not at all;
 * calls another contract, waiting and not; uses its own NATS connection. Built once, with the header of 1.0, and loaded
 * by every host since (tests/live/abi_frozen_test.cpp). {"mode": "..."} says what to do. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trellis/plugin.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "test.frozen-one-zero@v1",
  "displayName": "Frozen 1.0",
  "description": "A service of plugin ABI 1.0.",
  "kind": "service",
  "schemas": {
    "Do": {"type": "object", "required": ["mode"], "properties": {"mode": {"type": "string"}}},
    "Done": {"type": "object"},
    "RefusedData": {"type": "object", "required": ["id", "type", "message", "number"], "properties": {
      "id": {"type": "string"}, "type": {"type": "string", "const": "Refused"}, "message": {"type": "string"},
      "number": {"type": "integer"}}}
  },
  "errors": {"Refused": {"type": "Refused", "schema": {"schema": "RefusedData"}}},
  "uses": {"required": {"echo": {"contract": "acme.echo@v1", "rpc": {"call": ["Echo.Say"]}}}},
  "rpc": {
    "FrozenOneZero.Do": {"version": "v1", "subject": "rpc.v1.FrozenOneZero.Do", "input": {"schema": "Do"},
                         "output": {"schema": "Done"}, "errors": [{"type": "Refused"}]},
    "FrozenOneZero.Echo": {"version": "v1", "subject": "rpc.v1.FrozenOneZero.Echo", "input": {"schema": "Do"},
                           "output": {"schema": "Do"}}
  }
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }

struct instance {
  const trellis_host *host;
  trellis_plugin plugin;
};

static trellis_str text(const char *chars) {
  trellis_str out = {chars, strlen(chars)};
  return out;
}

static bool is_mode(const trellis_request *request, const char *mode) {
  char wanted[64];
  const int size = snprintf(wanted, sizeof wanted, "\"%s\"", mode);
  for (size_t i = 0; i + (size_t)size <= request->input.size; ++i)
    if (memcmp(request->input.data + i, wanted, (size_t)size) == 0) return true;
  return false;
}

struct buffer {
  char chars[4096];
  size_t size;
};

static void append(void *context, trellis_str data) {
  struct buffer *buffer = context;
  if (data.size > sizeof buffer->chars - buffer->size) return;
  memcpy(buffer->chars + buffer->size, data.data, data.size);
  buffer->size += data.size;
}

static void note(struct instance *self, const char *what) {
  self->host->log(self->host->self, TRELLIS_LOG_INFO, text(what), text("{\"abi\":\"1.0\"}"));
}

struct later {
  struct instance *self;
  trellis_call call;
};

static void *answer_later(void *context) {
  struct later *later = context;
  const trellis_host *host = later->self->host;
  if (host->call_state(host->self, later->call) == TRELLIS_OK)
    host->complete(host->self, later->call, text("{\"done\":\"later\"}"));
  free(later);
  return NULL;
}

static struct later *keep(struct instance *self, const trellis_request *request) {
  struct later *later = malloc(sizeof *later);
  later->self = self;
  later->call = request->call;
  return later;
}

static trellis_rpc_call echo_call(const trellis_request *request) {
  trellis_rpc_call call = {.size = sizeof call, .timeout_ms = 5000};
  call.contract_id = text("acme.echo@v1");
  call.name = text("Echo.Say");
  call.input = text("{\"message\":\"from 1.0\"}");
  call.traceparent = request->traceparent;
  call.tracestate = request->tracestate;
  return call;
}

static void call_and_wait(struct instance *self, const trellis_request *request) {
  struct buffer out = {.size = 0};
  const trellis_sink sink = {&out, append};
  const trellis_error_sink no_words = {NULL, NULL};
  const trellis_rpc_call call = echo_call(request);
  const trellis_status status = self->host->call_rpc(self->host->self, &call, sink, no_words);
  const trellis_str output = {out.chars, out.size};
  if (status == TRELLIS_OK)
    self->host->complete(self->host->self, request->call, output);
  else
    self->host->release(self->host->self, request->call);
}

static void called(void *context, trellis_status status, trellis_str output, const trellis_error *error) {
  struct later *later = context;
  const trellis_host *host = later->self->host;
  if (status == TRELLIS_OK)
    host->complete(host->self, later->call, output);
  else
    host->fail(host->self, later->call, error);
  free(later);
}

/* Without a proof, so that the echo service answers with an error: an answer all the same. */
static void request_raw(struct instance *self, const trellis_request *request, const char *subject) {
  const trellis_transport_v1 *transport = self->host->get_extension(self->host->self, text(TRELLIS_EXT_TRANSPORT));
  struct buffer out = {.size = 0};
  const trellis_sink sink = {&out, append};
  const trellis_error_sink no_words = {NULL, NULL};
  const trellis_header header = {TEXT("frozen"), TEXT("yes")};
  const trellis_status status = transport->request(self->host->self, text(subject), text("{\"message\":\"raw\"}"),
                                                   &header, 1, 2000, sink, no_words);
  char answer[128];
  snprintf(answer, sizeof answer, "{\"status\":%d,\"bytes\":%s}", (int)status, out.size > 0 ? "true" : "false");
  self->host->complete(self->host->self, request->call, text(answer));
}

static void fail_declared(struct instance *self, const trellis_request *request) {
  trellis_error error = {.size = sizeof error};
  error.type = text("Refused");
  error.message = text("as the contract says");
  error.fields = text("{\"number\":7}");
  self->host->fail(self->host->self, request->call, &error);
}

/* What 1.0 promised about a request, and the texts that the host yields. */
static void tell(struct instance *self, const trellis_request *request) {
  struct buffer config = {.size = 0}, identity = {.size = 0};
  const trellis_sink to_config = {&config, append}, to_identity = {&identity, append};
  self->host->config(self->host->self, to_config);
  self->host->identity(self->host->self, to_identity);
  char answer[9000];
  snprintf(answer, sizeof answer, "{\"host\":%s,\"request\":%s,\"surface\":\"%.*s\",\"config\":%.*s,\"identity\":%.*s}",
           self->host->size >= sizeof(trellis_host) && (int)self->host->abi_minor >= TRELLIS_ABI_MINOR ? "true"
                                                                                                       : "false",
           request->size >= sizeof(trellis_request) && request->deadline_unix_ms > 0 && request->caller.size > 2 &&
                   request->session_key.size > 0 && request->request_id.size > 0
               ? "true"
               : "false",
           (int)request->surface.size, request->surface.data, (int)config.size, config.chars, (int)identity.size,
           identity.chars);
  self->host->complete(self->host->self, request->call, text(answer));
}

static void do_what_it_says(void *context, const trellis_request *request) {
  struct instance *self = context;
  const trellis_host *host = self->host;
  if (is_mode(request, "later")) {
    pthread_t thread;
    pthread_create(&thread, NULL, answer_later, keep(self, request));
    pthread_detach(thread);
  } else if (is_mode(request, "call")) {
    call_and_wait(self, request);
  } else if (is_mode(request, "call-async")) {
    const trellis_rpc_call call = echo_call(request);
    struct later *later = keep(self, request);
    if (host->call_rpc_async(host->self, &call, called, later) == TRELLIS_OK) return;
    host->release(host->self, later->call);
    free(later);
  } else if (is_mode(request, "transport")) {
    request_raw(self, request, "rpc.v1.Echo.Say");
  } else if (is_mode(request, "denied")) {
    request_raw(self, request, "rpc.v1.Somebody.Else");
  } else if (is_mode(request, "fail")) {
    fail_declared(self, request);
  } else if (is_mode(request, "release")) {
    host->release(host->self, request->call);
  } else if (is_mode(request, "never")) {
    return;
  } else {
    tell(self, request);
  }
}

static void echo(void *context, const trellis_request *request) {
  struct instance *self = context;
  self->host->complete(self->host->self, request->call, request->input);
}

static const trellis_handler do_handler = {sizeof(trellis_handler), TRELLIS_SURFACE_RPC,
                                           TEXT("test.frozen-one-zero@v1"), TEXT("FrozenOneZero.Do"), do_what_it_says};
static const trellis_handler echo_handler = {sizeof(trellis_handler), TRELLIS_SURFACE_RPC,
                                             TEXT("test.frozen-one-zero@v1"), TEXT("FrozenOneZero.Echo"), echo};
static const trellis_handler *const handlers[] = {&do_handler, &echo_handler};

static trellis_status start(void *self, trellis_error_sink error) {
  (void)error;
  note(self, "frozen 1.0 started");
  return TRELLIS_OK;
}

static trellis_status stop(void *self, int64_t deadline_unix_ms, trellis_error_sink error) {
  (void)error;
  note(self, deadline_unix_ms > 0 ? "frozen 1.0 stopped" : "frozen 1.0 stopped without a deadline");
  return TRELLIS_OK;
}

static void destroy(void *self) {
  note(self, "frozen 1.0 destroyed");
  free(self);
}

static const void *get_extension(void *self, trellis_str id) {
  (void)self, (void)id;
  return NULL;
}

static trellis_status create(const trellis_host *host, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  struct instance *self = calloc(1, sizeof *self);
  if (!self) return TRELLIS_E_FAILED;
  self->host = host;
  self->plugin = (trellis_plugin){sizeof(trellis_plugin), 2, self, handlers, start, stop, destroy, get_extension};
  *out = &self->plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("frozen"), TEXT("1.0.0"), create};
