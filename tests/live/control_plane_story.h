// What an installation goes through, from first boot to a revoked session, step by step, on a control plane that may
// die in the middle of any.
#pragma once

#include "cli/login_flow.h"
#include "live_control_plane.h"
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace trellis::test {

enum class Step { first_boot, set_password, log_in, approve, bind, propose, accept, revoke };
const char *step_name(Step step);

class Story {
public:
  Story();

  // The n-th durable write from here on is the host's last; none.
  void arm(int n);
  void disarm();
  // Starts the host when it doesn't run, then does the step, which an earlier attempt may have begun or even done.
  // False: the host died. Throws when it lives and the step can't be done.
  bool advance(Step step);
  void kill_nats(); // and starts it again

  // Of the database while nothing runs: what no whole change can have left, what isn't settled although everything has
  // ended, and a number. "" when nothing is wrong.
  std::string half_written() const;
  std::string unfinished() const;
  std::int64_t count(const std::string &rows) const; // "users WHERE active"
  bool echo_answers();

  LiveControlPlane &plane() { return plane_; }
  // One call as the administrator: nullopt when the host died meanwhile.
  std::optional<CallResult> call(const std::string &rpc, const std::string &input);
  bool is_dead();
  // Starts the host and waits until HTTP is served; false: it died first.
  bool start();

private:
  bool do_step(Step step);
  bool set_password();
  bool sign_in(Step until);
  bool reach(const std::string &flow, Step until);
  bool propose();
  bool accept();
  bool revoke();
  void keep_session(cli::BoundSession bound);
  std::optional<JsonDocument> succeed(const std::string &rpc, const std::string &input);
  std::optional<int> post(const std::string &path, const std::string &body);

  LiveControlPlane plane_;
  int armed_ = 0;
  bool started_ = false;
  bool again_ = false;                                  // an attempt at the current step was cut off
  std::size_t pending_before_ = 0, running_before_ = 0; // log lines about the echo plugin before the last start
  Step last_ = Step::first_boot;
  std::string contract_, flow_;
  SessionKey key_ = SessionKey::generate();
  std::optional<cli::LoginSession> session_;
  std::map<std::string, RpcMethod> methods_; // stay for calls that the host's death cuts off
  std::unique_ptr<Caller> admin_;
};

} // namespace trellis::test
