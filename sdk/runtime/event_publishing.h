// Events that a participant publishes: its own, and those that its contract `uses` with publish (06 §6.2).
//
// The contract decides: an event that it doesn't list is refused here, with a reason, before NATS refuses it without
// one. Compiled events are kept as long as their contract's digest stays the same.
#pragma once

#include "contracts/manifest.h"
#include "runtime/event_publisher.h"
#include "runtime/metrics_errors.h"
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis {

// [thread-safe] The contract of that id as it is known at the moment.
using FindContract = std::function<std::optional<Manifest>(std::string_view contract_id)>;
// Own contracts first: they are those of this very participant.
std::optional<Manifest> contract_called(const std::vector<Manifest> &own, const FindContract &find,
                                        std::string_view contract_id);

class EventPublishing {
public:
  // References outlive this object. `errors` counts what fails, `metrics` what is published, if given.
  EventPublishing(const std::vector<Manifest> &own, FindContract find, Transport &transport,
                  ErrorCounter *errors = nullptr, MetricSet *metrics = nullptr)
      : own_(own), find_(std::move(find)), transport_(transport), errors_(errors), metrics_(metrics) {}

  // [thread-safe] Failures: denied (the contract doesn't list it), unavailable (no such contract or event here now),
  // and those of prepare_event.
  tl::expected<PreparedEvent, EventFailure> prepare(std::string_view contract_id, std::string_view name,
                                                    std::string_view payload, const EventTrace &trace);
  // [thread-safe] How publishing ended, for the counts.
  void count(std::string_view name, const PublishResult &result) const;
  Transport &transport() { return transport_; }

private:
  tl::expected<std::shared_ptr<const EventType>, EventFailure> type_of(std::string_view contract_id,
                                                                       std::string_view name);
  struct Compiled {
    std::string digest;
    std::shared_ptr<const EventType> type;
  };

  const std::vector<Manifest> &own_;
  const FindContract find_;
  Transport &transport_;
  ErrorCounter *const errors_;
  MetricSet *const metrics_;
  std::mutex mutex_; // guards compiled_
  std::map<std::pair<std::string, std::string>, Compiled, std::less<>> compiled_;
};

} // namespace trellis
