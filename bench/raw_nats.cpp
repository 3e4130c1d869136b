#include "raw_nats.h"

#include "raw_connection.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <sys/resource.h>

namespace trellis::bench {

namespace {

using Clock = std::chrono::steady_clock;

void echo(natsConnection *connection, natsSubscription *, natsMsg *message, void *) {
  natsConnection_Publish(connection, natsMsg_GetReply(message), natsMsg_GetData(message),
                         natsMsg_GetDataLength(message));
  natsMsg_Destroy(message);
}

// Keeps `window` requests in flight; everything after the first ones happens on the delivery thread.
class Requester {
public:
  Requester(natsConnection *connection, const EchoSetup &setup)
      : connection_(connection), setup_(setup), payload_(setup.payload, 'x'), inbox_("_INBOX.raw."),
        warm_up_(setup.requests / 10), sent_at_(setup.window) {
    times_us_.reserve(setup.requests);
    check(natsConnection_Subscribe(&subscription_, connection, (inbox_ + "*").c_str(), on_reply, this), "inbox");
  }
  ~Requester() { natsSubscription_Destroy(subscription_); }
  Requester(const Requester &) = delete;
  Requester &operator=(const Requester &) = delete;

  EchoFigures run() {
    std::unique_lock lock(mutex_);
    for (std::size_t slot = 0; slot < setup_.window; ++slot)
      send(slot);
    std::size_t seen = 0;
    while (!done_) {
      if (finished_.wait_for(lock, std::chrono::seconds(10)) == std::cv_status::timeout && seen == replies_ && !done_)
        throw std::runtime_error("no answer for 10 s");
      seen = replies_;
    }
    return figures_of(times_us_, std::chrono::duration<double>(ended_ - started_).count(), cpu_ended_ - cpu_started_);
  }

private:
  static void on_reply(natsConnection *, natsSubscription *, natsMsg *message, void *self) {
    const std::string subject = natsMsg_GetSubject(message);
    natsMsg_Destroy(message);
    auto *requester = static_cast<Requester *>(self);
    requester->replied(std::stoul(subject.substr(requester->inbox_.size())));
  }

  void replied(std::size_t slot) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    ++replies_;
    if (replies_ == warm_up_) start(now);
    if (replies_ > warm_up_ && !done_)
      times_us_.push_back(std::chrono::duration<double, std::micro>(now - sent_at_[slot]).count());
    if (times_us_.size() == setup_.requests && !done_) {
      ended_ = now;
      cpu_ended_ = cpu_seconds();
      done_ = true;
      finished_.notify_all();
    }
    if (!done_) send(slot);
  }

  void start(Clock::time_point now) {
    started_ = now;
    cpu_started_ = cpu_seconds();
  }

  void send(std::size_t slot) {
    sent_at_[slot] = Clock::now();
    if (replies_ == 0 && warm_up_ == 0 && slot == 0) start(sent_at_[slot]);
    const std::string reply = inbox_ + std::to_string(slot);
    const auto size = static_cast<int>(payload_.size());
    if (setup_.headers.empty()) {
      natsConnection_PublishRequest(connection_, "bench.raw", reply.c_str(), payload_.data(), size);
      return;
    }
    natsMsg *message = nullptr;
    check(natsMsg_Create(&message, "bench.raw", reply.c_str(), payload_.data(), size), "message");
    for (const auto &[name, value] : setup_.headers)
      natsMsgHeader_Set(message, name.c_str(), value.c_str());
    natsConnection_PublishMsg(connection_, message);
    natsMsg_Destroy(message);
  }

  natsConnection *const connection_;
  const EchoSetup &setup_;
  const std::string payload_;
  const std::string inbox_;
  const std::size_t warm_up_;
  natsSubscription *subscription_ = nullptr;

  std::mutex mutex_; // guards everything below
  std::condition_variable finished_;
  std::vector<Clock::time_point> sent_at_;
  std::vector<double> times_us_;
  Clock::time_point started_, ended_;
  double cpu_started_ = 0, cpu_ended_ = 0;
  std::size_t replies_ = 0;
  bool done_ = false;
};

} // namespace

std::string RawMode::name() const {
  return std::string(event_loop ? "event loop" : "own threads") + " x " + std::to_string(threads);
}

std::vector<RawMode> raw_modes() {
  return {{false, 1}, {false, 2}, {true, 1}, {true, 2}};
}

EchoFigures measure_raw_echo(const EchoSetup &setup, const RawMode &mode) {
  std::unique_ptr<RawLoop> first, second;
  if (mode.event_loop) first = std::make_unique<RawLoop>();
  if (mode.event_loop && mode.threads > 1) second = std::make_unique<RawLoop>();
  const bool shared = mode.threads == 1;
  const RawConnection responder(setup.url, first.get(), shared, setup.configure);
  const RawConnection client(setup.url, second ? second.get() : first.get(), shared, setup.configure);
  natsSubscription *subscription = nullptr;
  check(natsConnection_QueueSubscribe(&subscription, responder.get(), "bench.raw", "workers", echo, nullptr),
        "subscribe");
  const std::unique_ptr<natsSubscription, decltype(&natsSubscription_Destroy)> owned(subscription,
                                                                                     natsSubscription_Destroy);
  check(natsConnection_FlushTimeout(responder.get(), 5000), "flush");
  Requester requester(client.get(), setup);
  const auto figures = requester.run();
  if (first) first->end();
  if (second) second->end();
  return figures;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval &time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

EchoFigures figures_of(std::vector<double> &times_us, double seconds, double cpu) {
  if (times_us.empty() || seconds <= 0) return {};
  std::sort(times_us.begin(), times_us.end());
  const auto at = [&](double share) {
    return times_us[static_cast<std::size_t>(share * static_cast<double>(times_us.size() - 1))];
  };
  return {.per_second = static_cast<double>(times_us.size()) / seconds,
          .p50_us = at(0.5),
          .p99_us = at(0.99),
          .cpu_us = cpu * 1e6 / static_cast<double>(times_us.size())};
}

EchoFigures median_of(std::vector<EchoFigures> runs) {
  if (runs.empty()) return {};
  const auto middle = runs.begin() + static_cast<std::ptrdiff_t>(runs.size() / 2);
  std::nth_element(runs.begin(), middle, runs.end(),
                   [](const EchoFigures &a, const EchoFigures &b) { return a.per_second < b.per_second; });
  return *middle;
}

} // namespace trellis::bench
