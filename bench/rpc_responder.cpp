#include "rpc_responder.h"

#include "contracts/encoding.h"
#include "raw_connection.h"
#include "wire/names.h"
#include "wire/proof.h"
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

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

int run_responder(const ResponderArguments &arguments) {
  std::vector<std::unique_ptr<RawLoop>> loops;
  std::vector<std::unique_ptr<RawConnection>> connections;
  std::vector<natsSubscription *> subscriptions;
  const auto configure = [&](natsOptions *options) {
    return natsOptions_SetUserCredentialsFromFiles(options, arguments.credentials_file.c_str(), nullptr);
  };
  for (int i = 0; i < arguments.mode.threads; ++i) {
    loops.push_back(arguments.mode.event_loop ? std::make_unique<RawLoop>() : nullptr);
    connections.push_back(std::make_unique<RawConnection>(arguments.url, loops.back().get(), false, configure));
    natsSubscription *subscription = nullptr;
    static int verify_mark = 0;
    check(natsConnection_QueueSubscribe(&subscription, connections.back()->get(), arguments.subject.c_str(),
                                        arguments.subject.c_str(), echo, arguments.verify ? &verify_mark : nullptr),
          "subscribe");
    check(natsConnection_FlushTimeout(connections.back()->get(), 5000), "flush");
    subscriptions.push_back(subscription);
  }
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF)
    continue;
  for (const auto &loop : loops)
    if (loop) loop->end();
  for (auto *subscription : subscriptions)
    natsSubscription_Destroy(subscription);
  return 0;
}

} // namespace trellis::bench
