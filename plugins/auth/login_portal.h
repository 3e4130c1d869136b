// The login portal of a flow (04 §8.4). There is one, built in; chosen portals are administered by RPCs that come with
// their own storage.
#pragma once

#include "config.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

inline constexpr char kBuiltinPortal[] = "trellis.builtin.login";

std::string builtin_portal_json();
// [{"id","displayName"}] of the federated providers that the portal allows, in configuration order.
std::string federated_providers_json(const ControlPlaneConfig &config);
// The same with the local one in front, where local identity is enabled.
std::string providers_json(const ControlPlaneConfig &config);
std::string provider_json(std::string_view id, std::string_view display_name);
inline constexpr char kLocalProviderName[] = "Username and password";

// The provider that a login goes to without a chooser (04 §8.3), or nullptr.
const ProviderConfig *direct_provider(const ControlPlaneConfig &config, std::string_view asked_for);
const ProviderConfig *find_provider(const ControlPlaneConfig &config, std::string_view id);

} // namespace trellis::auth
