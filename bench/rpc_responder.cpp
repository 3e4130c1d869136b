#include "rpc_responder.h"

#include "raw_connection.h"
#include "raw_echo.h"
#include <cstdio>
#include <memory>
#include <vector>

namespace trellis::bench {
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
    subscriptions.push_back(serve_raw_echo(connections.back()->get(), arguments.subject, arguments.verify));
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
