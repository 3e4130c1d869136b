// The open streams of one service: from a subscriber's message to the end of its stream (06 §7).
//
// A stream has a slot from the arrival of its message until the service closes it; a handle is the slot's index with a
// generation, so a late emit finds nothing. A stream ends without the service when nobody receives it (every 30 s an
// event carries a reply subject of ours, and the server answers for a subscriber that is gone), when the connection
// that its message came in on ends (no other may send to the subscriber), when NATS' limit of frames is reached, or
// when the service stops. Then its handler is cancelled, once, and the slot waits for the service to let go of it.
// This protocol has no keepalive frame, so the end of a quiet stream's subscriber shows at its next event.
//
// Knows no threads: what has to run elsewhere goes to a hook. Rejected: a thread that looks at all streams now and
// then, which finds nothing that an event or a callback doesn't tell.
#pragma once

#include "runtime/feed_service.h"
#include "transport/transport.h"
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis {

struct FeedLimits {
  std::size_t max_streams = 10000;                 // that the service holds, closed by their subscribers or not
  std::size_t max_streams_per_caller = 32;         // open ones of one session key
  std::chrono::milliseconds check_interval{30000}; // at least this often an event asks whether somebody receives it
};

class FeedStreams {
public:
  using Handle = std::uint64_t;
  using Clock = std::chrono::steady_clock;

  // One feed that is served. `index`: in the order of add().
  struct Feed {
    FeedMethod method;
    std::size_t index = 0;
    EventCheck events = {};
  };

  enum class Problem { overloaded, too_many, bad_event, bad_error, not_closed };
  struct Hooks {
    // [network thread] Has begin(handle) called elsewhere; false when there is no room for it.
    std::function<bool(Handle, const Feed &)> queue_begin;
    // [any thread; be quick] Has cancelling(handle) called elsewhere. Comes once for a stream.
    std::function<void(Handle, const Feed &)> queue_cancel;
    // [any thread; be quick] For the log; `detail` is for people.
    std::function<void(Problem, const Feed &, const std::string &detail)> report = {};
    // [any thread; be quick] A subscriber got this error frame, or should have; or the service, for an event of its
    // own.
    std::function<void(const Feed &, const RpcReply &error)> failed = {};
  };

  FeedStreams(FeedLimits limits, ServiceIdentity service, std::shared_ptr<Validator> validator, Hooks hooks);
  ~FeedStreams();
  FeedStreams(const FeedStreams &) = delete;
  FeedStreams &operator=(const FeedStreams &) = delete;

  // Before the first message. The reference lives as long as this object.
  Feed &add(FeedMethod method);

  // [network thread] Takes a subscriber's message, or answers it at once.
  void arrive(const Feed &feed, MessagePtr message);

  // A stream that was opened: its subscriber has been sent the ready frame. Lives until fail or close. `attachment` is
  // the caller's, and lives as long.
  struct Open {
    Handle handle;
    const Feed &feed;
    AdmittedRequest request;
    std::shared_ptr<void> attachment = {};
  };
  // [thread-safe] [may block] Admits the subscriber and opens the stream. nullptr when it has ended. Call begun() when
  // the service knows the stream: cancellation waits for that.
  Open *begin(Handle handle);
  void begun(Handle handle);
  // The feed to cancel the stream of, nullptr when the service closed it meanwhile.
  const Feed *cancelling(Handle handle);

  enum class Failure { gone, invalid, too_large, unavailable, failed };
  struct EmitError {
    Failure failure;
    ErrorEnvelope envelope;
  };
  // [thread-safe] Never waits.
  tl::expected<void, EmitError> emit(Handle handle, std::string_view event);
  // Ends the stream with an error frame. False when it was over; the slot is free in either case.
  bool fail(Handle handle, const HandlerError &error);
  bool close(Handle handle);
  bool is_open(Handle handle) const;

  // NatsOptions::on_connection_end.
  void connection_ended(std::uint64_t connection, bool alive);
  // Ends every stream, and every one that comes from now on, with the error `trellis.feed.stopping`.
  void end_all();
  // [may block] Waits until the service has let go of every stream; false when `until` came first.
  bool wait_empty(Clock::time_point until);
  // Streams that the service holds, by feed.
  std::vector<std::pair<std::string, std::size_t>> held() const;

  struct Counts {
    std::size_t open = 0;                            // somebody receives it
    std::size_t abandoned = 0;                       // ended, but held by the service
    std::uint64_t opened = 0, emitted = 0, lost = 0; // since the start; lost: the subscriber or its connection went
  };
  Counts counts() const;

private:
  struct State; // shared with the transport's callbacks, which may come after this object's end
  std::shared_ptr<State> state_;
};

} // namespace trellis
