// What went wrong with single requests and events of one plugin, as log lines.
//
// A flood would repeat the same line thousands of times a second, so each kind of event is written at most every ten
// seconds, with how many there were since.
#pragma once

#include "calls.h"
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace trellis {
class Log;
}

namespace trellis::host {

std::string_view text_of(CallEvent::Kind kind);

// [thread-safe]
class CallReports {
public:
  CallReports(const Log &log, std::string plugin) : log_(log), plugin_(std::move(plugin)) {}
  void log(const CallEvent &event);

private:
  using Clock = std::chrono::steady_clock;
  struct Seen {
    Clock::time_point written;
    std::uint64_t since = 0;
  };
  std::uint64_t count_now(CallEvent::Kind kind);

  const Log &log_;
  const std::string plugin_;
  std::mutex mutex_; // guards seen_
  std::map<CallEvent::Kind, Seen> seen_;
};

} // namespace trellis::host
