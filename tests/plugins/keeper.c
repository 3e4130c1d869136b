/* A feed whose streams are never closed by the plugin; says in the log when one begins and when it is cancelled. */
#include <stdio.h>
#include <string.h>
#include <trellis/plugin.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "test.keeper@v1", "displayName": "Keeper", "kind": "service",
  "description": "Keeps its streams.",
  "schemas": {"Any": {"type": "object"}},
  "feeds": {"Keeper.Keep": {"version": "v1", "subject": "feeds.v1.Keeper.Keep", "input": {"schema": "Any"},
                            "event": {"schema": "Any"}}}
});

#define STR(text)                                                                                                      \
  { text, sizeof(text) - 1 }

static const trellis_host *the_host;

static void say(const char *what, int status) {
  char line[80];
  const int size = snprintf(line, sizeof line, "keeper: %s %d", what, status);
  const trellis_str message = {line, (size_t)size}, none = {NULL, 0};
  the_host->log(the_host->self, TRELLIS_LOG_INFO, message, none);
}

static const trellis_feeds_v1 *feeds(void) {
  const trellis_str id = STR(TRELLIS_EXT_FEEDS);
  return (const trellis_feeds_v1 *)the_host->get_extension(the_host->self, id);
}

static void keep(void *self, const trellis_feed_request *request) {
  const trellis_str event = STR("{\"kept\":true}"), wrong = STR("7");
  const trellis_error_sink ignored = {NULL, NULL};
  (void)self;
  say("open", feeds()->state(the_host->self, request->stream));
  say("emitted", feeds()->emit(the_host->self, request->stream, event, ignored));
  say("wrong", feeds()->emit(the_host->self, request->stream, wrong, ignored));
  say("made up", feeds()->emit(the_host->self, request->stream + 1, event, ignored));
}

static void cancelled(void *self, trellis_stream stream) {
  const trellis_str event = STR("{}");
  const trellis_error_sink ignored = {NULL, NULL};
  (void)self;
  say("cancelled", feeds()->emit(the_host->self, stream, event, ignored));
}

static const trellis_handler handler = {.size = sizeof(trellis_handler),
                                        .kind = TRELLIS_SURFACE_FEED,
                                        .contract_id = STR("test.keeper@v1"),
                                        .name = STR("Keeper.Keep"),
                                        .feed = keep,
                                        .feed_cancel = cancelled};
static const trellis_handler *const handlers[] = {&handler};
static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .handler_count = 1, .handlers = handlers};

static trellis_status create(const trellis_host *host, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  the_host = host;
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT const trellis_plugin_entry trellis_plugin_entry_v1 = {.size = sizeof(trellis_plugin_entry),
                                                                     .abi_major = TRELLIS_ABI_MAJOR,
                                                                     .abi_minor = TRELLIS_ABI_MINOR,
                                                                     .name = STR("keeper"),
                                                                     .version = STR("1.0.0"),
                                                                     .create = create};
