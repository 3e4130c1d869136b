#include "nats/subscriptions.h"
#include "nats/protocol_text.h"
#include <algorithm>
#include <atomic>
#include <utility>

namespace trellis {

// What the caller holds. Lives on the caller's threads; keeps the registry alive, not the connections.
class Subscriptions::Handle final : public Subscription {
public:
  Handle(std::shared_ptr<Subscriptions> owner, std::shared_ptr<Receiver> receiver, Id id)
      : owner_(std::move(owner)), receiver_(std::move(receiver)), id_(id) {}
  ~Handle() override {
    receiver_->gate.close();
    owner_->remove(id_);
  }

  void drain(std::function<void()> done) override {
    owner_->drain(id_, [receiver = receiver_, done = std::move(done)] { receiver->gate.pass(done); });
  }

private:
  const std::shared_ptr<Subscriptions> owner_;
  const std::shared_ptr<Receiver> receiver_;
  const Id id_;
};

Result<std::unique_ptr<Subscription>> Subscriptions::add(std::string subject, std::string queue_group,
                                                         Transport::OnMessage on_message) {
  if (!is_sendable_subject(subject) || (!queue_group.empty() && !is_sendable_subject(queue_group)))
    return fail(transport_error::kInvalid, std::move(subject), "not a subject or queue group to subscribe to");
  auto receiver = std::make_shared<Receiver>();
  receiver->subject = std::move(subject);
  receiver->queue_group = std::move(queue_group);
  receiver->on_message = std::move(on_message);
  const std::lock_guard lock(mutex_);
  if (closed_) return fail(transport_error::kClosed, receiver->subject, "the transport is closed");
  Entry entry{.receiver = receiver, .bindings = {}};
  if (connections_.size() > 1) expect_copies(entry);
  for (const auto &connection : connections_) {
    if (auto bound = bind_entry(entry, connection); !bound) return tl::unexpected(bound.error());
  }
  const auto id = ++last_id_;
  entries_.emplace(id, std::move(entry));
  return std::make_unique<Handle>(shared_from_this(), std::move(receiver), id);
}

// A connection that has just ended is no error: the next one gets the subscription.
Result<void> Subscriptions::bind_entry(Entry &entry, const std::shared_ptr<Connection> &connection) {
  auto binding = Binding::make(connection, entry.receiver);
  if (binding) {
    entry.bindings.push_back(std::move(*binding));
    return {};
  }
  if (binding.error().code == transport_error::kClosed) return {};
  return tl::unexpected(binding.error());
}

Result<void> Subscriptions::bind(const std::shared_ptr<Connection> &connection) {
  const std::lock_guard lock(mutex_);
  if (closed_) return fail(transport_error::kClosed, "", "the transport is closed");
  connections_.push_back(connection);
  for (auto &[id, entry] : entries_) {
    if (entry.draining) continue;
    if (connections_.size() > 1) expect_copies(entry);
    if (auto bound = bind_entry(entry, connection); !bound) return bound;
  }
  return {};
}

void Subscriptions::settled() {
  const std::lock_guard lock(mutex_);
  for (const auto &[id, entry] : entries_)
    entry.receiver->copies.end();
}

// Of a queue group one connection gets each message.
void Subscriptions::expect_copies(const Entry &entry) {
  if (entry.receiver->queue_group.empty()) entry.receiver->copies.begin();
}

std::vector<Subscriptions::BindingPtr> Subscriptions::unbind(const Connection &connection) {
  std::vector<BindingPtr> plain;
  std::vector<BindingPtr> grouped;
  const std::lock_guard lock(mutex_);
  std::erase_if(connections_, [&](const auto &bound) { return bound.get() == &connection; });
  for (auto &[id, entry] : entries_) {
    auto &out = entry.receiver->queue_group.empty() ? plain : grouped;
    const auto moved = std::stable_partition(entry.bindings.begin(), entry.bindings.end(),
                                             [&](const auto &b) { return b->connection() != &connection; });
    if (entry.draining) continue; // its own drain waits for these
    std::move(moved, entry.bindings.end(), std::back_inserter(out));
    entry.bindings.erase(moved, entry.bindings.end());
  }
  std::move(grouped.begin(), grouped.end(), std::back_inserter(plain));
  return plain;
}

void Subscriptions::drain(Id id, std::function<void()> done) {
  std::vector<BindingPtr> bindings;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end() || std::exchange(found->second.draining, true)) return;
    bindings = found->second.bindings;
  }
  if (bindings.empty()) return done();
  const auto left = std::make_shared<std::atomic<std::size_t>>(bindings.size());
  for (const auto &binding : bindings) {
    binding->drain([left, done] {
      if (--*left == 0) done();
    });
  }
}

void Subscriptions::remove(Id id) {
  Entry removed; // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  removed = std::move(found->second);
  entries_.erase(found);
}

void Subscriptions::close() {
  std::vector<std::shared_ptr<Receiver>> receivers;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const auto &[id, entry] : entries_)
      receivers.push_back(entry.receiver);
  }
  for (const auto &receiver : receivers)
    receiver->gate.close();
  std::vector<BindingPtr> dropped; // destroyed without the lock
  const std::lock_guard lock(mutex_);
  connections_.clear();
  for (auto &[id, entry] : entries_)
    std::move(entry.bindings.begin(), entry.bindings.end(), std::back_inserter(dropped));
  for (auto &[id, entry] : entries_)
    entry.bindings.clear();
}

} // namespace trellis
