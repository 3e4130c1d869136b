// Who got which answer: sends signed requests and counts the answers to each of them.
//
// An RpcClient would hide what this is for: it takes the first answer and drops the rest, and asks again when nobody
// listens. Here each request has an inbox of its own below one plain subscription, so a second answer is seen, and a
// request that nobody took is an error. The caller's connection must not rotate meanwhile: a plain subscription may
// then see a message twice (sdk/nats/nats_transport.h).
#pragma once

#include "live_host.h"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace trellis::test {

class AnswerLedger {
public:
  using Clock = std::chrono::steady_clock;

  // `name`: tells ledgers of one caller apart.
  AnswerLedger(Caller &caller, std::string name, RpcMethod method);

  // [thread-safe]
  void send(const std::string &input);
  // False when more requests than that still wait for their first answer after `limit`.
  bool wait_open_below(std::size_t count, std::chrono::milliseconds limit);

  struct Totals {
    std::size_t sent = 0, answered = 0, twice = 0, open = 0;
    std::map<std::string, std::size_t> outcomes; // "ok", or an error's code or type; of first answers
    std::map<std::string, std::vector<double>> answer_ms;
    std::string text() const;
  };
  Totals totals() const;

private:
  struct Entry {
    Clock::time_point sent;
    int answers = 0;
  };
  std::string outcome_of(const Message &message) const;
  void on_answer(const Message &message);

  Caller &caller_;
  const RpcMethod method_;
  const std::string inbox_;
  mutable std::mutex mutex_; // guards everything below but the subscription
  std::condition_variable changed_;
  std::unordered_map<std::string, Entry> entries_; // by request id
  Totals totals_;
  std::unique_ptr<Subscription> subscription_;
};

// Keeps `window` requests open until stop().
class LedgerLoad {
public:
  LedgerLoad(AnswerLedger &ledger, std::string input, std::size_t window);
  ~LedgerLoad() { stop(); }
  void stop(); // sends no more; what is open stays open

private:
  void run();

  AnswerLedger &ledger_;
  const std::string input_;
  const std::size_t window_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

} // namespace trellis::test
