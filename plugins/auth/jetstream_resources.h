// Resources in the TRELLIS account's JetStream (02 §7.3, §7.5). This version makes KV buckets; stores, job queues and
// event consumers, and the streams of trellis.jobs@v1, are refused by name.
#pragma once

#include "core.h"
#include "replicas.h"
#include "resources.h"
#include "transport/transport.h"
#include <cstdint>
#include <mutex>
#include <optional>

namespace trellis::auth {

// [thread-safe]
class JetStreamResources : public ResourceProvisioner {
public:
  // `configured`: nats.jetstream.replicas. Without it the number is probed on `system` when the first bucket is made,
  // and only raises what exists (02 §7.6).
  JetStreamResources(Transport &trellis, Transport &system, std::optional<std::int64_t> configured, Log log);
  Result<std::vector<StoredBinding>> provision(const ProvisionRequest &request) override;

private:
  Replicas replicas();

  Transport &trellis_, &system_;
  Log log_;
  std::mutex mutex_;              // guards known_
  std::optional<Replicas> known_; // configured, or found by a probe that was answered
};

} // namespace trellis::auth
