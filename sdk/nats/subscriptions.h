// The logical subscriptions of one transport, and their bindings to whatever connections it has at the moment.
#pragma once

#include "nats/binding.h"
#include "transport/transport.h"
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace trellis {

class Subscriptions final : public std::enable_shared_from_this<Subscriptions> {
public:
  using BindingPtr = std::shared_ptr<Binding>;

  // Makes one, on every connection that is bound.
  Result<std::unique_ptr<Subscription>> add(std::string subject, std::string queue_group,
                                            Transport::OnMessage on_message);
  // Binds all of them, and from now on each new one, to `connection` as well.
  Result<void> bind(const std::shared_ptr<Connection> &connection);
  // The connections but one have stopped receiving.
  void settled();
  // Hands out the bindings to `connection`, plain subscriptions first, and binds no more to it.
  std::vector<BindingPtr> unbind(const Connection &connection);
  // [may block] Afterwards no callback runs or will run.
  void close();

private:
  class Handle;
  struct Entry {
    std::shared_ptr<Receiver> receiver;
    std::vector<BindingPtr> bindings;
    bool draining = false;
  };
  using Id = std::uint64_t;

  static void expect_copies(const Entry &entry);
  Result<void> bind_entry(Entry &entry, const std::shared_ptr<Connection> &connection);
  void drain(Id id, std::function<void()> done);
  void remove(Id id);

  std::mutex mutex_; // guards everything below; held while nats.c queues SUB, which never blocks or calls back
  std::unordered_map<Id, Entry> entries_;
  std::vector<std::shared_ptr<Connection>> connections_; // at most two: the current one and its successor
  Id last_id_ = 0;
  bool closed_ = false;
};

} // namespace trellis
