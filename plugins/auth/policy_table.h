// trellis.policy/1: the host's questions about its other plugins, on a lane of their own.
//
// The host's control thread asks and must never wait, so nothing is decided inside the call; and a bootstrap that
// reconciles must not hold up callouts or RPCs. What doesn't fit into the lane is answered 503, and once the lane has
// room again the host is told that asking may be worth it.
#pragma once

#include "deployment_authority.h"
#include "lane.h"
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <trellis/control_plane.h>

namespace trellis::auth {

class PolicyDesk {
public:
  PolicyDesk(DeploymentAuthority &authority, std::size_t most_waiting);
  // [may block] Answers what has been asked.
  ~PolicyDesk();
  PolicyDesk(const PolicyDesk &) = delete;
  PolicyDesk &operator=(const PolicyDesk &) = delete;

  // [thread-safe] As the functions of the table.
  void bootstrap(std::string_view request, trellis_bootstrap_fn done, void *context);
  void bootstrap_artifact(std::string_view request, BoundArtifact artifact, trellis_bootstrap_fn done, void *context);
  void enroll(std::string_view deployment_id, std::string_view session_key, trellis_bootstrap_fn done, void *context);
  void on_change(void (*changed)(void *context), void *context);

private:
  using Decide = std::function<BootstrapAnswer()>;
  void decide(Decide decision, trellis_bootstrap_fn done, void *context);
  void tell_room();

  DeploymentAuthority &authority_;
  std::atomic<bool> refused_{false}; // somebody was answered 503
  std::mutex changed_mutex_;         // held while changed_ runs; guards it
  std::function<void()> changed_;
  Lane lane_; // last: its threads use the rest
};

} // namespace trellis::auth
