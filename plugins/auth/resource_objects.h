// Streams and consumers in JetStream as they should be: made where they are missing, changed where they differ, and
// taken back when the run that made them fails (02 §7.3, §7.5; 09 D1).
//
// One object for one run, because only a run knows what it created: what was there before is never deleted by its
// undo. Nothing is decided here about which resources there are. Every error begins with the resource and names the
// stream and consumer; when an existing one is in the way it also says what differs.
#pragma once

#include "contracts/resource_configs.h"
#include "replicas.h"
#include "transport/jetstream.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

// Lives on the thread of its run. All functions block.
class ResourceObjects {
public:
  ResourceObjects(Transport &trellis, Replicas replicas) : jetstream_(trellis), replicas_(replicas) {}

  // `label`: the resource, for errors. The stream of a bucket or store; one that exists must hold its subjects.
  Result<void> ensure_bucket(const std::string &label, const StreamConfig &wanted);
  // A stream that all deployments share: never taken back.
  Result<void> ensure_shared(const std::string &label, const StreamConfig &wanted);
  Result<void> ensure_consumer(const std::string &label, const ConsumerConfig &wanted);
  // Gone already is fine.
  Result<void> remove(const std::string &label, const PhysicalName &name);

  // Deletes what was created, last first. When JetStream doesn't answer the rest stays; false then.
  bool undo();

private:
  enum class Scope { own, shared };
  Result<void> ensure_stream(const std::string &label, const StreamConfig &wanted, Scope scope);
  Result<void> create_stream(const std::string &where, const StreamConfig &wanted, Scope scope);
  Result<void> change_stream(const std::string &where, const StreamConfig &wanted, const JsonDocument &info,
                             Scope scope);
  // `action` "create" leaves an existing one alone, "update" makes none.
  Result<JsonDocument> put_consumer(const ConsumerConfig &wanted, const char *action, std::string_view config);
  Result<void> create_consumer(const std::string &where, const ConsumerConfig &wanted, const JsonValue &config);
  Result<void> change_consumer(const std::string &where, const ConsumerConfig &wanted, const JsonValue &current,
                               const JsonValue &config);

  JetStream jetstream_;
  Replicas replicas_;
  std::vector<PhysicalName> created_;
};

} // namespace trellis::auth
