// Policy of a control plane that runs elsewhere: POST /bootstrap/service over HTTP (04 §7), with the retry rules of
// 04 §7.3.
//
// HTTP blocks, so one thread of its own asks, one question after the other. A question is answered with what the
// control plane said at that moment; nobody waits for a plan to be accepted. When it is time to ask again (Retry-After,
// a corrected clock, a control plane that couldn't be reached) the change callback says so, and the host asks with a
// fresh signature. Rejected: repeating the request in here, because its `iat` ages, and because the host may have a
// newer contract by then.
//
// The manifest isn't signed, only its digest is: so one request text serves both forms of the route, without the
// contract first and with it once the control plane wants it.
#pragma once

#include "http/http_client.h"
#include "policy/policy.h"
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace trellis {

struct RemotePolicyOptions {
  std::string url;                     // of the control plane; its path is dropped, as service clients do
  std::chrono::seconds jwt_life{3600}; // of the NATS users that it issues: connections rotate before that
  std::function<std::int64_t()> clock = unix_ms_now;
  HttpLimits http{.timeout = std::chrono::milliseconds(15'000)};
  std::size_t max_waiting = 256; // questions that aren't asked yet; more are answered as undecided
  // Until asking again: what an operator may decide any moment, what has to be repaired over there, and a control
  // plane that can't be reached (doubling).
  std::chrono::milliseconds pending_retry{5000}, refused_retry{30'000};
  std::chrono::milliseconds network_retry_min{1000}, network_retry_max{30'000};
};

class RemotePolicy final : public Policy {
public:
  // Asks nothing yet. Error "config_value": a URL that is none of http or https.
  static Result<std::unique_ptr<RemotePolicy>> open(RemotePolicyOptions options);
  ~RemotePolicy() override; // questions that wait are answered as undecided

  using Policy::bootstrap;
  // The facts of the file stay here: a control plane elsewhere can't check them (trellis.toml refuses to want it).
  void bootstrap(std::string request, ArtifactFacts artifact, Done done) override;
  Result<ConnectionCredentials> credentials(const SessionKey &key, std::string_view contract_digest,
                                            std::string_view use) override;
  void connection_denied(const SessionKey &key, std::string_view contract_digest) override;
  std::shared_ptr<Validator> validator() override { return nullptr; } // it asks over NATS: validator_for
  std::shared_ptr<Validator> validator_for(Transport &transport, const SessionKey &key) override;
  std::int64_t now() const override;
  void on_change(std::function<void()> changed) override;
  Result<void> reload() override; // asks again

private:
  using Clock = std::chrono::steady_clock;
  using Principal = std::pair<std::string, std::string>; // session key, contract digest
  struct ServerClock;
  struct Exchange;
  struct Question {
    std::string request;
    std::function<void(PolicyAnswer)> done;
  };

  RemotePolicy(RemotePolicyOptions options, std::string endpoint);
  void run();
  PolicyAnswer ask(const std::string &request);
  Exchange exchange(std::string_view body);
  PolicyAnswer settle(const Principal &principal, Exchange exchange);
  bool correct_clock(std::int64_t server_now, const Exchange &exchange);
  void ask_again_in(std::chrono::milliseconds pause);
  PolicyAnswer unreachable(const std::string &message, std::optional<std::chrono::milliseconds> pause);
  void call_changed();

  const RemotePolicyOptions options_;
  const std::string endpoint_;
  const std::shared_ptr<ServerClock> server_clock_; // shared with connect tokens, which outlive this
  HttpClient http_;                                 // of the thread, but for cancel
  std::set<Principal> wants_manifest_;              // of the thread
  std::chrono::milliseconds network_retry_;         // of the thread

  std::mutex mutex_; // guards what follows
  std::condition_variable arrived_;
  std::deque<Question> questions_;
  std::optional<Clock::time_point> ask_again_;                            // when to call changed_
  std::map<Principal, std::shared_ptr<const NatsCredentials>> sentinels_; // of who is ready
  bool stopping_ = false;

  std::mutex changed_mutex_; // held while changed_ runs
  std::function<void()> changed_;
  std::thread thread_;
};

} // namespace trellis
