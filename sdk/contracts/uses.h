// Resolution of `uses` (01 §11): which surfaces of which contracts a contract means. Everything that looks at
// dependencies (analysis, approval, install check) resolves them here, so that they agree about failures.
#pragma once

#include "contracts/authority.h"
#include "contracts/compatibility.h"
#include "contracts/name_index.h"
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trellis {

// The merge of a lineage's candidates, with its surfaces by name.
struct TargetContract {
  explicit TargetContract(MergedContract merged)
      : contract(std::move(merged)), rpc(contract.rpc), operations(contract.operations), events(contract.events),
        feeds(contract.feeds), capabilities(contract.capabilities) {}
  TargetContract(const TargetContract &) = delete;
  TargetContract &operator=(const TargetContract &) = delete;

  const MergedContract contract;
  const NameIndex<RpcSurface> rpc;
  const NameIndex<OperationSurface> operations;
  const NameIndex<EventSurface> events;
  const NameIndex<FeedSurface> feeds;
  const NameIndex<CapabilityText> capabilities;
};

// Contract id -> target, merged at the first question. Points into `known`.
class Targets {
public:
  Targets(const KnownContracts &known, Resolution resolution);

  struct Answer {
    std::unique_ptr<const TargetContract> target; // nullptr: none, or incompatible
    std::vector<std::string> conflicting;         // digests of candidates that can't be merged
    std::string conflict;                         // why
  };
  const Answer &find(const std::string &contract_id);
  Resolution resolution() const { return resolution_; }

private:
  std::vector<Manifest> candidates(std::string_view contract_id) const;

  Resolution resolution_;
  std::unordered_map<std::string_view, std::vector<const KnownContract *>> by_id_;
  std::unordered_map<std::string, Answer> answers_;
};

// A selected surface; names that an optional use asks for in vain are left out.
template <class T>
struct Selected {
  std::string_view name;
  const T *surface;
};

struct ResolvedUse {
  std::string_view alias;
  const Use *use;
  bool required;
  const TargetContract *target; // nullptr: left pending (required) or skipped (optional)
  std::vector<Selected<RpcSurface>> rpc;
  std::vector<Selected<OperationSurface>> operations;
  std::vector<Selected<EventSurface>> publish, subscribe;
  std::vector<Selected<FeedSurface>> feeds;
};

enum class OptionalConflict { skipped, failure };

// In the order of 01 §11.1. Errors as analyze() has them. Points into `manifest` and `targets`.
Result<std::vector<ResolvedUse>> resolve_uses(const Manifest &manifest, Targets &targets,
                                              OptionalConflict optional_conflict = OptionalConflict::skipped);

// A dependency error (02 §2.1); `key` only for reason "missing".
tl::unexpected<Error> dependency_error(std::string where, std::string_view alias, const std::string &contract_id,
                                       std::string_view surface, std::string_view reason, std::string_view key = {});

} // namespace trellis
