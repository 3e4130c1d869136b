/* The other plugin of bench host: publishes events and emits to its feed's subscribers, as many as it is told, and
 * answers when it is done. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trellis/plugin.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "bench.streams@v1", "displayName": "Streams", "kind": "service",
  "description": "Publishes and emits on request.",
  "schemas": {
    "Order": {"type": "object", "required": ["count"], "properties": {"count": {"type": "integer"}}},
    "Done": {"type": "object", "required": ["failed"], "properties": {"failed": {"type": "integer"}}},
    "Tick": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}
  },
  "events": {"Streams.Ticked": {"version": "v1", "subject": "events.v1.Streams.Ticked", "event": {"schema": "Tick"}}},
  "feeds": {"Streams.Watch": {"version": "v1", "subject": "feeds.v1.Streams.Watch", "input": {"schema": "Order"},
                              "event": {"schema": "Tick"}}},
  "rpc": {
    "Streams.Publish": {"version": "v1", "subject": "rpc.v1.Streams.Publish", "input": {"schema": "Order"},
                        "output": {"schema": "Done"}},
    "Streams.Emit": {"version": "v1", "subject": "rpc.v1.Streams.Emit", "input": {"schema": "Order"},
                     "output": {"schema": "Done"}}
  }
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }
#define MAX_STREAMS 4096
#define IN_FLIGHT 256 /* events that wait for the stream's acknowledgement */

/* 128 bytes, as the requests of bench rpc. */
static const trellis_str payload =
    TEXT("{\"message\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxxxxx\"}");

static const trellis_host *host;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static trellis_stream streams[MAX_STREAMS];
static size_t stream_count;
static long in_flight, failed;

static long count_of(const trellis_request *request) {
  static const char kMember[] = "\"count\":";
  const char *found = memmem(request->input.data, request->input.size, kMember, sizeof kMember - 1);
  return found ? strtol(found + sizeof kMember - 1, NULL, 10) : 0;
}

static void answer(const trellis_request *request, long failures) {
  char text[64];
  const int size = snprintf(text, sizeof text, "{\"failed\":%ld}", failures);
  const trellis_str output = {text, (size_t)size};
  host->complete(host->self, request->call, output);
}

static void published(void *context, trellis_status status, const trellis_error *error) {
  (void)context;
  (void)error;
  pthread_mutex_lock(&mutex);
  --in_flight;
  if (status != TRELLIS_OK) ++failed;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
}

static void wait_below(long most) {
  pthread_mutex_lock(&mutex);
  while (in_flight >= most)
    pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
}

static void publish(void *self, const trellis_request *request) {
  const trellis_str id = TEXT(TRELLIS_EXT_EVENTS), none = {NULL, 0};
  const trellis_events_v1 *events = host->get_extension(host->self, id);
  const trellis_event event = {
      sizeof(trellis_event), 30000, TEXT("bench.streams@v1"), TEXT("Streams.Ticked"), payload, none, none};
  const trellis_error_sink ignored = {NULL, NULL};
  (void)self;
  failed = events ? 0 : count_of(request);
  for (long i = count_of(request); events && i > 0; --i) {
    wait_below(IN_FLIGHT);
    pthread_mutex_lock(&mutex);
    ++in_flight;
    pthread_mutex_unlock(&mutex);
    const trellis_status status = events->publish_async(host->self, &event, published, NULL, ignored);
    if (status != TRELLIS_OK) published(NULL, status, NULL);
  }
  wait_below(1);
  answer(request, failed);
}

static void emit(void *self, const trellis_request *request) {
  const trellis_str id = TEXT(TRELLIS_EXT_FEEDS);
  const trellis_feeds_v1 *feeds = host->get_extension(host->self, id);
  const trellis_error_sink ignored = {NULL, NULL};
  long failures = feeds ? 0 : 1;
  (void)self;
  for (long i = count_of(request); feeds && i > 0; --i)
    for (size_t stream = 0; stream < stream_count; ++stream)
      if (feeds->emit(host->self, streams[stream], payload, ignored) != TRELLIS_OK) ++failures;
  answer(request, failures);
}

static void watch(void *self, const trellis_feed_request *request) {
  (void)self;
  pthread_mutex_lock(&mutex);
  if (stream_count < MAX_STREAMS) streams[stream_count++] = request->stream;
  pthread_mutex_unlock(&mutex);
}

static const trellis_handler publish_handler = {.size = sizeof(trellis_handler),
                                                .kind = TRELLIS_SURFACE_RPC,
                                                .contract_id = TEXT("bench.streams@v1"),
                                                .name = TEXT("Streams.Publish"),
                                                .rpc = publish};
static const trellis_handler emit_handler = {.size = sizeof(trellis_handler),
                                             .kind = TRELLIS_SURFACE_RPC,
                                             .contract_id = TEXT("bench.streams@v1"),
                                             .name = TEXT("Streams.Emit"),
                                             .rpc = emit};
static const trellis_handler watch_handler = {.size = sizeof(trellis_handler),
                                              .kind = TRELLIS_SURFACE_FEED,
                                              .contract_id = TEXT("bench.streams@v1"),
                                              .name = TEXT("Streams.Watch"),
                                              .feed = watch};
static const trellis_handler *const handlers[] = {&publish_handler, &emit_handler, &watch_handler};
static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .handler_count = 3, .handlers = handlers};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("streams"), TEXT("1.0.0"), create};
