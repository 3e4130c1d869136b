// Somebody who sees every message of the account: what a participant put on the wire, headers included. No contract
// grants that; it uses the control plane's own credentials out of the bundle.
#pragma once

#include "nats/nats_transport.h"
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

namespace trellis::test {

std::unique_ptr<NatsTransport> watch_account(NatsLoop &loop, const std::string &url,
                                             const std::filesystem::path &bundle);

// The messages on a subject, from now on.
class Tap {
public:
  struct Seen {
    std::string payload;
    Headers headers;
    std::string header(const std::string &name) const; // "" when absent
  };
  Tap(NatsTransport &watcher, const std::string &subject);
  // The next one; waits for it. Throws when none comes.
  Seen next();

private:
  std::mutex mutex_; // guards seen_
  std::deque<Seen> seen_;
  std::unique_ptr<Subscription> subscription_;
};

} // namespace trellis::test
