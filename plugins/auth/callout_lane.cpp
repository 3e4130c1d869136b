// Threads that do nothing but callouts (ARCHITECTURE §7), fed by the auth connection.
//
// A request passes two queues: as it arrived, to be decoded, and admitted by the limiter, to be decided. The threads
// take from both in turn, so that neither a flood of arrivals nor a pile of slow decisions stops the other; an address
// that floods fills its own share of the admitted, and the rest of the waiting places at most.
#include "callout.h"
#include "callout_limiter.h"
#include "contracts/json_write.h"
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace trellis::auth {
namespace {

constexpr char kSubject[] = "$SYS.REQ.USER.AUTH";
constexpr char kQueueGroup[] = "trellis";
constexpr char kServerXkey[] = "Nats-Server-Xkey";
constexpr std::chrono::seconds kStopWait{5};

CalloutLimiter::Limits limits_of(const Limits &configured) {
  return {
      static_cast<std::size_t>(configured.callout_concurrent), static_cast<std::size_t>(configured.callout_per_address),
      static_cast<std::size_t>(configured.callout_per_server), static_cast<std::size_t>(configured.callout_waiting)};
}

} // namespace

struct CalloutLane::State {
  State(Core &core, Callout &callout, Transport &auth)
      : core_(core), callout_(callout), auth_(auth),
        most_arrived_(static_cast<std::size_t>(core.config.limits.callout_queue)),
        limiter_(limits_of(core.config.limits)),
        threads_(static_cast<std::size_t>(core.config.limits.callout_threads)) {}
  ~State() { stop(); }
  Result<void> start();

private:
  using Ticket = CalloutLimiter::Ticket;
  struct Job {
    MessagePtr message;
    CalloutRequest request;
  };
  using Lock = std::unique_lock<std::mutex>;

  void arrive(MessagePtr message);
  void run();
  void decode(Lock &lock);
  void decide(Lock &lock);
  void respond(const Message &message, ByteView payload);
  void report_dropped(Lock &lock);
  void stop();

  Core &core_;
  Callout &callout_;
  Transport &auth_;
  const std::size_t most_arrived_;

  std::mutex mutex_; // guards everything down to dropped_
  std::condition_variable changed_;
  std::deque<MessagePtr> arrived_;
  std::map<Ticket, Job> jobs_; // admitted and waiting
  std::deque<Ticket> ready_;   // admitted, not yet taken
  CalloutLimiter limiter_;
  Ticket next_ticket_ = 1;
  std::size_t running_ = 0;
  std::size_t dropped_ = 0; // since the last line about it
  bool stopping_ = false;

  std::unique_ptr<Subscription> subscription_;
  std::vector<std::thread> threads_;
};

Result<void> CalloutLane::State::start() {
  auto subscription =
      auth_.subscribe(kSubject, kQueueGroup, [this](MessagePtr message) { arrive(std::move(message)); });
  if (!subscription) return tl::make_unexpected(subscription.error());
  subscription_ = std::move(*subscription);
  for (auto &thread : threads_)
    thread = std::thread([this] { run(); });
  return {};
}

void CalloutLane::State::arrive(MessagePtr message) {
  if (message->reply().empty()) return;
  const Lock lock(mutex_);
  if (arrived_.size() >= most_arrived_) {
    ++dropped_;
    return;
  }
  arrived_.push_back(std::move(message));
  changed_.notify_one();
}

void CalloutLane::State::run() {
  bool decode_first = true;
  for (Lock lock(mutex_);; decode_first = !decode_first) {
    changed_.wait(lock, [&] { return stopping_ || !arrived_.empty() || !ready_.empty(); });
    if (stopping_) return;
    report_dropped(lock);
    const bool decodes = ready_.empty() || (decode_first && !arrived_.empty());
    if (decodes && arrived_.empty()) continue; // another thread was faster while the line was written
    ++running_;
    if (decodes)
      decode(lock);
    else
      decide(lock);
    --running_;
    changed_.notify_all();
  }
}

void CalloutLane::State::decode(Lock &lock) {
  auto message = std::move(arrived_.front());
  arrived_.pop_front();
  lock.unlock();
  auto request = callout_.decode(message->header(kServerXkey), as_bytes(message->payload()));
  if (!request) respond(*message, {});
  lock.lock();
  if (!request) return;
  const Ticket ticket = next_ticket_++;
  const auto entry = limiter_.enter(ticket, request->client_ip, request->server_name);
  if (entry == CalloutLimiter::Entry::refused) {
    ++dropped_;
    return;
  }
  jobs_.emplace(ticket, Job{std::move(message), std::move(*request)});
  if (entry == CalloutLimiter::Entry::admitted) ready_.push_back(ticket);
}

void CalloutLane::State::decide(Lock &lock) {
  const Ticket ticket = ready_.front();
  ready_.pop_front();
  const Job job = std::move(jobs_.extract(ticket).mapped());
  lock.unlock();
  const auto answer = callout_.answer(job.request);
  if (!answer.silent) respond(*job.message, answer.payload);
  lock.lock();
  for (const Ticket next : limiter_.leave(ticket))
    ready_.push_back(next);
}

void CalloutLane::State::respond(const Message &message, ByteView payload) {
  if (const auto sent = message.respond(as_text(payload)); !sent)
    core_.log(Level::warn, "auth callout answer not sent", JsonObjectText().text("reason", sent.error().text()).str());
}

void CalloutLane::State::report_dropped(Lock &lock) {
  const auto dropped = std::exchange(dropped_, 0);
  if (dropped == 0) return;
  lock.unlock();
  core_.log(Level::warn, "auth callouts left unanswered",
            JsonObjectText().text("reason", "rate_limited").number("count", static_cast<std::int64_t>(dropped)).str());
  lock.lock();
}

void CalloutLane::State::stop() {
  subscription_.reset();
  {
    Lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    if (!changed_.wait_for(lock, kStopWait, [&] { return running_ == 0; }))
      core_.log(Level::warn, "auth callouts still in flight at the end",
                JsonObjectText().number("count", static_cast<std::int64_t>(running_)).str());
  }
  // What they use ends after this object, so the threads are waited for; their own timeouts bound that.
  for (auto &thread : threads_)
    if (thread.joinable()) thread.join();
}

CalloutLane::CalloutLane(Core &core, Callout &callout, Transport &auth)
    : state_(std::make_unique<State>(core, callout, auth)) {}
CalloutLane::~CalloutLane() = default;

Result<void> CalloutLane::start() {
  return state_->start();
}

} // namespace trellis::auth
