// The JetStream streams and consumers behind resources: what they are made as, and what an existing one differs in
// (02 §7.3; 08 §2, §4.4; 09 B2, C2, D1).
//
// Configurations are JSON texts, as transport/jetstream.h takes them: their members are the server's. Tables are
// written once, here, with every member that 02 §7.3 lists; others are left to the server. What exists is never made
// again but changed by `overlaid`: members that the table doesn't list are somebody's choice and stay.
#pragma once

#include "contracts/json.h"
#include "contracts/resource_bindings.h"
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

struct StreamConfig {
  std::string name;
  std::string config; // JSON object
};
// `replicas`: R of 02 §7.6.
StreamConfig kv_stream(const KvBinding &binding, int replicas);
StreamConfig store_stream(const StoreBinding &binding, int replicas);
// JOBS, JOBS_WORK and JOBS_ADVISORIES, in the order in which they are made.
std::array<StreamConfig, 3> jobs_streams(int replicas);

struct ConsumerConfig {
  std::string stream, name;
  std::string config; // JSON object; ack_wait as declared, which the server replaces by the first backoff entry
};
ConsumerConfig event_consumer(const EventConsumerBinding &binding);
ConsumerConfig queue_consumer(const JobsBinding &binding);

// What a stored binding of `kind` names in JetStream; "" where it names nothing.
struct PhysicalName {
  std::string stream, consumer; // consumer "": the stream itself
};
PhysicalName physical_name(ResourceKind kind, const JsonValue &binding);

struct ConfigDifference {
  std::string member, current, wanted; // the values as JSON
};
// "num_replicas is 1 (wanted 3), max_age is 0 (wanted 5)"
std::string differences_text(const std::vector<ConfigDifference> &differences);

// Members of `wanted` that `current` has otherwise; only those called in `members`, or all when it is empty. A member
// that the server leaves out is zero, false or empty.
std::vector<ConfigDifference> stream_differences(const JsonValue &current, const JsonValue &wanted,
                                                 const std::vector<std::string_view> &members = {});
// The members that make a bucket or store be updated (02 §7.3).
const std::vector<std::string_view> &bucket_members();
// Of a consumer, by 02 §7.3's table: filters as a set, ack_wait against the first backoff entry.
std::vector<ConfigDifference> consumer_differences(const JsonValue &current, const JsonValue &wanted);

// num_replicas of a stream that exists: a probed number never lowers it, a configured one is applied as it is (02
// §7.6).
std::int64_t kept_replicas(const JsonValue &current, int replicas, bool configured);

// `current` with the members of `wanted`: the configuration of an update. The consumer's form replaces its filter and
// backoff as a whole.
std::string overlaid_stream(const JsonValue &current, const JsonValue &wanted);
std::string overlaid_consumer(const JsonValue &current, const JsonValue &wanted);

} // namespace trellis
