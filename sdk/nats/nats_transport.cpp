#include "nats/nats_transport.h"
#include "nats/lifeline.h"
#include "nats/requests.h"
#include "nats/restored.h"
#include <utility>

namespace trellis {

namespace {

constexpr std::size_t kUsualMaxPayload = std::size_t{1} << 20; // nats-server's default, until one has told its own

// What the user holds: it only puts the parts together. The parts are shared with nats.c's threads and may outlive it
// for a moment; after close() they call nobody.
class LogicalTransport final : public NatsTransport {
public:
  LogicalTransport(EventLoop &loop, NatsOptions options)
      : subscriptions_(std::make_shared<Subscriptions>()), restored_(std::make_shared<Restored>()),
        gate_(std::make_shared<Gate>()), requests_(Requests::make(loop, options.inbox_prefix, gate_)),
        inbox_(std::make_shared<Receiver>()) {
    inbox_->subject = requests_->inbox_subject();
    inbox_->on_message = [requests = requests_](std::unique_ptr<NatsMessage> reply) {
      requests->on_inbox(std::move(reply));
    };
    lifeline_ = Lifeline::start(
        {.loop = &loop,
         .options = std::move(options),
         .subscriptions = subscriptions_,
         .inbox = inbox_,
         .gate = gate_,
         .on_refused = [requests = requests_](Connection &on,
                                              const PermissionViolation &what) { requests->on_refused(on, what); },
         .watch = [requests = requests_](const auto &on, const Outbound &message,
                                         auto unheard) { return requests->watch(on, message, std::move(unheard)); },
         .on_restored = [restored = restored_] { restored->tell(); }});
  }
  ~LogicalTransport() override { close(std::chrono::milliseconds(0)); }

  Result<void> publish(const Outbound &message) override {
    const auto connection = lifeline_->current();
    if (!connection) return fail(transport_error::kClosed, std::string(message.subject), "not connected");
    return connection->publish(message);
  }

  Result<std::unique_ptr<Subscription>> subscribe(std::string subject, std::string queue_group,
                                                  OnMessage on_message) override {
    return subscriptions_->add(std::move(subject), std::move(queue_group), std::move(on_message));
  }

  void request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) override {
    requests_->send(lifeline_->current(), message, timeout, std::move(on_reply));
  }

  std::size_t max_payload() const override {
    const auto connection = lifeline_->current();
    return connection ? connection->max_payload() : kUsualMaxPayload;
  }

  std::unique_ptr<Listener> on_restored(std::function<void()> restored) override {
    return restored_->add(std::move(restored));
  }

  Result<void> flush(std::chrono::milliseconds timeout) override { return lifeline_->flush(timeout); }
  ConnectionState state() const override { return lifeline_->state(); }
  bool wait_connected(std::chrono::milliseconds timeout) override { return lifeline_->wait_connected(timeout); }
  void rotate() override { lifeline_->rotate(); }
  Counts counts() const override { return lifeline_->counts(); }

  void close(std::chrono::milliseconds timeout) override {
    lifeline_->close(timeout);
    inbox_->gate.close();
    gate_->close();
    requests_->close();
  }

private:
  const std::shared_ptr<Subscriptions> subscriptions_;
  const std::shared_ptr<Restored> restored_;
  const std::shared_ptr<Gate> gate_; // of every callback but those of subscriptions, which have their own
  const std::shared_ptr<Requests> requests_;
  const std::shared_ptr<Receiver> inbox_;
  std::shared_ptr<Lifeline> lifeline_;
};

} // namespace

std::unique_ptr<NatsTransport> NatsTransport::open(NatsLoop &loop, NatsOptions options) {
  // EventLoop is the only NatsLoop: its interface is empty so that users don't see nats.h.
  return std::make_unique<LogicalTransport>(static_cast<EventLoop &>(loop), std::move(options));
}

} // namespace trellis
