/* Events in plain C: an rpc that publishes one, and a durable listener that gets each of them at least once. */
#include <string.h>
#include <trellis/plugin.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "acme.orders@v1",
  "displayName": "Orders",
  "description": "Takes orders and keeps books about them.",
  "kind": "service",
  "schemas": {
    "Order": {"type": "object", "required": ["orderId"], "properties": {"orderId": {"type": "string"}}},
    "Placed": {"type": "object", "required": ["orderId", "header"], "properties": {
      "orderId": {"type": "string"}, "header": {"type": "object"}}}
  },
  "rpc": {
    "Orders.Place": {"version": "v1", "subject": "rpc.v1.Orders.Place", "input": {"schema": "Order"},
                     "output": {"schema": "Order"}}
  },
  "events": {
    "Orders.Placed": {"version": "v1", "subject": "events.v1.Orders.Placed.{/orderId}", "params": ["/orderId"],
                      "event": {"schema": "Placed"}}
  },
  "eventConsumers": {"books": {"self": ["Orders.Placed"]}}
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }

static const trellis_host *host;
static const trellis_events_v1 *events;

/* The stream has the event, or never will: either way the caller is answered. `context` is the call. */
static void published(void *context, trellis_status status, const trellis_error *error) {
  const trellis_call call = (trellis_call)(uintptr_t)context;
  static const trellis_str answer = TEXT("{\"orderId\":\"taken\"}");
  if (status == TRELLIS_OK)
    host->complete(host->self, call, answer);
  else
    host->fail(host->self, call, error);
}

/* Holds no worker while the stream stores the event. */
static void place(void *self, const trellis_request *request) {
  (void)self;
  const trellis_call call = request->call;
  const trellis_event event = {.size = sizeof event,
                               .contract_id = TEXT("acme.orders@v1"),
                               .name = TEXT("Orders.Placed"),
                               .payload = request->input,
                               .traceparent = request->traceparent,
                               .tracestate = request->tracestate};
  const trellis_error_sink nobody = {NULL, NULL};
  if (events->publish_async(host->self, &event, published, (void *)(uintptr_t)call, nobody) != TRELLIS_OK)
    host->release(host->self, call);
}

/* TRELLIS_OK acknowledges it. Anything else: it comes again after the group's backoff. */
static trellis_status book(void *self, const trellis_event_delivery *event, trellis_error_sink error) {
  (void)self;
  (void)error;
  static const trellis_str message = TEXT("an order was placed");
  host->log(host->self, TRELLIS_LOG_INFO, message, event->payload);
  return TRELLIS_OK;
}

static const trellis_handler place_handler = {.size = sizeof(trellis_handler),
                                              .kind = TRELLIS_SURFACE_RPC,
                                              .contract_id = TEXT("acme.orders@v1"),
                                              .name = TEXT("Orders.Place"),
                                              .rpc = place};
static const trellis_handler book_handler = {.size = sizeof(trellis_handler),
                                             .kind = TRELLIS_SURFACE_EVENT,
                                             .contract_id = TEXT("acme.orders@v1"),
                                             .name = TEXT("Orders.Placed"),
                                             .event = book,
                                             .group = TEXT("books")};
static const trellis_handler *const handlers[] = {&place_handler, &book_handler};

static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .handler_count = 2, .handlers = handlers};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  static const trellis_str id = TEXT(TRELLIS_EXT_EVENTS);
  (void)error;
  host = given;
  events = host->get_extension(host->self, id);
  if (!events) return TRELLIS_E_UNSUPPORTED; /* a host older than 1.1 */
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("orders-c"), TEXT("1.0.0"), create};
