// Who wants to know that a transport is connected again after a loss.
#pragma once

#include "nats/gate.h"
#include "transport/transport.h"
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace trellis {

class Restored final : public std::enable_shared_from_this<Restored> {
public:
  // [thread-safe]
  std::unique_ptr<Listener> add(std::function<void()> restored) {
    auto entry = std::make_shared<Entry>();
    entry->restored = std::move(restored);
    const std::lock_guard lock(mutex_);
    entries_.push_back(entry);
    return std::make_unique<Handle>(shared_from_this(), std::move(entry));
  }

  void tell() {
    std::vector<std::shared_ptr<Entry>> entries;
    {
      const std::lock_guard lock(mutex_);
      entries = entries_;
    }
    for (const auto &entry : entries)
      entry->gate.pass(entry->restored);
  }

private:
  struct Entry {
    std::function<void()> restored;
    Gate gate;
  };

  class Handle final : public Listener {
  public:
    Handle(std::shared_ptr<Restored> owner, std::shared_ptr<Entry> entry)
        : owner_(std::move(owner)), entry_(std::move(entry)) {}
    ~Handle() override {
      {
        const std::lock_guard lock(owner_->mutex_);
        std::erase(owner_->entries_, entry_);
      }
      entry_->gate.close();
    }

  private:
    const std::shared_ptr<Restored> owner_;
    const std::shared_ptr<Entry> entry_;
  };

  std::mutex mutex_; // guards entries_
  std::vector<std::shared_ptr<Entry>> entries_;
};

} // namespace trellis
