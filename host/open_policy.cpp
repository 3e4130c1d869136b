#include "open_policy.h"

#include "policy/remote_policy.h"

namespace trellis::host {

Result<std::unique_ptr<Policy>> open_policy(const Config &config) {
  switch (config.policy.mode) {
  case PolicyConfig::Mode::plugin: return nullptr;
  case PolicyConfig::Mode::remote: {
    RemotePolicyOptions options;
    options.url = config.policy.url;
    options.jwt_life = config.policy.remote_jwt_life;
    return RemotePolicy::open(std::move(options));
  }
  case PolicyConfig::Mode::static_: break;
  }
  return StaticPolicy::open(config.policy.file, config.state_dir / "replay.cache", unix_ms_now);
}

} // namespace trellis::host
