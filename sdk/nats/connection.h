// One TCP connection: a natsConnection that connects once and never reconnects by itself.
//
// nats.c's own reconnect is switched off on purpose. The server ties permissions, the right to answer a request and the
// JWT's expiry to one connection, and nats.c can't change credentials between attempts and gives up for good after two
// denials; a NatsTransport therefore makes a new Connection with new credentials each time, and there is one path for
// the first connect, a lost server, a denial and a rotation. It also means that credentials are only needed, and only
// kept, while connect() runs.
#pragma once

#include "nats/connection_use.h"
#include "nats/event_loop.h"
#include "nats/nats_transport.h"
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nats/nats.h>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

Error nats_failure(natsStatus status, std::string where); // with the code of transport_error that fits

// Told about a connection's fate. Called on nats.c's threads, and on any that drops a message.
class ConnectionListener {
public:
  virtual ~ConnectionListener() = default;
  virtual void connection_lost(Connection &connection, const std::string &why) = 0; // also after our own close()
  // `subject` is that of the subscription it is about, or "".
  virtual void connection_error(Connection &connection, natsStatus status, const std::string &text,
                                const std::string &subject) = 0;
  virtual void connection_unused(Connection &connection) = 0; // retired, and the last ConnectionUse has gone
  // Publishes with a reply subject; `on_unheard` as in Message::respond_and_watch.
  virtual Result<void> publish_watched(const std::shared_ptr<Connection> &connection, const Outbound &message,
                                       Message::OnUnheard on_unheard) = 0;
};

class Connection final : public std::enable_shared_from_this<Connection> {
public:
  struct Settings {
    std::vector<std::string> servers;
    std::string name;
    std::chrono::milliseconds connect_timeout;
    std::chrono::milliseconds ping_interval;
    int max_undelivered;
    std::size_t max_unsent;
    std::weak_ptr<ConnectionListener> listener;
  };

  // [may block] Errors: connect_error::kDenied, connect_error::kFailed.
  static Result<std::shared_ptr<Connection>> connect(EventLoop &loop, Settings settings,
                                                     const ConnectionCredentials *credentials);
  ~Connection();
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;

  // [thread-safe]
  Result<void> publish(const Outbound &message);
  Result<void> publish_watched(const Outbound &message, Message::OnUnheard on_unheard);
  std::uint64_t id() const { return reinterpret_cast<std::uintptr_t>(handle_); } // unique in this process, never 0
  std::size_t max_payload() const;
  natsConnection *handle() const { return connection_; }

  // [may block]
  Result<void> flush(std::chrono::milliseconds timeout);
  // [may block] Idempotent. What isn't flushed is lost.
  void close();

  // What a live subscription is called in errors. nats.c reports errors later and doesn't keep the subscription for it,
  // so by then the pointer may only be compared, never followed.
  void name_subscription(const natsSubscription *subscription, std::string subject);
  void forget_subscription(const natsSubscription *subscription);

  // From now on the listener hears when nobody uses it; at once when nobody does.
  void retire();
  bool unused() const { return uses_ == 0; }
  bool lost() const { return lost_; } // nats.c has closed it; the listener was told, or is about to be

private:
  friend class ConnectionUse;
  Connection(EventLoop &loop, Settings settings) : loop_(loop), settings_(std::move(settings)) {}

  static void on_closed(natsConnection *, void *handle);
  static void on_error(natsConnection *, natsSubscription *, natsStatus status, void *handle);
  natsStatus configure(natsOptions *options);
  Result<void> publish_with_headers(const Outbound &message);
  bool is_congested(std::size_t size);
  void use_ended();
  std::string subject_of(const natsSubscription *subscription) const; // "" when it isn't there any more

  EventLoop &loop_; // not touched after close()
  const Settings settings_;
  void *handle_ = nullptr;
  natsConnection *connection_ = nullptr; // set once by connect(); nats.c locks it itself
  std::atomic<std::size_t> uses_ = 0;
  std::atomic<std::size_t> unchecked_ = 0; // bytes published since the last look at what is unsent
  std::atomic<bool> retired_ = false;
  std::atomic<bool> closed_ = false;
  std::atomic<bool> lost_ = false;
  mutable std::mutex names_mutex_; // guards names_
  std::map<const natsSubscription *, std::string> names_;
};

} // namespace trellis
