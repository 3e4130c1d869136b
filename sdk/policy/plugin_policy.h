// Policy over trellis.policy/1: the control plane in this host decides.
//
// Made before the control plane is loaded and destroyed after it, so "nobody to ask yet" is one of its answers: 503,
// with which plugins wait. It holds, for each principal that was answered 200, the sentinel of that answer; connections
// then go through the auth callout like anybody's, with a connect token in place of secrets of the account.
#pragma once

#include "policy/plugin_validator.h"
#include "policy/policy.h"
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <trellis/control_plane.h>

namespace trellis {

class PluginPolicy : public Policy {
public:
  // `now`: Unix seconds.
  explicit PluginPolicy(std::function<std::int64_t()> now);
  ~PluginPolicy() override;
  PluginPolicy(const PluginPolicy &) = delete;
  PluginPolicy &operator=(const PluginPolicy &) = delete;

  // The control plane's tables. Error "extension_missing" for a plugin that doesn't offer both.
  struct Tables {
    const trellis_policy_v1 *policy = nullptr;
    const trellis_validator_v1 *validator = nullptr;
    void *self = nullptr;
  };
  static Result<Tables> tables_of(const trellis_plugin &plugin);

  // From the control plane's own thread. `attach`: it decides from now on, and answers may differ from before.
  void attach(const Tables &tables);
  // [may block] Briefly: when it returns, no call is inside the plugin and none comes from it.
  void detach();
  const std::shared_ptr<PluginValidator> &plugin_validator() const { return validator_; }

  using Policy::bootstrap;
  void bootstrap(std::string request, ArtifactFacts artifact, Done done) override;
  void enroll(std::string deployment, std::string session_key, Done done) override;
  Result<ConnectionCredentials> credentials(const SessionKey &key, std::string_view contract_digest,
                                            std::string_view use) override;
  void connection_denied(const SessionKey &key, std::string_view contract_digest) override;
  std::shared_ptr<Validator> validator() override { return validator_; }
  void on_change(std::function<void()> changed) override;
  Result<void> reload() override { return {}; }

private:
  struct State; // what answers that come late still refer to
  struct Asked; // a question under way

  const std::shared_ptr<State> state_;
  const std::shared_ptr<PluginValidator> validator_ = std::make_shared<PluginValidator>();
  std::shared_mutex mutex_; // held shared during calls into the plugin; guards tables_
  Tables tables_;
};

} // namespace trellis
