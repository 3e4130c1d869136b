// What an app or agent contract delegates to a user's session (02 §10).
#include "contracts/authority.h"
#include "contracts/surface_lists.h"
#include "contracts/uses.h"

#include <set>

namespace trellis {
namespace {

// 02 §10: callers may move files with every service, each checks the transfer itself.
constexpr char kDownload[] = "transfer.v1.download.*.*";
constexpr char kUpload[] = "transfer.v1.upload.*.*";

class Delegation {
public:
  explicit Delegation(const Manifest &contract) : contract_(contract), own_texts_(contract.model().capabilities) {}

  // Before the uses: when several contracts need one key, the own one describes it.
  void add_own_surfaces() {
    const auto &model = contract_.model();
    for (const auto &[name, event] : entries_of(model.events)) {
      publish(event.subject);
      need(publish_list(event), own_texts_);
    }
    for (const auto &[name, rpc] : entries_of(model.rpc))
      if (rpc.transfer_receive) publish(kDownload);
    for (const auto &[name, operation] : entries_of(model.operations))
      if (operation.transfer) publish(kUpload);
  }

  void add_use(const ResolvedUse &use) {
    const auto &texts = use.target->capabilities;
    for (const auto &[name, rpc] : use.rpc) {
      publish(rpc->subject);
      if (rpc->transfer_receive) publish(kDownload);
      need(call_list(*rpc), texts);
    }
    for (const auto &[name, operation] : use.operations)
      add_operation(*operation, texts);
    for (const auto &[name, event] : use.publish) {
      publish(event->subject);
      need(publish_list(*event), texts);
    }
    for (const auto &[name, event] : use.subscribe) {
      subscribe_.insert(wildcard_subject(event->subject));
      need(subscribe_list(*event), texts);
    }
    for (const auto &[name, feed] : use.feeds) {
      publish(feed->subject);
      need(subscribe_list(*feed), texts);
    }
  }

  ApprovalPlan plan() {
    const auto &model = contract_.model();
    return {contract_.id(),
            contract_.digest(),
            model.display_name,
            model.description,
            std::string(kind_name(model.kind)),
            std::move(capabilities_),
            {publish_.begin(), publish_.end()},
            {subscribe_.begin(), subscribe_.end()}};
  }

private:
  using Texts = NameIndex<CapabilityText>;

  void add_operation(const OperationSurface &operation, const Texts &texts) {
    publish(operation.subject);
    publish_.insert(wildcard_subject(operation.subject) + ".control");
    if (operation.transfer) publish(kUpload);
    need(call_list(operation), texts);
    need(observe_list(operation), texts);
    need(cancel_list(operation), texts);
  }

  void publish(std::string_view subject) { publish_.insert(wildcard_subject(subject)); }

  void need(const NameList &keys, const Texts &texts) {
    for (const auto &key : keys) {
      const auto [slot, fresh] = capabilities_.try_emplace(key, CapabilityText{key, "Requires " + key + ".", {}});
      if (fresh) undescribed_.insert(key);
      const auto *text = texts.find(key);
      if (text && undescribed_.erase(key) > 0) slot->second = *text;
    }
  }

  const Manifest &contract_;
  Texts own_texts_;
  std::set<std::string> publish_, subscribe_;
  std::map<std::string, CapabilityText> capabilities_;
  std::set<std::string> undescribed_; // keys of capabilities_ that no contract has described so far
};

} // namespace

Result<ApprovalPlan> plan_approval(const Manifest &contract, const KnownContracts &known) {
  if (contract.kind() != ContractKind::app && contract.kind() != ContractKind::agent)
    return fail("kind", "/kind", "is " + std::string(kind_name(contract.kind())), "app or agent");
  Targets targets(known, Resolution::known);
  const auto uses = resolve_uses(contract, targets);
  if (!uses) return tl::make_unexpected(uses.error());
  Delegation delegation(contract);
  delegation.add_own_surfaces();
  for (const auto &use : *uses)
    if (use.target) delegation.add_use(use);
  return delegation.plan();
}

} // namespace trellis
