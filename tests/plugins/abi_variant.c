/* One plugin with one thing wrong (or unusual) in what it shows the host, chosen at compile time with -DVARIANT=n. The
 * numbers are those of tests/live/abi_test.cpp. */
#include <string.h>
#include <trellis/plugin.h>
#include <unistd.h>

#define WRONG_MAJOR 1
#define NO_CREATE 2
#define TINY_ENTRY 3
#define MISSING_HANDLER 4
#define UNDECLARED_HANDLER 5
#define DOUBLE_HANDLER 6
#define NULL_FUNCTION 7
#define UNKNOWN_KIND 8
#define SMALL_PLUGIN 9   /* a plugin struct of the first fields only: no start, stop, destroy */
#define LARGE_STRUCTS 10 /* structs of a future minor: larger, with fields that this host doesn't know */
#define NULL_PLUGIN 11   /* create says OK and yields nothing */
#define NULL_HANDLER 12
#define OTHER_CONTRACT 13 /* the handler names another contract */
#define COUNTS 14         /* keeps a global counter: two copies must not share it */
#define HANGS 15          /* create never returns */

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "test.abi@v1", "displayName": "ABI", "description": "One ABI variant.",
  "kind": "service",
  "schemas": {"Any": {"type": "object"}},
  "rpc": {"Abi.Ping": {"version": "v1", "subject": "rpc.v1.Abi.Ping", "input": {"schema": "Any"}, "output": {"schema": "Any"}}}
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }

static const trellis_host *host;
static int counter;

static void ping(void *self, const trellis_request *request) {
  (void)self;
  char answer[] = "{\"count\":0}";
  answer[9] = (char)('0' + ++counter % 10);
  const trellis_str out = {answer, sizeof answer - 1};
  host->complete(host->self, request->call, out);
}

#if VARIANT == OTHER_CONTRACT
#define CONTRACT_ID TEXT("test.other@v1")
#else
#define CONTRACT_ID TEXT("test.abi@v1")
#endif

#if VARIANT == LARGE_STRUCTS
struct large_handler {
  trellis_handler base;
  void *from_the_future[4];
};
static const struct large_handler handler = {{.size = sizeof(struct large_handler),
                                              .kind = TRELLIS_SURFACE_RPC,
                                              .contract_id = CONTRACT_ID,
                                              .name = TEXT("Abi.Ping"),
                                              .rpc = ping},
                                             {0}};
static const trellis_handler *const handlers[] = {&handler.base};
#elif VARIANT == NULL_HANDLER
static const trellis_handler *const handlers[] = {NULL};
#else
static const trellis_handler handler = {.size = sizeof(trellis_handler),
                                        .kind = VARIANT == UNKNOWN_KIND ? 77 : TRELLIS_SURFACE_RPC,
                                        .contract_id = CONTRACT_ID,
                                        .name = TEXT("Abi.Ping"),
                                        .rpc = VARIANT == NULL_FUNCTION ? NULL : ping};
static const trellis_handler extra = {.size = sizeof(trellis_handler),
                                      .kind = TRELLIS_SURFACE_RPC,
                                      .contract_id = TEXT("test.abi@v1"),
                                      .name = TEXT("Abi.Undeclared"),
                                      .rpc = ping};
static const trellis_handler *const handlers[] = {&handler, VARIANT == DOUBLE_HANDLER ? &handler : &extra};
#endif

#define HANDLER_COUNT                                                                                                  \
  (VARIANT == MISSING_HANDLER ? 0 : VARIANT == UNDECLARED_HANDLER || VARIANT == DOUBLE_HANDLER ? 2 : 1)

struct large_plugin {
  trellis_plugin base;
  void *from_the_future[4];
};
static const struct large_plugin plugin = {
    {.size = VARIANT == SMALL_PLUGIN    ? offsetof(trellis_plugin, start)
             : VARIANT == LARGE_STRUCTS ? sizeof(struct large_plugin)
                                        : sizeof(trellis_plugin),
     .handler_count = HANDLER_COUNT,
     .handlers = handlers,
     /* a host that reads these although `size` says no runs into them */
     .start = VARIANT == SMALL_PLUGIN ? (trellis_status(*)(void *, trellis_error_sink))(uintptr_t)16 : NULL,
     .stop = VARIANT == SMALL_PLUGIN ? (trellis_status(*)(void *, int64_t, trellis_error_sink))(uintptr_t)16 : NULL,
     .destroy = VARIANT == SMALL_PLUGIN ? (void (*)(void *))(uintptr_t)16 : NULL},
    {0}};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  while (VARIANT == HANGS)
    pause();
  if (VARIANT != NULL_PLUGIN) *out = &plugin.base;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {VARIANT == TINY_ENTRY ? 4 : sizeof(trellis_plugin_entry),
                                                      VARIANT == WRONG_MAJOR ? 2 : TRELLIS_ABI_MAJOR,
                                                      VARIANT == LARGE_STRUCTS ? 99 : TRELLIS_ABI_MINOR,
                                                      0,
                                                      TEXT("abi-variant"),
                                                      TEXT("1.0.0"),
                                                      VARIANT == NO_CREATE ? NULL : create};
