/* The plugin of bench host: one source, compiled once, under any contract "bench.n<number>@v1" with the rpc
 * "N<number>.Say", which answers with its input. Which contract it carries is embedded afterwards; it asks the host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trellis/plugin.h>

static const trellis_host *host;
static char contract_id[64], rpc_name[64];

static trellis_str text(const char *chars) {
  trellis_str out = {chars, strlen(chars)};
  return out;
}

static void say(void *self, const trellis_request *request) {
  (void)self;
  host->complete(host->self, request->call, request->input);
}

static trellis_handler handler = {.size = sizeof(trellis_handler), .kind = TRELLIS_SURFACE_RPC, .rpc = say};
static const trellis_handler *const handlers[] = {&handler};
static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .handler_count = 1, .handlers = handlers};

static void append(void *context, trellis_str data) {
  char *identity = context;
  const size_t used = strlen(identity), room = 4096 - 1 - used;
  strncat(identity, data.data, data.size < room ? data.size : room);
}

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  static const char kMember[] = "\"contractId\":\"bench.n";
  char identity[4096] = "";
  const trellis_sink sink = {identity, append};
  host = given;
  host->identity(host->self, sink);
  const char *found = strstr(identity, kMember);
  if (!found) return TRELLIS_E_FAILED;
  const int number = atoi(found + sizeof kMember - 1);
  snprintf(contract_id, sizeof contract_id, "bench.n%d@v1", number);
  snprintf(rpc_name, sizeof rpc_name, "N%d.Say", number);
  handler.contract_id = text(contract_id);
  handler.name = text(rpc_name);
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, {"bench", 5}, {"1.0.0", 5}, create};
