#include "rpc_load.h"

#include "raw_connection.h"
#include "wire/names.h"
#include "wire/proof.h"
#include "wire/ulid.h"
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>

namespace trellis::bench {
namespace {

using Clock = std::chrono::steady_clock;

class Requester {
public:
  Requester(natsConnection *connection, const SignedRequests &all, const std::string &inbox_prefix, std::size_t window)
      : connection_(connection), all_(all), inbox_(inbox_prefix + ".bench." + new_ulid() + "."), window_(window),
        warm_up_(all.requests.size() / 10), sent_at_(window) {
    times_us_.reserve(all.requests.size());
    check(natsConnection_Subscribe(&subscription_, connection, (inbox_ + "*").c_str(), on_reply, this), "inbox");
    check(natsConnection_FlushTimeout(connection, 5000), "flush");
  }
  ~Requester() { natsSubscription_Destroy(subscription_); }
  Requester(const Requester &) = delete;
  Requester &operator=(const Requester &) = delete;

  EchoFigures run() {
    std::unique_lock lock(mutex_);
    started_ = Clock::now();
    for (std::size_t slot = 0; slot < window_; ++slot)
      send(slot);
    std::size_t seen = 0;
    while (replies_ < all_.requests.size() && failure_.empty()) {
      if (changed_.wait_for(lock, std::chrono::seconds(10)) == std::cv_status::timeout && seen == replies_)
        throw std::runtime_error("no answer for 10 s");
      seen = replies_;
    }
    if (!failure_.empty()) throw std::runtime_error("a request was refused: " + failure_);
    return figures_of(times_us_, std::chrono::duration<double>(ended_ - started_).count(), cpu_ended_ - cpu_started_);
  }

private:
  static void on_reply(natsConnection *, natsSubscription *, natsMsg *message, void *self) {
    auto &requester = *static_cast<Requester *>(self);
    const std::string slot = std::string(natsMsg_GetSubject(message)).substr(requester.inbox_.size());
    const char *status = nullptr;
    std::string failure;
    if (natsMsgHeader_Get(message, wire::kStatus, &status) == NATS_OK || natsMsg_IsNoResponders(message))
      failure = std::string(natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message)));
    natsMsg_Destroy(message);
    requester.replied(std::stoul(slot), failure);
  }

  void replied(std::size_t slot, const std::string &failure) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    if (!failure.empty()) failure_ = failure;
    if (++replies_ == warm_up_) {
      started_ = now;
      cpu_started_ = cpu_seconds();
    } else if (replies_ > warm_up_) {
      times_us_.push_back(std::chrono::duration<double, std::micro>(now - sent_at_[slot]).count());
    }
    ended_ = now;
    if (replies_ == all_.requests.size()) cpu_ended_ = cpu_seconds();
    if (replies_ == all_.requests.size() || !failure_.empty()) changed_.notify_all();
    if (sent_ < all_.requests.size() && failure_.empty()) send(slot);
  }

  void send(std::size_t slot) {
    const auto &one = all_.requests[sent_++];
    sent_at_[slot] = Clock::now();
    natsMsg *message = nullptr;
    check(natsMsg_Create(&message, all_.subjects[one.subject].c_str(), (inbox_ + std::to_string(slot)).c_str(),
                         all_.payload.data(), static_cast<int>(all_.payload.size())),
          "message");
    natsMsgHeader_Set(message, wire::kSessionKey, all_.session_key.c_str());
    natsMsgHeader_Set(message, wire::kProof, one.proof.c_str());
    natsMsgHeader_Set(message, wire::kIat, one.iat.c_str());
    natsMsgHeader_Set(message, wire::kRequestId, one.id.c_str());
    natsConnection_PublishMsg(connection_, message);
    natsMsg_Destroy(message);
  }

  natsConnection *const connection_;
  const SignedRequests &all_;
  const std::string inbox_;
  const std::size_t window_, warm_up_;
  natsSubscription *subscription_ = nullptr;

  std::mutex mutex_; // guards everything below
  std::condition_variable changed_;
  std::vector<Clock::time_point> sent_at_;
  std::vector<double> times_us_;
  Clock::time_point started_, ended_;
  double cpu_started_ = 0, cpu_ended_ = 0;
  std::size_t sent_ = 0, replies_ = 0;
  std::string failure_;
};

} // namespace

SignedRequests sign_requests(const SessionKey &key, const std::vector<std::string> &subjects,
                             const std::string &payload, std::size_t count) {
  SignedRequests out{subjects, payload, key.text(), {}};
  const auto hash = sha256(as_bytes(payload));
  for (std::size_t i = 0; i < count; ++i) {
    const auto iat = unix_ms_now() / 1000;
    auto id = new_ulid();
    const std::size_t subject = i % subjects.size();
    auto proof = make_request_proof(key, subjects[subject], hash, iat, id);
    out.requests.push_back({std::to_string(iat), std::move(id), std::move(proof), subject});
  }
  return out;
}

EchoFigures measure_requests(natsConnection *connection, const SignedRequests &signed_requests,
                             const std::string &inbox_prefix, std::size_t window) {
  Requester requester(connection, signed_requests, inbox_prefix, window);
  return requester.run();
}

} // namespace trellis::bench
