// The resource needs of a contract, with their definitions (02 §2.4): what reconciliation provisions from, and what an
// operator reviews. Definitions carry the effective defaults, unlike the manifest. Internal to sdk/contracts.
#pragma once

#include "contracts/authority.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

ResourceNeed kv_need(const std::string &alias, const KvResource &kv, bool schema_exported);
ResourceNeed store_need(const std::string &alias, const StoreResource &store);
ResourceNeed jobs_need(const std::string &queue, const JobQueue &job);

// One event that a consumer group selects; `own` events belong to no use.
struct SelectedEvent {
  bool own = false;
  std::string_view use, event, subject;
};
ResourceNeed event_consumer_need(const std::string &name, const EventConsumerGroup &group,
                                 const std::vector<SelectedEvent> &events);

ResourceNeed receive_need(const std::string &contract_id, std::string_view rpc, bool required);
ResourceNeed send_need(const std::string &contract_id, std::string_view operation, const OperationTransfer &transfer,
                       bool required);

} // namespace trellis
