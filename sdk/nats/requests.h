// Requests of one transport: one wildcard inbox for all of them, a token per request, one alarm for all timeouts.
//
// The inbox has the same subject on every connection of the transport, so an answer finds its request whichever
// connection it comes in on; a second copy during a rotation finds nothing and is dropped. Rejected: nats.c's own
// request calls, which block a thread each and know neither rotations nor refusals.
#pragma once

#include "nats/connection.h"
#include "nats/event_loop.h"
#include "nats/gate.h"
#include "nats/nats_message.h"
#include "nats/pending_requests.h"
#include "nats/protocol_text.h"
#include "transport/transport.h"
#include <memory>
#include <string>

namespace trellis {

class Requests final : public std::enable_shared_from_this<Requests> {
public:
  // Callbacks run inside `gate`.
  static std::shared_ptr<Requests> make(EventLoop &loop, const std::string &inbox_prefix, std::shared_ptr<Gate> gate);

  std::string inbox_subject() const { return inbox_ + "*"; }

  // [thread-safe] `connection` may be nullptr: not connected.
  void send(std::shared_ptr<Connection> connection, const Outbound &message, std::chrono::milliseconds timeout,
            Transport::OnReply on_reply);
  // [thread-safe] Message::respond_and_watch.
  Result<void> watch(const std::shared_ptr<Connection> &connection, const Outbound &message,
                     Message::OnUnheard on_unheard);
  void on_inbox(std::unique_ptr<NatsMessage> reply);
  void on_refused(const Connection &connection, const PermissionViolation &violation);
  // [may block] Only after the gate was closed: what is left is answered here, with `closed`.
  void close();

private:
  Requests(EventLoop &loop, std::string inbox, std::shared_ptr<Gate> gate)
      : loop_(loop), inbox_(std::move(inbox)), gate_(std::move(gate)) {}

  Result<void> publish(PendingRequest &request, const Outbound &message);
  std::uint64_t token_of(std::string_view reply_subject) const; // 0 when it isn't one of ours
  void expire();

  EventLoop &loop_;
  const std::string inbox_; // "<prefix>.<unique>."
  const std::shared_ptr<Gate> gate_;
  EventLoop::AlarmId alarm_ = 0;
  PendingRequests pending_; // has its own mutex
};

} // namespace trellis
