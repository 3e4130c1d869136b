#include "hosting/host_api.h"

#include "abi/abi_values.h"
#include "contracts/json.h"
#include "hosting/events_api.h"
#include "hosting/feeds_api.h"
#include "hosting/metrics_api.h"
#include "policy/privileged_connections.h"
#include "runtime/rpc_client.h"
#include "transport/transport.h"
#include <algorithm>
#include <chrono>
#include <rapidjson/document.h>

namespace trellis::host {
namespace {

constexpr std::uint32_t kDefaultTimeoutMs = 3000; // trellis_rpc_call: 0

void write(trellis_sink sink, std::string_view data) {
  if (sink.write) sink.write(sink.context, str(data));
}

void report(trellis_error_sink sink, const ErrorEnvelope &error) {
  report_error(sink, error);
}
void report(trellis_error_sink sink, const Error &error) {
  report_error(sink, unexpected_error(error.text()));
}

trellis_status status_of_lookup(const Error &error) {
  return error.code == "not_used" ? TRELLIS_E_DENIED : TRELLIS_E_UNAVAILABLE;
}

bool is_json_object(std::string_view text) {
  const auto document = parse_json(text);
  return document && document->IsObject();
}

} // namespace

// The C functions. `self` is the HostApi. Nothing throws across: running out of memory ends the process.
struct HostApi::Functions {
  static HostApi &api(void *self) { return *static_cast<HostApi *>(self); }
  static const Parts *parts(void *self) { return api(self).parts(); }

  static const void *get_extension(void *self, trellis_str id) noexcept {
    static constexpr trellis_transport_v1 kTransport{sizeof(trellis_transport_v1), 0, &Functions::publish,
                                                     &Functions::request};
    static constexpr trellis_connections_v1 kConnections = privileged_connection_functions(&Functions::connection);
    static constexpr trellis_metrics_v1 kMetrics{sizeof(trellis_metrics_v1), 0, &Functions::record};
    if (view(id) == TRELLIS_EXT_TRANSPORT) return &kTransport;
    if (view(id) == TRELLIS_EXT_EVENTS) return &kEventsExtension;
    if (view(id) == TRELLIS_EXT_METRICS) return &kMetrics;
    if (view(id) == TRELLIS_EXT_FEEDS) return feeds_functions();
    return view(id) == TRELLIS_EXT_CONNECTIONS && api(self).connections_ ? &kConnections : nullptr;
  }

  static trellis_connection *connection(void *self, trellis_str name) noexcept {
    return api(self).connections_->find(view(name));
  }

  static trellis_status record(void *self, const trellis_metric *metric, double value, const trellis_header *attributes,
                               std::size_t attribute_count) noexcept {
    return record_plugin_metric(api(self).metrics_, metric, value, attributes, attribute_count);
  }

  static void log(void *self, std::int32_t level, trellis_str message, trellis_str fields) noexcept {
    const auto &host = api(self);
    const auto least = static_cast<std::int32_t>(LogLevel::trace), most = static_cast<std::int32_t>(LogLevel::error);
    const auto at = static_cast<LogLevel>(std::clamp(level, least, most));
    if (view(fields).empty())
      host.log_.write(at, view(message), {{"plugin", host.plugin_}});
    else if (is_json_object(view(fields)))
      host.log_.write(at, view(message), {{"plugin", host.plugin_}, LogField::json("fields", view(fields))});
    else
      host.log_.write(at, view(message), {{"plugin", host.plugin_}, {"fields", view(fields)}});
  }

  static trellis_status config(void *self, trellis_sink out) noexcept {
    const auto &settings = api(self).settings_;
    write(out, settings ? std::string_view(settings->json().reveal()) : "{}");
    return TRELLIS_OK;
  }

  static trellis_status identity(void *self, trellis_sink out) noexcept {
    write(out, api(self).identity_json_);
    return TRELLIS_OK;
  }

  static trellis_status complete(void *self, trellis_call call, trellis_str output) noexcept {
    const auto *found = parts(self);
    return found ? found->calls->complete(call, view(output)) : TRELLIS_E_GONE;
  }

  static trellis_status fail_call(void *self, trellis_call call, const trellis_error *error) noexcept {
    const auto *found = parts(self);
    return found ? found->calls->fail(call, read_error(error)) : TRELLIS_E_GONE;
  }

  static trellis_status release(void *self, trellis_call call) noexcept {
    const auto *found = parts(self);
    return found ? found->calls->release(call) : TRELLIS_E_GONE;
  }

  static trellis_status call_state(void *self, trellis_call call) noexcept {
    const auto *found = parts(self);
    return found ? found->calls->state(call) : TRELLIS_E_GONE;
  }

  // The method and options of a call, or the status that refuses it.
  struct Prepared {
    trellis_status status = TRELLIS_OK;
    Error problem;
    std::shared_ptr<const RpcMethod> method;
    CallOptions options;
  };
  static Prepared prepare(void *self, const trellis_rpc_call *call) {
    const auto *found = parts(self);
    if (!found) return {TRELLIS_E_UNAVAILABLE, {"closed", {}, "the plugin isn't connected yet", {}, {}}, {}, {}};
    if (!call || !TRELLIS_HAS(trellis_rpc_call, call, input) || !is_text(call->contract_id) || !is_text(call->name) ||
        !is_text(call->input))
      return {TRELLIS_E_INVALID, {"argument", {}, "the call struct is too small or malformed", {}, {}}, {}, {}};
    auto method = found->outgoing->find(view(call->contract_id), view(call->name));
    if (!method) return {status_of_lookup(method.error()), method.error(), {}, {}};
    Prepared ready;
    ready.method = std::move(*method);
    ready.options.timeout = std::chrono::milliseconds(call->timeout_ms > 0 ? call->timeout_ms : kDefaultTimeoutMs);
    if (TRELLIS_HAS(trellis_rpc_call, call, traceparent)) ready.options.traceparent = view(call->traceparent);
    if (TRELLIS_HAS(trellis_rpc_call, call, tracestate)) ready.options.tracestate = view(call->tracestate);
    return ready;
  }

  static trellis_status call_rpc(void *self, const trellis_rpc_call *call, trellis_sink output,
                                 trellis_error_sink error) noexcept {
    const auto ready = prepare(self, call);
    if (ready.status != TRELLIS_OK) {
      report(error, ready.problem);
      return ready.status;
    }
    const auto result = api(self).parts_.client->call_and_wait(*ready.method, view(call->input), ready.options);
    if (!result) {
      report(error, result.error().envelope);
      return status_of(result.error());
    }
    write(output, *result);
    return TRELLIS_OK;
  }

  static trellis_status call_rpc_async(void *self, const trellis_rpc_call *call, trellis_rpc_reply_fn reply,
                                       void *context) noexcept {
    if (!reply) return TRELLIS_E_INVALID;
    const auto ready = prepare(self, call);
    if (ready.status != TRELLIS_OK) return ready.status;
    const auto answer = [method = ready.method, reply, context](const CallResult &result) {
      if (result) return reply(context, TRELLIS_OK, str(*result), nullptr);
      const auto &error = result.error().envelope;
      const trellis_error out{sizeof(trellis_error), 0, str(error.type), str(error.message), str(error.context),
                              str(error.fields)};
      reply(context, status_of(result.error()), {}, &out);
    };
    api(self).parts_.client->call(*ready.method, view(call->input), ready.options, answer);
    return TRELLIS_OK;
  }

  static trellis_status publish(void *self, trellis_str subject, trellis_str payload, const trellis_header *headers,
                                std::size_t header_count) noexcept {
    const auto *found = parts(self);
    if (!found) return TRELLIS_E_UNAVAILABLE;
    const auto given = read_headers(headers, header_count);
    if (!given || !is_publish_subject(view(subject)) || !is_text(payload)) return TRELLIS_E_INVALID;
    const auto sent = found->transport->publish(
        {.subject = view(subject), .payload = view(payload), .headers = given->empty() ? nullptr : &*given});
    return sent ? TRELLIS_OK : status_of_transport(sent.error());
  }

  static trellis_status request(void *self, trellis_str subject, trellis_str payload, const trellis_header *headers,
                                std::size_t header_count, std::uint32_t timeout_ms, trellis_sink reply,
                                trellis_error_sink error) noexcept {
    const auto *found = parts(self);
    if (!found) return TRELLIS_E_UNAVAILABLE;
    const auto given = read_headers(headers, header_count);
    if (!given || !is_publish_subject(view(subject)) || !is_text(payload)) return TRELLIS_E_INVALID;
    const auto answer = request_and_wait(
        *found->transport,
        {.subject = view(subject), .payload = view(payload), .headers = given->empty() ? nullptr : &*given},
        std::chrono::milliseconds(timeout_ms > 0 ? timeout_ms : kDefaultTimeoutMs));
    if (!answer) {
      report(error, answer.error());
      return status_of_transport(answer.error());
    }
    write(reply, (*answer)->payload());
    return TRELLIS_OK;
  }
};

HostApi::HostApi(const Log &log, std::string plugin, std::shared_ptr<const PluginSettings> settings,
                 std::string identity_json, PluginMetrics &metrics, PrivilegedConnections *connections)
    : log_(log), plugin_(std::move(plugin)), settings_(std::move(settings)), identity_json_(std::move(identity_json)),
      metrics_(metrics), connections_(connections) {
  table_.size = sizeof(trellis_host);
  table_.abi_minor = TRELLIS_ABI_MINOR;
  table_.self = this;
  table_.get_extension = &Functions::get_extension;
  table_.log = &Functions::log;
  table_.config = &Functions::config;
  table_.identity = &Functions::identity;
  table_.complete = &Functions::complete;
  table_.fail = &Functions::fail_call;
  table_.release = &Functions::release;
  table_.call_state = &Functions::call_state;
  table_.call_rpc = &Functions::call_rpc;
  table_.call_rpc_async = &Functions::call_rpc_async;
}

EventPublishing *HostApi::events_of(void *self) {
  const auto *found = Functions::parts(self);
  return found ? found->events : nullptr;
}

void HostApi::connect(Parts parts) {
  parts_ = parts;
  connected_.store(true);
}

trellis_error_sink ErrorText::sink() {
  return {this, [](void *self, const trellis_error *error) {
            auto &kept = *static_cast<ErrorText *>(self);
            const auto read = read_error(error);
            kept.type_ = read.type;
            kept.message_ = read.message;
          }};
}

std::string ErrorText::text(std::string_view otherwise) const {
  if (message_.empty() && type_.empty()) return std::string(otherwise);
  return type_.empty() ? message_ : type_ + ": " + message_;
}

} // namespace trellis::host
