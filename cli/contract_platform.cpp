#include "contract_platform.h"

#include "contract_file.h"
#include "contracts/health_contract.h"
#include "contracts/name_index.h"
#include <algorithm>
#include <set>
#include <string_view>

namespace trellis::cli {

// Written by embed_text.py.
std::string_view platform_core_text();
std::string_view platform_auth_text();
std::string_view platform_state_text();
std::string_view platform_jobs_text();

std::vector<Manifest> Surroundings::others(const Manifest &contract) const {
  std::vector<Manifest> out;
  for (const auto &manifest : given)
    if (manifest.digest() != contract.digest()) out.push_back(manifest);
  for (const auto &manifest : platform)
    if (manifest.id() != contract.id() && std::ranges::find(given, manifest.id(), &Manifest::id) == given.end())
      out.push_back(manifest);
  return out;
}

KnownContracts Surroundings::known(const Manifest &contract) const {
  KnownContracts out;
  for (auto &manifest : others(contract))
    out.push_back({std::move(manifest), true});
  return out;
}

Result<Surroundings> read_surroundings(const std::vector<std::string> &files) {
  Surroundings out;
  for (const auto text : {platform_core_text(), platform_auth_text(), health_contract_text(), platform_state_text(),
                          platform_jobs_text()}) {
    auto manifest = Manifest::parse(text);
    if (!manifest) return tl::make_unexpected(std::move(manifest.error()));
    out.platform.push_back(std::move(*manifest));
  }
  auto given = read_contracts(files);
  if (!given) return tl::make_unexpected(std::move(given.error()));
  out.given = std::move(*given);
  return out;
}

std::vector<std::string> unknown_uses(const Manifest &contract, const Surroundings &surroundings) {
  std::set<std::string> out;
  const auto others = surroundings.others(contract);
  if (const auto &uses = contract.model().uses)
    for (const auto *group : {&uses->required, &uses->optional})
      for (const auto &[alias, use] : entries_of(*group))
        if (std::ranges::find(others, use.contract, &Manifest::id) == others.end()) out.insert(use.contract);
  return {out.begin(), out.end()};
}

} // namespace trellis::cli
