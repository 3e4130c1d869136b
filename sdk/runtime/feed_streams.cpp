#include "runtime/feed_streams.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

namespace trellis {
namespace {

using Handle = FeedStreams::Handle;
using Clock = FeedStreams::Clock;

// A handle is a slot's index below its generation.
constexpr int kIndexBits = 20;
constexpr std::size_t kMaxSlots = std::size_t{1} << kIndexBits;

std::size_t index_of(Handle handle) {
  return static_cast<std::size_t>(handle & (kMaxSlots - 1));
}

// The server lets this many messages through to one subscriber (03 §6.5). The last of them says so.
constexpr std::uint32_t kMaxFrames = 65535;

enum class Phase {
  waiting, // for begin()
  opening, // begin() runs, or the service is just being told
  known,   // the service has it: it may be cancelled
};

} // namespace

struct FeedStreams::State : std::enable_shared_from_this<State> {
  struct Stream {
    Stream(Feed &of, MessagePtr taken) : feed(of), message(std::move(taken)), connection(message->connection()) {}

    Feed &feed;
    const MessagePtr message;
    const std::uint64_t connection;
    std::optional<Open> open;        // set once, by begin()
    std::atomic<bool> ended = false; // no frame is sent any more; written with the mutex
    std::mutex mutex;                // orders the frames, and guards what follows
    std::uint32_t frames = 0;
    Clock::time_point next_check;
  };
  using StreamPtr = std::shared_ptr<Stream>;

  struct Slot {
    std::uint64_t generation = 1;
    Phase phase = Phase::waiting;
    bool counted = false; // among the open ones of its caller
    bool cancel_queued = false;
    StreamPtr stream;
  };

  State(FeedLimits given, ServiceIdentity identity, std::shared_ptr<Validator> check, Hooks calls)
      : limits(given), service(std::move(identity)), validator(std::move(check)), hooks(std::move(calls)) {}

  const FeedLimits limits;
  const ServiceIdentity service;
  const std::shared_ptr<Validator> validator;
  const Hooks hooks;
  std::deque<Feed> feeds; // filled before the first message
  std::atomic<std::uint64_t> emitted = 0;

  mutable std::mutex mutex; // guards everything below; never held while a frame is sent or a hook runs
  std::condition_variable emptied;
  std::deque<Slot> slots;
  std::vector<std::size_t> free;
  std::map<std::string, std::size_t, std::less<>> open_of_caller;
  std::size_t used = 0, streams = 0; // slots; those of them that were opened
  bool stopping = false;
  Counts counts;

  Slot *find_slot(Handle handle);
  StreamPtr find(Handle handle) const;
  Handle insert(StreamPtr stream);
  StreamPtr release(Handle handle);
  void uncount(Slot &slot);
  std::string_view may_open(Slot &slot, const std::string &caller);
  std::vector<Handle> handles() const;
  Handle longest_silent(const std::string &caller);
  bool make_room(const std::string &caller);

  bool end(Handle handle, const RpcReply *error, bool lost);
  bool end_frames(Stream &stream, const RpcReply *error);
  void refuse(const StreamPtr &stream, const RpcReply &error);
  Result<void> send_event(Handle handle, Stream &stream, std::string_view event);
  Message::OnUnheard unheard(Handle handle);
  bool send_ready(Handle handle, Stream &stream);
  void report(Problem problem, const Feed &feed, const std::string &detail) const;
  void count(const Stream &stream, const ErrorEnvelope &error, ReplyCause cause) const;
};

// ---------------------------------------------------------------- the table, with the lock

FeedStreams::State::Slot *FeedStreams::State::find_slot(Handle handle) {
  const auto index = index_of(handle);
  if (index >= slots.size()) return nullptr;
  auto &slot = slots[index];
  return slot.stream && slot.generation == handle >> kIndexBits ? &slot : nullptr;
}

void FeedStreams::State::uncount(Slot &slot) {
  if (!std::exchange(slot.counted, false)) return;
  --counts.open;
  const auto caller = open_of_caller.find(slot.stream->open->request.session_key);
  if (--caller->second == 0) open_of_caller.erase(caller);
}

// Why the caller may not have another stream, "" when it may and the slot is counted.
std::string_view FeedStreams::State::may_open(Slot &slot, const std::string &caller) {
  if (stopping) return kFeedStoppingCode;
  auto &open = open_of_caller[caller];
  if (streams >= limits.max_streams || open >= limits.max_streams_per_caller) {
    if (open == 0) open_of_caller.erase(caller);
    return kFeedTooManyStreamsCode;
  }
  ++open;
  ++streams;
  ++counts.open;
  ++counts.opened;
  slot.counted = true;
  slot.phase = Phase::opening;
  return {};
}

// ---------------------------------------------------------------- the table, without the lock

FeedStreams::State::StreamPtr FeedStreams::State::find(Handle handle) const {
  const std::lock_guard lock(mutex);
  const auto *slot = const_cast<State *>(this)->find_slot(handle);
  return slot ? slot->stream : nullptr;
}

// 0 when the table is full.
Handle FeedStreams::State::insert(StreamPtr stream) {
  const std::lock_guard lock(mutex);
  if (free.empty()) {
    if (slots.size() == kMaxSlots) return 0;
    free.push_back(slots.size());
    slots.emplace_back();
  }
  const auto index = free.back();
  free.pop_back();
  auto &slot = slots[index];
  slot.phase = Phase::waiting;
  slot.cancel_queued = false;
  slot.stream = std::move(stream);
  ++used;
  return slot.generation << kIndexBits | index;
}

// Its stream, nullptr when it was released before.
FeedStreams::State::StreamPtr FeedStreams::State::release(Handle handle) {
  const std::lock_guard lock(mutex);
  auto *slot = find_slot(handle);
  if (!slot) return nullptr;
  uncount(*slot);
  if (slot->phase != Phase::waiting) --streams;
  ++slot->generation;
  free.push_back(index_of(handle));
  if (--used == 0) emptied.notify_all();
  return std::exchange(slot->stream, nullptr);
}

std::vector<Handle> FeedStreams::State::handles() const {
  std::vector<Handle> out;
  const std::lock_guard lock(mutex);
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].stream) out.push_back(slots[i].generation << kIndexBits | i);
  return out;
}

// Of a caller at its limit the stream that emitted nothing for longest, beyond a check interval; 0 when there is none.
Handle FeedStreams::State::longest_silent(const std::string &caller) {
  std::vector<std::pair<Handle, StreamPtr>> open;
  {
    const std::lock_guard lock(mutex);
    if (stopping || streams >= limits.max_streams) return 0;
    for (std::size_t i = 0; i < slots.size(); ++i)
      if (slots[i].counted && slots[i].stream->open->request.session_key == caller)
        open.emplace_back(slots[i].generation << kIndexBits | i, slots[i].stream);
  }
  Handle longest = 0;
  auto since = Clock::now() - limits.check_interval;
  for (const auto &[handle, stream] : open) {
    const std::lock_guard lock(stream->mutex);
    if (stream->frames == 0 || stream->next_check > since) continue;
    since = stream->next_check;
    longest = handle;
  }
  return longest;
}

// Nobody can be asked without an event: a subscriber that came back may have left streams that nobody hears.
bool FeedStreams::State::make_room(const std::string &caller) {
  const auto handle = longest_silent(caller);
  const auto stream = find(handle);
  if (!stream) return false;
  const auto error = feed_runtime_error(stream->feed.method, kFeedTooManyStreamsCode, {});
  if (!end(handle, &error, false)) return false;
  report(Problem::too_many, stream->feed, "the caller's longest silent stream made room");
  return true;
}

void FeedStreams::State::report(Problem problem, const Feed &feed, const std::string &detail) const {
  if (hooks.report) hooks.report(problem, feed, detail);
}

// An error that no frame tells of.
void FeedStreams::State::count(const Stream &stream, const ErrorEnvelope &error, ReplyCause cause) const {
  if (hooks.failed) hooks.failed(stream.feed, envelope_reply(error, stream.open->request.trace_id, cause));
}

// ---------------------------------------------------------------- frames and ends

// No frame comes after this, but the error itself. False when it had ended before.
bool FeedStreams::State::end_frames(Stream &stream, const RpcReply *error) {
  const std::lock_guard lock(stream.mutex);
  if (stream.ended) return false;
  stream.ended = true;
  // A frame that can't be sent is lost with the connection, or with its size: there is nothing smaller to say.
  if (error) static_cast<void>(send_error_frame(*stream.message, *error));
  if (error && hooks.failed) hooks.failed(stream.feed, *error);
  return true;
}

// Not by the service: its handler is cancelled as soon as it knows the stream.
bool FeedStreams::State::end(Handle handle, const RpcReply *error, bool lost) {
  const auto stream = find(handle);
  if (!stream || !end_frames(*stream, error)) return false;
  bool cancels = false;
  {
    const std::lock_guard lock(mutex);
    auto *slot = find_slot(handle);
    if (!slot) return true;
    uncount(*slot);
    if (lost) ++counts.lost;
    cancels = slot->phase == Phase::known && !std::exchange(slot->cancel_queued, true);
  }
  if (cancels) hooks.queue_cancel(handle, stream->feed);
  return true;
}

void FeedStreams::State::refuse(const StreamPtr &stream, const RpcReply &error) {
  end_frames(*stream, &error);
}

Message::OnUnheard FeedStreams::State::unheard(Handle handle) {
  return [weak = weak_from_this(), handle](const Error &) {
    if (const auto state = weak.lock()) state->end(handle, nullptr, true);
  };
}

bool FeedStreams::State::send_ready(Handle handle, Stream &stream) {
  const std::lock_guard lock(stream.mutex);
  if (stream.ended || !send_ready_frame(*stream.message, unheard(handle))) return false;
  stream.frames = 1;
  stream.next_check = Clock::now() + limits.check_interval;
  return true;
}

// The stream's mutex is held while nats.c takes the frame, so that no event overtakes another or follows an error.
Result<void> FeedStreams::State::send_event(Handle handle, Stream &stream, std::string_view event) {
  const auto now = Clock::now();
  const std::lock_guard lock(stream.mutex);
  if (stream.ended || stream.frames + 1 >= kMaxFrames)
    return trellis::fail(transport_error::kClosed, stream.feed.method.name, "the stream has ended");
  const bool checks = now >= stream.next_check;
  auto sent = checks ? stream.message->respond_and_watch(event, nullptr, unheard(handle))
                     : stream.message->respond(event, nullptr);
  if (!sent) return sent;
  ++stream.frames;
  if (checks) stream.next_check = now + limits.check_interval;
  return {};
}

// ---------------------------------------------------------------- the interface

FeedStreams::FeedStreams(FeedLimits limits, ServiceIdentity service, std::shared_ptr<Validator> validator, Hooks hooks)
    : state_(std::make_shared<State>(limits, std::move(service), std::move(validator), std::move(hooks))) {}
FeedStreams::~FeedStreams() = default;

FeedStreams::Feed &FeedStreams::add(FeedMethod method) {
  auto &feed = state_->feeds.emplace_back();
  feed.method = std::move(method);
  feed.index = state_->feeds.size() - 1;
  return feed;
}

void FeedStreams::arrive(const Feed &feed, MessagePtr message) {
  auto &state = *state_;
  const auto stream = std::make_shared<State::Stream>(state.feeds[feed.index], std::move(message));
  const auto handle = state.insert(stream);
  if (handle != 0 && state.hooks.queue_begin(handle, feed)) return;
  if (handle != 0) state.release(handle);
  state.refuse(stream, feed_runtime_error(feed.method, kFeedOverloadedCode, {}));
  state.report(Problem::overloaded, feed, "");
}

FeedStreams::Open *FeedStreams::begin(Handle handle) {
  auto &state = *state_;
  const auto stream = state.find(handle);
  if (!stream) return nullptr;
  auto &method = stream->feed.method;
  const auto give_up = [&](const RpcReply *error) -> Open * {
    state.end_frames(*stream, error);
    state.release(handle);
    return nullptr;
  };
  if (stream->ended) return give_up(nullptr);
  auto outcome = admit_feed(method, *stream->message, *state.validator);
  if (const auto *refusal = std::get_if<RpcReply>(&outcome)) return give_up(refusal);
  stream->open.emplace(Open{handle, stream->feed, std::move(std::get<AdmittedRequest>(outcome))});

  const auto &caller = stream->open->request.session_key;
  const auto ask = [&] {
    const std::lock_guard lock(state.mutex);
    return state.may_open(*state.find_slot(handle), caller);
  };
  auto problem = ask();
  if (problem == kFeedTooManyStreamsCode && state.make_room(caller)) problem = ask();
  if (!problem.empty()) {
    const auto error = feed_runtime_error(method, problem, {});
    if (problem == kFeedTooManyStreamsCode) state.report(Problem::too_many, stream->feed, "");
    return give_up(&error);
  }
  if (!state.send_ready(handle, *stream)) {
    if (!stream->ended) state.count(*stream, unexpected_error("the ready frame can't be sent"), ReplyCause::handshake);
    return give_up(nullptr);
  }
  return &*stream->open;
}

void FeedStreams::begun(Handle handle) {
  auto &state = *state_;
  State::StreamPtr ended;
  {
    const std::lock_guard lock(state.mutex);
    auto *slot = state.find_slot(handle);
    if (!slot) return;
    slot->phase = Phase::known;
    if (slot->stream->ended && !std::exchange(slot->cancel_queued, true)) ended = slot->stream;
  }
  if (ended) state.hooks.queue_cancel(handle, ended->feed);
}

const FeedStreams::Feed *FeedStreams::cancelling(Handle handle) {
  const auto stream = state_->find(handle);
  return stream ? &stream->feed : nullptr;
}

tl::expected<void, FeedStreams::EmitError> FeedStreams::emit(Handle handle, std::string_view event) {
  auto &state = *state_;
  const auto stream = state.find(handle);
  const auto error = [](Failure failure, ErrorEnvelope envelope) {
    return tl::make_unexpected(EmitError{failure, std::move(envelope)});
  };
  if (!stream || !stream->open || stream->ended)
    return error(Failure::gone, unexpected_error("nobody receives the stream any more"));
  auto passed = stream->feed.events.check(stream->feed.method.event, event);
  if (!passed) {
    state.report(Problem::bad_event, stream->feed, passed.error().message);
    state.count(*stream, passed.error(), ReplyCause::output_encoding);
    return error(Failure::invalid, std::move(passed.error()));
  }
  const auto sent = state.send_event(handle, *stream, passed->text(event));
  if (sent) {
    ++state.emitted;
    return {};
  }
  auto envelope = unexpected_error(sent.error().text());
  if (sent.error().code != transport_error::kClosed) state.count(*stream, envelope, ReplyCause::event_publish);
  if (sent.error().code == transport_error::kTooLarge) return error(Failure::too_large, std::move(envelope));
  if (sent.error().code == transport_error::kOverflow) return error(Failure::unavailable, std::move(envelope));
  if (sent.error().code != transport_error::kClosed) return error(Failure::failed, std::move(envelope));
  // The limit of frames, or the connection. The last frame that the server takes says the first; on a closed
  // connection nothing is said.
  const auto expired = feed_runtime_error(stream->feed.method, kFeedExpiredCode, stream->open->request.trace_id);
  state.end(handle, &expired, true);
  return error(Failure::gone, std::move(envelope));
}

bool FeedStreams::fail(Handle handle, const HandlerError &error) {
  auto &state = *state_;
  const auto stream = state.find(handle);
  if (!stream || !stream->open) return false;
  const auto reply = feed_error_reply(state.service, stream->feed.method, stream->open->request, error);
  if (!reply.well_formed) state.report(Problem::bad_error, stream->feed, "");
  const bool was_open = state.end_frames(*stream, &reply.reply);
  return state.release(handle) && was_open;
}

bool FeedStreams::close(Handle handle) {
  const auto stream = state_->find(handle);
  if (!stream || !stream->open) return false;
  const bool was_open = state_->end_frames(*stream, nullptr);
  return state_->release(handle) && was_open;
}

bool FeedStreams::is_open(Handle handle) const {
  const auto stream = state_->find(handle);
  return stream && !stream->ended;
}

void FeedStreams::connection_ended(std::uint64_t connection, bool alive) {
  for (const auto handle : state_->handles()) {
    const auto stream = state_->find(handle);
    if (!stream || stream->connection != connection) continue;
    const auto expired = feed_runtime_error(stream->feed.method, kFeedExpiredCode, {});
    state_->end(handle, alive ? &expired : nullptr, true);
  }
}

void FeedStreams::end_all() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  for (const auto handle : state_->handles()) {
    const auto stream = state_->find(handle);
    if (!stream) continue;
    const auto stopping = feed_runtime_error(stream->feed.method, kFeedStoppingCode, {});
    state_->end(handle, &stopping, false);
  }
}

bool FeedStreams::wait_empty(Clock::time_point until) {
  std::unique_lock lock(state_->mutex);
  return state_->emptied.wait_until(lock, until, [this] { return state_->used == 0; });
}

std::vector<std::pair<std::string, std::size_t>> FeedStreams::held() const {
  std::map<std::string, std::size_t> by_name;
  const std::lock_guard lock(state_->mutex);
  for (const auto &slot : state_->slots)
    if (slot.stream && slot.phase != Phase::waiting) ++by_name[slot.stream->feed.method.name];
  return {by_name.begin(), by_name.end()};
}

FeedStreams::Counts FeedStreams::counts() const {
  const std::lock_guard lock(state_->mutex);
  auto counts = state_->counts;
  counts.abandoned = state_->streams - counts.open;
  counts.emitted = state_->emitted;
  return counts;
}

} // namespace trellis
