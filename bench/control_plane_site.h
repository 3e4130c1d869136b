// What bench control-plane measures on: a live control plane with one signed-in participant, a floor that connects
// beside it without the callout, people who sign in, and sessions seeded through the store instead of by traffic.
#pragma once

#include "callout_watch.h"
#include "live/live_control_plane.h"
#include "nats/nats_transport.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trellis::bench {

class ControlPlaneSite {
public:
  ControlPlaneSite();

  // [thread-safe] Each connects, waits for the server's answer, and closes.
  void connect_through_callout();
  void connect_with_static_jwt();
  // Of every callout since the last call, sorted.
  std::vector<double> callout_ms() { return watch_->take(); }
  // Processor time that the host has used since its last start, in seconds: says most on a busy machine.
  double host_cpu_seconds();
  // [may block] Until the host has dealt with what came before: it takes note of ended connections afterwards, also of
  // the floor's, and that must not count for the next run. At most 30 s.
  void settle();

  // `count` people, each with a login page open.
  struct Person {
    SessionKey key;
    std::string flow;
  };
  std::vector<Person> people(int count);
  // [thread-safe] Posts the person's password: one Argon2id. Throws when it isn't accepted.
  void log_in(const Person &person);

  // Adds sessions of the administrator until there are `count`. Restarts the control plane.
  void seed_sessions(int count);

private:
  void connect(const std::function<Result<ConnectionCredentials>()> &credentials);

  std::unique_ptr<NatsLoop> loop_;
  test::LiveControlPlane plane_;
  std::unique_ptr<cli::LoginSession> session_;
  std::function<Result<ConnectionCredentials>()> credentials_;
  std::unique_ptr<NkeySeed> signing_; // of the TRELLIS account
  std::string account_;
  std::unique_ptr<CalloutWatch> watch_;
};

} // namespace trellis::bench
