#include "raw_echo.h"

#include "contracts/encoding.h"
#include "raw_connection.h"
#include "wire/names.h"
#include "wire/proof.h"
#include <cstdlib>

namespace trellis::bench {
namespace {

std::string_view header(natsMsg *message, const char *name) {
  const char *value = nullptr;
  return natsMsgHeader_Get(message, name, &value) == NATS_OK ? std::string_view(value) : std::string_view();
}

bool proven(natsMsg *message) {
  const auto hash = sha256({reinterpret_cast<const std::uint8_t *>(natsMsg_GetData(message)),
                            static_cast<std::size_t>(natsMsg_GetDataLength(message))});
  const auto iat = std::strtoll(std::string(header(message, wire::kIat)).c_str(), nullptr, 10);
  return verify_request_proof(header(message, wire::kSessionKey), natsMsg_GetSubject(message), hash, iat,
                              header(message, wire::kRequestId), header(message, wire::kProof));
}

void echo(natsConnection *connection, natsSubscription *, natsMsg *message, void *verify) {
  if (!verify || proven(message))
    natsConnection_Publish(connection, natsMsg_GetReply(message), natsMsg_GetData(message),
                           natsMsg_GetDataLength(message));
  natsMsg_Destroy(message);
}

} // namespace

natsSubscription *serve_raw_echo(natsConnection *connection, const std::string &subject, bool verify) {
  static char verify_mark = 0;
  natsSubscription *subscription = nullptr;
  check(natsConnection_QueueSubscribe(&subscription, connection, subject.c_str(), subject.c_str(), echo,
                                      verify ? &verify_mark : nullptr),
        "subscribe");
  check(natsConnection_FlushTimeout(connection, 5000), "flush");
  return subscription;
}

} // namespace trellis::bench
