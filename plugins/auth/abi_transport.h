// Transport over the host's functions: a connection of extension trellis.connections/1 (plugin-api/control_plane.h).
//
// The C table lends a message for the length of a callback; a Message here is a copy that lives as long as it is
// wanted. Two things the table can't say are settled here: it has one status for "nobody listens" and "no connection",
// which a request reports as no_responders; and it has no drain, so that a drained subscription ends at once and loses
// what the host has received but not handed over. Rejected: passing the host's C++ Transport through the table, because
// the plugin and the host may be built with different compilers.
#pragma once

#include "transport/transport.h"
#include "trellis/control_plane.h"

namespace trellis::auth {

// [thread-safe] Immutable. Table and connection outlive it, its subscriptions and the messages that came through it.
class AbiTransport : public Transport {
public:
  AbiTransport(const trellis_connections_v1 &table, trellis_connection *connection)
      : table_(table), connection_(connection) {}

  Result<void> publish(const Outbound &message) override;
  Result<std::unique_ptr<Subscription>> subscribe(std::string subject, std::string queue_group,
                                                  OnMessage on_message) override;
  void request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) override;
  std::size_t max_payload() const override { return table_.max_payload(connection_); }
  Result<void> flush(std::chrono::milliseconds timeout) override;

private:
  const trellis_connections_v1 &table_;
  trellis_connection *connection_;
};

} // namespace trellis::auth
