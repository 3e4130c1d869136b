/* Calls to other contracts: the struct by every size, every argument wrong in turn, every status. */
#include "probe.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static const trellis_error_sink kNoWords = {NULL, NULL};
static const trellis_sink kNowhere = {NULL, NULL};

static trellis_rpc_call echo_call(void) {
  trellis_rpc_call call = {.size = sizeof call};
  call.contract_id = probe_text("acme.echo@v1");
  call.name = probe_text("Echo.Say");
  call.input = probe_text("{\"message\":\"hello\"}");
  return call;
}

static trellis_rpc_call odd_call(const char *input, uint32_t timeout_ms) {
  trellis_rpc_call call = {.size = sizeof call, .timeout_ms = timeout_ms};
  call.contract_id = probe_text("test.odd@v1");
  call.name = probe_text("Odd.Do");
  call.input = probe_text(input);
  return call;
}

static trellis_status call_it(probe *self, const trellis_rpc_call *call, trellis_sink out, trellis_error_sink error) {
  return self->host->call_rpc(self->host->self, call, out, error);
}

void probe_rpc_sizes(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  struct {
    trellis_rpc_call call;
    char from_the_future[64];
  } large = {.call = echo_call()};
  large.call.traceparent = probe_text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  memset(large.from_the_future, 0xA5, sizeof large.from_the_future);
  for (uint32_t size = 0; size <= sizeof large; ++size) {
    large.call.size = size;
    const trellis_rpc_call *call = probe_guarded(&large, size < sizeof size ? sizeof size : size);
    probe_buffer out, words;
    const trellis_status status = call_it(self, call, probe_sink(&out), probe_error_sink(&words));
    const bool enough = size >= offsetof(trellis_rpc_call, input) + sizeof large.call.input;
    probe_expect(report, status == (enough ? TRELLIS_OK : TRELLIS_E_INVALID), "status by size", (int)size, status);
    probe_expect(report, probe_holds(&out, "{\"message\":\"hello\"}") == enough, "output by size", (int)size,
                 (long long)out.size);
    probe_expect(report, (words.times == 0) == enough, "error by size", (int)size, (long long)words.times);
  }
}

/* One call that has to be refused with `status`, waiting and not, and with words. */
static void refused(probe *self, probe_report *report, const trellis_rpc_call *call, trellis_status status, int line);

static void never_called(void *context, trellis_status status, trellis_str output, const trellis_error *error) {
  (void)status, (void)output, (void)error;
  ++*(int *)context;
}

static void refused(probe *self, probe_report *report, const trellis_rpc_call *call, trellis_status status, int line) {
  static int replies; /* must stay 0: what is refused has no reply */
  probe_buffer out, words;
  const trellis_status waited = call_it(self, call, probe_sink(&out), probe_error_sink(&words));
  probe_expect(report, waited == status, "refused by call_rpc", line, waited);
  probe_expect(report, out.times == 0, "no output of what is refused", line, (long long)out.times);
  probe_expect(report, words.times == 1 && words.size > 4, "words of what is refused", line, (long long)words.times);
  probe_expect(report, call_it(self, call, kNowhere, kNoWords) == status, "the same without sinks", line, 0);
  const trellis_status async = self->host->call_rpc_async(self->host->self, call, never_called, &replies);
  probe_expect(report, async == status, "refused by call_rpc_async", line, async);
  probe_expect(report, replies == 0, "no reply to what is refused", line, replies);
}

#define REFUSED(status, ...)                                                                                           \
  do {                                                                                                                 \
    trellis_rpc_call call = echo_call();                                                                               \
    __VA_ARGS__;                                                                                                       \
    refused(self, report, &call, status, __LINE__);                                                                    \
  } while (0)

void probe_rpc_arguments(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  const trellis_str nothing = {NULL, 0}, lying = {NULL, 7}, huge = {NULL, SIZE_MAX};
  refused(self, report, NULL, TRELLIS_E_INVALID, __LINE__);
  REFUSED(TRELLIS_E_INVALID, call.size = 0);
  REFUSED(TRELLIS_E_INVALID, call.contract_id = lying);
  REFUSED(TRELLIS_E_INVALID, call.name = huge);
  REFUSED(TRELLIS_E_INVALID, call.input = huge);
  REFUSED(TRELLIS_E_DENIED, call.contract_id = nothing);
  REFUSED(TRELLIS_E_DENIED, call.name = nothing);
  REFUSED(TRELLIS_E_DENIED, call.contract_id = probe_text("acme.other@v1"));
  REFUSED(TRELLIS_E_DENIED, call.contract_id = probe_text("test.probe@v1"); call.name = probe_text("Probe.Run"));
  REFUSED(TRELLIS_E_DENIED, call.name = probe_text("Echo.Other"));
  REFUSED(TRELLIS_E_DENIED, call.contract_id = probe_text("\xFF\xFE"));
  const trellis_str with_nul = {"Echo.Say\0x", 10};
  REFUSED(TRELLIS_E_DENIED, call.name = with_nul);
  const trellis_rpc_call call = echo_call();
  EXPECT_STATUS(self->host->call_rpc_async(self->host->self, &call, NULL, NULL), TRELLIS_E_INVALID);
  EXPECT_STATUS(call_it(self, &call, kNowhere, kNoWords), TRELLIS_OK);
}

/* What `call_rpc` says about an input or a trace that goes too far to be refused before it's a call. */
static trellis_status status_of_input(probe *self, trellis_str input, trellis_str traceparent, probe_buffer *words) {
  trellis_rpc_call call = echo_call();
  call.input = input;
  call.traceparent = traceparent;
  return call_it(self, &call, kNowhere, probe_error_sink(words));
}

void probe_rpc_statuses(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  const trellis_str nothing = {NULL, 0};
  const trellis_str good = probe_text("{\"message\":\"hello\"}");
  probe_buffer words;
  EXPECT_STATUS(status_of_input(self, nothing, nothing, &words), TRELLIS_E_INVALID);
  EXPECT_STATUS(status_of_input(self, probe_text("{"), nothing, &words), TRELLIS_E_INVALID);
  EXPECT_STATUS(status_of_input(self, probe_text("{\"message\":5}"), nothing, &words), TRELLIS_E_INVALID);
  EXPECT(probe_holds(&words, "ValidationError"));
  EXPECT_STATUS(status_of_input(self, probe_text("{\"message\":\"\xFF\"}"), nothing, &words), TRELLIS_E_INVALID);
  EXPECT_STATUS(status_of_input(self, probe_guarded_text("{\"message\":\"x\"}"), nothing, &words), TRELLIS_OK);
  /* a trace context can't smuggle a header in */
  EXPECT_STATUS(status_of_input(self, good, probe_text("00-a\r\nproof: mine"), &words), TRELLIS_E_INVALID);
  EXPECT_STATUS(status_of_input(self, good, probe_text("not a trace context"), &words), TRELLIS_OK);

  trellis_str large = probe_long_text(3u << 20);
  memcpy((char *)large.data, "{\"message\":\"", 12);
  memcpy((char *)large.data + large.size - 2, "\"}", 2);
  EXPECT_STATUS(status_of_input(self, large, nothing, &words), TRELLIS_E_TOO_LARGE);
  free((char *)large.data);

  if (!request) return; /* in start, the other service may not be there yet */
  trellis_rpc_call call = odd_call("{\"mode\":\"release\"}", 10000);
  EXPECT_STATUS(call_it(self, &call, kNowhere, probe_error_sink(&words)), TRELLIS_E_REMOTE);
  EXPECT(words.times == 1 && words.size > 4);
  call = odd_call("{\"mode\":\"sleep\",\"ms\":3000}", 50);
  EXPECT_STATUS(call_it(self, &call, kNowhere, probe_error_sink(&words)), TRELLIS_E_TIMEOUT);
  call = odd_call("{\"mode\":\"plain\"}", UINT32_MAX);
  EXPECT_STATUS(call_it(self, &call, kNowhere, kNoWords), TRELLIS_OK);
}

/* Replies that are counted, on whatever thread they come. */
struct replies {
  pthread_mutex_t mutex; /* guards the counts */
  pthread_cond_t changed;
  int good, bad, odd;
};

static void count_reply(void *context, trellis_status status, trellis_str output, const trellis_error *error) {
  struct replies *replies = context;
  const bool is_good = status == TRELLIS_OK && !error && output.size > 2 && output.data[0] == '{';
  const bool is_bad = status != TRELLIS_OK && error && error->size >= sizeof *error && error->type.size > 0;
  pthread_mutex_lock(&replies->mutex);
  replies->good += is_good;
  replies->bad += is_bad;
  replies->odd += !is_good && !is_bad;
  pthread_cond_broadcast(&replies->changed);
  pthread_mutex_unlock(&replies->mutex);
}

void probe_rpc_async(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  static struct replies replies = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0};
  replies.good = replies.bad = replies.odd = 0;
  const trellis_host *host = self->host;
  const int each = 50;
  int taken = 0;
  for (int i = 0; i < each; ++i) {
    const trellis_rpc_call good = echo_call();
    const trellis_rpc_call bad = odd_call("{\"mode\":\"release\"}", 10000);
    const trellis_rpc_call invalid = odd_call("{\"mode\":5}", 0); /* fails at once: its reply may run in the call */
    taken += host->call_rpc_async(host->self, &good, count_reply, &replies) == TRELLIS_OK;
    taken += host->call_rpc_async(host->self, &bad, count_reply, &replies) == TRELLIS_OK;
    taken += host->call_rpc_async(host->self, &invalid, count_reply, &replies) == TRELLIS_OK;
  }
  EXPECT(taken == 3 * each);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 9;
  int waiting = 0;
  pthread_mutex_lock(&replies.mutex);
  while (waiting == 0 && replies.good + replies.bad + replies.odd < taken)
    waiting = pthread_cond_timedwait(&replies.changed, &replies.mutex, &until);
  const int good = replies.good, bad = replies.bad, odd = replies.odd;
  pthread_mutex_unlock(&replies.mutex);
  probe_expect(report, good == each, "every good call got one reply", __LINE__, good);
  probe_expect(report, bad == 2 * each, "every bad call got one reply", __LINE__, bad);
  probe_expect(report, odd == 0, "replies say OK with an output or something else with an error", __LINE__, odd);
}
