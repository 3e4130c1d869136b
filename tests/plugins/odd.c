/* A service that does what a plugin must not do, one way for each input: {"mode": "..."}. For tests of the host. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <trellis/plugin.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "test.odd@v1",
  "displayName": "Odd",
  "description": "Breaks the rules of the plugin ABI on request.",
  "kind": "service",
  "schemas": {
    "In": {"type": "object", "required": ["mode"], "properties": {"mode": {"type": "string"}, "ms": {"type": "integer"}}},
    "Out": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}, "additionalProperties": false}
  },
  "rpc": {
    "Odd.Do": {"version": "v1", "subject": "rpc.v1.Odd.Do", "input": {"schema": "In"}, "output": {"schema": "Out"}},
    "Odd.Of": {"version": "v1", "subject": "rpc.v1.Odd.{/mode}.Of", "input": {"schema": "In"}, "output": {"schema": "Out"}}
  }
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }
#define OK_ANSWER "{\"text\":\"done\"}"

static const trellis_host *host;

static trellis_str text(const char *chars) {
  trellis_str out = {chars, strlen(chars)};
  return out;
}

static bool mode_is(const trellis_request *request, const char *mode) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "\"mode\":\"%s\"", mode);
  return request->input.size < 4096 && memmem(request->input.data, request->input.size, wanted, strlen(wanted)) != NULL;
}

static void log_status(const char *what, trellis_status status) {
  char line[128];
  snprintf(line, sizeof line, "%s answered %d", what, (int)status);
  host->log(host->self, TRELLIS_LOG_INFO, text(line), text("{\"odd\":true}"));
}

static void pause_ms(long ms) {
  struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&time, NULL);
}

static long input_ms(const trellis_request *request) {
  const char *found = memmem(request->input.data, request->input.size, "\"ms\":", 5);
  return found ? strtol(found + 5, NULL, 10) : 100;
}

static void *answer_from_thread(void *context) {
  const trellis_call call = *(trellis_call *)context;
  free(context);
  host->complete(host->self, call, text(OK_ANSWER));
  return NULL;
}

static void fail_with(const trellis_request *request, const char *type, const char *message, const char *context,
                      const char *fields) {
  const trellis_error error = {sizeof(trellis_error), 0, text(type), text(message), text(context), text(fields)};
  log_status("fail", host->fail(host->self, request->call, &error));
}

static void do_odd(void *self, const trellis_request *request) {
  (void)self;
  const trellis_call call = request->call;
  if (mode_is(request, "never")) return;
  if (mode_is(request, "twice")) {
    host->complete(host->self, call, text(OK_ANSWER));
    log_status("second complete", host->complete(host->self, call, text("{\"text\":\"again\"}")));
    return;
  }
  if (mode_is(request, "late")) { /* after its deadline */
    while (host->call_state(host->self, call) == TRELLIS_OK)
      pause_ms(5);
    log_status("late complete", host->complete(host->self, call, text(OK_ANSWER)));
    return;
  }
  if (mode_is(request, "sleep")) {
    pause_ms(input_ms(request));
    host->complete(host->self, call, text(OK_ANSWER));
    return;
  }
  if (mode_is(request, "thread")) {
    trellis_call *copy = malloc(sizeof *copy);
    pthread_t thread;
    *copy = call;
    pthread_create(&thread, NULL, answer_from_thread, copy);
    pthread_detach(thread);
    return;
  }
  if (mode_is(request, "bad-schema")) {
    log_status("bad output", host->complete(host->self, call, text("{\"text\":5,\"more\":1}")));
    return;
  }
  if (mode_is(request, "not-json")) {
    log_status("bad output", host->complete(host->self, call, text("{\"text\":")));
    return;
  }
  if (mode_is(request, "bad-error")) {
    fail_with(request, "ValidationError", "no", "[1,2]", "not json");
    return;
  }
  if (mode_is(request, "release")) {
    host->release(host->self, call);
    return;
  }
  if (mode_is(request, "foreign-handle")) {
    log_status("foreign complete", host->complete(host->self, call ^ 0x5A5A00000000ULL, text(OK_ANSWER)));
    host->complete(host->self, call, text(OK_ANSWER));
    return;
  }
  if (mode_is(request, "abort")) abort();
  host->complete(host->self, call, text(OK_ANSWER));
}

static const trellis_handler handler = {.size = sizeof(trellis_handler),
                                        .kind = TRELLIS_SURFACE_RPC,
                                        .contract_id = TEXT("test.odd@v1"),
                                        .name = TEXT("Odd.Do"),
                                        .rpc = do_odd};
static const trellis_handler templated = {.size = sizeof(trellis_handler),
                                          .kind = TRELLIS_SURFACE_RPC,
                                          .contract_id = TEXT("test.odd@v1"),
                                          .name = TEXT("Odd.Of"),
                                          .rpc = do_odd};
static const trellis_handler *const handlers[] = {&handler, &templated};
static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .handler_count = 2, .handlers = handlers};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("odd"), TEXT("1.0.0"), create};
