#include "bundle_server.h"
#include "cli/bundle.h"
#include "support/wait_until.h"
#include "wire/ulid.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace trellis::test {
namespace {

// An address of this machine with a port that nobody had a moment ago, or one to try.
sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}
std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr *>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size) == 0;
  ::close(fd);
  if (!bound) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}
bool listens(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

} // namespace

BundleServer::BundleServer() {
  for (int attempt = 0; attempt < 5 && !server_; ++attempt)
    start();
  if (!server_) throw std::runtime_error("nats-server didn't start: " + read_file(dir_ / "nats.log"));
}

// The port may be taken by the time the server binds it: then the server ends, and the next attempt picks another.
void BundleServer::start() {
  const std::uint16_t port = free_port();
  url_ = "nats://127.0.0.1:" + std::to_string(port);
  cli::BundleOptions options;
  options.dir = bundle();
  options.nats_url = url_;
  options.websocket_url.clear();
  options.monitor_port = 0;
  const auto made = cli::make_bundle(options, unix_ms_now() / 1000);
  if (!made) throw std::runtime_error(made.error().text());
  if (const auto written = cli::write_bundle(*made, bundle(), true); !written)
    throw std::runtime_error(written.error().text());
  const std::string config = (bundle() / "nats/nats.conf").string();
  auto server = std::make_unique<Process>(std::vector<std::string>{"/usr/bin/env", "nats-server", "-c", config},
                                          dir_ / "nats.log");
  bool ended = false;
  const bool up = wait_until([&] {
    ended = server->wait(std::chrono::milliseconds(0)).has_value();
    return ended || listens(port);
  });
  if (up && !ended) server_ = std::move(server);
}

} // namespace trellis::test
