// The loop of a consumer group: a private part of EventGroup.
#pragma once

#include "runtime/event_acks.h"
#include "runtime/event_group.h"
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace trellis {

struct EventGroup::State : std::enable_shared_from_this<State> {
  State(Transport &given, EventGroupConfig options) : transport(given), config(std::move(options)) {}

  Transport &transport;
  const EventGroupConfig config;
  std::thread thread;

  std::mutex mutex; // guards what follows, as far as other threads touch it
  std::condition_variable changed;
  std::deque<MessagePtr> arrived; // at the inbox
  bool draining = false, drained = false, reconnected = false;
  bool running = false; // the loop
  Clock::time_point end_by = Clock::time_point::max();
  // The message that a worker has. Written by the loop while no task is posted, read by the task.
  MessagePtr current;
  AckSubject current_at;
  std::vector<const EventHandler *> current_handlers; // of its event, in the order of registration
  enum class Task { none, waiting, running } task = Task::none;
  enum class Outcome { done, failed, undecodable };
  std::optional<Outcome> outcome;

  void run();

private:
  // The loop's own.
  std::string inbox;
  std::unique_ptr<Subscription> subscription;
  ConsumerTimes times;
  std::uint64_t pulls = 0;
  std::chrono::milliseconds pause{0};
  bool said_listening = false;

  // What to do when a step is over.
  enum class Next { go_on, pull, restart, end };

  Result<void> attach();
  Result<void> open_inbox();
  Result<MessagePtr> ask(const std::string &subject);
  Next consume();
  Result<void> pull();
  Next await(MessagePtr &message);
  Next read_status(const Message &message);
  void pause_before_restart();
  void finish();
  void give_back(const Message &message);

  void handle(MessagePtr message);
  std::optional<Outcome> run_handlers(Clock::time_point delivered_at);
  void settle(std::string_view body);
  std::vector<const EventHandler *> handlers_for(const Message &message) const;
  EventConsumerMetrics *current_metrics() const;
  void keep_alive();
  void run_task();
  Outcome run_chain(const Message &message, const AckSubject &at) const;

  void say(EventReport::Kind kind, std::string name, std::string detail) const;
  bool ending() const { return draining; } // with the lock
};

} // namespace trellis
