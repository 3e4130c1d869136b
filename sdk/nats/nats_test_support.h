// What the live tests of this folder share: a loop, connected transports, and a log of what they report.
#pragma once

#include "nats/nats_transport.h"
#include <algorithm>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace trellis::test {

inline std::unique_ptr<NatsLoop> start_loop() {
  auto loop = NatsLoop::start();
  if (!loop) throw std::runtime_error(loop.error().text());
  return std::move(*loop);
}

// What a transport reported. Thread-safe; outlives the transport.
class Log {
public:
  static NatsOptions plain_options(std::string url) {
    NatsOptions options;
    options.servers = {std::move(url)};
    options.name = "test";
    options.inbox_prefix = "_INBOX.test";
    options.backoff_min = std::chrono::milliseconds(20);
    options.backoff_max = std::chrono::milliseconds(200);
    return options;
  }

  NatsOptions options(std::string url) {
    auto options = plain_options(std::move(url));
    options.on_state = [this](ConnectionState state, const std::string &) {
      const std::lock_guard lock(mutex_);
      states_.push_back(state);
    };
    options.on_problem = [this](const Error &problem) {
      const std::lock_guard lock(mutex_);
      problems_.push_back(problem);
    };
    return options;
  }

  std::vector<ConnectionState> states() const {
    const std::lock_guard lock(mutex_);
    return states_;
  }
  bool has_problem(const std::string &code, const std::string &where) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(problems_.begin(), problems_.end(),
                       [&](const Error &p) { return p.code == code && p.where == where; });
  }
  long count_problems(const std::string &code) const {
    const std::lock_guard lock(mutex_);
    return std::count_if(problems_.begin(), problems_.end(), [&](const Error &p) { return p.code == code; });
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    std::string out;
    for (const auto &problem : problems_)
      out += problem.code + " " + problem.text() + "\n";
    return out;
  }

private:
  mutable std::mutex mutex_; // guards everything below
  std::vector<ConnectionState> states_;
  std::vector<Error> problems_;
};

inline std::unique_ptr<NatsTransport> open_connected(NatsLoop &loop, NatsOptions options) {
  auto transport = NatsTransport::open(loop, std::move(options));
  if (!transport->wait_connected(std::chrono::seconds(20))) throw std::runtime_error("the transport doesn't connect");
  return transport;
}

inline std::unique_ptr<NatsTransport> open_connected(NatsLoop &loop, std::string url) {
  return open_connected(loop, Log::plain_options(std::move(url)));
}

} // namespace trellis::test
