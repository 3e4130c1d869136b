#include "runtime/metrics_rpc.h"

#include <utility>

namespace trellis {
namespace {

constexpr MetricInfo kServed{MetricKind::counter, "trellis.rpc.server.requests", "{request}",
                             "Requests that were answered, by outcome."};
constexpr MetricInfo kServedDuration{MetricKind::histogram, "trellis.rpc.server.duration", "s",
                                     "From a request's arrival to its answer."};
constexpr MetricInfo kCalled{MetricKind::counter, "trellis.rpc.client.requests", "{request}",
                             "Calls of other services, by outcome."};
constexpr MetricInfo kCalledDuration{MetricKind::histogram, "trellis.rpc.client.duration", "s",
                                     "From a call of another service to its end."};

enum class Outcome { ok, error, refused, overloaded, deadline, stopping };
constexpr std::array<std::string_view, 6> kOutcomeNames = {"ok",         "error",    "refused",
                                                           "overloaded", "deadline", "stopping"};

Outcome outcome_of(ReplyCause cause) {
  switch (cause) {
  case ReplyCause::answered: return Outcome::ok;
  case ReplyCause::parse:
  case ReplyCause::input_validation:
  case ReplyCause::auth: return Outcome::refused;
  case ReplyCause::handler_throw:
  case ReplyCause::handler_result:
  case ReplyCause::output_encoding:
  case ReplyCause::handshake:
  case ReplyCause::event_publish: return Outcome::error;
  case ReplyCause::overloaded: return Outcome::overloaded;
  case ReplyCause::deadline: return Outcome::deadline;
  case ReplyCause::stopping: return Outcome::stopping;
  }
  return Outcome::error;
}

// Where trellis.errors sees it. What a runtime refuses because it is full or stopping is no failure of anybody's code.
const char *phase_of(ReplyCause cause) {
  switch (cause) {
  case ReplyCause::parse: return error_phase::kParse;
  case ReplyCause::input_validation: return error_phase::kInputValidation;
  case ReplyCause::auth: return error_phase::kAuth;
  case ReplyCause::handler_throw: return error_phase::kHandlerThrow;
  case ReplyCause::handler_result:
  case ReplyCause::deadline: return error_phase::kHandlerResult;
  case ReplyCause::output_encoding: return error_phase::kOutputEncoding;
  case ReplyCause::answered:
  case ReplyCause::handshake:
  case ReplyCause::event_publish:
  case ReplyCause::overloaded:
  case ReplyCause::stopping: break;
  }
  return nullptr;
}

ErrorSite site(const char *direction, const std::string &method, std::string_view phase) {
  return {{}, "rpc", direction, method, std::string(phase), "nats"};
}

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

} // namespace

RpcServerMetrics::RpcServerMetrics(MetricSet &set, ErrorCounter &errors, std::string method)
    : errors_(errors), method_(std::move(method)) {
  static_assert(kOutcomeNames.size() == kOutcomes);
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    const std::array<MetricAttribute, 2> attributes = {
        {{"rpc.method", method_}, {"trellis.outcome", kOutcomeNames.at(i)}}};
    requests_.at(i) = set.counter(kServed, attributes).value_or(nullptr);
  }
  const std::array<MetricAttribute, 1> attributes = {{{"rpc.method", method_}}};
  duration_ = set.histogram(kServedDuration, attributes).value_or(nullptr);
}

void RpcServerMetrics::count(const RpcReply &reply, std::chrono::nanoseconds took) {
  if (auto *counter = requests_[static_cast<std::size_t>(outcome_of(reply.cause))]) counter->count();
  if (duration_) duration_->record(seconds(took));
  if (const char *phase = phase_of(reply.cause)) errors_.count(site("server", method_, phase), reply.payload);
}

void RpcServerMetrics::count_unsent() {
  errors_.count(site("server", method_, error_phase::kOutputEncoding), R"({"type":"TransportError"})");
}

RpcDurations served_durations(const MetricSet &set) {
  RpcDurations out;
  for (const auto &family : set.families()) {
    if (family.name != kServedDuration.name) continue;
    for (const auto &point : family.points) {
      if (out.counts.empty()) {
        out.bounds.assign(point.bounds.begin(), point.bounds.end());
        out.counts.resize(point.counts.size());
      }
      for (std::size_t i = 0; i < out.counts.size(); ++i)
        out.counts[i] += point.counts[i];
    }
  }
  return out;
}

void RpcClientMetrics::count(const RpcMethod &method, const CallResult &result, std::chrono::nanoseconds took) {
  const std::string_view outcome = result ? "ok" : result.error().local ? "failed" : "error";
  const std::array<MetricAttribute, 2> attributes = {{{"rpc.method", method.name}, {"trellis.outcome", outcome}}};
  if (const auto counter = set_.counter(kCalled, attributes)) (*counter)->count();
  if (const auto duration = set_.histogram(kCalledDuration, std::span(attributes).first(1)))
    (*duration)->record(seconds(took));
  if (result) return;
  const auto &error = result.error();
  errors_.count(site("client", method.name, error.phase.empty() ? error_phase::kUnexpected : error.phase),
                error.envelope.to_json());
}

} // namespace trellis
