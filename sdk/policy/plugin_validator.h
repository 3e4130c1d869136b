// Validator over trellis.validator/1: the control plane in this host decides without a round trip.
//
// Held by every plugin's request path, also by a handler that never came back, so it may outlive the control plane: it
// is attached while one runs. Caller texts are copied once a session and version, not once a request.
#pragma once

#include "runtime/validator.h"
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <trellis/control_plane.h>

namespace trellis {

class PluginValidator : public Validator {
public:
  // `table` lives until detach() has returned. Replaces what was attached.
  void attach(const trellis_validator_v1 *table, void *self);
  // [may block] When it returns, no call is inside the plugin.
  void detach();

  tl::expected<Validation, ErrorEnvelope> validate(const ValidationRequest &request) override;

private:
  struct Cached {
    std::uint64_t version = 0;
    std::shared_ptr<const CallerSession> caller;
  };
  std::shared_ptr<const CallerSession> caller_of(std::string_view session_key, const trellis_validation &validation);

  std::shared_mutex mutex_; // held shared during a call; guards table_ and self_
  const trellis_validator_v1 *table_ = nullptr;
  void *self_ = nullptr;

  std::mutex cache_mutex_; // guards cache_
  std::map<std::string, Cached, std::less<>> cache_;
};

} // namespace trellis
