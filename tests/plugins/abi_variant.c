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
#define FAILED_CREATE 16  /* create fails, but has stored its plugin */
#define FAILED_START 17
#define SMALL_HEALTH 18 /* its trellis.health/1 covers nothing */
#define BAD_HEALTH 19   /* its only check has no function */
#define SAYS_YES 20     /* has an answer for every extension, made for none */
#define MANY_CHECKS 21  /* says that it has 4 billion health checks */

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

static void note(const char *what) {
  const trellis_str line = {what, strlen(what)}, nothing = {NULL, 0};
  host->log(host->self, TRELLIS_LOG_INFO, line, nothing);
}

static trellis_status fail_to_start(void *self, trellis_error_sink error) {
  (void)self;
  const trellis_error words = {.size = sizeof words, .message = TEXT("didn't want to start")};
  error.report(error.context, &words);
  return TRELLIS_E_FAILED;
}

static trellis_status note_stop(void *self, int64_t deadline_unix_ms, trellis_error_sink error) {
  (void)self, (void)deadline_unix_ms, (void)error;
  note("variant stopped");
  return TRELLIS_OK;
}

static void note_destroy(void *self) {
  (void)self;
  note("variant destroyed");
}

#if VARIANT == SMALL_PLUGIN /* a host that reads these although `size` says no runs into them */
#define START (trellis_status(*)(void *, trellis_error_sink))(uintptr_t) 16
#define STOP (trellis_status(*)(void *, int64_t, trellis_error_sink))(uintptr_t) 16
#define DESTROY (void (*)(void *))(uintptr_t) 16
#else
#define START (VARIANT == FAILED_START ? fail_to_start : NULL)
#define STOP (VARIANT == FAILED_START ? note_stop : NULL)
#define DESTROY (VARIANT == FAILED_START || VARIANT == FAILED_CREATE ? note_destroy : NULL)
#endif

#define HANDLER_COUNT                                                                                                  \
  (VARIANT == MISSING_HANDLER ? 0 : VARIANT == UNDECLARED_HANDLER || VARIANT == DOUBLE_HANDLER ? 2 : 1)

#if VARIANT == SMALL_HEALTH || VARIANT == BAD_HEALTH || VARIANT == SAYS_YES || VARIANT == MANY_CHECKS
static const trellis_health_check check = {.size = sizeof check, .name = TEXT("pulse")};
static const trellis_health_check *const checks[] = {&check};
static const trellis_health_v1 health = {.size = VARIANT == SMALL_HEALTH ? sizeof(uint32_t) : sizeof(trellis_health_v1),
                                         .check_count = VARIANT == MANY_CHECKS ? UINT32_MAX : 1,
                                         .checks = checks};

static const void *offer(void *self, trellis_str id) {
  (void)self;
  const size_t size = sizeof(TRELLIS_EXT_HEALTH) - 1;
  const bool is_health = id.size == size && memcmp(id.data, TRELLIS_EXT_HEALTH, size) == 0;
  return VARIANT == SAYS_YES || is_health ? &health : NULL;
}
#define OFFER offer
#else
#define OFFER NULL
#endif

struct large_plugin {
  trellis_plugin base;
  void *from_the_future[4];
};
static const struct large_plugin plugin = {{.size = VARIANT == SMALL_PLUGIN    ? offsetof(trellis_plugin, start)
                                                    : VARIANT == LARGE_STRUCTS ? sizeof(struct large_plugin)
                                                                               : sizeof(trellis_plugin),
                                            .handler_count = HANDLER_COUNT,
                                            .handlers = handlers,
                                            .start = START,
                                            .stop = STOP,
                                            .destroy = DESTROY,
                                            .get_extension = OFFER},
                                           {0}};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  host = given;
  while (VARIANT == HANGS)
    pause();
  if (VARIANT != NULL_PLUGIN) *out = &plugin.base;
  if (VARIANT != FAILED_CREATE) return TRELLIS_OK;
  const trellis_error words = {.size = sizeof words, .message = TEXT("didn't want to be made")};
  error.report(error.context, &words);
  return TRELLIS_E_FAILED;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {VARIANT == TINY_ENTRY ? 4 : sizeof(trellis_plugin_entry),
                                                      VARIANT == WRONG_MAJOR ? 2 : TRELLIS_ABI_MAJOR,
                                                      VARIANT == LARGE_STRUCTS ? 99 : TRELLIS_ABI_MINOR,
                                                      0,
                                                      TEXT("abi-variant"),
                                                      TEXT("1.0.0"),
                                                      VARIANT == NO_CREATE ? NULL : create};
