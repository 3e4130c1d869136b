// What the control plane's domain code shares: clock, log, configuration, database, known contracts.
//
// Domain code is free functions and small classes over one Core. Three thin doors lead in: HTTP, RPC and the auth
// callout (ARCHITECTURE §7). References outlive everything that holds them.
#pragma once

#include "config.h"
#include "store/database.h"
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace trellis::auth {

class Catalog;

// Structured lines through the host. `fields`: JSON object text or "".
enum class Level { trace, debug, info, warn, error };
using Log = std::function<void(Level, std::string_view message, std::string_view fields)>;

struct Core {
  const ControlPlaneConfig &config;
  Database &db;
  Catalog &catalog;
  std::function<std::int64_t()> now; // Unix milliseconds; one clock for HTTP, callout and validation (03 §11.0)
  Log log;

  std::int64_t now_seconds() const { return now() / 1000; }
  // Sessions whose lastAuth is before this don't exist (03 §8.1).
  std::int64_t sessions_expired_before() const {
    return config.ttl_ms.sessions <= 0 ? 0 : now() - static_cast<std::int64_t>(config.ttl_ms.sessions);
  }
};

} // namespace trellis::auth
