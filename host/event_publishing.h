// Events that a plugin publishes: its own, and those that its contract `uses` with publish (06 §6.2).
//
// The contract decides: an event that it doesn't list is refused here, with a reason, before NATS refuses it without
// one. Compiled events are kept as long as their contract's digest stays the same.
#pragma once

#include "contract_directory.h"
#include "runtime/event_publisher.h"
#include "runtime/metrics_errors.h"
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis::host {

class EventPublishing {
public:
  // `own`: the plugin's contracts. References outlive this object.
  EventPublishing(const std::vector<Manifest> &own, const ContractDirectory &known, Transport &transport,
                  ErrorCounter &errors)
      : own_(own), known_(known), transport_(transport), errors_(errors) {}

  // [thread-safe] Failures: denied (the contract doesn't list it), unavailable (no such contract or event here now),
  // and those of prepare_event.
  tl::expected<PreparedEvent, EventFailure> prepare(std::string_view contract_id, std::string_view name,
                                                    std::string_view payload, const EventTrace &trace);
  Transport &transport() { return transport_; }
  ErrorCounter &errors() { return errors_; }

private:
  tl::expected<std::shared_ptr<const EventType>, EventFailure> find(std::string_view contract_id,
                                                                    std::string_view name);
  struct Compiled {
    std::string digest;
    std::shared_ptr<const EventType> type;
  };

  const std::vector<Manifest> &own_;
  const ContractDirectory &known_;
  Transport &transport_;
  ErrorCounter &errors_;
  std::mutex mutex_; // guards compiled_
  std::map<std::pair<std::string, std::string>, Compiled, std::less<>> compiled_;
};

} // namespace trellis::host
