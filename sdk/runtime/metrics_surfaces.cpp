#include "runtime/metrics_surfaces.h"

#include <string>

namespace trellis {
namespace {

ErrorSite site(const char *surface, const char *direction, std::string_view name, std::string_view phase) {
  return {{}, surface, direction, std::string(name), std::string(phase), "nats"};
}

// nullptr: the runtime had no room, or is stopping, which is no failure of anybody's code.
const char *feed_phase(ReplyCause cause) {
  switch (cause) {
  case ReplyCause::parse: return "request_decoding";
  case ReplyCause::input_validation: return "input_validation";
  case ReplyCause::auth: return "auth";
  case ReplyCause::handler_throw: return "handler_throw";
  case ReplyCause::handler_result: return "handler_result";
  case ReplyCause::output_encoding: return "event_encoding";
  case ReplyCause::handshake: return "handshake";
  case ReplyCause::event_publish: return "event_publish";
  case ReplyCause::answered:
  case ReplyCause::overloaded:
  case ReplyCause::deadline:
  case ReplyCause::stopping: break;
  }
  return nullptr;
}

} // namespace

void count_listener_error(ErrorCounter &errors, const EventReport &report) {
  const bool undecodable = report.kind == EventReport::Kind::undecodable;
  const bool failed = report.kind == EventReport::Kind::handler_failed; // given_up is the group's word on one of them
  if (!undecodable && !failed) return;
  const auto where = site("event", "consumer", report.name, undecodable ? "input_validation" : "handler_result");
  for (std::uint64_t i = 0; i < report.times; ++i)
    errors.count(where, undecodable ? R"({"type":"ValidationError"})" : R"({"type":"UnexpectedError"})");
}

void count_publisher_error(ErrorCounter &errors, std::string_view event, const EventFailure &failure,
                           std::string_view phase) {
  errors.count(site("event", "publisher", event, phase), failure.envelope.to_json());
}

void count_feed_error(ErrorCounter &errors, std::string_view feed, const RpcReply &error) {
  if (const char *phase = feed_phase(error.cause)) errors.count(site("feed", "server", feed, phase), error.payload);
}

} // namespace trellis
