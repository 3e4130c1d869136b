// The subscriber's side of feeds (06 §7.1, §7.5): subscribe, read events, subscribe again when the stream was lost.
//
// A reader is pulled: all it does happens inside open() and next(), on the caller's thread, and frames that nobody has
// read yet wait in a bounded queue. Rejected: a callback for each event, which needs a thread for timeouts and leaves
// the question of a slow callback to whoever writes one.
//
// This protocol has no end frame and no keepalive, so a lost stream looks like a quiet one. A reader therefore
// subscribes again, in a fresh inbox, when its own connection was lost and is back, when the service says that it
// stops or that its connection expires, and, with a silence limit, when no frame came within that. What was emitted
// meanwhile is lost: the caller is told.
#pragma once

#include "runtime/feed_method.h"
#include "runtime/rpc_client.h"
#include "transport/transport.h"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace trellis {

class SessionKey;

// TransportError codes of a failed or ended stream.
namespace feed_error {
inline constexpr char kTimeout[] = "trellis.feed.subscribe_timeout";
inline constexpr char kAborted[] = "trellis.feed.subscribe_aborted";
inline constexpr char kClosed[] = "trellis.feed.subscribe_closed";
inline constexpr char kSubscribeFailed[] = "trellis.feed.subscribe_failed";
inline constexpr char kFailed[] = "trellis.feed.failed";          // an error frame: context.frame
inline constexpr char kSlowReader[] = "trellis.feed.slow_reader"; // events came faster than they were read
} // namespace feed_error

// What subscribing puts on the wire. Errors: as sign_request.
tl::expected<SignedRequest, CallError> sign_subscription(const FeedMethod &feed, std::string_view input,
                                                         const SessionKey &key, std::int64_t iat,
                                                         std::string_view request_id);

// One frame, as it came in.
struct FeedFrame {
  std::string payload;
  bool is_error = false; // `status: error`
  bool is_ready = false; // `feed-status: ready`
};
// What an event frame holds. Errors end the stream: `trellis.feed.failed`, UnexpectedError, ValidationError.
tl::expected<std::string, CallError> decode_event(const FeedMethod &feed, const FeedFrame &frame);
CallError feed_failure(const FeedMethod &feed, std::string_view code, std::string_view cause = {});

struct FeedOptions {
  std::chrono::milliseconds timeout{3000}; // for the first frame of each subscription
  bool resubscribe = true;
  std::chrono::milliseconds silence_limit{0}; // no frame for this long: subscribe again; 0: wait for ever
  std::chrono::milliseconds pause_min{200}, pause_max{10000}; // between attempts to subscribe again
  std::string traceparent = {}, tracestate = {};
  std::string request_id = {};    // of the first subscription; "" = a fresh ULID
  std::size_t max_waiting = 4096; // frames that nobody has read
  std::size_t max_waiting_bytes = std::size_t{64} << 20;
};

// Who reads: one participant's key, clock (server time in whole seconds) and connection. All outlive its readers.
struct FeedParticipant {
  Transport &transport;
  const SessionKey &key;
  std::function<std::int64_t()> clock;
};

// One subscription. open() and next() are for one thread, cancel() for any.
class FeedReader {
public:
  using Clock = std::chrono::steady_clock;
  enum class Kind {
    event,
    resubscribed, // the stream is a new one: events may be missing before the next
    nothing,      // until the given time
  };
  struct Item {
    Kind kind = Kind::nothing;
    std::string event = {}; // JSON text
  };

  // `input`: JSON text. `feed` is shared with nothing that changes.
  FeedReader(FeedParticipant participant, std::shared_ptr<const FeedMethod> feed, std::string input,
             FeedOptions options = {});
  ~FeedReader(); // unsubscribes; the service finds that out by itself
  FeedReader(const FeedReader &) = delete;
  FeedReader &operator=(const FeedReader &) = delete;

  // [may block] Subscribes and waits for the first frame.
  tl::expected<void, CallError> open();
  // [may block] The next event; `until` may be exceeded by one request timeout while it subscribes again. An error is
  // the end: every later call says the same.
  tl::expected<Item, CallError> next(Clock::time_point until);
  // [thread-safe] open() and next() end with subscribe_aborted, now and later.
  void cancel();

private:
  struct State;
  std::shared_ptr<State> state_; // shared with the transport's callbacks
};

} // namespace trellis
