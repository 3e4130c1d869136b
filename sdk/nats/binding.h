// One logical subscription on one connection: what a Receiver has for each connection that it listens on.
//
// nats.c drains a subscription on a thread of its own that lives for one round trip.
#pragma once

#include "nats/connection.h"
#include "nats/copies.h"
#include "nats/gate.h"
#include "nats/nats_message.h"
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace trellis {

// Where messages go, whatever connection they come in on.
struct Receiver {
  std::string subject;
  std::string queue_group; // "" = none
  std::function<void(std::unique_ptr<NatsMessage>)> on_message;
  Gate gate; // closed when its owner no longer wants to be called
  Copies copies;
};

class Binding final : public std::enable_shared_from_this<Binding> {
public:
  // Queues SUB. A subject that the server refuses shows later, as an error of the connection.
  static Result<std::shared_ptr<Binding>> make(std::shared_ptr<Connection> connection,
                                               std::shared_ptr<Receiver> receiver);
  ~Binding(); // queues UNSUB; messages that arrived and wait are dropped
  Binding(const Binding &) = delete;
  Binding &operator=(const Binding &) = delete;

  const Connection *connection() const { return connection_.get(); }
  // Queues UNSUB and still hands over what arrives before the server has seen it, then calls `done` on a thread of
  // nats.c (or here, when the connection is gone). Keeps the connection in use until then. Once only.
  void drain(std::function<void()> done);

private:
  Binding(std::shared_ptr<Connection> connection, std::shared_ptr<Receiver> receiver)
      : connection_(std::move(connection)), receiver_(std::move(receiver)) {}

  static void on_message(natsConnection *, natsSubscription *, natsMsg *message, void *handle);
  static void on_complete(void *handle);
  void complete();

  const std::shared_ptr<Connection> connection_;
  const std::shared_ptr<Receiver> receiver_;
  void *handle_ = nullptr;
  natsSubscription *subscription_ = nullptr;

  std::mutex mutex_; // guards what follows
  ConnectionUse draining_;
  std::function<void()> done_;
};

} // namespace trellis
