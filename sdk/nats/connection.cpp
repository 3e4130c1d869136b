#include "nats/connection.h"
#include "nats/handle_table.h"
#include "nats/protocol_text.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace trellis {

namespace {

using OptionsPtr = std::unique_ptr<natsOptions, decltype(&natsOptions_Destroy)>;
using NatsMsgPtr = std::unique_ptr<natsMsg, decltype(&natsMsg_Destroy)>;
using Connections = HandleTable<Connection>;

// The text of this thread's last nats.c error, if it has one.
std::string last_error_text() {
  natsStatus status = NATS_OK;
  const char *text = nats_GetLastError(&status);
  return text == nullptr ? std::string() : std::string(text);
}

// What nats.c asks for while it connects. Its callbacks run under the connection's lock and touch nothing else.
struct Login {
  const ConnectionCredentials &credentials;
  std::string token = {};
  bool unlucky = false; // the signature can't be sent; with another nonce it can

  static const char *give_token(void *login) {
    auto *self = static_cast<Login *>(login);
    self->token = escape_token(self->credentials.auth_token());
    return self->token.c_str();
  }

  static natsStatus give_jwt(char **jwt, char **, void *login) {
    *jwt = strdup(static_cast<Login *>(login)->credentials.user.jwt.c_str());
    return *jwt == nullptr ? NATS_NO_MEMORY : NATS_OK;
  }

  // nats.c 3.4 takes a signature that begins with a zero byte, one in 256, for an empty text and leaves it out of
  // CONNECT, which the server then denies.
  static natsStatus sign_nonce(char **, unsigned char **signature, int *length, const char *nonce, void *login) {
    auto *self = static_cast<Login *>(login);
    // A server that asks for no login sends no nonce; it ignores what stands in its place.
    const auto signed_bytes = self->credentials.user.seed.sign(as_bytes(nonce ? nonce : ""));
    self->unlucky = signed_bytes.front() == 0;
    if (self->unlucky) return NATS_ERR;
    auto *copy = static_cast<unsigned char *>(std::malloc(signed_bytes.size()));
    if (copy == nullptr) return NATS_NO_MEMORY;
    std::copy(signed_bytes.begin(), signed_bytes.end(), copy);
    *signature = copy;
    *length = static_cast<int>(signed_bytes.size());
    return NATS_OK;
  }

  natsStatus use_in(natsOptions *options) {
    natsStatus status = natsOptions_SetUserCredentialsCallbacks(options, give_jwt, this, sign_nonce, this);
    if (status == NATS_OK && credentials.auth_token) status = natsOptions_SetTokenHandler(options, give_token, this);
    return status;
  }
};

constexpr std::size_t kCheckEvery = std::size_t{64} << 10; // bytes published between two looks at what is unsent
constexpr std::size_t kMessageOverhead = 64;               // roughly what subject and protocol add

natsStatus dial(natsConnection **connection, natsOptions *options, Login *login) {
  natsStatus status = natsConnection_Connect(connection, options);
  while (status != NATS_OK && login != nullptr && std::exchange(login->unlucky, false))
    status = natsConnection_Connect(connection, options);
  return status;
}

bool is_denial(natsStatus status) {
  return status == NATS_CONNECTION_AUTH_FAILED || status == NATS_NOT_PERMITTED;
}

const char *code_of(natsStatus status) {
  switch (status) {
  case NATS_MAX_PAYLOAD: return transport_error::kTooLarge;
  case NATS_TIMEOUT: return transport_error::kTimeout;
  case NATS_NOT_PERMITTED: return transport_error::kDenied;
  case NATS_SLOW_CONSUMER: return connect_error::kSlowConsumer;
  case NATS_INVALID_SUBJECT:
  case NATS_INVALID_ARG: return transport_error::kInvalid;
  case NATS_CONNECTION_CLOSED:
  case NATS_CONNECTION_DISCONNECTED:
  case NATS_STALE_CONNECTION:
  case NATS_IO_ERROR: return transport_error::kClosed;
  default: return "nats_error";
  }
}

} // namespace

Error nats_failure(natsStatus status, std::string where) {
  return fail(code_of(status), std::move(where), natsStatus_GetText(status)).value();
}

// ---------------------------------------------------------------- ConnectionUse

ConnectionUse::ConnectionUse(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {
  if (connection_) ++connection_->uses_;
}

void ConnectionUse::reset() {
  if (const auto connection = std::exchange(connection_, nullptr)) connection->use_ended();
}

void Connection::use_ended() {
  if (--uses_ != 0 || !retired_) return;
  if (const auto listener = settings_.listener.lock()) listener->connection_unused(*this);
}

void Connection::retire() {
  retired_ = true;
  if (uses_ != 0) return; // a use that ends after this line sees retired_
  if (const auto listener = settings_.listener.lock()) listener->connection_unused(*this);
}

// ---------------------------------------------------------------- connecting and closing

natsStatus Connection::configure(natsOptions *options) {
  std::vector<const char *> servers;
  for (const auto &server : settings_.servers)
    servers.push_back(server.c_str());
  // Without this a server that offers no TLS would be talked to in plain text, tls:// or not.
  const bool secure = std::any_of(settings_.servers.begin(), settings_.servers.end(),
                                  [](const std::string &server) { return server.starts_with("tls://"); });
  const natsStatus steps[] = {
      secure ? natsOptions_SetSecure(options, true) : NATS_OK,
      natsOptions_SetServers(options, servers.data(), static_cast<int>(servers.size())),
      natsOptions_SetName(options, settings_.name.c_str()),
      natsOptions_SetTimeout(options, settings_.connect_timeout.count()),
      natsOptions_SetAllowReconnect(options, false),
      natsOptions_SetPingInterval(options, settings_.ping_interval.count()),
      natsOptions_SetMaxPingsOut(options, 2),
      natsOptions_SetSendAsap(options, true),              // also saves the flusher thread
      natsOptions_UseGlobalMessageDelivery(options, true), // one delivery thread for all subscriptions of the process
      natsOptions_SetMaxPendingMsgs(options, settings_.max_undelivered),
      natsOptions_SetClosedCB(options, on_closed, handle_),
      natsOptions_SetErrorHandler(options, on_error, handle_),
      loop_.use_in(options),
  };
  const auto *failed = std::find_if(std::begin(steps), std::end(steps), [](natsStatus s) { return s != NATS_OK; });
  return failed == std::end(steps) ? NATS_OK : *failed;
}

Result<std::shared_ptr<Connection>> Connection::connect(EventLoop &loop, Settings settings,
                                                        const ConnectionCredentials *credentials) {
  const std::shared_ptr<Connection> self(new Connection(loop, std::move(settings)));
  self->handle_ = Connections::instance().add(self);
  natsOptions *raw = nullptr;
  natsStatus status = natsOptions_Create(&raw);
  const OptionsPtr options(raw, natsOptions_Destroy);
  std::optional<Login> login;
  if (status == NATS_OK) status = self->configure(raw);
  if (status == NATS_OK && credentials != nullptr) {
    login.emplace(Login{*credentials});
    status = login->use_in(raw);
  }
  if (status == NATS_OK) status = dial(&self->connection_, raw, login ? &*login : nullptr);
  if (status == NATS_OK) return self;
  const char *code = is_denial(status) ? connect_error::kDenied : connect_error::kFailed;
  std::string why = last_error_text();
  if (why.empty()) why = natsStatus_GetText(status);
  const auto &servers = self->settings_.servers;
  return fail(code, servers.empty() ? "servers" : without_userinfo(servers.front()), std::move(why));
}

Connection::~Connection() {
  Connections::instance().remove(handle_);
  close();
  natsConnection_Destroy(connection_);
}

void Connection::close() {
  if (connection_ == nullptr || closed_.exchange(true)) return;
  loop_.forget(connection_);
  natsConnection_Close(connection_);
}

void Connection::on_closed(natsConnection *, void *handle) {
  const auto self = Connections::instance().find(handle);
  if (!self) return;
  self->lost_ = true;
  const auto listener = self->settings_.listener.lock();
  if (!listener) return;
  const char *text = nullptr;
  natsConnection_GetLastError(self->connection_, &text);
  listener->connection_lost(*self, text == nullptr ? "" : text);
}

void Connection::on_error(natsConnection *, natsSubscription *subscription, natsStatus status, void *handle) {
  const auto self = Connections::instance().find(handle);
  if (!self) return;
  const auto listener = self->settings_.listener.lock();
  if (!listener) return;
  listener->connection_error(*self, status, last_error_text(), self->subject_of(subscription));
}

void Connection::name_subscription(const natsSubscription *subscription, std::string subject) {
  const std::lock_guard lock(names_mutex_);
  names_.insert_or_assign(subscription, std::move(subject));
}

void Connection::forget_subscription(const natsSubscription *subscription) {
  const std::lock_guard lock(names_mutex_);
  names_.erase(subscription);
}

std::string Connection::subject_of(const natsSubscription *subscription) const {
  const std::lock_guard lock(names_mutex_);
  const auto found = names_.find(subscription);
  return found == names_.end() ? std::string() : found->second;
}

// ---------------------------------------------------------------- sending

std::size_t Connection::max_payload() const {
  return static_cast<std::size_t>(std::max<std::int64_t>(0, natsConnection_GetMaxPayload(connection_)));
}

// Asks nats.c, which takes its lock, only once per kCheckEvery bytes; and every time while it is congested.
bool Connection::is_congested(std::size_t size) {
  if (unchecked_.fetch_add(size + kMessageOverhead) + size < kCheckEvery) return false;
  if (std::cmp_greater(natsConnection_Buffered(connection_), settings_.max_unsent)) return true;
  unchecked_ = 0;
  return false;
}

Result<void> Connection::publish(const Outbound &message) {
  if (!is_sendable_subject(message.subject) || (!message.reply.empty() && !is_sendable_subject(message.reply)))
    return fail(transport_error::kInvalid, std::string(message.subject), "not a subject to publish to");
  if (is_congested(message.payload.size()))
    return fail(transport_error::kOverflow, std::string(message.subject), "the server doesn't read fast enough");
  if (message.headers != nullptr && !message.headers->empty()) return publish_with_headers(message);
  const std::string subject(message.subject);
  const std::string reply(message.reply);
  const auto size = static_cast<int>(message.payload.size());
  const natsStatus status =
      reply.empty()
          ? natsConnection_Publish(connection_, subject.c_str(), message.payload.data(), size)
          : natsConnection_PublishRequest(connection_, subject.c_str(), reply.c_str(), message.payload.data(), size);
  if (status != NATS_OK) return tl::unexpected(nats_failure(status, subject));
  return {};
}

Result<void> Connection::publish_watched(const Outbound &message, Message::OnUnheard on_unheard) {
  if (const auto listener = settings_.listener.lock())
    return listener->publish_watched(shared_from_this(), message, std::move(on_unheard));
  return fail(transport_error::kClosed, std::string(message.subject), "the transport was closed");
}

Result<void> Connection::publish_with_headers(const Outbound &message) {
  const std::string subject(message.subject);
  const std::string reply(message.reply);
  natsMsg *raw = nullptr;
  natsStatus status = natsMsg_Create(&raw, subject.c_str(), reply.empty() ? nullptr : reply.c_str(),
                                     message.payload.data(), static_cast<int>(message.payload.size()));
  const NatsMsgPtr owned(raw, natsMsg_Destroy);
  for (const auto &[name, value] : *message.headers) {
    if (!is_sendable_header(name, value))
      return fail(transport_error::kInvalid, subject, "header " + name + " can't be sent");
    if (value.empty()) continue; // nats.c 3.4 reads the next header's line as the value of an empty one
    if (status == NATS_OK) status = natsMsgHeader_Add(raw, name.c_str(), value.c_str());
  }
  if (status == NATS_OK) status = natsConnection_PublishMsg(connection_, raw);
  if (status != NATS_OK) return tl::unexpected(nats_failure(status, subject));
  return {};
}

Result<void> Connection::flush(std::chrono::milliseconds timeout) {
  const auto status = natsConnection_FlushTimeout(connection_, std::max<std::int64_t>(1, timeout.count()));
  if (status != NATS_OK) return tl::unexpected(nats_failure(status, "flush"));
  return {};
}

} // namespace trellis
