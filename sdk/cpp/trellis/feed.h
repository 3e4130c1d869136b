// The feeds of a service: handlers by name, the streams that they hold, and the threads of blocking handlers.
//
// A blocking handler has a thread of its own for as long as its stream is open, from a set that is bounded for the
// whole service; a subscriber for whom there is none is told `trellis.feed.too_many_streams`. Workers of rpcs and
// events are never used for that. A handler that is called with a Stream costs no thread: prefer it for many
// subscribers.
#pragma once

#include "trellis/feed_stream.h"
#include <deque>
#include <exception>
#include <list>
#include <map>
#include <thread>
#include <vector>

namespace trellis {

// [thread-safe]
class FeedThreads {
public:
  ~FeedThreads() { join(); }

  void set_limit(std::size_t threads) {
    const std::lock_guard lock(mutex_);
    limit_ = threads;
  }

  // Runs `work` on a thread of the set; false when all are taken.
  bool run(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    reap();
    if (running_ >= limit_) return false;
    auto &entry = threads_.emplace_back();
    ++running_;
    try {
      entry.thread = std::thread([this, &entry, work = std::move(work)] {
        work();
        const std::lock_guard done(mutex_);
        entry.finished = true;
        --running_;
      });
    } catch (...) { // the system has none to give
      --running_;
      threads_.pop_back();
      return false;
    }
    return true;
  }

  // Their streams must have been cancelled.
  void join() {
    std::list<Entry> left;
    {
      const std::lock_guard lock(mutex_);
      limit_ = 0;
      for (auto &entry : threads_)
        if (entry.thread.joinable()) left.emplace_back().thread = std::move(entry.thread);
    }
    for (auto &entry : left)
      entry.thread.join();
  }

private:
  struct Entry {
    std::thread thread;
    bool finished = false;
  };

  // Ends the threads whose work is done: until then each keeps its stack.
  void reap() {
    std::erase_if(threads_, [](Entry &entry) {
      if (entry.finished && entry.thread.joinable()) entry.thread.join();
      return entry.finished;
    });
  }

  std::mutex mutex_;         // guards what follows
  std::list<Entry> threads_; // a list: they stay where they are
  std::size_t running_ = 0, limit_ = 16;
};

// Of one service. add() before the first subscriber, the rest from any thread.
class FeedHandlers {
public:
  using Handler = std::function<void(const trellis_feed_request &, const std::shared_ptr<StreamState> &)>;

  explicit FeedHandlers(const trellis_host *host) : host_(host) {}
  FeedHandlers(const FeedHandlers &) = delete;
  FeedHandlers &operator=(const FeedHandlers &) = delete;

  void add(std::string name, Handler handler) {
    names_.push_back(std::move(name));
    handlers_.push_back(std::move(handler));
  }
  void set_threads(std::size_t threads) { threads_.set_limit(threads); }
  const std::deque<std::string> &names() const { return names_; }

  // `handler`: void(const Input &, Stream<Event>).
  template <class Input, class Event, class Function>
  void add_stream(std::string_view name, Function handler) {
    add(std::string(name), [handler = std::move(handler)](const trellis_feed_request &request,
                                                          const std::shared_ptr<StreamState> &state) mutable {
      handler(input_of<Input>(request), Stream<Event>(state));
    });
  }

  // `handler`: void(const Input &, Emitter<Event> &), on a thread of the set.
  template <class Input, class Event, class Function>
  void add_blocking(std::string_view name, Function handler) {
    const auto shared = std::make_shared<const Function>(std::move(handler));
    add(std::string(name),
        [this, shared](const trellis_feed_request &request, const std::shared_ptr<StreamState> &state) {
          const auto input = std::make_shared<const Input>(input_of<Input>(request));
          const bool taken = threads_.run([shared, input, state] {
            guarded(*state, [&] {
              Emitter<Event> emitter(state);
              (*shared)(*input, emitter);
              state->close();
            });
          });
          if (!taken) state->fail(no_thread());
        });
  }

  void begin(const trellis_feed_request &request) noexcept {
    std::shared_ptr<StreamState> state;
    try {
      state = std::make_shared<StreamState>(host_, request);
    } catch (...) { // the host has no feeds, or no memory: there is no stream to answer on
      return;
    }
    remember(state);
    const auto name = view(request.surface);
    for (std::size_t i = 0; i < names_.size(); ++i)
      if (names_[i] == name) return guarded(*state, [&] { handlers_[i](request, state); });
  }

  void cancel(trellis_stream stream) noexcept {
    std::shared_ptr<StreamState> state;
    {
      const std::lock_guard lock(mutex_);
      const auto found = streams_.find(stream);
      if (found == streams_.end()) return;
      state = found->second.lock();
      streams_.erase(found);
    }
    if (!state) return;
    try {
      state->cancel();
    } catch (...) { // its on_cancel: nobody is left to tell
    }
    state->close();
  }

private:
  template <class Input>
  static Input input_of(const trellis_feed_request &request) {
    auto input = json::decode<Input>(view(request.input));
    if (!input) throw std::invalid_argument("the input doesn't fit its type: " + input.problem().text());
    return std::move(*input);
  }

  static Fault no_thread() {
    return Fault("TransportError", "Every thread for such streams is taken.",
                 R"({"code":"trellis.feed.too_many_streams","hint":"Subscribe again later."})");
  }

  template <class Body>
  static void guarded(StreamState &state, Body body) noexcept {
    try {
      body();
    } catch (const Fault &fault) {
      state.fail(fault);
    } catch (const std::exception &problem) {
      state.fail(Fault("", problem.what()));
    } catch (...) {
      state.fail(Fault("", "the handler threw something that is no std::exception"));
    }
  }

  // Forgets those that were closed, now and then, so that the map is about as large as there are open streams.
  void remember(const std::shared_ptr<StreamState> &state) {
    const std::lock_guard lock(mutex_);
    if (streams_.size() >= sweep_at_) {
      std::erase_if(streams_, [](const auto &entry) { return entry.second.expired(); });
      sweep_at_ = 2 * streams_.size() + kSweep;
    }
    streams_[state->id()] = state;
  }

  static constexpr std::size_t kSweep = 64;

  const trellis_host *const host_;
  std::deque<std::string> names_;
  std::deque<Handler> handlers_;
  std::mutex mutex_; // guards what follows
  std::map<trellis_stream, std::weak_ptr<StreamState>> streams_;
  std::size_t sweep_at_ = kSweep;
  FeedThreads threads_; // last: its threads use the rest
};

} // namespace trellis
