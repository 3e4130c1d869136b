#include "call_reports.h"

#include "log/log.h"
#include <utility>

namespace trellis::host {
namespace {

constexpr std::chrono::seconds kQuiet{10}; // between two lines of a kind

}

std::string_view text_of(CallEvent::Kind kind) {
  switch (kind) {
  case CallEvent::Kind::overloaded: return "request refused: the plugin's queue is full";
  case CallEvent::Kind::deadline: return "request not answered in time";
  case CallEvent::Kind::bad_output: return "the handler's output breaks its schema";
  case CallEvent::Kind::bad_error: return "the handler's error is malformed";
  case CallEvent::Kind::send_failed: return "reply not sent";
  case CallEvent::Kind::released: return "the handler gave the request up";
  case CallEvent::Kind::event_undecodable: return "event skipped: it breaks its schema";
  case CallEvent::Kind::event_failed: return "the handler of an event failed";
  case CallEvent::Kind::event_lost: return "event given up: it failed in every delivery";
  case CallEvent::Kind::event_dropped: return "live event dropped: its handler is too slow";
  case CallEvent::Kind::event_waits: return "the plugin's queue is full; a durable event waits";
  case CallEvent::Kind::group_restarting: return "consumer group interrupted; it starts again";
  case CallEvent::Kind::too_many_streams: return "subscriber refused: too many open streams";
  }
  return "call event";
}

// How many to report now; 0 = none.
std::uint64_t CallReports::count_now(CallEvent::Kind kind) {
  const std::lock_guard lock(mutex_);
  auto &seen = seen_[kind];
  ++seen.since;
  const auto now = Clock::now();
  if (seen.written != Clock::time_point{} && now - seen.written < kQuiet) return 0;
  seen.written = now;
  return std::exchange(seen.since, 0);
}

void CallReports::log(const CallEvent &event) {
  if (const auto times = count_now(event.kind); times > 0)
    log_.warn(text_of(event.kind), {{"plugin", plugin_},
                                    {"surface", event.surface},
                                    {"detail", event.detail},
                                    {"request_id", event.request_id},
                                    {"trace_id", event.trace_id},
                                    {"times", times}});
}

} // namespace trellis::host
