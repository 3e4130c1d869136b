/* The host's own table: its size, its texts, unknown extensions, log lines, handles that nobody gave out. */
#include "probe.h"

#include <stdlib.h>

static const trellis_str kNothing = {NULL, 0};
static const trellis_str kLying = {NULL, 7}; /* a text that says more than it has */
static const trellis_str kHuge = {NULL, SIZE_MAX};

void probe_core(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  const trellis_host *host = self->host;
  trellis_host copy = {0}; /* as a plugin that knows less reads it: as far as `size` says */
  memcpy(&copy, host, host->size < sizeof copy ? host->size : sizeof copy);
  EXPECT(copy.size >= offsetof(trellis_host, call_rpc_async) + sizeof copy.call_rpc_async);
  EXPECT(copy.abi_minor >= TRELLIS_ABI_MINOR);
  EXPECT(copy.get_extension && copy.log && copy.config && copy.identity);
  EXPECT(copy.complete && copy.fail && copy.release && copy.call_state && copy.call_rpc && copy.call_rpc_async);

  probe_buffer config, identity;
  EXPECT_STATUS(copy.config(copy.self, probe_sink(&config)), TRELLIS_OK);
  EXPECT(config.times > 0 && config.size >= 2 && config.chars[0] == '{');
  EXPECT_STATUS(copy.identity(copy.self, probe_sink(&identity)), TRELLIS_OK);
  EXPECT(probe_holds(&identity, "\"plugin\":\"probe\""));
  EXPECT(probe_holds(&identity, "\"contractId\":\"test.probe@v1\""));
  EXPECT(probe_holds(&identity, "\"contractDigest\":\"") && probe_holds(&identity, "\"sessionKey\":\""));
  EXPECT(probe_holds(&identity, "\"configDir\":\"/"));
  const trellis_sink nowhere = {NULL, NULL};
  EXPECT_STATUS(copy.config(copy.self, nowhere), TRELLIS_OK);
  EXPECT_STATUS(copy.identity(copy.self, nowhere), TRELLIS_OK);
}

void probe_extensions(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  const trellis_host *host = self->host;
#define LOOK_UP(id) host->get_extension(host->self, id)
  EXPECT(LOOK_UP(probe_text("acme.nothing/1")) == NULL);
  EXPECT(LOOK_UP(kNothing) == NULL);
  EXPECT(LOOK_UP(kLying) == NULL);
  EXPECT(LOOK_UP(kHuge) == NULL);
  EXPECT(LOOK_UP(probe_text("")) == NULL);
  EXPECT(LOOK_UP(probe_text("trellis.transport/")) == NULL);
  EXPECT(LOOK_UP(probe_text("trellis.transport/2")) == NULL);
  EXPECT(LOOK_UP(probe_text("trellis.transport/11")) == NULL);
  EXPECT(LOOK_UP(probe_text("TRELLIS.TRANSPORT/1")) == NULL);
  EXPECT(LOOK_UP(probe_text(" trellis.transport/1")) == NULL);
  EXPECT(LOOK_UP(probe_text("\xFF\xFE\xC3")) == NULL);
  const trellis_str with_nul = {"trellis.transport/1", sizeof("trellis.transport/1")};
  EXPECT(LOOK_UP(with_nul) == NULL);
  const trellis_str long_id = probe_long_text(16u << 20);
  EXPECT(LOOK_UP(long_id) == NULL);
  free((char *)long_id.data);
  /* for the control plane only */
  EXPECT(LOOK_UP(probe_text("trellis.connections/1")) == NULL);
  EXPECT(LOOK_UP(probe_text("trellis.policy/1")) == NULL);
  EXPECT(LOOK_UP(probe_text("trellis.validator/1")) == NULL);
  EXPECT(LOOK_UP(probe_text("trellis.surface/1")) == NULL);
  /* a plugin's own extension is none of the host's */
  EXPECT(LOOK_UP(probe_text(TRELLIS_EXT_HEALTH)) == NULL);

  const trellis_transport_v1 *transport = LOOK_UP(probe_guarded_text(TRELLIS_EXT_TRANSPORT));
  EXPECT(transport != NULL && transport->size >= sizeof *transport && transport->publish && transport->request);
  EXPECT(transport == LOOK_UP(probe_text(TRELLIS_EXT_TRANSPORT)));
#undef LOOK_UP
}

/* What the lines look like is for the test to judge. */
void probe_logs(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  const trellis_host *host = self->host;
#define LOG(level, message, fields) host->log(host->self, level, message, fields)
  LOG(TRELLIS_LOG_INFO, kNothing, kNothing);
  LOG(TRELLIS_LOG_INFO, kLying, kLying);
  LOG(TRELLIS_LOG_INFO, kHuge, kHuge);
  LOG(-5, probe_text("probe log: level below all"), kNothing);
  LOG(INT32_MIN, probe_text("probe log: the lowest level"), kNothing);
  LOG(INT32_MAX, probe_text("probe log: the highest level"), kNothing);
  LOG(TRELLIS_LOG_INFO, probe_text("probe log: \xFF\xC3( isn't UTF-8"), kNothing);
  LOG(TRELLIS_LOG_INFO, probe_text("probe log: fields that aren't UTF-8"), probe_text("\xFF\xC3("));
  LOG(TRELLIS_LOG_INFO, probe_text("probe log: a field that isn't UTF-8"), probe_text("{\"a\":\"\xFF\"}"));
  LOG(TRELLIS_LOG_INFO, probe_text("probe log: a line\n{\"level\":\"error\",\"message\":\"forged\"}"), kNothing);
  LOG(TRELLIS_LOG_INFO, probe_text("probe log: no object"), probe_text("[1,2]"));
  LOG(TRELLIS_LOG_INFO, probe_text("probe log: an open object"), probe_text("{\"a\":"));
  LOG(TRELLIS_LOG_INFO, probe_text("probe log: lines"), probe_text("{\n\"a\"\n:\n1}"));
  LOG(TRELLIS_LOG_INFO, probe_text("probe log: double"), probe_text("{\"plugin\":\"somebody else\"}"));
  LOG(TRELLIS_LOG_INFO, probe_guarded_text("probe log: guarded"), probe_guarded_text("{\"a\":1}"));
  const trellis_str long_text = probe_long_text(1u << 20);
  LOG(TRELLIS_LOG_INFO, long_text, kNothing);
  free((char *)long_text.data);
#undef LOG
  EXPECT(true);
}

void probe_calls(probe *self, probe_report *report, const trellis_request *request) {
  const trellis_host *host = self->host;
  const trellis_str output = probe_text("{\"checks\":0,\"failed\":[]}");
  const trellis_call made_up[] = {
      0, 1, UINT64_MAX, request->call + 1, request->call ^ (1ULL << 40), request->call ^ (1ULL << 20)};
  for (size_t i = 0; i < sizeof made_up / sizeof *made_up; ++i) {
    EXPECT_STATUS(host->call_state(host->self, made_up[i]), TRELLIS_E_GONE);
    EXPECT_STATUS(host->complete(host->self, made_up[i], output), TRELLIS_E_GONE);
    EXPECT_STATUS(host->complete(host->self, made_up[i], kHuge), TRELLIS_E_GONE);
    EXPECT_STATUS(host->fail(host->self, made_up[i], NULL), TRELLIS_E_GONE);
    EXPECT_STATUS(host->release(host->self, made_up[i]), TRELLIS_E_GONE);
  }
  EXPECT_STATUS(host->call_state(host->self, request->call), TRELLIS_OK);
}
