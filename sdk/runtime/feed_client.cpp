#include "runtime/feed_client.h"

#include "runtime/feed_service.h"
#include "wire/names.h"
#include "wire/session_key.h"
#include "wire/ulid.h"
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <rapidjson/document.h>

namespace trellis {
namespace {

// The service's own error inside an error frame, if it is one.
std::optional<ErrorEnvelope> service_error(const FeedFrame &frame) {
  auto envelope = parse_envelope(frame.payload);
  if (!envelope) return std::nullopt;
  return std::move(*envelope);
}

bool asks_again(const FeedFrame &frame) {
  const auto error = frame.is_error ? service_error(frame) : std::nullopt;
  return error && error->type == "TransportError" && asks_to_subscribe_again(error->code());
}

// Whether another attempt may fare better: trouble of the service or of its connection, not of this reader.
bool is_passing(const FeedFrame &frame) {
  const auto error = service_error(frame);
  return error && (error->type == "TransportError" || error->type == "UnexpectedError");
}

// The server's word that nobody serves the feed: it has neither of our headers.
bool is_no_responders(const FeedFrame &frame) {
  return !frame.is_error && !frame.is_ready && frame.payload.empty();
}

} // namespace

struct FeedReader::State {
  State(FeedParticipant who, std::shared_ptr<const FeedMethod> what, std::string text, FeedOptions given)
      : participant(std::move(who)), feed(std::move(what)), input(std::move(text)), options(std::move(given)) {}

  const FeedParticipant participant;
  const std::shared_ptr<const FeedMethod> feed;
  const std::string input;
  const FeedOptions options;

  // Of the thread that reads.
  std::unique_ptr<Subscription> inbox;
  std::unique_ptr<Listener> restoring;
  std::optional<CallError> ended;
  bool reopening = false;
  Clock::time_point next_attempt{}, last_frame{};
  std::chrono::milliseconds pause{0};

  std::mutex mutex; // guards everything below
  std::condition_variable arrived;
  std::deque<FeedFrame> frames;
  std::size_t bytes = 0;
  std::uint64_t attempt = 0; // frames of earlier ones are dropped
  bool restored = false, cancelled = false, overflowed = false;

  tl::expected<void, CallError> send_request(const std::shared_ptr<State> &self);
  void take(std::uint64_t of_attempt, const Message &message);
  std::optional<FeedFrame> wait_frame(std::unique_lock<std::mutex> &lock, Clock::time_point until);
  tl::expected<std::optional<FeedFrame>, CallError> first_frame();

  void lose();
  tl::expected<bool, CallError> try_again(const std::shared_ptr<State> &self, Clock::time_point until);
  tl::expected<Item, CallError> step(const std::shared_ptr<State> &self, Clock::time_point until);
  Clock::time_point silent_at() const;
};

// [network thread]
void FeedReader::State::take(std::uint64_t of_attempt, const Message &message) {
  FeedFrame frame{std::string(message.payload()), message.header(wire::kStatus) == wire::kStatusError,
                  message.header(wire::kFeedStatus) == wire::kFeedReady};
  const std::lock_guard lock(mutex);
  if (of_attempt != attempt || overflowed) return;
  overflowed = frames.size() >= options.max_waiting || bytes + frame.payload.size() > options.max_waiting_bytes;
  if (!overflowed) {
    bytes += frame.payload.size();
    frames.push_back(std::move(frame));
  }
  arrived.notify_all();
}

// A fresh inbox and a fresh request (06 §7.1).
tl::expected<void, CallError> FeedReader::State::send_request(const std::shared_ptr<State> &self) {
  std::uint64_t current = 0;
  {
    const std::lock_guard lock(mutex);
    current = ++attempt;
    frames.clear();
    bytes = 0;
    restored = overflowed = false;
  }
  inbox.reset();
  const auto id = options.request_id.empty() || current > 1 ? new_ulid() : options.request_id;
  auto request = sign_subscription(*feed, input, participant.key, participant.clock(), id);
  if (!request) return tl::make_unexpected(std::move(request.error()));
  if (!options.traceparent.empty()) request->headers.push_back({wire::kTraceparent, options.traceparent});
  if (!options.tracestate.empty()) request->headers.push_back({wire::kTracestate, options.tracestate});

  const auto reply = participant.key.inbox_prefix() + "." + new_ulid();
  auto subscribed = participant.transport.subscribe(
      reply, {}, [self, current](const MessagePtr &message) { self->take(current, *message); });
  if (!subscribed) return tl::make_unexpected(feed_failure(*feed, feed_error::kClosed, subscribed.error().text()));
  inbox = std::move(*subscribed);
  const auto sent = participant.transport.publish(
      {.subject = request->subject, .reply = reply, .payload = request->payload, .headers = &request->headers});
  if (!sent) return tl::make_unexpected(feed_failure(*feed, feed_error::kSubscribeFailed, sent.error().text()));
  return {};
}

std::optional<FeedFrame> FeedReader::State::wait_frame(std::unique_lock<std::mutex> &lock, Clock::time_point until) {
  const auto woken = [this] { return cancelled || overflowed || restored || !frames.empty(); };
  if (until == Clock::time_point::max())
    arrived.wait(lock, woken);
  else
    arrived.wait_until(lock, until, woken);
  if (cancelled || frames.empty()) return std::nullopt;
  auto frame = std::move(frames.front());
  frames.pop_front();
  bytes -= frame.payload.size();
  return frame;
}

// nullopt: the stream is open, and the frame was the ready frame or waits to be read.
tl::expected<std::optional<FeedFrame>, CallError> FeedReader::State::first_frame() {
  std::unique_lock lock(mutex);
  auto frame = wait_frame(lock, Clock::now() + options.timeout);
  if (cancelled) return tl::make_unexpected(feed_failure(*feed, feed_error::kAborted));
  if (!frame) return tl::make_unexpected(feed_failure(*feed, feed_error::kTimeout));
  last_frame = Clock::now();
  if (frame->is_error) return frame;
  if (frame->is_ready) return std::nullopt;
  bytes += frame->payload.size();
  frames.push_front(std::move(*frame));
  return std::nullopt;
}

void FeedReader::State::lose() {
  reopening = true;
  pause = {};
  next_attempt = Clock::now();
}

// One attempt to subscribe again, when it is time. True: the stream is open. False: not yet; error: never.
tl::expected<bool, CallError> FeedReader::State::try_again(const std::shared_ptr<State> &self,
                                                           Clock::time_point until) {
  {
    std::unique_lock lock(mutex);
    arrived.wait_until(lock, std::min(until, next_attempt), [this] { return cancelled; });
    if (cancelled) return tl::make_unexpected(feed_failure(*feed, feed_error::kAborted));
  }
  if (Clock::now() < next_attempt) return false;
  pause = pause.count() == 0 ? options.pause_min : std::min(pause * 2, options.pause_max);
  const auto failed = [this] {
    next_attempt = Clock::now() + pause;
    return false;
  };
  if (!send_request(self)) return failed(); // the input was good the first time: it is the connection
  auto first = first_frame();
  if (!first) {
    if (first.error().envelope.code() == feed_error::kAborted) return tl::make_unexpected(std::move(first.error()));
    return failed();
  }
  if (*first && !is_passing(**first)) return tl::make_unexpected(decode_event(*feed, **first).error());
  if (*first) return failed();
  {
    const std::lock_guard lock(mutex);
    if (!frames.empty() && is_no_responders(frames.front())) return failed();
  }
  reopening = false;
  return true;
}

FeedReader::Clock::time_point FeedReader::State::silent_at() const {
  const bool limited = options.resubscribe && options.silence_limit.count() > 0;
  return limited ? last_frame + options.silence_limit : Clock::time_point::max();
}

tl::expected<FeedReader::Item, CallError> FeedReader::State::step(const std::shared_ptr<State> &self,
                                                                  Clock::time_point until) {
  if (reopening) {
    const auto opened = try_again(self, until);
    if (!opened) return tl::make_unexpected(opened.error());
    return Item{*opened ? Kind::resubscribed : Kind::nothing, {}};
  }
  std::optional<FeedFrame> frame;
  {
    std::unique_lock lock(mutex);
    restored = restored && options.resubscribe;
    frame = wait_frame(lock, std::min(until, silent_at()));
    if (cancelled) return tl::make_unexpected(feed_failure(*feed, feed_error::kAborted));
    if (!frame && overflowed) return tl::make_unexpected(feed_failure(*feed, feed_error::kSlowReader));
    if (!frame && restored && options.resubscribe) lose();
  }
  if (!frame) {
    if (Clock::now() >= silent_at()) lose();
    return Item{};
  }
  last_frame = Clock::now();
  if (options.resubscribe && asks_again(*frame)) {
    lose();
    return Item{};
  }
  auto event = decode_event(*feed, *frame);
  if (!event) return tl::make_unexpected(std::move(event.error()));
  return Item{Kind::event, std::move(*event)};
}

FeedReader::FeedReader(FeedParticipant participant, std::shared_ptr<const FeedMethod> feed, std::string input,
                       FeedOptions options)
    : state_(std::make_shared<State>(std::move(participant), std::move(feed), std::move(input), std::move(options))) {}

FeedReader::~FeedReader() {
  state_->restoring.reset();
  state_->inbox.reset();
}

tl::expected<void, CallError> FeedReader::open() {
  auto &state = *state_;
  auto opened = state.send_request(state_);
  if (opened) {
    auto first = state.first_frame();
    if (!first)
      opened = tl::make_unexpected(std::move(first.error()));
    else if (*first)
      opened = tl::make_unexpected(decode_event(*state.feed, **first).error());
  }
  if (!opened) {
    state.inbox.reset();
    state.ended = opened.error();
    return opened;
  }
  if (state.options.resubscribe)
    state.restoring = state.participant.transport.on_restored([weak = std::weak_ptr(state_)] {
      const auto self = weak.lock();
      if (!self) return;
      const std::lock_guard lock(self->mutex);
      self->restored = true;
      self->arrived.notify_all();
    });
  return {};
}

tl::expected<FeedReader::Item, CallError> FeedReader::next(Clock::time_point until) {
  auto &state = *state_;
  for (;;) {
    if (state.ended) return tl::make_unexpected(*state.ended);
    auto item = state.step(state_, until);
    if (!item) {
      state.inbox.reset();
      state.ended = item.error();
      return item;
    }
    if (item->kind != Kind::nothing || Clock::now() >= until) return item;
  }
}

void FeedReader::cancel() {
  const std::lock_guard lock(state_->mutex);
  state_->cancelled = true;
  state_->arrived.notify_all();
}

} // namespace trellis
