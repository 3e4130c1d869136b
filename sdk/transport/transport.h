// Transport: what the rest of the project knows of NATS. Publish, subscribe and request, all with headers.
//
// Two implementations exist: sdk/nats over nats.c, and the host's functions across the plugin ABI (inside plugins).
// A Transport is logical: it outlives TCP connections, reconnects, credential rotations and even nats.c's CLOSED state;
// subscriptions made on it are made again on every new connection. Rejected: exposing connection objects, because every
// user would then have to write the same recovery.
#pragma once

#include "contracts/result.h"
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// A header with an empty value isn't sent: to header() it is the same as none.
struct Header {
  std::string name; // compared case-sensitively (06 §2)
  std::string value;
};
using Headers = std::vector<Header>;

// A received message. Move its pointer to the thread that handles it; the views live as long as the message.
class Message {
public:
  virtual ~Message() = default;
  virtual std::string_view subject() const = 0;
  virtual std::string_view reply() const = 0; // "" when the sender wants no answer
  virtual std::string_view payload() const = 0;
  // First value of the header of exactly this name, "" when absent. Not thread-safe for one message.
  virtual std::string_view header(std::string_view name) const = 0;
  virtual Headers headers() const = 0;
  // [thread-safe] Publishes to reply() on the connection that the message came in on. The server ties the permission to
  // answer to that connection, so after a rotation Transport::publish() would be refused. Errors: no_reply, closed
  // (that connection is gone, and no other may answer), and those of publish().
  virtual Result<void> respond(std::string_view payload, const Headers *headers = nullptr) const = 0;

  // [thread-safe] respond(), with a reply subject of ours on the message, so that the server says when nobody receives
  // it: `on_unheard` then runs once, soon and on a network thread, with no_responders or permission_denied. Silence
  // means that it was received. A transport that can't know only responds.
  using OnUnheard = std::function<void(const Error &)>;
  virtual Result<void> respond_and_watch(std::string_view payload, const Headers *headers, OnUnheard) const {
    return respond(payload, headers);
  }
  // Names the connection that it came in on, for who must know when that ends; 0 when the transport can't say.
  virtual std::uint64_t connection() const { return 0; }
};
using MessagePtr = std::unique_ptr<const Message>;

// Hears something as long as it lives; afterwards the callback is neither running nor called again (so never destroy
// one inside its own callback).
class Listener {
public:
  virtual ~Listener() = default;
};

// A message to send. The views only need to live during the call.
struct Outbound {
  std::string_view subject;
  std::string_view reply = {};
  std::string_view payload = {};
  const Headers *headers = nullptr;
};

// Ends its subscription when destroyed; afterwards the callback is neither running nor called again
// (so never destroy one inside its own callback).
class Subscription {
public:
  virtual ~Subscription() = default;
  // Stops deliveries from the server but still hands over what has arrived; `done` runs when nothing is left.
  virtual void drain(std::function<void()> done) = 0;
};

// Error codes of publish, request and respond.
namespace transport_error {
inline constexpr char kNoResponders[] = "no_responders";
inline constexpr char kTimeout[] = "timeout";
inline constexpr char kDenied[] = "permission_denied"; // the server refused the publish or the subscribe
inline constexpr char kTooLarge[] = "too_large";       // payload over the server's max_payload
inline constexpr char kClosed[] = "closed";            // the transport was closed, or is not connected
inline constexpr char kOverflow[] = "overflow";        // too many bytes wait to be sent: the server reads too slowly
inline constexpr char kInvalid[] = "invalid_message";  // a subject or header that would break the protocol's lines
inline constexpr char kNoReply[] = "no_reply";         // the message asks for no answer
} // namespace transport_error

class Transport {
public:
  using OnMessage = std::function<void(MessagePtr)>;
  using OnReply = std::function<void(Result<MessagePtr>)>;

  virtual ~Transport() = default;

  // [thread-safe] Queues the message for sending; never waits for the network, and keeps nothing for later while there
  // is no connection. Errors: too_large, closed, overflow, invalid_message.
  virtual Result<void> publish(const Outbound &message) = 0;
  // [thread-safe] `on_message` runs on a network thread and must only enqueue. "" = no queue group.
  virtual Result<std::unique_ptr<Subscription>> subscribe(std::string subject, std::string queue_group,
                                                          OnMessage on_message) = 0;
  // [thread-safe] Sends with a fresh reply subject below the inbox prefix; `on_reply` runs exactly once, on a network
  // or timer thread (or inside the call when sending fails at once), and must not block.
  virtual void request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) = 0;
  // [thread-safe] Largest payload that the server takes, in bytes.
  virtual std::size_t max_payload() const = 0;
  // [may block] Waits until the server has seen everything published before.
  virtual Result<void> flush(std::chrono::milliseconds timeout) = 0;
  // [thread-safe] `restored` runs on a network thread each time that there is a connection again after one was lost,
  // with all subscriptions on it. Not after a rotation, which loses nothing. nullptr when the transport can't say.
  virtual std::unique_ptr<Listener> on_restored(std::function<void()> /*restored*/) { return nullptr; }
};

// [may block] request() and wait for its answer. Not for network or timer threads.
Result<MessagePtr> request_and_wait(Transport &transport, const Outbound &message, std::chrono::milliseconds timeout);

} // namespace trellis
