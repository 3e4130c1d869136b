/* A service in plain C with what isn't an rpc: it publishes an event, books it in a durable group, shows it live on a
 * feed, counts it, and says how it is. */
#include <pthread.h>
#include <trellis/small.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "acme.till@v1",
  "displayName": "Till",
  "description": "Rings up sales, books them and shows them to whoever watches.",
  "kind": "service",
  "uses": {
    "required": {
      "health": {"contract": "trellis.health@v1", "events": {"publish": ["Health.Heartbeat"]}}
    }
  },
  "schemas": {
    "Sale": {
      "type": "object",
      "required": ["sku", "quantity"],
      "properties": {"sku": {"type": "string", "minLength": 1}, "quantity": {"type": "integer", "minimum": 1}}
    },
    "Sold": {
      "type": "object",
      "required": ["sku", "quantity", "header"],
      "properties": {
        "sku": {"type": "string"},
        "quantity": {"type": "integer"},
        "header": {"type": "object"}
      }
    },
    "Receipt": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
    "Article": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string", "minLength": 1}}},
    "Booked": {"type": "object", "required": ["quantity"], "properties": {"quantity": {"type": "integer"}}},
    "Watch": {"type": "object", "properties": {"sku": {"type": "string", "minLength": 1}}},
    "Nothing": {"type": "object"},
    "HealthReport": {
      "type": "object",
      "required": ["status", "service", "timestamp", "checks"],
      "properties": {
        "status": {"type": "string"},
        "service": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "checks": {"type": "array"}
      }
    }
  },
  "events": {
    "Till.Sold": {
      "version": "v1",
      "subject": "events.v1.Till.Sold.{/sku}",
      "params": ["/sku"],
      "event": {"schema": "Sold"}
    }
  },
  "eventConsumers": {"books": {"self": ["Till.Sold"], "maxDeliver": 3, "backoffMs": [1000, 1000]}},
  "feeds": {
    "Till.Watch": {
      "version": "v1",
      "subject": "feeds.v1.Till.Watch",
      "input": {"schema": "Watch"},
      "event": {"schema": "Sale"}
    }
  },
  "rpc": {
    "Till.Sell": {
      "version": "v1",
      "subject": "rpc.v1.Till.Sell",
      "input": {"schema": "Sale"},
      "output": {"schema": "Receipt"}
    },
    "Till.Booked": {
      "version": "v1",
      "subject": "rpc.v1.Till.Booked",
      "input": {"schema": "Article"},
      "output": {"schema": "Booked"}
    },
    "Till.Health": {
      "version": "v1",
      "subject": "rpc.v1.Till.Health",
      "input": {"schema": "Nothing"},
      "output": {"schema": "HealthReport"}
    }
  }
});

#define CONTRACT TS_TEXT("acme.till@v1")

static const trellis_str nothing = {NULL, 0};

/* How many of an article were sold. A real till keeps that in a database: an event may come twice, and what is in
 * memory ends with the process. */
typedef struct page {
  char *sku;
  int64_t quantity;
  struct page *next;
} page;

typedef struct watcher {
  trellis_stream stream;
  char *sku; /* NULL: every sale */
  struct watcher *next;
} watcher;

/* One instance. Handlers run on several workers, so a mutex guards the lists. */
typedef struct till {
  trellis_plugin plugin;
  const trellis_host *host;
  const trellis_events_v1 *events;
  const trellis_feeds_v1 *feeds;
  const trellis_metrics_v1 *metrics;
  char *broken_sku;   /* its handlers fail, to see what that does */
  bool broken_drawer; /* so does a health check */
  pthread_mutex_t mutex;
  page *books;
  watcher *watchers;
  bool unbooked; /* a sale of broken_sku */
} till;

static bool is_broken(const till *self, const char *sku) {
  return self->broken_sku && strcmp(self->broken_sku, sku) == 0;
}

/* A sale out of an rpc's input or an event's payload. False: it doesn't fit, or there is no memory. */
typedef struct sale {
  char *sku;
  int64_t quantity;
} sale;

static bool read_sale(trellis_str json, sale *out) {
  trellis_str sku = nothing, quantity = nothing;
  ts_member(json, "sku", &sku);
  ts_member(json, "quantity", &quantity);
  out->sku = ts_string(sku);
  if (out->sku && ts_integer(quantity, &out->quantity)) return true;
  free(out->sku);
  return false;
}

static void write_sale(ts_buffer *out, const sale *sold) {
  ts_put(out, "{\"sku\":");
  ts_put_string(out, sold->sku);
  ts_put(out, ",\"quantity\":");
  ts_put_integer(out, sold->quantity);
  ts_put(out, "}");
}

/* ------------------------------------------------------------------------------------------------- Till.Sell: rpc */

static void count(const till *self, int64_t quantity) {
  static const trellis_metric items = {sizeof items, TRELLIS_METRIC_COUNTER, TS_TEXT("till.items"), TS_TEXT("{item}"),
                                       TS_TEXT("Items sold.")};
  const trellis_header basket = {TS_TEXT("basket"), ts_text(quantity < 10 ? "small" : "large")};
  if (self->metrics) self->metrics->record(self->host->self, &items, (double)quantity, &basket, 1);
}

/* Keeps the error's message, for an answer to the caller. */
static void keep_message(void *buffer, const trellis_error *error) {
  ts_put_bytes(buffer, error->message.data, error->message.size);
}

/* Waits until the stream has the event: on a worker that is fine. */
static void sell(void *context, const trellis_request *request) {
  const till *self = context;
  sale sold;
  if (!read_sale(request->input, &sold)) {
    ts_fail(self->host, request->call, "UnexpectedError", "the input doesn't fit", nothing);
    return;
  }
  ts_buffer payload = {0}, published = {0}, problem = {0}, receipt = {0};
  write_sale(&payload, &sold);
  const trellis_event event = {.size = sizeof event,
                               .contract_id = CONTRACT,
                               .name = TS_TEXT("Till.Sold"),
                               .payload = ts_written(&payload),
                               .traceparent = request->traceparent,
                               .tracestate = request->tracestate};
  trellis_str id = nothing;
  const trellis_error_sink keep = {&problem, keep_message};
  if (self->events->publish(self->host->self, &event, ts_sink(&published), keep) == TRELLIS_OK &&
      ts_member(ts_written(&published), "id", &id)) {
    count(self, sold.quantity);
    ts_put(&receipt, "{\"id\":");
    ts_put_bytes(&receipt, id.data, id.size);
    ts_put(&receipt, "}");
    ts_complete(self->host, request->call, &receipt);
  } else {
    ts_put_bytes(&problem, "", 1);
    ts_fail(self->host, request->call, "UnexpectedError", problem.failed ? "no memory" : problem.data, nothing);
  }
  free(problem.data);
  free(published.data);
  free(payload.data);
  free(sold.sku);
}

/* ----------------------------------------------------------------------------- the books: a durable group, an rpc */

/* The page of a sale's sku, NULL if there is none. Under the mutex. */
static page *page_of(const till *self, const char *sku) {
  page *at = self->books;
  while (at && strcmp(at->sku, sku) != 0)
    at = at->next;
  return at;
}

/* A new page takes the sale's sku over. False: no memory. Under the mutex. */
static bool add_to_books(till *self, sale *sold) {
  page *found = page_of(self, sold->sku);
  if (!found) {
    found = calloc(1, sizeof *found);
    if (!found) return false;
    found->sku = sold->sku;
    sold->sku = NULL;
    found->next = self->books;
    self->books = found;
  }
  found->quantity += sold->quantity;
  return true;
}

/* What fails comes again, after the group's backoff. */
static trellis_status book(void *context, const trellis_event_delivery *event, trellis_error_sink error) {
  till *self = context;
  sale sold;
  if (!read_sale(event->payload, &sold)) return ts_report(error, "the sale doesn't fit"), TRELLIS_E_FAILED;
  pthread_mutex_lock(&self->mutex);
  const bool broken = is_broken(self, sold.sku);
  const bool done = !broken && add_to_books(self, &sold);
  if (broken) self->unbooked = true;
  pthread_mutex_unlock(&self->mutex);
  free(sold.sku);
  if (done) return TRELLIS_OK;
  ts_report(error, broken ? "the label can't be read" : "no memory");
  return TRELLIS_E_FAILED;
}

static void booked(void *context, const trellis_request *request) {
  till *self = context;
  trellis_str text = nothing;
  ts_member(request->input, "sku", &text);
  char *sku = ts_string(text);
  if (!sku) {
    ts_fail(self->host, request->call, "UnexpectedError", "the input doesn't fit", nothing);
    return;
  }
  pthread_mutex_lock(&self->mutex);
  const page *found = page_of(self, sku);
  const int64_t quantity = found ? found->quantity : 0;
  pthread_mutex_unlock(&self->mutex);
  free(sku);
  ts_buffer out = {0};
  ts_put(&out, "{\"quantity\":");
  ts_put_integer(&out, quantity);
  ts_put(&out, "}");
  ts_complete(self->host, request->call, &out);
}

/* ----------------------------------------------------------------------- who watches: a feed, and a live listener */

static void leave(void *context, trellis_stream stream) {
  till *self = context;
  pthread_mutex_lock(&self->mutex);
  watcher **at = &self->watchers;
  while (*at && (*at)->stream != stream)
    at = &(*at)->next;
  watcher *gone = *at;
  if (gone) *at = gone->next;
  pthread_mutex_unlock(&self->mutex);
  self->feeds->close(self->host->self, stream);
  if (gone) free(gone->sku);
  free(gone);
}

static void watch(void *context, const trellis_feed_request *request) {
  till *self = context;
  const trellis_stream stream = request->stream; /* the request is gone once the stream is closed */
  trellis_str sku = nothing;
  const bool one_sku = ts_member(request->input, "sku", &sku);
  watcher *added = calloc(1, sizeof *added);
  if (added) *added = (watcher){.stream = stream, .sku = one_sku ? ts_string(sku) : NULL};
  const bool no_sku = !added || (one_sku && !added->sku);
  if (no_sku || (one_sku && is_broken(self, added->sku))) {
    const trellis_error error =
        ts_error("UnexpectedError", no_sku ? "the input doesn't fit" : "the label can't be read", nothing);
    self->feeds->fail(self->host->self, stream, &error);
    if (added) free(added->sku);
    free(added);
    return;
  }
  pthread_mutex_lock(&self->mutex);
  added->next = self->watchers;
  self->watchers = added;
  pthread_mutex_unlock(&self->mutex);
  /* A cancellation that came on another worker before that found nobody. */
  if (self->feeds->state(self->host->self, stream) != TRELLIS_OK) leave(self, stream);
}

/* Live every instance hears of each sale, and shows it to those who watch there. */
static trellis_status show(void *context, const trellis_event_delivery *event, trellis_error_sink error) {
  till *self = context;
  const trellis_error_sink unheard = {NULL, NULL};
  sale sold;
  if (!read_sale(event->payload, &sold)) return ts_report(error, "the sale doesn't fit"), TRELLIS_E_FAILED;
  if (is_broken(self, sold.sku)) {
    free(sold.sku);
    return ts_report(error, "the label can't be read"), TRELLIS_E_FAILED;
  }
  ts_buffer text = {0};
  write_sale(&text, &sold);
  pthread_mutex_lock(&self->mutex);
  for (const watcher *at = self->watchers; at && !text.failed; at = at->next)
    if (!at->sku || strcmp(at->sku, sold.sku) == 0) /* one that is gone is cancelled soon */
      self->feeds->emit(self->host->self, at->stream, ts_written(&text), unheard);
  pthread_mutex_unlock(&self->mutex);
  free(text.data);
  free(sold.sku);
  return TRELLIS_OK;
}

/* -------------------------------------------------------------------------------------------------------- health */

static trellis_status check_books(void *context, trellis_sink details, trellis_error_sink error) {
  till *self = context;
  ts_buffer said = {0};
  int64_t articles = 0;
  pthread_mutex_lock(&self->mutex);
  for (const page *at = self->books; at; at = at->next)
    ++articles;
  const bool unbooked = self->unbooked;
  pthread_mutex_unlock(&self->mutex);
  if (unbooked) {
    ts_put(&said, "a sale of ");
    ts_put(&said, self->broken_sku);
    ts_put_bytes(&said, " couldn't be booked", sizeof " couldn't be booked");
    ts_report(error, said.failed ? "no memory" : said.data);
  } else {
    ts_put(&said, "{\"summary\":\"");
    ts_put_integer(&said, articles);
    ts_put(&said, " articles sold\"}");
    details.write(details.context, ts_written(&said));
  }
  free(said.data);
  return unbooked ? TRELLIS_E_FAILED : TRELLIS_OK;
}

static trellis_status check_drawer(void *context, trellis_sink details, trellis_error_sink error) {
  const till *self = context;
  (void)details;
  if (!self->broken_drawer) return TRELLIS_OK;
  ts_report(error, "the drawer is stuck");
  return TRELLIS_E_FAILED;
}

static trellis_status health_info(void *context, trellis_sink out) {
  till *self = context;
  ts_buffer said = {0};
  int64_t watchers = 0;
  pthread_mutex_lock(&self->mutex);
  for (const watcher *at = self->watchers; at; at = at->next)
    ++watchers;
  pthread_mutex_unlock(&self->mutex);
  ts_put(&said, "{\"watchers\":");
  ts_put_integer(&said, watchers);
  ts_put(&said, "}");
  out.write(out.context, ts_written(&said));
  free(said.data);
  return TRELLIS_OK;
}

static const trellis_health_check books_check = {sizeof books_check, 0, TS_TEXT("books"), check_books};
static const trellis_health_check drawer_check = {sizeof drawer_check, 0, TS_TEXT("drawer"), check_drawer};
static const trellis_health_check *const checks[] = {&books_check, &drawer_check};
static const trellis_health_v1 health = {sizeof health, 2, checks, health_info};

static const void *get_extension(void *context, trellis_str id) {
  (void)context;
  const size_t size = sizeof(TRELLIS_EXT_HEALTH) - 1;
  return id.size == size && memcmp(id.data, TRELLIS_EXT_HEALTH, size) == 0 ? &health : NULL;
}

/* -------------------------------------------------------------------------------------------------- the instance */

#define HANDLER(surface, surface_name)                                                                                 \
  .size = sizeof(trellis_handler), .kind = (surface), .contract_id = CONTRACT, .name = TS_TEXT(surface_name)
static const trellis_handler sell_handler = {HANDLER(TRELLIS_SURFACE_RPC, "Till.Sell"), .rpc = sell};
static const trellis_handler booked_handler = {HANDLER(TRELLIS_SURFACE_RPC, "Till.Booked"), .rpc = booked};
static const trellis_handler book_handler = {HANDLER(TRELLIS_SURFACE_EVENT, "Till.Sold"), .event = book,
                                             .group = TS_TEXT("books")};
static const trellis_handler show_handler = {HANDLER(TRELLIS_SURFACE_EVENT, "Till.Sold"), .event = show};
static const trellis_handler watch_handler = {HANDLER(TRELLIS_SURFACE_FEED, "Till.Watch"), .feed = watch,
                                              .feed_cancel = leave};
/* Till.Health is answered by the host, from the checks. */
static const trellis_handler *const handlers[] = {&sell_handler, &booked_handler, &book_handler, &show_handler,
                                                  &watch_handler};

static void destroy(void *context) {
  till *self = context;
  while (self->books) {
    page *next = self->books->next;
    free(self->books->sku);
    free(self->books);
    self->books = next;
  }
  while (self->watchers) {
    watcher *next = self->watchers->next;
    free(self->watchers->sku);
    free(self->watchers);
    self->watchers = next;
  }
  pthread_mutex_destroy(&self->mutex);
  free(self->broken_sku);
  free(self);
}

/* [plugins.NAME.config]: perhaps `broken_sku` and `broken_drawer`. */
static bool read_config(till *self) {
  ts_buffer config = {0};
  trellis_str sku = nothing, drawer = nothing;
  bool fits = self->host->config(self->host->self, ts_sink(&config)) == TRELLIS_OK && !config.failed;
  if (fits && ts_member(ts_written(&config), "broken_sku", &sku)) fits = (self->broken_sku = ts_string(sku)) != NULL;
  if (fits && ts_member(ts_written(&config), "broken_drawer", &drawer))
    self->broken_drawer = drawer.size == 4 && memcmp(drawer.data, "true", 4) == 0;
  free(config.data);
  return fits;
}

static trellis_status create(const trellis_host *host, const trellis_plugin **out, trellis_error_sink error) {
  till *self = calloc(1, sizeof *self);
  if (!self) return TRELLIS_E_FAILED;
  self->host = host;
  self->events = ts_extension(host, TRELLIS_EXT_EVENTS);
  self->feeds = ts_extension(host, TRELLIS_EXT_FEEDS);
  self->metrics = ts_extension(host, TRELLIS_EXT_METRICS);
  pthread_mutex_init(&self->mutex, NULL);
  self->plugin = (trellis_plugin){.size = sizeof(trellis_plugin),
                                  .handler_count = sizeof handlers / sizeof *handlers,
                                  .self = self,
                                  .handlers = handlers,
                                  .destroy = destroy,
                                  .get_extension = get_extension};
  const char *problem = NULL;
  if (!self->events || !self->feeds) problem = "this host has no events or no feeds";
  if (!problem && !read_config(self)) problem = "the configuration's `broken_sku` is no text";
  if (problem) {
    ts_report(error, problem);
    destroy(self);
    return TRELLIS_E_FAILED;
  }
  *out = &self->plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TS_TEXT("till-c"), TS_TEXT("1.0.0"), create};
