#include "policy/privileged_connections.h"

#include "abi/abi_values.h"
#include "policy/policy_file.h"
#include <cassert>
#include <map>
#include <mutex>
#include <utility>

// One connection as the plugin holds it. The transport outlives the table of subscriptions.
struct trellis_connection {
  std::string name;
  std::unique_ptr<trellis::NatsTransport> transport;
  std::mutex mutex; // guards the rest
  std::map<trellis_subscription, std::unique_ptr<trellis::Subscription>> subscriptions;
  trellis_subscription last = 0;
};

namespace trellis::host {
namespace {

constexpr std::chrono::milliseconds kPoll{250}; // how often a wait for NATS looks at its stop token
constexpr std::uint32_t kDefaultTimeoutMs = 3000;

// A received message as the ABI has it. Lives as long as `message`.
class AbiMessage {
public:
  explicit AbiMessage(const Message &message) : headers_(message.headers()) {
    for (const auto &header : headers_)
      abi_headers_.push_back({str(header.name), str(header.value)});
    out_ = {sizeof(trellis_message), 0,
            str(message.subject()),  str(message.reply()),
            str(message.payload()),  abi_headers_.data(),
            abi_headers_.size()};
  }
  AbiMessage(const AbiMessage &) = delete;
  AbiMessage &operator=(const AbiMessage &) = delete;
  const trellis_message *get() const { return &out_; }

private:
  Headers headers_;
  std::vector<trellis_header> abi_headers_;
  trellis_message out_{};
};

bool is_subscription_subject(trellis_str subject) {
  return is_text(subject) && subject.size > 0 && view(subject).find_first_of(" \t\r\n") == std::string_view::npos;
}

} // namespace

Result<NatsCredentials> read_credentials_file(const std::filesystem::path &file) {
  const auto text = read_secret_file(file);
  if (!text) return tl::make_unexpected(text.error());
  auto credentials = parse_credentials(text->reveal());
  if (!credentials) credentials.error().where = file.string();
  return credentials;
}

Result<SessionKey> read_session_seed(const std::filesystem::path &file) {
  const auto text = read_secret_file(file);
  if (!text) return tl::make_unexpected(text.error());
  auto key = SessionKey::from_seed(text->reveal());
  if (!key) return fail("key_invalid", file.string(), "holds no session seed", "base64url of 32 bytes");
  return key;
}

PrivilegedConnections::PrivilegedConnections() = default;
PrivilegedConnections::~PrivilegedConnections() = default;

Result<void> PrivilegedConnections::open(NatsLoop &loop, Options options) {
  // In this order (03 §2.4).
  const std::array<std::pair<const char *, std::filesystem::path>, 3> wanted{
      {{"auth", options.files.auth}, {"system", options.files.system}, {"trellis", options.files.trellis}}};
  for (const auto &[name, file] : wanted)
    if (auto readable = read_credentials_file(file); !readable) return tl::make_unexpected(readable.error());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::string name = wanted[i].first;
    NatsOptions nats;
    nats.servers = options.servers;
    nats.name = options.client_name + "/" + name;
    // Of the other two any inbox will do, as long as it is no other process's.
    nats.inbox_prefix = name == "trellis" ? options.inbox_prefix : SessionKey::generate().inbox_prefix();
    nats.backoff_max = options.backoff_max;
    nats.credentials = [file = wanted[i].second]() -> Result<ConnectionCredentials> {
      auto user = read_credentials_file(file);
      if (!user) return tl::make_unexpected(user.error());
      return ConnectionCredentials{std::move(*user), {}, std::nullopt};
    };
    nats.on_state = [name, told = options.on_state](ConnectionState state, const std::string &detail) {
      if (told) told(name, state, detail);
    };
    nats.on_problem = [name, told = options.on_problem](const Error &problem) {
      if (told) told(name, problem);
    };
    connections_[i] = std::make_unique<trellis_connection>();
    connections_[i]->name = name;
    connections_[i]->transport = NatsTransport::open(loop, std::move(nats));
  }
  return {};
}

bool PrivilegedConnections::wait_connected(const std::stop_token &stop) {
  for (const auto &connection : connections_)
    while (!connection->transport->wait_connected(kPoll))
      if (stop.stop_requested()) return false;
  return true;
}

void PrivilegedConnections::close(std::chrono::milliseconds timeout) {
  for (const auto &connection : connections_) {
    if (!connection) continue;
    std::unique_lock lock(connection->mutex);
    auto subscriptions = std::exchange(connection->subscriptions, {});
    lock.unlock();
    subscriptions.clear(); // waits for callbacks
    connection->transport->close(timeout);
  }
}

NatsTransport &PrivilegedConnections::trellis() {
  return *connections_[2]->transport;
}

trellis_connection *PrivilegedConnections::find(std::string_view name) {
  for (const auto &connection : connections_)
    if (connection && connection->name == name) return connection.get();
  return nullptr;
}

// Nothing throws across: running out of memory ends the process.
namespace connection_functions {

trellis_status publish(trellis_connection *connection, trellis_str subject, trellis_str reply, trellis_str payload,
                       const trellis_header *headers, std::size_t header_count) noexcept {
  const auto given = read_headers(headers, header_count);
  const bool answerable = reply.size == 0 || is_publish_subject(view(reply));
  if (!given || !is_publish_subject(view(subject)) || !answerable || !is_text(payload)) return TRELLIS_E_INVALID;
  const auto sent = connection->transport->publish({.subject = view(subject),
                                                    .reply = view(reply),
                                                    .payload = view(payload),
                                                    .headers = given->empty() ? nullptr : &*given});
  return sent ? TRELLIS_OK : status_of_transport(sent.error());
}

void request(trellis_connection *connection, trellis_str subject, trellis_str payload, const trellis_header *headers,
             std::size_t header_count, std::uint32_t timeout_ms, trellis_message_reply_fn reply,
             void *context) noexcept {
  if (!reply) return;
  const auto given = read_headers(headers, header_count);
  if (!given || !is_publish_subject(view(subject)) || !is_text(payload))
    return reply(context, TRELLIS_E_INVALID, nullptr);
  connection->transport->request(
      {.subject = view(subject), .payload = view(payload), .headers = given->empty() ? nullptr : &*given},
      std::chrono::milliseconds(timeout_ms > 0 ? timeout_ms : kDefaultTimeoutMs),
      [reply, context](const Result<MessagePtr> &answer) {
        if (!answer) return reply(context, status_of_transport(answer.error()), nullptr);
        reply(context, TRELLIS_OK, AbiMessage(**answer).get());
      });
}

trellis_status subscribe(trellis_connection *connection, trellis_str subject, trellis_str queue_group,
                         trellis_message_fn on_message, void *context, trellis_subscription *out) noexcept {
  if (!on_message || !out || !is_subscription_subject(subject) || !is_text(queue_group)) return TRELLIS_E_INVALID;
  auto made = connection->transport->subscribe(
      std::string(view(subject)), std::string(view(queue_group)),
      [on_message, context](const MessagePtr &message) { on_message(context, AbiMessage(*message).get()); });
  if (!made) return status_of_transport(made.error());
  const std::lock_guard lock(connection->mutex);
  *out = ++connection->last;
  connection->subscriptions.emplace(*out, std::move(*made));
  return TRELLIS_OK;
}

void unsubscribe(trellis_connection *connection, trellis_subscription subscription) noexcept {
  std::unique_lock lock(connection->mutex);
  auto ended = connection->subscriptions.extract(subscription);
  lock.unlock();
} // waits for the callback, without the lock

trellis_status flush(trellis_connection *connection, std::uint32_t timeout_ms) noexcept {
  const auto done =
      connection->transport->flush(std::chrono::milliseconds(timeout_ms > 0 ? timeout_ms : kDefaultTimeoutMs));
  return done ? TRELLIS_OK : status_of_transport(done.error());
}

std::size_t max_payload(trellis_connection *connection) noexcept {
  return connection->transport->max_payload();
}

} // namespace connection_functions

} // namespace trellis::host
