#include "contract_checks.h"
#include "contracts/reserved_ids.h"
#include "contracts/subject_guard.h"
#include <set>
#include <string>

namespace trellis::auth {
namespace {

// The one built-in contract that an ordinary deployment serves (05 §1).
constexpr char kServedByDeployment[] = "trellis.jobs@v1";

std::set<std::string, std::less<>> used_ids(const Manifest &contract) {
  std::set<std::string, std::less<>> ids;
  if (const auto &uses = contract.model().uses)
    for (const auto *group : {&uses->required, &uses->optional})
      if (*group)
        for (const auto &[alias, use] : **group)
          ids.insert(use.contract);
  return ids;
}

} // namespace

Result<void> check_subjects(const Manifest &contract, const std::vector<Manifest> &builtin,
                            const KnownContracts &known) {
  if (auto own = check_own_subjects(contract, builtin); !own) return own;
  const auto used = used_ids(contract);
  std::vector<const Manifest *> others;
  for (const KnownContract &other : known) {
    if (other.manifest.id() == contract.id()) continue;
    if (other.active || used.contains(other.manifest.id())) others.push_back(&other.manifest);
  }
  for (const Manifest &manifest : builtin)
    if (manifest.id() == contract.id() && contract.id() != kServedByDeployment)
      return fail("contract_id_reserved", "/id", "\"" + contract.id() + "\" is served by the control plane",
                  "an id of its own");
  return check_subjects_free(contract, others);
}

Result<void> check_service_contract(const Manifest &contract, const std::vector<Manifest> &builtin,
                                    const KnownContracts &known) {
  if (contract.kind() != ContractKind::service)
    return fail("kind_mismatch", "/kind", "is " + std::string(kind_name(contract.kind())), "service");
  // Of a contract of the platform only the digest that is built in gets past check_subjects.
  const auto role = contract.id() == kServedByDeployment ? "jobs" : "service";
  if (auto subjects = check_subjects(contract, builtin, known); !subjects) return subjects;
  return check_contract_id(contract.id(), role);
}

} // namespace trellis::auth
