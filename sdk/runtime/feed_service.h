// The service side of feeds as values: who may subscribe, and the frames that a stream is made of (06 §7.2, §7.3).
//
// Free functions, as rpc_service.h has them for rpcs; FeedStreams (feed_streams.h) is what keeps streams open.
#pragma once

#include "runtime/feed_method.h"
#include "runtime/rpc_service.h"
#include "transport/transport.h"
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace trellis {

// Steps 1 to 3 of 06 §7.2. The reply is the single error frame that the subscriber gets instead of a ready frame. It
// has no trace id: that is for errors of handlers.
std::variant<AdmittedRequest, RpcReply> admit_feed(const FeedMethod &feed, const Message &message,
                                                   Validator &validator);

// An error that the feed's handler ends its stream with, as error_reply makes it of an rpc.
HandlerErrorReply feed_error_reply(const ServiceIdentity &service, const FeedMethod &feed,
                                   const AdmittedRequest &request, const HandlerError &error);

// What the runtime itself has to say: TransportError with these codes. A reader of ours that gets one of the last two
// on an open stream subscribes again by itself.
inline constexpr char kFeedOverloadedCode[] = "trellis.feed.overloaded";
inline constexpr char kFeedTooManyStreamsCode[] = "trellis.feed.too_many_streams";
inline constexpr char kFeedStoppingCode[] = "trellis.feed.stopping"; // the service stops, or another copy took over
inline constexpr char kFeedExpiredCode[] = "trellis.feed.expired";   // NATS takes no more frames from this connection
RpcReply feed_runtime_error(const FeedMethod &feed, std::string_view code, std::string_view trace_id);
bool asks_to_subscribe_again(std::string_view code);

// The frames, through Message::respond. Error: as that has it.
Result<void> send_ready_frame(const Message &message, Message::OnUnheard on_unheard);
Result<void> send_error_frame(const Message &message, const RpcReply &error);

// Events against their schema. Remembers the last text that passed, because an event for many subscribers comes once
// for each of them: a comparison costs a hundredth of a check. [thread-safe]
class EventCheck {
public:
  // The text to send: `event`, or what stands for it when it holds duplicate members.
  struct Passed {
    std::optional<std::string> rewritten;
    std::string_view text(std::string_view event) const { return rewritten ? *rewritten : event; }
  };
  // Error: the ValidationError.
  tl::expected<Passed, ErrorEnvelope> check(const Schema &schema, std::string_view event);

private:
  bool is_last(std::string_view event);
  std::mutex mutex_; // guards last_
  std::optional<std::string> last_;
};

} // namespace trellis
