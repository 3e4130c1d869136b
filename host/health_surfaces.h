// The health of a plugin (06 §8): a heartbeat at an interval for each whose contract publishes it, and the rpc
// <Plugin>.Health for those whose contract has it and whose table doesn't.
//
// The plugin's own checks (trellis.health/1) run on its workers, as all of its code does. What goes wrong here is said
// in the log when it begins and when it ends, not every half minute.
#pragma once

#include "hosting/handler_table.h"
#include "rpc_surfaces.h"
#include "runtime/health_reporter.h"
#include <optional>
#include <string>

namespace trellis::host {

class HealthSurfaces : public SurfaceKind {
public:
  // `rpcs` outlives it and is opened before. `program`, `version`: what the plugin's entry says.
  HealthSurfaces(SurfaceContext context, RpcSurfaces &rpcs, std::string_view program, std::string_view version);

  // Error "health_malformed": the plugin's table of checks is.
  Result<void> open() override;
  void drain(std::function<void()> done) override;
  bool wait_idle(Clock::time_point until) override;
  void stop(Clock::time_point until) override;

private:
  static void answer(void *self, const trellis_request *request);
  Result<bool> serve_rpc();
  Result<std::vector<NamedCheck>> plugin_checks();
  HealthService service() const;
  bool post(std::size_t index) const;
  void read_info(decltype(trellis_health_v1::info) read);
  void count(const std::vector<HealthCheck> &checks) const;
  void published(const Result<void> &done);

  const SurfaceContext context_;
  RpcSurfaces &rpcs_;
  const std::vector<std::string> rpc_names_;
  const std::string version_;
  std::shared_ptr<HealthChecks> checks_; // the last one reads the info, if `has_info_`
  bool has_info_ = false;
  std::mutex mutex_; // guards info_
  std::optional<std::string> info_;
  std::string last_problem_; // of the reporter's thread: of the last heartbeat, "" when it went out
  std::unique_ptr<HealthReporter> reporter_;
};

} // namespace trellis::host
