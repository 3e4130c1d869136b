/* A service in plain C with state, a declared error, a capability, configuration, and a call to another service, whose
 * answer it waits for without a thread: Inventory.Get is answered when Echo.Say is. */
#include <pthread.h>
#include <trellis/small.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "acme.inventory@v1",
  "displayName": "Inventory",
  "description": "Counts what is on the shelves.",
  "kind": "service",
  "capabilities": {
    "acme.inventory::stock.take": {
      "displayName": "Take stock",
      "description": "May take items off the shelves.",
      "consequence": "Taken items can't be sold again."
    }
  },
  "uses": {"required": {"echo": {"contract": "acme.echo@v1", "rpc": {"call": ["Echo.Say"]}}}},
  "schemas": {
    "Sku": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string", "minLength": 1}}},
    "Take": {
      "type": "object",
      "required": ["sku", "quantity"],
      "properties": {"sku": {"type": "string", "minLength": 1}, "quantity": {"type": "integer", "minimum": 1}}
    },
    "Stock": {
      "type": "object",
      "required": ["sku", "available"],
      "properties": {
        "sku": {"type": "string"},
        "available": {"type": "integer", "minimum": 0},
        "label": {"type": "string"}
      }
    },
    "OutOfStockData": {
      "type": "object",
      "required": ["id", "type", "message", "sku", "available"],
      "properties": {
        "id": {"type": "string"},
        "type": {"type": "string", "const": "OutOfStock"},
        "message": {"type": "string"},
        "sku": {"type": "string"},
        "available": {"type": "integer"}
      }
    }
  },
  "errors": {"OutOfStock": {"type": "OutOfStock", "schema": {"schema": "OutOfStockData"}}},
  "rpc": {
    "Inventory.Get": {
      "version": "v1",
      "subject": "rpc.v1.Inventory.Get",
      "input": {"schema": "Sku"},
      "output": {"schema": "Stock"}
    },
    "Inventory.Take": {
      "version": "v1",
      "subject": "rpc.v1.Inventory.Take",
      "input": {"schema": "Take"},
      "output": {"schema": "Stock"},
      "capabilities": {"call": ["acme.inventory::stock.take"]},
      "errors": [{"type": "OutOfStock"}]
    }
  }
});

static const trellis_str nothing = {NULL, 0};

typedef struct shelf {
  char *sku;
  int64_t available;
  struct shelf *next;
} shelf;

/* One instance. Handlers run on several workers, so a mutex guards the shelves. */
typedef struct inventory {
  trellis_plugin plugin;
  const trellis_host *host;
  pthread_mutex_t mutex;
  shelf *shelves;
  char *broken; /* a sku whose handler fails, to see what that does */
} inventory;

/* The shelf of a sku, NULL if there is none. Under the mutex. */
static shelf *find(inventory *self, const char *sku) {
  shelf *at = self->shelves;
  while (at && strcmp(at->sku, sku) != 0)
    at = at->next;
  return at;
}

static int64_t available_of(inventory *self, const char *sku) {
  pthread_mutex_lock(&self->mutex);
  const shelf *found = find(self, sku);
  const int64_t available = found ? found->available : 0;
  pthread_mutex_unlock(&self->mutex);
  return available;
}

/* `label` may be NULL. */
static void answer_stock(const trellis_host *host, trellis_call call, const char *sku, int64_t available,
                         const char *label) {
  ts_buffer out = {0};
  ts_put(&out, "{\"sku\":");
  ts_put_string(&out, sku);
  ts_put(&out, ",\"available\":");
  ts_put_integer(&out, available);
  if (label) {
    ts_put(&out, ",\"label\":");
    ts_put_string(&out, label);
  }
  ts_put(&out, "}");
  ts_complete(host, call, &out);
}

static void answer_out_of_stock(const trellis_host *host, trellis_call call, const char *sku, int64_t available) {
  ts_buffer message = {0}, fields = {0};
  ts_put(&message, "There are only ");
  ts_put_integer(&message, available);
  ts_put(&message, " of ");
  ts_put(&message, sku);
  ts_put_bytes(&message, ".", 2);
  ts_put(&fields, "{\"sku\":");
  ts_put_string(&fields, sku);
  ts_put(&fields, ",\"available\":");
  ts_put_integer(&fields, available);
  ts_put(&fields, "}");
  if (message.failed || fields.failed)
    ts_fail(host, call, "UnexpectedError", "the input doesn't fit", nothing);
  else
    ts_fail(host, call, "OutOfStock", message.data, ts_written(&fields));
  free(message.data);
  free(fields.data);
}

/* What is there before; takes `quantity` of it when that is enough. */
static int64_t take_from_shelf(inventory *self, const char *sku, int64_t quantity) {
  pthread_mutex_lock(&self->mutex);
  shelf *found = find(self, sku);
  const int64_t available = found ? found->available : 0;
  if (found && available >= quantity) found->available -= quantity;
  pthread_mutex_unlock(&self->mutex);
  return available;
}

static void take(void *context, const trellis_request *request) {
  inventory *self = context;
  trellis_str sku_text = nothing, quantity_text = nothing;
  int64_t quantity = 0;
  ts_member(request->input, "sku", &sku_text);
  ts_member(request->input, "quantity", &quantity_text);
  char *sku = ts_string(sku_text);
  if (!sku || !ts_integer(quantity_text, &quantity)) {
    ts_fail(self->host, request->call, "UnexpectedError", "the input doesn't fit", nothing);
  } else if (self->broken && strcmp(self->broken, sku) == 0) {
    ts_fail(self->host, request->call, "UnexpectedError", "the shelf is broken", nothing);
  } else {
    const int64_t available = take_from_shelf(self, sku, quantity);
    if (available >= quantity)
      answer_stock(self->host, request->call, sku, available - quantity, NULL);
    else
      answer_out_of_stock(self->host, request->call, sku, available);
  }
  free(sku);
}

/* An Inventory.Get that waits for its label. */
typedef struct waiting {
  inventory *self;
  trellis_call call;
  char *sku;
} waiting;

static void end(waiting *get) {
  free(get->sku);
  free(get);
}

static void labelled(void *context, trellis_status status, trellis_str output, const trellis_error *error) {
  waiting *get = context;
  trellis_str text = nothing;
  char *label = status == TRELLIS_OK && ts_member(output, "message", &text) ? ts_string(text) : NULL;
  if (label) {
    answer_stock(get->self->host, get->call, get->sku, available_of(get->self, get->sku), label);
  } else {
    const trellis_error failed = {sizeof failed, 0, nothing, error ? error->message : nothing, nothing, nothing};
    get->self->host->fail(get->self->host->self, get->call, &failed);
  }
  free(label);
  end(get);
}

static waiting *new_waiting(inventory *self, const trellis_request *request) {
  trellis_str sku = nothing;
  waiting *get = calloc(1, sizeof *get);
  if (!get) return NULL;
  ts_member(request->input, "sku", &sku);
  *get = (waiting){self, request->call, ts_string(sku)};
  if (get->sku) return get;
  end(get);
  return NULL;
}

static void get(void *context, const trellis_request *request) {
  inventory *self = context;
  const trellis_host *host = self->host;
  const trellis_call call = request->call; /* the request is gone once it is answered */
  waiting *answer = new_waiting(self, request);
  if (!answer) {
    ts_fail(host, call, "UnexpectedError", "the input doesn't fit", nothing);
    return;
  }
  ts_buffer shelf_text = {0}, question = {0};
  ts_put(&shelf_text, "shelf ");
  ts_put_bytes(&shelf_text, answer->sku, strlen(answer->sku) + 1);
  ts_put(&question, "{\"message\":");
  ts_put_string(&question, shelf_text.failed ? "" : shelf_text.data);
  ts_put(&question, "}");
  const trellis_rpc_call say = {.size = sizeof say,
                                .contract_id = TS_TEXT("acme.echo@v1"),
                                .name = TS_TEXT("Echo.Say"),
                                .input = ts_written(&question),
                                .traceparent = request->traceparent,
                                .tracestate = request->tracestate};
  if (host->call_rpc_async(host->self, &say, labelled, answer) != TRELLIS_OK) {
    ts_fail(host, call, "UnexpectedError", "Echo.Say can't be called", nothing);
    end(answer);
  }
  free(shelf_text.data);
  free(question.data);
}

/* -------------------------------------------------------------------------------------------------- the instance */

static const trellis_handler get_handler = {.size = sizeof(trellis_handler),
                                            .kind = TRELLIS_SURFACE_RPC,
                                            .contract_id = TS_TEXT("acme.inventory@v1"),
                                            .name = TS_TEXT("Inventory.Get"),
                                            .rpc = get};
static const trellis_handler take_handler = {.size = sizeof(trellis_handler),
                                             .kind = TRELLIS_SURFACE_RPC,
                                             .contract_id = TS_TEXT("acme.inventory@v1"),
                                             .name = TS_TEXT("Inventory.Take"),
                                             .rpc = take};
static const trellis_handler *const handlers[] = {&get_handler, &take_handler};

static void destroy(void *context) {
  inventory *self = context;
  while (self->shelves) {
    shelf *next = self->shelves->next;
    free(self->shelves->sku);
    free(self->shelves);
    self->shelves = next;
  }
  pthread_mutex_destroy(&self->mutex);
  free(self->broken);
  free(self);
}

static bool add_shelf(inventory *self, trellis_str sku, trellis_str items) {
  shelf *added = calloc(1, sizeof *added);
  if (!added) return false;
  added->sku = ts_string(sku);
  added->next = self->shelves;
  self->shelves = added;
  return added->sku && ts_integer(items, &added->available);
}

/* [plugins.NAME.config]: `shelves`, a table of sku = items, and perhaps `broken_shelf`. */
static bool read_config(inventory *self) {
  ts_buffer config = {0};
  trellis_str shelves = nothing, broken = nothing;
  bool fits = self->host->config(self->host->self, ts_sink(&config)) == TRELLIS_OK && !config.failed &&
              ts_member(ts_written(&config), "shelves", &shelves);
  ts_reader in = ts_read(shelves);
  for (trellis_str sku, items; fits && ts_next_member(&in, &sku, &items);)
    fits = add_shelf(self, sku, items);
  if (fits && ts_member(ts_written(&config), "broken_shelf", &broken))
    fits = (self->broken = ts_string(broken)) != NULL;
  free(config.data);
  return fits;
}

static trellis_status create(const trellis_host *host, const trellis_plugin **out, trellis_error_sink error) {
  inventory *self = calloc(1, sizeof *self);
  if (!self) return TRELLIS_E_FAILED;
  self->host = host;
  pthread_mutex_init(&self->mutex, NULL);
  self->plugin = (trellis_plugin){
      .size = sizeof(trellis_plugin), .handler_count = 2, .self = self, .handlers = handlers, .destroy = destroy};
  if (!read_config(self)) {
    ts_report(error, "the configuration has no table `shelves` of whole numbers");
    destroy(self);
    return TRELLIS_E_FAILED;
  }
  *out = &self->plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {sizeof(trellis_plugin_entry),
                                                      TRELLIS_ABI_MAJOR,
                                                      TRELLIS_ABI_MINOR,
                                                      0,
                                                      TS_TEXT("inventory-c"),
                                                      TS_TEXT("1.0.0"),
                                                      create};
