/* What 1.1 added to a service: events published and heard, a feed, metrics, health checks, a schema for its settings.
 * Built once, with the header of 1.1, and loaded by every host since (tests/live/abi_frozen_test.cpp). */
#include <stdio.h>
#include <string.h>
#include <trellis/plugin.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "test.frozen-one-one@v1",
  "displayName": "Frozen 1.1",
  "description": "A service of plugin ABI 1.1.",
  "kind": "service",
  "schemas": {
    "Do": {"type": "object", "required": ["mode"], "properties": {"mode": {"type": "string"}}},
    "Any": {"type": "object"},
    "Happened": {"type": "object", "required": ["number"], "properties": {"number": {"type": "integer"}}},
    "Tick": {"type": "object", "required": ["tick"], "properties": {"tick": {"type": "integer"}}}
  },
  "rpc": {
    "FrozenOneOne.Do": {"version": "v1", "subject": "rpc.v1.FrozenOneOne.Do", "input": {"schema": "Do"},
                        "output": {"schema": "Any"}},
    "Frozen.Health": {"version": "v1", "subject": "rpc.v1.Frozen.Health", "input": {"schema": "Any"},
                      "output": {"schema": "Any"}}
  },
  "events": {"FrozenOneOne.Happened": {"version": "v1", "subject": "events.v1.FrozenOneOne.Happened",
                                       "event": {"schema": "Happened"}}},
  "feeds": {"FrozenOneOne.Watch": {"version": "v1", "subject": "feeds.v1.FrozenOneOne.Watch", "input": {"schema": "Any"},
                                   "event": {"schema": "Tick"}}}
});

TRELLIS_CONFIG_SCHEMA({
  "type" : "object",
  "required" : ["answer"],
  "properties" : {"answer" : {"type" : "integer", "minimum" : 42}},
  "additionalProperties" : false
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }

static const trellis_host *host;
static const trellis_str kNothing = {NULL, 0};

static trellis_str text(const char *chars) {
  trellis_str out = {chars, strlen(chars)};
  return out;
}

static bool holds(trellis_str input, const char *mode) {
  char wanted[64];
  const int size = snprintf(wanted, sizeof wanted, "\"%s\"", mode);
  for (size_t i = 0; i + (size_t)size <= input.size; ++i)
    if (memcmp(input.data + i, wanted, (size_t)size) == 0) return true;
  return false;
}

static bool is_mode(const trellis_request *request, const char *mode) {
  return holds(request->input, mode);
}

static void note(const char *what, int64_t number) {
  char line[120];
  snprintf(line, sizeof line, "frozen 1.1 %s %lld", what, (long long)number);
  host->log(host->self, TRELLIS_LOG_INFO, text(line), kNothing);
}

static void answer_status(const trellis_request *request, trellis_status status) {
  char json[40];
  snprintf(json, sizeof json, "{\"status\":%d}", (int)status);
  host->complete(host->self, request->call, text(json));
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

/* ------------------------------------------------------------------------------------------------------------ events
 */

static const trellis_events_v1 *events(void) {
  return host->get_extension(host->self, text(TRELLIS_EXT_EVENTS));
}

static trellis_event happened(const char *payload) {
  trellis_event event = {.size = sizeof event, .timeout_ms = 1000};
  event.contract_id = text("test.frozen-one-one@v1");
  event.name = text("FrozenOneOne.Happened");
  event.payload = text(payload);
  return event;
}

static trellis_status hear(void *self, const trellis_event_delivery *event, trellis_error_sink error) {
  (void)self, (void)error;
  const bool whole = event->size >= sizeof *event && event->id.size > 0 && event->time_unix_ms > 0 &&
                     event->delivery == 0 && event->payload.size > 0 && event->contract_id.size == 22;
  note(whole ? "heard" : "heard half of", (int64_t)event->subject.size);
  return TRELLIS_OK;
}

static void published(void *context, trellis_status status, const trellis_error *error) {
  (void)context, (void)error;
  note("published", status);
}

/* Made, and published afterwards: twice, with the same id. */
static trellis_status publish_stored(void) {
  struct buffer prepared = {.size = 0}, told = {.size = 0};
  const trellis_sink to_prepared = {&prepared, append}, to_told = {&told, append};
  const trellis_error_sink no_words = {NULL, NULL};
  const trellis_event event = happened("{\"number\":2}");
  const trellis_status made = events()->prepare(host->self, &event, to_prepared, no_words);
  if (made != TRELLIS_OK) return made;
  const trellis_str stored = {prepared.chars, prepared.size};
  const trellis_status first = events()->publish_prepared(host->self, stored, 1000, to_told, no_words);
  const trellis_status second = events()->publish_prepared(host->self, stored, 1000, to_told, no_words);
  return first == second ? first : TRELLIS_E_FAILED;
}

/* ------------------------------------------------------------------------------------------------------------- feeds
 */

static const trellis_feeds_v1 *feeds(void) {
  return host->get_extension(host->self, text(TRELLIS_EXT_FEEDS));
}

static void watch(void *self, const trellis_feed_request *request) {
  (void)self;
  const trellis_error_sink no_words = {NULL, NULL};
  const bool whole = request->size >= sizeof *request && request->surface.size == 18 && request->caller.size > 2 &&
                     request->session_key.size > 0 && request->request_id.size > 0;
  note("watched", whole ? feeds()->state(host->self, request->stream) : -1);
  feeds()->emit(host->self, request->stream, text("{\"tick\":1}"), no_words);
  note("emitted badly", feeds()->emit(host->self, request->stream, text("{\"tick\":\"?\"}"), no_words));
  feeds()->emit(host->self, request->stream, text("{\"tick\":2}"), no_words);
  if (holds(request->input, "fail")) {
    const trellis_error error = {.size = sizeof error, .message = TEXT("enough")};
    feeds()->fail(host->self, request->stream, &error);
  }
}

static void cancelled(void *self, trellis_stream stream) {
  (void)self;
  note("cancelled", feeds()->close(host->self, stream));
}

/* ------------------------------------------------------------------------------------------------- metrics and health
 */

static trellis_status count(void) {
  const trellis_metrics_v1 *metrics = host->get_extension(host->self, text(TRELLIS_EXT_METRICS));
  const trellis_header attribute = {TEXT("outcome"), TEXT("ok")};
  const trellis_metric metric = {.size = sizeof metric,
                                 .kind = TRELLIS_METRIC_COUNTER,
                                 .name = TEXT("frozen.counted"),
                                 .unit = TEXT("{thing}"),
                                 .description = TEXT("Things.")};
  return metrics->record(host->self, &metric, 1, &attribute, 1);
}

static trellis_status check(void *self, trellis_sink details, trellis_error_sink error) {
  (void)self, (void)error;
  details.write(details.context, text("{\"summary\":\"as fine as then\"}"));
  return TRELLIS_OK;
}

static trellis_status info(void *self, trellis_sink out) {
  (void)self;
  out.write(out.context, text("{\"frozen\":true}"));
  return TRELLIS_OK;
}

static const trellis_health_check fine = {sizeof(trellis_health_check), 0, TEXT("frozen check"), check};
static const trellis_health_check *const checks[] = {&fine};
static const trellis_health_v1 health = {sizeof(trellis_health_v1), 1, checks, info};

static const void *get_extension(void *self, trellis_str id) {
  (void)self;
  const size_t size = sizeof(TRELLIS_EXT_HEALTH) - 1;
  return id.size == size && memcmp(id.data, TRELLIS_EXT_HEALTH, size) == 0 ? &health : NULL;
}

/* -------------------------------------------------------------------------------------------------------- the plugin
 */

static void do_what_it_says(void *self, const trellis_request *request) {
  (void)self;
  const trellis_error_sink no_words = {NULL, NULL};
  const trellis_sink nowhere = {NULL, NULL};
  const trellis_event good = happened("{\"number\":1}"), bad = happened("{\"number\":\"one\"}");
  if (is_mode(request, "publish"))
    answer_status(request, events()->publish(host->self, &good, nowhere, no_words));
  else if (is_mode(request, "publish-badly"))
    answer_status(request, events()->publish(host->self, &bad, nowhere, no_words));
  else if (is_mode(request, "publish-async"))
    answer_status(request, events()->publish_async(host->self, &good, published, NULL, no_words));
  else if (is_mode(request, "publish-stored"))
    answer_status(request, publish_stored());
  else if (is_mode(request, "count"))
    answer_status(request, count());
  else
    host->complete(host->self, request->call, request->input);
}

static const trellis_handler do_handler = {.size = sizeof(trellis_handler),
                                           .kind = TRELLIS_SURFACE_RPC,
                                           .contract_id = TEXT("test.frozen-one-one@v1"),
                                           .name = TEXT("FrozenOneOne.Do"),
                                           .rpc = do_what_it_says};
static const trellis_handler listener = {.size = sizeof(trellis_handler),
                                         .kind = TRELLIS_SURFACE_EVENT,
                                         .contract_id = TEXT("test.frozen-one-one@v1"),
                                         .name = TEXT("FrozenOneOne.Happened"),
                                         .event = hear};
static const trellis_handler watcher = {.size = sizeof(trellis_handler),
                                        .kind = TRELLIS_SURFACE_FEED,
                                        .contract_id = TEXT("test.frozen-one-one@v1"),
                                        .name = TEXT("FrozenOneOne.Watch"),
                                        .feed = watch,
                                        .feed_cancel = cancelled};
static const trellis_handler *const handlers[] = {&do_handler, &listener, &watcher};
static const trellis_plugin plugin = {
    .size = sizeof(trellis_plugin), .handler_count = 3, .handlers = handlers, .get_extension = get_extension};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("frozen"), TEXT("1.1.0"), create};
