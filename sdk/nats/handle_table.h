// Numbers in place of pointers for nats.c's callback closures.
//
// nats.c calls back on threads of its own, some of them process-wide, and may do so after the connection's closed
// callback; nothing says when the last call has been. A pointer in the closure would have to outlive that. So closures
// are numbers, looked up when the call comes: a number that is gone is ignored. The tables are process-wide because the
// threads are (the one exception to the rule against globals), and hold weak pointers only.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace trellis {

template <class T>
class HandleTable {
public:
  // The process's table for T. Never destroyed: nats.c's threads outlive static destruction.
  static HandleTable &instance() {
    static auto *const table = new HandleTable;
    return *table;
  }

  void *add(const std::shared_ptr<T> &target) {
    const std::lock_guard lock(mutex_);
    targets_.emplace(++last_, target);
    return reinterpret_cast<void *>(last_);
  }

  void remove(void *handle) {
    const std::lock_guard lock(mutex_);
    targets_.erase(reinterpret_cast<std::uintptr_t>(handle));
  }

  // nullptr when the target is gone.
  std::shared_ptr<T> find(void *handle) const {
    const std::lock_guard lock(mutex_);
    const auto found = targets_.find(reinterpret_cast<std::uintptr_t>(handle));
    return found == targets_.end() ? nullptr : found->second.lock();
  }

private:
  mutable std::mutex mutex_; // guards everything below
  std::unordered_map<std::uintptr_t, std::weak_ptr<T>> targets_;
  std::uintptr_t last_ = 0;
};

} // namespace trellis
