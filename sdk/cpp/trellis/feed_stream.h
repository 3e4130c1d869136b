// The open stream of one subscriber, as the handler of a feed holds it.
//
// A copy is another reference to the same stream; the last one that goes closes it. Everything is thread-safe.
#pragma once

#include "trellis/call.h"
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace trellis {

// What became of an event.
enum class Emitted {
  sent,
  gone,    // nobody receives the stream any more
  busy,    // too much waits to be sent: nothing was sent, and the stream is still open
  refused, // it breaks the feed's event schema or is too large: nothing was sent, and the stream is still open
};

class StreamState {
public:
  StreamState(const trellis_host *host, const trellis_feed_request &request)
      : host_(host), feeds_(functions(host)), id_(request.stream), caller_(view(request.caller)),
        session_key_(view(request.session_key)), request_id_(view(request.request_id)) {}
  ~StreamState() { close(); }
  StreamState(const StreamState &) = delete;
  StreamState &operator=(const StreamState &) = delete;

  trellis_stream id() const { return id_; }
  const std::string &caller() const { return caller_; }
  const std::string &session_key() const { return session_key_; }
  const std::string &request_id() const { return request_id_; }

  Emitted emit(std::string_view event) {
    std::string problem;
    const auto keep = [](void *text, const trellis_error *error) {
      *static_cast<std::string *>(text) = view(error->message);
    };
    switch (feeds_->emit(host_->self, id_, str(event), {&problem, keep})) {
    case TRELLIS_OK: return Emitted::sent;
    case TRELLIS_E_GONE: return Emitted::gone;
    case TRELLIS_E_UNAVAILABLE: return Emitted::busy;
    default: break;
    }
    const std::lock_guard lock(mutex_);
    problem_ = std::move(problem);
    return Emitted::refused;
  }
  std::string problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
  }

  void fail(const Fault &fault) {
    if (!end()) return;
    const trellis_error error{sizeof(trellis_error), 0, str(fault.type()), str(fault.what()), str(fault.context()),
                              str(fault.fields())};
    feeds_->fail(host_->self, id_, &error);
  }
  void close() {
    if (end()) feeds_->close(host_->self, id_);
  }
  bool is_open() const { return feeds_->state(host_->self, id_) == TRELLIS_OK; }

  void on_cancel(std::function<void()> run) {
    {
      const std::lock_guard lock(mutex_);
      if (!cancelled_) {
        if (!over_) on_cancel_ = std::move(run);
        return;
      }
    }
    run();
  }
  void cancel() {
    std::function<void()> run;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      run = std::exchange(on_cancel_, nullptr);
      changed_.notify_all();
    }
    if (run) run();
  }
  bool cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }
  // False when it was cancelled before `time` had passed.
  bool wait_for(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, time, [this] { return cancelled_; });
  }

private:
  static const trellis_feeds_v1 *functions(const trellis_host *host) {
    const auto *found = static_cast<const trellis_feeds_v1 *>(host->get_extension(host->self, str(TRELLIS_EXT_FEEDS)));
    if (!found) throw std::runtime_error("this host has no feeds");
    return found;
  }
  bool end() {
    std::function<void()> dropped; // it may hold the stream, and the host won't ask for it any more
    const std::lock_guard lock(mutex_);
    dropped.swap(on_cancel_);
    return !std::exchange(over_, true);
  }

  const trellis_host *const host_;
  const trellis_feeds_v1 *const feeds_;
  const trellis_stream id_;
  const std::string caller_, session_key_, request_id_;
  mutable std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::function<void()> on_cancel_;
  std::string problem_;
  bool cancelled_ = false, over_ = false;
};

template <class Event>
class Stream {
public:
  explicit Stream(std::shared_ptr<StreamState> state) : state_(std::move(state)) {}

  // Throws std::invalid_argument for what JSON can't hold.
  Emitted emit(const Event &event) const {
    const auto text = json::encode(event);
    if (!text) throw std::invalid_argument(text.problem().text());
    return state_->emit(*text);
  }
  // The same for a JSON text: an event for many streams is encoded once.
  Emitted emit_text(std::string_view json) const { return state_->emit(json); }
  // Why the last event was refused.
  std::string problem() const { return state_->problem(); }

  // Ends it with an error for the subscriber.
  void fail(const Fault &fault) const { state_->fail(fault); }
  // Ends it. The subscriber sees nothing: this protocol has no frame for a good end.
  void close() const { state_->close(); }
  bool is_open() const { return state_->is_open(); }

  // `run`, on a worker, when nobody receives the stream any more; at once when that is so already. It need not close
  // the stream, but must let go of it. One function: a second call replaces the first.
  void on_cancel(std::function<void()> run) const { state_->on_cancel(std::move(run)); }

  const std::string &caller() const { return state_->caller(); } // JSON object (06 §4.5)
  const std::string &session_key() const { return state_->session_key(); }
  const std::string &request_id() const { return state_->request_id(); }
  trellis_stream id() const { return state_->id(); }

private:
  std::shared_ptr<StreamState> state_;
};

// The stream of a blocking handler. It ends when the handler returns; a thrown Fault is its error.
template <class Event>
class Emitter {
public:
  explicit Emitter(std::shared_ptr<StreamState> state) : state_(std::move(state)), stream_(state_) {}

  // Waits while too much waits to be sent. False when nobody receives it any more: return then. Throws
  // std::invalid_argument for an event that breaks the feed's schema.
  bool emit(const Event &event) {
    for (;;) {
      switch (stream_.emit(event)) {
      case Emitted::sent: return true;
      case Emitted::gone: return false;
      case Emitted::refused: throw std::invalid_argument(state_->problem());
      case Emitted::busy: break;
      }
      if (!wait_for(std::chrono::milliseconds(5))) return false;
    }
  }
  // Waits. False when nobody receives it any more: return then.
  bool wait_for(std::chrono::milliseconds time) { return state_->wait_for(time); }
  bool cancelled() const { return state_->cancelled(); }
  const Stream<Event> &stream() const { return stream_; }

private:
  const std::shared_ptr<StreamState> state_;
  const Stream<Event> stream_;
};

} // namespace trellis
