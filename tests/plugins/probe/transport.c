/* trellis.transport/1, every argument wrong in turn, and everything where there is no connection. */
#include "probe.h"

#include <stdlib.h>

static const trellis_error_sink kNoWords = {NULL, NULL};
static const trellis_sink kNowhere = {NULL, NULL};
static const trellis_str kNothing = {NULL, 0};

static const trellis_transport_v1 *transport_of(const probe *self) {
  return self->host->get_extension(self->host->self, probe_text(TRELLIS_EXT_TRANSPORT));
}

/* publish and request have to refuse alike. */
static void both(probe *self, probe_report *report, int line, trellis_status status, trellis_str subject,
                 trellis_str payload, const trellis_header *headers, size_t count) {
  const trellis_transport_v1 *transport = transport_of(self);
  const trellis_status published = transport->publish(self->host->self, subject, payload, headers, count);
  probe_expect(report, published == status, "publish", line, published);
  const trellis_status requested =
      transport->request(self->host->self, subject, payload, headers, count, 1000, kNowhere, kNoWords);
  probe_expect(report, requested == status, "request", line, requested);
}

static void subject_is(probe *self, probe_report *report, int line, trellis_status status, trellis_str subject) {
  both(self, report, line, status, subject, probe_text("{}"), NULL, 0);
}

static void header_is(probe *self, probe_report *report, int line, trellis_status status, trellis_str name,
                      trellis_str value) {
  const trellis_header header = {name, value};
  both(self, report, line, status, probe_text("rpc.v1.Echo.Say"), probe_text("{}"), &header, 1);
}

static void probe_subjects(probe *self, probe_report *report) {
  const trellis_str lying = {NULL, 7}, with_nul = {"rpc.v1\0.Echo", 12};
  subject_is(self, report, __LINE__, TRELLIS_OK, probe_guarded_text("rpc.v1.Echo.Say"));
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, kNothing);
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, lying);
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, with_nul);
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("a..b"));
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text(".a"));
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("a."));
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("a b"));
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("a\tb"));
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("rpc.v1.*.Say"));
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("rpc.>"));
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("rpc.v1.Echo.Say\r\nPUB other 0\r\n"));
  const trellis_str long_subject = probe_long_text(64u << 10); /* beyond what a NATS server reads as one line */
  subject_is(self, report, __LINE__, TRELLIS_E_INVALID, long_subject);
  free((char *)long_subject.data);
}

static void probe_headers(probe *self, probe_report *report) {
  const trellis_str lying = {NULL, 7}, subject = probe_text("rpc.v1.Echo.Say"), payload = probe_text("{}");
  header_is(self, report, __LINE__, TRELLIS_OK, probe_guarded_text("name"), probe_guarded_text("value: \xC3\xA9"));
  header_is(self, report, __LINE__, TRELLIS_OK, probe_text("name"), kNothing);
  header_is(self, report, __LINE__, TRELLIS_E_INVALID, kNothing, probe_text("value"));
  header_is(self, report, __LINE__, TRELLIS_E_INVALID, lying, probe_text("value"));
  header_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("name"), lying);
  header_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("na:me"), probe_text("value"));
  header_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("na me"), probe_text("value"));
  header_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("na\r\nme"), probe_text("value"));
  header_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("n\xC3\xA4me"), probe_text("value"));
  header_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("name"), probe_text("value\r\nproof: x"));
  header_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("name"), probe_text("value\n"));
  const trellis_str value_with_nul = {"val\0ue", 6};
  header_is(self, report, __LINE__, TRELLIS_E_INVALID, probe_text("name"), value_with_nul);
  both(self, report, __LINE__, TRELLIS_E_INVALID, subject, payload, NULL, 1);
  both(self, report, __LINE__, TRELLIS_E_INVALID, subject, payload, NULL, SIZE_MAX);
  const trellis_header one = {TEXT("name"), TEXT("value")};
  const trellis_header *guarded = probe_guarded(&one, sizeof one); /* a count beyond the limit isn't read at all */
  both(self, report, __LINE__, TRELLIS_E_INVALID, subject, payload, guarded, SIZE_MAX);
  both(self, report, __LINE__, TRELLIS_E_INVALID, subject, payload, guarded, 65);
  both(self, report, __LINE__, TRELLIS_OK, subject, payload, guarded, 1);
  both(self, report, __LINE__, TRELLIS_OK, subject, payload, guarded, 0);
  trellis_header many[64];
  for (size_t i = 0; i < sizeof many / sizeof *many; ++i)
    many[i] = one;
  both(self, report, __LINE__, TRELLIS_OK, subject, payload, many, sizeof many / sizeof *many);
}

static void probe_payloads(probe *self, probe_report *report) {
  const trellis_str lying = {NULL, 7}, huge = {NULL, SIZE_MAX}, subject = probe_text("rpc.v1.Echo.Say");
  both(self, report, __LINE__, TRELLIS_E_INVALID, subject, lying, NULL, 0);
  both(self, report, __LINE__, TRELLIS_E_INVALID, subject, huge, NULL, 0);
  both(self, report, __LINE__, TRELLIS_OK, subject, kNothing, NULL, 0);
  both(self, report, __LINE__, TRELLIS_OK, subject, probe_guarded_text("any bytes \xFF\xFE"), NULL, 0);
  const trellis_str large = probe_long_text(3u << 20);
  both(self, report, __LINE__, TRELLIS_E_TOO_LARGE, subject, large, NULL, 0);
  free((char *)large.data);
}

void probe_transport(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  probe_subjects(self, report);
  probe_headers(self, report);
  probe_payloads(self, report);
  const trellis_transport_v1 *transport = transport_of(self);
  probe_buffer out, words;
  /* without a proof the service answers with an error: an answer all the same */
  EXPECT_STATUS(transport->request(self->host->self, probe_text("rpc.v1.Echo.Say"), probe_text("{}"), NULL, 0, 0,
                                   probe_sink(&out), probe_error_sink(&words)),
                TRELLIS_OK);
  EXPECT(out.size > 2 && out.chars[0] == '{' && words.times == 0);
  EXPECT_STATUS(transport->request(self->host->self, probe_text("rpc.v1.Not.Granted"), probe_text("{}"), NULL, 0, 2000,
                                   probe_sink(&out), probe_error_sink(&words)),
                TRELLIS_E_DENIED);
  EXPECT(out.times == 0 && words.times == 1);
}

static void count(void *context, trellis_status status, trellis_str output, const trellis_error *error) {
  (void)output, (void)error;
  *(int *)context += status == TRELLIS_OK ? 100 : 1;
}

void probe_unconnected(probe *self, probe_report *report) {
  const trellis_host *host = self->host;
  const trellis_call any = 1u << 20;
  EXPECT_STATUS(host->complete(host->self, any, probe_text("{}")), TRELLIS_E_GONE);
  EXPECT_STATUS(host->fail(host->self, any, NULL), TRELLIS_E_GONE);
  EXPECT_STATUS(host->release(host->self, any), TRELLIS_E_GONE);
  EXPECT_STATUS(host->call_state(host->self, any), TRELLIS_E_GONE);
  probe_buffer out, words;
  trellis_rpc_call call = {.size = sizeof call, .contract_id = TEXT("acme.echo@v1"), .name = TEXT("Echo.Say")};
  call.input = probe_text("{\"message\":\"hello\"}");
  EXPECT_STATUS(host->call_rpc(host->self, &call, probe_sink(&out), probe_error_sink(&words)), TRELLIS_E_UNAVAILABLE);
  EXPECT(out.times == 0 && words.times == 1);
  int replies = 0;
  const trellis_status async = host->call_rpc_async(host->self, &call, count, &replies);
  EXPECT(async == TRELLIS_OK ? replies == 1 : replies == 0);
  const trellis_transport_v1 *transport = transport_of(self);
  EXPECT_STATUS(transport->publish(host->self, probe_text("rpc.v1.Echo.Say"), probe_text("{}"), NULL, 0),
                TRELLIS_E_UNAVAILABLE);
  EXPECT_STATUS(transport->request(host->self, probe_text("rpc.v1.Echo.Say"), probe_text("{}"), NULL, 0, 1000, kNowhere,
                                   kNoWords),
                TRELLIS_E_UNAVAILABLE);
}
