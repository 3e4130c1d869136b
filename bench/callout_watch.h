// How long the control plane takes to answer one callout, as the wire shows it: from nats-server's request to the
// answer, both seen by a bystander in the AUTH account.
//
// Rejected: a whole connect, which also holds TCP, the client's own work and the server's checks (the bench reports it
// beside this); and the control plane's log, which has no line for a callout that went well.
#pragma once

#include "nats/nats_transport.h"
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace trellis::bench {

class CalloutWatch {
public:
  // `credentials`: a file of the AUTH account's user. Throws std::runtime_error when it can't listen.
  CalloutWatch(const std::string &url, const std::filesystem::path &credentials);
  ~CalloutWatch();
  CalloutWatch(const CalloutWatch &) = delete;
  CalloutWatch &operator=(const CalloutWatch &) = delete;

  // Milliseconds of each callout that was answered since the last call, sorted.
  std::vector<double> take();

private:
  void asked(const Message &request);
  void answered(const Message &answer);

  std::unique_ptr<NatsLoop> loop_; // its own: connects of the bench must not delay the clock's look
  std::unique_ptr<NatsTransport> transport_;

  std::mutex mutex_;                                                               // guards what follows
  std::map<std::string, std::chrono::steady_clock::time_point, std::less<>> open_; // by reply subject
  std::vector<double> ms_;

  std::vector<std::unique_ptr<Subscription>> subscriptions_; // end first
};

} // namespace trellis::bench
