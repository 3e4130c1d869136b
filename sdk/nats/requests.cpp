#include "nats/requests.h"
#include "contracts/encoding.h"
#include <algorithm>
#include <array>
#include <charconv>
#include <random>
#include <utility>

namespace trellis {

namespace {

constexpr std::chrono::milliseconds kLongestTimeout = std::chrono::hours(24 * 365); // so that the sum can't overflow

// How long the server's "nobody" is waited for: it comes within a round trip, or not at all.
constexpr std::chrono::milliseconds kUnheardWait{5000};

// 16 characters; unique enough that two transports with the same prefix never share an inbox.
std::string unique_token() {
  std::random_device source;
  std::array<std::uint8_t, 12> bytes{};
  for (auto &byte : bytes)
    byte = static_cast<std::uint8_t>(source());
  return base64url(bytes);
}

tl::unexpected<Error> timed_out(const std::string &subject) {
  return fail(transport_error::kTimeout, subject, "no answer in time");
}

} // namespace

std::shared_ptr<Requests> Requests::make(EventLoop &loop, const std::string &inbox_prefix, std::shared_ptr<Gate> gate) {
  std::shared_ptr<Requests> self(new Requests(loop, inbox_prefix + "." + unique_token() + ".", std::move(gate)));
  self->alarm_ = loop.add_alarm([weak = std::weak_ptr(self)] {
    if (const auto requests = weak.lock()) requests->expire();
  });
  return self;
}

// With `message`'s reply subject set. An error leaves, or puts back, `request`; with success it has gone, also when it
// was answered at once.
Result<void> Requests::publish(PendingRequest &request, const Outbound &message) {
  const auto deadline = request.deadline;
  const auto connection = request.connection.shared();
  const auto added = pending_.add(request);
  if (!added) return fail(transport_error::kClosed, request.subject, "the transport is closed");
  if (added->earliest) loop_.set_alarm_if_earlier(alarm_, deadline);
  Outbound outbound = message;
  const std::string reply = inbox_ + std::to_string(added->token);
  outbound.reply = reply;
  auto sent = connection->publish(outbound);
  if (sent) return {};
  auto unsent = pending_.take(added->token);
  if (!unsent) return {}; // somebody else told its owner
  request = std::move(*unsent);
  return sent;
}

void Requests::send(std::shared_ptr<Connection> connection, const Outbound &message, std::chrono::milliseconds timeout,
                    Transport::OnReply on_reply) {
  std::string subject(message.subject);
  if (!connection) return on_reply(fail(transport_error::kClosed, std::move(subject), "not connected"));
  const auto deadline = std::chrono::steady_clock::now() + std::min(timeout, kLongestTimeout);
  PendingRequest request{std::move(subject), std::move(on_reply), deadline, ConnectionUse(std::move(connection))};
  if (auto sent = publish(request, message); !sent) request.on_reply(tl::unexpected(std::move(sent.error())));
}

Result<void> Requests::watch(const std::shared_ptr<Connection> &connection, const Outbound &message,
                             Message::OnUnheard on_unheard) {
  auto on_reply = [on_unheard = std::move(on_unheard)](const Result<MessagePtr> &reply) {
    if (reply) return; // a receiver that answers frames: not in this protocol, and no sign of a loss
    const auto &code = reply.error().code;
    if (code == transport_error::kNoResponders || code == transport_error::kDenied) on_unheard(reply.error());
  };
  PendingRequest request{std::string(message.subject), std::move(on_reply),
                         std::chrono::steady_clock::now() + kUnheardWait, ConnectionUse(connection)};
  return publish(request, message);
}

std::uint64_t Requests::token_of(std::string_view reply_subject) const {
  if (!reply_subject.starts_with(inbox_)) return 0;
  const auto digits = reply_subject.substr(inbox_.size());
  std::uint64_t token = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), token);
  return error == std::errc() && end == digits.data() + digits.size() ? token : 0;
}

void Requests::on_inbox(std::unique_ptr<NatsMessage> reply) {
  gate_->pass([&] {
    const auto request = pending_.take(token_of(reply->subject()));
    if (!request) return; // too late, or a second copy
    if (reply->is_no_responders())
      return request->on_reply(fail(transport_error::kNoResponders, request->subject, "nobody listens there"));
    request->on_reply(MessagePtr(std::move(reply)));
  });
}

// Permissions of a connection never change, so every request to that subject on it was refused.
void Requests::on_refused(const Connection &connection, const PermissionViolation &violation) {
  gate_->pass([&] {
    std::vector<PendingRequest> refused;
    if (violation.action == PermissionViolation::Action::publish)
      refused = pending_.take_refused(violation.subject, &connection);
    if (violation.action == PermissionViolation::Action::publish_reply) {
      if (auto request = pending_.take(token_of(violation.subject))) refused.push_back(std::move(*request));
    }
    for (const auto &request : refused)
      request.on_reply(fail(transport_error::kDenied, request.subject, "the server refuses to take it"));
  });
}

void Requests::expire() {
  gate_->pass([&] {
    for (const auto &request : pending_.take_expired(std::chrono::steady_clock::now()))
      request.on_reply(timed_out(request.subject));
  });
  if (const auto next = pending_.next_deadline()) loop_.set_alarm_if_earlier(alarm_, *next);
}

void Requests::close() {
  loop_.remove_alarm(alarm_);
  for (const auto &request : pending_.close())
    request.on_reply(fail(transport_error::kClosed, request.subject, "the transport was closed"));
}

} // namespace trellis
