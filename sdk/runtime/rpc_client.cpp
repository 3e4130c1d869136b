#include "runtime/rpc_client.h"

#include "wire/names.h"
#include "wire/session_key.h"
#include "wire/ulid.h"
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace trellis {
namespace {

using Clock = std::chrono::steady_clock;
using Reply = Result<MessagePtr>;
using OnReply = std::function<void(Reply)>;

constexpr std::array kPauses = {std::chrono::milliseconds(200), std::chrono::milliseconds(400)};
static_assert(kPauses.size() == kNoRespondersRetries);

Reply client_closed() {
  return fail(transport_error::kClosed, {}, "the client was closed");
}

CallResult decode(const RpcMethod &method, const Reply &reply) {
  if (!reply) return tl::make_unexpected(transport_failure(method, reply.error()));
  const Message &message = **reply;
  return decode_reply(method, message.header(wire::kStatus) == wire::kStatusError, message.payload());
}

} // namespace

struct RpcClient::State : std::enable_shared_from_this<State> {
  using Id = std::uint64_t;
  struct Call {
    SignedRequest request;
    std::chrono::milliseconds timeout;
    OnReply on_reply;
    std::size_t retries = 0;
  };

  explicit State(Transport &given) : transport(given) {}

  void start(SignedRequest request, std::chrono::milliseconds timeout, OnReply on_reply);
  void close();

private:
  void send(Id id, const std::shared_ptr<Call> &call);
  void receive(Id id, Reply reply);
  bool retry_later(Id id);
  void finish(Id id, Reply reply);
  void run_timer();

  Transport &transport;
  std::mutex mutex; // guards everything below
  std::condition_variable timer_wakes, delivered;
  std::map<Id, std::shared_ptr<Call>> calls; // not yet answered
  std::multimap<Clock::time_point, Id> retries;
  std::thread timer;
  Id last_id = 0;
  std::size_t delivering = 0; // on_reply functions that are running
  bool closed = false;
};

void RpcClient::State::start(SignedRequest request, std::chrono::milliseconds timeout, OnReply on_reply) {
  const auto call = std::make_shared<Call>(Call{std::move(request), timeout, std::move(on_reply)});
  Id id = 0;
  {
    const std::lock_guard lock(mutex);
    if (!closed) {
      id = ++last_id;
      calls.emplace(id, call);
    }
  }
  if (id == 0) return call->on_reply(client_closed());
  send(id, call);
}

void RpcClient::State::send(Id id, const std::shared_ptr<Call> &call) {
  const auto &request = call->request; // the same bytes, headers and proof in every attempt
  const Outbound message{request.subject, {}, request.payload, &request.headers};
  transport.request(message, call->timeout,
                    [self = shared_from_this(), id](Reply reply) { self->receive(id, std::move(reply)); });
}

// [network or timer thread]
void RpcClient::State::receive(Id id, Reply reply) {
  const bool no_responders = !reply && reply.error().code == transport_error::kNoResponders;
  if (no_responders && retry_later(id)) return;
  finish(id, std::move(reply));
}

bool RpcClient::State::retry_later(Id id) {
  const std::lock_guard lock(mutex);
  const auto found = calls.find(id);
  if (closed || found == calls.end() || found->second->retries == kPauses.size()) return false;
  try {
    if (!timer.joinable()) timer = std::thread([this] { run_timer(); }); // close() joins it
  } catch (const std::system_error &) { // the system has no thread to give: the call ends with what it has
    return false;
  }
  retries.emplace(Clock::now() + kPauses[found->second->retries++], id);
  timer_wakes.notify_one();
  return true;
}

// Does nothing when the call was answered before: close() may have come first.
void RpcClient::State::finish(Id id, Reply reply) {
  std::unique_lock lock(mutex);
  const auto found = calls.find(id);
  if (found == calls.end()) return;
  const auto call = found->second;
  calls.erase(found);
  ++delivering;
  lock.unlock();
  call->on_reply(std::move(reply));
  lock.lock();
  --delivering;
  delivered.notify_all();
}

void RpcClient::State::run_timer() {
  std::unique_lock lock(mutex);
  while (!closed) {
    if (retries.empty()) {
      timer_wakes.wait(lock);
    } else if (const auto due = retries.begin()->first; Clock::now() < due) {
      timer_wakes.wait_until(lock, due);
    } else {
      const auto id = retries.begin()->second;
      const auto call = calls.at(id); // only close() ends a call that waits here, after this thread's end
      retries.erase(retries.begin());
      lock.unlock();
      send(id, call);
      lock.lock();
    }
  }
}

void RpcClient::State::close() {
  std::unique_lock lock(mutex);
  closed = true;
  timer_wakes.notify_all();
  lock.unlock();
  if (timer.joinable()) timer.join(); // nobody starts it once `closed` is set
  lock.lock();
  std::vector<Id> left;
  for (const auto &[id, call] : calls)
    left.push_back(id);
  lock.unlock();
  for (const auto id : left)
    finish(id, client_closed());
  lock.lock();
  delivered.wait(lock, [&] { return delivering == 0; });
}

RpcClient::RpcClient(Transport &transport, const SessionKey &key, std::function<std::int64_t()> clock,
                     Observer observer)
    : key_(key), clock_(std::move(clock)), observer_(std::move(observer)), state_(std::make_shared<State>(transport)) {}

RpcClient::~RpcClient() {
  close();
}

void RpcClient::close() {
  state_->close();
}

tl::expected<SignedRequest, CallError> RpcClient::prepare(const RpcMethod &method, std::string_view input,
                                                          const CallOptions &options) const {
  const auto request_id = options.request_id.empty() ? new_ulid() : options.request_id;
  auto request = sign_request(method, input, key_, clock_(), request_id);
  if (!request) return request;
  if (!options.traceparent.empty()) request->headers.push_back({wire::kTraceparent, options.traceparent});
  if (!options.tracestate.empty()) request->headers.push_back({wire::kTracestate, options.tracestate});
  return request;
}

void RpcClient::observe(const RpcMethod &method, const CallResult &result, Clock::time_point since) const {
  if (observer_) observer_(method, result, Clock::now() - since);
}

void RpcClient::call(const RpcMethod &method, std::string_view input, const CallOptions &options, OnResult on_result) {
  const auto since = Clock::now();
  auto request = prepare(method, input, options);
  if (!request) {
    CallResult refused = tl::make_unexpected(std::move(request.error()));
    observe(method, refused, since);
    return on_result(refused);
  }
  state_->start(std::move(*request), options.timeout,
                [this, &method, since, done = std::move(on_result)](const Reply &reply) {
                  auto result = decode(method, reply);
                  observe(method, result, since); // this object is there: its destructor waits for us
                  done(std::move(result));
                });
}

CallResult RpcClient::call_and_wait(const RpcMethod &method, std::string_view input, const CallOptions &options) {
  const auto since = Clock::now();
  auto request = prepare(method, input, options);
  if (!request) {
    CallResult refused = tl::make_unexpected(std::move(request.error()));
    observe(method, refused, since);
    return refused;
  }

  struct Waiter {
    std::mutex mutex; // guards reply
    std::condition_variable arrived;
    std::optional<Reply> reply;
  };
  const auto waiter = std::make_shared<Waiter>();
  state_->start(std::move(*request), options.timeout, [waiter](Reply reply) {
    const std::lock_guard lock(waiter->mutex);
    waiter->reply = std::move(reply);
    waiter->arrived.notify_one();
  });
  std::unique_lock lock(waiter->mutex);
  waiter->arrived.wait(lock, [&] { return waiter->reply.has_value(); });
  auto result = decode(method, *waiter->reply); // here, so that big replies don't hold up the network thread
  observe(method, result, since);
  return result;
}

} // namespace trellis
