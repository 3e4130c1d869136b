/* A service that does with feeds and events what a plugin must not do, one way for each input {"mode": "..."}; odd.c
 * does it with rpcs. What it was told is in its log lines, "WHAT answered STATUS". For tests/live/abi_streams_test.cpp.
 */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <trellis/plugin.h>
#include <unistd.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "test.stray@v1", "displayName": "Stray", "kind": "service",
  "description": "Breaks the rules of feeds and events on request.",
  "schemas": {
    "In": {"type": "object", "required": ["mode"], "properties": {"mode": {"type": "string"}}},
    "Out": {"type": "object", "required": ["status"], "properties": {"status": {"type": "integer"}}},
    "Number": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
    "Told": {"type": "object", "required": ["mode"], "properties": {"mode": {"type": "string"}}}
  },
  "feeds": {
    "Stray.Watch": {"version": "v1", "subject": "feeds.v1.Stray.Watch", "input": {"schema": "In"},
                    "event": {"schema": "Number"}},
    "Stray.Deaf": {"version": "v1", "subject": "feeds.v1.Stray.Deaf", "input": {"schema": "In"},
                   "event": {"schema": "Number"}}
  },
  "events": {"Stray.Told": {"version": "v1", "subject": "events.v1.Stray.Told", "event": {"schema": "Told"}}},
  "rpc": {"Stray.Tell": {"version": "v1", "subject": "rpc.v1.Stray.Tell", "input": {"schema": "In"},
                         "output": {"schema": "Out"}}}
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }
#define CONTRACT_ID TEXT("test.stray@v1")

static const trellis_host *host;
static const trellis_error_sink kNoWords = {NULL, NULL};
static const trellis_sink kNowhere = {NULL, NULL};

static trellis_str text(const char *chars) {
  trellis_str out = {chars, strlen(chars)};
  return out;
}

static void log_status(const char *what, long status) {
  char line[128];
  snprintf(line, sizeof line, "%s answered %ld", what, status);
  const trellis_str nothing = {NULL, 0};
  host->log(host->self, TRELLIS_LOG_INFO, text(line), nothing);
}

static bool mode_is(trellis_str json, const char *mode) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "\"mode\":\"%s\"", mode);
  return memmem(json.data, json.size, wanted, strlen(wanted)) != NULL;
}

static void pause_ms(long ms) {
  const struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&time, NULL);
}

static const trellis_feeds_v1 *feeds(void) {
  return host->get_extension(host->self, text(TRELLIS_EXT_FEEDS));
}
static const trellis_events_v1 *events(void) {
  return host->get_extension(host->self, text(TRELLIS_EXT_EVENTS));
}

/* ------------------------------------------------------------------------------------------------- feeds */

static trellis_status emit(trellis_stream stream, const char *event) {
  return feeds()->emit(host->self, stream, text(event), kNoWords);
}
static trellis_status fail(trellis_stream stream) {
  const trellis_error error = {.size = sizeof error, .type = TEXT("UnexpectedError"), .message = TEXT("told to fail")};
  return feeds()->fail(host->self, stream, &error);
}
static trellis_status end(trellis_stream stream) {
  return feeds()->close(host->self, stream);
}

/* Everything that a stream that is over can be asked for. */
static void log_all(const char *when, trellis_stream stream) {
  char what[96];
#define LOG_ALL(name, call)                                                                                            \
  snprintf(what, sizeof what, "%s %s", name, when);                                                                    \
  log_status(what, call)
  LOG_ALL("emit", emit(stream, "{\"n\":9}"));
  LOG_ALL("state", feeds()->state(host->self, stream));
  LOG_ALL("fail", fail(stream));
  LOG_ALL("close", end(stream));
}

static void emit_wrongly(trellis_stream stream) {
  const trellis_str lying = {NULL, 7}, huge = {NULL, SIZE_MAX};
  log_status("broken schema", emit(stream, "{\"n\":\"one\"}"));
  log_status("no JSON", emit(stream, "{"));
  log_status("no UTF-8", emit(stream, "{\"n\":1,\"x\":\"\xFF\"}"));
  log_status("nothing", emit(stream, ""));
  log_status("lying", feeds()->emit(host->self, stream, lying, kNoWords));
  log_status("huge", feeds()->emit(host->self, stream, huge, kNoWords));
  log_status("state after all that", feeds()->state(host->self, stream));
  log_status("right", emit(stream, "{\"n\":1}"));
}

static void fail_with(trellis_stream stream, const char *context, const char *fields) {
  const trellis_error error = {.size = sizeof error,
                               .type = TEXT("UnexpectedError"),
                               .message = TEXT("words"),
                               .context = text(context),
                               .fields = text(fields)};
  log_status("malformed fail", feeds()->fail(host->self, stream, &error));
}

/* The struct that a feed's function gets: read as far as a plugin of this minor knows it. */
static bool is_whole(const trellis_feed_request *given) {
  trellis_feed_request request = {0};
  memcpy(&request, given, given->size < sizeof request ? given->size : sizeof request);
  return given->size >= sizeof request && request.reserved == 0 && request.stream != 0 && request.surface.size == 11 &&
         memcmp(request.surface.data, "Stray.Watch", 11) == 0 && request.input.size > 2 &&
         request.input.data[0] == '{' && request.caller.size > 2 && request.caller.data[0] == '{' &&
         request.session_key.size == 43 && request.request_id.size > 0 &&
         (request.traceparent.data || request.traceparent.size == 0) &&
         (request.tracestate.data || request.tracestate.size == 0);
}

/* A stream that goes on in a thread of its own. */
struct going {
  const trellis_feed_request *request;
  trellis_feed_request copy;
  char input[256];
};
static atomic_bool returned, stopped;
static pthread_t outliving;
static atomic_bool outlives;

/* Its request lives until the stream is closed, on whatever thread. */
static void *go_on(void *context) {
  struct going *going = context;
  while (!returned)
    pause_ms(1);
  const bool same = memcmp(going->request, &going->copy, sizeof going->copy) == 0 &&
                    memcmp(going->request->input.data, going->input, going->copy.input.size) == 0;
  log_status("request unchanged", same);
  log_status("emit from a thread", emit(going->copy.stream, "{\"n\":1}"));
  log_status("emit from a thread again", emit(going->copy.stream, "{\"n\":2}"));
  log_status("fail from a thread", fail(going->copy.stream));
  log_all("after a thread's fail", going->copy.stream);
  free(going);
  return NULL;
}

/* Never lets go of its stream, whatever it is told. */
static void *never_end(void *context) {
  struct going *going = context;
  trellis_status status = TRELLIS_OK;
  while (status == TRELLIS_OK) {
    pause_ms(20);
    status = emit(going->copy.stream, "{\"n\":1}");
  }
  log_status("emit to nobody", status);
  log_status("state of nobody's", feeds()->state(host->self, going->copy.stream));
  free(going);
  return NULL;
}

/* Goes on after stop has returned. */
static void *outlive(void *context) {
  struct going *going = context;
  while (!stopped || feeds()->state(host->self, going->copy.stream) == TRELLIS_OK)
    pause_ms(5);
  log_all("after stop", going->copy.stream);
  free(going);
  return NULL;
}

static pthread_t begin(void *(*run)(void *), const trellis_feed_request *request) {
  struct going *going = calloc(1, sizeof *going);
  if (!going || request->input.size > sizeof going->input) abort();
  going->request = request;
  going->copy = *request;
  memcpy(going->input, request->input.data, request->input.size);
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, going) != 0) abort();
  return thread;
}

static void watch(void *self, const trellis_feed_request *request) {
  (void)self;
  const trellis_stream stream = request->stream;
  const trellis_str input = request->input;
  if (mode_is(input, "whole")) {
    log_status("whole", is_whole(request));
    emit(stream, "{\"n\":1}");
  } else if (mode_is(input, "fail-twice")) {
    log_status("first fail", fail(stream));
    log_all("after fail", stream);
  } else if (mode_is(input, "close-twice")) {
    emit(stream, "{\"n\":1}");
    log_status("first close", end(stream));
    log_all("after close", stream);
  } else if (mode_is(input, "wrong")) {
    emit_wrongly(stream);
  } else if (mode_is(input, "fail-null")) {
    log_status("fail with NULL", feeds()->fail(host->self, stream, NULL));
  } else if (mode_is(input, "bad-context")) {
    fail_with(stream, "[]", "");
  } else if (mode_is(input, "bad-fields")) {
    fail_with(stream, "{}", "{\"a\":");
  } else if (mode_is(input, "thread")) {
    returned = false;
    pthread_detach(begin(go_on, request));
  } else if (mode_is(input, "never")) {
    pthread_detach(begin(never_end, request));
  } else if (mode_is(input, "outlive")) {
    emit(stream, "{\"n\":1}");
    outliving = begin(outlive, request);
    outlives = true;
  } else if (mode_is(input, "exit-thread")) {
    emit(stream, "{\"n\":1}");
    pthread_exit(NULL);
  }
  returned = true;
}

/* Says that it was cancelled, and keeps the stream. */
static void cancel(void *self, trellis_stream stream) {
  (void)self;
  log_status("cancelled, emit", emit(stream, "{\"n\":1}"));
}

/* ------------------------------------------------------------------------------------------------ events */

static atomic_int heard, published;

static trellis_status listen(void *self, const trellis_event_delivery *event, trellis_error_sink error) {
  (void)self;
  atomic_fetch_add(&heard, 1);
  const trellis_str mode = event->payload;
  if (mode_is(mode, "status 77")) return 77;
  if (mode_is(mode, "status -1")) return -1;
  if (mode_is(mode, "lowest status")) return INT_MIN;
  if (mode_is(mode, "two reports")) {
    const trellis_error one = {.size = sizeof one, .message = TEXT("the first words")},
                        two = {.size = sizeof two, .message = TEXT("the second words")};
    error.report(error.context, &one);
    error.report(error.context, &two);
    return TRELLIS_E_FAILED;
  }
  if (mode_is(mode, "null report")) {
    error.report(error.context, NULL);
    return TRELLIS_E_FAILED;
  }
  if (mode_is(mode, "report and OK")) {
    const trellis_error words = {.size = sizeof words, .message = TEXT("all is well")};
    error.report(error.context, &words);
    return TRELLIS_OK;
  }
  if (mode_is(mode, "exit-thread")) pthread_exit(NULL);
  if (mode_is(mode, "hang"))
    for (;;)
      pause();
  log_status("heard", atomic_load(&heard));
  return TRELLIS_OK;
}

/* {"mode": MODE} as the event Stray.Told. Without a stream nobody acknowledges it. */
static trellis_event told(const char *payload, uint32_t timeout_ms) {
  trellis_event event = {.size = sizeof event, .timeout_ms = timeout_ms, .contract_id = CONTRACT_ID};
  event.name = text("Stray.Told");
  event.payload = text(payload);
  return event;
}

static void note_published(void *context, trellis_status status, const trellis_error *error) {
  (void)context, (void)error;
  log_status("late publish", status);
  atomic_fetch_add(&published, 1);
}

/* Takes its time, so that whatever doesn't wait for it comes first. */
static void note_slowly(void *context, trellis_status status, const trellis_error *error) {
  pause_ms(300);
  note_published(context, status, error);
}

static void *publish_after_stop(void *context) {
  (void)context;
  while (!stopped)
    pause_ms(5);
  const trellis_event event = told("{\"mode\":\"too late\"}", 200);
  log_status("prepare after stop", events()->prepare(host->self, &event, kNowhere, kNoWords));
  log_status("publish after stop", events()->publish(host->self, &event, kNowhere, kNoWords));
  const trellis_status async = events()->publish_async(host->self, &event, note_published, NULL, kNoWords);
  log_status("publish_async after stop", async == TRELLIS_OK ? 0 : 1);
  for (int i = 0; async == TRELLIS_OK && published == 0 && i < 1000; ++i)
    pause_ms(5);
  log_status("replies after stop", atomic_load(&published) - (async == TRELLIS_OK ? 1 : 0));
  return NULL;
}

static void answer(const trellis_request *request, long status) {
  char json[64];
  snprintf(json, sizeof json, "{\"status\":%ld}", status);
  host->complete(host->self, request->call, text(json));
}

static void tell(void *self, const trellis_request *request) {
  (void)self;
  if (mode_is(request->input, "outlive")) { /* a thread that publishes after stop */
    if (pthread_create(&outliving, NULL, publish_after_stop, NULL) != 0) abort();
    outlives = true;
    answer(request, 0);
    return;
  }
  if (mode_is(request->input, "leave open")) { /* an acknowledgement that is still awaited when the plugin is stopped */
    const trellis_event event = told("{\"mode\":\"plain\"}", 3600000);
    answer(request, events()->publish_async(host->self, &event, note_slowly, NULL, kNoWords));
    return;
  }
  char payload[256];
  if (request->input.size >= sizeof payload) abort();
  memcpy(payload, request->input.data, request->input.size);
  payload[request->input.size] = 0;
  const trellis_event event = told(payload, 50);
  answer(request, events()->publish(host->self, &event, kNowhere, kNoWords));
}

/* ------------------------------------------------------------------------------------------------ the plugin */

static trellis_status stop(void *self, int64_t deadline_unix_ms, trellis_error_sink error) {
  (void)self, (void)deadline_unix_ms, (void)error;
  stopped = true;
  return TRELLIS_OK;
}

static void destroy(void *self) {
  (void)self;
  if (outlives) pthread_join(outliving, NULL);
  log_status("replies before destroy", atomic_load(&published));
}

static const trellis_handler rpc = {.size = sizeof(trellis_handler),
                                    .kind = TRELLIS_SURFACE_RPC,
                                    .contract_id = CONTRACT_ID,
                                    .name = TEXT("Stray.Tell"),
                                    .rpc = tell};
static const trellis_handler feed = {.size = sizeof(trellis_handler),
                                     .kind = TRELLIS_SURFACE_FEED,
                                     .contract_id = CONTRACT_ID,
                                     .name = TEXT("Stray.Watch"),
                                     .feed = watch,
                                     .feed_cancel = cancel};
/* As a plugin that knows no cancellation: what its struct doesn't cover would end the host. */
static const trellis_handler deaf = {.size = offsetof(trellis_handler, feed_cancel),
                                     .kind = TRELLIS_SURFACE_FEED,
                                     .contract_id = CONTRACT_ID,
                                     .name = TEXT("Stray.Deaf"),
                                     .feed = watch,
                                     .feed_cancel = (trellis_feed_cancel_fn)(uintptr_t)16};
static const trellis_handler listener = {.size = sizeof(trellis_handler),
                                         .kind = TRELLIS_SURFACE_EVENT,
                                         .contract_id = CONTRACT_ID,
                                         .name = TEXT("Stray.Told"),
                                         .event = listen};
static const trellis_handler *const handlers[] = {&rpc, &feed, &deaf, &listener};
static const trellis_plugin plugin = {
    .size = sizeof(trellis_plugin), .handler_count = 4, .handlers = handlers, .stop = stop, .destroy = destroy};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("stray"), TEXT("1.0.0"), create};
