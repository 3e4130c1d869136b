/* Compiles the headers alone, as C11 and (header_check.cpp) as C++, with every warning on, and pins the layouts
 * that plugins in other languages write down for themselves. 64-bit machines only, like the host. */
#include <trellis/control_plane.h>
#include <trellis/plugin.h>

#ifndef __cplusplus
#define static_assert _Static_assert
#endif

#define CHECK_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type " has another size")
#define CHECK_OFFSET(type, member, bytes) static_assert(offsetof(type, member) == (bytes), #type "." #member " moved")

CHECK_SIZE(trellis_str, 16);
CHECK_SIZE(trellis_sink, 16);
CHECK_SIZE(trellis_error_sink, 16);
CHECK_SIZE(trellis_header, 32);
CHECK_SIZE(trellis_call, 8);

/* Numbers are part of the ABI too, and abidiff doesn't see them. */
#define CHECK_VALUE(name, value) static_assert((name) == (value), #name " has another value")

CHECK_VALUE(TRELLIS_ABI_MAJOR, 1);
CHECK_VALUE(TRELLIS_OK, 0);
CHECK_VALUE(TRELLIS_E_INVALID, 1);
CHECK_VALUE(TRELLIS_E_GONE, 2);
CHECK_VALUE(TRELLIS_E_DENIED, 3);
CHECK_VALUE(TRELLIS_E_UNAVAILABLE, 4);
CHECK_VALUE(TRELLIS_E_TIMEOUT, 5);
CHECK_VALUE(TRELLIS_E_TOO_LARGE, 6);
CHECK_VALUE(TRELLIS_E_REMOTE, 7);
CHECK_VALUE(TRELLIS_E_UNSUPPORTED, 8);
CHECK_VALUE(TRELLIS_E_FAILED, 9);
CHECK_VALUE(TRELLIS_LOG_TRACE, 0);
CHECK_VALUE(TRELLIS_LOG_DEBUG, 1);
CHECK_VALUE(TRELLIS_LOG_INFO, 2);
CHECK_VALUE(TRELLIS_LOG_WARN, 3);
CHECK_VALUE(TRELLIS_LOG_ERROR, 4);
CHECK_VALUE(TRELLIS_SURFACE_RPC, 1);
CHECK_VALUE(TRELLIS_SURFACE_EVENT, 2);
CHECK_VALUE(TRELLIS_SURFACE_FEED, 3);
CHECK_VALUE(TRELLIS_METRIC_COUNTER, 1);
CHECK_VALUE(TRELLIS_METRIC_GAUGE, 2);
CHECK_VALUE(TRELLIS_METRIC_HISTOGRAM, 3);
CHECK_VALUE(sizeof(trellis_status), 4);
CHECK_VALUE(sizeof(trellis_stream), 8);

CHECK_OFFSET(trellis_error, type, 8);
CHECK_OFFSET(trellis_error, fields, 56);
CHECK_OFFSET(trellis_request, call, 8);
CHECK_OFFSET(trellis_request, surface, 16);
CHECK_OFFSET(trellis_request, deadline_unix_ms, 128);
CHECK_OFFSET(trellis_handler, contract_id, 8);
CHECK_OFFSET(trellis_handler, rpc, 40);
CHECK_OFFSET(trellis_rpc_call, contract_id, 8);
CHECK_OFFSET(trellis_rpc_call, tracestate, 72);
CHECK_OFFSET(trellis_host, self, 8);
CHECK_OFFSET(trellis_host, get_extension, 16);
CHECK_OFFSET(trellis_host, call_rpc_async, 88);
CHECK_OFFSET(trellis_plugin, self, 8);
CHECK_OFFSET(trellis_plugin, get_extension, 48);
CHECK_OFFSET(trellis_plugin_entry, name, 16);
CHECK_OFFSET(trellis_plugin_entry, create, 48);
CHECK_OFFSET(trellis_transport_v1, publish, 8);
CHECK_OFFSET(trellis_handler, event, 48);
CHECK_OFFSET(trellis_handler, group, 56);
CHECK_OFFSET(trellis_handler, subject_data, 72);
CHECK_OFFSET(trellis_handler, feed, 88);
CHECK_OFFSET(trellis_handler, feed_cancel, 96);
CHECK_OFFSET(trellis_event_delivery, contract_id, 8);
CHECK_OFFSET(trellis_event_delivery, time_unix_ms, 88);
CHECK_OFFSET(trellis_event_delivery, sequence, 112);
CHECK_OFFSET(trellis_event_delivery, tracestate, 136);
CHECK_OFFSET(trellis_feed_request, stream, 8);
CHECK_OFFSET(trellis_feed_request, tracestate, 112);
CHECK_OFFSET(trellis_event, contract_id, 8);
CHECK_OFFSET(trellis_event, tracestate, 72);
CHECK_OFFSET(trellis_events_v1, prepare, 8);
CHECK_OFFSET(trellis_events_v1, publish_async, 32);
CHECK_OFFSET(trellis_feeds_v1, emit, 8);
CHECK_OFFSET(trellis_feeds_v1, state, 32);
CHECK_OFFSET(trellis_metric, name, 8);
CHECK_OFFSET(trellis_metric, description, 40);
CHECK_OFFSET(trellis_metrics_v1, record, 8);
CHECK_OFFSET(trellis_health_check, name, 8);
CHECK_OFFSET(trellis_health_check, check, 24);
CHECK_OFFSET(trellis_health_v1, checks, 8);
CHECK_OFFSET(trellis_health_v1, info, 16);
CHECK_OFFSET(trellis_message, subject, 8);
CHECK_OFFSET(trellis_message, header_count, 64);
CHECK_OFFSET(trellis_connections_v1, find, 8);
CHECK_OFFSET(trellis_connections_v1, max_payload, 56);
CHECK_OFFSET(trellis_policy_v1, jwt_life_ms, 40);
CHECK_OFFSET(trellis_validation_request, payload_hash, 56);
CHECK_OFFSET(trellis_validation_request, capability_count, 96);
CHECK_OFFSET(trellis_validation, caller_version, 40);
CHECK_OFFSET(trellis_validation, capability_count, 56);
CHECK_OFFSET(trellis_validator_v1, validate, 8);

TRELLIS_CONTRACT({"format" : "trellis.contract.v1", "id" : "acme.check@v1"});

int main(void) {
  trellis_error error = {0, 0, {0, 0}, {0, 0}, {0, 0}, {0, 0}};
  error.size = (uint32_t)offsetof(trellis_error, fields);
  /* A struct of a smaller version doesn't have the field. */
  if (TRELLIS_HAS(trellis_error, &error, fields)) return 1;
  if (!TRELLIS_HAS(trellis_error, &error, context)) return 2;
  return trellis_contract_text[0] == '{' ? 0 : 3;
}
