// `state` of the auth-callout cases: stored records as JSON, turned into what fills a store.
#pragma once

#include "contracts/manifest.h"
#include "runner.h"
#include "store/database.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace trellis::vectors {

struct CalloutState {
  std::vector<Manifest> known;              // besides what is stored
  std::function<void(auth::Writer &)> fill; // puts the records; throws on an unknown member
  std::vector<std::string> activations;     // instance ids
  bool unreadable_sessions = false;         // one was stored that no record type fits
  std::optional<double> nats_jwt_ms;
};

// Throws on an unknown member. `state` must outlive the result.
CalloutState read_callout_state(const JsonValue &state);

} // namespace trellis::vectors
