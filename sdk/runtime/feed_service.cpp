#include "runtime/feed_service.h"

#include "contracts/json_write.h"
#include "wire/names.h"
#include <rapidjson/document.h>

namespace trellis {
namespace {

struct RuntimeError {
  std::string_view code, message, hint;
};
constexpr RuntimeError kRuntimeErrors[] = {
    {kFeedOverloadedCode, "The service has too much to do.", "Subscribe again later."},
    {kFeedTooManyStreamsCode, "There are too many open streams.",
     "Close streams that are not needed; one whose subscriber is gone ends at its next event."},
    {kFeedStoppingCode, "The service is stopping.", "Subscribe again."},
    {kFeedExpiredCode, "NATS takes no more events for this subscription.", "Subscribe again."},
};

constexpr std::size_t kRemembered = std::size_t{64} << 10; // bytes of the longest event worth keeping

} // namespace

std::variant<AdmittedRequest, RpcReply> admit_feed(const FeedMethod &feed, const Message &message,
                                                   Validator &validator) {
  return admit_request({feed.input, feed.capabilities, false, feed.name}, message, validator);
}

HandlerErrorReply feed_error_reply(const ServiceIdentity &service, const FeedMethod &feed,
                                   const AdmittedRequest &request, const HandlerError &error) {
  return error_reply(service, SurfaceName{"feed", feed.name}, request, error);
}

RpcReply feed_runtime_error(const FeedMethod &feed, std::string_view code, std::string_view trace_id) {
  RuntimeError error{code, code, "Subscribe again; if it stays, the operator's log of the service says more."};
  for (const auto &known : kRuntimeErrors)
    if (known.code == code) error = known;
  const auto context = JsonObjectText().text("feed", feed.name).text("subject", feed.subject).str();
  const auto cause = asks_to_subscribe_again(code) ? ReplyCause::stopping : ReplyCause::overloaded;
  return envelope_reply(transport_error_envelope(code, error.message, error.hint, context), trace_id, cause);
}

bool asks_to_subscribe_again(std::string_view code) {
  return code == kFeedStoppingCode || code == kFeedExpiredCode;
}

Result<void> send_ready_frame(const Message &message, Message::OnUnheard on_unheard) {
  const Headers headers = {{wire::kFeedStatus, wire::kFeedReady}};
  return message.respond_and_watch({}, &headers, std::move(on_unheard));
}

Result<void> send_error_frame(const Message &message, const RpcReply &error) {
  if (message.reply().empty()) return {}; // checked as any other, and then there is nobody to tell (06 §4.2)
  const Headers headers = {{wire::kStatus, wire::kStatusError}};
  return message.respond(error.payload, &headers);
}

bool EventCheck::is_last(std::string_view event) {
  const std::lock_guard lock(mutex_);
  return last_ && *last_ == event;
}

tl::expected<EventCheck::Passed, ErrorEnvelope> EventCheck::check(const Schema &schema, std::string_view event) {
  if (is_last(event)) return Passed{};
  const auto value = parse_json(event, {.max_bytes = event.size()});
  if (!value) return tl::make_unexpected(validation_error({{"#", "the event is no JSON: " + value.error().text()}}));
  if (!schema.valid(*value)) return tl::make_unexpected(validation_error(schema.check(*value)));
  auto text = unambiguous_json(event, *value);
  if (text != event) return Passed{std::move(text)};
  if (event.size() <= kRemembered) {
    const std::lock_guard lock(mutex_);
    last_ = std::move(text);
  }
  return Passed{};
}

} // namespace trellis
