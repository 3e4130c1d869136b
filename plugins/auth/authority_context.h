// What the parts of DeploymentAuthority share. Internal: bootstrap, plans, reconciliation and deployments are free
// functions over it, one file an idea.
#pragma once

#include "catalog.h"
#include "connections.h"
#include "core.h"
#include "resources.h"
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis::auth {

// One mutex a deployment, as long as somebody wants it: runs for one deployment are serialized (02 §7.1).
class DeploymentLocks {
public:
  class Hold {
  public:
    explicit Hold(std::shared_ptr<std::mutex> mutex) : mutex_(std::move(mutex)), lock_(*mutex_) {}

  private:
    std::shared_ptr<std::mutex> mutex_; // outlives the lock
    std::unique_lock<std::mutex> lock_;
  };
  [[nodiscard]] Hold hold(std::string_view deployment_id); // [may block]

private:
  std::mutex mutex_; // guards locks_
  std::map<std::string, std::weak_ptr<std::mutex>, std::less<>> locks_;
};

// [thread-safe] The callback of DeploymentAuthority::on_change. Never called while a lock of ours is held.
class ChangeSignal {
public:
  // [may block] When it returns, no earlier callback is running. Not to be called inside the callback.
  void set(std::function<void()> changed);
  void operator()();

private:
  std::mutex mutex_; // guards both
  std::condition_variable none_running_;
  std::function<void()> changed_;
  int running_ = 0;
};

struct AuthorityContext {
  Core &core;
  Connections &connections;
  ResourceProvisioner &resources;
  std::string sentinel_json, transports_json;
  DeploymentLocks locks = {};
  ChangeSignal changed = {};
};

using Details = std::vector<std::pair<std::string, std::string>>;
// ValidationError at `where`, and AuthError with `reason`; `details` go into the context (05 §3.1).
tl::unexpected<Error> invalid(std::string where, std::string message, Details details = {});
tl::unexpected<Error> refused(std::string reason, std::string message, Details details = {});

// One structured line. `fields`: JSON object text.
void log_change(const AuthorityContext &context, Level level, std::string_view message, std::string_view fields);

} // namespace trellis::auth
