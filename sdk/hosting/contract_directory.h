// The contracts that this host has inspected, by id: what a plugin's `uses` are looked up in.
//
// Replaced as a whole by the control thread, read by every plugin's threads: readers get an immutable snapshot.
#pragma once

#include "contracts/manifest.h"
#include "runtime/event_publishing.h"
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace trellis::host {

class ContractDirectory {
public:
  using Contracts = std::map<std::string, Manifest, std::less<>>;

  // [thread-safe]
  std::shared_ptr<const Contracts> snapshot() const {
    const std::lock_guard lock(mutex_);
    return contracts_;
  }
  void replace(Contracts contracts) {
    auto next = std::make_shared<const Contracts>(std::move(contracts));
    const std::lock_guard lock(mutex_);
    contracts_ = std::move(next);
  }

private:
  mutable std::mutex mutex_; // guards the pointer
  std::shared_ptr<const Contracts> contracts_ = std::make_shared<const Contracts>();
};

// `known` outlives the function.
inline FindContract find_in(const ContractDirectory &known) {
  return [&known](std::string_view contract_id) -> std::optional<Manifest> {
    const auto contracts = known.snapshot();
    const auto found = contracts->find(contract_id);
    return found == contracts->end() ? std::nullopt : std::optional(found->second);
  };
}

} // namespace trellis::host
