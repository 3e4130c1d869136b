#include "transport/transport.h"
#include <future>
#include <utility>

namespace trellis {

Result<MessagePtr> request_and_wait(Transport &transport, const Outbound &message, std::chrono::milliseconds timeout) {
  // Shared, because on_reply may still be inside set_value() when get() returns.
  const auto answer = std::make_shared<std::promise<Result<MessagePtr>>>();
  auto arrival = answer->get_future();
  transport.request(message, timeout, [answer](Result<MessagePtr> reply) { answer->set_value(std::move(reply)); });
  return arrival.get(); // request() promises to call exactly once, so this needs no deadline of its own
}

} // namespace trellis
