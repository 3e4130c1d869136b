#include "nats/lifeline.h"
#include "nats/backoff.h"
#include "wire/ulid.h"
#include <algorithm>
#include <ctime>
#include <utility>

namespace trellis {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLastFlush{2'000};      // for answers on a replaced connection before it is closed
constexpr milliseconds kDrainWait{5'000};      // for the server to confirm the end of subscriptions
constexpr milliseconds kShortestRotation{500}; // also when credentials come with less life than that
constexpr milliseconds kStable{5'000};         // a connection that lived this long starts backoff anew
constexpr milliseconds kGoodbye{1'000};        // before its expiry a replaced connection is ended in order, or 5 % of
                                               // its life: until then it still carries the answers that it owes
constexpr std::size_t kDrainsAtOnce = 8;       // each costs a thread of nats.c for one round trip

// Counts down what several threads finish. Shared, because the last one may come after the wait was given up.
class Countdown {
public:
  explicit Countdown(std::size_t left) : left_(left) {}
  void arrive() {
    const std::lock_guard lock(mutex_);
    if (--left_ == 0) done_.notify_all();
  }
  void wait(milliseconds limit) {
    std::unique_lock lock(mutex_);
    done_.wait_for(lock, limit, [this] { return left_ == 0; });
  }

private:
  std::mutex mutex_; // guards left_
  std::condition_variable done_;
  std::size_t left_;
};

milliseconds life_left(std::int64_t expires_at) {
  const auto now = std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  return std::max(milliseconds(0), std::chrono::seconds(expires_at) - now);
}

} // namespace

Lifeline::Lifeline(Parts parts) : parts_(std::move(parts)), strand_(Strand::make(*parts_.loop)) {}

std::shared_ptr<Lifeline> Lifeline::start(Parts parts) {
  std::shared_ptr<Lifeline> self(new Lifeline(std::move(parts)));
  self->alarm_ = self->parts_.loop->add_alarm([weak = std::weak_ptr(self)] {
    if (const auto lifeline = weak.lock()) lifeline->post_control();
  });
  self->post_control();
  return self;
}

// ---------------------------------------------------------------- questions

std::shared_ptr<Connection> Lifeline::current() const {
  const std::lock_guard lock(mutex_);
  return current_.connection;
}

ConnectionState Lifeline::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

NatsTransport::Counts Lifeline::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

bool Lifeline::wait_connected(milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  state_changed_.wait_for(lock, timeout,
                          [this] { return state_ == ConnectionState::connected || state_ == ConnectionState::closed; });
  return state_ == ConnectionState::connected;
}

Result<void> Lifeline::flush(milliseconds timeout) {
  std::vector<std::shared_ptr<Connection>> replaced;
  std::shared_ptr<Connection> connection;
  {
    const std::lock_guard lock(mutex_);
    connection = current_.connection;
    for (const auto &link : replaced_)
      replaced.push_back(link.connection);
  }
  if (!connection) return fail(transport_error::kClosed, "flush", "not connected");
  for (const auto &old : replaced)
    old->flush(timeout).or_else([](const Error &) {}); // what a lost one had is lost
  return connection->flush(timeout);
}

// ---------------------------------------------------------------- events

void Lifeline::post_control() {
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || std::exchange(control_posted_, true)) return;
  }
  strand_->post([self = shared_from_this()] { self->control(); });
}

void Lifeline::rotate() {
  {
    const std::lock_guard lock(mutex_);
    rotate_wanted_ = true;
  }
  post_control();
}

void Lifeline::connection_unused(Connection &) {
  post_control();
}

Result<void> Lifeline::publish_watched(const std::shared_ptr<Connection> &connection, const Outbound &message,
                                       Message::OnUnheard on_unheard) {
  return parts_.watch(connection, message, std::move(on_unheard));
}

void Lifeline::tell_end(const Connection &connection, bool alive) {
  if (!parts_.options.on_connection_end) return;
  parts_.gate->pass([&] { parts_.options.on_connection_end(connection.id(), alive); });
}

void Lifeline::connection_error(Connection &connection, natsStatus status, const std::string &text,
                                const std::string &subject) {
  if (const auto violation = parse_permission_violation(text)) {
    parts_.on_refused(connection, *violation);
    return report(fail(transport_error::kDenied, violation->subject, text).value());
  }
  if (tells_expiry(text)) {
    if (current().get() != &connection) return; // a replaced one lingered until its end: that was the plan
    return report(fail(connect_error::kExpired, parts_.options.name, text).value());
  }
  Error problem = nats_failure(status, subject.empty() ? parts_.options.name : subject);
  if (!text.empty()) problem.message = text;
  report(problem);
}

void Lifeline::connection_lost(Connection &connection, const std::string &why) {
  tell_end(connection, false);
  const auto now = steady_clock::now();
  bool was_current = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    was_current = current_.connection.get() == &connection;
    if (was_current) {
      note_state_locked(ConnectionState::disconnected, why);
      failures_ = now - current_.since >= kStable ? 0 : failures_;
      note_failure_locked(now);
      replaced_.push_back(std::exchange(current_, {}));
    }
    for (auto &link : replaced_) {
      if (link.connection.get() == &connection) link.lingers_until = now;
    }
  }
  if (was_current) strand_->post([self = shared_from_this()] { self->tell_states(); });
  post_control();
}

void Lifeline::note_failure_locked(SteadyTime now) {
  const double random = std::uniform_real_distribution<double>(0, 1)(random_);
  next_attempt_ = now + backoff_delay(++failures_, parts_.options.backoff_min, parts_.options.backoff_max, random);
}

// A rotation changes nothing for the user, so it isn't told.
void Lifeline::note_state_locked(ConnectionState state, std::string detail) {
  was_lost_ = was_lost_ || state == ConnectionState::disconnected;
  if (std::exchange(state_, state) != state) untold_.emplace_back(state, std::move(detail));
}

void Lifeline::tell_states() {
  std::vector<std::pair<ConnectionState, std::string>> changes;
  bool restored = false;
  {
    const std::lock_guard lock(mutex_);
    changes.swap(untold_);
    restored = state_ == ConnectionState::connected && std::exchange(was_lost_, false);
  }
  for (const auto &change : changes)
    if (parts_.options.on_state) parts_.gate->pass([&] { parts_.options.on_state(change.first, change.second); });
  if (restored) parts_.gate->pass(parts_.on_restored);
}

void Lifeline::report(const Error &problem) {
  if (problem.code == transport_error::kDenied) {
    const std::lock_guard lock(mutex_);
    ++counts_.permission_errors;
  }
  if (!parts_.options.on_problem) return;
  parts_.gate->pass([&] { parts_.options.on_problem(problem); });
}

// ---------------------------------------------------------------- control, on the strand

bool Lifeline::wants_connection(SteadyTime now) const {
  if (closing_ || now < next_attempt_) return false;
  return !current_.connection || rotate_wanted_ || now >= current_.rotates;
}

SteadyTime Lifeline::next_look() const {
  auto next = current_.connection && !rotate_wanted_ ? std::max(current_.rotates, next_attempt_) : next_attempt_;
  for (const auto &link : replaced_)
    next = std::min(next, link.lingers_until);
  return next;
}

void Lifeline::control() {
  end_finished_links();
  bool wants = false;
  {
    const std::lock_guard lock(mutex_);
    control_posted_ = false; // what happens from here on posts anew
    wants = wants_connection(steady_clock::now());
  }
  if (wants) attempt();
  const std::lock_guard lock(mutex_);
  if (!closing_) parts_.loop->set_alarm(alarm_, next_look());
}

void Lifeline::attempt() {
  auto link = make_link();
  if (link) return adopt(std::move(*link));
  report(link.error());
  const std::lock_guard lock(mutex_);
  note_failure_locked(steady_clock::now());
}

// A connection that the server has confirmed, with all subscriptions made on it.
Result<Lifeline::Link> Lifeline::make_link() {
  const auto &options = parts_.options;
  std::optional<Result<ConnectionCredentials>> asked;
  if (options.credentials) {
    parts_.gate->pass([&] { asked.emplace(options.credentials()); });
    if (!asked) return fail(transport_error::kClosed, options.name, "the transport is closed");
    if (!*asked) return tl::unexpected(asked->error());
  }
  const ConnectionCredentials *credentials = asked ? &**asked : nullptr;
  auto connection = Connection::connect(*parts_.loop,
                                        {.servers = options.servers,
                                         .name = options.name,
                                         .connect_timeout = options.connect_timeout,
                                         .ping_interval = options.ping_interval,
                                         .max_undelivered = options.max_undelivered,
                                         .max_unsent = options.max_unsent,
                                         .listener = weak_from_this()},
                                        credentials);
  if (!connection) return tl::unexpected(connection.error());
  Link link{.connection = std::move(*connection), .inbox = nullptr, .draining = {}, .since = steady_clock::now()};
  if (credentials != nullptr && credentials->expires_at) {
    const auto left = life_left(*credentials->expires_at);
    link.expires = link.since + left;
    link.rotates = link.since + std::max(kShortestRotation, left * 4 / 5);
  }
  if (auto bound = bind(link); !bound) {
    parts_.subscriptions->unbind(*link.connection);
    parts_.subscriptions->settled();
    link.connection->close();
    return tl::unexpected(bound.error());
  }
  return link;
}

Result<void> Lifeline::bind(Link &link) {
  auto inbox = Binding::make(link.connection, parts_.inbox);
  if (!inbox) return tl::unexpected(inbox.error());
  link.inbox = std::move(*inbox);
  if (auto bound = parts_.subscriptions->bind(link.connection); !bound) return bound;
  return link.connection->flush(parts_.options.connect_timeout); // the server has processed every SUB
}

// The old connection stops receiving before the new one is used: that is when both get what plain subscriptions want,
// so it comes first and nothing else is done in between.
void Lifeline::adopt(Link fresh) {
  const auto old = current();
  std::vector<std::shared_ptr<Binding>> ended;
  if (old) ended = parts_.subscriptions->unbind(*old);
  drain(ended);
  parts_.subscriptions->settled();
  const auto connection = fresh.connection;
  if (!switch_to(std::move(fresh), std::move(ended))) return connection->close();
  state_changed_.notify_all();
  if (connection->lost()) connection_lost(*connection, "lost at once"); // it was nobody's when it happened
  tell_states();
  if (old) old->retire();
}

// When a replaced connection is ended, rather than by the server when its JWT expires.
SteadyTime Lifeline::last_words(const Link &link, SteadyTime now) {
  if (link.expires == kNever) return kNever;
  const auto goodbye = std::min<steady_clock::duration>(kGoodbye, (link.expires - link.since) / 20);
  return std::max(now, link.expires - goodbye);
}

// False when the transport is being closed.
bool Lifeline::switch_to(Link fresh, std::vector<std::shared_ptr<Binding>> ended) {
  const std::lock_guard lock(mutex_);
  if (closing_) return false;
  if (current_.connection) {
    current_.draining = std::move(ended);
    const auto now = steady_clock::now();
    current_.lingers_until = std::min(last_words(current_, now), now + parts_.options.linger_max);
    replaced_.push_back(std::move(current_));
    failures_ = 0;
    ++counts_.rotations;
  }
  current_ = std::move(fresh);
  counts_.connected_at = unix_ms_now();
  counts_.expires_at =
      current_.expires == kNever
          ? 0
          : counts_.connected_at +
                std::chrono::duration_cast<milliseconds>(current_.expires - steady_clock::now()).count();
  rotate_wanted_ = false;
  next_attempt_ = {};
  ++counts_.connects;
  note_state_locked(ConnectionState::connected, {});
  return true;
}

// Plain subscriptions come first: both connections get their messages until the server has seen UNSUB.
void Lifeline::drain(const std::vector<std::shared_ptr<Binding>> &bindings) {
  for (std::size_t start = 0; start < bindings.size(); start += kDrainsAtOnce) {
    const auto count = std::min(kDrainsAtOnce, bindings.size() - start);
    const auto left = std::make_shared<Countdown>(count);
    for (std::size_t i = start; i < start + count; ++i)
      bindings[i]->drain([left] { left->arrive(); });
    left->wait(kDrainWait);
  }
}

void Lifeline::end_finished_links() {
  std::vector<Link> finished;
  {
    const std::lock_guard lock(mutex_);
    const auto now = steady_clock::now();
    const auto rest = std::stable_partition(replaced_.begin(), replaced_.end(), [&](const Link &link) {
      return now < link.lingers_until && !link.connection->unused();
    });
    std::move(rest, replaced_.end(), std::back_inserter(finished));
    replaced_.erase(rest, replaced_.end());
  }
  for (const auto &link : finished)
    end_link(link);
}

void Lifeline::end_link(const Link &link) {
  if (!link.connection->lost()) tell_end(*link.connection, true);
  link.connection->flush(kLastFlush).or_else([](const Error &) {}); // fails at once on a lost one
  parts_.subscriptions->unbind(*link.connection);
  link.connection->close();
}

// ---------------------------------------------------------------- the end

void Lifeline::close(milliseconds timeout) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closing_, true)) return;
  }
  const auto deadline = steady_clock::now() + timeout;
  const auto left = [&] { return std::chrono::ceil<milliseconds>(deadline - steady_clock::now()); };
  if (timeout > milliseconds(0)) flush(timeout).or_else([](const Error &) {});
  strand_->close(std::max(milliseconds(0), left()));
  std::vector<Link> links;
  {
    const std::lock_guard lock(mutex_);
    note_state_locked(ConnectionState::closed, {});
    links.swap(replaced_);
    if (current_.connection) links.push_back(std::exchange(current_, {}));
  }
  state_changed_.notify_all();
  parts_.loop->remove_alarm(alarm_);
  parts_.subscriptions->close();
  for (auto &link : links)
    link.connection->close();
  tell_states();
}

} // namespace trellis
