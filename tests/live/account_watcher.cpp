#include "account_watcher.h"

#include "support/temp_dir.h"
#include "support/wait_until.h"
#include "wire/credentials.h"
#include <stdexcept>

namespace trellis::test {

std::unique_ptr<NatsTransport> watch_account(NatsLoop &loop, const std::string &url,
                                             const std::filesystem::path &bundle) {
  NatsOptions options;
  options.servers = {url};
  options.name = "watcher";
  options.inbox_prefix = "_INBOX.watcher";
  options.credentials = [file = bundle / "nats/creds/trellis-auth.creds"]() -> Result<ConnectionCredentials> {
    auto user = parse_credentials(read_file(file));
    if (!user) return tl::make_unexpected(user.error());
    return ConnectionCredentials{std::move(*user), {}, {}};
  };
  auto transport = NatsTransport::open(loop, std::move(options));
  if (!transport->wait_connected(std::chrono::seconds(10))) throw std::runtime_error("the watcher can't connect");
  return transport;
}

std::string Tap::Seen::header(const std::string &name) const {
  for (const auto &header : headers)
    if (header.name == name) return header.value;
  return {};
}

Tap::Tap(NatsTransport &watcher, const std::string &subject) {
  auto subscribed = watcher.subscribe(subject, "", [this](MessagePtr message) {
    const std::lock_guard lock(mutex_);
    seen_.push_back({std::string(message->payload()), message->headers()});
  });
  if (!subscribed || !watcher.flush(std::chrono::seconds(5))) throw std::runtime_error("the watcher can't subscribe");
  subscription_ = std::move(*subscribed);
}

Tap::Seen Tap::next() {
  const auto came = [&] {
    const std::lock_guard lock(mutex_);
    return !seen_.empty();
  };
  if (!wait_until(came)) throw std::runtime_error("nothing came on the subject");
  const std::lock_guard lock(mutex_);
  auto seen = std::move(seen_.front());
  seen_.pop_front();
  return seen;
}

} // namespace trellis::test
