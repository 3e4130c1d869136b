#include "login_portal.h"

#include "contracts/json_write.h"

namespace trellis::auth {
namespace {

std::string list_of(const std::vector<std::string> &items) {
  std::string out = "[";
  for (const auto &item : items)
    out += (out.size() > 1 ? "," : "") + item;
  return out + "]";
}

std::vector<std::string> federated(const ControlPlaneConfig &config) {
  std::vector<std::string> out;
  for (const auto &provider : config.providers)
    out.push_back(provider_json(provider.id, provider.display_name));
  return out;
}

} // namespace

std::string provider_json(std::string_view id, std::string_view display_name) {
  return JsonObjectText().text("id", id).text("displayName", display_name).str();
}

std::string builtin_portal_json() {
  constexpr char epoch[] = "1970-01-01T00:00:00.000Z";
  return JsonObjectText()
      .text("portalId", kBuiltinPortal)
      .text("displayName", "Trellis Login")
      .json("entryUrl", "null")
      .flag("builtIn", true)
      .flag("disabled", false)
      .text("createdAt", epoch)
      .text("updatedAt", epoch)
      .str();
}

std::string federated_providers_json(const ControlPlaneConfig &config) {
  return list_of(federated(config));
}

std::string providers_json(const ControlPlaneConfig &config) {
  auto all = federated(config);
  if (config.local_identity) all.insert(all.begin(), provider_json("local", kLocalProviderName));
  return list_of(all);
}

const ProviderConfig *find_provider(const ControlPlaneConfig &config, std::string_view id) {
  for (const auto &provider : config.providers)
    if (provider.id == id) return &provider;
  return nullptr;
}

const ProviderConfig *direct_provider(const ControlPlaneConfig &config, std::string_view asked_for) {
  if (!asked_for.empty()) return find_provider(config, asked_for);
  const bool only = config.providers.size() == 1 && !config.always_show_chooser && !config.local_identity;
  return only ? &config.providers.front() : nullptr;
}

} // namespace trellis::auth
