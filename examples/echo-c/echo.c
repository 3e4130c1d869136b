/* A complete service in plain C: no SDK, no library, the header only. */
#include <string.h>
#include <trellis/plugin.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "acme.echo@v1",
  "displayName": "Echo",
  "description": "Answers every message with the same message.",
  "kind": "service",
  "schemas": {
    "Message": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}
  },
  "rpc": {
    "Echo.Say": {
      "version": "v1",
      "subject": "rpc.v1.Echo.Say",
      "input": {"schema": "Message"},
      "output": {"schema": "Message"}
    }
  }
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }

static const trellis_host *host;

/* The input has the output's schema, so it is the answer. */
static void say(void *self, const trellis_request *request) {
  (void)self;
  host->complete(host->self, request->call, request->input);
}

static const trellis_handler say_handler = {.size = sizeof(trellis_handler),
                                            .kind = TRELLIS_SURFACE_RPC,
                                            .contract_id = TEXT("acme.echo@v1"),
                                            .name = TEXT("Echo.Say"),
                                            .rpc = say};
static const trellis_handler *const handlers[] = {&say_handler};

static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .handler_count = 1, .handlers = handlers};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("echo-c"), TEXT("1.0.0"), create};
