// Resources in the TRELLIS account's JetStream (02 §7.2 to §7.5): KV buckets, object stores, event consumers, and job
// queues with the three streams that all of them share.
//
// A run binds everything first (names and numbers, sdk/contracts), so that a definition that can't be provisioned
// touches nothing; then it reserves the new names, makes what is missing, and deletes last what nothing asks for.
#pragma once

#include "core.h"
#include "replicas.h"
#include "resources.h"
#include "transport/transport.h"
#include <cstdint>
#include <mutex>
#include <optional>

namespace trellis::auth {

class ResourceObjects;

// [thread-safe]
class JetStreamResources : public ResourceProvisioner {
public:
  // `configured`: nats.jetstream.replicas. Without it the number is probed on `system` when the first bucket is made,
  // and only raises what exists (02 §7.6).
  JetStreamResources(Transport &trellis, Transport &system, std::optional<std::int64_t> configured, Log log);
  Result<std::vector<StoredBinding>> provision(const ProvisionRequest &request) override;

private:
  Replicas replicas();
  Result<void> ensure_jobs_streams(ResourceObjects &objects, const std::string &label);

  Transport &trellis_, &system_;
  Log log_;
  std::mutex mutex_;              // guards known_
  std::optional<Replicas> known_; // configured, or found by a probe that was answered
  std::mutex jobs_streams_;       // held while the streams that deployments share are made or changed (02 §7.1)
};

} // namespace trellis::auth
