#include "contracts/reserved_ids.h"

#include <string>

namespace trellis {
namespace {

constexpr std::string_view kReservedPrefix = "trellis.";

struct Holder {
  std::string_view contract_id, role;
};
constexpr Holder kProviders[] = {
    {"trellis.jobs@v1", "jobs"}, // 05 §1: served by an ordinary deployment
};

} // namespace

Result<void> check_contract_id(std::string_view contract_id, std::string_view role) {
  if (!contract_id.starts_with(kReservedPrefix) || role == "control-plane") return {};
  std::string expected = "an id that doesn't start with \"trellis.\"";
  for (const auto &holder : kProviders) {
    if (holder.contract_id != contract_id) continue;
    if (holder.role == role) return {};
    expected = "a plugin with role = \"" + std::string(holder.role) + "\"";
  }
  return fail("contract_id_reserved", "/id", "\"" + std::string(contract_id) + "\" is reserved for the platform",
              std::move(expected));
}

} // namespace trellis
