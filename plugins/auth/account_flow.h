// Account flows (04 §13): durable, single use, known by a bearer secret that is stored only as a hash.
#pragma once

#include "config.h"
#include "core.h"
#include "store/accounts.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

inline constexpr UnixMs kAccountFlowMs = 24 * 60 * 60 * 1000;

// A path that begins with one "/", trimmed; nullopt for anything else.
std::optional<std::string> kept_return_to(std::string_view return_to);
bool allows_provider(const AccountFlow &flow, std::string_view provider);

// A reset flow for the local identity; returns the secret, and fills in the rest of `flow`.
std::string new_password_reset(AccountFlow &flow, const Identity &identity, UnixMs now, UnixMs lives_ms);

// 04 §14: makes sure that an administrator exists. The value is the flow's secret when a link is to be shown.
struct FirstBoot {
  std::string flow_id;
  AccountFlow flow;
};
Result<std::optional<FirstBoot>> ensure_administrator(Core &core);

} // namespace trellis::auth
