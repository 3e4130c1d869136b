// A received message: owns nats.c's, and remembers the connection that it came in on.
#pragma once

#include "nats/connection_use.h"
#include "transport/transport.h"
#include <memory>
#include <nats/nats.h>

namespace trellis {

class NatsMessage final : public Message {
public:
  NatsMessage(natsMsg *message, ConnectionUse connection) // takes `message` over
      : message_(message), connection_(std::move(connection)) {}
  ~NatsMessage() override { natsMsg_Destroy(message_); }
  NatsMessage(const NatsMessage &) = delete;
  NatsMessage &operator=(const NatsMessage &) = delete;

  std::string_view subject() const override;
  std::string_view reply() const override;
  std::string_view payload() const override;
  std::string_view header(std::string_view name) const override;
  Headers headers() const override;
  Result<void> respond(std::string_view payload, const Headers *headers) const override;
  Result<void> respond_and_watch(std::string_view payload, const Headers *headers, OnUnheard on_unheard) const override;
  std::uint64_t connection() const override;

  bool is_no_responders() const { return natsMsg_IsNoResponders(message_); }

private:
  natsMsg *const message_;
  const ConnectionUse connection_;
};

} // namespace trellis
