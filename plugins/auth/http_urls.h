// The URLs that the routes hand out, and the facts about the way to NATS (04 §5.2, §5.3, §10.1, §13).
#pragma once

#include "config.h"
#include "wire/credentials.h"
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis::auth {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

// `target` (an absolute URL or a path) with each parameter set: the first of that name replaced, others of it removed,
// new ones added behind; the whole query is written again in form encoding and the fragment stays (04 §10.1).
std::string redirect_location(std::string_view target, const QueryParameters &parameters);

// Origin of `base` + `path`, with the parameters. "" when `base` is no URL.
std::string portal_url(std::string_view base, std::string_view path, const QueryParameters &parameters);
std::string password_portal_url(std::string_view base, std::string_view flow_id,
                                const std::optional<std::string> &return_to = std::nullopt);
std::string login_portal_url(const ControlPlaneConfig &config, std::string_view flow_id);

std::string transports_json(const ControlPlaneConfig &config);
std::string sentinel_json(const NatsCredentials &sentinel);

// 04 §12: http(s), and of the app's origin, or without one of a listed origin (not "*").
bool valid_return_to(std::string_view return_to, const std::optional<std::string> &app_origin,
                     const std::vector<std::string> &web_origins);

} // namespace trellis::auth
