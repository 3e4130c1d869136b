// trellis host status --watch: what a host says, again and again, and what changed between two answers.
//
// The host only counts; rates come from two answers and the time between them, so that several watchers don't disturb
// each other. A host that ends, or isn't there yet, is said and waited for: who watches a host watches its restarts
// too. What to show is decided here without a clock, a terminal or a socket; watch_host brings those.
#pragma once

#include "contracts/json.h"
#include "contracts/result.h"
#include "output.h"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace trellis::cli {

class HostWatch {
public:
  enum class Form {
    screen, // redrawn each time
    text,   // only when something changed
    json,   // one line, only when something changed
  };
  HostWatch(Form form, std::chrono::seconds interval) : form_(form), interval_(interval) {}
  ~HostWatch();

  // What to write now. `answer`: a status of host/control_socket.h, or why there is none. `seconds`: of a steady clock.
  std::string next(const Result<JsonDocument> &answer, double seconds, std::int64_t now_unix_ms);

private:
  std::string seen(const JsonValue &answer, std::optional<double> since_last, std::int64_t now) const;
  std::string unseen(const Error &problem) const;

  const Form form_;
  const std::chrono::seconds interval_;
  std::unique_ptr<JsonDocument> last_; // the answer before; nullptr when there was none
  double last_seconds_ = 0;
  std::string shown_;
};

// One row a plugin. `before`: the answer `seconds` ago, nullptr when there is none: no rates then.
Table watch_table(const JsonValue &answer, const JsonValue *before, double seconds, std::int64_t now_unix_ms);

// [may block] Asks every `interval` until SIGINT or SIGTERM; 0.
int watch_host(const std::function<Result<JsonDocument>()> &ask, std::chrono::seconds interval, Output &out);

} // namespace trellis::cli
