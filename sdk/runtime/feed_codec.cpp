// The pure half of feed_client.h: one subscription's bytes, and what one frame means.
#include "runtime/feed_client.h"

#include "contracts/json_write.h"
#include <rapidjson/document.h>

namespace trellis {
namespace {

tl::unexpected<CallError> local(ErrorEnvelope envelope) {
  return tl::make_unexpected(CallError{std::move(envelope), true});
}

std::string_view message_of(std::string_view code) {
  if (code == feed_error::kTimeout) return "no frame came in time";
  if (code == feed_error::kAborted) return "the reader was cancelled";
  if (code == feed_error::kClosed) return "the subscription was closed";
  if (code == feed_error::kSubscribeFailed) return "the request could not be sent";
  if (code == feed_error::kSlowReader) return "too many events wait to be read";
  return "the service ended it with an error";
}

std::string_view hint_of(std::string_view code) {
  if (code == feed_error::kTimeout) return "The service may be busy, or this contract may not use the feed.";
  if (code == feed_error::kFailed) return "The service's error is in context.frame.";
  if (code == feed_error::kSlowReader) return "Read faster, or ask for fewer events.";
  return "Subscribe again.";
}

ErrorEnvelope failure(const FeedMethod &feed, std::string_view code, std::string_view cause, const std::string *frame) {
  JsonObjectText context;
  context.text("feed", feed.name).text("subject", feed.subject);
  if (frame) context.text("frame", *frame);
  if (!cause.empty()) context.text("causeMessage", cause);
  std::string text = "The feed " + feed.name + ": " + std::string(message_of(code));
  return transport_error_envelope(code, text, hint_of(code), context.str());
}

} // namespace

// The same as an rpc's request, with the feed's names.
tl::expected<SignedRequest, CallError> sign_subscription(const FeedMethod &feed, std::string_view input,
                                                         const SessionKey &key, std::int64_t iat,
                                                         std::string_view request_id) {
  RpcMethod method;
  method.name = feed.name;
  method.subject = feed.subject;
  method.input = feed.input;
  return sign_request(method, input, key, iat, request_id);
}

CallError feed_failure(const FeedMethod &feed, std::string_view code, std::string_view cause) {
  return {failure(feed, code, cause, nullptr), true};
}

tl::expected<std::string, CallError> decode_event(const FeedMethod &feed, const FeedFrame &frame) {
  if (frame.is_error) return local(failure(feed, feed_error::kFailed, {}, &frame.payload));
  const auto event = parse_json(frame.payload, {.max_bytes = frame.payload.size()});
  if (!event) return local(unexpected_error("the frame's payload is no JSON: " + event.error().text()));
  if (!feed.event.valid(*event)) return local(validation_error(feed.event.check(*event)));
  return unambiguous_json(frame.payload, *event);
}

} // namespace trellis
