/* A plugin whose trellis_plugin has SIZE bytes and a page that doesn't exist behind them: a host that reads further
 * dies. Its handler is one of ABI 1.0, in front of such a page too. What is called is in its log lines. For
 * tests/live/abi_test.cpp. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <trellis/plugin.h>
#include <unistd.h>

#define QUOTED_(x) #x
#define QUOTED(x) QUOTED_(x)
#define NAME "Sizes" QUOTED(SIZE)
#define CONTRACT_ID "test.sizes-" QUOTED(SIZE) "@v1"

/* Without the macro, as a language that has none does it; it couldn't hold the size either. */
__attribute__((section(".trellis.contract"), used TRELLIS_RETAIN)) static const char contract[] =
    "{\"format\":\"trellis.contract.v1\",\"id\":\"" CONTRACT_ID "\",\"displayName\":\"Sizes\",\"kind\":\"service\","
    "\"description\":\"One size of the plugin struct.\",\"schemas\":{\"Any\":{\"type\":\"object\"}},\"rpc\":{\"" NAME
    ".Ping\":{\"version\":\"v1\",\"subject\":\"rpc.v1." NAME
    ".Ping\",\"input\":{\"schema\":\"Any\"},\"output\":{\"schema\":\"Any\"}}}}";

static const trellis_host *host;

static trellis_str text(const char *chars) {
  trellis_str out = {chars, strlen(chars)};
  return out;
}

static void note(const char *what) {
  const trellis_str nothing = {NULL, 0};
  char line[64];
  snprintf(line, sizeof line, "size %d: %s", SIZE, what);
  host->log(host->self, TRELLIS_LOG_INFO, text(line), nothing);
}

/* The last `size` bytes before a page that doesn't exist, aligned to 8. */
static void *guarded(const void *bytes, size_t size) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory + page, page, PROT_NONE) != 0) abort();
  char *at = memory + page - (size + 7) / 8 * 8;
  memset(at, 0xA5, (size_t)(memory + page - at)); /* what a size that is no multiple of 8 leaves free */
  memcpy(at, bytes, size);
  return at;
}

static void ping(void *self, const trellis_request *request) {
  (void)self;
  host->complete(host->self, request->call, text("{\"size\":" QUOTED(SIZE) "}"));
}

static trellis_status start(void *self, trellis_error_sink error) {
  (void)self, (void)error;
  note("started");
  return TRELLIS_OK;
}

static trellis_status stop(void *self, int64_t deadline_unix_ms, trellis_error_sink error) {
  (void)self, (void)deadline_unix_ms, (void)error;
  note("stopped");
  return TRELLIS_OK;
}

static void destroy(void *self) {
  (void)self;
  note("destroyed");
}

static const void *get_extension(void *self, trellis_str id) {
  (void)self, (void)id;
  note("asked");
  return NULL;
}

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  trellis_handler handler = {.kind = TRELLIS_SURFACE_RPC, .rpc = ping};
  handler.size = offsetof(trellis_handler, rpc) + sizeof handler.rpc;
  handler.contract_id = text(CONTRACT_ID);
  handler.name = text(NAME ".Ping");
  const trellis_handler *handlers[1] = {guarded(&handler, handler.size)};
  struct {
    trellis_plugin plugin;
    char from_the_future[64];
  } made;
  memset(&made, 0xA5, sizeof made); /* what this host doesn't know is no pointer and no number that makes sense */
  made.plugin = (trellis_plugin){.size = SIZE,
                                 .handler_count = 1,
                                 .handlers = guarded(handlers, sizeof handlers),
                                 .start = start,
                                 .stop = stop,
                                 .destroy = destroy,
                                 .get_extension = get_extension};
  *out = guarded(&made, SIZE < sizeof(uint32_t) ? sizeof(uint32_t) : SIZE);
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, {"sizes", 5}, {"1.0.0", 5}, create};
