#include "abi_transport.h"
#include <algorithm>
#include <limits>
#include <utility>

namespace trellis::auth {
namespace {

trellis_str lend(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(trellis_str text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

std::vector<trellis_header> lend(const Headers *headers) {
  std::vector<trellis_header> out;
  if (headers == nullptr) return out;
  out.reserve(headers->size());
  for (const auto &header : *headers)
    out.push_back({lend(header.name), lend(header.value)});
  return out;
}

std::uint32_t in_milliseconds(std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds::rep kLongest = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::chrono::milliseconds::rep>(time.count(), 0, kLongest));
}

// `unavailable`: what the table's ambiguous status means for this function.
tl::unexpected<Error> failure(trellis_status status, std::string_view subject, const char *unavailable) {
  const auto say = [&](const char *code, const char *message) { return fail(code, std::string(subject), message); };
  switch (status) {
  case TRELLIS_E_INVALID: return say(transport_error::kInvalid, "the host refuses the message");
  case TRELLIS_E_DENIED: return say(transport_error::kDenied, "the server refuses to take it");
  case TRELLIS_E_TIMEOUT: return say(transport_error::kTimeout, "no answer in time");
  case TRELLIS_E_TOO_LARGE: return say(transport_error::kTooLarge, "larger than the server takes");
  case TRELLIS_E_UNAVAILABLE: return say(unavailable, "nobody listens there, or there is no connection");
  default: return say(transport_error::kClosed, "the host's connection can't be used");
  }
}

Result<void> publish_on(const trellis_connections_v1 &table, trellis_connection *connection, const Outbound &message) {
  const auto headers = lend(message.headers);
  const trellis_status status = table.publish(connection, lend(message.subject), lend(message.reply),
                                              lend(message.payload), headers.data(), headers.size());
  if (status != TRELLIS_OK) return failure(status, message.subject, transport_error::kClosed);
  return {};
}

class AbiMessage : public Message {
public:
  AbiMessage(const trellis_connections_v1 &table, trellis_connection *connection, const trellis_message &message)
      : table_(table), connection_(connection), subject_(view(message.subject)), reply_(view(message.reply)),
        payload_(view(message.payload)) {
    headers_.reserve(message.header_count);
    for (std::size_t i = 0; i < message.header_count; ++i)
      headers_.push_back({std::string(view(message.headers[i].name)), std::string(view(message.headers[i].value))});
  }

  std::string_view subject() const override { return subject_; }
  std::string_view reply() const override { return reply_; }
  std::string_view payload() const override { return payload_; }
  std::string_view header(std::string_view name) const override {
    for (const auto &header : headers_)
      if (header.name == name) return header.value;
    return {};
  }
  Headers headers() const override { return headers_; }
  Result<void> respond(std::string_view payload, const Headers *headers) const override {
    if (reply_.empty()) return fail(transport_error::kNoReply, subject_, "the message asks for no answer");
    return publish_on(table_, connection_, {.subject = reply_, .payload = payload, .headers = headers});
  }

private:
  const trellis_connections_v1 &table_;
  trellis_connection *connection_;
  std::string subject_, reply_, payload_;
  Headers headers_;
};

// What the host's callbacks get as `context`.
struct Receiver {
  const trellis_connections_v1 &table;
  trellis_connection *connection;
  Transport::OnMessage on_message;

  static void deliver(void *context, const trellis_message *message) noexcept {
    const auto &self = *static_cast<const Receiver *>(context);
    self.on_message(std::make_unique<AbiMessage>(self.table, self.connection, *message));
  }
};

struct PendingReply {
  const trellis_connections_v1 &table;
  trellis_connection *connection;
  std::string subject;
  Transport::OnReply on_reply;

  static void complete(void *context, trellis_status status, const trellis_message *message) noexcept {
    const std::unique_ptr<PendingReply> self(static_cast<PendingReply *>(context));
    if (status == TRELLIS_OK && message != nullptr)
      return self->on_reply(MessagePtr(std::make_unique<AbiMessage>(self->table, self->connection, *message)));
    self->on_reply(failure(status, self->subject, transport_error::kNoResponders));
  }
};

class AbiSubscription : public Subscription {
public:
  explicit AbiSubscription(Receiver receiver) : receiver_(std::move(receiver)) {}
  ~AbiSubscription() override { end(); }

  trellis_status begin(std::string_view subject, std::string_view queue_group) {
    trellis_subscription handle = 0;
    const trellis_status status = receiver_.table.subscribe(receiver_.connection, lend(subject), lend(queue_group),
                                                            Receiver::deliver, &receiver_, &handle);
    if (status == TRELLIS_OK) handle_ = handle;
    subscribed_ = status == TRELLIS_OK;
    return status;
  }
  void drain(std::function<void()> done) override {
    end();
    if (done) done();
  }

private:
  void end() {
    if (std::exchange(subscribed_, false)) receiver_.table.unsubscribe(receiver_.connection, handle_);
  }

  Receiver receiver_;
  trellis_subscription handle_ = 0;
  bool subscribed_ = false; // touched by the owner's thread only
};

} // namespace

Result<void> AbiTransport::publish(const Outbound &message) {
  return publish_on(table_, connection_, message);
}

Result<std::unique_ptr<Subscription>> AbiTransport::subscribe(std::string subject, std::string queue_group,
                                                              OnMessage on_message) {
  auto subscription = std::make_unique<AbiSubscription>(Receiver{table_, connection_, std::move(on_message)});
  const trellis_status status = subscription->begin(subject, queue_group);
  if (status != TRELLIS_OK) return failure(status, subject, transport_error::kClosed);
  return subscription;
}

void AbiTransport::request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) {
  const auto headers = lend(message.headers);
  auto pending = std::make_unique<PendingReply>(
      PendingReply{table_, connection_, std::string(message.subject), std::move(on_reply)});
  // complete() takes it back, maybe before request() returns.
  table_.request(connection_, lend(message.subject), lend(message.payload), headers.data(), headers.size(),
                 in_milliseconds(timeout), PendingReply::complete, pending.release());
}

Result<void> AbiTransport::flush(std::chrono::milliseconds timeout) {
  const trellis_status status = table_.flush(connection_, in_milliseconds(timeout));
  if (status != TRELLIS_OK) return failure(status, "flush", transport_error::kClosed);
  return {};
}

} // namespace trellis::auth
