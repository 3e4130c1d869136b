/* A service that does what a plugin must not do, one way for each input: {"mode": "..."}. For tests of the host. */
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <trellis/plugin.h>
#include <unistd.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "test.odd@v1",
  "displayName": "Odd",
  "description": "Breaks the rules of the plugin ABI on request.",
  "kind": "service",
  "schemas": {
    "In": {"type": "object", "required": ["mode"], "properties": {"mode": {"type": "string"}, "ms": {"type": "integer"},
           "least": {"type": "number", "minimum": 1.5}}},
    "Out": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}, "additionalProperties": false}
  },
  "rpc": {
    "Odd.Do": {"version": "v1", "subject": "rpc.v1.Odd.Do", "input": {"schema": "In"}, "output": {"schema": "Out"}},
    "Odd.Of": {"version": "v1", "subject": "rpc.v1.Odd.{/mode}.Of", "input": {"schema": "In"}, "output": {"schema": "Out"}}
  }
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }
#define OK_ANSWER "{\"text\":\"done\"}"

static const trellis_host *host;

static trellis_str text(const char *chars) {
  trellis_str out = {chars, strlen(chars)};
  return out;
}

static bool mode_is(const trellis_request *request, const char *mode) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "\"mode\":\"%s\"", mode);
  return request->input.size < 4096 && memmem(request->input.data, request->input.size, wanted, strlen(wanted)) != NULL;
}

static void log_status(const char *what, trellis_status status) {
  char line[128];
  snprintf(line, sizeof line, "%s answered %d", what, (int)status);
  host->log(host->self, TRELLIS_LOG_INFO, text(line), text("{\"odd\":true}"));
}

static void pause_ms(long ms) {
  struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&time, NULL);
}

static long input_ms(const trellis_request *request) {
  const char *found = memmem(request->input.data, request->input.size, "\"ms\":", 5);
  return found ? strtol(found + 5, NULL, 10) : 100;
}

static void *answer_from_thread(void *context) {
  const trellis_call call = *(trellis_call *)context;
  free(context);
  host->complete(host->self, call, text(OK_ANSWER));
  return NULL;
}

static void fail_with(const trellis_request *request, const char *type, const char *message, const char *context,
                      const char *fields) {
  const trellis_error error = {sizeof(trellis_error), 0, text(type), text(message), text(context), text(fields)};
  log_status("fail", host->fail(host->self, request->call, &error));
}

/* {"text": "aaa..."} of `size` bytes. */
static void complete_huge(const trellis_request *request, size_t size) {
  char *json = malloc(size);
  memset(json, 'a', size);
  memcpy(json, "{\"text\":\"", 9);
  memcpy(json + size - 2, "\"}", 2);
  const trellis_str output = {json, size};
  log_status("huge complete", host->complete(host->self, request->call, output));
  free(json);
}

/* Everything that belongs to the process or the thread, and not to a plugin. */
static void change_the_process(void) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  umask(0);
  fesetround(FE_DOWNWARD);
  if (chdir("/") == 0 && setlocale(LC_ALL, "comma") == NULL && setlocale(LC_NUMERIC, "comma") != NULL)
    log_status("process changed", strtod("1.5", NULL) < 1.25 ? 1 : 0);
}

/* A thread that outlives stop, and answers then. */
static atomic_bool stopped;
static trellis_call outlived;
static pthread_t outliving;

static void *answer_after_stop(void *context) {
  (void)context;
  while (!stopped || host->call_state(host->self, outlived) == TRELLIS_OK)
    pause_ms(5);
  log_status("complete after stop", host->complete(host->self, outlived, text(OK_ANSWER)));
  log_status("fail after stop", host->fail(host->self, outlived, NULL));
  log_status("release after stop", host->release(host->self, outlived));
  return NULL;
}

static trellis_status stop(void *self, int64_t deadline_unix_ms, trellis_error_sink error) {
  (void)self, (void)deadline_unix_ms, (void)error;
  stopped = true;
  return TRELLIS_OK;
}

static void destroy(void *self) {
  (void)self;
  if (outlived) pthread_join(outliving, NULL);
  log_status("destroy", 0);
}

/* Two answers to one request; the second is told that it's gone. */
static bool answers_in_a_row(const trellis_request *request) {
  const trellis_call call = request->call;
  if (mode_is(request, "complete-then-fail")) {
    host->complete(host->self, call, text(OK_ANSWER));
    log_status("fail after complete", host->fail(host->self, call, NULL));
  } else if (mode_is(request, "fail-then-complete")) {
    host->fail(host->self, call, NULL);
    log_status("complete after fail", host->complete(host->self, call, text(OK_ANSWER)));
  } else if (mode_is(request, "release-then-complete")) {
    host->release(host->self, call);
    log_status("complete after release", host->complete(host->self, call, text(OK_ANSWER)));
    log_status("release after release", host->release(host->self, call));
  } else if (mode_is(request, "bad-then-good")) { /* an output that breaks its schema ends the request too */
    host->complete(host->self, call, text("{\"text\":5}"));
    log_status("good after bad", host->complete(host->self, call, text(OK_ANSWER)));
  } else {
    return false;
  }
  return true;
}

static bool ends_oddly(const trellis_request *request) {
  const trellis_call call = request->call;
  if (mode_is(request, "huge")) {
    complete_huge(request, 10u << 20);
  } else if (mode_is(request, "not-utf8")) {
    log_status("bad output", host->complete(host->self, call, text("{\"text\":\"\xFF\"}")));
  } else if (mode_is(request, "no-output")) {
    const trellis_str nothing = {NULL, 0};
    log_status("bad output", host->complete(host->self, call, nothing));
  } else if (mode_is(request, "fail-null")) {
    log_status("fail with NULL", host->fail(host->self, call, NULL));
  } else if (mode_is(request, "exit-thread")) {
    host->complete(host->self, call, text(OK_ANSWER));
    pthread_exit(NULL);
  } else if (mode_is(request, "exit-unanswered")) {
    pthread_exit(NULL);
  } else if (mode_is(request, "change-process")) {
    change_the_process();
    host->complete(host->self, call, text(OK_ANSWER));
  } else if (mode_is(request, "outlive-stop")) {
    outlived = call;
    pthread_create(&outliving, NULL, answer_after_stop, NULL);
  } else {
    return false;
  }
  return true;
}

static void do_odd(void *self, const trellis_request *request) {
  (void)self;
  if (answers_in_a_row(request) || ends_oddly(request)) return;
  const trellis_call call = request->call;
  if (mode_is(request, "never")) return;
  if (mode_is(request, "twice")) {
    host->complete(host->self, call, text(OK_ANSWER));
    log_status("second complete", host->complete(host->self, call, text("{\"text\":\"again\"}")));
    return;
  }
  if (mode_is(request, "late")) { /* after its deadline */
    while (host->call_state(host->self, call) == TRELLIS_OK)
      pause_ms(5);
    log_status("late complete", host->complete(host->self, call, text(OK_ANSWER)));
    return;
  }
  if (mode_is(request, "sleep")) {
    pause_ms(input_ms(request));
    host->complete(host->self, call, text(OK_ANSWER));
    return;
  }
  if (mode_is(request, "thread")) {
    trellis_call *copy = malloc(sizeof *copy);
    pthread_t thread;
    *copy = call;
    pthread_create(&thread, NULL, answer_from_thread, copy);
    pthread_detach(thread);
    return;
  }
  if (mode_is(request, "bad-schema")) {
    log_status("bad output", host->complete(host->self, call, text("{\"text\":5,\"more\":1}")));
    return;
  }
  if (mode_is(request, "not-json")) {
    log_status("bad output", host->complete(host->self, call, text("{\"text\":")));
    return;
  }
  if (mode_is(request, "bad-error")) {
    fail_with(request, "ValidationError", "no", "[1,2]", "not json");
    return;
  }
  if (mode_is(request, "release")) {
    host->release(host->self, call);
    return;
  }
  if (mode_is(request, "foreign-handle")) {
    log_status("foreign complete", host->complete(host->self, call ^ 0x5A5A00000000ULL, text(OK_ANSWER)));
    host->complete(host->self, call, text(OK_ANSWER));
    return;
  }
  if (mode_is(request, "abort")) abort();
  host->complete(host->self, call, text(OK_ANSWER));
}

static const trellis_handler handler = {.size = sizeof(trellis_handler),
                                        .kind = TRELLIS_SURFACE_RPC,
                                        .contract_id = TEXT("test.odd@v1"),
                                        .name = TEXT("Odd.Do"),
                                        .rpc = do_odd};
static const trellis_handler templated = {.size = sizeof(trellis_handler),
                                          .kind = TRELLIS_SURFACE_RPC,
                                          .contract_id = TEXT("test.odd@v1"),
                                          .name = TEXT("Odd.Of"),
                                          .rpc = do_odd};
static const trellis_handler *const handlers[] = {&handler, &templated};
static const trellis_plugin plugin = {
    .size = sizeof(trellis_plugin), .handler_count = 2, .handlers = handlers, .stop = stop, .destroy = destroy};

static trellis_status create(const trellis_host *given, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  host = given;
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("odd"), TEXT("1.0.0"), create};
