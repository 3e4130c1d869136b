#include "nats/binding.h"
#include "nats/handle_table.h"
#include <utility>

namespace trellis {

namespace {
using Bindings = HandleTable<Binding>;
constexpr std::int64_t kDrainTimeoutMs = 10'000; // for the server's answer to the PING that follows UNSUB
} // namespace

Result<std::shared_ptr<Binding>> Binding::make(std::shared_ptr<Connection> connection,
                                               std::shared_ptr<Receiver> receiver) {
  std::shared_ptr<Binding> self(new Binding(std::move(connection), std::move(receiver)));
  self->handle_ = Bindings::instance().add(self);
  auto *nats = self->connection_->handle();
  const char *subject = self->receiver_->subject.c_str();
  const auto &group = self->receiver_->queue_group;
  const natsStatus status =
      group.empty() ? natsConnection_Subscribe(&self->subscription_, nats, subject, on_message, self->handle_)
                    : natsConnection_QueueSubscribe(&self->subscription_, nats, subject, group.c_str(), on_message,
                                                    self->handle_);
  if (status != NATS_OK) return tl::unexpected(nats_failure(status, self->receiver_->subject));
  self->connection_->name_subscription(self->subscription_, self->receiver_->subject);
  return self;
}

Binding::~Binding() {
  Bindings::instance().remove(handle_);
  connection_->forget_subscription(subscription_);
  natsSubscription_Destroy(subscription_);
}

void Binding::on_message(natsConnection *, natsSubscription *, natsMsg *message, void *handle) {
  const auto self = Bindings::instance().find(handle);
  if (!self) return natsMsg_Destroy(message);
  auto owned = std::make_unique<NatsMessage>(message, ConnectionUse(self->connection_));
  auto &receiver = *self->receiver_;
  if (receiver.copies.is_copy(self->connection_.get(), *owned)) return;
  receiver.gate.pass([&] { receiver.on_message(std::move(owned)); });
}

void Binding::drain(std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    draining_ = ConnectionUse(connection_);
    done_ = std::move(done);
  }
  // Refused only when the subscription or its connection has ended; then there is nothing to wait for.
  if (natsSubscription_SetOnCompleteCB(subscription_, on_complete, handle_) != NATS_OK ||
      natsSubscription_DrainTimeout(subscription_, kDrainTimeoutMs) != NATS_OK)
    complete();
}

void Binding::on_complete(void *handle) {
  if (const auto self = Bindings::instance().find(handle)) self->complete();
}

void Binding::complete() {
  ConnectionUse draining;
  std::function<void()> done;
  {
    const std::lock_guard lock(mutex_);
    draining = std::move(draining_);
    done = std::exchange(done_, nullptr);
  }
  if (done) done();
}

} // namespace trellis
