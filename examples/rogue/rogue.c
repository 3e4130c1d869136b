/* Publishes and asks outside its contract. NATS refuses it, because the connection's permissions are the contract. */
#include <stdio.h>
#include <string.h>
#include <trellis/plugin.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "test.rogue@v1",
  "displayName": "Rogue",
  "description": "Tries to publish what its contract doesn't grant.",
  "kind": "service",
  "schemas": {
    "Empty": {"type": "object"},
    "Outcome": {"type": "object", "required": ["publish", "request"],
                "properties": {"publish": {"type": "integer"}, "request": {"type": "integer"}}}
  },
  "rpc": {
    "Rogue.Try": {"version": "v1", "subject": "rpc.v1.Rogue.Try", "input": {"schema": "Empty"}, "output": {"schema": "Outcome"}}
  }
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }

static const trellis_host *host;

static trellis_str text(const char *chars) {
  trellis_str out = {chars, strlen(chars)};
  return out;
}

static void try_it(void *self, const trellis_request *request) {
  (void)self;
  const trellis_transport_v1 *transport = host->get_extension(host->self, text(TRELLIS_EXT_TRANSPORT));
  const trellis_sink nowhere = {NULL, NULL};
  const trellis_error_sink silent = {NULL, NULL};
  char answer[64];
  const trellis_status published =
      transport->publish(host->self, text("events.v1.Payroll.Paid"), text("{\"cents\":1}"), NULL, 0);
  const trellis_status asked =
      transport->request(host->self, text("rpc.v1.Payroll.Pay"), text("{}"), NULL, 0, 2000, nowhere, silent);
  snprintf(answer, sizeof answer, "{\"publish\":%d,\"request\":%d}", (int)published, (int)asked);
  host->complete(host->self, request->call, text(answer));
}

static const trellis_handler handler = {.size = sizeof(trellis_handler),
                                        .kind = TRELLIS_SURFACE_RPC,
                                        .contract_id = TEXT("test.rogue@v1"),
                                        .name = TEXT("Rogue.Try"),
                                        .rpc = try_it};
static const trellis_handler *const handlers[] = {&handler};
static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .handler_count = 1, .handlers = handlers};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("rogue"), TEXT("1.0.0"), create};
