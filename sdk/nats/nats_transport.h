// Transport over nats.c, the only place that includes nats.h.
//
// All connections of a process share one NatsLoop: one epoll thread that nats.c's event-loop interface hangs its
// sockets on, with SendAsap, which measured three times the throughput and an eighth of the latency of nats.c's own
// threads. A NatsTransport is logical. It starts connecting at once and retries for ever with backoff, each time with
// fresh credentials, and subscribes again; before its JWT expires it connects a successor, subscribes there, and only
// then drains the old connection, so that no request is lost. Rejected: nats.c's own reconnect, which can't change
// credentials, gives up for good after two denials, and answers requests on a connection that may not answer them.
//
// While it is disconnected, publish() and request() fail with `closed`; nothing is kept for later. Requests that were
// sent before keep waiting until their timeout: their answers are taken from the next connection too.
// A rotation neither loses nor doubles a message, but what was published before and after the switch may overtake each
// other.
#pragma once

#include "transport/transport.h"
#include "wire/credentials.h"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis {

// Codes of on_problem about connections (permission_denied and other errors of transport_error come there as well).
namespace connect_error {
inline constexpr char kFailed[] = "connect_failed";       // no server could be reached, or it didn't answer in time
inline constexpr char kDenied[] = "connect_denied";       // a server refused the credentials
inline constexpr char kExpired[] = "credentials_expired"; // the server ended a connection: JWT expired or revoked
// A subscription (where = its subject) lost messages, because callbacks were slower than the server for too long.
inline constexpr char kSlowConsumer[] = "slow_consumer";
} // namespace connect_error

// One connection's credentials.
struct ConnectionCredentials {
  NatsCredentials user; // user JWT and its seed: with a callout those of the sentinel
  std::function<std::string()>
      auth_token; // connect token for each attempt; pure, called under nats.c's lock; may be empty
  std::optional<std::int64_t> expires_at; // Unix seconds; a successor connects at 80 % of the time left
};

class NatsLoop {
public:
  static Result<std::unique_ptr<NatsLoop>> start();
  virtual ~NatsLoop() = default;
};

enum class ConnectionState { connecting, connected, disconnected, closed };

struct NatsOptions {
  // "nats://host:port", or "tls://host:port" to insist on TLS (verified against the system's certificates); one tls://
  // makes it so for all of them. A server that requires TLS gets it either way.
  std::vector<std::string> servers;
  std::string name;         // shown by the server
  std::string inbox_prefix; // "_INBOX.<key16>"
  // Called on a thread of the transport before each connection is made, so it may read files and sign. An error is
  // logged through on_problem and tried again with backoff. nullptr: no authentication (bare test servers).
  std::function<Result<ConnectionCredentials>()> credentials;
  std::function<void(ConnectionState, const std::string &detail)> on_state; // [network thread]
  std::function<void(const Error &)> on_problem; // [network thread] e.g. code permission_denied, where = subject
  // A connection that messages came in on ends. `alive`: it is a replaced one that is about to be closed, and respond()
  // still works for the length of this call; then it is called a second time, without. Each connection that was ever
  // used ends once without, but those that close() ends. [thread of the transport]
  std::function<void(std::uint64_t connection, bool alive)> on_connection_end;
  std::chrono::milliseconds backoff_min{100}, backoff_max{5000};
  std::chrono::milliseconds connect_timeout{10'000}; // for TCP and for the server's answer to CONNECT
  std::chrono::milliseconds ping_interval{20'000};   // two unanswered pings end a connection
  std::chrono::milliseconds linger_max{30'000};      // a replaced connection stays open this long for answers, at most
  int max_undelivered = 1 << 20; // messages of one subscription that wait for its callback; more are lost
  std::size_t max_unsent = std::size_t{64} << 20; // bytes waiting for the socket before publish() says `overflow`
};

class NatsTransport : public Transport {
public:
  // Returns at once; the connection is made in the background.
  static std::unique_ptr<NatsTransport> open(NatsLoop &loop, NatsOptions options);

  virtual ConnectionState state() const = 0;
  // [may block] False when `timeout` passed first.
  virtual bool wait_connected(std::chrono::milliseconds timeout) = 0;
  // Connects a successor now (new credentials), moves the subscriptions, drains the old connection.
  virtual void rotate() = 0;
  // [may block] Ends it for good: nothing is called afterwards. Drains what was published.
  virtual void close(std::chrono::milliseconds timeout) = 0;

  struct Counts {
    std::uint64_t connects = 0, rotations = 0, permission_errors = 0;
    // Unix milliseconds. When the present connection, or the last one, was made; when its credentials end, 0: never.
    std::int64_t connected_at = 0, expires_at = 0;
  };
  virtual Counts counts() const = 0;
};

} // namespace trellis
