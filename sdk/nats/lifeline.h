// Keeps a transport connected: makes connections, replaces them before they expire, and ends the replaced ones when
// nobody needs them any more.
//
// Everything that may block runs on the transport's strand. Events (a lost connection, an alarm, rotate()) only note
// what happened and post control(), which compares what is with what should be; so it doesn't matter in which order
// events arrive or whether two become one.
#pragma once

#include "nats/binding.h"
#include "nats/connection.h"
#include "nats/gate.h"
#include "nats/nats_transport.h"
#include "nats/protocol_text.h"
#include "nats/strand.h"
#include "nats/subscriptions.h"
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace trellis {

class Lifeline final : public ConnectionListener, public std::enable_shared_from_this<Lifeline> {
public:
  // `inbox` is bound on every connection for as long as that is open. `on_refused` hears which subjects the server
  // refuses. User callbacks run inside `gate`.
  struct Parts {
    EventLoop *loop;
    NatsOptions options;
    std::shared_ptr<Subscriptions> subscriptions;
    std::shared_ptr<Receiver> inbox;
    std::shared_ptr<Gate> gate;
    std::function<void(Connection &, const PermissionViolation &)> on_refused;
    std::function<Result<void>(const std::shared_ptr<Connection> &, const Outbound &, Message::OnUnheard)> watch;
    std::function<void()> on_restored; // connected again after a loss
  };
  static std::shared_ptr<Lifeline> start(Parts parts);
  ~Lifeline() override = default;

  // [thread-safe] nullptr while there is none.
  std::shared_ptr<Connection> current() const;
  ConnectionState state() const;
  bool wait_connected(std::chrono::milliseconds timeout) const; // [may block]
  void rotate();
  Result<void> flush(std::chrono::milliseconds timeout); // [may block]
  void close(std::chrono::milliseconds timeout);         // [may block] afterwards no connection and no subscription
  NatsTransport::Counts counts() const;

  void connection_lost(Connection &connection, const std::string &why) override;
  void connection_error(Connection &connection, natsStatus status, const std::string &text,
                        const std::string &subject) override;
  void connection_unused(Connection &connection) override;
  Result<void> publish_watched(const std::shared_ptr<Connection> &connection, const Outbound &message,
                               Message::OnUnheard on_unheard) override;

private:
  // A connection with what belongs to it.
  struct Link {
    std::shared_ptr<Connection> connection;
    std::shared_ptr<Binding> inbox;
    std::vector<std::shared_ptr<Binding>> draining;
    SteadyTime since{};
    SteadyTime expires = kNever;
    SteadyTime rotates = kNever;
    SteadyTime lingers_until = kNever;
  };

  explicit Lifeline(Parts parts);

  void post_control();
  void control();                // [strand]
  void attempt();                // [strand]
  Result<Link> make_link();      // [strand]
  Result<void> bind(Link &link); // [strand]
  void adopt(Link fresh);        // [strand]
  static SteadyTime last_words(const Link &link, SteadyTime now);
  bool switch_to(Link fresh, std::vector<std::shared_ptr<Binding>> ended); // [strand]
  void end_finished_links();                                               // [strand]
  void end_link(const Link &link);                                         // [strand]
  void drain(const std::vector<std::shared_ptr<Binding>> &bindings);       // [strand]
  void report(const Error &problem);
  void tell_end(const Connection &connection, bool alive);
  void tell_states(); // [strand], and close()
  void note_state_locked(ConnectionState state, std::string detail);
  bool wants_connection(SteadyTime now) const;
  SteadyTime next_look() const;
  void note_failure_locked(SteadyTime now);

  const Parts parts_;
  const std::shared_ptr<Strand> strand_;
  EventLoop::AlarmId alarm_ = 0;

  mutable std::mutex mutex_; // guards everything below
  mutable std::condition_variable state_changed_;
  ConnectionState state_ = ConnectionState::connecting;
  bool was_lost_ = false;                                       // and nobody was told yet that there is another
  std::vector<std::pair<ConnectionState, std::string>> untold_; // changes that on_state hasn't heard yet
  Link current_;
  std::vector<Link> replaced_; // lingering, or lost and to be ended
  SteadyTime next_attempt_{};
  int failures_ = 0;
  bool rotate_wanted_ = false;
  bool control_posted_ = false;
  bool closing_ = false;
  NatsTransport::Counts counts_;
  std::minstd_rand random_{std::random_device{}()};
};

} // namespace trellis
