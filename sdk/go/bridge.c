#include "bridge.h"
#include "_cgo_export.h"

#include <string.h>
#include <trellis/go.h>

#define GIVEN(name) ((trellis_str){name, name##_size})

/* ------------------------------------------------------------------------------------------- what the host yields */

static void append(void *context, trellis_str piece) {
  trellis_go_text *text = context;
  char *larger = piece.size > 0 ? realloc(text->data, text->size + piece.size) : NULL;
  if (!larger) return; /* nothing to add, or no memory: what is incomplete is no JSON, and refused as that */
  memcpy(larger + text->size, piece.data, piece.size);
  text->data = larger;
  text->size += piece.size;
}

static void keep_error(void *context, const trellis_error *error) {
  trellis_go_result *result = context;
  result->has_error = 1;
  append(&result->type, error->type);
  append(&result->message, error->message);
  append(&result->context, error->context);
  append(&result->fields, error->fields);
}

static trellis_sink output_of(trellis_go_result *result) {
  return (trellis_sink){&result->output, append};
}
static trellis_error_sink error_of(trellis_go_result *result) {
  return (trellis_error_sink){result, keep_error};
}

void trellis_go_free_result(trellis_go_result *result) {
  free(result->output.data);
  free(result->type.data);
  free(result->message.data);
  free(result->context.data);
  free(result->fields.data);
}

/* ------------------------------------------------------------------------------------------ functions of the host */

void trellis_go_log(const trellis_host *host, int32_t level, TRELLIS_GO_IN(message), TRELLIS_GO_IN(fields)) {
  host->log(host->self, level, GIVEN(message), GIVEN(fields));
}

void trellis_go_config(const trellis_host *host, trellis_go_result *result) {
  result->status = host->config(host->self, output_of(result));
}

void trellis_go_identity(const trellis_host *host, trellis_go_result *result) {
  result->status = host->identity(host->self, output_of(result));
}

trellis_status trellis_go_complete(const trellis_host *host, trellis_call call, TRELLIS_GO_IN(output)) {
  return host->complete(host->self, call, GIVEN(output));
}

static trellis_error error_from(trellis_str type, trellis_str message, trellis_str context, trellis_str fields) {
  return (trellis_error){sizeof(trellis_error), 0, type, message, context, fields};
}

trellis_status trellis_go_fail(const trellis_host *host, trellis_call call, TRELLIS_GO_IN(type), TRELLIS_GO_IN(message),
                               TRELLIS_GO_IN(context), TRELLIS_GO_IN(fields)) {
  const trellis_error error = error_from(GIVEN(type), GIVEN(message), GIVEN(context), GIVEN(fields));
  return host->fail(host->self, call, &error);
}

trellis_status trellis_go_release(const trellis_host *host, trellis_call call) {
  return host->release(host->self, call);
}

trellis_status trellis_go_call_state(const trellis_host *host, trellis_call call) {
  return host->call_state(host->self, call);
}

static void replied(void *context, trellis_status status, trellis_str output, const trellis_error *error) {
  trellisGoReplied((uintptr_t)context, status, output, (trellis_error *)error);
}

void trellis_go_call_rpc(const trellis_host *host, uint32_t timeout_ms, TRELLIS_GO_IN(contract), TRELLIS_GO_IN(name),
                         TRELLIS_GO_IN(input), TRELLIS_GO_IN(traceparent), TRELLIS_GO_IN(tracestate), uintptr_t reply,
                         trellis_go_result *result) {
  const trellis_rpc_call call = {sizeof call,  timeout_ms,         GIVEN(contract),  GIVEN(name),
                                 GIVEN(input), GIVEN(traceparent), GIVEN(tracestate)};
  result->status = reply ? host->call_rpc_async(host->self, &call, replied, (void *)reply)
                         : host->call_rpc(host->self, &call, output_of(result), error_of(result));
}

/* ---------------------------------------------------------------------------------------------------- extensions */

/* NULL when the host doesn't have it, or an older one that lacks functions. Each table starts with its size. */
static const void *extension(const trellis_host *host, const char *id, size_t size) {
  const uint32_t *table = host->get_extension(host->self, (trellis_str){id, strlen(id)});
  return table && *table >= size ? table : NULL;
}

static void published(void *context, trellis_status status, const trellis_error *error) {
  trellisGoReplied((uintptr_t)context, status, (trellis_str){NULL, 0}, (trellis_error *)error);
}

void trellis_go_event(const trellis_host *host, int32_t how, TRELLIS_GO_IN(contract), TRELLIS_GO_IN(name),
                      TRELLIS_GO_IN(payload), TRELLIS_GO_IN(traceparent), TRELLIS_GO_IN(tracestate), uintptr_t done,
                      trellis_go_result *result) {
  const trellis_events_v1 *events = extension(host, TRELLIS_EXT_EVENTS, sizeof *events);
  const trellis_event event = {sizeof event,     0, GIVEN(contract), GIVEN(name), GIVEN(payload), GIVEN(traceparent),
                               GIVEN(tracestate)};
  if (!events)
    result->status = TRELLIS_E_UNSUPPORTED;
  else if (how == TRELLIS_GO_PREPARE)
    result->status = events->prepare(host->self, &event, output_of(result), error_of(result));
  else if (how == TRELLIS_GO_PUBLISH)
    result->status = events->publish(host->self, &event, output_of(result), error_of(result));
  else
    result->status = events->publish_async(host->self, &event, published, (void *)done, error_of(result));
}

void trellis_go_publish_prepared(const trellis_host *host, TRELLIS_GO_IN(prepared), uint32_t timeout_ms,
                                 trellis_go_result *result) {
  const trellis_events_v1 *events = extension(host, TRELLIS_EXT_EVENTS, sizeof *events);
  result->status =
      events ? events->publish_prepared(host->self, GIVEN(prepared), timeout_ms, output_of(result), error_of(result))
             : TRELLIS_E_UNSUPPORTED;
}

static const trellis_feeds_v1 *feeds_of(const trellis_host *host) {
  return extension(host, TRELLIS_EXT_FEEDS, sizeof(trellis_feeds_v1));
}

void trellis_go_emit(const trellis_host *host, trellis_stream stream, TRELLIS_GO_IN(event), trellis_go_result *result) {
  const trellis_feeds_v1 *feeds = feeds_of(host);
  result->status = feeds ? feeds->emit(host->self, stream, GIVEN(event), error_of(result)) : TRELLIS_E_UNSUPPORTED;
}

trellis_status trellis_go_fail_stream(const trellis_host *host, trellis_stream stream, TRELLIS_GO_IN(type),
                                      TRELLIS_GO_IN(message), TRELLIS_GO_IN(context), TRELLIS_GO_IN(fields)) {
  const trellis_feeds_v1 *feeds = feeds_of(host);
  const trellis_error error = error_from(GIVEN(type), GIVEN(message), GIVEN(context), GIVEN(fields));
  return feeds ? feeds->fail(host->self, stream, &error) : TRELLIS_E_UNSUPPORTED;
}

trellis_status trellis_go_close_stream(const trellis_host *host, trellis_stream stream) {
  const trellis_feeds_v1 *feeds = feeds_of(host);
  return feeds ? feeds->close(host->self, stream) : TRELLIS_E_UNSUPPORTED;
}

trellis_status trellis_go_stream_state(const trellis_host *host, trellis_stream stream) {
  const trellis_feeds_v1 *feeds = feeds_of(host);
  return feeds ? feeds->state(host->self, stream) : TRELLIS_E_UNSUPPORTED;
}

#define MOST_ATTRIBUTES 32

trellis_status trellis_go_record(const trellis_host *host, uint32_t kind, TRELLIS_GO_IN(name), TRELLIS_GO_IN(unit),
                                 TRELLIS_GO_IN(description), double value, const char *attributes, const size_t *sizes,
                                 size_t count) {
  const trellis_metrics_v1 *metrics = extension(host, TRELLIS_EXT_METRICS, sizeof *metrics);
  const trellis_metric metric = {sizeof metric, kind, GIVEN(name), GIVEN(unit), GIVEN(description)};
  trellis_header pairs[MOST_ATTRIBUTES];
  if (!metrics) return TRELLIS_E_UNSUPPORTED;
  if (count > MOST_ATTRIBUTES) return TRELLIS_E_TOO_LARGE;
  for (size_t i = 0; i < count; ++i) {
    pairs[i].name = (trellis_str){attributes, sizes[2 * i]};
    attributes += sizes[2 * i];
    pairs[i].value = (trellis_str){attributes, sizes[2 * i + 1]};
    attributes += sizes[2 * i + 1];
  }
  return metrics->record(host->self, &metric, value, pairs, count);
}

void trellis_go_write(trellis_sink sink, TRELLIS_GO_IN(text)) {
  if (sink.write) sink.write(sink.context, GIVEN(text));
}

void trellis_go_report(trellis_error_sink sink, TRELLIS_GO_IN(type), TRELLIS_GO_IN(message), TRELLIS_GO_IN(context),
                       TRELLIS_GO_IN(fields)) {
  const trellis_error error = error_from(GIVEN(type), GIVEN(message), GIVEN(context), GIVEN(fields));
  if (sink.report) sink.report(sink.context, &error);
}

/* --------------------------------------------------------------------------------------------------- the plugin */

struct trellis_go_tables {
  trellis_plugin plugin;
  trellis_health_v1 health;
  uintptr_t handle;
  uint32_t room, used;
  trellis_handler *handlers;
  const trellis_handler **pointers;
  trellis_health_check checks[TRELLIS_GO_MAX_CHECKS];
  const trellis_health_check *check_pointers[TRELLIS_GO_MAX_CHECKS];
};

static uintptr_t handle_of(void *self) {
  return ((const trellis_go_tables *)self)->handle;
}

static void serve_rpc(void *self, const trellis_request *request) {
  trellisGoRPC(handle_of(self), (trellis_request *)request);
}
static trellis_status hear_event(void *self, const trellis_event_delivery *event, trellis_error_sink error) {
  return trellisGoEvent(handle_of(self), (trellis_event_delivery *)event, error);
}
static void serve_feed(void *self, const trellis_feed_request *request) {
  trellisGoFeed(handle_of(self), (trellis_feed_request *)request);
}
static void cancel_feed(void *self, trellis_stream stream) {
  trellisGoCancel(handle_of(self), stream);
}
static trellis_status start(void *self, trellis_error_sink error) {
  return trellisGoStart(handle_of(self), error);
}
static trellis_status stop(void *self, int64_t deadline_unix_ms, trellis_error_sink error) {
  return trellisGoStop(handle_of(self), deadline_unix_ms, error);
}
static void destroy(void *self) {
  trellisGoDestroy(handle_of(self));
  trellis_go_free_tables(self);
}
static trellis_status health_info(void *self, trellis_sink out) {
  return trellisGoInfo(handle_of(self), out);
}

/* A check gets no word from its own entry in the table, so each needs a function of its own. */
#define CHECK(n)                                                                                                       \
  static trellis_status check_##n(void *self, trellis_sink details, trellis_error_sink error) {                        \
    return trellisGoCheck(handle_of(self), n, details, error);                                                         \
  }
CHECK(0)
CHECK(1)
CHECK(2)
CHECK(3)
CHECK(4)
CHECK(5)
CHECK(6)
CHECK(7)
CHECK(8)
CHECK(9)
CHECK(10)
CHECK(11)
CHECK(12)
CHECK(13)
CHECK(14)
CHECK(15)
typedef trellis_status (*check_fn)(void *, trellis_sink, trellis_error_sink);
static const check_fn check_functions[TRELLIS_GO_MAX_CHECKS] = {
    check_0, check_1, check_2,  check_3,  check_4,  check_5,  check_6,  check_7,
    check_8, check_9, check_10, check_11, check_12, check_13, check_14, check_15};

static const void *get_extension(void *self, trellis_str id) {
  const trellis_go_tables *tables = self;
  const size_t size = sizeof(TRELLIS_EXT_HEALTH) - 1;
  const bool asked = id.size == size && memcmp(id.data, TRELLIS_EXT_HEALTH, size) == 0;
  return asked && (tables->health.check_count > 0 || tables->health.info) ? &tables->health : NULL;
}

trellis_go_tables *trellis_go_new_tables(uintptr_t handle, uint32_t handlers) {
  trellis_go_tables *tables = calloc(1, sizeof *tables);
  if (!tables) return NULL;
  tables->handle = handle;
  tables->room = handlers;
  tables->handlers = calloc(handlers + 1, sizeof *tables->handlers); /* one more, because of none NULL could be made */
  tables->pointers = calloc(handlers + 1, sizeof *tables->pointers);
  if (tables->handlers && tables->pointers) return tables;
  trellis_go_free_tables(tables);
  return NULL;
}

/* {NULL, size} when there is no memory. */
static trellis_str copied(trellis_str text) {
  char *copy = malloc(text.size + 1);
  if (copy && text.size > 0) memcpy(copy, text.data, text.size);
  return (trellis_str){copy, text.size};
}

bool trellis_go_add_handler(trellis_go_tables *tables, uint32_t kind, TRELLIS_GO_IN(contract), TRELLIS_GO_IN(name),
                            TRELLIS_GO_IN(group), TRELLIS_GO_IN(subject_data)) {
  if (tables->used == tables->room) return false;
  trellis_handler *handler = &tables->handlers[tables->used];
  tables->pointers[tables->used++] = handler;
  handler->size = sizeof *handler;
  handler->kind = kind;
  handler->contract_id = copied(GIVEN(contract));
  handler->name = copied(GIVEN(name));
  handler->group = copied(GIVEN(group));
  handler->subject_data = copied(GIVEN(subject_data));
  if (kind == TRELLIS_SURFACE_RPC) handler->rpc = serve_rpc;
  if (kind == TRELLIS_SURFACE_EVENT) handler->event = hear_event;
  if (kind == TRELLIS_SURFACE_FEED) {
    handler->feed = serve_feed;
    handler->feed_cancel = cancel_feed;
  }
  return handler->contract_id.data && handler->name.data && handler->group.data && handler->subject_data.data;
}

bool trellis_go_add_check(trellis_go_tables *tables, TRELLIS_GO_IN(name)) {
  const uint32_t at = tables->health.check_count;
  if (at == TRELLIS_GO_MAX_CHECKS) return false;
  tables->health.check_count = at + 1;
  tables->check_pointers[at] = &tables->checks[at];
  tables->checks[at] =
      (trellis_health_check){sizeof(trellis_health_check), 0, copied(GIVEN(name)), check_functions[at]};
  return tables->checks[at].name.data != NULL;
}

void trellis_go_set_info(trellis_go_tables *tables) {
  tables->health.info = health_info;
}

const trellis_plugin *trellis_go_plugin(trellis_go_tables *tables) {
  tables->health.size = sizeof tables->health;
  tables->health.checks = tables->check_pointers;
  tables->plugin = (trellis_plugin){
      sizeof(trellis_plugin), tables->used, tables, tables->pointers, start, stop, destroy, get_extension};
  return &tables->plugin;
}

void trellis_go_free_tables(trellis_go_tables *tables) {
  for (uint32_t i = 0; i < tables->used; ++i) {
    free((char *)tables->handlers[i].contract_id.data);
    free((char *)tables->handlers[i].name.data);
    free((char *)tables->handlers[i].group.data);
    free((char *)tables->handlers[i].subject_data.data);
  }
  for (uint32_t i = 0; i < tables->health.check_count; ++i)
    free((char *)tables->checks[i].name.data);
  free(tables->handlers);
  free(tables->pointers);
  free(tables);
}

trellis_status trellis_go_create(const trellis_host *host, const trellis_plugin **out, trellis_error_sink error) {
  return trellisGoCreate((trellis_host *)host, (trellis_plugin **)out, error);
}
