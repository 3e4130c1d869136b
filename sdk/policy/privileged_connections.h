// The control plane's own NATS connections (03 §2.4), and trellis.connections/1 over them.
//
// Three logical transports on credentials files, outside the callout, that connect again for ever. The files are read
// before each connection, so that an operator can replace one without a restart. Rejected: handing the credentials to
// the plugin, which would then need a NATS client of its own.
#pragma once

#include "host_config/config.h"
#include "nats/nats_transport.h"
#include "wire/session_key.h"
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <trellis/control_plane.h>

namespace trellis::host {

class PrivilegedConnections {
public:
  struct Options {
    ConnectionFiles files;
    std::vector<std::string> servers;
    std::string client_name;  // shown by the server, with the connection's name behind it
    std::string inbox_prefix; // of "trellis"
    std::chrono::milliseconds backoff_max{5000};
    std::function<void(std::string_view connection, ConnectionState, const std::string &detail)> on_state;
    std::function<void(std::string_view connection, const Error &)> on_problem;
  };

  PrivilegedConnections();
  ~PrivilegedConnections();
  PrivilegedConnections(const PrivilegedConnections &) = delete;
  PrivilegedConnections &operator=(const PrivilegedConnections &) = delete;

  // Starts connecting. Errors: those of read_secret_file and parse_credentials, for the first file that is unusable.
  Result<void> open(NatsLoop &loop, Options options);
  // [may block] Until all three are connected; false when `stop` was requested before.
  bool wait_connected(const std::stop_token &stop);
  // [may block] Ends the plugin's subscriptions and the connections.
  void close(std::chrono::milliseconds timeout);

  NatsTransport &trellis(); // after open
  // [thread-safe] nullptr before open, and for names that aren't one of the three.
  trellis_connection *find(std::string_view name);

private:
  std::array<std::unique_ptr<trellis_connection>, 3> connections_;
};

// The credentials in a file that only its owner may read. Errors as PrivilegedConnections::open.
Result<NatsCredentials> read_credentials_file(const std::filesystem::path &file);
// The session seed in such a file. Error "key_invalid" besides those of read_secret_file.
Result<SessionKey> read_session_seed(const std::filesystem::path &file);

namespace connection_functions {
trellis_status publish(trellis_connection *connection, trellis_str subject, trellis_str reply, trellis_str payload,
                       const trellis_header *headers, std::size_t header_count) noexcept;
void request(trellis_connection *connection, trellis_str subject, trellis_str payload, const trellis_header *headers,
             std::size_t header_count, std::uint32_t timeout_ms, trellis_message_reply_fn reply,
             void *context) noexcept;
trellis_status subscribe(trellis_connection *connection, trellis_str subject, trellis_str queue_group,
                         trellis_message_fn on_message, void *context, trellis_subscription *out) noexcept;
void unsubscribe(trellis_connection *connection, trellis_subscription subscription) noexcept;
trellis_status flush(trellis_connection *connection, std::uint32_t timeout_ms) noexcept;
std::size_t max_payload(trellis_connection *connection) noexcept;
} // namespace connection_functions

// The extension's table with `find`, which knows whose connections they are.
constexpr trellis_connections_v1 privileged_connection_functions(trellis_connection *(*find)(void *, trellis_str)) {
  namespace fn = connection_functions;
  return {sizeof(trellis_connections_v1),
          0,
          find,
          &fn::publish,
          &fn::request,
          &fn::subscribe,
          &fn::unsubscribe,
          &fn::flush,
          &fn::max_payload};
}

} // namespace trellis::host
